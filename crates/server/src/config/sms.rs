//! `[[cell.sms.carrier]]`: the SMS centres that carry a cell's texts, and what each contract says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use post::smpp::pdu::Binding;
use post::text::alphabet::Language;
use post::text::receipt::IdForm;
use schemars::JsonSchema;
use serde::Deserialize;

use super::cell::missing;
use super::document::Document;
use super::secret::{self, SecretRef};

/// Where a system has the certificates it trusts, when no other file is named.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// One carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierConfig {
    /// Its name, for operators and in receipts; no two of a cell share one.
    pub name: String,
    /// The host of its SMS centre.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The file with the authorities its certificate may come from; `None` for a connection without TLS.
    pub tls: Option<PathBuf>,
    /// The name its certificate must have.
    pub tls_name: String,
    /// Who we are to it.
    pub system_id: String,
    /// Where the password is.
    pub password: SecretRef,
    /// The kind of system we are.
    pub system_type: String,
    /// How to bind.
    pub binding: Binding,
    /// How many such bindings are held at once.
    pub connections: usize,
    /// How many submissions may be unanswered on one connection.
    pub window: usize,
    /// Segments a second at most.
    pub rate: Option<u32>,
    /// How long an answer may take, in seconds.
    pub answer_secs: u64,
    /// After how long a silence the peer is asked whether it is there, in seconds.
    pub enquire_secs: u64,
    /// The beginnings, without `+`, of the numbers it carries; an empty one for any.
    pub prefixes: Vec<String>,
    /// The national tables it passes on.
    pub languages: Vec<Language>,
    /// Whether references of segments have two octets.
    pub long_references: bool,
    /// How it writes message ids in receipts.
    pub ids: IdForm,
}

/// Texts of this cell.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "sms")]
pub(super) struct RawSms {
    /// The carriers. A text goes to the one with the longest prefix of its number; the others take over when it is down.
    #[serde(default)]
    carrier: Vec<RawCarrier>,
}

/// One carrier's SMS centre, spoken to by SMPP 3.4.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "carrier")]
struct RawCarrier {
    /// Its name, for operators: letters, digits, hyphens.
    #[schemars(required, with = "String", regex(pattern = r"^[A-Za-z0-9-]{1,32}$"))]
    name: Option<String>,
    /// The host of its SMS centre: a name or an address.
    #[schemars(required, with = "String")]
    host: Option<String>,
    /// The port; 2775 without TLS and 3550 with it unless the contract says otherwise.
    #[serde(default)]
    #[schemars(with = "u16")]
    port: Option<u16>,
    /// Whether the connection is TLS. Without it passwords and texts are readable on the way: only inside a tunnel.
    #[serde(default = "yes")]
    tls: bool,
    /// A file of certificates (PEM) that the centre's may come from; without it those the system trusts.
    #[serde(default)]
    #[schemars(with = "String")]
    ca: Option<PathBuf>,
    /// The name its certificate must have; without it the host.
    #[serde(default)]
    #[schemars(with = "String")]
    tls_name: Option<String>,
    /// Who we are to it.
    #[schemars(required, with = "String", length(min = 1, max = 15))]
    system_id: Option<String>,
    /// Where the password is, as "file:/path", "credential:NAME", "sealed:/path" or "env:NAME". SMPP allows at most 8 characters.
    #[schemars(required, with = "String", regex(pattern = r"^(env|file|credential|sealed):."))]
    password: Option<String>,
    /// The kind of system we are; most carriers want none.
    #[serde(default)]
    #[schemars(length(max = 12))]
    system_type: String,
    /// "transceiver", "separate" (a transmitter and a receiver) or "transmitter" (no receipts, no texts in).
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(transceiver|separate|transmitter)$"))]
    bind: Option<String>,
    /// How many such bindings are held at once.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    connections: usize,
    /// How many submissions may be unanswered on one connection.
    #[serde(default = "window")]
    #[schemars(range(min = 1, max = 1000))]
    window: usize,
    /// Segments a second at most, over all connections; without it as many as the carrier answers.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = 100_000))]
    rate: Option<u32>,
    /// How long an answer may take, in seconds.
    #[serde(default = "answer")]
    #[schemars(range(min = 1, max = 120))]
    answer_timeout_secs: u64,
    /// After how long a silence the centre is asked whether it is there, in seconds.
    #[serde(default = "enquire")]
    #[schemars(range(min = 1, max = 3600))]
    enquire_link_secs: u64,
    /// The beginnings of the numbers it carries, in digits without plus, such as ["1", "44"]. An empty one is any number.
    #[serde(default = "any")]
    #[schemars(length(max = 1000), inner(regex(pattern = r"^[0-9]{0,15}$")))]
    prefixes: Vec<String>,
    /// National language tables (3GPP TS 23.038) that the carrier passes on: "turkish", "spanish", "portuguese", "bengali",
    /// "gujarati", "hindi", "kannada", "malayalam", "oriya", "punjabi", "tamil", "telugu", "urdu". They save segments; a
    /// carrier that does not know them garbles such texts.
    #[serde(default)]
    languages: Vec<String>,
    /// Whether the segments of a text are numbered with two octets: rarer mix-ups, one character less a segment.
    #[serde(default)]
    long_references: bool,
    /// How message ids are written: "same" in answers and receipts, "hex-decimal" or "decimal-hex".
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(same|hex-decimal|decimal-hex)$"))]
    message_ids: Option<String>,
}

const fn yes() -> bool {
    true
}
const fn one() -> usize {
    1
}
const fn window() -> usize {
    100
}
const fn answer() -> u64 {
    10
}
const fn enquire() -> u64 {
    30
}
fn any() -> Vec<String> {
    vec![String::new()]
}

impl RawSms {
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Vec<CarrierConfig> {
        let mut names = BTreeSet::new();
        let mut carriers = Vec::new();
        for (index, raw) in self.carrier.into_iter().enumerate() {
            let at = format!("{at}.carrier[{index}]");
            if raw.name.as_ref().is_some_and(|name| !names.insert(name.clone())) {
                document.problem(
                    &format!("{at}.name"),
                    "another carrier of this cell has this name",
                    "each has one of its own",
                );
            }
            carriers.extend(raw.check(&at, document));
        }
        carriers
    }
}

impl RawCarrier {
    /// Notes what is out of its bounds, and what is of no use.
    fn judge(&self, at: &str, document: &mut Document<'_>) {
        let key = |name: &str| format!("{at}.{name}");
        for (field, text, most) in [
            ("system_id", self.system_id.as_deref(), 15),
            ("system_type", Some(self.system_type.as_str()), 12),
        ] {
            if text.is_some_and(|text| text.len() > most || !text.is_ascii() || text.contains('\0')) {
                document.problem(
                    &key(field),
                    "SMPP cannot carry this",
                    format!("write at most {most} ASCII characters"),
                );
            }
        }
        for (field, value, least, most) in [
            ("connections", number(self.connections), 1, 16),
            ("window", number(self.window), 1, 1000),
            ("rate", self.rate.map_or(1, u64::from), 1, 100_000),
            ("answer_timeout_secs", self.answer_timeout_secs, 1, 120),
            ("enquire_link_secs", self.enquire_link_secs, 1, 3600),
            ("prefixes", number(self.prefixes.len()), 0, 1000),
        ] {
            if !(least..=most).contains(&value) {
                document.problem(&key(field), "out of bounds", format!("write {least} to {most}"));
            }
        }
        for (index, prefix) in self.prefixes.iter().enumerate() {
            if prefix.len() > 15 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
                let key = key(&format!("prefixes[{index}]"));
                document.problem(
                    &key,
                    "this is no beginning of a number",
                    "write digits without plus, such as \"44\"",
                );
            }
        }
        if !self.tls {
            for (field, given) in [("ca", self.ca.is_some()), ("tls_name", self.tls_name.is_some())] {
                if given {
                    document.problem(
                        &key(field),
                        "this is of no use without TLS",
                        "take it out, or write tls = true",
                    );
                }
            }
        }
    }

    fn check(self, at: &str, document: &mut Document<'_>) -> Option<CarrierConfig> {
        let key = |name: &str| format!("{at}.{name}");
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let name =
            required(self.name.as_deref(), &key("name"), "write a name such as \"carrier-1\"", document);
        let name = name.filter(|name| {
            let fits = (1..=32).contains(&name.len()) && name.bytes().all(legal);
            if !fits {
                document.problem(
                    &key("name"),
                    "this is no name of a carrier",
                    "write 1 to 32 of A-Z, a-z, 0-9 and -",
                );
            }
            fits
        });
        let host = required(self.host.as_deref(), &key("host"), "name the host of its SMS centre", document);
        let system_id =
            required(self.system_id.as_deref(), &key("system_id"), "the contract says it", document);
        self.judge(at, document);
        let password = secret::required(self.password.as_deref(), &key("password"), document);
        let binding = choose(self.bind.as_deref(), &key("bind"), &BINDINGS, document);
        let ids = choose(self.message_ids.as_deref(), &key("message_ids"), &ID_FORMS, document);
        let languages = self.languages.iter().enumerate();
        let languages = languages
            .map(|(index, text)| {
                choose(Some(text), &key(&format!("languages[{index}]")), &LANGUAGES, document)
            })
            .collect::<Option<_>>();
        Some(CarrierConfig {
            name: name?.to_owned(),
            tls_name: self.tls_name.or_else(|| host.map(str::to_owned)).unwrap_or_default(),
            host: host?.to_owned(),
            port: self.port.unwrap_or(if self.tls { 3550 } else { 2775 }),
            tls: self.tls.then(|| self.ca.unwrap_or_else(|| SYSTEM_CA.into())),
            system_id: system_id?.to_owned(),
            password: password?,
            system_type: self.system_type,
            binding: binding?,
            connections: self.connections,
            window: self.window,
            rate: self.rate,
            answer_secs: self.answer_timeout_secs,
            enquire_secs: self.enquire_link_secs,
            prefixes: self.prefixes,
            languages: languages?,
            long_references: self.long_references,
            ids: ids?,
        })
    }
}

const BINDINGS: [(&str, Binding); 3] = [
    ("transceiver", Binding::Transceiver),
    ("separate", Binding::Separate),
    ("transmitter", Binding::Transmitter),
];
const ID_FORMS: [(&str, IdForm); 3] = [
    ("same", IdForm::Same),
    ("hex-decimal", IdForm::HexThenDecimal),
    ("decimal-hex", IdForm::DecimalThenHex),
];
const LANGUAGES: [(&str, Language); 3] =
    [("turkish", Language::Turkish), ("spanish", Language::Spanish), ("portuguese", Language::Portuguese)];

/// The value a word stands for; the first when there is no word.
fn choose<T: Copy>(
    text: Option<&str>,
    key: &str,
    choices: &[(&str, T)],
    document: &mut Document<'_>,
) -> Option<T> {
    let Some(text) = text else { return choices.first().map(|(_, value)| *value) };
    let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        document.problem(key, "there is no such choice", format!("write one of {}", words.join(", ")));
    }
    found
}

fn required<'t>(text: Option<&'t str>, key: &str, fix: &str, document: &mut Document<'_>) -> Option<&'t str> {
    text.filter(|text| !text.is_empty()).or_else(|| missing(key, fix, document))
}

fn number(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
