//! Tables for people: columns as wide as they must be, and no wider than a screen.

/// The widest column, in characters; the last one may be wider, and is whole.
const WIDEST: usize = 60;

/// A table being filled.
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub(super) fn new(head: &[&'static str]) -> Self {
        Self::named(head.iter().map(|name| (*name).to_owned()).collect())
    }

    /// The same, for columns that the server names.
    pub(super) const fn named(head: Vec<String>) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// One more row, in the order of the columns.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let last = self.head.len().saturating_sub(1);
        let fitted = cells.into_iter().enumerate();
        self.rows.push(
            fitted.map(|(at, cell)| fit(&cell, if at == last { usize::MAX } else { WIDEST })).collect(),
        );
    }

    /// The whole table; `none` where it has no row.
    pub(super) fn text(&self, none: &str) -> String {
        if self.rows.is_empty() {
            return format!("{none}\n");
        }
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|at| all().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        all().map(line).collect()
    }
}

/// A cell in one line: what a terminal would take for a command is left out.
fn fit(cell: &str, widest: usize) -> String {
    let cell: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if cell.chars().count() <= widest {
        return cell;
    }
    cell.chars().take(widest - 1).chain(['…']).collect()
}

/// A text of several lines for a terminal: nothing in it can move the cursor or change its colours.
pub(super) fn plain(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{FFFD}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["NAME", "COUNT"]);
        assert_eq!(table.text("Nothing."), "Nothing.\n");
        table.row(["a".into(), "12345678".into()]);
        table.row(["grüße".into(), "1".into()]);
        assert_eq!(table.text(""), "NAME   COUNT\na      12345678\ngrüße  1\n");
    }

    #[test]
    fn cells_are_one_short_line() {
        assert_eq!(fit(&"x".repeat(9), 9), "x".repeat(9));
        assert_eq!(fit(&"x".repeat(10), 9), "xxxxxxxx…");
        assert_eq!(fit("a\u{1b}[31mb\nc", 9), "a [31mb c");
        let mut table = Table::new(&["A", "B"]);
        table.row(["x".repeat(70), "y".repeat(70)]);
        assert!(table.text("").ends_with(&format!("x…  {}\n", "y".repeat(70))));
        assert_eq!(plain("a\r\nb\u{1b}[2J\u{9b}c\td"), "a\nb\u{FFFD}[2J\u{FFFD}c\td");
    }
}
