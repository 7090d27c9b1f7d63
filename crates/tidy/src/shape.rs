//! How long a file and a function may be, and that each module says at its head what it is for.

use std::collections::BTreeSet;

use crate::code::{blank, line_of, matching_brace, words};
use crate::{Finding, Tree};

/// A file this long must be split.
pub const MAX_FILE: usize = 800;
/// A file longer than this must stand on the list of long files, which may only shrink.
pub const LONG_FILE: usize = 400;
/// A function longer than this must stand on the list of long functions, which may only shrink.
pub const LONG_FUNCTION: usize = 70;

/// A function and its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`.
    pub line: usize,
    /// Lines from its `fn` to its closing brace.
    pub lines: usize,
}

/// The lines of an exception list: one entry each, `#` begins a comment.
#[must_use]
pub fn exceptions(text: &str) -> BTreeSet<&str> {
    text.lines().map(|l| l.split('#').next().unwrap_or_default().trim()).filter(|l| !l.is_empty()).collect()
}

/// Files that are too long, and entries of `listed` that are not needed (any more).
#[must_use]
pub fn files(tree: &Tree, listed: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut long = BTreeSet::new();
    for file in tree.rust() {
        let lines = file.text.lines().count();
        if lines > MAX_FILE {
            findings.push(Finding::new(&file.path, 0, format!("{lines} lines: over {MAX_FILE} is a defect")));
        }
        if lines > LONG_FILE {
            long.insert(file.path.as_str());
            if !listed.contains(file.path.as_str()) {
                findings.push(Finding::new(
                    &file.path,
                    0,
                    format!("{lines} lines: split it, or list it as long"),
                ));
            }
        }
    }
    findings.extend(stale(listed, |entry| long.contains(entry)));
    findings
}

/// Functions that are too long, and entries of `listed` (`path::name`) that are not needed (any more).
#[must_use]
pub fn function_lengths(tree: &Tree, listed: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut long = BTreeSet::new();
    for file in tree.rust() {
        for function in functions(&file.text).into_iter().filter(|f| f.lines > LONG_FUNCTION) {
            let entry = format!("{}::{}", file.path, function.name);
            if !listed.contains(entry.as_str()) {
                let text = format!("`{}` has {} lines: split it, or list it", function.name, function.lines);
                findings.push(Finding::new(&file.path, function.line, text));
            }
            long.insert(entry);
        }
    }
    findings.extend(stale(listed, |entry| long.contains(entry)));
    findings
}

/// Rust files that do not begin with a `//!` comment that says more than a name.
#[must_use]
pub fn heads(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| {
            let head = file.text.lines().next().unwrap_or_default();
            head.strip_prefix("//!")
                .is_none_or(|said| said.split_whitespace().count() < 2 && !said.contains('/'))
        })
        .map(|file| Finding::new(&file.path, 1, "begins without `//!` saying what it is for"))
        .collect()
}

/// Every function with a body in `source`.
#[must_use]
pub fn functions(source: &str) -> Vec<Function> {
    let code = blank(source);
    let mut found = Vec::new();
    for at in words(&code, "fn") {
        let name: String =
            code[at + 2..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if let Some(open) = body(&code, at + 2)
            && !name.is_empty()
            && let Some(close) = matching_brace(&code, open)
        {
            let line = line_of(&code, at);
            found.push(Function { name, line, lines: line_of(&code, close) + 1 - line });
        }
    }
    found
}

/// The brace that opens the body of the function whose signature begins at `from`; `None` when it has no body.
fn body(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (at, b) in code.bytes().enumerate().skip(from) {
        match b {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' | b'}' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}

fn stale(listed: &BTreeSet<&str>, needed: impl Fn(&str) -> bool) -> Vec<Finding> {
    let unneeded = listed.iter().filter(|entry| !needed(entry));
    unneeded.map(|entry| Finding::new(entry, 0, "no longer an exception: take it off the list")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(lines: usize) -> String {
        format!("//! A head comment here.\n{}", "\n".repeat(lines - 1))
    }

    #[test]
    fn long_files_are_found_and_lists_only_shrink() {
        let (fits, long, defect) = (source(LONG_FILE), source(LONG_FILE + 1), source(MAX_FILE + 1));
        let tree = Tree::of(&[("a.rs", &fits), ("b.rs", &long), ("c.rs", &defect), ("d.md", &defect)]);
        let paths = |found: Vec<Finding>| found.into_iter().map(|f| f.path).collect::<Vec<_>>();
        assert_eq!(paths(files(&tree, &BTreeSet::new())), ["b.rs", "c.rs", "c.rs"]);
        assert_eq!(
            paths(files(&tree, &BTreeSet::from(["b.rs", "c.rs"]))),
            ["c.rs"],
            "a defect cannot be listed"
        );
        assert_eq!(paths(files(&tree, &BTreeSet::from(["a.rs", "b.rs", "c.rs"]))), ["c.rs", "a.rs"]);
    }

    #[test]
    fn functions_are_measured() {
        let text = "fn short() {\n}\n\nimpl X {\n    pub async fn with_where<T>(a: [u8; 4]) -> u8\n    where\n        \
                    T: Fn(u8) -> u8,\n    {\n        \"}\";\n        0\n    }\n    fn required(&self);\n}\ntype F = fn(u8) -> u8;\n";
        let found = functions(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].name.as_str(), found[0].lines), ("short", 2));
        assert_eq!((found[1].name.as_str(), found[1].line, found[1].lines), ("with_where", 5, 7));
    }

    #[test]
    fn long_functions_are_found_and_listed() {
        let body = "    x();\n".repeat(LONG_FUNCTION - 1);
        let text = format!("fn long() {{\n{body}}}\n\nfn fits() {{\n{}}}\n", &body[9..]);
        let tree = Tree::of(&[("a.rs", &text)]);
        let found = function_lengths(&tree, &BTreeSet::new());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 1);
        assert!(function_lengths(&tree, &BTreeSet::from(["a.rs::long"])).is_empty());
        assert_eq!(function_lengths(&tree, &BTreeSet::from(["a.rs::long", "a.rs::fits"])).len(), 1);
    }

    #[test]
    fn modules_without_a_head_are_found() {
        let tree = Tree::of(&[
            ("a.rs", "//! Where it is.\n"),
            ("e.rs", "//! `/chat/threads`\n"),
            ("b.rs", "use x;\n"),
            ("c.rs", "//! guard\n"),
            ("d.rs", ""),
        ]);
        let paths: Vec<_> = heads(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(paths, ["b.rs", "c.rs", "d.rs"]);
    }

    #[test]
    fn lists_have_comments() {
        assert_eq!(exceptions("# all\n\na.rs # why\n b.rs\n"), BTreeSet::from(["a.rs", "b.rs"]));
    }
}
