//! Tests of routing.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

fn name(method: &str, path: &str) -> String {
    match route(&Method::from_bytes(method.as_bytes()).unwrap(), path) {
        Route::Found { operation, .. } => operation.name.to_owned(),
        Route::MethodNotAllowed { allow, .. } => format!("405 {allow}"),
        Route::NotFound => "404".to_owned(),
    }
}

fn params(method: &Method, path: &str) -> Params {
    match route(method, path) {
        Route::Found { params, .. } => params,
        other => panic!("{path}: {other:?}"),
    }
}

/// A path of the operation, each capture replaced.
fn example(operation: &Operation, with: &str) -> String {
    let mut path = String::new();
    for part in operation.path.split('/').skip(1) {
        path.push('/');
        match part.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((_, ending)) => {
                path.push_str(with);
                path.push_str(ending);
            }
            None => path.push_str(part),
        }
    }
    path
}

#[test]
fn every_row_is_reached_by_its_own_path() {
    for operation in OPERATIONS {
        for with in ["x7", "8%3Aacs%3Aa_b", "19:ab@thread.v2"] {
            let path = example(operation, with);
            assert_eq!(name(operation.method.as_str(), &path), operation.name, "{path}");
        }
        let encoded: Vec<_> = example(operation, "x7")
            .split('/')
            .map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string())
            .collect();
        assert_eq!(name(operation.method.as_str(), &encoded.join("/")), operation.name, "encoded throughout");
    }
}

#[test]
fn every_capture_is_given_decoded() {
    for operation in OPERATIONS {
        let found = params(&operation.method, &example(operation, "a%3Ab%20%C3%A9"));
        let names: Vec<_> =
            operation.path.split(['{', '}']).skip(1).step_by(2).map(|name| found.get(name)).collect();
        assert!(names.iter().all(|value| *value == Some("a:b é")), "{}: {found:?}", operation.path);
    }
}

#[test]
fn ids_arrive_encoded_or_not() {
    for path in [
        "/identities/8:acs:r_u/:issueAccessToken",
        "/identities/8%3Aacs%3Ar_u/:issueAccessToken",
        "/identities/8%3aacs%3ar_u/%3AissueAccessToken",
    ] {
        assert_eq!(name("POST", path), "identity.issue_token");
        assert_eq!(params(&Method::POST, path).get("id"), Some("8:acs:r_u"));
    }
    for path in [
        "/chat/threads/19%3Aab%40thread.v2/participants/:add",
        "/chat/threads/19:ab@thread.v2/participants/%3Aadd",
    ] {
        assert_eq!(name("POST", path), "chat.add_participants");
        assert_eq!(params(&Method::POST, path).get("chatThreadId"), Some("19:ab@thread.v2"));
    }
    assert_eq!(name("POST", "/emails:send"), "email.send");
    assert_eq!(name("POST", "/emails%3Asend"), "email.send");
    assert_eq!(params(&Method::GET, "/health/live").get("id"), None);
}

#[test]
fn verbs_after_an_id() {
    let path = "/calling/callConnections/abc:play";
    assert_eq!(name("POST", path), "calls.play");
    assert_eq!(params(&Method::POST, path).get("callConnectionId"), Some("abc"));
    assert_eq!(name("GET", "/calling/callConnections/abc"), "calls.get_call");
    assert_eq!(
        name("POST", "/calling/callConnections/:play"),
        "405 DELETE, GET",
        "an empty id takes no verb"
    );
    assert_eq!(name("POST", "/calling/callConnections:answer"), "calls.answer_call");
    assert_eq!(params(&Method::POST, "/routing/workers/w/offers/o:decline").get("offerId"), Some("o"));
    let who = "/calling/callConnections/abc/participants/8:acs:r_u";
    assert_eq!(params(&Method::GET, who).get("participantRawId"), Some("8:acs:r_u"));
}

#[test]
fn another_method_is_told_which_ones_there_are() {
    assert_eq!(name("PUT", "/chat/threads/x"), "405 DELETE, GET, PATCH");
    assert_eq!(name("GET", "/identities"), "405 POST");
    assert_eq!(name("HEAD", "/health/live"), "405 GET");
    assert_eq!(name("BREW", "/chat/threads"), "405 GET, POST");
    assert_eq!(name("post", "/identities"), "405 POST", "methods are case-sensitive");
    assert_eq!(name("POST", "/chat/threads/x/messages/y"), "405 DELETE, GET, PATCH");
}

#[test]
fn what_is_not_exactly_a_path_is_not_found() {
    for path in [
        "",
        "/",
        "*",
        "//",
        "identities",
        "/identities/",
        "//identities",
        "/Identities",
        "/chat",
        "/chat/threads/",
        "/chat/threads//messages",
        "/chat/threads/./messages",
        "/chat/threads/../messages",
        "/chat/threads/%2E%2E/messages",
        "/chat/threads/a%2Fmessages",
        "/chat/threads/a%2fb/messages",
        "/chat%2Fthreads",
        "/chat/threads/a%5Cb/messages",
        "/chat/threads/a%00b/messages",
        "/chat/threads/a%0D%0Ab/messages",
        "/chat/threads/%7F/messages",
        "/chat/threads/%/messages",
        "/chat/threads/%4/messages",
        "/chat/threads/%zz/messages",
        "/chat/threads/%FF/messages",
        "/chat/threads/%C0%AF/messages",
        "/chat/threads/x/participants/:addd",
        "/chat/threads/x/participants/add",
        "/chat/threads/x/messages/y/z",
        "/health",
        "/health/live/",
        "/nothing/here",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(name(method, path), "404", "{path}");
        }
    }
    assert_eq!(name("GET", &"/a".repeat(10_000)), "404");
    let encoded_twice = params(&Method::GET, "/chat/threads/%252F/messages");
    assert_eq!(encoded_twice.get("chatThreadId"), Some("%2F"), "decoded once");
}

#[test]
fn the_control_plane_ignores_case_and_takes_resource_ids() {
    let id = "subscriptions/s/resourceGroups/g/providers/Microsoft.Communication/communicationServices/c";
    for path in [format!("/{id}"), format!("/{id}").to_uppercase(), format!("/{id}").to_lowercase()] {
        assert_eq!(name("GET", &path), "arm.communication_services.get");
    }
    let path = format!("/{id}/providers/microsoft.insights/DiagnosticSettings/Mine");
    assert_eq!(name("PUT", &path), "arm.diagnostic_settings.create_or_update");
    let found = params(&Method::PUT, &path);
    assert_eq!((found.get("resourceUri"), found.get("name")), (Some(id), Some("Mine")));
    assert_eq!(
        name("GET", "/subscriptions/s/providers/Microsoft.Insights/diagnosticSettings"),
        "arm.subscription_diagnostic_settings.list",
        "the precise path wins over the open one"
    );
    assert_eq!(name("POST", "/v1/workspaces/w/query"), "logs.query_workspace");
    assert_eq!(params(&Method::POST, &format!("/v1/{id}/query")).get("resourceId"), Some(id));
    assert_eq!(name("POST", "/v1/$batch"), "logs.batch");
    assert_eq!(name("GET", "/providers/Microsoft.Insights/diagnosticSettings"), "404");
}

proptest! {
    #[test]
    fn no_path_panics(path in any::<String>(), method in "[A-Z]{1,8}") {
        let _ = name(&method, &path);
        let _ = name(&method, &format!("/chat/threads/{path}"));
    }

    #[test]
    fn near_paths_never_reach_a_thread_they_do_not_name(middle in "[a-z0-9%/.:@\\\\]{0,12}") {
        let path = format!("/chat/threads/{middle}/messages");
        if let Route::Found { operation, params } = route(&Method::GET, &path)
            && operation.name == "chat.list_messages"
        {
            let id = params.get("chatThreadId").unwrap();
            prop_assert!(!id.is_empty() && !id.contains('/') && id != "." && id != "..");
            prop_assert!(!middle.contains('/'));
        }
    }

    #[test]
    fn any_clean_text_is_captured_as_it_is(id in "[^/\\\\\\x00-\\x1f\\x7f]{1,20}") {
        prop_assume!(id != "." && id != "..");
        let path = format!("/chat/threads/{}/messages", utf8_percent_encode(&id, NON_ALPHANUMERIC));
        let found = params(&Method::GET, &path);
        prop_assert_eq!(found.get("chatThreadId"), Some(id.as_str()));
    }
}
