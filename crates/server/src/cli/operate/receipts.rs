//! `chancery receipts`: what was deleted, shown and checked.

use std::path::PathBuf;
use std::process::ExitCode;

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::{CliError, Reach, Table, all, items, segment, show, text};
use crate::cli::say;
use crate::service::receipts;

const EXAMPLES: &str = "Examples:\n  \
    chancery receipts list contoso --config chancery.toml\n  \
    chancery receipts list contoso --json > receipts.json\n  \
    chancery receipts keys --geography europe --json > keys.json\n  \
    chancery receipts verify --keys keys.json receipt.txt\n\n\
    A receipt is a JWS (RFC 7515, ES256), the keys are a JWK set: any library for these can check it too.";

/// Receipts of deletions: what, when, by whom, why, and how much.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Receipts {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The receipts of a resource, the oldest first.
    List(List),
    /// The public keys that receipts are checked with.
    Keys(Keys),
    /// Check receipts, one to a line, without asking a server.
    Verify(Verify),
}

#[derive(Debug, Args)]
struct List {
    /// The resource.
    resource: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Keys {
    /// Of which geography; not needed where there is one.
    #[arg(long)]
    geography: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Verify {
    /// The keys, as `chancery receipts keys --json` told them.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The receipts.
    #[arg(value_name = "FILE")]
    receipts: PathBuf,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Receipts {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        match self.verb {
            Verb::List(List { resource, reach }) => {
                let target = format!("/operator/resources/{}/receipts", segment(&resource));
                let found = all(&reach.server()?, &target).await?;
                show(reach.json, &found, human)
            }
            Verb::Keys(Keys { geography, reach }) => {
                let server = reach.server()?;
                let geography = segment(&server.geography(geography.as_ref()).await?);
                let target = format!("/operator/cells/{geography}/receiptKeys");
                let keys = server.ask(Method::GET, &target, None).await?;
                show(true, &keys, |_| String::new())
            }
            Verb::Verify(verify) => verify.run(),
        }
    }
}

impl Verify {
    fn run(self) -> Result<ExitCode, CliError> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|fault| CliError::File { path: path.clone(), fault })
        };
        let keys: Value = serde_json::from_str(&read(&self.keys)?).unwrap_or_default();
        let (mut said, mut bad) = (String::new(), 0);
        let text = read(&self.receipts)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        for (at, line) in lines.enumerate() {
            let number = at + 1;
            match receipts::read(&keys, line) {
                Some(payload) if self.json => said.push_str(&format!("{payload}\n")),
                Some(payload) => said.push_str(&format!("{number}: genuine. {}\n", sentence(&payload))),
                None => {
                    bad += 1;
                    said.push_str(&format!("{number}: NOT genuine: none of these keys signed it.\n"));
                }
            }
        }
        if said.is_empty() {
            said = format!("There is no receipt in {}.\n", self.receipts.display());
            bad = 1;
        }
        say(&said)?;
        Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Who asked, in words.
fn who(receipt: &Value) -> String {
    let by = &receipt["askedBy"];
    match text(by, "kind") {
        "user" => text(by, "id").to_owned(),
        "accessKey" => format!("access key {}", by["index"].as_u64().unwrap_or_default() + 1),
        other => other.to_owned(),
    }
}

fn sentence(receipt: &Value) -> String {
    let deleted = &receipt["deleted"];
    format!(
        "{} {} of resource {}: asked on {} by {} ({}), complete on {}; {} keys destroyed, {} rows removed.",
        text(deleted, "kind"),
        text(deleted, "id"),
        text(receipt, "resource"),
        text(receipt, "askedOn"),
        who(receipt),
        text(receipt, "operation"),
        text(receipt, "completedOn"),
        receipt["keysDestroyed"],
        receipt["rowsRemoved"],
    )
}

fn human(found: &Value) -> String {
    let mut table =
        Table::new(&["ASKED ON", "COMPLETE ON", "KIND", "KEYS", "ROWS", "OPERATION", "BY", "WHAT"]);
    for one in items(found) {
        table.row([
            text(one, "askedOn").to_owned(),
            text(one, "completedOn").to_owned(),
            text(&one["deleted"], "kind").to_owned(),
            one["keysDestroyed"].to_string(),
            one["rowsRemoved"].to_string(),
            text(one, "operation").to_owned(),
            who(one),
            text(&one["deleted"], "id").to_owned(),
        ]);
    }
    table.text("Nothing was deleted, or its bytes are still being removed.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use guard::token::TokenSigner;
    use serde_json::json;

    #[test]
    fn a_receipt_is_checked_without_a_server() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, receipts) = (folder.path().join("keys.json"), folder.path().join("receipts"));
        let signer = TokenSigner::generate().unwrap();
        let genuine = signer.state(super::receipts::TYPE, &json!({ "deleted": { "kind": "identity" } }));
        let other = TokenSigner::generate().unwrap().state(super::receipts::TYPE, &json!({}));
        std::fs::write(&keys, json!({ "keys": [signer.jwk()] }).to_string()).unwrap();
        let verify = |text: &str| {
            std::fs::write(&receipts, text).unwrap();
            Verify { keys: keys.clone(), receipts: receipts.clone(), json: false }.run().unwrap()
        };
        assert_eq!(verify(&format!("{genuine}\n\n")), ExitCode::SUCCESS);
        for bad in [format!("{genuine}\n{other}\n"), genuine[..genuine.len() - 1].to_owned(), String::new()] {
            assert_eq!(verify(&bad), ExitCode::FAILURE, "{bad}");
        }
    }

    #[test]
    fn what_it_says_is_said_in_words() {
        let receipt = json!({
            "deleted": { "kind": "chatThread", "id": "19:a@thread.v2" }, "resource": "r",
            "askedOn": "a", "completedOn": "b", "askedBy": { "kind": "accessKey", "index": 1 },
            "operation": "chat.threads.delete", "keysDestroyed": 3, "rowsRemoved": 9,
        });
        assert_eq!(
            sentence(&receipt),
            "chatThread 19:a@thread.v2 of resource r: asked on a by access key 2 (chat.threads.delete), \
             complete on b; 3 keys destroyed, 9 rows removed."
        );
        let table = human(&json!({ "value": [receipt] }));
        assert!(table.contains("19:a@thread.v2") && table.contains("access key 2"), "{table}");
    }
}
