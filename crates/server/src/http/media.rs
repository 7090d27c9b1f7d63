//! Whether a body is of a kind the operation reads, judged by the head alone.

use ::http::HeaderMap;
use ::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use wire::ApiError;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Accepts JSON in UTF-8, for a merge patch under its own name too, and no encoding of the content.
///
/// # Errors
/// 415.
pub(crate) fn check(headers: &HeaderMap, merge_patch: bool) -> Result<(), ApiError> {
    let expected = if merge_patch { MERGE_PATCH } else { JSON };
    let refused = || ApiError::unsupported_media_type(expected);
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(refused());
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        // Without a body there is nothing to be of a type; that a body is missing is said by who reads it.
        (None, _) if !announces_body(headers) => Ok(()),
        (Some(one), None) if one.to_str().is_ok_and(|text| is_json(text, merge_patch)) => Ok(()),
        _ => Err(refused()),
    }
}

/// The length the head announces, when it does.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || declared_length(headers).is_some_and(|length| length > 0)
}

fn is_json(text: &str, merge_patch: bool) -> bool {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let known = name.eq_ignore_ascii_case(JSON) || merge_patch && name.eq_ignore_ascii_case(MERGE_PATCH);
    known
        && parts.all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

#[cfg(test)]
mod tests {
    use ::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn accepts(content_type: &str, merge_patch: bool) -> bool {
        check(&headers(&[(CONTENT_TYPE, content_type), (CONTENT_LENGTH, "2")]), merge_patch).is_ok()
    }

    #[test]
    fn json_in_utf_8_is_read() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; odata=verbose",
        ] {
            assert!(accepts(good, false) && accepts(good, true), "{good}");
        }
        assert!(accepts("application/merge-patch+json", true));
        for bad in [
            "",
            "text/plain",
            "application/jsonx",
            "application/json; charset=latin1",
            "application/json, application/json",
        ] {
            assert!(!accepts(bad, false) && !accepts(bad, true), "{bad}");
        }
        assert!(!accepts("application/merge-patch+json", false));
    }

    #[test]
    fn no_body_needs_no_type() {
        assert!(check(&headers(&[]), false).is_ok());
        assert!(check(&headers(&[(CONTENT_LENGTH, "0")]), false).is_ok());
        assert_eq!(check(&headers(&[(CONTENT_LENGTH, "1")]), false).unwrap_err().status(), 415);
        assert_eq!(check(&headers(&[(TRANSFER_ENCODING, "chunked")]), true).unwrap_err().status(), 415);
    }

    #[test]
    fn encoded_or_ambiguous_bodies_are_refused() {
        let json = (CONTENT_TYPE, "application/json");
        assert!(check(&headers(&[json.clone(), (CONTENT_ENCODING, "identity")]), false).is_ok());
        assert!(check(&headers(&[json.clone(), (CONTENT_ENCODING, "gzip")]), false).is_err());
        let mut twice = headers(&[json]);
        twice.append(CONTENT_TYPE, "text/html".parse().unwrap());
        assert!(check(&twice, false).is_err());
    }
}
