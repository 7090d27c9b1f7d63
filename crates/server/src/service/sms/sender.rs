//! Who a resource may send as. A number is remembered with the version of the row that says it is held, and every commit
//! that accepts texts is conditional on that version: what was remembered costs no reading, and a number that was
//! released sends nothing more (law 9).

use std::sync::{Mutex, PoisonError};

use base::{BoundedCache, Personal, PhoneNumber, ResourceId};
use post::text::keyword::Kind;
use post::text::number::Sender as Written;
use store::{Draft, StoreError};

use super::rows::List;
use super::{SmsError, TextDesk};
use crate::service::numbers::{self, MayText};

/// How many numbers are remembered.
const REMEMBERED: usize = 4_096;

/// Numbers that may send, as they were when last looked at.
pub(super) struct Owned(Mutex<BoundedCache<(ResourceId, String), numbers::Sender>>);

impl Owned {
    pub(super) fn new() -> Self {
        Self(Mutex::new(BoundedCache::new(REMEMBERED)))
    }
}

/// A sender that belongs to the resource.
#[derive(Clone, Debug)]
pub struct Origin {
    text: Personal<String>,
    kind: Kind,
    /// The row that says so, where it is a number.
    held: Option<numbers::Sender>,
    /// Under which its recipients' wishes are kept; none for a name, which has no such list.
    list: Option<List>,
}

impl Origin {
    /// As it is written.
    #[must_use]
    pub const fn text(&self) -> &Personal<String> {
        &self.text
    }

    /// What kind of sender it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What names the list of its recipients' wishes, where it has one.
    #[must_use]
    pub fn list_id(&self) -> Option<[u8; 16]> {
        self.list.map(|list| list.id())
    }

    /// Under which its recipients' wishes are kept.
    pub(super) const fn list(&self) -> Option<List> {
        self.list
    }

    /// Makes a commit conditional on it belonging to the resource as it did.
    pub(super) fn expect(&self, draft: &mut Draft) {
        if let Some(held) = &self.held {
            numbers::expect_held(draft, held);
        }
    }
}

impl TextDesk<'_> {
    /// `text` as a sender of the resource. What is remembered may be out of date, which the commit finds out.
    ///
    /// # Errors
    /// [`SmsError::SenderNotOwned`]; or when the store fails.
    pub async fn sender(&self, text: &Personal<String>) -> Result<Origin, SmsError> {
        self.sender_as(text, true).await
    }

    /// The same, looked at now.
    ///
    /// # Errors
    /// [`SmsError::SenderNotOwned`]; or when the store fails.
    pub async fn sender_now(&self, text: &Personal<String>) -> Result<Origin, SmsError> {
        self.sender_as(text, false).await
    }

    async fn sender_as(&self, text: &Personal<String>, remembered: bool) -> Result<Origin, SmsError> {
        let written = Written::parse(text.expose()).ok_or(SmsError::SenderNotOwned)?;
        if let Written::Number(digits) = written {
            let held = self.held(text, remembered).await?;
            let kind = Kind::of_number(digits);
            return Ok(Origin {
                text: text.clone(),
                kind,
                list: Some(List::Held(held.holding)),
                held: Some(held),
            });
        }
        let kind = self.resource.senders().kind(written).ok_or(SmsError::SenderNotOwned)?;
        Ok(Origin { text: text.clone(), kind, held: None, list: self.short_code(text, kind).await? })
    }

    /// Under which the wishes about a short code are kept.
    async fn short_code(&self, text: &Personal<String>, kind: Kind) -> Result<Option<List>, StoreError> {
        if !kind.has_opt_outs() {
            return Ok(None);
        }
        self.cell()
            .blind_index(self.id(), "sms short code", text.expose().as_bytes())
            .await
            .map(|hash| Some(List::Short(hash)))
    }

    /// A sender of the resource that a text came in for: whose it is was looked at already.
    pub(super) async fn addressee(&self, text: &Personal<String>, kind: Kind) -> Result<Origin, StoreError> {
        let number: Option<PhoneNumber> = text.expose().parse().ok();
        let list = match &number {
            Some(number) => numbers::holding(self.cell(), self.id(), number).await?.map(List::Held),
            None => self.short_code(text, kind).await?,
        };
        Ok(Origin { text: text.clone(), kind, held: None, list })
    }

    async fn held(&self, text: &Personal<String>, remembered: bool) -> Result<numbers::Sender, SmsError> {
        let key = (self.id(), text.expose().clone());
        let owned = &self.with.state.owned.0;
        if remembered {
            let known = owned.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&key).cloned();
            if let Some(known) = known {
                return Ok(known);
            }
        }
        let number: PhoneNumber = text.expose().parse().map_err(|_| SmsError::SenderNotOwned)?;
        let found = numbers::may_text(self.cell(), self.id(), &number).await?;
        let mut owned = owned.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            MayText::Yes(sender) => {
                owned.insert(key, sender.clone());
                Ok(sender)
            }
            MayText::NotEnabled(_) | MayText::NotHeld => {
                owned.remove(&key);
                Err(SmsError::SenderNotOwned)
            }
        }
    }
}
