//! User access tokens: JWTs (ES256) with the claims of ACS. Who may have one is decided elsewhere; whether an
//! identity's tokens were revoked is told by comparing [`Claims::epoch`]. Knows no storage and no HTTP.

mod format;
mod scopes;
mod sign;
mod statement;
mod verify;

use base::{Geography, ResourceId, Timestamp, UserId};
use thiserror::Error;

pub use scopes::Scopes;
pub use sign::{InvalidTokenKey, TokenSigner};
pub use statement::{MAX_STATEMENT, read_statement};
pub use verify::{PublicKey, TokenVerifier, parse_unverified};

/// The longest token that is looked at, in bytes. Those issued here have about 600.
pub const MAX_TOKEN: usize = 4096;

/// What a token says. Times are whole seconds on the wire: signing cuts milliseconds off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The resource the user belongs to.
    pub resource: ResourceId,
    /// Where that resource rests.
    pub geography: Geography,
    /// The user.
    pub user: UserId,
    /// What the token is good for.
    pub scopes: Scopes,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// From when on it is no longer accepted.
    pub expires_at: Timestamp,
    /// The token generation of the identity at that time: revocation raises the identity's, and a token of an older
    /// one is worth nothing.
    pub epoch: u32,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not a token as this server issues them.
    #[error("the token is malformed")]
    Malformed,
    /// Signed by a key this server does not know.
    #[error("the token is signed by an unknown key")]
    UnknownKey,
    /// The signature is not that of the named key.
    #[error("the signature of the token is wrong")]
    BadSignature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

#[cfg(test)]
mod tests;
