//! `chancery domains`: the domains a resource may send mail from, their DNS records and their senders.

use std::process::ExitCode;

use ::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{CliError, Reach, Table, all, items, segment, show, text, word};

const EXAMPLES: &str = "Examples:\n  \
    chancery domains list --config chancery.toml --resource contoso\n  \
    chancery domains add mail.contoso.example --config chancery.toml --resource contoso      shows what to put into DNS\n  \
    chancery domains verify mail.contoso.example --config chancery.toml --resource contoso   looks whether it is there\n  \
    chancery domains sender mail.contoso.example newsletter --display-name 'Contoso news' --data ./data\n  \
    chancery domains rotate mail.contoso.example --data ./data                               a new DKIM key, the old one still good";

/// The domains that a resource may send mail from.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct Domains {
    #[command(subcommand)]
    verb: Verb,
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
    /// The domain.
    domain: String,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Args)]
struct Sender {
    /// The domain.
    domain: String,
    /// What stands before the @.
    username: String,
    /// The name that readers see.
    #[arg(long, value_name = "TEXT", conflicts_with = "remove")]
    display_name: Option<String>,
    /// Take the sender away.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All of them.
    List(List),
    /// One, with the records that must be in DNS.
    Show(One),
    /// One more; its records must then be put into DNS.
    Add(One),
    /// Look whether its records are in DNS.
    Verify(One),
    /// Change to a new DKIM key.
    Rotate(One),
    /// Add a sender to a domain, or take one away.
    Sender(Sender),
    /// Send nothing more from it.
    Remove(One),
}

impl Verb {
    const fn of(&self) -> &Of {
        match self {
            Self::List(List { of }) | Self::Sender(Sender { of, .. }) => of,
            Self::Show(one) | Self::Add(one) | Self::Verify(one) | Self::Rotate(one) | Self::Remove(one) => {
                &one.of
            }
        }
    }
}

impl Domains {
    pub(in super::super) async fn run(self) -> Result<ExitCode, CliError> {
        let of = self.verb.of();
        let server = of.reach.server()?;
        let resource = server.resource(of.resource.as_ref()).await?;
        let base = format!("/operator/resources/{resource}/email/domains");
        let json = of.reach.json;
        let (method, target, body) = match &self.verb {
            Verb::List(_) => return show(json, &all(&server, &base).await?, table),
            Verb::Show(one) => (Method::GET, one.path(&base, ""), None),
            Verb::Add(one) => (Method::PUT, one.path(&base, ""), Some(json!({}))),
            Verb::Verify(one) => (Method::POST, one.path(&base, ":verify"), Some(json!({}))),
            Verb::Rotate(one) => (Method::POST, one.path(&base, ":rotate"), None),
            Verb::Remove(one) => {
                server.ask(Method::DELETE, &one.path(&base, ""), None).await?;
                return show(json, &json!({ "removed": one.domain }), |_| {
                    "No mail is sent from it any more.\n".to_owned()
                });
            }
            Verb::Sender(sender) => sender.request(&base),
        };
        let answer = server.ask(method, &target, body.as_ref()).await?;
        show(json, &answer, whole)
    }
}

impl One {
    fn path(&self, base: &str, ending: &str) -> String {
        format!("{base}/{}{ending}", segment(&self.domain))
    }
}

impl Sender {
    fn request(&self, base: &str) -> (Method, String, Option<Value>) {
        let target = format!("{base}/{}/senders/{}", segment(&self.domain), segment(&self.username));
        if self.remove {
            return (Method::DELETE, target, None);
        }
        let body =
            self.display_name.as_ref().map_or_else(|| json!({}), |name| json!({ "displayName": name }));
        (Method::PUT, target, Some(body))
    }
}

fn table(found: &Value) -> String {
    let mut table = Table::new(&["DOMAIN", "VERIFIED", "SENDERS", "RECORDS MISSING"]);
    for item in items(found) {
        table.row([word(item, "name"), word(item, "verified"), senders(item), missing(item).to_string()]);
    }
    table.text("There is no domain; `chancery domains add NAME` makes one.")
}

fn senders(domain: &Value) -> String {
    let all = domain["senderUsernames"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().map(|one| text(one, "username")).collect::<Vec<_>>().join(", ")
}

fn missing(domain: &Value) -> usize {
    let all = domain["records"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().filter(|record| text(record, "status") != "Verified").count()
}

/// A domain for people. Values of records are in full, on lines of their own: they are to be copied.
fn whole(domain: &Value) -> String {
    let verified = if domain["verified"] == json!(true) { "verified" } else { "not verified yet" };
    let mut lines = vec![format!("{} is {verified}. Senders: {}.", text(domain, "name"), senders(domain))];
    for record in domain["records"].as_array().into_iter().flatten() {
        let (what, status) = (text(record, "record"), text(record, "status"));
        lines.push(format!(
            "\n{what} ({status}), a record of type {} with TTL {}:",
            text(record, "type"),
            word(record, "ttl")
        ));
        lines.push(format!("  {}", text(record, "name")));
        lines.push(format!("  {}", text(record, "value")));
    }
    if missing(domain) > 0 {
        let name = text(domain, "name");
        lines.push(format!("\nOnce they are in DNS: chancery domains verify {name}"));
    }
    super::table::plain(&format!("{}\n", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Value {
        json!({
            "name": "mail.contoso.example", "verified": false,
            "senderUsernames": [{ "username": "donotreply" }, { "username": "news" }],
            "records": [
                { "record": "SPF", "type": "TXT", "name": "mail.contoso.example", "value": "v=spf1 -all", "ttl": 3600, "status": "Verified" },
                { "record": "DKIM", "type": "TXT", "name": "s1._domainkey.mail.contoso.example", "value": "v=DKIM1; p=x", "ttl": 3600, "status": "NotStarted" },
            ],
        })
    }

    #[test]
    fn records_are_shown_to_be_copied() {
        let shown = whole(&domain());
        assert!(
            shown.contains("\n  v=DKIM1; p=x\n")
                && shown.contains("chancery domains verify mail.contoso.example"),
            "{shown}"
        );
        assert!(table(&json!({ "value": [domain()] })).contains("donotreply, news  1"));
    }

    #[test]
    fn senders_are_added_and_taken_away() {
        use clap::Parser;
        #[derive(Debug, Parser)]
        struct Line {
            #[command(flatten)]
            sender: Sender,
        }
        let of = |line: &[&str]| {
            Line::try_parse_from(std::iter::once("x").chain(line.iter().copied())).unwrap().sender
        };
        let (method, target, body) = of(&["d.example", "a/b", "--display-name", "News"]).request("/base");
        assert_eq!((method, target.as_str()), (Method::PUT, "/base/d.example/senders/a%2Fb"));
        assert_eq!(body, Some(json!({ "displayName": "News" })));
        assert_eq!(of(&["d.example", "a", "--remove"]).request("/base").0, Method::DELETE);
    }
}
