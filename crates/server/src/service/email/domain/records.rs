//! What the DNS of a domain must say, and whether it does.

use super::Record;

/// How long a record may be remembered by others, in seconds (ACS's value).
const TTL: u32 = 3600;
/// How the ownership record begins, as ACS's does.
const PROOF: &str = "ms-domain-verification=";

/// A record to be put into the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// `TXT`.
    pub kind: &'static str,
    /// Its whole name, without a last dot.
    pub name: String,
    /// What it must hold.
    pub value: String,
    /// For how long it may be remembered, in seconds.
    pub ttl: u32,
}

/// The name of a selector, which is 1 or 2.
#[must_use]
pub fn selector_name(selector: u8) -> String {
    format!("chancery{selector}")
}

/// The name of a selector's second key.
#[must_use]
pub fn second_name(selector: u8) -> String {
    format!("chancery{selector}e")
}

/// The ownership record's text.
pub(super) fn proof(id: &str) -> String {
    format!("{PROOF}{id}")
}

/// What the records of a domain are made of.
pub(super) struct Facts<'a> {
    pub(super) domain: &'a str,
    pub(super) proof: &'a str,
    pub(super) hostname: &'a str,
    /// The selector that signs.
    pub(super) selector: u8,
    /// The text of the DKIM record, for those that hold one.
    pub(super) key: &'a str,
}

/// The record that must be there.
pub(super) fn wanted(record: Record, facts: &Facts<'_>) -> DnsRecord {
    let Facts { domain, proof, hostname, selector, key } = *facts;
    let (name, value) = match record {
        Record::Domain => (domain.to_owned(), proof.to_owned()),
        Record::Spf => (domain.to_owned(), format!("v=spf1 {} -all", mechanism(hostname))),
        Record::Dkim => (format!("{}._domainkey.{domain}", selector_name(1)), key.to_owned()),
        Record::Dkim2 => (format!("{}._domainkey.{domain}", selector_name(2)), key.to_owned()),
        Record::Dmarc => (format!("_dmarc.{domain}"), "v=DMARC1; p=none".to_owned()),
        Record::Ed25519 => (format!("{}._domainkey.{domain}", second_name(selector)), key.to_owned()),
    };
    DnsRecord { kind: "TXT", name, value, ttl: TTL }
}

fn mechanism(hostname: &str) -> String {
    format!("a:{hostname}")
}

/// Whether one of the texts found at `wanted.name` is what is wanted.
pub(super) fn holds(record: Record, wanted: &DnsRecord, found: &[String]) -> bool {
    match record {
        Record::Domain => found.iter().any(|text| text.trim() == wanted.value),
        Record::Spf => {
            // Two SPF records are as good as none (RFC 7208, section 4.5).
            let mut all = found.iter().filter(|text| is_spf(text));
            match (all.next(), all.next()) {
                (Some(one), None) => allows(one, &wanted.value),
                _ => false,
            }
        }
        Record::Dkim | Record::Dkim2 | Record::Ed25519 => {
            let key = tag(&wanted.value, "p");
            key.is_some() && found.iter().any(|text| tag(text, "p") == key)
        }
        Record::Dmarc => {
            let mut all = found.iter().filter(|text| tag(text, "v").as_deref() == Some("DMARC1"));
            matches!((all.next(), all.next()), (Some(one), None) if tag(one, "p").is_some())
        }
    }
}

fn is_spf(text: &str) -> bool {
    text.split_ascii_whitespace().next().is_some_and(|first| first.eq_ignore_ascii_case("v=spf1"))
}

/// Whether an SPF record names our server, and ends in `-all`: `~all` is refused, as ACS does.
fn allows(text: &str, wanted: &str) -> bool {
    let ours = wanted.split_ascii_whitespace().nth(1).unwrap_or_default();
    let mut terms: Vec<&str> = text.split_ascii_whitespace().skip(1).collect();
    let last = terms.pop();
    let named = |term: &&str| term.strip_prefix('+').unwrap_or(term).eq_ignore_ascii_case(ours);
    last.is_some_and(|last| last.eq_ignore_ascii_case("-all")) && terms.iter().any(named)
}

/// The value of one tag of a DKIM or DMARC record (RFC 6376, section 3.2), without white space.
fn tag(text: &str, name: &str) -> Option<String> {
    let mut tags = text.split(';').filter_map(|part| part.split_once('='));
    let (_, value) = tags.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
    let value: String = value.split_ascii_whitespace().collect();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "mail.chancery.example";

    fn record(record: Record) -> DnsRecord {
        let proof = proof("f8a3");
        let key = "v=DKIM1; k=rsa; p=MIIBIjANBg";
        let facts = Facts { domain: "contoso.example", proof: &proof, hostname: HOST, selector: 2, key };
        wanted(record, &facts)
    }

    fn good(of: Record, found: &[&str]) -> bool {
        let found: Vec<String> = found.iter().map(|text| (*text).to_owned()).collect();
        holds(of, &record(of), &found)
    }

    #[test]
    fn records_are_texts_below_the_domain() {
        let names: Vec<_> = Record::ALL.into_iter().map(|of| record(of).name).collect();
        assert_eq!(
            names,
            [
                "contoso.example",
                "contoso.example",
                "chancery1._domainkey.contoso.example",
                "chancery2._domainkey.contoso.example",
                "_dmarc.contoso.example",
                "chancery2e._domainkey.contoso.example"
            ]
        );
        assert_eq!(record(Record::Spf).value, "v=spf1 a:mail.chancery.example -all");
        assert!(Record::ALL.into_iter().all(|of| record(of).ttl == 3600 && record(of).kind == "TXT"));
        for of in Record::ALL {
            assert!(good(of, &[&record(of).value]), "what we ask for is what we accept: {of:?}");
            assert!(!good(of, &[]), "{of:?}");
        }
    }

    #[test]
    fn ownership_is_shown_by_the_whole_text() {
        assert!(good(Record::Domain, &["v=spf1 -all", "ms-domain-verification=f8a3"]));
        for bad in ["ms-domain-verification=f8a", "ms-domain-verification=f8a33", "f8a3", ""] {
            assert!(!good(Record::Domain, &[bad]), "{bad}");
        }
    }

    #[test]
    fn spf_must_name_us_once_and_end_hard() {
        for yes in [
            "v=spf1 a:mail.chancery.example -all",
            "V=SPF1 include:other.example +A:MAIL.chancery.example -ALL",
            "v=spf1  ip4:192.0.2.1   a:mail.chancery.example  -all",
        ] {
            assert!(good(Record::Spf, &[yes]), "{yes}");
        }
        for no in [
            "v=spf1 a:mail.chancery.example ~all",
            "v=spf1 a:mail.chancery.example",
            "v=spf1 -all a:mail.chancery.example",
            "v=spf1 -a:mail.chancery.example -all",
            "v=spf1 a:mail.chancery.example.evil.example -all",
            "v=spf10 a:mail.chancery.example -all",
        ] {
            assert!(!good(Record::Spf, &[no]), "{no}");
        }
        let one = "v=spf1 a:mail.chancery.example -all";
        assert!(!good(Record::Spf, &[one, one]), "two are as good as none");
    }

    #[test]
    fn a_key_is_compared_without_blanks() {
        assert!(good(Record::Dkim, &["v=DKIM1;k=rsa;p=MIIB IjANBg"]));
        for no in ["v=DKIM1; p=", "v=DKIM1; p=MIIBIjANB", "MIIBIjANBg", "v=DKIM1"] {
            assert!(!good(Record::Dkim2, &[no]), "{no}");
        }
    }

    #[test]
    fn any_policy_of_dmarc_will_do() {
        assert!(good(Record::Dmarc, &["v=DMARC1; p=reject; rua=mailto:x@contoso.example"]));
        assert!(!good(Record::Dmarc, &["v=DMARC1; p=none", "v=DMARC1; p=none"]));
        assert!(!good(Record::Dmarc, &["v=DMARC2; p=none"]) && !good(Record::Dmarc, &["v=DMARC1"]));
    }
}
