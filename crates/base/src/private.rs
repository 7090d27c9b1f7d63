//! Values that must not be printed: secrets, and what names or quotes a person.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A key, token or password. It cannot be printed, serialised or compared by accident; `expose` says where it is used.
/// Overwriting the memory is the business of `guard`, which holds key bytes in types of its own.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself; keep it out of logs, errors and responses.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Content or anything that names a person. It may be stored (sealed) and sent to who may read it, never logged.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself; keep it out of logs and errors.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, given up.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_prints_what_it_holds() {
        let shown = format!("{:?} {:?}", Secret::new("hunter2"), Personal::new("Ada Lovelace"));
        assert_eq!(shown, "Secret(..) Personal(..)");
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its Debug form is looked at")]
        struct Holder {
            key: Secret<String>,
        }
        assert!(!format!("{:#?}", Holder { key: Secret::new("hunter2".into()) }).contains("hunter2"));
    }

    #[test]
    fn expose_gives_it_back() {
        assert_eq!(*Secret::new(5).expose(), 5);
        assert_eq!(*Personal::new(5).expose(), 5);
        assert_eq!(Personal::from("x").into_inner(), "x");
    }
}
