//! Rules of the development outbox: which addresses and numbers fail, and how. The first that fits holds; behind those of
//! a resource stand the built-in ones, so that a failure can be tested by writing to `bounce@` anywhere.

use serde::{Deserialize, Serialize};

use crate::ApiError;

/// The longest pattern, in bytes.
pub const MAX_PATTERN: usize = 320;
/// The longest wait that a rule may ask for, in seconds: well within one attempt.
pub const MAX_SECONDS: u16 = 60;
/// How often something may be put off.
pub const MAX_TIMES: u16 = 100;
const DEFAULT_SECONDS: u16 = 5;
const DEFAULT_TIMES: u16 = 1;

/// What becomes of a mail or text that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// There is no such mailbox or handset: mail is refused for good with 550 5.1.1; a text is taken, and its receipt says
    /// undeliverable.
    Bounce,
    /// Refused for good on other grounds: mail with 550 5.7.1, a text by the carrier itself.
    Refuse,
    /// Taken only after some seconds; the receipt of a text comes as much later.
    Slow,
    /// Put off some times, then taken.
    Throttle,
    /// Taken, and never heard of again.
    LoseReceipt,
    /// Taken; then word comes that it failed: a bounce for a mail, the receipt `REJECTD` for a text.
    FailReceipt,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Bounce, Self::Refuse, Self::Slow, Self::Throttle, Self::LoseReceipt, Self::FailReceipt];

    /// As it is written on the wire, and before the `@` of the built-in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Refuse => "refuse",
            Self::Slow => "slow",
            Self::Throttle => "throttle",
            Self::LoseReceipt => "lose-receipt",
            Self::FailReceipt => "fail-receipt",
        }
    }

    /// The action called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The last digits of the built-in numbers, all among those that are nobody's (555-0100 to 555-0199 in North America).
    #[must_use]
    pub const fn digits(self) -> &'static str {
        match self {
            Self::Bounce => "5550191",
            Self::Refuse => "5550192",
            Self::Slow => "5550193",
            Self::Throttle => "5550194",
            Self::LoseReceipt => "5550195",
            Self::FailReceipt => "5550196",
        }
    }
}

/// Addresses or numbers: text in which `*` stands for anything, also for nothing. Case does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern; `None` when it is empty, too long, or holds blanks or control characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let sane = !text.is_empty()
            && text.len() <= MAX_PATTERN
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        sane.then(|| Self(text.to_lowercase()))
    }

    /// As it was written, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for `address`.
    #[must_use]
    pub fn fits(&self, address: &str) -> bool {
        let address = address.to_lowercase();
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = address.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            // The earliest place leaves the most for what follows.
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// For whom.
    #[serde(rename = "match")]
    pub pattern: Pattern,
    /// What happens.
    pub action: Action,
    /// How long it takes, for those that take long.
    pub seconds: u16,
    /// How often it is put off, for those that are.
    pub times: u16,
    /// The reply code or command status instead of the action's own; zero for that.
    pub code: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    #[serde(rename = "match")]
    pattern: String,
    action: String,
    seconds: Option<u32>,
    times: Option<u32>,
    code: Option<u32>,
}

impl RawRule {
    pub(super) fn check(self, at: usize) -> Result<Rule, ApiError> {
        let wrong = |name: &str, what: String| Err(ApiError::validation(format!("rules[{at}].{name}"), what));
        let Some(pattern) = Pattern::parse(&self.pattern) else {
            return wrong(
                "match",
                format!("match must be 1 to {MAX_PATTERN} bytes without blanks; * stands for anything."),
            );
        };
        let Some(action) = Action::named(&self.action) else {
            let names: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
            return wrong("action", format!("action must be one of {}.", names.join(", ")));
        };
        let seconds = within(self.seconds, DEFAULT_SECONDS, MAX_SECONDS);
        let Some(seconds) = seconds else {
            return wrong("seconds", format!("seconds must be 1 to {MAX_SECONDS}."));
        };
        let Some(times) = within(self.times, DEFAULT_TIMES, MAX_TIMES) else {
            return wrong("times", format!("times must be 1 to {MAX_TIMES}."));
        };
        let code = self.code.unwrap_or_default();
        let refuses = matches!(action, Action::Bounce | Action::Refuse);
        if self.code.is_some() && !(refuses && (is_refusal(code) || !self.pattern.contains('@'))) {
            return wrong("code", "code must be an SMTP reply code from 500 to 599, or for a number an SMPP command status, of a rule that bounces or refuses.".to_owned());
        }
        Ok(Rule { pattern, action, seconds, times, code })
    }
}

const fn is_refusal(code: u32) -> bool {
    code >= 500 && code <= 599
}

fn within(asked: Option<u32>, default: u16, most: u16) -> Option<u16> {
    let asked = asked.map_or(Ok(default), u16::try_from).ok()?;
    (1..=most).contains(&asked).then_some(asked)
}

impl Rule {
    /// A rule with the waits and codes of its action.
    #[must_use]
    pub const fn plain(pattern: Pattern, action: Action) -> Self {
        Self { pattern, action, seconds: DEFAULT_SECONDS, times: DEFAULT_TIMES, code: 0 }
    }

    /// The rules that hold where no other does: `bounce@anything`, `bounce+anything@anything`, and numbers that end with
    /// the action's digits.
    #[must_use]
    pub fn built_in() -> Vec<Self> {
        let of = |action: Action| {
            let (name, digits) = (action.name(), action.digits());
            [format!("{name}@*"), format!("{name}+*@*"), format!("+*{digits}")]
                .map(|text| Self::plain(Pattern(text), action))
        };
        Action::ALL.into_iter().flat_map(of).collect()
    }

    /// The first of `rules` that is for `address`.
    #[must_use]
    pub fn find<'r>(rules: impl IntoIterator<Item = &'r Self>, address: &str) -> Option<&'r Self> {
        rules.into_iter().find(|rule| rule.pattern.fits(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, address: &str) -> bool {
        Pattern::parse(pattern).unwrap().fits(address)
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, address) in [
            ("*", ""),
            ("*", "ada@example.org"),
            ("ADA@example.org", "ada@EXAMPLE.org"),
            ("*@example.org", "ada@example.org"),
            ("a*@*.org", "ada@example.org"),
            ("*a*a*", "ada@b"),
            ("+1555*", "+15555550100"),
            ("a*a", "aa"),
        ] {
            assert!(fits(pattern, address), "{pattern} {address}");
        }
        for (pattern, address) in [
            ("ada@example.org", "ada@example.org.evil"),
            ("*@example.org", "ada@example.org.evil"),
            ("ada@*", "xada@example.org"),
            ("a*a", "a"),
            ("*aa*aa", "aaa"),
            ("ada", "adaada"),
        ] {
            assert!(!fits(pattern, address), "{pattern} {address}");
        }
    }

    #[test]
    fn patterns_have_a_length() {
        assert!(Pattern::parse(&"x".repeat(MAX_PATTERN)).is_some());
        assert!(Pattern::parse(&"x".repeat(MAX_PATTERN + 1)).is_none());
        assert!(Pattern::parse("a\u{a0}b").is_none() && Pattern::parse("a\nb").is_none());
    }

    #[test]
    fn plain_addresses_and_numbers_fail_without_any_rule() {
        let rules = Rule::built_in();
        let action = |address: &str| Rule::find(&rules, address).map(|rule| rule.action);
        for known in Action::ALL {
            assert_eq!(action(&format!("{}@example.org", known.name())), Some(known));
            assert_eq!(action(&format!("{}+Order-7@example.org", known.name())), Some(known));
            assert_eq!(action(&format!("+1425{}", known.digits())), Some(known));
            assert_eq!(Action::named(known.name()), Some(known));
        }
        for other in
            ["ada@example.org", "bounces@example.org", "x.bounce@example.org", "+14255550190", "bounce"]
        {
            assert_eq!(action(other), None, "{other}");
        }
    }

    #[test]
    fn the_first_rule_holds() {
        let plain = |text: &str, action| Rule::plain(Pattern::parse(text).unwrap(), action);
        let own = [plain("bounce@quiet.example", Action::LoseReceipt), plain("*", Action::Slow)];
        let built_in = Rule::built_in();
        let find = |address: &str| Rule::find(own.iter().chain(&built_in), address).unwrap().action;
        assert_eq!(find("bounce@quiet.example"), Action::LoseReceipt);
        assert_eq!(find("bounce@other.example"), Action::Slow);
    }
}
