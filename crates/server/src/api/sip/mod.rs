//! Handlers of the SIP area: the configuration, and the merge patch that changes it.

use ::http::StatusCode;
use wire::ApiError;
use wire::sip::{self as form, Patch, TrunkChange};

use super::Handler;
use crate::http::{Context, Reply};
use crate::service::sip::{Change, Configuration, Route, SipDesk, SipError};
use crate::service::{busy, unavailable};

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "sip.get" => |cx| Box::pin(get(cx)),
        "sip.update" => |cx| Box::pin(update(cx)),
        _ => return None,
    })
}

fn desk(cx: &Context) -> SipDesk<'_> {
    SipDesk {
        cell: cx.cell(),
        resource: cx.resource_id(),
        clock: cx.clock(),
        rng: cx.rng(),
        act: cx.act(),
        attempts: cx.limits().commit_attempts,
    }
}

fn answer(error: SipError) -> ApiError {
    match error {
        SipError::MissingTrunk => form::missing_trunk(),
        SipError::NoPort => form::bad_port(),
        SipError::TooManyTrunks => form::too_many_trunks(),
        SipError::Busy => busy(),
        SipError::Store(error) => unavailable(&error),
    }
}

fn render(configuration: Configuration) -> Reply {
    let trunks: Vec<_> =
        configuration.trunks.into_iter().map(|trunk| (trunk.fqdn.into_inner(), trunk.port)).collect();
    let routes = configuration.routes.into_iter().map(|route| form::Route {
        description: route.description.map(base::Personal::into_inner),
        name: route.name.into_inner(),
        number_pattern: route.number_pattern.into_inner(),
        trunks: route.trunks.into_iter().map(base::Personal::into_inner).collect(),
    });
    Reply::body(StatusCode::OK, form::render(&trunks, &routes.collect::<Vec<_>>()))
}

/// `GET /sip`.
async fn get(cx: &Context) -> Result<Reply, ApiError> {
    Ok(render(desk(cx).configuration().await.map_err(answer)?))
}

/// `PATCH /sip`.
async fn update(cx: &Context) -> Result<Reply, ApiError> {
    let patch = Patch::parse(&cx.body)?;
    let mut change = Change::default();
    for (name, trunk) in patch.trunks {
        match trunk {
            TrunkChange::Set(port) => change.set.push((name, port)),
            TrunkChange::Remove => change.remove.push(name),
        }
    }
    change.routes = patch.routes.map(|routes| {
        let route = |route: form::Route| Route {
            description: route.description.map(Into::into),
            name: route.name.into(),
            number_pattern: route.number_pattern.into(),
            trunks: route.trunks.into_iter().map(Into::into).collect(),
        };
        routes.into_iter().map(route).collect()
    });
    Ok(render(desk(cx).change(&change).await.map_err(answer)?))
}
