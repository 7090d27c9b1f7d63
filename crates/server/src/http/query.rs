//! The query part of a request target, decoded once.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Query parameters in the order they came. Names are compared without regard to case, as ACS does; of a repeated name
/// the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the text after `?`: pairs split at `&`, `+` and `%20` both a space. Bytes that are no UTF-8 become U+FFFD:
    /// no parameter of ours holds that, so they match nothing.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The value of `name`, empty where it was given without one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All pairs in the order they came.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(text: &str) -> String {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_both_ways_of_writing_a_space() {
        let query = Query::parse(Some("a=1+2&b=1%202&c=%2B&maxPageSize=3"));
        assert_eq!(query.get("a"), Some("1 2"));
        assert_eq!(query.get("b"), Some("1 2"));
        assert_eq!(query.get("c"), Some("+"));
        assert_eq!(query.get("maxpagesize"), Some("3"), "names have no case");
        assert_eq!(query.get("d"), None);
    }

    #[test]
    fn odd_forms_are_harmless() {
        assert_eq!(Query::parse(None), Query::default());
        let query = Query::parse(Some("&&x&y=&=z&x=2&bad=%ff%zz"));
        assert_eq!(query.get("x"), Some(""), "the first of a repeated name");
        assert_eq!(query.get("y"), Some(""));
        assert_eq!(query.get("bad"), Some("\u{fffd}%zz"));
        assert_eq!(query.pairs().count(), 5);
    }
}
