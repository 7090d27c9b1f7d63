//! The development outbox on the wire: what was captured instead of sent, the rules that make an address fail, and texts
//! that are made to come in. It is the operator's own; ACS has nothing like it.

pub mod rule;
pub mod view;

use base::Personal;
use base::limits::MAX_OUTBOX_RULES;
use serde::Deserialize;

pub use rule::{Action, Pattern, Rule};

use crate::{ApiError, json};

/// The longest text that can be made to come in, in characters: ten segments, as much as one SMS may have.
pub const MAX_RECEIVED: usize = 1_530;
/// The longest number or sender name, in characters.
pub const MAX_SENDER: usize = 32;

#[derive(Deserialize)]
struct RawRules {
    rules: Vec<json::Object<rule::RawRule>>,
}

/// Reads `PUT .../outbox/rules`: all rules of the resource, the first that fits an address holding.
///
/// # Errors
/// 400 when it is not JSON of the right shape, there are too many rules, or one of them says nothing that can be done.
pub fn parse_rules(body: &[u8]) -> Result<Vec<Rule>, ApiError> {
    let raw: RawRules = json::parse(body)?;
    if raw.rules.len() > MAX_OUTBOX_RULES {
        return Err(ApiError::validation("rules", format!("There may be at most {MAX_OUTBOX_RULES} rules.")));
    }
    raw.rules.into_iter().enumerate().map(|(at, raw)| raw.0.check(at)).collect()
}

/// `POST .../outbox/receive`: a text that shall come in as from a handset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// Who sends it.
    pub from: Personal<String>,
    /// The number it comes to.
    pub to: Personal<String>,
    /// What it says.
    pub text: Personal<String>,
}

#[derive(Deserialize)]
struct RawReceive {
    from: String,
    to: String,
    text: String,
}

impl Receive {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape, or a value is empty or too long.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let raw: RawReceive = json::parse(body)?;
        for (name, value) in [("from", &raw.from), ("to", &raw.to)] {
            if value.is_empty() || value.len() > MAX_SENDER || !value.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(ApiError::validation(
                    name,
                    format!("{name} must be a number such as +15555550100, or a sender name."),
                ));
            }
        }
        let chars = raw.text.chars().count();
        if chars == 0 || chars > MAX_RECEIVED {
            return Err(ApiError::validation(
                "text",
                format!("text must have 1 to {MAX_RECEIVED} characters."),
            ));
        }
        Ok(Self { from: raw.from.into(), to: raw.to.into(), text: raw.text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> String {
        format!(r#"{{"rules":[{text}]}}"#)
    }

    #[test]
    fn rules_are_read_in_order() {
        let body = r#"{"rules":[{"match":"*@slow.example","action":"slow","seconds":3},{"match":"+1555*","action":"throttle","times":2}]}"#;
        let rules = parse_rules(body.as_bytes()).unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!((rules[0].action, rules[0].seconds), (Action::Slow, 3));
        assert_eq!((rules[1].action, rules[1].times), (Action::Throttle, 2));
        assert_eq!(parse_rules(br#"{"rules":[]}"#).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_place() {
        for (text, target) in [
            (r#"{"match":"a@b","action":"explode"}"#, "rules[0].action"),
            (r#"{"match":"","action":"slow"}"#, "rules[0].match"),
            (r#"{"match":"a b","action":"slow"}"#, "rules[0].match"),
            (r#"{"match":"a@b","action":"slow","seconds":61}"#, "rules[0].seconds"),
            (r#"{"match":"a@b","action":"throttle","times":0}"#, "rules[0].times"),
            (r#"{"match":"a@b","action":"throttle","times":101}"#, "rules[0].times"),
            (r#"{"match":"a@b","action":"refuse","code":250}"#, "rules[0].code"),
            (r#"{"match":"a@b","action":"slow","code":550}"#, "rules[0].code"),
        ] {
            let error = parse_rules(rule(text).as_bytes()).unwrap_err();
            assert_eq!((error.status(), error.target()), (400, Some(target)), "{text}");
        }
        for bad in [r#"{"match":"a"}"#, r#"["a","slow"]"#, r#"{"match":"a","action":"slow","sedonds":1}"#] {
            assert_eq!(parse_rules(rule(bad).as_bytes()).unwrap_err().status(), 400, "{bad}");
        }
    }

    #[test]
    fn as_many_rules_as_allowed_and_no_more() {
        let of = |count: usize| rule(&vec![r#"{"match":"a@b","action":"slow"}"#; count].join(","));
        assert_eq!(parse_rules(of(MAX_OUTBOX_RULES).as_bytes()).unwrap().len(), MAX_OUTBOX_RULES);
        assert_eq!(parse_rules(of(MAX_OUTBOX_RULES + 1).as_bytes()).unwrap_err().target(), Some("rules"));
    }

    #[test]
    fn texts_that_come_in_name_both_ends() {
        let of = |from: &str, to: &str, text: &str| {
            Receive::parse(serde_json::json!({"from": from, "to": to, "text": text}).to_string().as_bytes())
        };
        let read = of("+15555550100", "12345", "STOP").unwrap();
        assert_eq!((read.from.expose().as_str(), read.text.expose().as_str()), ("+15555550100", "STOP"));
        assert!(of("+15555550100", "12345", &"é".repeat(MAX_RECEIVED)).is_ok());
        for (from, to, text, target) in [
            ("", "1", "x", "from"),
            ("1", "a b", "x", "to"),
            ("1", &"2".repeat(MAX_SENDER + 1), "x", "to"),
            ("1", "2", "", "text"),
            ("1", "2", &"é".repeat(MAX_RECEIVED + 1), "text"),
        ] {
            assert_eq!(of(from, to, text).unwrap_err().target(), Some(target));
        }
    }
}
