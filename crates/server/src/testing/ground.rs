//! What a cell of a test stands on.

use std::sync::Arc;

use base::{Limits, ManualClock, ResourceId, Rng, SeededRng};
use guard::LocalKms;
use store::engine::memory::MemoryEngine;
use store::{Cell, CellParts, Engine, KeyServices};

use super::{CUSTOMER, CustomerKms};
use crate::service;

/// What a cell stands on, and what lives in it.
#[derive(Clone)]
pub(super) struct Ground {
    geography: &'static str,
    pub(super) engine: Arc<MemoryEngine>,
    kms: Arc<LocalKms>,
    pub(super) customer: Arc<CustomerKms>,
    pub(super) resources: Vec<(&'static str, ResourceId)>,
}

impl Ground {
    pub(super) fn new(geography: &'static str, names: &[&'static str], rng: &dyn Rng) -> Self {
        Self {
            geography,
            engine: Arc::new(MemoryEngine::new()),
            kms: Arc::new(LocalKms::in_memory(rng)),
            customer: Arc::new(CustomerKms::new(rng)),
            resources: names.iter().map(|name| (*name, ResourceId::mint(rng))).collect(),
        }
    }

    pub(super) async fn open(&self, clock: &Arc<ManualClock>, rng: &Arc<SeededRng>, limits: &Limits) -> Cell {
        let parts = CellParts {
            geography: self.geography.parse().expect("a geography of ACS"),
            engine: Arc::clone(&self.engine) as Arc<dyn Engine>,
            kms: KeyServices::new(Arc::clone(&self.kms) as _).with(CUSTOMER, Arc::clone(&self.customer) as _),
            clock: Arc::clone(clock) as _,
            rng: Arc::clone(rng) as _,
            limits,
            keyspaces: &service::keyspaces(),
        };
        Cell::open(parts).await.expect("a cell on the memory engine opens")
    }
}
