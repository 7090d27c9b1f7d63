//! `chancery outbox rules`: which addresses and numbers fail in a development server, and how.

use std::process::ExitCode;

use ::http::Method;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::reach::Server;
use super::{CliError, Reach, Table, show, text, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery outbox rules list --data ./data\n  \
    chancery outbox rules add '*@busy.example' throttle --times 3 --data ./data\n  \
    chancery outbox rules add '+1425*' slow --seconds 10 --data ./data\n  \
    chancery outbox rules remove '*@busy.example' --data ./data\n\n\
    Without any rule: bounce@, refuse@, slow@, throttle@, lose-receipt@ and fail-receipt@ do so at any domain, and numbers\n\
    that end with 555-0191 to 555-0196, in the same order.";

const ACTIONS: [&str; 6] = ["bounce", "refuse", "slow", "throttle", "lose-receipt", "fail-receipt"];

/// Which addresses and numbers fail, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Rules {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All rules, in the order in which they are looked at.
    List(List),
    /// One more rule, before those there are.
    Add(Add),
    /// Take rules away.
    Remove(Remove),
}

#[derive(Debug, Args)]
struct List {
    /// Of this resource. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Add {
    /// An address or a number; * stands for anything.
    pattern: String,
    /// What happens.
    #[arg(value_parser = PossibleValuesParser::new(ACTIONS))]
    action: String,
    /// How long it takes, for slow.
    #[arg(long)]
    seconds: Option<u32>,
    /// How often it is put off, for throttle.
    #[arg(long)]
    times: Option<u32>,
    /// The SMTP reply code, or for a number the SMPP command status, of bounce and refuse.
    #[arg(long)]
    code: Option<u32>,
    /// Of this resource. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Remove {
    /// The address or number of the rule, as `list` shows it.
    #[arg(required_unless_present = "all")]
    pattern: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
    /// Of this resource. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

impl Rules {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        match self.verb {
            Verb::List(List { resource, reach }) => {
                let (_, _, rules) = ask(&reach, resource.as_ref()).await?;
                show(reach.json, &rules, table)
            }
            Verb::Add(verb) => {
                let (server, target, rules) = ask(&verb.reach, verb.resource.as_ref()).await?;
                let all = std::iter::once(verb.rule()).chain(own(&rules).iter().cloned()).collect();
                put(&verb.reach, &server, &target, all).await
            }
            Verb::Remove(verb) => {
                let (server, target, rules) = ask(&verb.reach, verb.resource.as_ref()).await?;
                let own = own(&rules);
                let stays = |rule: &&Value| !verb.all && !verb.is(text(rule, "match"));
                let left: Vec<_> = own.iter().filter(stays).cloned().collect();
                if left.len() == own.len() && !verb.all {
                    return Err(CliError::NotOne { what: "rule", found: 0 });
                }
                put(&verb.reach, &server, &target, left).await
            }
        }
    }
}

impl Add {
    fn rule(&self) -> Value {
        let mut rule = json!({ "match": self.pattern, "action": self.action });
        for (name, value) in [("seconds", self.seconds), ("times", self.times), ("code", self.code)] {
            if let Some(value) = value {
                rule[name] = json!(value);
            }
        }
        rule
    }
}

impl Remove {
    fn is(&self, pattern: &str) -> bool {
        self.pattern.as_deref().is_some_and(|named| named.to_lowercase() == pattern)
    }
}

async fn ask(reach: &Reach, resource: Option<&String>) -> Result<(Server, String, Value), CliError> {
    let server = reach.server()?;
    let resource = server.resource(resource).await?;
    let target = format!("/operator/resources/{resource}/outbox/rules");
    let rules = server.ask(Method::GET, &target, None).await?;
    Ok((server, target, rules))
}

async fn put(reach: &Reach, server: &Server, target: &str, rules: Vec<Value>) -> Result<ExitCode, CliError> {
    let rules = server.ask(Method::PUT, target, Some(&json!({ "rules": rules }))).await?;
    show(reach.json, &rules, table)
}

fn own(rules: &Value) -> &[Value] {
    rules["rules"].as_array().map_or(&[], Vec::as_slice)
}

fn table(rules: &Value) -> String {
    let mut table = Table::new(&["ADDRESS OR NUMBER", "ACTION", "SECONDS", "TIMES", "CODE", ""]);
    let built_in = rules["builtIn"].as_array().map_or(&[][..], Vec::as_slice);
    let all = own(rules).iter().map(|rule| (rule, "")).chain(built_in.iter().map(|rule| (rule, "built in")));
    for (rule, from) in all {
        let of = |action: &str, name: &str| {
            if text(rule, "action") == action { word(rule, name) } else { String::new() }
        };
        table.row([
            word(rule, "match"),
            word(rule, "action"),
            of("slow", "seconds"),
            of("throttle", "times"),
            word(rule, "code"),
            from.to_owned(),
        ]);
    }
    table.text("There is no rule.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_those_of_the_wire() {
        assert_eq!(wire::outbox::Action::ALL.map(wire::outbox::Action::name), ACTIONS);
    }

    #[test]
    fn the_table_shows_what_matters_of_each() {
        let rules = json!({
            "rules": [{ "match": "a@*", "action": "slow", "seconds": 9, "times": 1 }],
            "builtIn": [{ "match": "bounce@*", "action": "bounce", "seconds": 5, "times": 1, "code": 552 }],
        });
        let shown = table(&rules);
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[1].starts_with("a@*") && lines[1].ends_with('9'), "{shown}");
        let last: Vec<_> = lines[2].split_whitespace().collect();
        assert_eq!(last, ["bounce@*", "bounce", "552", "built", "in"]);
    }
}
