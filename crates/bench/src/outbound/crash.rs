//! The run `queue-crash`: mails are accepted faster than the peer gets them, the server is killed again and again while they
//! go out, and in the end each of them must have exactly one final status, and the peer each mail at least once; twice at
//! most as often as something was under way when the server was killed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base::{Clock, SystemClock};
use guard::signature::sign_request;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::strict_sink::StrictSink;
use crate::args::QueueCrashArgs;
use crate::error::{Error, Result};
use crate::host::{Host, Running};
use crate::measure::Stopwatch;
use crate::net::api::{Resource, read};
use crate::net::request::{Method, build};
use crate::report;

/// How long everything may take to go out after the last kill.
const MOST: Duration = Duration::from_secs(180);
/// The version of the mail operations.
const VERSION: &str = "2025-09-01";

/// What is known of the mails that were accepted.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    accepted: usize,
    kills: usize,
    statuses: BTreeMap<String, usize>,
    /// The peer never got them.
    lost: usize,
    /// The peer got them more than once.
    twice: usize,
    /// What may have been under way at the kills.
    window: usize,
}

#[derive(Deserialize)]
struct Operation {
    status: String,
}

/// Runs it; whether nothing was lost and no more came twice than may.
pub(crate) async fn run(args: &QueueCrashArgs) -> Result<bool> {
    let host = Host::new(&args.common).await?;
    let sink = StrictSink::start().await?;
    let mut server = host.fresh_server()?;
    server.argue(["--mail".to_owned(), format!("smtp://127.0.0.1:{}", sink.port)]);
    let mut running = server.start().await?;
    let mut accepted = Vec::new();
    let mut kills = 0;
    let each = (args.mails / args.kills.max(1)).max(1);
    let mut number = 0_u64;
    while accepted.len() < args.mails {
        // What is sent while the server is killed may or may not be accepted: only what was answered counts.
        let batch = accept(&running, &mut number, each.min(args.mails - accepted.len())).await?;
        accepted.extend(batch);
        report::note(&format!("{} accepted, {} at the peer: killing", accepted.len(), sink.taken().len()));
        running.kill()?;
        kills += 1;
        running = server.start().await?;
    }
    let statuses = settle(&running, &accepted).await?;
    running.stop().await?;
    let taken = sink.taken();
    let outcome = judge(&accepted, kills, statuses, &taken, args.sessions);
    if args.common.json {
        report::print_json(&outcome)?;
    } else {
        report::print(&outcome.text());
    }
    Ok(outcome.good())
}

/// Has `count` mails accepted over one connection; their numbers and ids.
async fn accept(running: &Running, number: &mut u64, count: usize) -> Result<Vec<(u64, String)>> {
    let resource = &running.resource;
    let sender = format!("donotreply@{}", running.mail_domain()?);
    let mut connection = resource.endpoint.connect().await?;
    let mut accepted = Vec::with_capacity(count);
    for _ in 0..count {
        *number += 1;
        let body = json!({
            "senderAddress": sender,
            "recipients": { "to": [{ "address": format!("r{number}@sink.example") }] },
            "content": { "subject": format!("number {number}"), "plainText": "a letter" },
        });
        let target = format!("/emails:send?api-version={VERSION}");
        let request = signed(resource, Method::Post, &target, body.to_string().as_bytes());
        let doing = "send a mail";
        #[derive(Deserialize)]
        struct Made {
            id: String,
        }
        let made: Made = read(doing, connection.exchange(&request).await?.expect(doing, 202)?)?;
        accepted.push((*number, made.id));
    }
    Ok(accepted)
}

/// Waits until every operation has ended; how many ended how.
async fn settle(running: &Running, accepted: &[(u64, String)]) -> Result<BTreeMap<String, usize>> {
    let (watch, resource) = (Stopwatch::start(), &running.resource);
    let mut connection = resource.endpoint.connect().await?;
    let mut statuses = BTreeMap::new();
    for (_, id) in accepted {
        loop {
            let target = format!("/emails/operations/{id}?api-version={VERSION}");
            let request = signed(resource, Method::Get, &target, b"");
            let doing = "ask for the status of a mail";
            let found: Operation = read(doing, connection.exchange(&request).await?.expect(doing, 200)?)?;
            if found.status != "Running" && found.status != "NotStarted" {
                *statuses.entry(found.status).or_default() += 1;
                break;
            }
            if watch.elapsed() > MOST {
                return Err(Error::Timeout("the end of every mail"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(statuses)
}

fn signed(resource: &Resource, method: Method, target: &str, body: &[u8]) -> Vec<u8> {
    let host = &resource.endpoint.host;
    let signed = sign_request(&resource.key, method.name(), target, host, SystemClock.now(), body);
    let headers = [
        ("x-ms-date", signed.date.as_str()),
        ("x-ms-content-sha256", signed.content_sha256.as_str()),
        ("authorization", signed.authorization.as_str()),
    ];
    build(method, target, host, &headers, body)
}

fn judge(
    accepted: &[(u64, String)],
    kills: usize,
    statuses: BTreeMap<String, usize>,
    taken: &HashMap<u64, u32>,
    sessions: usize,
) -> Outcome {
    let times = |number: &u64| taken.get(number).copied().unwrap_or(0);
    Outcome {
        accepted: accepted.len(),
        kills,
        statuses,
        lost: accepted.iter().filter(|(number, _)| times(number) == 0).count(),
        twice: accepted.iter().filter(|(number, _)| times(number) > 1).count(),
        window: kills * sessions,
    }
}

impl Outcome {
    fn good(&self) -> bool {
        let ended = self.statuses.get("Succeeded").copied().unwrap_or(0);
        self.lost == 0 && self.twice <= self.window && ended == self.accepted
    }

    fn text(&self) -> String {
        let statuses: Vec<String> =
            self.statuses.iter().map(|(name, count)| format!("{count} {name}")).collect();
        format!(
            "{} mails accepted, {} kills; final statuses: {}; {} lost; {} came twice (at most {} may: what was under way)",
            report::count(self.accepted as u64),
            self.kills,
            statuses.join(", "),
            self.lost,
            self.twice,
            self.window
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(taken: &[(u64, u32)], succeeded: usize) -> Outcome {
        let accepted: Vec<_> = (1..=3).map(|n| (n, n.to_string())).collect();
        let statuses = BTreeMap::from([("Succeeded".to_owned(), succeeded)]);
        judge(&accepted, 1, statuses, &taken.iter().copied().collect(), 1)
    }

    #[test]
    fn lost_and_doubled_mails_are_told_apart() {
        assert!(outcome(&[(1, 1), (2, 1), (3, 1)], 3).good());
        assert!(outcome(&[(1, 1), (2, 2), (3, 1), (9, 1)], 3).good(), "one was under way");
        let lost = outcome(&[(1, 1), (2, 1)], 3);
        assert!(!lost.good() && lost.lost == 1);
        assert!(!outcome(&[(1, 2), (2, 2), (3, 1)], 3).good(), "more than was under way");
        assert!(!outcome(&[(1, 1), (2, 1), (3, 1)], 2).good(), "one without a final status");
    }
}
