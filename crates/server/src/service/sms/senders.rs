//! What a resource may send from besides its numbers: names and short codes, as its configuration says.

use post::text::keyword::Kind;
use post::text::number::Sender;

/// The short code of every resource of `chancery dev`.
pub const DEVELOPMENT_CODE: &str = "55555";

/// What a resource may send from besides its numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    names: Names,
    /// Country (ISO 3166-1, two letters) and code.
    short_codes: Vec<(String, String)>,
}

/// Which names a resource may send from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Names {
    /// None but these.
    Only(Vec<String>),
    /// Any well-formed one, as with the dynamic sender ids of ACS.
    Any,
    /// None.
    #[default]
    None,
}

impl Senders {
    /// Any name, and one short code: for development, where nothing reaches a telephone.
    #[must_use]
    pub fn for_development() -> Self {
        Self { names: Names::Any, short_codes: vec![("US".to_owned(), DEVELOPMENT_CODE.to_owned())] }
    }

    /// Reads what the configuration lists: `*` for any name, a name, or a short code as `US:12345`. `None` when one is
    /// none of these.
    #[must_use]
    pub fn parse<'a>(listed: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut senders = Self::default();
        for one in listed {
            if one == "*" {
                senders.names = Names::Any;
            } else if let Some((country, code)) = one.split_once(':') {
                let known = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic());
                let Some(Sender::ShortCode(code)) = Sender::parse(code).filter(|_| known) else {
                    return None;
                };
                senders.short_codes.push((country.to_ascii_uppercase(), code.to_owned()));
            } else {
                let Some(Sender::Name(name)) = Sender::parse(one) else { return None };
                match &mut senders.names {
                    Names::Only(names) => names.push(name.to_owned()),
                    Names::None => senders.names = Names::Only(vec![name.to_owned()]),
                    Names::Any => {}
                }
            }
        }
        Some(senders)
    }

    /// The kind of `from`, a name or a short code, when the resource may send from it.
    #[must_use]
    pub fn kind(&self, from: Sender<'_>) -> Option<Kind> {
        match from {
            Sender::Number(_) => None,
            Sender::Name(name) => {
                let allowed = match &self.names {
                    Names::Any => true,
                    Names::Only(names) => names.iter().any(|one| one == name),
                    Names::None => false,
                };
                allowed.then_some(Kind::Name)
            }
            Sender::ShortCode(code) => {
                let mine = self.short_codes.iter().find(|(_, one)| one == code);
                mine.map(|(country, _)| Kind::of_short_code(country))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_may_send() {
        let senders = Senders::parse(["CONTOSO", "Contoso 2", "us:12345", "CA:54321"]).unwrap();
        assert_eq!(senders.kind(Sender::Name("CONTOSO")), Some(Kind::Name));
        assert_eq!(senders.kind(Sender::Name("contoso")), None);
        assert_eq!(senders.kind(Sender::ShortCode("12345")), Some(Kind::UsShortCode));
        assert_eq!(senders.kind(Sender::ShortCode("54321")), Some(Kind::OtherShortCode));
        assert_eq!(senders.kind(Sender::ShortCode("11111")), None);
        assert_eq!(senders.kind(Sender::Number("14255550100")), None);
        assert_eq!(Senders::default().kind(Sender::Name("CONTOSO")), None);
    }

    #[test]
    fn a_star_is_any_name_and_no_short_code() {
        for senders in [Senders::for_development(), Senders::parse(["A", "*", "B"]).unwrap()] {
            assert_eq!(senders.kind(Sender::Name("Fabrikam")), Some(Kind::Name));
            assert_eq!(senders.kind(Sender::ShortCode("12345")), None);
        }
    }

    #[test]
    fn what_is_no_sender_is_refused() {
        for bad in ["", "US:", "USA:12345", "U1:12345", "US:ABC", "+14255550100", "ABCDEFGHIJKL", "12345"] {
            assert_eq!(Senders::parse([bad]), None, "{bad}");
        }
    }
}
