//! `chancery access-keys`: the two keys that sign requests of a resource.

use std::process::ExitCode;

use ::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{CliError, Reach, Table, items, segment, show, text, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery access-keys list contoso --config chancery.toml\n  \
    chancery access-keys regenerate contoso --key secondary --config chancery.toml\n\n\
    To change both without a failed request: regenerate the secondary, give it to all clients, regenerate the primary.";

/// Look at the access keys of a resource, and make them anew.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct AccessKeys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// How old each is, and when it was last used. The keys themselves are not shown.
    List(List),
    /// Make one anew, and print it. The former one is refused from the next request on.
    Regenerate(Regenerate),
}

#[derive(Debug, Args)]
struct List {
    /// The resource.
    resource: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    Primary,
    Secondary,
}

#[derive(Debug, Args)]
struct Regenerate {
    /// The resource.
    resource: String,
    /// Which of the two.
    #[arg(long)]
    key: Which,
    #[command(flatten)]
    reach: Reach,
}

impl AccessKeys {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        match self.verb {
            Verb::List(List { resource, reach }) => {
                let target = format!("/operator/resources/{}/accessKeys", segment(&resource));
                let keys = reach.server()?.ask(Method::GET, &target, None).await?;
                show(reach.json, &keys, human)
            }
            Verb::Regenerate(Regenerate { resource, key, reach }) => {
                let target = format!("/operator/resources/{}/accessKeys:regenerate", segment(&resource));
                let name = match key {
                    Which::Primary => "primary",
                    Which::Secondary => "secondary",
                };
                let made = reach.server()?.ask(Method::POST, &target, Some(&json!({ "key": name }))).await?;
                show(reach.json, &made, |made| format!("{}\n", text(made, "value")))
            }
        }
    }
}

fn human(keys: &Value) -> String {
    let mut table = Table::new(&["KEY", "SINCE", "AGE (DAYS)", "LAST USED"]);
    for key in items(keys) {
        let used = word(key, "lastUsed");
        let used = if used.is_empty() { "never".to_owned() } else { used };
        table.row([word(key, "key"), word(key, "since"), word(key, "ageDays"), used]);
    }
    table.text("This resource has no access key.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_a_table_and_no_key_is_in_it() {
        let keys = json!({ "value": [
            { "key": "primary", "since": "2026-11-23T08:00:00Z", "ageDays": 4, "lastUsed": "2026-11-27T08:00:00Z" },
            { "key": "secondary", "since": "2026-11-23T08:00:00Z", "ageDays": 4, "lastUsed": null },
        ] });
        let shown = human(&keys);
        assert!(
            shown.contains("primary    2026-11-23T08:00:00Z  4           2026-11-27T08:00:00Z"),
            "{shown}"
        );
        assert!(shown.trim_end().ends_with("never"), "{shown}");
    }
}
