//! How whoever runs the server is known to it, and where they may ask.

use std::sync::Arc;

use base::{Rng, Secret, Timestamp};
use guard::hash::same;
use guard::tls::ClientAuthorities;

use crate::net::{Entrance, Peer};

/// Where the routes of the operator are found.
#[derive(Clone, Debug, Default)]
pub struct OperatorPlane {
    /// Whether they have a listener of their own, and are found nowhere else.
    pub is_apart: bool,
    /// Whose certificates must be shown there.
    pub clients: Option<Arc<ClientAuthorities>>,
}

impl OperatorPlane {
    /// Whether they are found by `peer`. A certificate that was revoked since its connection began finds nothing.
    #[must_use]
    pub fn is_found_by(&self, peer: &Peer, now: Timestamp) -> bool {
        !self.is_apart
            || peer.entrance == Entrance::Operator
                && self.clients.as_ref().is_none_or(|clients| clients.admit(&peer.certificates, now))
    }
}

/// The operator's token: printable, at least [`OperatorToken::SHORTEST`] characters. It cannot be printed by accident.
#[derive(Clone, Debug)]
pub struct OperatorToken(Secret<String>);

impl OperatorToken {
    /// The shortest token that is taken, in characters.
    pub const SHORTEST: usize = 32;

    /// A token from where the operator keeps it; `None` when it is too short or not printable ASCII.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let good = text.len() >= Self::SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self(Secret::new(text.to_owned())))
    }

    /// A new one, 64 hexadecimal digits.
    #[must_use]
    pub fn mint(rng: &dyn Rng) -> Self {
        let digits = [rng.id(), rng.id()].concat();
        Self(Secret::new(base::hex(&digits)))
    }

    /// The token itself, for the file it is kept in and for who may use it.
    #[must_use]
    pub const fn expose(&self) -> &String {
        self.0.expose()
    }

    /// Whether `offered` is this token; how long it takes tells nothing of where they differ.
    #[must_use]
    pub fn is(&self, offered: &str) -> bool {
        same(self.0.expose().as_bytes(), offered.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_is_the_token() {
        let token = OperatorToken::mint(&base::SeededRng::new(1));
        assert!(token.is(&token.expose().clone()));
        for other in ["", "x", &token.expose()[1..], &format!("{}0", token.expose())] {
            assert!(!token.is(other), "{other}");
        }
        assert!(!format!("{token:?}").contains(token.expose().as_str()));
    }

    #[test]
    fn short_and_unprintable_tokens_are_refused() {
        assert!(OperatorToken::parse(&"x".repeat(31)).is_none());
        assert!(OperatorToken::parse(&"x".repeat(32)).is_some());
        assert!(OperatorToken::parse(&format!("{} {}", "x".repeat(20), "x".repeat(20))).is_none());
        assert!(
            OperatorToken::parse(&format!(" {}\n", "x".repeat(40))).is_some(),
            "a file ends with a line end"
        );
    }
}
