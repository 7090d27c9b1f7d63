//! `chancery suppressions`: addresses that get no more mail, why, and until when.

use std::process::ExitCode;

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::reach::Server;
use super::{CliError, Reach, Table, all, items, segment, show, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery suppressions list --data ./data\n  \
    chancery suppressions explain ada@example.org --config chancery.toml --resource contoso\n  \
    chancery suppressions add ada@example.org --until 2027-01-01T00:00:00Z --data ./data\n  \
    chancery suppressions remove ada@example.org --data ./data";

/// Addresses that a resource sends no mail to: why, since when, until when.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Suppressions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All of them.
    List(List),
    /// Why an address gets no mail.
    Explain(Explain),
    /// Send nothing more to an address.
    Add(Add),
    /// Send to it again.
    Remove(Remove),
}

#[derive(Debug, Args)]
struct Of {
    /// Of this resource. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Args)]
struct Explain {
    /// The address.
    address: String,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Args)]
struct Add {
    /// The address.
    address: String,
    /// Only for mail from this sender.
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Until then (RFC 3339); without it for good.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Args)]
struct Remove {
    /// The address, or the id of one entry as `list` shows it.
    which: String,
    #[command(flatten)]
    of: Of,
}

impl Suppressions {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        let of = match &self.verb {
            Verb::List(verb) => &verb.of,
            Verb::Explain(verb) => &verb.of,
            Verb::Add(verb) => &verb.of,
            Verb::Remove(verb) => &verb.of,
        };
        let server = of.reach.server()?;
        let resource = server.resource(of.resource.as_ref()).await?;
        let base = format!("/operator/resources/{resource}/email/suppressions");
        let json = of.reach.json;
        match &self.verb {
            Verb::List(_) => show(json, &all(&server, &base).await?, table),
            Verb::Explain(verb) => {
                let body = json!({ "address": verb.address });
                let found = server.ask(Method::POST, &format!("{base}:explain"), Some(&body)).await?;
                show(json, &found, |found| {
                    if items(found).is_empty() {
                        "Mail to this address is sent.\n".to_owned()
                    } else {
                        table(found)
                    }
                })
            }
            Verb::Add(verb) => {
                let answer = server.ask(Method::POST, &base, Some(&verb.body())).await?;
                show(json, &answer, |answer| format!("Nothing more is sent there: {}\n", word(answer, "id")))
            }
            Verb::Remove(verb) => {
                let ids = verb.ids(&server, &base).await?;
                for id in &ids {
                    server.ask(Method::DELETE, &format!("{base}/{}", segment(id)), None).await?;
                }
                show(json, &json!({ "removed": ids }), |_| "It is sent to again.\n".to_owned())
            }
        }
    }
}

impl Remove {
    /// The entries that are meant.
    async fn ids(&self, server: &Server, base: &str) -> Result<Vec<String>, CliError> {
        if !self.which.contains('@') {
            return Ok(vec![self.which.clone()]);
        }
        let body = json!({ "address": self.which });
        let found = server.ask(Method::POST, &format!("{base}:explain"), Some(&body)).await?;
        let ids: Vec<_> = items(&found).iter().map(|one| word(one, "id")).collect();
        if ids.is_empty() {
            return Err(CliError::NotOne { what: "suppression", found: 0 });
        }
        Ok(ids)
    }
}

impl Add {
    fn body(&self) -> Value {
        let mut body = json!({ "address": self.address });
        for (name, value) in [("sender", &self.sender), ("until", &self.until)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        body
    }
}

fn table(found: &Value) -> String {
    let mut table = Table::new(&["ADDRESS", "WHY", "SINCE", "UNTIL", "SENDER", "WHAT WAS SAID", "ID"]);
    for item in items(found) {
        let until = if item["until"].is_null() { "for good".to_owned() } else { word(item, "until") };
        table.row([
            word(item, "address"),
            word(item, "reason"),
            word(item, "since"),
            until,
            word(item, "sender"),
            word(item, "detail"),
            word(item, "id"),
        ]);
    }
    table.text("No address is suppressed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_why_and_until_when() {
        let found = json!({ "value": [
            { "id": "1", "address": "a@b", "reason": "HardBounce", "since": "x", "until": "y", "detail": "550 5.1.1 no" },
            { "id": "2", "address": "c@d", "reason": "Manual", "since": "x" },
        ] });
        let shown = table(&found);
        assert!(
            shown.contains("HardBounce") && shown.contains("550 5.1.1 no") && shown.contains("for good"),
            "{shown}"
        );
    }
}
