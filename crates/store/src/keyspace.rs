//! What a keyspace is to an engine: a name and a class. It must never know what the rows mean.

use thiserror::Error;

/// The longest name of a keyspace, in bytes.
pub const MAX_KEYSPACE_NAME: usize = 32;

/// What kind of bytes a keyspace holds, which decides how eagerly an engine erases what was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Sealed records. Without their key they are noise.
    Content,
    /// Wrapped keys. Deleting one is an erasure, so its bytes must leave the files soon.
    Key,
}

/// One ordered map of an engine. `name` is the table's name after `ks_`, and is bound into every sealed value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyspaceDef {
    /// Lower-case ASCII letters and underscores, 1 to [`MAX_KEYSPACE_NAME`] bytes. It never changes once rows exist.
    pub name: &'static str,
    /// What it holds.
    pub class: Class,
}

/// Why a set of keyspaces was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidKeyspace {
    /// The name has a letter that is not allowed, or a wrong length.
    #[error("`{0}` is no keyspace name: use 1 to 32 of a-z and _")]
    Name(&'static str),
    /// Two keyspaces of one name would share their rows.
    #[error("the keyspace `{0}` is declared twice")]
    Twice(&'static str),
}

impl KeyspaceDef {
    /// Refuses names that could not be a table's, and two definitions of one name.
    ///
    /// # Errors
    /// [`InvalidKeyspace`], naming the first that is wrong.
    pub fn check_all(keyspaces: &[&'static Self]) -> Result<(), InvalidKeyspace> {
        for (at, one) in keyspaces.iter().enumerate() {
            let fits = (1..=MAX_KEYSPACE_NAME).contains(&one.name.len())
                && one.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if !fits {
                return Err(InvalidKeyspace::Name(one.name));
            }
            if keyspaces[..at].iter().any(|other| other.name == one.name) {
                return Err(InvalidKeyspace::Twice(one.name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static GOOD: KeyspaceDef = KeyspaceDef { name: "chat_message", class: Class::Content };
    static SAME: KeyspaceDef = KeyspaceDef { name: "chat_message", class: Class::Key };

    #[test]
    fn names_are_safe_in_sql_and_unique() {
        assert_eq!(KeyspaceDef::check_all(&[&GOOD]), Ok(()));
        assert_eq!(KeyspaceDef::check_all(&[&GOOD, &SAME]), Err(InvalidKeyspace::Twice("chat_message")));
        static LONG: KeyspaceDef =
            KeyspaceDef { name: "abcdefghijklmnopqrstuvwxyzabcdefg", class: Class::Content };
        static EMPTY: KeyspaceDef = KeyspaceDef { name: "", class: Class::Content };
        static QUOTE: KeyspaceDef = KeyspaceDef { name: "a\"; drop", class: Class::Content };
        static UPPER: KeyspaceDef = KeyspaceDef { name: "Chat", class: Class::Content };
        for bad in [&LONG, &EMPTY, &QUOTE, &UPPER] {
            assert_eq!(KeyspaceDef::check_all(&[bad]), Err(InvalidKeyspace::Name(bad.name)));
        }
    }
}
