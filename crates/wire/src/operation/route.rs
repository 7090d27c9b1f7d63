//! From method and path to operation. Segments are percent-decoded one by one before they are compared, so an encoded
//! slash never makes two segments of one; such a segment, and one that is badly encoded, not UTF-8, empty, a dot
//! segment or holding control characters, matches nothing.

use std::borrow::Cow;
use std::sync::LazyLock;

use http::Method;

use super::{Area, OPERATIONS, Operation};
use crate::query::decode;

/// Paths of more segments match nothing.
const MAX_SEGMENTS: usize = 40;

/// What a method and path lead to.
#[derive(Debug)]
pub enum Route {
    /// This operation.
    Found {
        /// The row.
        operation: &'static Operation,
        /// What the path's braces captured, decoded.
        params: Params,
    },
    /// The path is known, but not with this method.
    MethodNotAllowed {
        /// The value of `Allow`: the methods it has, sorted, separated by comma and space.
        allow: String,
        /// One of the operations it has.
        other: &'static Operation,
    },
    /// No operation has this path.
    NotFound,
}

/// What was captured from a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The decoded text captured under `name`, the word between the braces.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// Finds the operation for a method and a raw (still percent-encoded) path without its query.
#[must_use]
pub fn route(method: &Method, path: &str) -> Route {
    let Some(path) = path.strip_prefix('/') else { return Route::NotFound };
    // The one path that its clients end with a slash.
    let path = if path == "socket.io/1/" { "socket.io/1" } else { path };
    let mut buffer = [const { Cow::Borrowed("") }; MAX_SEGMENTS];
    let mut count = 0;
    for raw in path.split('/') {
        let (Some(slot), Some(segment)) = (buffer.get_mut(count), clean(raw)) else { return Route::NotFound };
        *slot = segment;
        count += 1;
    }
    let segments = &mut buffer[..count];
    let fixed = ROUTER.fixed.get(count).map_or(&[][..], Vec::as_slice);
    let Some(found) = fixed.iter().chain(&ROUTER.open).find(|entry| entry.matches(segments)) else {
        return Route::NotFound;
    };
    match (found.operations.iter().find(|operation| operation.method == *method), found.operations.first()) {
        (Some(operation), _) => Route::Found { operation, params: found.capture(segments) },
        (None, Some(other)) => Route::MethodNotAllowed { allow: found.allow.clone(), other },
        (None, None) => Route::NotFound,
    }
}

/// One segment of a row's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// This text.
    Literal(&'static str),
    /// Captured, with this ending (`:play`) cut off.
    Ending(&'static str, &'static str),
    /// Captured whole.
    Capture(&'static str),
    /// One or more segments, captured together: an Azure resource id. Only as the first or second part.
    Rest(&'static str),
}

/// All operations of one path.
struct Entry {
    parts: Vec<Part>,
    ignore_case: bool,
    operations: Vec<&'static Operation>,
    allow: String,
    /// Whether it has a [`Part::Rest`].
    is_open: bool,
    /// How many parts capture.
    captures: usize,
}

/// `fixed[n]` are the paths of n segments, `open` those with a [`Part::Rest`]; each from the most to the least precise.
struct Router {
    fixed: Vec<Vec<Entry>>,
    open: Vec<Entry>,
}

static ROUTER: LazyLock<Router> = LazyLock::new(|| Router::new(OPERATIONS));

impl Router {
    fn new(operations: &[&'static Operation]) -> Self {
        let mut router = Self { fixed: Vec::new(), open: Vec::new() };
        for operation in operations {
            let parts = parts(operation);
            let is_open = parts.iter().any(|part| matches!(part, Part::Rest(_)));
            let list = if is_open {
                &mut router.open
            } else {
                while router.fixed.len() <= parts.len() {
                    router.fixed.push(Vec::new());
                }
                &mut router.fixed[parts.len()]
            };
            match list.iter_mut().find(|entry| entry.parts == parts) {
                Some(entry) => entry.operations.push(operation),
                None => list.push(Entry {
                    captures: parts.iter().filter(|part| part.rank() > 0).count(),
                    is_open,
                    parts,
                    ignore_case: operation.area == Area::Arm,
                    operations: vec![operation],
                    allow: String::new(),
                }),
            }
        }
        for list in router.fixed.iter_mut().chain([&mut router.open]) {
            // Stable: rows of equal precision keep the table's order, so frequent operations are found first.
            list.sort_by_key(|entry| entry.parts.iter().map(Part::rank).collect::<Vec<_>>());
            for entry in list {
                let mut methods: Vec<&str> = entry.operations.iter().map(|o| o.method.as_str()).collect();
                methods.sort_unstable();
                entry.allow = methods.join(", ");
            }
        }
        router
    }
}

fn parts(operation: &'static Operation) -> Vec<Part> {
    let open = |name| matches!(name, "resourceUri" | "resourceId");
    let many = matches!(operation.area, Area::Arm | Area::LogQuery);
    operation
        .path
        .split('/')
        .skip(1)
        .map(|text| match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            None => Part::Literal(text),
            Some((name, "")) if many && open(name) => Part::Rest(name),
            Some((name, "")) => Part::Capture(name),
            Some((name, ending)) => Part::Ending(name, ending),
        })
        .collect()
}

impl Part {
    /// How many segments it stands for, where a [`Part::Rest`] stands for `width`.
    fn len(&self, width: usize) -> usize {
        if matches!(self, Self::Rest(_)) { width } else { 1 }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Ending(..) => 1,
            Self::Capture(_) => 2,
            Self::Rest(_) => 3,
        }
    }

    fn matches(&self, segment: &str, ignore_case: bool) -> bool {
        match self {
            Self::Literal(text) => segment == *text || (ignore_case && segment.eq_ignore_ascii_case(text)),
            Self::Ending(_, ending) => segment.len() > ending.len() && segment.ends_with(ending),
            Self::Capture(_) | Self::Rest(_) => true,
        }
    }
}

impl Entry {
    /// How many of `count` segments the [`Part::Rest`] takes, or any other part one. `None`: too many or too few.
    fn width(&self, count: usize) -> Option<usize> {
        let width = (count + 1).checked_sub(self.parts.len()).filter(|width| *width > 0)?;
        (width == 1 || self.is_open).then_some(width)
    }

    fn matches(&self, segments: &[Cow<'_, str>]) -> bool {
        let Some(width) = self.width(segments.len()) else { return false };
        let mut rest = segments;
        self.parts.iter().all(|part| {
            let (taken, after) = rest.split_at(part.len(width));
            rest = after;
            taken.iter().all(|segment| part.matches(segment, self.ignore_case))
        })
    }

    /// Takes what is captured out of the segments of a path that matches.
    fn capture(&self, segments: &mut [Cow<'_, str>]) -> Params {
        let width = self.width(segments.len()).unwrap_or(1);
        let mut params = Vec::with_capacity(self.captures);
        let mut at = 0;
        for part in &self.parts {
            let taken = &mut segments[at..at + part.len(width)];
            at += taken.len();
            match part {
                Part::Literal(_) => {}
                Part::Capture(name) => params.push((*name, std::mem::take(&mut taken[0]).into_owned())),
                Part::Ending(name, ending) => {
                    let id = taken[0].strip_suffix(ending).unwrap_or_default();
                    params.push((*name, id.to_owned()));
                }
                Part::Rest(name) => params.push((*name, taken.join("/"))),
            }
        }
        Params(params)
    }
}

/// A segment decoded, if it may stand in a path.
fn clean(raw: &str) -> Option<Cow<'_, str>> {
    let seen = decode(raw)?;
    let bad = seen.is_empty()
        || seen == "."
        || seen == ".."
        || seen.bytes().any(|b| b == b'/' || b == b'\\' || b < 0x20 || b == 0x7F);
    (!bad).then_some(seen)
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
