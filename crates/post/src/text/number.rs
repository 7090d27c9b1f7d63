//! What a text may come from and go to: numbers in the form of ITU-T E.164, short codes, and names (3GPP TS 23.040,
//! section 9.1.2.5: alphanumeric addresses).

/// The most digits of an international number (ITU-T E.164, section 6.1).
pub const MAX_DIGITS: usize = 15;
/// The fewest digits that are taken for an international number: the shortest in use are those of small islands, a
/// country code of three digits and four of the subscriber.
pub const MIN_DIGITS: usize = 7;
/// The most characters of an alphanumeric sender (TS 23.040: ten octets of packed septets).
pub const MAX_NAME: usize = 11;

/// Whether `text` is an international number as ACS writes it: `+`, then 7 to 15 digits, the first not zero, nothing
/// else.
#[must_use]
pub fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// Who a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender<'a> {
    /// An international number; the digits without `+`.
    Number(&'a str),
    /// A short code of 3 to 8 digits (ACS sells those of 5 and 6).
    ShortCode(&'a str),
    /// A name of 1 to 11 characters with at least one letter.
    Name(&'a str),
}

impl<'a> Sender<'a> {
    /// Reads a sender. Names may hold letters and digits of ASCII, space, and the `+ - _ &` that ACS once allowed.
    /// `None` when it is none of the three.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if is_e164(text) {
            return text.get(1..).map(Sender::Number);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return (3..=8).contains(&text.len()).then_some(Sender::ShortCode(text));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" +-_&".contains(&byte);
        let named = (1..=MAX_NAME).contains(&text.len())
            && text.bytes().all(allowed)
            && text.bytes().any(|byte| byte.is_ascii_alphabetic())
            && text.trim() == text;
        named.then_some(Sender::Name(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_plus_and_seven_to_fifteen_digits() {
        for good in ["+14255550123", "+4366012345678", "+2904567", "+123456789012345"] {
            assert!(is_e164(good), "{good}");
        }
        for bad in [
            "",
            "+",
            "14255550123",
            "+290456",
            "+1234567890123456",
            "+04255550123",
            "+1425555012a",
            "+1 425 555 0123",
            "++14255550123",
            "+1425\u{661}550123",
        ] {
            assert!(!is_e164(bad), "{bad}");
        }
    }

    #[test]
    fn senders_are_told_apart() {
        assert_eq!(Sender::parse("+14255550123"), Some(Sender::Number("14255550123")));
        assert_eq!(Sender::parse("12345"), Some(Sender::ShortCode("12345")));
        assert_eq!(Sender::parse("CONTOSO 1"), Some(Sender::Name("CONTOSO 1")));
        assert_eq!(Sender::parse("ABCDEFGHIJK"), Some(Sender::Name("ABCDEFGHIJK")));
        for bad in ["", "12", "123456789", "ABCDEFGHIJKL", "Çontoso", " a", "a ", "+1", "a\nb", "--"] {
            assert_eq!(Sender::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_input_breaks_it(text in ".*") {
            let sender = Sender::parse(&text);
            prop_assert_eq!(matches!(sender, Some(Sender::Number(_))), is_e164(&text));
        }
    }
}
