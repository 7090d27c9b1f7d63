//! What a carrier says became of a text: the receipt of SMPP 3.4, appendix B, which stands in the text of a message and
//! which every SMS centre writes a little differently, and the two parameters that say the same without doubt.

/// The longest carrier's id of a message that is taken, in octets (SMPP 3.4, section 4.4.2: 65 with the ending zero).
pub const MAX_MESSAGE_ID: usize = 64;

/// Message states of SMPP 3.4, section 5.2.28.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Still on its way.
    Enroute,
    /// At the handset.
    Delivered,
    /// Its validity ended.
    Expired,
    /// Deleted.
    Deleted,
    /// It cannot be delivered.
    Undeliverable,
    /// Accepted on behalf of the subscriber.
    Accepted,
    /// Unknown.
    Unknown,
    /// Rejected.
    Rejected,
}

impl State {
    /// By the octet of `message_state`. States of SMPP 5.0 are told by their nearest of 3.4: 0 (scheduled) is on its
    /// way, 9 (skipped) was never delivered.
    #[must_use]
    pub const fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            0 | 1 => Self::Enroute,
            2 => Self::Delivered,
            3 => Self::Expired,
            4 => Self::Deleted,
            5 | 9 => Self::Undeliverable,
            6 => Self::Accepted,
            7 => Self::Unknown,
            8 => Self::Rejected,
            _ => return None,
        })
    }

    /// By the word behind `stat:`, in any case; centres write it with seven letters, or more, or fewer.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        const WORDS: [(&str, State); 13] = [
            ("ENROUTE", State::Enroute),
            ("ACKED", State::Enroute),
            ("BUFFRED", State::Enroute),
            ("DELIVRD", State::Delivered),
            ("DELIVERED", State::Delivered),
            ("EXPIRED", State::Expired),
            ("DELETED", State::Deleted),
            ("UNDELIV", State::Undeliverable),
            ("FAILED", State::Undeliverable),
            ("ACCEPTD", State::Accepted),
            ("ACCEPTED", State::Accepted),
            ("UNKNOWN", State::Unknown),
            ("REJECT", State::Rejected),
        ];
        let starts = |name: &str| word.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
        WORDS.into_iter().find(|(name, _)| starts(name)).map(|(_, state)| state)
    }
}

/// A receipt, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The carrier's id of the segment, as it wrote it.
    pub message_id: String,
    /// Where the segment stands.
    pub state: State,
    /// The network's error code; never one of zeros.
    pub error: Option<String>,
}

/// What the parameters of a receipt say, each where it is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'a> {
    /// `receipted_message_id`.
    pub message_id: Option<&'a str>,
    /// `message_state`.
    pub state: Option<u8>,
    /// `network_error_code`: its type, and its number.
    pub error: Option<(u8, u16)>,
}

/// Reads a receipt. A parameter counts for more than the words. `None` when neither names a message and a state.
#[must_use]
pub fn read(text: &str, parameters: Parameters<'_>) -> Option<Receipt> {
    let word = |key| field(text, key).filter(|value| !value.is_empty());
    let message_id = parameters.message_id.filter(|id| !id.is_empty()).or_else(|| word("id:"))?;
    let state = parameters.state.and_then(State::from_octet);
    let state = state.or_else(|| word("stat:").and_then(State::from_word))?;
    let error = match parameters.error {
        Some((_, number)) if number != 0 => Some(number.to_string()),
        _ => word("err:")
            .filter(|code| code.len() <= 16 && code.bytes().any(|byte| byte != b'0'))
            .map(str::to_owned),
    };
    (message_id.len() <= MAX_MESSAGE_ID).then(|| Receipt { message_id: message_id.to_owned(), state, error })
}

/// The word behind `key`, which stands at the beginning or behind a blank. Whatever follows `text:` is the message
/// itself, and never looked at.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let head = find(text, "text:").map_or(text, |at| &text[..at]);
    let value = &head[find(head, key)? + key.len()..];
    value
        .split_ascii_whitespace()
        .next()
        .filter(|_| !value.starts_with(|one: char| one.is_ascii_whitespace()))
}

fn find(text: &str, key: &str) -> Option<usize> {
    let (text, key) = (text.as_bytes(), key.as_bytes());
    let starts = |at: &usize| at.checked_sub(1).is_none_or(|before| text[before].is_ascii_whitespace());
    (0..text.len().checked_sub(key.len())? + 1)
        .filter(starts)
        .find(|&at| text[at..at + key.len()].eq_ignore_ascii_case(key))
}

/// How a carrier writes the same id in its answer and in its receipts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdForm {
    /// Alike.
    #[default]
    Same,
    /// Hexadecimal in the answer, decimal in the receipt.
    HexThenDecimal,
    /// Decimal in the answer, hexadecimal in the receipt.
    DecimalThenHex,
}

impl IdForm {
    /// The one form of an id from an answer.
    #[must_use]
    pub fn of_answer(self, id: &str) -> String {
        match self {
            Self::Same => id.to_owned(),
            Self::HexThenDecimal => number(id, 16),
            Self::DecimalThenHex => number(id, 10),
        }
    }

    /// The one form of an id from a receipt.
    #[must_use]
    pub fn of_receipt(self, id: &str) -> String {
        match self {
            Self::Same => id.to_owned(),
            Self::HexThenDecimal => number(id, 10),
            Self::DecimalThenHex => number(id, 16),
        }
    }
}

/// `id` as a decimal number without leading zeros, or as it is when it is no number.
fn number(id: &str, radix: u32) -> String {
    let digits = id.strip_prefix("0x").filter(|_| radix == 16).unwrap_or(id);
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u128::from_str_radix(digits, radix) {
        Ok(number) if plain => number.to_string(),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOOK: &str = "id:0123456789 sub:001 dlvrd:001 submit date:2601021504 done date:2601021505 stat:DELIVRD err:000 \
                        text:Hello id:9 stat:REJECTD";

    fn words(text: &str) -> Option<(String, State, Option<String>)> {
        read(text, Parameters::default()).map(|one| (one.message_id, one.state, one.error))
    }

    #[test]
    fn the_form_of_appendix_b() {
        assert_eq!(words(BOOK), Some(("0123456789".into(), State::Delivered, None)));
        let failed = BOOK.replace("DELIVRD err:000", "UNDELIV err:0x1F");
        assert_eq!(words(&failed), Some(("0123456789".into(), State::Undeliverable, Some("0x1F".into()))));
    }

    #[test]
    fn forms_of_other_centres() {
        for (text, id, state) in [
            ("stat:EXPIRED id:a-b-c", "a-b-c", State::Expired),
            ("ID:77 STAT:delivrd ERR:0", "77", State::Delivered),
            ("id:5\nsub:001\nstat:REJECTD\nerr:012\nText:", "5", State::Rejected),
            ("id:5 stat:ACCEPTD", "5", State::Accepted),
            ("id:5 stat:FAILED text:", "5", State::Undeliverable),
            ("id:5 stat:ENROUTE", "5", State::Enroute),
        ] {
            assert_eq!(words(text).map(|one| (one.0, one.1)), Some((id.into(), state)), "{text}");
        }
    }

    #[test]
    fn what_is_no_receipt() {
        for text in [
            "",
            "Hello",
            "id: stat:DELIVRD",
            "id:5",
            "stat:DELIVRD",
            "id:5 stat:",
            "id:5 stat:SOMETHING",
            "text:id:5 stat:DELIVRD",
            "void:5 stat:DELIVRD",
        ] {
            assert_eq!(words(text), None, "{text}");
        }
        assert!(words(&format!("id:{} stat:DELIVRD", "9".repeat(64))).is_some());
        assert_eq!(words(&format!("id:{} stat:DELIVRD", "9".repeat(65))), None);
    }

    #[test]
    fn parameters_count_for_more_than_words() {
        let both = Parameters { message_id: Some("ab"), state: Some(5), error: Some((3, 27)) };
        let read = read(BOOK, both).unwrap();
        assert_eq!(
            read,
            Receipt { message_id: "ab".into(), state: State::Undeliverable, error: Some("27".into()) }
        );
        let only = Parameters { message_id: Some("ab"), state: Some(2), error: None };
        assert!(super::read("", only).is_some());
        let odd = Parameters { message_id: Some(""), state: Some(77), error: Some((3, 0)) };
        let odd = super::read(BOOK, odd).unwrap();
        assert_eq!((odd.message_id.as_str(), odd.state, odd.error), ("0123456789", State::Delivered, None));
    }

    #[test]
    fn every_state_has_its_octet() {
        let states = (0..=10).map(State::from_octet).collect::<Vec<_>>();
        assert_eq!(states.iter().flatten().count(), 10);
        assert_eq!(states[2], Some(State::Delivered));
        assert_eq!(states[9], Some(State::Undeliverable));
    }

    #[test]
    fn ids_in_two_forms_meet() {
        let form = IdForm::HexThenDecimal;
        assert_eq!(form.of_answer("1F"), form.of_receipt("0000000031"));
        assert_eq!(form.of_answer("0x1f"), "31");
        let form = IdForm::DecimalThenHex;
        assert_eq!(form.of_answer("31"), form.of_receipt("1f"));
        assert_eq!(form.of_answer("a-b"), "a-b", "no number: as it is");
        assert_eq!(form.of_answer("+31"), "+31");
        assert_eq!(IdForm::Same.of_answer("007"), "007");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,200}", id in proptest::option::of(".{0,70}"), state: Option<u8>) {
            let parameters = Parameters { message_id: id.as_deref(), state, error: None };
            if let Some(receipt) = read(&text, parameters) {
                prop_assert!(!receipt.message_id.is_empty() && receipt.message_id.len() <= MAX_MESSAGE_ID);
            }
        }

        #[test]
        fn what_is_written_is_read(id in "[0-9A-Za-z-]{1,64}", err in 1..999_u16, said in ".{0,20}") {
            let text = format!("id:{id} sub:001 dlvrd:000 submit date:2601021504 done date:2601021505 stat:UNDELIV err:{err:03} text:{said}");
            let receipt = read(&text, Parameters::default()).unwrap();
            prop_assert_eq!((receipt.message_id, receipt.state), (id, State::Undeliverable));
            prop_assert_eq!(receipt.error.unwrap(), format!("{err:03}"));
        }
    }
}
