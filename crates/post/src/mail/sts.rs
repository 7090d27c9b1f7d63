//! MTA-STS (RFC 8461): a domain's word, fetched over HTTPS, that its mail servers have good certificates, and which they
//! are. The record and the policy as values.

use thiserror::Error;

/// The longest policy that is read, in bytes; the standard recommends this bound.
pub const MAX_POLICY: usize = 64 * 1024;
/// The longest life of a policy, in seconds (RFC 8461, section 3.2).
pub const MAX_AGE: u64 = 31_557_600;
/// How many servers a policy may name here.
const MAX_SERVERS: usize = 100;

/// What came is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a policy of MTA-STS")]
pub struct InvalidPolicy;

/// How strictly a policy is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Mail goes to servers that the policy names and that prove who they are, or not at all.
    Enforce,
    /// The same is only looked at.
    Testing,
    /// There is no policy any more.
    None,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How strictly it is meant.
    pub mode: Mode,
    /// For how long it holds, in seconds.
    pub max_age: u64,
    /// The servers, in lower case; `*.` stands for one label.
    servers: Vec<String>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// When it is none: an unknown version or mode, no age, or no server where one is needed.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        if text.len() > MAX_POLICY {
            return Err(InvalidPolicy);
        }
        let (mut version, mut mode, mut max_age, mut servers) = (None, None, None, Vec::new());
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) = line.split_once(':').ok_or(InvalidPolicy)?;
            let value = value.trim();
            // Of a key that comes twice the first counts; those that nobody knows are left out.
            match key.trim() {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(Some(value)),
                "mx" if servers.len() < MAX_SERVERS => servers.push(value.to_ascii_lowercase()),
                _ => {}
            }
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            _ => return Err(InvalidPolicy),
        };
        let digits =
            |text: &&str| (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let max_age: u64 = max_age.filter(digits).and_then(|age| age.parse().ok()).ok_or(InvalidPolicy)?;
        if version != Some("STSv1") || (mode != Mode::None && servers.is_empty()) {
            return Err(InvalidPolicy);
        }
        Ok(Self { mode, max_age: max_age.min(MAX_AGE), servers })
    }

    /// Whether it names `server`.
    #[must_use]
    pub fn names(&self, server: &str) -> bool {
        let server = server.trim_end_matches('.').to_ascii_lowercase();
        self.servers.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => {
                server.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == parent)
            }
            None => *pattern == server,
        })
    }
}

/// The id of the policy that the TXT records at `_mta-sts.<domain>` tell; `None` without exactly one such record (RFC 8461,
/// section 3.1).
#[must_use]
pub fn policy_id<'a>(records: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let is_record = |record: &&str| record.split(';').next().is_some_and(|first| first.trim() == "v=STSv1");
    let mut records = records.into_iter().filter(is_record);
    let (record, None) = (records.next()?, records.next()) else { return None };
    let id = record.split(';').find_map(|field| field.trim().strip_prefix("id="))?.trim();
    ((1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str =
        "version: STSv1\r\nmode: enforce\r\nmx: Mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

    #[test]
    fn the_example_of_the_standard() {
        let policy = Policy::parse(GOOD).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, 604_800));
        for yes in ["mail.example.com", "MAIL.EXAMPLE.COM.", "a.example.net"] {
            assert!(policy.names(yes), "{yes}");
        }
        for no in [
            "example.net",
            "a.b.example.net",
            ".example.net",
            "mail.example.com.evil.org",
            "evilexample.net",
            "",
        ] {
            assert!(!policy.names(no), "{no}");
        }
    }

    #[test]
    fn other_forms() {
        let policy =
            Policy::parse("version:STSv1\nmode:testing\nmx:a.b\nmax_age:1\nfuture: x\nmode: none\n").unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Testing, 1), "the first of a key counts");
        assert_eq!(Policy::parse("version: STSv1\nmode: none\nmax_age: 86400").unwrap().mode, Mode::None);
        let old = Policy::parse(&GOOD.replace("604800", "9999999999")).unwrap();
        assert_eq!(old.max_age, MAX_AGE);
    }

    #[test]
    fn what_is_no_policy() {
        for (what, with) in [
            ("STSv1", "STSv2"),
            ("version: STSv1\r\n", ""),
            ("enforce", "strict"),
            ("mode: enforce\r\n", ""),
            ("max_age: 604800", "max_age: -1"),
            ("max_age: 604800", "max_age: 99999999999"),
            ("max_age: 604800", "max_age:"),
            ("max_age: 604800", ""),
            ("mx: Mail.example.com\r\nmx: *.example.net\r\n", ""),
            ("mode: enforce", "mode enforce"),
        ] {
            let text = GOOD.replace(what, with);
            assert_ne!(text, GOOD, "{what}");
            assert_eq!(Policy::parse(&text), Err(InvalidPolicy), "{what} -> {with}");
        }
        let long = format!("{GOOD}x: {}", "x".repeat(MAX_POLICY));
        assert_eq!(Policy::parse(&long), Err(InvalidPolicy));
        assert_eq!(Policy::parse("<html>Not Found</html>"), Err(InvalidPolicy));
    }

    #[test]
    fn ids_of_policies() {
        assert_eq!(policy_id(["v=STSv1; id=20160831085700Z;"]), Some("20160831085700Z"));
        assert_eq!(policy_id(["v=spf1 -all", "v=STSv1;id=1"]), Some("1"));
        for none in [
            &["v=STSv1; id=1", "v=STSv1; id=2"][..],
            &["v=STSv1"],
            &["v=STSv1; id="],
            &["v=STSv1; id=a-b"],
            &["v=STSv12; id=1"],
            &["id=1; v=STSv1"],
            &[],
        ] {
            assert_eq!(policy_id(none.iter().copied()), None, "{none:?}");
        }
        assert_eq!(policy_id([format!("v=STSv1; id={}", "1".repeat(33)).as_str()]), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,200}", record in "\\PC{0,60}") {
            let _ = Policy::parse(&text);
            let _ = policy_id([record.as_str()]);
        }
    }
}
