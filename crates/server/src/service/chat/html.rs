//! Cleaning of `html` messages: what a chat shows stays, whatever runs, loads or submits goes.

use std::collections::{HashMap, HashSet};

use ammonia::{Builder, UrlRelative};

/// The most elements that reading one message may make: 15 MB, a few hundredths of a second.
const MAX_ELEMENTS: usize = 50_000;
/// A start tag longer than this is not compared with others.
const COMPARED: usize = 512;
/// Elements that HTML opens again in every paragraph for as long as nobody closes them.
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];

/// Removes scripts, styles, forms, frames, event handlers, remote style sheets, and links of other schemes than
/// `http`, `https`, `mailto`, `tel`. Text is kept. Idempotent: what is clean stays as it is. `None` when it is built so
/// that reading it could take more than a server can give to one message.
#[must_use]
pub(crate) fn sanitise(html: &str) -> Option<String> {
    if most_elements(html) > MAX_ELEMENTS {
        return None;
    }
    let clean = Builder::default()
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .clean(html)
        .to_string();
    Some(clean)
}

/// No fewer elements than a parser makes of `html`.
///
/// A parser opens every unclosed formatting element again after each tag that closed it (HTML standard, 13.2.4.3), so
/// their number multiplies: 28 KB of `<b a=1><b a=2>...` before `<p>x<p>x...` would be millions of elements. What it
/// holds open is at most three of each kind with the same attributes, and one `a`. Each `<` is looked at by itself, as
/// if a tag began there, so that nothing can be hidden in a comment or a value: too much is counted, never too little.
fn most_elements(html: &str) -> usize {
    let mut tags = 0_usize;
    let mut kinds: HashMap<&str, usize> = HashMap::new();
    let mut open = 0_usize;
    for (at, _) in html.match_indices('<') {
        tags += 1;
        let rest = &html[at + 1..];
        let name = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())];
        let Some(known) = FORMATTING.iter().find(|known| known.eq_ignore_ascii_case(name)) else { continue };
        match (*known, tag(rest)) {
            ("a", _) => open = open.saturating_add(usize::from(kinds.insert("a", 1).is_none())),
            (_, None) => open += 1,
            (_, Some(whole)) => {
                let seen = kinds.entry(whole).or_default();
                *seen += 1;
                open += usize::from(*seen <= 3);
            }
        }
    }
    tags.saturating_mul(open + 1)
}

/// The text of the start tag that `text` begins with, as far as its end; `None` when it is too long to be compared.
fn tag(text: &str) -> Option<&str> {
    let mut quote = None;
    let mut is_value = false;
    for (at, byte) in text.bytes().enumerate().take(COMPARED) {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return Some(&text[..at]),
            (None, b'"' | b'\'') if is_value => (quote, is_value) = (Some(byte), false),
            (None, b'=') => is_value = true,
            (None, _) => is_value &= byte.is_ascii_whitespace(),
        }
    }
    None
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
            assert_eq!(sanitise(dirty).unwrap(), clean, "{dirty}");
        }
    }

    #[test]
    fn cleaning_twice_changes_nothing() {
        for html in ["<p>a<b>c", "<<b>>", "<svg><script>x</script></svg>", "a & b < c", "<table><tr><td>x"] {
            let once = sanitise(html).unwrap();
            assert_eq!(sanitise(&once).unwrap(), once, "{html}");
        }
    }

    #[test]
    fn links_keep_their_address() {
        let clean = sanitise("<a href=\"https://example.org/x?y=1\">x</a>").unwrap();
        assert!(
            clean.contains("href=\"https://example.org/x?y=1\"") && clean.contains("noopener"),
            "{clean}"
        );
    }

    /// `begin`, then `again` up to the length of the longest message.
    fn filled(begin: &str, again: &str) -> String {
        let most = base::Limits::default().message_bytes;
        format!("{begin}{}", again.repeat((most - begin.len()) / again.len()))
    }

    #[test]
    fn what_multiplies_is_refused_before_it_is_read() {
        let distinct = |form: fn(usize) -> String| (0..400).map(form).collect::<String>();
        for unclosed in [
            distinct(|n| format!("<b a={n}>")),
            distinct(|n| format!("<FONT\nx='>{n}'>")),
            distinct(|n| format!("<i x=\"<{n}\">")),
            distinct(|n| format!("<b a={n}><!--</b>-->")),
            distinct(|n| format!("<u/x = \">{n}\">")),
            distinct(|n| format!("<!-- <p x=\"--><b a={n}>")),
            FORMATTING.iter().map(|name| format!("<{name}>").repeat(3)).collect(),
        ] {
            let html = filled(&format!("<p>{unclosed}"), "<p>x");
            assert!(most_elements(&html) > MAX_ELEMENTS && sanitise(&html).is_none(), "{unclosed}");
        }
    }

    #[test]
    fn long_messages_of_the_usual_kind_are_read() {
        for again in [
            "<p>A <b>bold</b> and an <i>italic</i> word</p>",
            "<p style=\"x\"><font color=\"red\">red</font><br></p>",
            "<li><a href=\"https://example.org/1\">one</a></li>",
            "<table><tr><td><strong>x</strong></td></tr></table>",
            "<div>",
            "<b>",
            "a < b ",
        ] {
            assert!(sanitise(&filled("", again)).is_some(), "{again}");
        }
    }

    #[test]
    fn a_tag_ends_where_a_parser_ends_it() {
        assert_eq!(tag("b>x"), Some("b"));
        assert_eq!(tag("b a=\">\" c='<'>x"), Some("b a=\">\" c='<'"));
        assert_eq!(tag("b a\"> c"), Some("b a\""), "a quote that begins no value");
        assert_eq!(tag("b a=x\">"), Some("b a=x\""));
        assert_eq!((tag("b"), tag("b a=\">")), (None, None));
    }
}
