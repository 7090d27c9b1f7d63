//! The list of operations in `docs/compatibility.md`, made from the reviewed form of the operation table
//! (`crates/wire/tests/golden/operations.txt`, which a test of `wire` keeps true). It knows texts, not the table.

use std::fmt::Write;

use crate::{Finding, Tree};

/// The reviewed operation table.
pub const TABLE: &str = "crates/wire/tests/golden/operations.txt";
/// The page that lists the operations.
pub const PAGE: &str = "docs/compatibility.md";
const BEGIN: &str = "<!-- generated:operations -->\n";
const END: &str = "<!-- /generated:operations -->";

/// The areas of the table, in the order of the page, with their names.
const AREAS: [(&str, &str); 21] = [
    ("identity", "Identity"),
    ("chat", "Chat"),
    ("push", "Push to browsers"),
    ("sms", "SMS"),
    ("email", "Email"),
    ("numbers", "Phone numbers"),
    ("sip", "SIP routing"),
    ("rooms", "Rooms"),
    ("calls", "Call automation"),
    ("recordings", "Call recording"),
    ("router", "Job router"),
    ("messages", "Advanced messages"),
    ("relays", "Network traversal"),
    ("arm", "Control plane"),
    ("logs", "Log queries"),
    ("operator", "The operator's plane"),
    ("outbox", "Development outbox"),
    ("events", "Events"),
    ("token", "Tokens"),
    ("certificate", "Certificates"),
    ("health", "Health"),
];

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row<'a> {
    name: &'a str,
    call: &'a str,
    versions: &'a str,
    works: bool,
}

/// The page's text with its list made anew; `None` when the page has no place for it or the table cannot be read.
#[must_use]
pub fn renewed(tree: &Tree) -> Option<String> {
    let (page, rows) = (&tree.file(PAGE)?.text, rows(&tree.file(TABLE)?.text)?);
    let start = page.find(BEGIN)? + BEGIN.len();
    let end = start + page[start..].find(END)?;
    Some(format!("{}{}{}", &page[..start], list(&rows)?, &page[end..]))
}

/// Whether the page is as the table says.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let stale = match renewed(tree) {
        None => "cannot be made: markers, table or the name of an area are missing",
        Some(text) if tree.file(PAGE).is_some_and(|page| page.text == text) => return Vec::new(),
        Some(_) => "is stale: run `BLESS=1 cargo test -p tidy`",
    };
    vec![Finding::new(PAGE, 0, format!("the list of operations {stale}"))]
}

/// Blocks of a name, `METHOD path -> status, built`, and details, parted by empty lines; a count comes first.
fn rows(table: &str) -> Option<Vec<Row<'_>>> {
    let mut blocks = table.split("\n\n");
    let count: usize = blocks.next()?.split_whitespace().next()?.parse().ok()?;
    let rows: Option<Vec<_>> = blocks.filter(|block| !block.trim().is_empty()).map(row).collect();
    rows.filter(|rows| rows.len() == count)
}

fn row(block: &str) -> Option<Row<'_>> {
    let mut lines = block.trim_start().lines();
    let name = lines.next()?.trim();
    let (call, status) = lines.next()?.trim().split_once(" -> ")?;
    let works = match status.split_once(", ")?.1 {
        "built" => true,
        "not built" => false,
        _ => return None,
    };
    let versions = lines.next()?.trim().strip_prefix("versions ")?.split(';').next()?;
    Some(Row { name, call, versions, works })
}

fn list(rows: &[Row<'_>]) -> Option<String> {
    let known = |row: &Row<'_>| AREAS.iter().any(|(area, _)| row.name.split('.').next() == Some(area));
    if !rows.iter().all(known) {
        return None;
    }
    let mut out = String::new();
    let works = rows.iter().filter(|row| row.works).count();
    writeln!(out, "{} operations, {works} of them work.", rows.len()).ok()?;
    for (area, title) in AREAS {
        let of_area: Vec<_> = rows.iter().filter(|row| row.name.split('.').next() == Some(area)).collect();
        if of_area.is_empty() {
            continue;
        }
        write!(out, "\n### {title}\n\n| operation | request | versions | |\n|---|---|---|---|\n").ok()?;
        for row in of_area {
            let state = if row.works { "works" } else { "501" };
            let versions = if row.versions == "-" { "" } else { row.versions };
            writeln!(out, "| `{}` | `{}` | {versions} | {state} |", row.name, row.call).ok()?;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "2 operations, 1 built.\n\nchat.send\n  POST /chat -> 201, built\n  versions 1 2; key\n  rates -\n\n\
                       sms.send\n  POST /sms -> 202, not built\n  versions -; key\n";

    fn tree(page: &str, table: &str) -> Tree {
        Tree::of(&[(PAGE, page), (TABLE, table)])
    }

    #[test]
    fn the_list_is_made_of_the_table_and_the_rest_stays() {
        let made = renewed(&tree(&format!("before\n{BEGIN}old\n{END}\nafter\n"), TWO)).unwrap();
        assert!(made.starts_with(&format!("before\n{BEGIN}2 operations, 1 of them work.\n")));
        assert!(made.contains("### Chat\n\n| operation | request | versions | |\n|---|---|---|---|\n| `chat.send` | `POST /chat` | 1 2 | works |\n"));
        assert!(made.contains("| `sms.send` | `POST /sms` |  | 501 |\n"));
        assert!(made.ends_with(&format!("{END}\nafter\n")));
        assert!(check(&tree(&made, TWO)).is_empty(), "what was made is current");
    }

    #[test]
    fn what_is_stale_or_cannot_be_read_is_found() {
        let page = format!("{BEGIN}{END}");
        for (page, table) in [
            (page.as_str(), TWO),
            ("no markers", TWO),
            (page.as_str(), ""),
            (page.as_str(), &TWO.replace("2 operations", "3 operations")),
            (page.as_str(), &TWO.replace("not built", "half built")),
            (page.as_str(), &TWO.replace("sms.", "fax.")),
        ] {
            assert_eq!(check(&tree(page, table)).len(), 1, "{table}");
        }
        assert_eq!(check(&Tree::default()).len(), 1);
    }
}
