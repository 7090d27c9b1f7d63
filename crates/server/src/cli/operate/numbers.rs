//! `chancery numbers`: the numbers a geography has.

use std::path::PathBuf;
use std::process::ExitCode;

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{CliError, Reach, Table, all, items, segment, show, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery numbers import numbers.csv --geography europe --config chancery.toml\n  \
    chancery numbers list --geography unitedstates --data ./data\n  \
    chancery numbers list --geography unitedstates --data ./data --json";

/// The longest file that is sent, in bytes: what a request may hold, with room for what JSON adds.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// The numbers that the resources of a geography can have.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Numbers {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Take the numbers of a CSV file into the inventory.
    Import(Import),
    /// The inventory, and who has which number.
    List(List),
}

#[derive(Debug, Args)]
struct Of {
    /// Of this geography. Needed where there are several.
    #[arg(long, value_name = "GEOGRAPHY")]
    geography: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Import {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    of: Of,
}

impl Numbers {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        let of = match &self.verb {
            Verb::Import(verb) => &verb.of,
            Verb::List(verb) => &verb.of,
        };
        let server = of.reach.server()?;
        let geography = server.geography(of.geography.as_ref()).await?;
        let base = format!("/operator/cells/{}/numbers", segment(&geography));
        match &self.verb {
            Verb::List(_) => show(of.reach.json, &all(&server, &base).await?, table),
            Verb::Import(verb) => {
                let body = json!({ "csv": read(&verb.file)? });
                let answer = server.ask(Method::POST, &format!("{base}:import"), Some(&body)).await?;
                show(of.reach.json, &answer, imported)
            }
        }
    }
}

fn read(path: &PathBuf) -> Result<String, CliError> {
    let fault = |fault| CliError::File { path: path.clone(), fault };
    if std::fs::metadata(path).map_err(fault)?.len() > MAX_FILE {
        return Err(fault(std::io::ErrorKind::FileTooLarge.into()));
    }
    std::fs::read_to_string(path).map_err(fault)
}

/// What became of an import, whatever the server counts.
fn imported(answer: &Value) -> String {
    let counts = answer.as_object().into_iter().flatten();
    let counts: Vec<_> = counts
        .filter(|(_, value)| value.is_number())
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    if counts.is_empty() { "Imported.\n".to_owned() } else { format!("{}\n", counts.join(", ")) }
}

fn table(found: &Value) -> String {
    // Whatever the server tells of a number, in the order in which it tells it.
    let Some(first) = items(found).first().and_then(Value::as_object) else {
        return "There are no numbers; `chancery numbers import FILE` brings some.\n".to_owned();
    };
    let names: Vec<String> = first.keys().cloned().collect();
    let mut table = Table::named(names.iter().map(|name| heading(name)).collect());
    for item in items(found) {
        table.row(names.iter().map(|name| word(item, name)));
    }
    table.text("")
}

/// `phoneNumber` as `PHONE NUMBER`.
fn heading(name: &str) -> String {
    let mut heading = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            heading.push(' ');
        }
        heading.push(letter.to_ascii_uppercase());
    }
    heading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_told_becomes_a_table() {
        let found =
            json!({ "value": [{ "number": "+15555550100", "phoneNumberType": "geographic", "cost": 1.5 }] });
        let shown = table(&found);
        assert!(
            shown.contains("PHONE NUMBER TYPE") && shown.contains("+15555550100") && shown.contains("1.5"),
            "{shown}"
        );
        assert!(table(&json!({ "value": [] })).contains("numbers import"));
        assert_eq!(imported(&json!({ "added": 3, "skipped": 1, "note": "x" })), "added: 3, skipped: 1\n");
        assert_eq!(imported(&Value::Null), "Imported.\n");
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        let fault = read(&PathBuf::from("/nowhere/numbers.csv")).unwrap_err();
        assert!(fault.to_string().contains("/nowhere/numbers.csv"), "{fault}");
    }
}
