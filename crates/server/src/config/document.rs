//! A TOML file on its way to typed sections: collects everything that is wrong instead of stopping at the first
//! fault, by setting each faulty value aside and reading on. It knows no section.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::explain::{Explained, explain};
use super::problem::{Problem, Problems, position};

/// How many faults are looked for in one file.
const MOST: usize = 100;

/// One file, and what is wrong with it so far.
pub(super) struct Document<'t> {
    file: String,
    text: &'t str,
    spans: BTreeMap<String, Range<usize>>,
    set_aside: BTreeSet<String>,
    problems: Vec<(usize, Problem)>,
}

impl<'t> Document<'t> {
    /// Reads `text` into `T`, as far as it can be read. What had to be set aside is missing from the value.
    pub(super) fn read<T: DeserializeOwned>(file: &str, text: &'t str) -> (Self, Option<T>) {
        let mut document = Self {
            file: file.to_owned(),
            text,
            spans: BTreeMap::new(),
            set_aside: BTreeSet::new(),
            problems: Vec::new(),
        };
        let (mut table, faults) = DeTable::parse_recoverable(text);
        for fault in faults {
            document.add(
                String::new(),
                fault.span().unwrap_or(0..0).start,
                fault.message().to_owned(),
                String::new(),
            );
        }
        if !document.problems.is_empty() {
            return (document, None);
        }
        document.index("", table.get_ref());
        let value = document.repair(&mut table);
        (document, value)
    }

    /// Notes that the value at `key` is wrong.
    pub(super) fn problem(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        let mut known = key;
        // The nearest thing above it that is in the file.
        let at = loop {
            if let Some(span) = self.spans.get(known) {
                break span.start;
            }
            match known.rfind(['.', '[']) {
                Some(end) => known = &known[..end],
                None => break 0,
            }
        };
        self.add(key.to_owned(), at, what.into(), fix.into());
    }

    /// Whether a value at or below `key` was set aside, so that what depends on it cannot be judged.
    pub(super) fn is_partial(&self, key: &str) -> bool {
        self.set_aside.iter().any(|path| {
            path == key || path.starts_with(&format!("{key}.")) || path.starts_with(&format!("{key}["))
        })
    }

    /// All that is wrong, in the order of the lines; `None` when nothing is.
    pub(super) fn finish(mut self) -> Option<Problems> {
        self.problems.sort_by_key(|(at, _)| *at);
        (!self.problems.is_empty())
            .then(|| Problems(self.problems.into_iter().map(|(_, problem)| problem).collect()))
    }

    fn add(&mut self, key: String, at: usize, what: String, fix: String) {
        let (line, column) = position(self.text, at);
        self.problems.push((at, Problem { file: self.file.clone(), line, column, key, what, fix }));
    }

    fn index(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = join(path, key.get_ref());
            self.spans.insert(path.clone(), key.span());
            self.index_value(&path, value);
        }
    }

    fn index_value(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.index(path, table),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let path = format!("{path}[{at}]");
                    self.spans.insert(path.clone(), item.span());
                    self.index_value(&path, item);
                }
            }
            _ => {}
        }
    }

    fn repair<T: DeserializeOwned>(&mut self, table: &mut Spanned<DeTable<'t>>) -> Option<T> {
        for _ in 0..MOST {
            let fault = match T::deserialize(toml::de::Deserializer::from(table.clone())) {
                Ok(value) => return Some(value),
                Err(fault) => fault,
            };
            let span = fault.span()?;
            let path = locate("", table.get_ref(), &span);
            self.explain(&path, &span, fault.message());
            // An item is set aside with its whole list, so that the items behind it keep their places.
            let removable =
                if path.ends_with(']') { path.rfind('[').map_or("", |end| &path[..end]) } else { &path };
            if removable.is_empty() || !remove(table.get_mut(), removable) {
                return None;
            }
            self.set_aside.insert(removable.to_owned());
        }
        None
    }

    fn explain(&mut self, path: &str, span: &Range<usize>, message: &str) {
        let Explained { what, fix, meant } = explain(message);
        self.add(path.to_owned(), span.start, what, fix);
        if let Some(meant) = meant {
            // It is there, only misspelt: not to be told as missing too.
            let parent = path.rfind('.').map_or("", |end| &path[..end]);
            self.set_aside.insert(join(parent, &meant));
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The path of the smallest key or value that holds `span`.
fn locate(path: &str, table: &DeTable<'_>, span: &Range<usize>) -> String {
    let holds = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    for (key, value) in table {
        let inner = join(path, key.get_ref());
        if holds(key.span()) {
            return inner;
        }
        if let Some(found) = locate_value(&inner, value, span) {
            return found;
        }
    }
    path.to_owned()
}

fn locate_value(path: &str, value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    let holds = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    match value.get_ref() {
        DeValue::Table(table) => {
            let found = locate(path, table, span);
            (found != path || holds(value.span())).then_some(found)
        }
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| locate_value(&format!("{path}[{at}]"), item, span))
            .or_else(|| holds(value.span()).then(|| path.to_owned())),
        _ => holds(value.span()).then(|| path.to_owned()),
    }
}

/// Takes the value of the key at `path` out of `table`.
fn remove(table: &mut DeTable<'_>, path: &str) -> bool {
    let (first, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
    if rest.is_empty() {
        return table.remove(first).is_some();
    }
    table.get_mut(first).is_some_and(|value| remove_within(value, rest))
}

fn remove_within(value: &mut Spanned<DeValue<'_>>, rest: &str) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => rest.strip_prefix('.').is_some_and(|path| remove(table, path)),
        DeValue::Array(items) => {
            let Some((at, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
                return false;
            };
            let Ok(at) = at.parse::<usize>() else { return false };
            items.get_mut(at).is_some_and(|item| remove_within(item, after))
        }
        _ => false,
    }
}
