//! The verbs of whoever runs a server: they ask a running one, by its operator's routes, and show what it says.

mod access_keys;
mod domains;
mod events;
mod keys;
mod numbers;
mod outbox;
mod progress;
mod queue;
mod reach;
mod receipts;
mod rules;
mod suppressions;
mod table;

use std::process::ExitCode;

use ::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub(super) use access_keys::AccessKeys;
pub(super) use domains::Domains;
pub(super) use events::Events;
pub(super) use keys::Keys;
pub(super) use numbers::Numbers;
pub(super) use outbox::Outbox;
pub(super) use progress::Bar;
pub(super) use queue::Queue;
use reach::{Reach, Server};
pub(super) use receipts::Receipts;
pub(super) use suppressions::Suppressions;
use table::Table;

use super::{CliError, say};

/// What may stand in a segment of a path as it is (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of a path, or one value of a query.
fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Prints `answer`: as it is for programs, and otherwise as `human` says it.
fn show(json: bool, answer: &Value, human: impl FnOnce(&Value) -> String) -> Result<ExitCode, CliError> {
    say(&if json { format!("{answer:#}\n") } else { human(answer) })
}

/// A text of `value`; empty when there is none.
fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A field of `value` in words, whatever it is.
fn word(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(all) => all
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

/// The items of a list that is told in pages, all of them, in one value.
async fn all(server: &Server, target: &str) -> Result<Value, CliError> {
    let mut answer = server.ask(Method::GET, target, None).await?;
    let mut next = answer["nextLink"].as_str().map(str::to_owned);
    while let Some(link) = next {
        let page = server.ask(Method::GET, &reach::target_of(&link), None).await?;
        next = page["nextLink"].as_str().map(str::to_owned);
        if let (Some(all), Some(more)) = (answer["value"].as_array_mut(), page["value"].as_array()) {
            all.extend(more.iter().cloned());
        }
    }
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("nextLink");
    }
    Ok(answer)
}

/// The items of a list.
fn items(answer: &Value) -> &[Value] {
    answer["value"].as_array().map_or(&[], Vec::as_slice)
}
