//! The domains of a resource: looked up, made, changed, deleted.

use std::sync::Arc;
use std::time::Duration;

use base::{MailId, Personal};
use post::mail::Address;
use post::mail::address::{MAX_LOCAL, is_domain};
use store::{Direction, KeyRange, MAX_SCAN};

use super::records::{Facts, proof, wanted};
use super::{DEFAULT_SENDER, DEVELOPMENT, DomainUse, DomainView, Record, RecordState};
use crate::service::email::rows::{DomainKeys, DomainRow, Domains, SenderRow};
use crate::service::email::signing::Signers;
use crate::service::email::{MailDesk, MailError, NewMail, audit, retry};

/// The meaning of a domain's keyed hash.
const DOMAIN: &str = "mail domain";
/// How long a domain may be used from memory by those who deliver. Those who accept rest their commit on its version.
const LIFETIME: Duration = Duration::from_secs(60);

impl MailDesk<'_> {
    /// The domain of this name, when mail may be sent from it.
    pub(in crate::service::email) async fn usable_domain(
        &self,
        name: &str,
    ) -> Result<Arc<DomainUse>, MailError> {
        let key = (self.id(), name.to_owned());
        let known = self.state.domains().get_mut(&key).map(|found| Arc::clone(found));
        let found = match known {
            Some(known) => Some(known),
            None => self.remember(name).await?,
        };
        found.filter(|domain| domain.row.is_verified()).ok_or(MailError::DomainNotLinked)
    }

    /// Reads the domain of this name, or makes it when it is the resource's own for development.
    async fn remember(&self, name: &str) -> Result<Option<Arc<DomainUse>>, MailError> {
        let found = match self.stored(name).await? {
            Some(found) => found,
            None if self.is_development(name) => {
                retry!(self, self.make(name, true))?;
                self.stored(name).await?.ok_or(MailError::DomainNotLinked)?
            }
            None => return Ok(None),
        };
        let found = Arc::new(found);
        self.state.domains().insert((self.id(), name.to_owned()), Arc::clone(&found));
        Ok(Some(found))
    }

    fn is_development(&self, name: &str) -> bool {
        let own = name.strip_suffix(DEVELOPMENT);
        self.state.setup.development_domains
            && own.is_some_and(|own| own.eq_ignore_ascii_case(self.resource.name()))
    }

    /// Forgets the domain of a mail's sender, after a commit that rested on it lost.
    pub(in crate::service::email) fn forget_domain(&self, mail: &NewMail) {
        if let Ok(address) = Address::parse(mail.from.address.expose()) {
            self.forget_named(&address.destination());
        }
    }

    /// Forgets the domain of this name.
    pub(in crate::service::email) fn forget_named(&self, name: &str) {
        self.state.domains().remove(&(self.id(), name.to_ascii_lowercase()));
    }

    /// The domain by its hash, for those who deliver: read within the last minute.
    pub(in crate::service::email) async fn domain_of_sender(
        &self,
        sender: &Personal<String>,
    ) -> Result<Option<Arc<DomainUse>>, MailError> {
        let Some((_, name)) = sender.expose().rsplit_once('@') else { return Ok(None) };
        let name = name.to_ascii_lowercase();
        let key = (self.id(), name.clone());
        let known = self.state.domains().get_mut(&key).map(|found| Arc::clone(found));
        let now = self.clock.now();
        let fresh = known.filter(|found| found.read.distance(now) < LIFETIME);
        let found = match fresh {
            Some(found) => Some(found),
            None => self.remember(&name).await?,
        };
        Ok(found.filter(|domain| domain.row.is_verified()))
    }

    async fn stored(&self, name: &str) -> Result<Option<DomainUse>, MailError> {
        let hash = self.hash(DOMAIN, name).await?;
        let mut reader = self.reader().await?;
        let Some(found) = reader.get::<Domains>(&hash).await? else { return Ok(None) };
        let signers = self.signers(&mut reader, hash, found.value.selector).await?;
        let read = self.clock.now();
        Ok(Some(DomainUse { hash, version: found.version, row: found.value, signers, read }))
    }

    /// The domain of this name, whatever its state.
    pub(super) async fn registered(&self, name: &str) -> Result<DomainUse, MailError> {
        let name = lower(name)?;
        self.stored(&name).await?.ok_or(MailError::NotFound("domain"))
    }

    /// Adds a domain with its keys and its default sender; one that is there already stays as it is.
    async fn make(&self, name: &str, managed: bool) -> Result<(), MailError> {
        let hash = self.hash(DOMAIN, name).await?;
        let mut reader = self.reader().await?;
        let known = reader.scan_keys::<Domains>(KeyRange::all(), Direction::Forward, MAX_SCAN).await?;
        let mut draft = reader.draft();
        drop(reader);
        if known.iter().any(|(key, _, _)| *key == hash) {
            return audit(self, &mut draft).map_err(MailError::from);
        }
        let limit = self.limits.mail_domains;
        if known.len() >= limit {
            return Err(MailError::TooMany { what: "domains", limit });
        }
        draft.expect_absent::<Domains>(&hash);
        for selector in [1, 2] {
            let key = Signers::generate(self.clock.now()).await?;
            draft.put_in_resource::<DomainKeys>(&(hash, selector), &key, &[])?;
        }
        let row = DomainRow {
            name: name.to_owned().into(),
            managed,
            created: self.clock.now(),
            proof: proof(&MailId::mint(self.rng).to_string()),
            records: Default::default(),
            selector: 1,
            senders: vec![SenderRow { username: DEFAULT_SENDER.to_owned().into(), display_name: None }],
            tracking: false,
        };
        draft.put_in_resource::<Domains>(&hash, &row, &[])?;
        if !managed {
            audit(self, &mut draft)?;
        }
        Ok(draft.commit().await?)
    }

    /// Adds a domain, or changes whether its mail is tracked.
    ///
    /// # Errors
    /// [`MailError::Property`] when it is no domain; [`MailError::TooMany`]; [`MailError::Store`].
    pub async fn put_domain(&self, name: &str, tracking: Option<bool>) -> Result<DomainView, MailError> {
        let name = lower(name)?;
        if self.stored(&name).await?.is_none() {
            retry!(self, self.make(&name, false))?;
            if tracking != Some(true) {
                return self.domain(&name).await;
            }
        }
        self.change(&name, |row| {
            row.tracking = tracking.unwrap_or(row.tracking);
            Ok(())
        })
        .await
    }

    /// One domain.
    ///
    /// # Errors
    /// [`MailError::NotFound`]; [`MailError::Store`].
    pub async fn domain(&self, name: &str) -> Result<DomainView, MailError> {
        let found = self.registered(name).await?;
        Ok(self.view(&found.row, &found.signers))
    }

    /// All domains of the resource.
    ///
    /// # Errors
    /// [`MailError::Store`].
    pub async fn domains(&self) -> Result<Vec<DomainView>, MailError> {
        let mut reader = self.reader().await?;
        let rows = reader.scan::<Domains>(KeyRange::all(), Direction::Forward, MAX_SCAN).await?;
        let mut all = Vec::with_capacity(rows.len());
        for (hash, opened) in rows {
            let Some(row) = opened.value() else { continue };
            let signers = self.signers(&mut reader, hash, row.value.selector).await?;
            all.push(self.view(&row.value, &signers));
        }
        all.sort_by(|a, b| a.name.expose().cmp(b.name.expose()));
        Ok(all)
    }

    /// Deletes a domain with its keys. What was accepted and not yet delivered is not sent.
    ///
    /// # Errors
    /// [`MailError::NotFound`]; [`MailError::Store`].
    pub async fn delete_domain(&self, name: &str) -> Result<(), MailError> {
        let done = retry!(self, async {
            let found = self.registered(name).await?;
            let mut draft = self.cell().draft(self.id()).await?;
            found.expect(&mut draft);
            draft.delete::<Domains>(&found.hash);
            for selector in [1, 2] {
                draft.delete::<DomainKeys>(&(found.hash, selector));
            }
            audit(self, &mut draft)?;
            Ok(draft.commit().await?)
        });
        self.forget_named(name);
        done
    }

    /// Signs with the other selector from now on, and makes a new key for the one that rested until now. Its record must
    /// be renewed before the next rotation; the record it has now may stand until what it signed has arrived.
    ///
    /// # Errors
    /// [`MailError::Property`] when the other selector's record was not found in the DNS; [`MailError::NotFound`];
    /// [`MailError::NoKey`]; [`MailError::Store`].
    pub async fn rotate_domain(&self, name: &str) -> Result<DomainView, MailError> {
        let fresh = Signers::generate(self.clock.now()).await?;
        let done = retry!(self, async {
            let found = self.registered(name).await?;
            let mut row = found.row.clone();
            let (resting, signing) = (row.selector, if row.selector == 1 { 2 } else { 1 });
            row.selector = signing;
            if !row.managed {
                if !row.has(Record::of_selector(signing)) {
                    return Err(MailError::Property("selector".to_owned()));
                }
                let now = self.clock.now();
                for stale in [Record::of_selector(resting), Record::Ed25519] {
                    row.set(stale, RecordState::NotStarted, now);
                }
            }
            let mut draft = self.cell().draft(self.id()).await?;
            found.expect(&mut draft);
            draft.put_in_resource::<Domains>(&found.hash, &row, &[])?;
            draft.put_in_resource::<DomainKeys>(&(found.hash, resting), &fresh, &[])?;
            audit(self, &mut draft)?;
            draft.commit().await?;
            Ok::<(), MailError>(())
        });
        self.forget_named(name);
        done?;
        self.domain(name).await
    }

    /// Adds a sender to a domain, or changes its display name.
    ///
    /// # Errors
    /// [`MailError::Property`] when it can be no part of an address; [`MailError::Managed`]; [`MailError::TooMany`];
    /// [`MailError::NotFound`]; [`MailError::Store`].
    pub async fn put_sender(
        &self,
        name: &str,
        username: &Personal<String>,
        display_name: Option<Personal<String>>,
    ) -> Result<DomainView, MailError> {
        let limit = self.limits.mail_senders_per_domain;
        let fits = username.expose().len() <= MAX_LOCAL;
        if !fits || Address::parse(&format!("{}@example.com", username.expose())).is_err() {
            return Err(MailError::Property("username".to_owned()));
        }
        self.change(name, |row| {
            if row.managed {
                return Err(MailError::Managed);
            }
            row.senders.retain(|known| !known.username.expose().eq_ignore_ascii_case(username.expose()));
            if row.senders.len() >= limit {
                return Err(MailError::TooMany { what: "senders of a domain", limit });
            }
            row.senders.push(SenderRow { username: username.clone(), display_name: display_name.clone() });
            Ok(())
        })
        .await
    }

    /// Takes a sender from a domain.
    ///
    /// # Errors
    /// [`MailError::Managed`]; [`MailError::NotFound`]; [`MailError::Store`].
    pub async fn delete_sender(&self, name: &str, username: &str) -> Result<DomainView, MailError> {
        self.change(name, |row| {
            if row.managed {
                return Err(MailError::Managed);
            }
            let before = row.senders.len();
            row.senders.retain(|known| !known.username.expose().eq_ignore_ascii_case(username));
            if row.senders.len() == before { Err(MailError::NotFound("sender")) } else { Ok(()) }
        })
        .await
    }

    async fn change(
        &self,
        name: &str,
        change: impl Fn(&mut DomainRow) -> Result<(), MailError> + Send + Sync,
    ) -> Result<DomainView, MailError> {
        let view = retry!(self, async {
            let found = self.registered(name).await?;
            let mut row = found.row.clone();
            change(&mut row)?;
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

    pub(super) fn view(&self, row: &DomainRow, signers: &Signers) -> DomainView {
        let hostname = &self.state.setup.hostname;
        let records = Record::ALL.into_iter().zip(&row.records).map(|(record, state)| {
            let key = match record {
                Record::Dkim => signers.record(1),
                Record::Dkim2 => signers.record(2),
                Record::Ed25519 => signers.second_record(),
                Record::Domain | Record::Spf | Record::Dmarc => "",
            };
            let (domain, proof) = (row.name.expose().as_str(), row.proof.as_str());
            let facts = Facts { domain, proof, hostname, selector: row.selector, key };
            (record, wanted(record, &facts), state.state)
        });
        DomainView {
            name: row.name.clone(),
            managed: row.managed,
            created: row.created,
            records: records.collect(),
            selector: row.selector,
            senders: row.senders.iter().map(|one| (one.username.clone(), one.display_name.clone())).collect(),
            tracking: row.tracking,
            verified: row.is_verified(),
        }
    }
}

/// A domain's name in the one form it is kept in.
fn lower(name: &str) -> Result<String, MailError> {
    if is_domain(name) {
        Ok(name.to_ascii_lowercase())
    } else {
        Err(MailError::Property("domain".to_owned()))
    }
}
