//! Asks a webhook whether it wants events, before it is told any: by an event that it answers with a code (Event Grid
//! schema), or by `OPTIONS` (CloudEvents webhooks, section 4). Who does not answer may be agreed for by hand for a while.

use std::time::Duration;

use base::{Personal, ResourceId, Timestamp};
use bytes::Bytes;
use guard::hash::same;
use guard::http_signature::Outbound;
use store::StoreError;
use wire::events::{EventSchema, ValidationRequest, validation, validation_answer};

use super::deliver::{Unsigned, signed, target_uri};
use super::lane::LaneWork;
use crate::channel::webhook::{HookAnswer, HookFault, HookRequest};
use crate::service::events::{self, EventSigner, Route, Standing, SubscriptionRow, Subscriptions};

/// For how long somebody may agree in a webhook's place (Event Grid: 5 to 10 minutes).
pub const BY_HAND: Duration = Duration::from_secs(600);
/// After how long a webhook that could not be reached is asked again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is asked.
const ASKED_AT_MOST: u8 = 3;
/// In whose name CloudEvents webhooks are asked: that of Event Grid, which is what they were written for.
const ORIGIN: &str = "eventgrid.azure.net";
/// How many requests a minute are announced to CloudEvents webhooks.
const RATE: &str = "120";

/// What a webhook said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// It wants them.
    Yes,
    /// It took the question and did not answer it.
    Later,
    /// It does not want them, or could not be reached.
    No,
}

/// Does what is next in a handshake. Returns how long there is nothing to do.
pub(super) async fn step(work: &LaneWork, route: &Route) -> Result<Duration, StoreError> {
    let now = work.state.clock.now();
    let row = &route.row;
    match row.standing {
        Standing::Succeeded | Standing::Failed => Ok(BY_HAND),
        Standing::AwaitingManualAction => {
            let passed = now.distance(row.since);
            if passed > BY_HAND {
                record(work, route, |row| row.standing = Standing::Failed).await?;
            }
            Ok(BY_HAND.saturating_sub(passed) + Duration::from_millis(1))
        }
        Standing::Creating | Standing::Updating => {
            if row.asked == 0 {
                // Counted before it is asked: who is quick may agree by hand before the answer is recorded.
                record(work, route, |row| row.asked = 1).await?;
                return Ok(Duration::ZERO);
            }
            let said = ask(work, route, now).await?;
            let again = said == Said::No && row.asked < ASKED_AT_MOST;
            if again {
                tokio::time::sleep(AGAIN).await;
            }
            record(work, route, |row| match said {
                Said::Yes => {
                    row.standing = Standing::Succeeded;
                    row.was_validated = true;
                }
                Said::Later => row.standing = Standing::AwaitingManualAction,
                Said::No if again => row.asked += 1,
                Said::No => row.standing = Standing::Failed,
            })
            .await?;
            Ok(Duration::ZERO)
        }
    }
}

/// Records a step, unless somebody changed the subscription meanwhile: then that is what counts.
async fn record(
    work: &LaneWork,
    route: &Route,
    change: impl FnOnce(&mut SubscriptionRow) + Send,
) -> Result<(), StoreError> {
    let (cell, resource) = (work.resource.cell(), work.resource.id());
    let mut reader = cell.read(resource).await?;
    let found = reader.get::<Subscriptions>(&route.key).await?;
    drop(reader);
    let Some(found) = found.filter(|found| found.value == *route.row) else {
        return work.state.events.load(cell, resource).await;
    };
    let mut row = found.value;
    change(&mut row);
    let router = &work.state.events;
    match events::record_standing(cell, resource, router, route.key, found.version, &row).await {
        Err(StoreError::Conflict) => work.state.events.load(cell, resource).await,
        Ok(()) => {
            tracing::info!(
                subscription = row.name,
                standing = row.standing.name(),
                "a subscription was asked"
            );
            Ok(())
        }
        Err(fault) => Err(fault),
    }
}

async fn ask(work: &LaneWork, route: &Route, now: Timestamp) -> Result<Said, StoreError> {
    let signer = work.state.events.signer(work.resource.cell()).await?;
    let (name, code) = (&route.row.name, route.row.code.expose());
    let base = route.row.base_url.trim_end_matches('/');
    let url = format!("{base}/events/agree/{}/{name}/{code}", work.resource.name());
    let request = match route.row.body.schema {
        EventSchema::EventGrid => question(work, route, &signer, &url, now),
        EventSchema::CloudEvents => options(work, route, &signer, url, now),
    };
    let answer = work.hooks.send(request).await;
    Ok(match route.row.body.schema {
        EventSchema::EventGrid => said(answer, code),
        EventSchema::CloudEvents => allowed(answer),
    })
}

fn question(work: &LaneWork, route: &Route, signer: &EventSigner, url: &str, now: Timestamp) -> HookRequest {
    let id = ResourceId::mint(&*work.state.rng).to_string();
    let (topic, code) = (route.row.topic.as_str(), route.row.code.expose().as_str());
    let body = validation(&ValidationRequest { id: &id, topic, code, url, at: now });
    let own = vec![
        ("aeg-event-type", "SubscriptionValidation".to_owned()),
        ("aeg-subscription-name", route.row.name.to_ascii_uppercase()),
        ("aeg-delivery-count", "0".to_owned()),
        ("aeg-data-version", "2".to_owned()),
        ("aeg-metadata-version", "1".to_owned()),
    ];
    let media = EventSchema::EventGrid.media_type();
    signed(signer, &work.state, now, Unsigned { url: &route.row.body.endpoint, media, own, body })
}

fn options(work: &LaneWork, route: &Route, signer: &EventSigner, url: String, now: Timestamp) -> HookRequest {
    let endpoint = &route.row.body.endpoint;
    let covered = [("webhook-request-origin", ORIGIN)];
    let target = target_uri(endpoint);
    let outbound = Outbound { method: "OPTIONS", target_uri: target.expose(), headers: &covered, body: None };
    let made = signer.signer(now).sign(&outbound, now, &*work.state.rng);
    let headers = vec![
        ("webhook-request-origin", ORIGIN.to_owned()),
        ("webhook-request-callback", url),
        ("webhook-request-rate", RATE.to_owned()),
        ("signature-input", made.signature_input),
        ("signature", made.signature),
    ];
    let body = Personal::new(Bytes::new());
    HookRequest { method: "OPTIONS", url: endpoint.clone(), headers, body }
}

/// What the answer to the question comes to: only 200 with the code is a yes, and 200 without leaves it open.
fn said(answer: Result<HookAnswer, HookFault>, code: &str) -> Said {
    match answer {
        Ok(answer) if answer.status == 200 => match validation_answer(answer.body.expose()) {
            Some(said) if same(said.expose().as_bytes(), code.as_bytes()) => Said::Yes,
            Some(_) => Said::No,
            None => Said::Later,
        },
        _ => Said::No,
    }
}

/// What the answer to `OPTIONS` comes to: the header decides; that it answered well is no consent yet.
fn allowed(answer: Result<HookAnswer, HookFault>) -> Said {
    let Ok(answer) = answer else { return Said::No };
    let origins = answer.headers.get_all("webhook-allowed-origin").iter().filter_map(|one| one.to_str().ok());
    let agrees = origins.flat_map(|list| list.split(',')).map(str::trim);
    let mut agrees = agrees.filter(|origin| *origin == "*" || origin.eq_ignore_ascii_case(ORIGIN));
    match (answer.status, agrees.next()) {
        (200..=299, Some(_)) => Said::Yes,
        (200..=299, None) => Said::Later,
        _ => Said::No,
    }
}

#[cfg(test)]
mod tests {
    use ::http::HeaderMap;

    use super::*;

    fn answer(
        status: u16,
        body: &'static str,
        origin: Option<&'static str>,
    ) -> Result<HookAnswer, HookFault> {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert("WebHook-Allowed-Origin", ::http::HeaderValue::from_static(origin));
        }
        Ok(HookAnswer { status, headers, body: Personal::new(Bytes::from_static(body.as_bytes())) })
    }

    #[test]
    fn only_200_with_the_code_is_a_yes() {
        let yes = r#"{"validationResponse":"C0DE"}"#;
        assert_eq!(said(answer(200, yes, None), "C0DE"), Said::Yes);
        assert_eq!(said(answer(200, "ok", None), "C0DE"), Said::Later);
        assert_eq!(said(answer(200, yes, None), "OTHER"), Said::No);
        assert_eq!(said(answer(202, yes, None), "C0DE"), Said::No);
        assert_eq!(said(answer(500, yes, None), "C0DE"), Said::No);
        assert_eq!(said(Err(HookFault::TimedOut), "C0DE"), Said::No);
    }

    #[test]
    fn cloud_events_webhooks_agree_by_their_header() {
        assert_eq!(allowed(answer(200, "", Some("eventgrid.azure.net"))), Said::Yes);
        assert_eq!(allowed(answer(204, "", Some("*"))), Said::Yes);
        assert_eq!(allowed(answer(200, "", Some("example.org, EventGrid.azure.net"))), Said::Yes);
        assert_eq!(allowed(answer(200, "", Some("example.org"))), Said::Later);
        assert_eq!(allowed(answer(200, "", None)), Said::Later);
        assert_eq!(allowed(answer(405, "", Some("*"))), Said::No);
        assert_eq!(allowed(Err(HookFault::Socket)), Said::No);
    }
}
