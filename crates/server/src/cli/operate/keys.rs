//! `chancery keys`: who holds the keys above what is stored, and new ones.

use std::process::ExitCode;
use std::time::Duration;

use ::http::Method;
use base::{Clock, SystemClock, Timestamp};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::progress::Bar;
use super::reach::Server;
use super::{CliError, Reach, Table, items, segment, show, text, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery keys list --config chancery.toml\n  \
    chancery keys hand-over contoso --to contoso-key --config chancery.toml     a customer's key takes over\n  \
    chancery keys hand-over contoso --to root --config chancery.toml            and gives back\n  \
    chancery keys hand-over --cell europe --to root-2027 --config chancery.toml another root for all of a cell\n  \
    chancery keys rotate contoso --config chancery.toml                         a new key, and everything under it\n  \
    chancery keys count contoso --config chancery.toml                          what rests under which key\n  \
    chancery keys rotate-signing --cell europe --config chancery.toml           a new key for user tokens\n\n\
    Whoever holds the key above a resource's keys can end them: once it is deleted, nothing of the resource can be read\n\
    any more, by anybody, and no backup brings it back.";

/// How often a renewal is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Look at keys, hand them to another key service, and replace them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Keys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Who holds the keys of each cell and resource, their generations, and what is being renewed.
    List(List),
    /// Put keys under another key service. What they seal is not touched, and nothing stops meanwhile.
    HandOver(HandOver),
    /// Make a new key, seal what rests under the former one anew, and end that.
    Rotate(Rotate),
    /// How many rows rest under which generation of a key. Reads everything.
    Count(Count),
    /// Make a new key that signs user tokens. Tokens of the former one are accepted for as long as they live.
    RotateSigning(RotateSigning),
    /// Make a new key that signs requests to webhooks. It is published at once and signs after five and a half minutes.
    RotateWebhook(RotateWebhook),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    reach: Reach,
}

/// Whose keys.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// Those of this resource.
    resource: Option<String>,
    /// The own ones of the cell of this geography.
    #[arg(long, value_name = "GEOGRAPHY")]
    cell: Option<String>,
}

#[derive(Debug, Args)]
struct HandOver {
    #[command(flatten)]
    whose: Whose,
    /// The key service that is to hold them: a [[cell.key_service]] of the configuration, or "root".
    #[arg(long, value_name = "NAME")]
    to: String,
    /// With --cell: those of all resources whose keys this one holds.
    #[arg(long, value_name = "NAME", requires = "cell")]
    from: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    whose: Whose,
    /// Look at so many rows a second; 0: as many as it can.
    #[arg(long, value_name = "ROWS", default_value_t = 2_000)]
    rows_per_second: u32,
    /// Leave what rests under the former key there, and keep that.
    #[arg(long)]
    keep_former: bool,
    /// Do not wait until it is over.
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Count {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct RotateSigning {
    /// Of the cell of this geography.
    #[arg(long, value_name = "GEOGRAPHY")]
    cell: String,
    /// End the former keys now: every user token there is is refused, and each user needs a new one. For a key that
    /// somebody else may have.
    #[arg(long)]
    at_once: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct RotateWebhook {
    /// Of the cell of this geography.
    #[arg(long, value_name = "GEOGRAPHY")]
    cell: String,
    /// End the former keys now, and sign with the new one now: receivers that keep key sets look it up again. For a key that
    /// somebody else may have.
    #[arg(long)]
    at_once: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Whose {
    fn target(&self) -> String {
        match (&self.resource, &self.cell) {
            (Some(resource), _) => format!("/operator/resources/{}/keys", segment(resource)),
            (None, cell) => format!("/operator/cells/{}/keys", segment(cell.as_deref().unwrap_or_default())),
        }
    }

    /// Whether a line of the list is meant.
    fn is(&self, line: &Value) -> bool {
        match (&self.resource, &self.cell) {
            (Some(resource), _) => text(line, "resource").eq_ignore_ascii_case(resource),
            (None, Some(cell)) => line["resource"].is_null() && text(line, "dataLocation") == cell,
            (None, None) => false,
        }
    }
}

impl Keys {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        match self.verb {
            Verb::List(List { reach }) => {
                let listing = reach.server()?.ask(Method::GET, "/operator/keys", None).await?;
                show(reach.json, &listing, human)
            }
            Verb::HandOver(verb) => verb.run().await,
            Verb::Rotate(verb) => verb.run().await,
            Verb::Count(verb) => verb.run().await,
            Verb::RotateSigning(verb) => verb.run().await,
            Verb::RotateWebhook(RotateWebhook { cell, at_once, reach }) => {
                let target = format!("/operator/cells/{}/webhookKeys:rotate", segment(&cell));
                let body = at_once.then(|| json!({ "atOnce": true }));
                let line = reach.server()?.ask(Method::POST, &target, body.as_ref()).await?;
                show(reach.json, &line, signing)
            }
        }
    }
}

impl RotateSigning {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let target = format!("/operator/cells/{}/signingKeys:rotate", segment(&self.cell));
        let body = self.at_once.then(|| json!({ "atOnce": true }));
        let line = self.reach.server()?.ask(Method::POST, &target, body.as_ref()).await?;
        // It is told as done when it is done on every node.
        let until = Timestamp::parse_iso(text(&line, "refusedEverywhereFrom"));
        let mut bar = Bar::new("Seconds until every node knows", SystemClock.now());
        while let Some(left) = until.filter(|until| *until > SystemClock.now()) {
            let now = SystemClock.now();
            let seconds = left.distance(now).as_secs_f64().ceil();
            bar.left(Duration::from_secs_f64(seconds).as_secs().try_into().unwrap_or(0), now);
            tokio::time::sleep(LOOK).await;
        }
        bar.end();
        show(self.reach.json, &line, signing)
    }
}

impl HandOver {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let mut body = json!({ "to": self.to });
        if let Some(from) = &self.from {
            body["from"] = json!(from);
        }
        let target = format!("{}:handOver", self.whose.target());
        let mut bar = Bar::new("Handing over", SystemClock.now());
        let mut handed = 0;
        loop {
            let answer = server.ask(Method::POST, &target, Some(&body)).await?;
            handed += answer["handed"].as_u64().unwrap_or(0);
            let left = answer["left"].as_u64().and_then(|left| usize::try_from(left).ok()).unwrap_or(0);
            bar.left(left, SystemClock.now());
            if left == 0 {
                bar.end();
                return show(self.reach.json, &json!({ "handed": handed }), |_| said(handed, &self.to));
            }
        }
    }
}

fn said(handed: u64, to: &str) -> String {
    match handed {
        0 => format!("{to} holds them already.\n"),
        handed => format!(
            "{handed} handed over. From now on {to} holds them: whoever deletes its key ends what they open, for good.\n\
             Write key_service = \"{to}\" under [[resource]] too where it is written, or the next start hands them back.\n"
        ),
    }
}

impl Rotate {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let body = json!({ "rowsPerSecond": self.rows_per_second, "keepFormer": self.keep_former });
        let target = format!("{}:rotate", self.whose.target());
        let line = server.ask(Method::POST, &target, Some(&body)).await?;
        if self.detach {
            return show(self.reach.json, &line, |_| {
                "Under way; chancery keys list says how far.\n".to_owned()
            });
        }
        let mut bar = Bar::new("Sealing anew", SystemClock.now());
        loop {
            let line = self.look(&server).await?;
            let renewal = &line["renewal"];
            if text(renewal, "state") != "running" {
                bar.end();
                let is_done = text(renewal, "state") == "done";
                show(self.reach.json, &line, renewed)?;
                return Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            bar.left(left(renewal), SystemClock.now());
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&self, server: &Server) -> Result<Value, CliError> {
        let listing = server.ask(Method::GET, "/operator/keys", None).await?;
        Ok(items(&listing).iter().find(|line| self.whose.is(line)).cloned().unwrap_or_default())
    }
}

/// Two passes are the least; the bar counts the tables of both.
fn left(renewal: &Value) -> usize {
    let count = |name: &str| renewal[name].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let (tables, done) = (count("tables"), count("tablesDone"));
    let passes = 2_usize.saturating_sub(count("pass"));
    (tables * passes) + tables.saturating_sub(done)
}

fn renewed(line: &Value) -> String {
    let renewal = &line["renewal"];
    if text(renewal, "state") == "damaged" {
        return format!(
            "{} rows are damaged and rest under a former key, so that is kept. `chancery keys list` shows it.\n",
            word(renewal, "rowsDamaged")
        );
    }
    format!(
        "A new key seals. {} rows were sealed anew; {} former generations ended.\n",
        word(renewal, "rowsRenewed"),
        word(renewal, "generationsEnded")
    )
}

impl Count {
    async fn run(&self) -> Result<ExitCode, CliError> {
        let server = self.reach.server()?;
        let target = format!("{}/count", self.whose.target());
        let mut bar = Bar::new("Counting", SystemClock.now());
        let mut answer = server.ask(Method::GET, &target, None).await?;
        while let Some(cursor) = answer["next"].as_str() {
            let tables =
                |name: &str| answer[name].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            bar.left(tables("tables").saturating_sub(tables("tablesDone")), SystemClock.now());
            let next = format!("{target}?cursor={}", segment(cursor));
            answer = server.ask(Method::GET, &next, None).await?;
        }
        bar.end();
        show(self.reach.json, &answer, counted)
    }
}

fn counted(answer: &Value) -> String {
    let mut table = Table::new(&["GENERATION", "ROWS"]);
    for one in answer["generations"].as_array().map_or(&[][..], Vec::as_slice) {
        table.row([word(one, "generation"), word(one, "rows")]);
    }
    table.row(["keys of threads, mails, users".to_owned(), word(answer, "rowsUnderScopeKeys")]);
    table.text("")
}

fn signing(line: &Value) -> String {
    let mut table = Table::new(&["KEY", "SIGNS FROM", "ACCEPTED UNTIL"]);
    for key in line["signingKeys"].as_array().map_or(&[][..], Vec::as_slice) {
        table.row([word(key, "kid"), word(key, "signsFrom"), word(key, "verifiesUntil")]);
    }
    table.text("This cell has no signing key.")
}

fn human(listing: &Value) -> String {
    let mut table = Table::new(&["DATA LOCATION", "RESOURCE", "HELD BY", "GENERATIONS", "STATE", "RENEWAL"]);
    for line in items(listing) {
        let resource = word(line, "resource");
        let generations = line["generations"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let generations: Vec<_> = generations.map(|one| word(one, "generation")).collect();
        let renewal = &line["renewal"];
        let renewal = match text(renewal, "state") {
            "running" => format!(
                "pass {}, table {} of {}, {} rows renewed",
                word(renewal, "pass"),
                word(renewal, "tablesDone"),
                word(renewal, "tables"),
                word(renewal, "rowsRenewed")
            ),
            "damaged" => format!("{} damaged rows", word(renewal, "rowsDamaged")),
            "done" => format!("done {}", word(renewal, "endedOn")),
            _ => String::new(),
        };
        table.row([
            word(line, "dataLocation"),
            if resource.is_empty() { "(the cell's own)".to_owned() } else { resource },
            word(line, "keyService"),
            generations.join(", "),
            word(line, "state"),
            renewal,
        ]);
    }
    table.text("This server has no keys.")
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
