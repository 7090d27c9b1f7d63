//! Tests of errors.

use super::*;

fn all() -> Vec<ApiError> {
    vec![
        ApiError::bad_request("x"),
        ApiError::validation("topic", "x"),
        ApiError::mail_property("content.subject"),
        ApiError::mail_address("senderAddress"),
        ApiError::mail_base64(),
        ApiError::invalid_sender_username(),
        ApiError::domain_not_linked(),
        ApiError::unsupported_api_version("/chat", "1"),
        ApiError::missing_api_version(),
        ApiError::unauthorized(),
        ApiError::denied(),
        ApiError::identity_not_owned(),
        ApiError::forbidden(),
        ApiError::not_found("x"),
        ApiError::no_such_route(),
        ApiError::resource_not_found(),
        ApiError::method_not_allowed("GET".into()),
        ApiError::request_timeout(),
        ApiError::payload_too_large(1),
        ApiError::uri_too_long(1),
        ApiError::unsupported_media_type("application/json"),
        ApiError::too_many_requests(0),
        ApiError::headers_too_large(),
        ApiError::internal(),
        ApiError::not_implemented("sms.send"),
        ApiError::service_unavailable(0),
    ]
}

#[test]
fn the_status_of_each() {
    let statuses: Vec<u16> = all().iter().map(ApiError::status).collect();
    assert_eq!(
        statuses,
        [
            400, 400, 400, 400, 400, 400, 404, 400, 400, 401, 401, 401, 403, 404, 404, 404, 405, 408, 413,
            414, 415, 429, 431, 500, 501, 503
        ]
    );
}

#[test]
fn only_passing_errors_say_when_to_come_back() {
    for error in all() {
        let passing = matches!(error.status(), 429 | 503);
        assert_eq!(error.retry_after(), passing.then_some(1), "{error}");
        assert_eq!(error.allow().is_some(), error.status() == 405, "{error}");
    }
    assert_eq!(ApiError::too_many_requests(7).retry_after(), Some(7));
}

#[test]
fn bodies_are_what_the_sdks_read() {
    let body = ApiError::validation("topic", "The topic must not be empty.").to_body();
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"error":{"code":"ValidationError","message":"The topic must not be empty.","target":"topic"}}"#
    );
    let detail = ErrorDetail { code: "ValidationError", message: "b".into(), target: Some("skip".into()) };
    let body = ApiError::bad_request("a").with_detail(detail).to_body();
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"error":{"code":"BadRequest","message":"a","details":[{"code":"ValidationError","message":"b","target":"skip"}]}}"#
    );
    for error in all() {
        let body: serde_json::Value = serde_json::from_slice(&error.to_body()).unwrap();
        assert_eq!(body["error"]["code"], error.code());
        assert!(body["error"]["message"].as_str().is_some_and(|m| !m.is_empty()));
        assert!(!error.to_body().windows(4).any(|w| w == b"null"), "no null fields");
    }
}

#[test]
fn a_quoted_uri_is_cut_and_cleaned() {
    let error = ApiError::unsupported_api_version(&"/a\r\n\u{202e}".repeat(400), &"9".repeat(400));
    assert!(error.message().len() < 700 && error.message().is_ascii());
    assert!(!error.message().contains(['\r', '\n']));
    assert_eq!(
        ApiError::unsupported_api_version("/chat/threads", "2019-01-01").message(),
        "The HTTP resource that matches the request URI '/chat/threads' does not support the API version '2019-01-01'."
    );
}

#[test]
fn an_error_costs_one_pointer_in_a_result() {
    assert_eq!(size_of::<Result<(), ApiError>>(), size_of::<usize>());
}

#[test]
fn a_fault_beneath_is_told() {
    let error = ApiError::unprocessable_configuration(false, "EmptyPatch", "Patch with no data provided.");
    assert_eq!(error.status(), 422);
    assert_eq!(
        String::from_utf8(error.to_body()).unwrap(),
        r#"{"error":{"code":"UnprocessableConfiguration","message":"One or more request inputs are not valid.","innererror":{"code":"EmptyPatch","message":"Patch with no data provided."}}}"#
    );
    assert_eq!(ApiError::unprocessable_configuration(true, "DuplicatedRoute", "x").status(), 400);
    assert_eq!(ApiError::phone_number_not_found(true).code(), "PhoneNumberNotFound");
    assert_eq!(ApiError::phone_number_not_found(false).target(), Some("phonenumber"));
    assert_eq!(ApiError::conflict("Too late.").status(), 409);
}
