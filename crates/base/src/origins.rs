//! Origins of web pages (RFC 6454), as operators write them.

/// How many origins one list may have.
pub const MAX_ORIGINS: usize = 100;
/// The longest origin, in bytes.
const MAX_ORIGIN: usize = 300;

/// Whose pages may speak to a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's: what a page can do depends on the token it was given, as it does with ACS.
    #[default]
    Any,
    /// Those of these origins, written as browsers write them: `https://host` or `https://host:port`.
    Only(Vec<String>),
}

impl Origins {
    /// Reads a list of origins. `*` alone is everybody's, an empty list nobody's.
    ///
    /// # Errors
    /// The one that is no origin as a browser writes it, or `*` beside others, or the first of too many.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        if let [any] = texts
            && any == "*"
        {
            return Ok(Self::Any);
        }
        if let Some(surplus) = texts.get(MAX_ORIGINS) {
            return Err(surplus.clone());
        }
        match texts.iter().find(|text| !is_origin(text)) {
            Some(wrong) => Err(wrong.clone()),
            None => Ok(Self::Only(texts.to_vec())),
        }
    }

    /// Whether pages of `origin` may.
    #[must_use]
    pub fn admit(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Only(known) => known.iter().any(|known| known.as_bytes() == origin),
        }
    }
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    text.len() <= MAX_ORIGIN && host.is_some_and(|host| !host.is_empty() && host.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Origins, String> {
        Origins::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn lists_are_read_as_written() {
        assert_eq!(parse(&["*"]), Ok(Origins::Any));
        let only = parse(&["https://a.example", "http://localhost:5173"]).unwrap();
        assert!(only.admit(b"https://a.example") && only.admit(b"http://localhost:5173"));
        for other in ["https://a.example.org", "http://a.example", "https://a.example:8443", "null", ""] {
            assert!(!only.admit(other.as_bytes()), "{other}");
        }
        assert!(!parse(&[]).unwrap().admit(b"https://a.example"), "an empty list is nobody's");
    }

    #[test]
    fn what_no_browser_writes_is_refused() {
        for wrong in ["a.example", "https://", "https://a.example/", "https://A.example", "ftp://a", "*"] {
            assert_eq!(parse(&[wrong, "https://b.example"]), Err(wrong.to_owned()));
        }
        let many = |count: usize| Origins::parse(&vec!["https://a.example".to_owned(); count]);
        assert!(many(MAX_ORIGINS).is_ok() && many(MAX_ORIGINS + 1).is_err());
    }
}
