//! One-click unsubscribing (RFC 8058): a link in the header of a mail by which its recipient takes itself off, without
//! logging in anywhere. The link names the mail, and is sealed with a keyed hash, so that nobody can be taken off by others.

use base::{MailId, Personal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::StoreError;

use super::{MailDesk, MailError, Which};

/// The meaning of the keyed hash.
const MEANING: &str = "mail unsubscribe";
/// The mail and the hash.
const LENGTH: usize = 32;
/// Where the link leads, below the resource's own host.
pub const PATH: &str = "/emails/unsubscribe/";

impl MailDesk<'_> {
    /// The headers by which the one recipient of `mail` can take itself off; `None` when the resource has no name in the
    /// world that a link could lead to.
    pub(super) async fn unsubscribe_headers(
        &self,
        mail: MailId,
    ) -> Result<Option<[(&'static str, Personal<String>); 2]>, StoreError> {
        let Some(host) = self.state.setup.public_host(self.resource) else { return Ok(None) };
        let token = self.unsubscribe_token(mail).await?;
        let link = format!("<https://{host}{PATH}{token}>");
        let click = "List-Unsubscribe=One-Click".to_owned();
        Ok(Some([("List-Unsubscribe", link.into()), ("List-Unsubscribe-Post", click.into())]))
    }

    async fn unsubscribe_token(&self, mail: MailId) -> Result<String, StoreError> {
        let hash = self.cell().blind_index(self.id(), MEANING, mail.as_bytes()).await?;
        Ok(URL_SAFE_NO_PAD.encode([*mail.as_bytes(), hash].concat()))
    }

    /// The mail that a link's token names; `None` when it was not made by this resource.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn unsubscribe_mail(&self, token: &str) -> Result<Option<MailId>, StoreError> {
        let Some(mail) = mail_of(token) else { return Ok(None) };
        let made = self.unsubscribe_token(mail).await?;
        Ok(guard::hash::same(made.as_bytes(), token.as_bytes()).then_some(mail))
    }

    /// Takes the recipient of the mail off that a link's token names: no mail of its sender goes there any more. `false`:
    /// the token is none of ours, or the mail is long forgotten.
    ///
    /// # Errors
    /// [`MailError::Store`].
    pub async fn unsubscribe(&self, token: &str) -> Result<bool, MailError> {
        match self.unsubscribe_mail(token).await? {
            Some(mail) => self.unsubscribed(mail, &Which::Place(0)).await,
            None => Ok(false),
        }
    }
}

fn mail_of(token: &str) -> Option<MailId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| bytes.len() == LENGTH)?;
    bytes[..16].try_into().ok().map(MailId::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_length_names_a_mail() {
        let whole = URL_SAFE_NO_PAD.encode([7; LENGTH]);
        assert_eq!(mail_of(&whole), Some(MailId::from_bytes([7; 16])));
        for bad in ["", "a", &whole[1..], &format!("{whole}="), &format!("{whole}AA"), "é"] {
            assert_eq!(mail_of(bad), None, "{bad}");
        }
    }
}
