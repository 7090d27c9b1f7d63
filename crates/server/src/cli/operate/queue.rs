//! `chancery queue`: what waits to leave the house.

use std::process::ExitCode;
use std::time::Duration;

use ::http::Method;
use base::{Clock, SystemClock};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::progress::Bar;
use super::{CliError, Reach, Table, items, show, text, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery queue list --data ./data\n  \
    chancery queue pause --config chancery.toml --kind mail      nothing more leaves, everything is still accepted\n  \
    chancery queue resume --config chancery.toml --kind mail\n  \
    chancery queue drain --config chancery.toml --timeout 600    try all at once, and wait until nothing waits";

/// How often a draining queue is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Look at what waits to be delivered, pause it, or empty it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Queue {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// How much waits, for each resource and kind.
    List(List),
    /// Let nothing more leave; what is under way ends.
    Pause(Change),
    /// Let it leave again.
    Resume(Change),
    /// Try at once what was put off, and wait until nothing waits.
    Drain(Drain),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Mail,
    Text,
}

#[derive(Debug, Args)]
struct Choice {
    /// Of this resource alone.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// Of this kind alone.
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
}

#[derive(Debug, Args)]
struct Change {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Drain {
    #[command(flatten)]
    choice: Choice,
    /// Give up after so many seconds; ends with 1 then.
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    timeout: u64,
    #[command(flatten)]
    reach: Reach,
}

impl Choice {
    const fn kind(&self) -> Option<&'static str> {
        match self.kind {
            None => None,
            Some(Kind::Mail) => Some("mail"),
            Some(Kind::Text) => Some("text"),
        }
    }

    fn body(&self) -> Value {
        let mut body = json!({});
        if let Some(resource) = &self.resource {
            body["resource"] = json!(resource);
        }
        if let Some(kind) = self.kind() {
            body["kind"] = json!(kind);
        }
        body
    }

    fn holds(&self, line: &Value) -> bool {
        self.resource.as_ref().is_none_or(|name| text(line, "resource") == name)
            && self.kind().is_none_or(|kind| text(line, "kind") == kind)
    }
}

impl Queue {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        match self.verb {
            Verb::List(List { reach }) => {
                let listing = reach.server()?.ask(Method::GET, "/operator/queue", None).await?;
                show(reach.json, &listing, human)
            }
            Verb::Pause(change) => change.send("pause").await,
            Verb::Resume(change) => change.send("resume").await,
            Verb::Drain(drain) => drain.run().await,
        }
    }
}

impl Change {
    async fn send(&self, action: &str) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let target = format!("/operator/queue/{action}");
        let listing = server.ask(Method::POST, &target, Some(&self.choice.body())).await?;
        show(self.reach.json, &listing, human)
    }
}

impl Drain {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let begun = SystemClock.now();
        let end = begun.plus(Duration::from_secs(self.timeout));
        let mut bar = Bar::new("Draining", begun);
        let mut body = self.choice.body();
        // Trying at once is for all kinds of a resource.
        if let Some(fields) = body.as_object_mut() {
            fields.remove("kind");
        }
        server.ask(Method::POST, "/operator/queue/hurry", Some(&body)).await?;
        loop {
            let listing = server.ask(Method::GET, "/operator/queue", None).await?;
            let lines: Vec<_> = items(&listing).iter().filter(|line| self.choice.holds(line)).collect();
            let left: usize = lines.iter().map(|line| left(line)).sum();
            let paused = lines.iter().any(|line| line["paused"] == json!(true) && self::left(line) > 0);
            let now = SystemClock.now();
            bar.left(left, now);
            if left == 0 || paused || now >= end {
                bar.end();
                let answer = json!({ "left": left, "paused": paused });
                show(self.reach.json, &answer, |_| drained(left, paused))?;
                return Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn drained(left: usize, paused: bool) -> String {
    match (left, paused) {
        (0, _) => "Nothing waits.\n".to_owned(),
        (left, true) => format!("{left} wait, and some are paused: chancery queue resume lets them leave.\n"),
        (left, false) => format!("{left} still wait; chancery queue list says since when.\n"),
    }
}

fn left(line: &Value) -> usize {
    let count = |name: &str| line[name].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    count("waiting") + count("underWay")
}

fn human(listing: &Value) -> String {
    let mut table =
        Table::new(&["RESOURCE", "KIND", "WAITING", "UNDER WAY", "TRIED BEFORE", "OLDEST", "NEXT TRY", ""]);
    for line in items(listing) {
        let more = if line["more"] == json!(true) { "+" } else { "" };
        table.row([
            word(line, "resource"),
            word(line, "kind"),
            format!("{}{more}", word(line, "waiting")),
            word(line, "underWay"),
            word(line, "triedBefore"),
            word(line, "oldestOn"),
            word(line, "nextOn"),
            match (line["unreadable"] == json!(true), line["paused"] == json!(true)) {
                (true, _) => "its key is out of reach".to_owned(),
                (false, true) => "paused".to_owned(),
                (false, false) => String::new(),
            },
        ]);
    }
    table.text("This server has no resource.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, waiting: u64, paused: bool) -> Value {
        json!({ "resource": "dev", "geography": "europe", "kind": kind, "waiting": waiting, "underWay": 1,
                "triedBefore": 0, "paused": paused, "more": false })
    }

    #[test]
    fn the_list_is_a_table() {
        let listing = json!({ "value": [line("mail", 12, false), line("text", 0, true)] });
        let shown = human(&listing);
        assert!(shown.contains("dev       mail  12       1"), "{shown}");
        assert!(shown.lines().nth(2).unwrap().ends_with("paused"), "{shown}");
    }

    #[test]
    fn what_cannot_be_counted_is_said() {
        let mut unreadable = line("mail", 0, true);
        unreadable["unreadable"] = json!(true);
        let shown = human(&json!({ "value": [unreadable] }));
        assert!(shown.trim_end().ends_with("its key is out of reach"), "{shown}");
    }

    #[test]
    fn a_choice_is_told_and_heeded() {
        let choice = Choice { resource: Some("dev".into()), kind: Some(Kind::Mail) };
        assert_eq!(choice.body(), json!({ "resource": "dev", "kind": "mail" }));
        assert!(choice.holds(&line("mail", 1, false)) && !choice.holds(&line("text", 1, false)));
        let all = Choice { resource: None, kind: None };
        assert_eq!(all.body(), json!({}));
        assert!(all.holds(&line("text", 1, false)));
        assert_eq!(left(&line("mail", 12, false)), 13);
    }

    #[test]
    fn the_end_of_a_drain_says_what_to_do() {
        assert_eq!(drained(0, true), "Nothing waits.\n");
        assert!(drained(2, true).contains("queue resume") && drained(2, false).contains("queue list"));
    }
}
