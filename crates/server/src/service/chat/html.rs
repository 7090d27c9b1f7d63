//! Cleaning of `html` messages: what a chat shows stays, whatever runs, loads or submits goes.

use std::collections::HashSet;

use ammonia::{Builder, UrlRelative};

/// Removes scripts, styles, forms, frames, event handlers, remote style sheets, and links of other schemes than
/// `http`, `https`, `mailto`, `tel`. Text is kept. Idempotent: what is clean stays as it is.
#[must_use]
pub(crate) fn sanitise(html: &str) -> String {
    Builder::default()
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .clean(html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_goes_and_text_stays() {
        for (dirty, clean) in [
            ("<p>Hello <b>you</b></p>", "<p>Hello <b>you</b></p>"),
            ("<script>alert(1)</script>kept", "kept"),
            ("<p onclick=\"x()\">a</p>", "<p>a</p>"),
            ("<a href=\"javascript:x()\">a</a>", "<a rel=\"noopener noreferrer\">a</a>"),
            ("<iframe src=\"https://example.org\"></iframe>b", "b"),
            ("<style>p{}</style>c", "c"),
            ("<form action=\"https://example.org\"><input name=\"x\"></form>d", "d"),
            ("1 &lt; 2", "1 &lt; 2"),
            ("<img src=\"x\" onerror=\"y()\">", "<img>"),
        ] {
            assert_eq!(sanitise(dirty), clean, "{dirty}");
        }
    }

    #[test]
    fn cleaning_twice_changes_nothing() {
        for html in ["<p>a<b>c", "<<b>>", "<svg><script>x</script></svg>", "a & b < c", "<table><tr><td>x"] {
            let once = sanitise(html);
            assert_eq!(sanitise(&once), once, "{html}");
        }
    }

    #[test]
    fn links_keep_their_address() {
        let clean = sanitise("<a href=\"https://example.org/x?y=1\">x</a>");
        assert!(
            clean.contains("href=\"https://example.org/x?y=1\"") && clean.contains("noopener"),
            "{clean}"
        );
    }
}
