//! Turns what the TOML reader says into what an operator can act on, without the value it may quote.

/// A fault in an operator's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explained {
    /// What is wrong.
    pub(super) what: String,
    /// What to write instead.
    pub(super) fix: String,
    /// The key that was probably meant.
    pub(super) meant: Option<String>,
}

/// Explains a message of the reader.
pub(super) fn explain(message: &str) -> Explained {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (name, expected) = rest.split_once('`').unwrap_or((rest, ""));
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let meant = nearest(name, &known).map(ToOwned::to_owned);
        let fix = meant.as_ref().map_or_else(
            || format!("keys here: {}", known.join(", ")),
            |meant| format!("did you mean `{meant}`?"),
        );
        return Explained { what: "there is no such key here".to_owned(), fix, meant };
    }
    let plain = |what: String, fix: String| Explained { what, fix, meant: None };
    for begin in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = message.strip_prefix(begin) {
            let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, "something else"));
            return plain(
                format!("{} is no value for this key", kind(found)),
                format!("write {}", meaning(expected)),
            );
        }
    }
    plain("this cannot be read".to_owned(), String::new())
}

/// The kind of a value that a message names as `kind "value"`.
fn kind(found: &str) -> String {
    let words: Vec<&str> = found.split(['`', '"']).next().unwrap_or("").split_whitespace().collect();
    match words.as_slice() {
        ["sequence"] => "a list".to_owned(),
        ["map"] => "a table".to_owned(),
        ["boolean"] => "true or false".to_owned(),
        ["integer"] => "this number".to_owned(),
        ["string"] => "a text".to_owned(),
        ["floating", "point"] => "a fraction".to_owned(),
        _ => "this".to_owned(),
    }
}

fn meaning(expected: &str) -> String {
    match expected {
        "u16" | "u32" | "u64" | "usize" => "a whole number, not below zero".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list: [..]".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (far, nearest) = known.iter().map(|known| (distance(name, known), *known)).min()?;
    (far <= 2 || (far <= 3 && name.len() > 8)).then_some(nearest)
}

/// How many letters must be changed, added or taken away (Levenshtein) to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_get_the_nearest_known_one() {
        let found = explain("unknown field `adress`, expected one of `address`, `key`");
        assert_eq!(
            (found.what.as_str(), found.fix.as_str()),
            ("there is no such key here", "did you mean `address`?")
        );
        assert_eq!(found.meant.as_deref(), Some("address"));
        let found = explain("unknown field `nonsense`, expected one of `address`, `key`");
        assert_eq!((found.fix.as_str(), found.meant), ("keys here: address, key", None));
        assert_eq!(explain("unknown field `kay`, expected `key`").meant.as_deref(), Some("key"));
    }

    #[test]
    fn values_are_never_quoted() {
        for message in [
            "invalid type: string \"hunter2\", expected u64",
            "invalid type: string \"a, expected hunter2\", expected u64",
            "invalid value: string \"hunter2\", expected a boolean",
            "hunter2 is odd",
        ] {
            let found = explain(message);
            assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        }
        let found = explain("invalid type: sequence, expected a string");
        assert_eq!(
            (found.what.as_str(), found.fix.as_str()),
            ("a list is no value for this key", "write a text in quotes")
        );
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("adress", "address"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
