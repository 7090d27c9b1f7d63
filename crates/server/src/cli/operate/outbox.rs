//! `chancery outbox`: what a development server captured instead of sending it.

use std::process::ExitCode;

use ::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::rules::Rules;
use super::table::plain;
use super::{CliError, Reach, Table, all, items, segment, show, text, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery outbox list --data ./data\n  \
    chancery outbox list --data ./data --to ada@example.org --json\n  \
    chancery outbox show 0000019d3c... --data ./data\n  \
    chancery outbox show 0000019d3c... --data ./data --raw > mail.eml\n  \
    chancery outbox rules add 'full@*' bounce --code 552 --data ./data\n  \
    chancery outbox receive --from +14255550100 --to +18335550100 STOP --data ./data\n  \
    chancery outbox clear --data ./data\n\n\
    `chancery dev` prints the address of a page that shows the same.";

/// What a development server captured instead of sending it, and the rules that make addresses fail.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Outbox {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Mail and texts, newest first.
    List(List),
    /// One of them, whole.
    Show(Show),
    /// Delete all of them.
    Clear(Clear),
    /// Which addresses and numbers fail, and how.
    Rules(Rules),
    /// Make a text come in, as from a handset.
    Receive(Receive),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Mail,
    Text,
}

#[derive(Debug, Args)]
struct List {
    /// Mail alone, or texts alone.
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// Only what went to this address or number.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Of this resource. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Show {
    /// Its id, or the beginning of it.
    id: String,
    /// A mail as it would have left, byte for byte.
    #[arg(long)]
    raw: bool,
    /// Of this resource. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Clear {
    /// Of this resource. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Receive {
    /// The handset's number.
    #[arg(long, value_name = "NUMBER")]
    from: String,
    /// A number of the resource.
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// What it says.
    text: String,
    /// Of this resource. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

impl Outbox {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        match self.verb {
            Verb::List(verb) => verb.run().await,
            Verb::Show(verb) => verb.run().await,
            Verb::Clear(verb) => verb.run().await,
            Verb::Rules(verb) => verb.run().await,
            Verb::Receive(verb) => verb.run().await,
        }
    }
}

impl List {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let resource = server.resource(self.resource.as_ref()).await?;
        let kind = self.kind.map(|kind| match kind {
            Kind::Mail => "kind=mail".to_owned(),
            Kind::Text => "kind=text".to_owned(),
        });
        let to = self.to.as_deref().map(|to| format!("recipient={}", segment(to)));
        let query: Vec<_> = [kind, to].into_iter().flatten().collect();
        let target = format!("/operator/resources/{resource}/outbox?{}", query.join("&"));
        let found = all(&server, target.trim_end_matches('?')).await?;
        show(self.reach.json, &found, table)
    }
}

fn table(found: &Value) -> String {
    let mut table = Table::new(&["ID", "WHEN", "KIND", "TO", "OUTCOME", "SUBJECT OR TEXT"]);
    for item in items(found) {
        let to = item["to"].as_array().map_or(&[][..], Vec::as_slice);
        let (first, rest) =
            (to.first().map(|to| text(to, "address")).unwrap_or_default(), to.len().saturating_sub(1));
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let says = if text(item, "subject").is_empty() { "preview" } else { "subject" };
        table.row([
            word(item, "id"),
            word(item, "at"),
            word(item, "kind"),
            format!("{first}{more}"),
            outcomes(to),
            word(item, says),
        ]);
    }
    table.text("Nothing was captured.")
}

/// What became of the recipients, each outcome once.
fn outcomes(to: &[Value]) -> String {
    let mut seen: Vec<String> = Vec::new();
    for one in to {
        let rule = text(one, "rule");
        let rule = if rule.is_empty() { String::new() } else { format!(" ({rule})") };
        let outcome = format!("{}{rule}", text(one, "outcome"));
        if !seen.contains(&outcome) {
            seen.push(outcome);
        }
    }
    seen.join(", ")
}

impl Show {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let resource = server.resource(self.resource.as_ref()).await?;
        let outbox = format!("/operator/resources/{resource}/outbox");
        let id = if self.id.len() == 32 {
            self.id.clone()
        } else {
            let found = all(&server, &outbox).await?;
            let ids = items(&found).iter().map(|item| text(item, "id"));
            let fitting: Vec<_> = ids.filter(|id| id.starts_with(&self.id)).collect();
            match fitting[..] {
                [only] => only.to_owned(),
                _ => return Err(CliError::NotOne { what: "captured item", found: fitting.len() }),
            }
        };
        let item = server.ask(Method::GET, &format!("{outbox}/{}", segment(&id)), None).await?;
        if self.raw {
            return super::super::say_bytes(&raw(&item));
        }
        show(self.reach.json, &item, whole)
    }
}

fn raw(item: &Value) -> Vec<u8> {
    use base64::Engine;
    match item["mail"]["raw"].as_str() {
        Some(raw) => base64::engine::general_purpose::STANDARD.decode(raw).unwrap_or_default(),
        None => text(&item["text"], "text").as_bytes().to_vec(),
    }
}

/// An item for people: who, what, and the text of it.
fn whole(item: &Value) -> String {
    let mut lines =
        vec![format!("Id        {}", text(item, "id")), format!("When      {}", text(item, "at"))];
    lines.push(format!("Message   {}", text(item, "messageId")));
    lines.push(format!("From      {}", text(item, "from")));
    for to in item["to"].as_array().into_iter().flatten() {
        let outcome = outcomes(std::slice::from_ref(to));
        lines.push(format!(
            "To        {}: {outcome}, attempts: {}",
            text(to, "address"),
            word(to, "attempts")
        ));
    }
    let mail = &item["mail"];
    if mail.is_null() {
        let said = &item["text"];
        lines.push(format!("Segments  {} ({})", word(said, "segments"), text(said, "encoding")));
        lines.push(format!("\n{}", text(said, "text")));
    } else {
        lines.push(format!("Subject   {}", text(item, "subject")));
        for file in mail["attachments"].as_array().into_iter().flatten() {
            let (name, media) = (text(file, "name"), text(file, "contentType"));
            lines.push(format!("Attached  {name} ({media}, {} bytes)", word(file, "size")));
        }
        let body = if text(mail, "text").is_empty() { text(mail, "html") } else { text(mail, "text") };
        lines.push(format!("\n{body}"));
    }
    plain(&format!("{}\n", lines.join("\n").trim_end()))
}

impl Clear {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let resource = server.resource(self.resource.as_ref()).await?;
        let target = format!("/operator/resources/{resource}/outbox");
        let answer = server.ask(Method::DELETE, &target, None).await?;
        show(self.reach.json, &answer, |answer| format!("Deleted: {}.\n", word(answer, "deleted")))
    }
}

impl Receive {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let resource = server.resource(self.resource.as_ref()).await?;
        let body = json!({ "from": self.from, "to": self.to, "text": self.text });
        let target = format!("/operator/resources/{resource}/outbox/receive");
        let answer = server.ask(Method::POST, &target, Some(&body)).await?;
        show(self.reach.json, &answer, |_| "The text came in.\n".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Value {
        json!({
            "id": "00aa", "kind": "mail", "at": "2026-11-23T08:00:00Z", "messageId": "m", "from": "a@dev.example",
            "to": [
                { "address": "ada@example.org", "outcome": "accepted", "attempts": 1 },
                { "address": "bounce@example.org", "outcome": "refused", "rule": "bounce", "attempts": 2 },
            ],
            "subject": "Bill", "preview": "Please", "size": 9,
            "mail": { "raw": "SGVsbG8=", "text": "Please\u{1b}[2J pay.\r\n", "attachments":
                [{ "name": "bill.pdf", "contentType": "application/pdf", "size": 4 }] },
        })
    }

    #[test]
    fn the_list_says_what_became_of_each() {
        let shown = table(&json!({ "value": [mail()] }));
        let line = shown.lines().nth(1).unwrap();
        for part in ["ada@example.org and 1 more", "accepted, refused (bounce)", "Bill"] {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(table(&json!({ "value": [] })), "Nothing was captured.\n");
    }

    #[test]
    fn an_item_is_shown_whole_and_harmless() {
        let shown = whole(&mail());
        for part in [
            "To        bounce@example.org: refused (bounce), attempts: 2",
            "Attached  bill.pdf (application/pdf, 4 bytes)",
            "Please\u{FFFD}[2J pay.",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
        assert_eq!(raw(&mail()), b"Hello");
        let text =
            json!({ "id": "1", "to": [], "text": { "text": "Hi", "segments": 1, "encoding": "gsm7" } });
        assert!(whole(&text).ends_with("Segments  1 (gsm7)\n\nHi\n"));
        assert_eq!(raw(&text), b"Hi");
    }
}
