//! Texts: carrying those that were accepted, taking what carriers bring, and what time does to all of them.

use std::sync::Arc;

use guard::BoxFuture;
use store::{Cell, StoreError};

use crate::channel::{TextChannel, TextIn, TextInbox, TextReceipt};
use crate::http::State;
use crate::service::delivery::{Courier, Errand};
use crate::service::sms::{CarrierDesk, TextDesk};

/// Carries texts of one cell by one channel.
pub struct TextCourier {
    state: Arc<State>,
    channel: Arc<dyn TextChannel>,
}

impl TextCourier {
    /// Carries by `channel`.
    #[must_use]
    pub fn new(state: Arc<State>, channel: Arc<dyn TextChannel>) -> Self {
        Self { state, channel }
    }
}

impl Courier for TextCourier {
    fn carry<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Result<(), StoreError>> {
        let desk = TextDesk { resource: &errand.resource, with: self.state.texts() };
        Box::pin(async move { desk.carry(&*self.channel, errand).await })
    }
}

/// Takes what the carriers of one cell bring.
pub struct CellInbox {
    state: Arc<State>,
    cell: Cell,
}

impl CellInbox {
    /// For the carriers of `cell`.
    #[must_use]
    pub fn new(state: Arc<State>, cell: Cell) -> Self {
        Self { state, cell }
    }

    fn desk(&self) -> CarrierDesk<'_> {
        desk(&self.state, &self.cell)
    }
}

impl TextInbox for CellInbox {
    fn receipt(&self, receipt: TextReceipt) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.desk().receipt(&receipt).await })
    }

    fn text(&self, text: TextIn) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.desk().text(&text).await })
    }
}

fn desk<'a>(state: &'a State, cell: &'a Cell) -> CarrierDesk<'a> {
    CarrierDesk { cell, resources: state.directory.resources(), with: state.texts() }
}

/// Does what is due about the texts of every resource of this node, once. Returns how many texts were looked at.
pub(super) async fn sweep(state: &State) -> usize {
    let mut done = 0;
    for resource in state.directory.resources() {
        if !resource.is_within_reach().await {
            continue;
        }
        match (TextDesk { resource, with: state.texts() }).sweep().await {
            Ok(count) => done += count,
            Err(error) => {
                tracing::warn!(resource = resource.name(), %error, "texts could not be looked through");
            }
        }
    }
    done
}

/// Removes receipts that ended from the registers of this node's cells, once. Returns how many.
pub(super) async fn sweep_registers(state: &State) -> usize {
    let mut done = 0;
    let mut seen = Vec::new();
    for resource in state.directory.resources() {
        if seen.contains(&resource.geography()) {
            continue;
        }
        seen.push(resource.geography());
        match desk(state, resource.cell()).sweep().await {
            Ok(count) => done += count,
            Err(error) => {
                let geography = resource.geography().as_str();
                tracing::warn!(geography, %error, "receipts could not be looked through");
            }
        }
    }
    done
}
