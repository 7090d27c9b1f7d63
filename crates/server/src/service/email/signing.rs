//! The keys of a domain, ready to sign.

use base::Timestamp;
use guard::{DkimAlgorithm, DkimError, DkimKey};
use store::{Reader, StoreError};

use super::blob::Blob;
use super::domain::{second_name, selector_name};
use super::rows::{DomainKeyRow, DomainKeys, Hash};
use super::{MailDesk, MailError};

/// The keys of both selectors: the one that signs, and what the DNS says of each.
pub(super) struct Signers {
    rsa: DkimKey,
    ed25519: DkimKey,
    selector: String,
    second: String,
    records: [String; 2],
    second_record: String,
}

impl Signers {
    /// New keys for one selector. RSA keys take some tenths of a second, so they are made on a thread of their own.
    pub(super) async fn generate(now: Timestamp) -> Result<DomainKeyRow, MailError> {
        let made = tokio::task::spawn_blocking(|| {
            let rsa = DkimKey::generate(DkimAlgorithm::Rsa)?;
            Ok::<_, DkimError>((rsa, DkimKey::generate(DkimAlgorithm::Ed25519)?))
        });
        let (rsa, ed25519) = made.await.map_err(|_| MailError::NoKey)?.map_err(|_| MailError::NoKey)?;
        let bytes = |key: &DkimKey| Blob(key.to_pkcs8().expose().clone());
        Ok(DomainKeyRow { created: now, rsa: bytes(&rsa), ed25519: bytes(&ed25519) })
    }

    /// What the record of a selector, 1 or 2, must hold.
    pub(super) fn record(&self, selector: u8) -> &str {
        &self.records[usize::from(selector != 1)]
    }

    /// What the record of the second key of the selector that signs must hold.
    pub(super) fn second_record(&self) -> &str {
        &self.second_record
    }

    /// The signature headers of `message`, to be put before it: one, or two with the second key.
    pub(super) fn sign(
        &self,
        message: &[u8],
        domain: &str,
        with_second: bool,
        at: Timestamp,
    ) -> Result<Vec<u8>, DkimError> {
        let mut headers = self.rsa.sign(message, domain, &self.selector, at)?;
        if with_second {
            headers.extend(self.ed25519.sign(message, domain, &self.second, at)?);
        }
        Ok(headers)
    }
}

impl MailDesk<'_> {
    /// The keys of a domain of which `selector` signs.
    pub(super) async fn signers(
        &self,
        reader: &mut Reader,
        domain: Hash,
        selector: u8,
    ) -> Result<Signers, MailError> {
        let keys = reader.multi_get::<DomainKeys>(&[(domain, 1), (domain, 2)]).await?;
        let damaged = || MailError::Store(StoreError::Corrupt { keyspace: "mail_domain_key" });
        let mut pairs = Vec::with_capacity(2);
        for key in keys {
            let row = key.and_then(store::Opened::value).ok_or_else(damaged)?.value;
            let parse = |blob: &Blob| DkimKey::from_pkcs8(&blob.0).map_err(|_| damaged());
            pairs.push((parse(&row.rsa)?, parse(&row.ed25519)?));
        }
        let records = [pairs[0].0.record(), pairs[1].0.record()];
        let (rsa, ed25519) = pairs.swap_remove(usize::from(selector != 1));
        let (second, second_record) = (second_name(selector), ed25519.record());
        Ok(Signers { rsa, ed25519, selector: selector_name(selector), second, records, second_record })
    }
}
