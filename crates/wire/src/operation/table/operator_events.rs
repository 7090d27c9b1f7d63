//! Subscriptions to events: in the shape of Event Grid's control plane, in the operator's plane, and what webhooks may ask
//! of anybody: the keys that sign, and to agree by hand.

use http::Method;

use super::operator::{act, look};
use crate::operation::{Access, Area, Body, Operation};

/// Subscriptions of one resource, as Azure names them.
macro_rules! arm {
    ($tail:literal) => {
        concat!(
            "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Communication",
            "/communicationServices/{communicationServiceName}/providers/Microsoft.EventGrid/eventSubscriptions",
            $tail
        )
    };
}

/// The same in the operator's plane.
macro_rules! plain {
    ($tail:literal) => {
        concat!("/operator/resources/{resource}/events/subscriptions", $tail)
    };
}

const READ: &str = "operator/events/read";
const WRITE: &str = "operator/events/write";

/// The versions of Microsoft.EventGrid whose subscriptions have this shape.
const VERSIONS: &[&str] = &["2020-06-01", "2021-12-01", "2022-06-15", "2025-02-15"];

const fn azure(mut row: Operation, success: u16) -> Operation {
    row.area = Area::Arm;
    row.versions = VERSIONS;
    row.success = success;
    row
}

const fn public(name: &'static str, path: &'static str) -> Operation {
    let mut row = look(name, path, "public");
    row.access = Access::Public;
    row
}

pub(super) const ROWS: &[Operation] = &[
    azure(look("arm.event_subscriptions.list", arm!(""), READ), 200),
    azure(look("arm.event_subscriptions.get", arm!("/{eventSubscriptionName}"), READ), 200),
    azure(
        act(
            Method::PUT,
            "arm.event_subscriptions.create_or_update",
            arm!("/{eventSubscriptionName}"),
            WRITE,
            Body::JSON,
        ),
        201,
    ),
    azure(
        act(
            Method::PATCH,
            "arm.event_subscriptions.update",
            arm!("/{eventSubscriptionName}"),
            WRITE,
            Body::PATCH,
        ),
        201,
    ),
    azure(
        act(
            Method::DELETE,
            "arm.event_subscriptions.delete",
            arm!("/{eventSubscriptionName}"),
            WRITE,
            Body::None,
        ),
        200,
    ),
    azure(
        act(
            Method::POST,
            "arm.event_subscriptions.get_full_url",
            arm!("/{eventSubscriptionName}/getFullUrl"),
            WRITE,
            Body::None,
        ),
        200,
    ),
    look("operator.events.list", plain!(""), READ),
    look("operator.events.get", plain!("/{eventSubscriptionName}"), READ),
    act(Method::PUT, "operator.events.put", plain!("/{eventSubscriptionName}"), WRITE, Body::JSON),
    act(Method::DELETE, "operator.events.delete", plain!("/{eventSubscriptionName}"), WRITE, Body::None),
    act(
        Method::GET,
        "operator.events.dead_letters",
        plain!("/{eventSubscriptionName}/deadLetters"),
        READ,
        Body::None,
    ),
    act(
        Method::DELETE,
        "operator.events.clear_dead_letters",
        plain!("/{eventSubscriptionName}/deadLetters"),
        WRITE,
        Body::None,
    ),
    public("events.keys", "/.well-known/http-message-signatures-directory"),
    public("events.agree", "/events/agree/{resource}/{eventSubscriptionName}/{code}"),
];
