//! Rust source with its comments and literals blanked out, so that a plain search finds code and nothing else.
//! Not a parser: it knows just enough of the lexical grammar to tell a brace from the picture of one.

/// `source` with every comment, string and character literal replaced by blanks. Lines and columns stay.
#[must_use]
pub fn blank(source: &str) -> String {
    let mut out = Vec::with_capacity(source.len());
    let bytes = source.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = match literal_end(bytes, at) {
            Some(end) => {
                out.extend(bytes[at..end].iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' }));
                end
            }
            None => {
                out.push(bytes[at]);
                at + 1
            }
        };
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `blanked` (an output of [`blank`]) with the bodies of `#[cfg(test)]` modules blanked too.
#[must_use]
pub fn without_tests(blanked: &str) -> String {
    let mut text = blanked.to_owned();
    let mut from = 0;
    while let Some(found) = text[from..].find("#[cfg(test)]") {
        let start = from + found;
        let after = start + "#[cfg(test)]".len();
        let module = text[after..].trim_start().starts_with("mod ");
        let open = text[after..].find(['{', ';']).map(|at| after + at);
        from = after;
        if let Some(open) = open
            && module
            && text.as_bytes()[open] == b'{'
            && let Some(close) = matching_brace(&text, open)
        {
            let hole: String =
                text[open + 1..close].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
            text.replace_range(open + 1..close, &hole);
            from = open + hole.len() + 1;
        }
    }
    text
}

/// The place of the brace that closes the one at `open`.
#[must_use]
pub fn matching_brace(blanked: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, b) in blanked.bytes().enumerate().skip(open) {
        match b {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The line of the byte `at`, counted from 1.
#[must_use]
pub fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1
}

/// Where `word` stands as a word of its own: not as a part of a longer name.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let joined = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let bytes = text.as_bytes();
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        !joined(before) && !joined(bytes.get(at + word.len()))
    })
}

/// If a comment or a literal begins at `at`, where it ends.
fn literal_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let begins_name = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest[0] {
        b'/' if rest.starts_with(b"//") => {
            Some(rest.iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n))
        }
        b'/' if rest.starts_with(b"/*") => Some(at + block_comment(rest)),
        b'"' => Some(at + quoted(rest)),
        b'\'' => character(rest).map(|n| at + n),
        b'r' | b'b' | b'c' if begins_name => prefixed(rest).map(|n| at + n),
        _ => None,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of a `"` literal with escapes.
fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character literal; `None` when the quote begins a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|b| *b == b'\'')?;
        return Some(close + 4);
    }
    let first = std::str::from_utf8(&rest[1..rest.len().min(5)])
        .map_or_else(|e| String::from_utf8_lossy(&rest[1..1 + e.valid_up_to()]).into_owned(), str::to_owned);
    let len = first.chars().next()?.len_utf8();
    (rest.get(1 + len) == Some(&b'\'')).then_some(len + 2)
}

/// The length of a literal with a prefix: `b"`, `b'`, `r"`, `r#"`, `br##"`, `c"`.
fn prefixed(rest: &[u8]) -> Option<usize> {
    let letters = rest.iter().take_while(|b| b"rbc".contains(b)).count();
    if letters > 2 {
        return None;
    }
    let raw = rest[..letters].contains(&b'r');
    let hashes = rest[letters..].iter().take_while(|b| **b == b'#').count();
    let body = letters + hashes;
    match rest.get(body)? {
        b'"' if raw => {
            let mut close = vec![b'"'];
            close.resize(hashes + 1, b'#');
            let end = rest[body + 1..].windows(close.len()).position(|w| w == close);
            Some(end.map_or(rest.len(), |n| body + 1 + n + close.len()))
        }
        b'"' if hashes == 0 => Some(body + quoted(&rest[body..])),
        b'\'' if hashes == 0 && !raw => character(&rest[body..]).map(|n| body + n),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_vanish_and_lines_stay() {
        for (source, expected) in [
            ("a // { \"\nb", "a        \nb"),
            ("a /* { /* } */ \n */ b", "a              \n    b"),
            (r#"x("}\"{") y"#, "x(       ) y"),
            ("r#\"a\"{\"# b", "          b"),
            ("b\"{\" br\"{\" c", "              c"),
            ("'{' '\\'' '\\u{7B}' 'é' x", "                        x"),
        ] {
            let blanked = blank(source);
            assert_eq!(blanked.split_whitespace().collect::<Vec<_>>().join(" "), {
                expected.split_whitespace().collect::<Vec<_>>().join(" ")
            });
            assert_eq!(blanked.lines().count(), source.lines().count(), "{source}");
            assert_eq!(blanked.len(), source.len(), "{source}");
        }
    }

    #[test]
    fn lifetimes_and_names_are_code() {
        for source in ["fn f<'a>(x: &'a str) {}", "let bar = crab; r#type", "'outer: loop {}", "x<'_, u8>"] {
            assert_eq!(blank(source), source);
        }
    }

    #[test]
    fn unfinished_literals_end_with_the_file() {
        for source in ["\"abc", "/* abc", "r#\"abc", "// abc", "'", "b'", "\\"] {
            assert_eq!(blank(source).len(), source.len(), "{source}");
        }
    }

    #[test]
    fn test_modules_can_be_left_out() {
        let code = "fn a() { x }\n#[cfg(test)]\nmod tests {\n fn b() { y }\n}\nfn c() { z }\n";
        let kept = without_tests(code);
        assert!(kept.contains('x') && kept.contains('z') && !kept.contains('y'));
        assert_eq!(kept.len(), code.len());
        assert_eq!(
            without_tests("#[cfg(test)]\nmod tests;\nfn c() { z }"),
            "#[cfg(test)]\nmod tests;\nfn c() { z }"
        );
    }

    #[test]
    fn words_are_whole() {
        let found: Vec<_> = words("api xapi api_x api::y", "api").collect();
        assert_eq!(found, [0, 15]);
        assert_eq!(line_of("a\nb\nc", 4), 3);
        assert_eq!(matching_brace("a { { } } b", 2), Some(8));
        assert_eq!(matching_brace("a { {", 2), None);
    }
}
