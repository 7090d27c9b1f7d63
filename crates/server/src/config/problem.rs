//! What is wrong with a configuration: where, what, and what to write instead. It never quotes a value, which may be a
//! secret in the wrong place.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1; 0 when the file could not be read.
    pub line: usize,
    /// Column in characters, from 1; 0 when the file could not be read.
    pub column: usize,
    /// The path of the key: `cell[0].engine.kind`. Empty for the file itself.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n    {}", self.fix) }
    }
}

/// Everything that is wrong with one file, in the order of its lines. Never empty where it is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, problem) in self.0.iter().enumerate() {
            if count > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Line and column of a byte of `text`, both from 1, the column in characters.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let mut end = byte.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "ab\nçd = 1\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, 3), (2, 1));
        assert_eq!(position(text, 4), (2, 1), "within a character");
        assert_eq!(position(text, 5), (2, 2));
        assert_eq!(position(text, 999), (3, 1));
    }

    #[test]
    fn reads_as_place_fault_remedy() {
        let problem = Problem {
            file: "chancery.toml".into(),
            line: 3,
            column: 9,
            key: "cell[0].geography".into(),
            what: "missing".into(),
            fix: "add it".into(),
        };
        assert_eq!(problem.to_string(), "chancery.toml:3:9: cell[0].geography: missing\n    add it");
        let file = Problem { line: 0, key: String::new(), fix: String::new(), ..problem };
        assert_eq!(
            Problems(vec![file.clone(), file]).to_string(),
            "chancery.toml: missing\nchancery.toml: missing"
        );
    }
}
