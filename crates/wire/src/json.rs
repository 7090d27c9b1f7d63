//! Strict JSON. One pass over the text finds what serde would let by (duplicate keys, deep nesting) before serde reads
//! it, so that two readers of the same bytes can never see two requests. Errors say where and what, and never quote.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base::limits::MAX_JSON_DEPTH;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ApiError;

/// Objects with at most this many keys are compared pairwise; larger ones are sorted.
const FEW_KEYS: usize = 12;

/// Reads a request body that is an object.
///
/// # Errors
/// As [`read`], and when it is any other value: serde would take a list for an object whose properties stand in order.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    read::<Object<T>>(body).map(|object| object.0)
}

/// Reads a request body that is an object and may be left out, whole or as the text `null`.
///
/// # Errors
/// As [`parse`], except for the empty body.
pub fn parse_optional<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    Ok(read::<Option<Object<T>>>(body)?.map(|object| object.0).unwrap_or_default())
}

/// Reads a request body of any shape.
///
/// # Errors
/// 400 when it is empty, not UTF-8, not JSON, nested deeper than [`MAX_JSON_DEPTH`], holds a key twice in one object
/// (also spelled with escapes), has anything after the value, or is not of the shape of `T`.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(body).map_err(|e| {
        let (line, column) = position(body, e.valid_up_to());
        ApiError::bad_request(format!("The request body is not UTF-8 text at line {line}, column {column}."))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(ApiError::bad_request("The request body is empty; JSON was expected."));
    }
    Scanner { text, at: 0, keys: Vec::new(), open: Vec::new() }.run().map_err(|fault| {
        let (line, column) = position(body, fault.at);
        ApiError::bad_request(format!(
            "The request body is not valid JSON at line {line}, column {column}: {}.",
            fault.what
        ))
    })?;
    serde_json::from_str(text).map_err(|e| describe(&e))
}

/// A `T` written as an object and not, as derived code would also take it, as a list of its properties in order.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Map(PhantomData))
    }
}

/// Writes a value whose keys are all strings, which cannot fail.
#[must_use]
pub fn write<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec())
}

/// Tells an absent field (`None`, with `#[serde(default)]`) from `null` (`Some(None)`) in a merge patch (RFC 7396).
///
/// # Errors
/// When the value is neither `null` nor of the type.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

struct Fault {
    at: usize,
    what: &'static str,
}

struct Key<'a> {
    text: Cow<'a, str>,
    at: usize,
}

/// What the next token may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// An open array or object; an object knows where its keys begin in the list of all open objects' keys.
#[derive(Clone, Copy)]
enum Open {
    Array,
    Object(usize),
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    keys: Vec<Key<'a>>,
    open: Vec<Open>,
}

impl<'a> Scanner<'a> {
    fn run(mut self) -> Result<(), Fault> {
        let bytes = self.text.as_bytes();
        let mut expect = Expect::Value;
        while let Some(&byte) = bytes.get(self.at) {
            let start = self.at;
            if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                self.at += 1;
                continue;
            }
            expect = match (expect, byte) {
                (Expect::Value | Expect::ValueOrEnd, b'{') => self.open(Open::Object(self.keys.len()))?,
                (Expect::Value | Expect::ValueOrEnd, b'[') => self.open(Open::Array)?,
                (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') => self.close_array()?,
                (Expect::KeyOrEnd | Expect::CommaOrEnd, b'}') => self.close_object()?,
                (Expect::Value | Expect::ValueOrEnd, b'"') => {
                    self.string()?;
                    self.after_value()
                }
                (Expect::Value | Expect::ValueOrEnd, _) => {
                    self.scalar()?;
                    self.after_value()
                }
                (Expect::Key | Expect::KeyOrEnd, b'"') => {
                    let escaped = self.string()?;
                    self.key(start, escaped)?;
                    Expect::Colon
                }
                (Expect::Colon, b':') => {
                    self.at += 1;
                    Expect::Value
                }
                (Expect::CommaOrEnd, b',') => {
                    self.at += 1;
                    if matches!(self.open.last(), Some(Open::Object(_))) {
                        Expect::Key
                    } else {
                        Expect::Value
                    }
                }
                (expect, _) => return Err(self.unexpected(expect)),
            };
        }
        if expect == Expect::Nothing {
            return Ok(());
        }
        Err(Fault { at: self.text.len(), what: "the text ends before the value does" })
    }

    fn unexpected(&self, expect: Expect) -> Fault {
        let what = match expect {
            Expect::Value | Expect::ValueOrEnd => "a value was expected",
            Expect::Key | Expect::KeyOrEnd => "a property name in double quotes was expected",
            Expect::Colon => "a colon was expected",
            Expect::CommaOrEnd => "a comma or the end of the array or object was expected",
            Expect::Nothing => "there is more text after the value",
        };
        Fault { at: self.at, what }
    }

    fn open(&mut self, open: Open) -> Result<Expect, Fault> {
        if self.open.len() == MAX_JSON_DEPTH {
            return Err(Fault { at: self.at, what: "arrays and objects are nested too deeply" });
        }
        self.open.push(open);
        self.at += 1;
        Ok(if matches!(open, Open::Object(_)) { Expect::KeyOrEnd } else { Expect::ValueOrEnd })
    }

    fn close_array(&mut self) -> Result<Expect, Fault> {
        let Some(Open::Array) = self.open.pop() else {
            return Err(Fault { at: self.at, what: "an object is closed as if it were an array" });
        };
        self.at += 1;
        Ok(self.after_value())
    }

    fn close_object(&mut self) -> Result<Expect, Fault> {
        let Some(Open::Object(first)) = self.open.pop() else {
            return Err(Fault { at: self.at, what: "an array is closed as if it were an object" });
        };
        self.no_duplicates(first)?;
        self.keys.truncate(first);
        self.at += 1;
        Ok(self.after_value())
    }

    /// A body of many keys is sorted rather than compared pairwise: no quarter megabyte may cost a second.
    fn no_duplicates(&mut self, first: usize) -> Result<(), Fault> {
        let fault = |at| Err(Fault { at, what: "the object has this property name twice" });
        let keys = &mut self.keys[first..];
        if keys.len() <= FEW_KEYS {
            for (i, key) in keys.iter().enumerate() {
                if keys[..i].iter().any(|other| other.text == key.text) {
                    return fault(key.at);
                }
            }
            return Ok(());
        }
        keys.sort_unstable_by(|a, b| a.text.cmp(&b.text).then(a.at.cmp(&b.at)));
        match keys.windows(2).find(|pair| pair[0].text == pair[1].text) {
            Some(pair) => fault(pair[1].at),
            None => Ok(()),
        }
    }

    fn after_value(&self) -> Expect {
        if self.open.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd }
    }

    /// Moves past a string, whose first quote is at the present place. Says whether it has escapes.
    fn string(&mut self) -> Result<bool, Fault> {
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        self.at += 1;
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                0..0x20 => {
                    return Err(Fault { at: self.at, what: "a string holds a bare control character" });
                }
                _ => self.at += 1,
            }
        }
        Err(Fault { at: bytes.len(), what: "the text ends within a string" })
    }

    fn key(&mut self, start: usize, escaped: bool) -> Result<(), Fault> {
        let quoted = &self.text[start..self.at];
        let text = if escaped {
            let read = serde_json::from_str::<String>(quoted);
            Cow::Owned(read.map_err(|_| Fault { at: start, what: "a property name has a bad escape" })?)
        } else {
            Cow::Borrowed(&quoted[1..quoted.len() - 1])
        };
        self.keys.push(Key { text, at: start });
        Ok(())
    }

    /// Moves past a number or word; whether it is a right one is for serde to say.
    fn scalar(&mut self) -> Result<(), Fault> {
        let rest = &self.text.as_bytes()[self.at..];
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let len = rest.iter().take_while(|b| plain(b)).count();
        if len == 0 {
            return Err(self.unexpected(Expect::Value));
        }
        self.at += len;
        Ok(())
    }
}

/// Line and column of a byte, both counted from one, columns in bytes as serde_json counts them.
fn position(body: &[u8], at: usize) -> (usize, usize) {
    let before = &body[..at.min(body.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
    (line, column)
}

/// Says what serde found. Its own message quotes values; only what follows the last `, expected ` and the name of a
/// missing field come from our types, so only those are passed on.
fn describe(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
    if !error.is_data() {
        return ApiError::bad_request(format!(
            "The request body is not valid JSON at line {line}, column {column}: {text}."
        ));
    }
    if let Some(name) = text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return ApiError::validation(name.to_owned(), format!("The required property '{name}' is missing."));
    }
    let expected = match text.rsplit_once(", expected ") {
        Some((_, shape)) if shape.starts_with("struct ") => "an object",
        Some((_, shape)) => shape,
        None => "another value",
    };
    ApiError::bad_request(format!(
        "A value in the request body is not of the right type at line {line}, column {column}: expected {expected}."
    ))
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
