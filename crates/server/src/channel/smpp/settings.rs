//! What a carrier's contract says: where its SMS centre is, who we are to it, and what it understands.

use std::sync::Arc;
use std::time::Duration;

use base::Secret;
use post::smpp::pdu::Binding;
use post::text::alphabet::Language;
use post::text::receipt::IdForm;

/// One carrier.
#[derive(Clone)]
pub struct CarrierSettings {
    /// Its name, for operators, and in receipts.
    pub name: String,
    /// The host of its SMS centre.
    pub host: String,
    /// The port.
    pub port: u16,
    /// TLS, and the name its certificate must have; `None` for a plain connection, as inside a tunnel.
    pub tls: Option<(Arc<rustls::ClientConfig>, rustls::pki_types::ServerName<'static>)>,
    /// Who we are to it (at most 15 characters).
    pub system_id: String,
    /// The password (at most 8 characters).
    pub password: Secret<String>,
    /// The kind of system we are (at most 12 characters; most carriers want none).
    pub system_type: String,
    /// How to bind.
    pub binding: Binding,
    /// How many such bindings are held at once.
    pub bindings: usize,
    /// How many submissions may be unanswered on one connection.
    pub window: usize,
    /// Segments a second at most, over all connections; `None` for as many as it answers.
    pub rate: Option<u32>,
    /// How long an answer may take.
    pub answer: Duration,
    /// After how long a silence the peer is asked whether it is there.
    pub enquire: Duration,
    /// The numbers it carries: beginnings of digits, without `+`. An empty one is any number.
    pub prefixes: Vec<String>,
    /// The national tables it passes on; with none, what the default alphabet cannot write goes as UCS-2.
    pub languages: Vec<Language>,
    /// Whether references of segments have two octets instead of one.
    pub long_references: bool,
    /// How it writes message ids in receipts.
    pub ids: IdForm,
}

impl CarrierSettings {
    /// With what most carriers agree to, for any number.
    #[must_use]
    pub fn new(name: &str, host: &str, port: u16, system_id: &str, password: Secret<String>) -> Self {
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
            tls: None,
            system_id: system_id.to_owned(),
            password,
            system_type: String::new(),
            binding: Binding::default(),
            bindings: 1,
            window: 100,
            rate: None,
            answer: Duration::from_secs(10),
            enquire: Duration::from_secs(30),
            prefixes: vec![String::new()],
            languages: Vec::new(),
            long_references: false,
            ids: IdForm::default(),
        }
    }

    /// The length of the longest prefix that `digits` begin with; `None` when it does not carry them.
    #[must_use]
    pub fn carries(&self, digits: &str) -> Option<usize> {
        self.prefixes.iter().filter(|prefix| digits.starts_with(prefix.as_str())).map(String::len).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_counts() {
        let mut carrier = CarrierSettings::new("a", "h", 2775, "me", Secret::new("x".into()));
        assert_eq!(carrier.carries("14255550100"), Some(0), "any number by default");
        carrier.prefixes = vec!["1".into(), "1425".into(), "44".into()];
        assert_eq!(carrier.carries("14255550100"), Some(4));
        assert_eq!(carrier.carries("12065550100"), Some(1));
        assert_eq!(carrier.carries("33123456789"), None);
        carrier.prefixes.clear();
        assert_eq!(carrier.carries("1"), None, "one that only receives");
    }
}
