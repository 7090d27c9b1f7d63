//! SIP routing on the wire: a configuration, and the merge patch that changes it. Codes and texts of faults are those
//! of ACS, as recorded by its SDKs' tests.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use crate::ApiError;
use crate::json::{self, Object};

/// The most trunks.
pub const MAX_TRUNKS: usize = 250;
/// The most routes.
pub const MAX_ROUTES: usize = 250;
/// The most trunks of one route.
pub const MAX_ROUTE_TRUNKS: usize = 250;
/// The longest name of a route, in characters.
pub const MAX_NAME: usize = 256;
/// The longest description or pattern of a route, in characters.
pub const MAX_TEXT: usize = 1024;
/// The longest name of a host, in bytes.
const MAX_FQDN: usize = 253;

/// Where calls go that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its name.
    pub name: String,
    /// A regular expression over the called number.
    pub number_pattern: String,
    /// Trunks, tried in order.
    pub trunks: Vec<String>,
}

/// A change of one trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkChange {
    /// It is there, at this port; without a port the former one stays.
    Set(Option<u16>),
    /// It is there no longer.
    Remove,
}

/// A merge patch of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// By host name, in the order of names.
    pub trunks: Vec<(String, TrunkChange)>,
    /// All routes from now on, in the order they are tried.
    pub routes: Option<Vec<Route>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawPatch {
    trunks: Option<BTreeMap<String, Option<Object<RawTrunk>>>>,
    routes: Option<Vec<Object<RawRoute>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawTrunk {
    sip_signaling_port: Option<serde_json::Number>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawRoute {
    description: Option<String>,
    name: Option<String>,
    number_pattern: Option<String>,
    trunks: Option<Vec<String>>,
}

impl Patch {
    /// Reads the body, and judges all that can be judged without the configuration it changes.
    ///
    /// # Errors
    /// 422 `UnprocessableConfiguration` with the rule that is broken; 400 for what is there twice.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let raw: RawPatch = json::parse_optional(body)?;
        let trunks = raw.trunks.unwrap_or_default();
        if trunks.is_empty() && raw.routes.is_none() {
            return Err(fault("EmptyPatch", "Patch with no data provided."));
        }
        if trunks.len() > 2 * MAX_TRUNKS {
            return Err(too_many_trunks());
        }
        let trunks = trunks.into_iter().map(|(name, trunk)| Ok((fqdn(name)?, change(trunk)?)));
        let trunks = trunks.collect::<Result<Vec<_>, ApiError>>()?;
        Ok(Self { trunks, routes: raw.routes.map(routes).transpose()? })
    }
}

fn fault(code: &'static str, message: &'static str) -> ApiError {
    ApiError::unprocessable_configuration(false, code, message)
}

/// 422: more trunks than a configuration may have.
#[must_use]
pub fn too_many_trunks() -> ApiError {
    fault("TooManyTrunks", "A configuration may have 250 trunks.")
}

/// 422: a route names a trunk that is not configured, or will not be any more.
#[must_use]
pub fn missing_trunk() -> ApiError {
    fault("MissingTrunk", "Route targeting a missing trunk.")
}

/// 422: a trunk without a port.
#[must_use]
pub fn bad_port() -> ApiError {
    fault("InvalidTrunkSipSignalingPort", "Trunk with an invalid SIP signaling port.")
}

/// A host name of at least two labels, no address.
fn fqdn(name: String) -> Result<String, ApiError> {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let edges = [bytes.first(), bytes.last()];
        (1..=63).contains(&bytes.len())
            && edges.iter().all(|edge| edge.is_some_and(|b| b.is_ascii_alphanumeric()))
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    };
    let top = name.rsplit('.').next().unwrap_or_default();
    let good = name.len() <= MAX_FQDN
        && name.contains('.')
        && name.split('.').all(label)
        && top.bytes().any(|b| b.is_ascii_alphabetic());
    if good { Ok(name) } else { Err(fault("InvalidTrunkFqdn", "Trunk with an invalid FQDN.")) }
}

fn change(trunk: Option<Object<RawTrunk>>) -> Result<TrunkChange, ApiError> {
    let Some(trunk) = trunk else { return Ok(TrunkChange::Remove) };
    let port = trunk.0.sip_signaling_port.map(|port| {
        let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
        port.filter(|port| *port > 0).ok_or_else(bad_port)
    });
    Ok(TrunkChange::Set(port.transpose()?))
}

fn routes(raw: Vec<Object<RawRoute>>) -> Result<Vec<Route>, ApiError> {
    if raw.len() > MAX_ROUTES {
        return Err(fault("TooManyRoutes", "A configuration may have 250 routes."));
    }
    let mut routes: Vec<Route> = Vec::with_capacity(raw.len());
    for one in raw {
        let route = route(one.0)?;
        if routes.iter().any(|known| known.name == route.name) {
            return Err(twice("DuplicatedRoute", "There is a duplicated route."));
        }
        routes.push(route);
    }
    Ok(routes)
}

fn twice(code: &'static str, message: &'static str) -> ApiError {
    ApiError::unprocessable_configuration(true, code, message)
}

fn route(raw: RawRoute) -> Result<Route, ApiError> {
    let within = |text: &str, most: usize| text.chars().count() <= most;
    let name = raw.name.filter(|name| !name.trim().is_empty() && within(name, MAX_NAME));
    let name = name.ok_or_else(|| fault("InvalidRouteName", "Route with an invalid name."))?;
    let description = raw.description;
    if description.as_ref().is_some_and(|text| !within(text, MAX_TEXT)) {
        return Err(fault("InvalidRouteDescription", "Route with an invalid description."));
    }
    let pattern = raw.number_pattern.filter(|text| !text.is_empty() && within(text, MAX_TEXT));
    let pattern = pattern.filter(|text| Regex::new(text).is_ok());
    let number_pattern =
        pattern.ok_or_else(|| fault("InvalidRouteNumberPattern", "Route with an invalid number pattern."))?;
    let trunks = raw.trunks.unwrap_or_default();
    if trunks.len() > MAX_ROUTE_TRUNKS {
        return Err(fault("TooManyRouteTrunks", "A route may have 250 trunks."));
    }
    let repeated = |at: usize| trunks[..at].iter().any(|known| known.eq_ignore_ascii_case(&trunks[at]));
    if (0..trunks.len()).any(repeated) {
        return Err(twice("RouteWithDuplicatedTrunk", "There is a duplicated trunk in a route."));
    }
    Ok(Route { description, name, number_pattern, trunks })
}

/// `SipConfiguration`.
#[must_use]
pub fn render(trunks: &[(String, u16)], routes: &[Route]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Trunk {
        sip_signaling_port: u16,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        trunks: BTreeMap<&'a str, Trunk>,
        routes: &'a [Route],
    }
    let trunks = trunks.iter().map(|(name, port)| (name.as_str(), Trunk { sip_signaling_port: *port }));
    json::write(&Body { trunks: trunks.collect(), routes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(body: &str) -> Result<Patch, ApiError> {
        Patch::parse(body.as_bytes())
    }

    fn inner(body: &str) -> (u16, &'static str) {
        let error = patch(body).unwrap_err();
        assert_eq!(error.code(), "UnprocessableConfiguration", "{body}");
        (error.status(), error.inner().unwrap().code)
    }

    fn with_route(route: &str) -> String {
        format!(r#"{{"routes":[{route}]}}"#)
    }

    #[test]
    fn a_patch_as_the_sdks_write_it() {
        let read = patch(
            r#"{"trunks":{"sbs2.contoso.com":null,"sbs1.contoso.com":{"sipSignalingPort":5061},"sbs3.contoso.com":{}},"routes":[{"name":"first","numberPattern":"^+[1-9][0-9]{3,23}$","trunks":["sbs1.contoso.com"]},{"description":"d","name":"second","numberPattern":"\\+1[0-9]+"}]}"#,
        )
        .unwrap();
        let changes: Vec<_> = read.trunks.iter().map(|(_, change)| *change).collect();
        assert_eq!(changes, [TrunkChange::Set(Some(5061)), TrunkChange::Remove, TrunkChange::Set(None)]);
        let routes = read.routes.unwrap();
        assert_eq!((routes[0].name.as_str(), routes[1].description.as_deref()), ("first", Some("d")));
        assert!(routes[1].trunks.is_empty());
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for body in ["", "{}", "null", r#"{"trunks":{}}"#, r#"{"trunks":null,"routes":null}"#] {
            assert_eq!(inner(body), (422, "EmptyPatch"), "{body}");
        }
        assert_eq!(
            patch(r#"{"routes":[]}"#).unwrap().routes,
            Some(Vec::new()),
            "no routes is something to say"
        );
        assert_eq!(patch(r#"{"trunks":[]}"#).unwrap_err().code(), "BadRequest");
    }

    #[test]
    fn trunks_at_and_past_their_rules() {
        let trunk = |name: &str, body: &str| format!(r#"{{"trunks":{{"{name}":{body}}}}}"#);
        let long = format!("{}.{}.example.com", "a".repeat(63), "b".repeat(63));
        for good in ["a.b", "sbs1.contoso.com", "1.2.example", long.as_str()] {
            assert!(patch(&trunk(good, r#"{"sipSignalingPort":1}"#)).is_ok(), "{good}");
        }
        let label = format!("{}.com", "a".repeat(64));
        let name = format!("{}com", "abcdefg.".repeat(32));
        for bad in [
            "",
            "-1",
            "localhost",
            "1.2.3.4",
            "a..b",
            ".a.b",
            "a.b.",
            "*.a.b",
            "a_b.c",
            "-a.b",
            "a-.b",
            "é.com",
            &label,
            &name,
        ] {
            assert_eq!(inner(&trunk(bad, r#"{"sipSignalingPort":1}"#)), (422, "InvalidTrunkFqdn"), "{bad}");
        }
        assert!(patch(&trunk("a.b", r#"{"sipSignalingPort":65535}"#)).is_ok());
        for port in ["0", "65536", "-1", "1.5", "1e3"] {
            let body = trunk("a.b", &format!(r#"{{"sipSignalingPort":{port}}}"#));
            assert_eq!(inner(&body), (422, "InvalidTrunkSipSignalingPort"), "{port}");
        }
        let many = |count: usize| {
            let all: Vec<_> = (0..count).map(|n| format!(r#""t{n}.example.com":null"#)).collect();
            patch(&format!(r#"{{"trunks":{{{}}}}}"#, all.join(",")))
        };
        assert!(many(2 * MAX_TRUNKS).is_ok());
        assert_eq!(many(2 * MAX_TRUNKS + 1).unwrap_err().status(), 422);
    }

    #[test]
    fn routes_at_and_past_their_rules() {
        let named = |name: &str| with_route(&format!(r#"{{"name":"{name}","numberPattern":"x"}}"#));
        assert!(patch(&named(&"n".repeat(MAX_NAME))).is_ok());
        for bad in ["", " ", &"n".repeat(MAX_NAME + 1)] {
            assert_eq!(inner(&named(bad)), (422, "InvalidRouteName"));
        }
        assert_eq!(inner(&with_route(r#"{"numberPattern":"x"}"#)), (422, "InvalidRouteName"));
        let pattern = |text: &str| with_route(&format!(r#"{{"name":"n","numberPattern":"{text}"}}"#));
        assert!(patch(&pattern(&"1".repeat(MAX_TEXT))).is_ok());
        for bad in ["", "(", "[1", "a{99999999}", "*", &"1".repeat(MAX_TEXT + 1)] {
            assert_eq!(inner(&pattern(bad)), (422, "InvalidRouteNumberPattern"), "{bad}");
        }
        let described = |count: usize| {
            with_route(&format!(
                r#"{{"name":"n","numberPattern":"x","description":"{}"}}"#,
                "d".repeat(count)
            ))
        };
        assert!(patch(&described(MAX_TEXT)).is_ok());
        assert_eq!(inner(&described(MAX_TEXT + 1)), (422, "InvalidRouteDescription"));
        let trunks = |count: usize| {
            let all: Vec<_> = (0..count).map(|n| format!(r#""t{n}.example.com""#)).collect();
            with_route(&format!(r#"{{"name":"n","numberPattern":"x","trunks":[{}]}}"#, all.join(",")))
        };
        assert!(patch(&trunks(MAX_ROUTE_TRUNKS)).is_ok());
        assert_eq!(inner(&trunks(MAX_ROUTE_TRUNKS + 1)), (422, "TooManyRouteTrunks"));
        let routes = |count: usize| {
            let all: Vec<_> =
                (0..count).map(|n| format!(r#"{{"name":"n{n}","numberPattern":"x"}}"#)).collect();
            with_route(&all.join(","))
        };
        assert!(patch(&routes(MAX_ROUTES)).is_ok());
        assert_eq!(inner(&routes(MAX_ROUTES + 1)), (422, "TooManyRoutes"));
    }

    #[test]
    fn what_is_there_twice_is_400() {
        let route = r#"{"name":"n","numberPattern":"x"}"#;
        assert_eq!(inner(&with_route(&format!("{route},{route}"))), (400, "DuplicatedRoute"));
        let body = with_route(r#"{"name":"n","numberPattern":"x","trunks":["a.b","A.B"]}"#);
        assert_eq!(inner(&body), (400, "RouteWithDuplicatedTrunk"));
    }

    #[test]
    fn a_configuration_as_acs_writes_it() {
        let route = Route {
            description: None,
            name: "n".into(),
            number_pattern: "x".into(),
            trunks: vec!["a.b".into()],
        };
        assert_eq!(
            String::from_utf8(render(&[("a.b".into(), 5061)], &[route])).unwrap(),
            r#"{"trunks":{"a.b":{"sipSignalingPort":5061}},"routes":[{"name":"n","numberPattern":"x","trunks":["a.b"]}]}"#
        );
        assert_eq!(render(&[], &[]), br#"{"trunks":{},"routes":[]}"#);
    }
}
