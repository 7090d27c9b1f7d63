//! `chancery events`: who is told of what; subscriptions have the form that Azure Resource Manager gives them.

use std::process::ExitCode;

use ::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{CliError, Reach, Table, all, items, segment, show, text, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery events add orders --url https://localhost:5001/hook --type Microsoft.Communication.SMSReceived --data ./data\n  \
    chancery events add everything --url https://hooks.example.org/acs --schema cloudevents --data ./data\n  \
    chancery events list --data ./data\n  \
    chancery events show orders --data ./data\n  \
    chancery events dead-letters orders --data ./data --json     what could not be delivered\n  \
    chancery events remove orders --data ./data";

/// Who is told of what happens in a resource.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Events {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All subscriptions.
    List(List),
    /// One, whole.
    Show(One),
    /// A new one, or another one of the same name instead.
    Add(Add),
    /// Tell it nothing more.
    Remove(One),
    /// Events that it did not take in time.
    DeadLetters(DeadLetters),
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
struct One {
    /// Its name.
    name: String,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Args)]
struct DeadLetters {
    /// Its name.
    name: String,
    /// Delete them.
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Schema {
    /// Azure Event Grid's own.
    Eventgrid,
    /// CloudEvents 1.0.
    Cloudevents,
}

#[derive(Debug, Args)]
struct Add {
    /// Its name.
    name: String,
    /// Where events go. It must answer the handshake.
    #[arg(long)]
    url: String,
    /// Only events of this type; may be repeated.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events whose subject begins so.
    #[arg(long, value_name = "TEXT")]
    subject_begins: Option<String>,
    /// Only events whose subject ends so.
    #[arg(long, value_name = "TEXT")]
    subject_ends: Option<String>,
    /// The form of events.
    #[arg(long, value_enum, default_value_t = Schema::Eventgrid)]
    schema: Schema,
    /// How often an event is tried at most.
    #[arg(long, value_name = "COUNT")]
    attempts: Option<u16>,
    /// For how many minutes an event is tried.
    #[arg(long, value_name = "MINUTES")]
    ttl: Option<u32>,
    #[command(flatten)]
    of: Of,
}

impl Events {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        let of = match &self.verb {
            Verb::List(List { of })
            | Verb::Add(Add { of, .. })
            | Verb::DeadLetters(DeadLetters { of, .. }) => of,
            Verb::Show(one) | Verb::Remove(one) => &one.of,
        };
        let server = of.reach.server()?;
        let resource = server.resource(of.resource.as_ref()).await?;
        let base = format!("/operator/resources/{resource}/events/subscriptions");
        let json = of.reach.json;
        let target = |name: &str| format!("{base}/{}", segment(name));
        match &self.verb {
            Verb::List(_) => {
                let found = all(&server, &base).await?;
                show(json, &found, table)
            }
            Verb::Show(one) => {
                let found = server.ask(Method::GET, &target(&one.name), None).await?;
                show(json, &found, whole)
            }
            Verb::Add(add) => {
                let made = server.ask(Method::PUT, &target(&add.name), Some(&add.body())).await?;
                show(json, &made, whole)
            }
            Verb::Remove(one) => {
                server.ask(Method::DELETE, &target(&one.name), None).await?;
                show(json, &json!({ "removed": one.name }), |_| "It is told nothing more.\n".to_owned())
            }
            Verb::DeadLetters(verb) => {
                let letters = format!("{}/deadLetters", target(&verb.name));
                if verb.clear {
                    let answer = server.ask(Method::DELETE, &letters, None).await?;
                    return show(json, &answer, |answer| format!("Deleted: {}.\n", word(answer, "removed")));
                }
                show(json, &server.ask(Method::GET, &letters, None).await?, dead)
            }
        }
    }
}

impl Add {
    fn body(&self) -> Value {
        let mut filter = json!({});
        if !self.types.is_empty() {
            filter["includedEventTypes"] = json!(self.types);
        }
        for (name, value) in
            [("subjectBeginsWith", &self.subject_begins), ("subjectEndsWith", &self.subject_ends)]
        {
            if let Some(value) = value {
                filter[name] = json!(value);
            }
        }
        let mut properties = json!({
            "destination": { "endpointType": "WebHook", "properties": { "endpointUrl": self.url } },
            "filter": filter,
            "eventDeliverySchema": match self.schema {
                Schema::Eventgrid => "EventGridSchema",
                Schema::Cloudevents => "CloudEventSchemaV1_0",
            },
        });
        let mut retry = json!({});
        if let Some(attempts) = self.attempts {
            retry["maxDeliveryAttempts"] = json!(attempts);
        }
        if let Some(ttl) = self.ttl {
            retry["eventTimeToLiveInMinutes"] = json!(ttl);
        }
        if retry != json!({}) {
            properties["retryPolicy"] = retry;
        }
        json!({ "properties": properties })
    }
}

/// Where events go, without what may be a secret behind the question mark.
fn endpoint(properties: &Value) -> String {
    let inner = &properties["destination"]["properties"];
    let url = text(inner, "endpointUrl");
    if url.is_empty() { text(inner, "endpointBaseUrl").to_owned() } else { url.to_owned() }
}

fn types(properties: &Value) -> String {
    let types = word(&properties["filter"], "includedEventTypes");
    if types.is_empty() { "all".to_owned() } else { types.replace("Microsoft.Communication.", "") }
}

fn table(found: &Value) -> String {
    let mut table = Table::new(&["NAME", "STATE", "SCHEMA", "WHERE", "TYPES"]);
    for item in items(found) {
        let properties = &item["properties"];
        table.row([
            word(item, "name"),
            word(properties, "provisioningState"),
            word(properties, "eventDeliverySchema"),
            endpoint(properties),
            types(properties),
        ]);
    }
    table.text("Nobody is told of anything; `chancery events add NAME --url URL` changes that.")
}

/// Dead letters in words; what an event says is for `--json`.
fn dead(found: &Value) -> String {
    let mut table = Table::new(&["EVENT", "TYPE", "WHY", "TRIED", "LAST"]);
    for item in items(found) {
        let kind = if item["eventType"].is_null() { word(item, "type") } else { word(item, "eventType") };
        table.row([
            word(item, "id"),
            kind.replace("Microsoft.Communication.", ""),
            word(item, "deadLetterReason"),
            word(item, "deliveryAttempts"),
            word(item, "lastDeliveryAttemptTime"),
        ]);
    }
    let more = if found["hasMore"] == json!(true) { "There are more.\n" } else { "" };
    table.text("Everything was delivered.") + more
}

fn whole(item: &Value) -> String {
    let properties = &item["properties"];
    let filter = &properties["filter"];
    let retry = &properties["retryPolicy"];
    let lines = [
        ("Name", word(item, "name")),
        ("State", word(properties, "provisioningState")),
        ("Where", endpoint(properties)),
        ("Schema", word(properties, "eventDeliverySchema")),
        ("Types", types(properties)),
        ("Subject begins", word(filter, "subjectBeginsWith")),
        ("Subject ends", word(filter, "subjectEndsWith")),
        ("Attempts", word(retry, "maxDeliveryAttempts")),
        ("Minutes", word(retry, "eventTimeToLiveInMinutes")),
    ];
    let said = lines.iter().filter(|(_, value)| !value.is_empty());
    super::table::plain(&said.map(|(name, value)| format!("{name:<15} {value}\n")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        add: Add,
    }

    fn body(line: &[&str]) -> Value {
        let line = ["x", "orders", "--url", "https://localhost/h"].iter().chain(line).copied();
        Line::try_parse_from(line).unwrap().add.body()
    }

    #[test]
    fn a_subscription_has_the_form_of_azure() {
        assert_eq!(
            body(&[]),
            json!({ "properties": {
                "destination": { "endpointType": "WebHook", "properties": { "endpointUrl": "https://localhost/h" } },
                "filter": {}, "eventDeliverySchema": "EventGridSchema" } })
        );
        let full = body(&[
            "--type",
            "A",
            "--type",
            "B",
            "--subject-begins",
            "phonenumber/",
            "--schema",
            "cloudevents",
            "--attempts",
            "3",
            "--ttl",
            "60",
        ]);
        let properties = &full["properties"];
        assert_eq!(
            properties["filter"],
            json!({ "includedEventTypes": ["A", "B"], "subjectBeginsWith": "phonenumber/" })
        );
        assert_eq!(properties["eventDeliverySchema"], "CloudEventSchemaV1_0");
        assert_eq!(
            properties["retryPolicy"],
            json!({ "maxDeliveryAttempts": 3, "eventTimeToLiveInMinutes": 60 })
        );
    }

    #[test]
    fn a_subscription_is_shown_in_words() {
        let item = json!({ "name": "orders", "properties": { "provisioningState": "Succeeded",
            "destination": { "properties": { "endpointBaseUrl": "https://localhost/h" } },
            "filter": { "includedEventTypes": ["Microsoft.Communication.SMSReceived"] } } });
        let shown = whole(&item);
        assert!(shown.contains("Types           SMSReceived\n") && !shown.contains("Subject"), "{shown}");
        assert!(table(&json!({ "value": [item] })).contains("https://localhost/h"));
    }
}
