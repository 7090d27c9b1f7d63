//! The rules of the house as functions over the tree: which room may know which, how long a file may be, which words
//! may not stand. The tests of this crate run them over the repository; the unit tests show each rule catching its
//! breach. It reads files and nothing else, and must never know what the product does.

pub mod code;
pub mod laws;
pub mod layers;
pub mod operations;
pub mod rooms;
pub mod shape;
pub mod tree;
pub mod words;

use std::fmt;

pub use tree::{File, Tree};

/// A rule broken: where and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the root of the repository.
    pub path: String,
    /// The line, counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong, and what to do instead.
    pub text: String,
}

impl Finding {
    /// A finding in `path` at `line`.
    #[must_use]
    pub fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}
