//! Whether a domain's DNS says what it must. Who looks the DNS up is handed in.

use guard::BoxFuture;
use thiserror::Error;

use super::records::holds;
use super::{DomainView, Record, RecordState};
use crate::service::email::rows::{DomainRow, Domains};
use crate::service::email::{MailDesk, MailError, audit, retry};

/// Why the DNS could not be asked. It says nothing of what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the DNS gave no answer")]
pub struct LookupFault;

/// Asks the DNS.
pub trait DomainLookup: Send + Sync + 'static {
    /// The texts of the TXT records at `name`, each with its strings joined; none when there is no such name.
    ///
    /// # Errors
    /// When the DNS could not be asked, or gave no answer.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFault>>;
}

impl MailDesk<'_> {
    /// Looks at one record of a domain, or at all, and notes what was found. What the DNS cannot say now is as it was.
    ///
    /// # Errors
    /// [`MailError::NotFound`]; [`MailError::Managed`] is none: such a domain is verified. [`MailError::Store`].
    pub async fn verify_domain(&self, name: &str, which: Option<Record>) -> Result<DomainView, MailError> {
        let dns = &*self.state.setup.lookup;
        let view = retry!(self, async {
            let found = self.registered(name).await?;
            let mut row = found.row.clone();
            if !row.managed {
                self.look(&mut row, &found, which, dns).await;
            }
            let mut draft = self.cell().draft(self.id()).await?;
            found.expect(&mut draft);
            draft.put_in_resource::<Domains>(&found.hash, &row, &[])?;
            audit(self, &mut draft)?;
            draft.commit().await?;
            Ok(self.view(&row, &found.signers))
        });
        self.forget_named(name);
        view
    }

    async fn look(
        &self,
        row: &mut DomainRow,
        found: &super::DomainUse,
        which: Option<Record>,
        dns: &dyn DomainLookup,
    ) {
        let now = self.clock.now();
        for (record, wanted, _) in self.view(row, &found.signers).records {
            if which.is_some_and(|only| only != record) {
                continue;
            }
            let Ok(texts) = dns.txt(&wanted.name).await else { continue };
            let state = if holds(record, &wanted, &texts) {
                RecordState::Verified
            } else {
                RecordState::VerificationFailed
            };
            row.set(record, state, now);
        }
    }
}
