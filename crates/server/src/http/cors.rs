//! Pages of other origins (the Fetch standard, section 3.3). No answer depends on a cookie: who may read what is decided by a
//! token that the page itself has to hold.

use ::http::request::Parts;
use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use base::Origins;

use crate::directory::ResourceEntry;

const ANY: HeaderValue = HeaderValue::from_static("*");
/// What pages may read of an answer besides the headers that they always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "MS-CV, Retry-After, WWW-Authenticate, api-supported-versions, x-ms-client-request-id, x-ms-error-code, x-ms-request-id",
);
/// For how many seconds browsers remember what a preflight said; they cut it to what they please.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
/// The longest list of headers that a preflight may ask for, in bytes; past it none is allowed.
const MAX_ASKED: usize = 1024;

fn allowed(origins: &Origins, origin: &HeaderValue) -> Option<HeaderValue> {
    origins.admit(origin.as_bytes()).then(|| if *origins == Origins::Any { ANY } else { origin.clone() })
}

/// What a request says of the page it comes from.
pub(crate) struct Page {
    origin: HeaderValue,
    asked: Option<HeaderValue>,
}

impl Page {
    /// The page behind this request, if there is one.
    pub(crate) fn of(head: &Parts) -> Option<Self> {
        let origin = head.headers.get(header::ORIGIN)?.clone();
        let asked = head.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        let asked = asked.filter(|asked| asked.len() <= MAX_ASKED && is_list(asked)).cloned();
        Some(Self { origin, asked })
    }

    /// Says to the browser what the page may read.
    pub(crate) fn admit(&self, entry: &ResourceEntry, headers: &mut HeaderMap) {
        let Some(allowed) = allowed(entry.origins(), &self.origin) else { return };
        if allowed != ANY {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }

    /// Says to the browser what the page may ask: `methods` as in `Allow`.
    pub(crate) fn preflight(&self, entry: &ResourceEntry, methods: &str, headers: &mut HeaderMap) {
        self.admit(entry, headers);
        if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        let mut put = |name: HeaderName, value| headers.insert(name, value);
        if let Ok(methods) = HeaderValue::from_str(methods) {
            put(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(asked) = self.asked.clone() {
            put(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
        put(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}

/// Whether it is a list of header names and nothing else.
fn is_list(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_, ".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_sent_back() {
        assert!(is_list(&HeaderValue::from_static("authorization,content-type, x-ms-useragent")));
        assert!(!is_list(&HeaderValue::from_static("a;b")));
    }

    #[test]
    fn an_origin_of_a_list_is_named() {
        let only = Origins::Only(vec!["https://a.example".to_owned()]);
        let of = |origins: &Origins, text| allowed(origins, &HeaderValue::from_static(text));
        assert_eq!(of(&only, "https://a.example").unwrap(), "https://a.example");
        assert_eq!(of(&only, "https://b.example"), None);
        assert_eq!(of(&Origins::Any, "https://b.example").unwrap(), "*");
    }
}
