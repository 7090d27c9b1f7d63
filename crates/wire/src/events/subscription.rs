//! Subscriptions in the shape of `Microsoft.EventGrid/eventSubscriptions`: what is asked is read into values that cannot
//! be wrong; what this server does not do is refused and never silently left out.

use base::Personal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{PREFIX, kind};
use crate::{ApiError, json};

/// The shortest name of a subscription, in characters (Event Grid: 3).
pub const MIN_NAME: usize = 3;
/// The longest name of a subscription, in characters (Event Grid: 64).
pub const MAX_NAME: usize = 64;
/// The longest endpoint URL, in bytes.
pub const MAX_URL: usize = 2_048;
/// The longest subject filter, in bytes.
pub const MAX_FILTER: usize = 512;
/// The most labels, each at most 64 bytes.
pub const MAX_LABELS: usize = 16;
/// The most subscriptions of one resource (Event Grid: 500).
pub const MAX_SUBSCRIPTIONS: usize = 500;
/// The most attempts at an event, and the default (Event Grid: 30).
pub const MAX_ATTEMPTS: u8 = 30;
/// The longest an event may be tried, in minutes, and the default (Event Grid: 1440).
pub const MAX_TTL_MINUTES: u16 = 1_440;
/// The longest label, in bytes.
const MAX_LABEL: usize = 64;

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventSchema {
    /// The Event Grid schema.
    #[default]
    EventGrid,
    /// CloudEvents 1.0, structured mode.
    CloudEvents,
}

impl EventSchema {
    const fn name(self) -> &'static str {
        match self {
            Self::EventGrid => "EventGridSchema",
            Self::CloudEvents => "CloudEventSchemaV1_0",
        }
    }

    /// The media type of a body.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::EventGrid => "application/json; charset=utf-8",
            Self::CloudEvents => "application/cloudevents+json; charset=utf-8",
        }
    }
}

/// What a subscription asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionBody {
    /// Where events go. It may hold a secret in its query.
    pub endpoint: Personal<String>,
    /// How they are written.
    pub schema: EventSchema,
    /// Only these types, without [`PREFIX`]; `None`: all.
    pub kinds: Option<Vec<String>>,
    /// Only subjects that begin with this.
    pub begins: Personal<String>,
    /// Only subjects that end with this.
    pub ends: Personal<String>,
    /// Whether the two are compared with regard to case.
    pub is_case_sensitive: bool,
    /// Words to find it by.
    pub labels: Vec<String>,
    /// How often an event is tried, 1 to [`MAX_ATTEMPTS`].
    pub max_attempts: u8,
    /// For how long an event is tried, 1 to [`MAX_TTL_MINUTES`].
    pub ttl_minutes: u16,
}

/// A change of a subscription; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionPatch(RawProperties);

/// What is told of a subscription.
#[derive(Clone, Debug)]
pub struct SubscriptionView<'a> {
    /// Its name.
    pub name: &'a str,
    /// The resource, as an Azure resource id.
    pub topic: &'a str,
    /// `Succeeded` and so on.
    pub state: &'static str,
    /// What it asks for.
    pub body: &'a SubscriptionBody,
}

#[derive(Debug, Deserialize)]
struct Raw {
    #[serde(default)]
    properties: Option<RawProperties>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawProperties {
    destination: Option<RawDestination>,
    filter: Option<RawFilter>,
    labels: Option<Vec<String>>,
    event_delivery_schema: Option<String>,
    retry_policy: Option<RawRetry>,
    expiration_time_utc: Option<Value>,
    delivery_with_resource_identity: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDestination {
    endpoint_type: String,
    #[serde(default)]
    properties: RawEndpoint,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawEndpoint {
    endpoint_url: Option<Personal<String>>,
    max_events_per_batch: Option<u32>,
    delivery_attribute_mappings: Option<Vec<Value>>,
    azure_active_directory_tenant_id: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawFilter {
    subject_begins_with: Option<Personal<String>>,
    subject_ends_with: Option<Personal<String>>,
    included_event_types: Option<Vec<String>>,
    is_subject_case_sensitive: Option<bool>,
    advanced_filters: Option<Vec<Value>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawRetry {
    max_delivery_attempts: Option<u32>,
    event_time_to_live_in_minutes: Option<u32>,
}

/// Whether `name` can be a subscription's: letters, digits and hyphens.
///
/// # Errors
/// 400 when it cannot.
pub fn check_name(name: &str) -> Result<(), ApiError> {
    let good = (MIN_NAME..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let rule = "A subscription's name has 3 to 64 letters, digits and hyphens.";
    if good { Ok(()) } else { Err(ApiError::validation("eventSubscriptionName", rule)) }
}

impl SubscriptionBody {
    /// Reads the body of a `PUT`.
    ///
    /// # Errors
    /// 400, naming what is wrong or not to be had here.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let raw: Raw = json::parse(body)?;
        let new = Self {
            endpoint: Personal::default(),
            schema: EventSchema::default(),
            kinds: None,
            begins: Personal::default(),
            ends: Personal::default(),
            is_case_sensitive: false,
            labels: Vec::new(),
            max_attempts: MAX_ATTEMPTS,
            ttl_minutes: MAX_TTL_MINUTES,
        };
        let new = new.apply(raw.properties.unwrap_or_default())?;
        if new.endpoint.expose().is_empty() {
            return Err(ApiError::validation("properties.destination", "A destination is required."));
        }
        Ok(new)
    }

    /// The same with `patch` applied.
    ///
    /// # Errors
    /// 400, naming what is wrong or not to be had here.
    pub fn patched(&self, patch: &SubscriptionPatch) -> Result<Self, ApiError> {
        self.clone().apply(patch.0.clone())
    }

    fn apply(mut self, raw: RawProperties) -> Result<Self, ApiError> {
        if raw.expiration_time_utc.is_some() || raw.delivery_with_resource_identity.is_some() {
            let what = "expirationTimeUtc and deliveryWithResourceIdentity are not supported.";
            return Err(ApiError::validation("properties", what));
        }
        if let Some(destination) = raw.destination {
            self.endpoint = endpoint(destination)?;
        }
        if let Some(schema) = raw.event_delivery_schema {
            let known = [EventSchema::EventGrid, EventSchema::CloudEvents];
            let found = known.into_iter().find(|one| one.name().eq_ignore_ascii_case(&schema));
            let rule = "eventDeliverySchema is EventGridSchema or CloudEventSchemaV1_0.";
            self.schema =
                found.ok_or_else(|| ApiError::validation("properties.eventDeliverySchema", rule))?;
        }
        if let Some(filter) = raw.filter {
            self.filter(filter)?;
        }
        if let Some(labels) = raw.labels {
            if labels.len() > MAX_LABELS || labels.iter().any(|label| label.len() > MAX_LABEL) {
                let rule = format!("There may be {MAX_LABELS} labels of {MAX_LABEL} bytes each.");
                return Err(ApiError::validation("properties.labels", rule));
            }
            self.labels = labels;
        }
        if let Some(retry) = raw.retry_policy {
            self.retry(&retry)?;
        }
        Ok(self)
    }

    fn filter(&mut self, filter: RawFilter) -> Result<(), ApiError> {
        if filter.advanced_filters.is_some_and(|filters| !filters.is_empty()) {
            let what = "Advanced filters are not supported.";
            return Err(ApiError::validation("properties.filter.advancedFilters", what));
        }
        let texts = [&filter.subject_begins_with, &filter.subject_ends_with];
        if texts.into_iter().flatten().any(|text| text.expose().len() > MAX_FILTER) {
            let rule = format!("A subject filter has at most {MAX_FILTER} bytes.");
            return Err(ApiError::validation("properties.filter", rule));
        }
        self.begins = filter.subject_begins_with.unwrap_or_default();
        self.ends = filter.subject_ends_with.unwrap_or_default();
        self.is_case_sensitive = filter.is_subject_case_sensitive.unwrap_or_default();
        self.kinds = match filter.included_event_types {
            // Event Grid takes the word `All` for no filter.
            Some(names)
                if !names.is_empty() && !names.iter().any(|name| name.eq_ignore_ascii_case("all")) =>
            {
                let known =
                    names.iter().map(|name| kind(name).map(str::to_owned)).collect::<Option<Vec<_>>>();
                let rule = "includedEventTypes may name types of Microsoft.Communication.";
                let target = "properties.filter.includedEventTypes";
                let mut known = known.ok_or_else(|| ApiError::validation(target, rule))?;
                known.sort_unstable();
                known.dedup();
                Some(known)
            }
            _ => None,
        };
        Ok(())
    }

    fn retry(&mut self, retry: &RawRetry) -> Result<(), ApiError> {
        let within = |value: Option<u32>, most: u32, name: &'static str| match value {
            None => Ok(most),
            Some(value) if (1..=most).contains(&value) => Ok(value),
            Some(_) => Err(ApiError::validation(
                format!("properties.retryPolicy.{name}"),
                format!("{name} is 1 to {most}."),
            )),
        };
        let attempts = within(retry.max_delivery_attempts, MAX_ATTEMPTS.into(), "maxDeliveryAttempts")?;
        let ttl = retry.event_time_to_live_in_minutes;
        let ttl = within(ttl, MAX_TTL_MINUTES.into(), "eventTimeToLiveInMinutes")?;
        self.max_attempts = u8::try_from(attempts).unwrap_or(MAX_ATTEMPTS);
        self.ttl_minutes = u16::try_from(ttl).unwrap_or(MAX_TTL_MINUTES);
        Ok(())
    }

    /// Whether events of `kind` about `subject` are asked for.
    #[must_use]
    pub fn wants(&self, kind: &str, subject: &str) -> bool {
        let (begins, ends) = (self.begins.expose(), self.ends.expose());
        self.wants_kind(kind)
            && subject.get(..begins.len()).is_some_and(|start| self.same(start, begins))
            && subject
                .len()
                .checked_sub(ends.len())
                .and_then(|at| subject.get(at..))
                .is_some_and(|end| self.same(end, ends))
    }

    /// Whether events of `kind` are asked for, whatever their subject.
    #[must_use]
    pub fn wants_kind(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|one| one == kind))
    }

    fn same(&self, a: &str, b: &str) -> bool {
        if self.is_case_sensitive { a == b } else { a.eq_ignore_ascii_case(b) }
    }
}

/// The URL of a webhook: `https`, or `http` where the operator allows it, with a host and without user or fragment.
fn endpoint(destination: RawDestination) -> Result<Personal<String>, ApiError> {
    if !destination.endpoint_type.eq_ignore_ascii_case("WebHook") {
        let rule = "The only endpointType is WebHook.";
        return Err(ApiError::validation("properties.destination.endpointType", rule));
    }
    let asked = destination.properties;
    let is_other = asked.max_events_per_batch.is_some_and(|count| count != 1)
        || asked.delivery_attribute_mappings.is_some_and(|mappings| !mappings.is_empty())
        || asked.azure_active_directory_tenant_id.is_some();
    if is_other {
        let rule = "Batches, delivery attributes and directory tokens are not supported.";
        return Err(ApiError::validation("properties.destination.properties", rule));
    }
    let url = asked.endpoint_url.unwrap_or_default();
    let rule =
        "An endpoint is an https URL with a host, without user name or fragment, of at most 2048 bytes.";
    let bad = || ApiError::validation("properties.destination.properties.endpointUrl", rule);
    let parsed: http::Uri = url.expose().parse().map_err(|_| bad())?;
    let scheme = matches!(parsed.scheme_str(), Some("https" | "http"));
    let host = parsed.authority().is_some_and(|at| !at.host().is_empty() && !at.as_str().contains('@'));
    if scheme && host && url.expose().len() <= MAX_URL && !url.expose().contains('#') {
        Ok(url)
    } else {
        Err(bad())
    }
}

impl SubscriptionPatch {
    /// Reads the body of a `PATCH`, whose properties stand at the top.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        json::parse(body).map(Self)
    }
}

impl SubscriptionView<'_> {
    /// The JSON. Of the endpoint only what comes before its query is told, as Event Grid does.
    #[must_use]
    pub fn value(&self) -> Value {
        let body = self.body;
        let shown = body.endpoint.expose().split('?').next().unwrap_or_default();
        let kinds: Option<Vec<String>> =
            body.kinds.as_ref().map(|kinds| kinds.iter().map(|kind| format!("{PREFIX}{kind}")).collect());
        json!({
            "id": format!("{}/providers/Microsoft.EventGrid/eventSubscriptions/{}", self.topic, self.name),
            "name": self.name,
            "type": "Microsoft.EventGrid/eventSubscriptions",
            "properties": {
                "topic": self.topic,
                "provisioningState": self.state,
                "destination": {
                    "endpointType": "WebHook",
                    "properties": { "endpointBaseUrl": shown, "maxEventsPerBatch": 1 },
                },
                "filter": {
                    "subjectBeginsWith": body.begins.expose(),
                    "subjectEndsWith": body.ends.expose(),
                    "includedEventTypes": kinds,
                    "isSubjectCaseSensitive": body.is_case_sensitive,
                },
                "labels": body.labels,
                "eventDeliverySchema": body.schema.name(),
                "retryPolicy": {
                    "maxDeliveryAttempts": body.max_attempts,
                    "eventTimeToLiveInMinutes": body.ttl_minutes,
                },
            },
        })
    }
}

#[cfg(test)]
#[path = "subscription_tests.rs"]
mod tests;
