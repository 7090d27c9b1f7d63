//! `chancery numbers`: the numbers a geography has.

use std::path::PathBuf;
use std::process::ExitCode;

use ::http::Method;
use base::{Clock, SystemClock};
use clap::{Args, Subcommand};
use post::numbers::csv;
use serde_json::{Value, json};

use super::progress::Bar;
use super::reach::Server;
use super::{CliError, Reach, Table, all, items, segment, show, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery numbers import numbers.csv --geography europe --config chancery.toml\n  \
    chancery numbers list --geography unitedstates --data ./data\n  \
    chancery numbers list --geography unitedstates --data ./data --json";

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// How much of it goes in one request, in bytes: half of what a server takes, for JSON may write a character as two.
const AT_ONCE: usize = 120 * 1024;
/// What is told of numbers and of lots, in the order in which it is shown.
const COLUMNS: [&str; 14] = [
    "number",
    "status",
    "resource",
    "free",
    "kept",
    "held",
    "country",
    "type",
    "assignment",
    "calling",
    "sms",
    "areaCode",
    "cost",
    "currency",
];

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
    /// The same in lots: how many of each kind are free.
    Offers(List),
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
            Verb::List(verb) | Verb::Offers(verb) => &verb.of,
        };
        let server = of.reach.server()?;
        let geography = server.geography(of.geography.as_ref()).await?;
        let base = format!("/operator/cells/{}/numbers", segment(&geography));
        match &self.verb {
            Verb::List(_) => show(of.reach.json, &all(&server, &base).await?, table),
            Verb::Offers(_) => show(of.reach.json, &all(&server, &format!("{base}/offers")).await?, table),
            Verb::Import(verb) => {
                let answer = verb.send(&server, &format!("{base}:import")).await?;
                show(of.reach.json, &answer, imported)
            }
        }
    }
}

impl Import {
    /// Sends the file, when all of it is right, in as many requests as it takes. What came before a failure is there, and
    /// sending all of it again does no harm.
    async fn send(&self, server: &Server, target: &str) -> Result<Value, CliError> {
        let text = read(&self.file)?;
        csv::read(&text).map_err(|faults| CliError::Csv {
            path: self.file.clone(),
            faults: faults.iter().map(|fault| format!("\n  {fault}")).collect(),
        })?;
        let parts = parts(&text, AT_ONCE);
        let mut bar = Bar::new("Importing", SystemClock.now());
        let mut sums = serde_json::Map::new();
        for (at, part) in parts.iter().enumerate() {
            bar.left(parts.len() - at, SystemClock.now());
            let answer = server.ask(Method::POST, target, Some(&json!({ "csv": part }))).await?;
            for (name, value) in answer.as_object().into_iter().flatten() {
                let sum = sums.get(name).and_then(Value::as_u64);
                let sum = value.as_u64().map(|count| json!(count + sum.unwrap_or(0)));
                sums.insert(name.clone(), sum.unwrap_or_else(|| value.clone()));
            }
        }
        bar.end();
        Ok(Value::Object(sums))
    }
}

/// The text in parts of about `most` bytes, each with the line of column names. A line within quotes is none.
fn parts(text: &str, most: usize) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}');
    let (names, rest) = text.split_at(text.find('\n').map_or(text.len(), |end| end + 1));
    let mut parts = vec![names.to_owned()];
    let mut quoted = false;
    let mut record = String::new();
    for line in rest.split_inclusive('\n') {
        record.push_str(line);
        quoted ^= line.matches('"').count() % 2 == 1;
        if quoted {
            continue;
        }
        match parts.last_mut() {
            Some(part) if part.len() + record.len() <= most || part.len() == names.len() => {
                part.push_str(&record);
            }
            _ => parts.push(format!("{names}{record}")),
        }
        record.clear();
    }
    if let Some(part) = parts.last_mut() {
        part.push_str(&record);
    }
    parts
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
    // Those that some of the lines have; which ones depends on whether numbers or lots are told.
    let told = |name: &&str| items(found).iter().any(|item| !item[*name].is_null());
    let names: Vec<&str> = COLUMNS.into_iter().filter(told).collect();
    let mut table = Table::named(names.iter().map(|name| heading(name)).collect());
    for item in items(found) {
        table.row(names.iter().map(|name| word(item, name)));
    }
    table.text("There are no numbers; `chancery numbers import FILE` brings some.")
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
        let found = json!({ "value": [
            { "number": "+15555550100", "type": "geographic", "cost": "1.50", "status": "free" },
            { "number": "+15555550101", "areaCode": "555", "status": "held", "resource": "dev", "cost": "1.00" },
        ] });
        let shown = table(&found);
        assert!(
            shown.starts_with("NUMBER        STATUS  RESOURCE  TYPE        AREA CODE  COST\n"),
            "{shown}"
        );
        assert!(shown.contains("+15555550101  held    dev                   555        1.00"), "{shown}");
        assert!(table(&json!({ "value": [] })).contains("numbers import"));
        assert_eq!(imported(&json!({ "added": 3, "skipped": 1, "note": "x" })), "added: 3, skipped: 1\n");
        assert_eq!(imported(&Value::Null), "Imported.\n");
    }

    #[test]
    fn long_files_go_in_parts_that_each_name_the_columns() {
        assert_eq!(parts("a,b\n1,2\n3,4\n", 100), ["a,b\n1,2\n3,4\n"]);
        assert_eq!(parts("a,b\n1,2\n3,4\n5,6", 12), ["a,b\n1,2\n3,4\n", "a,b\n5,6"]);
        assert_eq!(parts("\u{feff}a\n\"x\ny\"\nz\n", 4), ["a\n\"x\ny\"\n", "a\nz\n"]);
        assert_eq!(parts("a", 1), ["a"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        let fault = read(&PathBuf::from("/nowhere/numbers.csv")).unwrap_err();
        assert!(fault.to_string().contains("/nowhere/numbers.csv"), "{fault}");
    }
}
