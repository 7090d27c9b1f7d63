//! The run `queue-crash`: thousands of mails or texts are accepted while the queue is paused; then it goes out, and the
//! server is killed again and again in the middle of it. In the end each of them must have exactly one final status, and the
//! peer must have each at least once; twice at most as often as something was under way when the server was killed.

mod outcome;
mod peer;

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Clock, SystemClock};
use guard::signature::sign_request;
use serde_json::Value;

use self::outcome::Outcome;
use self::peer::Peer;
use crate::args::QueueCrashArgs;
use crate::error::{Error, Result};
use crate::host::{Host, Running};
use crate::measure::Stopwatch;
use crate::net::api::{Resource, read};
use crate::net::client::Connection;
use crate::net::request::{Method, build};
use crate::report;

/// How long everything may take to go out after the last kill.
const MOST: Duration = Duration::from_secs(300);
/// How long the queue may take from one kill to the next.
const LEG: Duration = Duration::from_secs(120);
/// How often the peer's count is looked at.
const POLL: Duration = Duration::from_millis(1);

/// Runs it; whether nothing was lost and no more came twice than may.
pub(crate) async fn run(args: &QueueCrashArgs) -> Result<bool> {
    if args.messages == 0 {
        return Err(Error::Usage("--messages must be at least 1".into()));
    }
    let host = Host::new(&args.common).await?;
    let peer = Peer::start(args).await?;
    let mut server = host.fresh_server()?;
    server.argue(peer.arguments());
    let mut running = server.start().await?;
    operate(&running, "pause").await?;
    let accepted = accept(&running, &peer, args.messages).await?;
    if peer.count() > 0 {
        return Err(Error::Server("the queue is paused, and yet something reached the peer".into()));
    }
    operate(&running, "resume").await?;
    let mut kills_at = Vec::with_capacity(args.kills);
    for kill in 1..=args.kills {
        until(&peer, args.messages * kill / (args.kills + 1)).await?;
        running.kill()?;
        kills_at.push(peer.count());
        report::note(&format!("{} accepted, {} at the peer: killed", accepted.len(), peer.count()));
        running = server.start().await?;
    }
    let statuses = settle(&running, &peer, &accepted).await?;
    running.stop().await?;
    let outcome = Outcome::judge(&accepted, kills_at, statuses, &peer.taken(), peer.under_way());
    if args.common.json {
        report::print_json(&outcome)?;
    } else {
        report::print(&outcome.text(peer.what()));
    }
    Ok(outcome.good())
}

/// Something that was accepted: its number, and the id by which it is asked for.
type Accepted = (u64, String);

/// Waits until the peer has so many.
async fn until(peer: &Peer, count: usize) -> Result<()> {
    let watch = Stopwatch::start();
    while peer.count() < count {
        if watch.elapsed() > LEG {
            return Err(Error::Timeout("the queue"));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Pauses or resumes the whole queue.
async fn operate(running: &Running, verb: &str) -> Result<()> {
    let bearer = format!("Bearer {}", running.admin_token()?);
    let target = format!("/operator/queue/{verb}");
    let headers = [("authorization", bearer.as_str())];
    let request = build(Method::Post, &target, &running.default.host, &headers, b"{}");
    running.default.connect().await?.exchange(&request).await?.expect("pause or resume the queue", 200)?;
    Ok(())
}

/// Has `count` of them accepted over one connection.
async fn accept(running: &Running, peer: &Peer, count: usize) -> Result<Vec<Accepted>> {
    let from = peer.sender(running)?;
    let mut connection = running.resource.endpoint.connect().await?;
    let mut accepted = Vec::with_capacity(count);
    for number in 1..=count as u64 {
        let body = peer.body(&from, number).to_string();
        let request = signed(&running.resource, Method::Post, peer.target(), body.as_bytes());
        let doing = "have it accepted";
        let answer: Value = read(doing, connection.exchange(&request).await?.expect(doing, 202)?)?;
        let id = peer.id(&answer).ok_or_else(|| Error::Server(format!("no id in {answer}")))?;
        accepted.push((number, id.to_owned()));
    }
    Ok(accepted)
}

/// Waits until each has ended; how many ended how.
async fn settle(running: &Running, peer: &Peer, accepted: &[Accepted]) -> Result<BTreeMap<String, usize>> {
    let watch = Stopwatch::start();
    let mut connection = running.resource.endpoint.connect().await?;
    let mut statuses = BTreeMap::new();
    for (_, id) in accepted {
        let status = loop {
            let found = ask(&running.resource, &mut connection, peer, id).await?;
            if let Some(status) = found {
                break status;
            }
            if watch.elapsed() > MOST {
                return Err(Error::Timeout("the end of every message"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        *statuses.entry(status).or_default() += 1;
    }
    Ok(statuses)
}

/// The final status of one, if it has it yet.
async fn ask(
    resource: &Resource,
    connection: &mut Connection,
    peer: &Peer,
    id: &str,
) -> Result<Option<String>> {
    let request = signed(resource, Method::Get, &peer.status_target(id), b"");
    let doing = "ask for a status";
    let answer = connection.exchange(&request).await?;
    // A text has no report before it has ended.
    if answer.status == 404 && peer.unknown_is_pending() {
        return Ok(None);
    }
    let found: Value = read(doing, answer.expect(doing, 200)?)?;
    Ok(peer.final_status(&found).map(str::to_owned))
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
