//! What the service says when it does not do what was asked. One constructor per documented error
//! (ACS behaviour sections 0 to 2), so that status, code and headers always belong together. Never holds content.
//!
//! Only [`ApiError::too_many_requests`] and [`ApiError::service_unavailable`] can carry `Retry-After`: the Python SDK
//! retries *any* status of 400 or more that carries it, so on a lasting error it would make every client ask again.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

#[path = "error_mail.rs"]
mod mail;

/// An error answer: status, body and the headers that belong to it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    status: u16,
    code: &'static str,
    message: Cow<'static, str>,
    target: Option<Cow<'static, str>>,
    details: Vec<ErrorDetail>,
    inner: Option<ErrorDetail>,
    header: Header,
}

/// The one header an error may bring.
#[derive(Clone, PartialEq, Eq)]
enum Header {
    None,
    RetryAfter(u32),
    Allow(String),
}

/// One of several faults under the same error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorDetail {
    /// What kind of fault.
    pub code: &'static str,
    /// What is wrong, for a person.
    pub message: Cow<'static, str>,
    /// Which property or parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Cow<'static, str>>,
}

impl ApiError {
    fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            message: message.into(),
            target: None,
            details: Vec::new(),
            inner: None,
            header: Header::None,
        }))
    }

    fn with_header(mut self, header: Header) -> Self {
        self.0.header = header;
        self
    }

    /// 400 `BadRequest`: the request as a whole is not understood.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 400 `TlsVersionNotPermitted`: the resource asks for a newer TLS than the connection speaks (the code of Azure Storage).
    #[must_use]
    pub fn tls_version_not_permitted() -> Self {
        let message =
            "The TLS version of the connection is not permitted on this resource. Connect with TLS 1.3.";
        Self::new(400, "TlsVersionNotPermitted", message)
    }

    /// 400 `ValidationError`: the property or parameter `target` breaks a rule, which `message` states.
    pub fn validation(target: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "ValidationError", message).with_target(target)
    }

    /// 400 `UnsupportedApiVersion`, in the words of the framework ACS is built on. Both texts are cut and cleaned.
    #[must_use]
    pub fn unsupported_api_version(uri: &str, version: &str) -> Self {
        let (uri, version) = (printable(uri, 512), printable(version, 40));
        let message = format!(
            "The HTTP resource that matches the request URI '{uri}' does not support the API version '{version}'."
        );
        Self::new(400, "UnsupportedApiVersion", message).with_target("api-version")
    }

    /// 400 `ApiVersionUnspecified`: no `api-version` in the query.
    #[must_use]
    pub fn missing_api_version() -> Self {
        Self::new(400, "ApiVersionUnspecified", "An API version is required, but was not specified.")
            .with_target("api-version")
    }

    /// 401 `Unauthorized`: no credential, or one that is bad, expired or of the wrong kind.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Request is not authorized.")
    }

    /// 401 `Denied`: the signature is of no living key of this resource.
    #[must_use]
    pub fn denied() -> Self {
        Self::new(401, "Denied", "Denied by the resource provider.")
    }

    /// 401 `IdentityNotOwned`: the identity is of another resource, was deleted, or never was.
    #[must_use]
    pub fn identity_not_owned() -> Self {
        Self::new(401, "IdentityNotOwned", "Provided identity doesn't belong to the resource.")
    }

    /// 401 `SenderNotOwned`: texts may not be sent from this number, short code or name of the resource.
    #[must_use]
    pub fn sender_not_owned() -> Self {
        Self::new(401, "SenderNotOwned", "The sender does not belong to the resource, or may not send texts.")
            .with_target("from")
    }

    /// 403 `Forbidden`: authenticated, but not allowed (missing scope, not a participant, not the author).
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(403, "Forbidden", "User is not allowed to perform specified action.")
    }

    /// 403 `CustomerKeyUnavailable`: the owner of the key above the content disabled it or (`is_gone`) deleted it.
    #[must_use]
    pub fn customer_key_unavailable(is_gone: bool) -> Self {
        let taken = "The key of this content was disabled or withdrawn by its owner. Enable it to read and write again.";
        let gone =
            "The key of this content was deleted by its owner. It cannot be read any more, by anybody.";
        Self::new(403, "CustomerKeyUnavailable", if is_gone { gone } else { taken })
    }

    /// 404 `NotFound`: what the path names is not there. `message` says which kind of thing.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(404, "NotFound", message)
    }

    /// 404 `NotFound`: no operation has this path.
    #[must_use]
    pub fn no_such_route() -> Self {
        Self::not_found("No operation is served at this path.")
    }

    /// 404 `ResourceNotFound`: no resource answers at the host name that was asked.
    #[must_use]
    pub fn resource_not_found() -> Self {
        Self::new(404, "ResourceNotFound", "No Communication Services resource is served at this host name.")
    }

    /// 404 of a phone number that the resource does not hold: `NotFound`, and `PhoneNumberNotFound` before 2022. ACS
    /// repeats the number in the message; here it is left out, as it names a person.
    #[must_use]
    pub fn phone_number_not_found(legacy: bool) -> Self {
        let (code, message) = match legacy {
            true => ("PhoneNumberNotFound", "The specified phone number cannot be found."),
            false => ("NotFound", "Input phoneNumber cannot be found."),
        };
        Self::new(404, code, message).with_target("phonenumber")
    }

    /// 409 `Conflict`: what is asked does not go with how the thing stands.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(409, "Conflict", message)
    }

    /// 422 `UnprocessableConfiguration` (400 for what is there twice): a SIP configuration breaks the rule that
    /// `code` names, in the words of ACS.
    #[must_use]
    pub fn unprocessable_configuration(twice: bool, code: &'static str, message: &'static str) -> Self {
        let status = if twice { 400 } else { 422 };
        let mut error =
            Self::new(status, "UnprocessableConfiguration", "One or more request inputs are not valid.");
        error.0.inner = Some(ErrorDetail { code, message: message.into(), target: None });
        error
    }

    /// 405 `MethodNotAllowed`, with the methods the path does have, as the value of `Allow`.
    #[must_use]
    pub fn method_not_allowed(allow: String) -> Self {
        Self::new(405, "MethodNotAllowed", "The path is served, but not with this method.")
            .with_header(Header::Allow(allow))
    }

    /// 408 `RequestTimeout`: the request did not arrive whole in time.
    #[must_use]
    pub fn request_timeout() -> Self {
        Self::new(408, "RequestTimeout", "The request was not received completely in time.")
    }

    /// 413 `PayloadTooLarge`: the body is longer than `limit` bytes.
    #[must_use]
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(413, "PayloadTooLarge", format!("The request body is longer than {limit} bytes."))
    }

    /// 414 `UriTooLong`: the request target is longer than `limit` bytes.
    #[must_use]
    pub fn uri_too_long(limit: usize) -> Self {
        Self::new(414, "UriTooLong", format!("The request URI is longer than {limit} bytes."))
    }

    /// 415 `UnsupportedMediaType`: the body is not of a type this operation reads, which `expected` names.
    #[must_use]
    pub fn unsupported_media_type(expected: &'static str) -> Self {
        Self::new(415, "UnsupportedMediaType", format!("The request body must be of type {expected}."))
            .with_target("Content-Type")
    }

    /// 429 `TooManyRequests`. `retry_after_secs` is at least one second.
    #[must_use]
    pub fn too_many_requests(retry_after_secs: u32) -> Self {
        Self::new(429, "TooManyRequests", "Rate limit exceeded.")
            .with_header(Header::RetryAfter(retry_after_secs.max(1)))
    }

    /// 431 `RequestHeadersTooLarge`: too many headers, or too long together.
    #[must_use]
    pub fn headers_too_large() -> Self {
        Self::new(431, "RequestHeadersTooLarge", "The request has too many headers, or they are too long.")
    }

    /// 500 `InternalError`. Says nothing of the cause; the request id leads to it.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(500, "InternalError", "The server met an unexpected condition.")
    }

    /// 501 `NotImplemented`: a known operation that this server does not have.
    #[must_use]
    pub fn not_implemented(operation: &'static str) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!("The operation {operation} is not implemented by this server."),
        )
    }

    /// 503 `ServiceUnavailable`: overloaded or stopping. `retry_after_secs` is at least one second.
    #[must_use]
    pub fn service_unavailable(retry_after_secs: u32) -> Self {
        Self::new(503, "ServiceUnavailable", "The server is currently unable to handle the request.")
            .with_header(Header::RetryAfter(retry_after_secs.max(1)))
    }

    /// Names the property or parameter the error is about.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.0.target = Some(target.into());
        self
    }

    /// Adds one fault of several.
    #[must_use]
    pub fn with_detail(mut self, detail: ErrorDetail) -> Self {
        self.0.details.push(detail);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The error code, also the value of `x-ms-error-code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What is wrong, for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Which property or parameter is at fault.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.0.target.as_deref()
    }

    /// Each fault of several.
    #[must_use]
    pub fn details(&self) -> &[ErrorDetail] {
        &self.0.details
    }

    /// The fault beneath the error, where ACS tells it.
    #[must_use]
    pub fn inner(&self) -> Option<&ErrorDetail> {
        self.0.inner.as_ref()
    }

    /// Seconds for `Retry-After`; only 429 and 503 have them.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self.0.header {
            Header::RetryAfter(secs) => Some(secs),
            Header::None | Header::Allow(_) => None,
        }
    }

    /// The value of `Allow`; only 405 has it.
    #[must_use]
    pub fn allow(&self) -> Option<&str> {
        match &self.0.header {
            Header::Allow(methods) => Some(methods),
            Header::None | Header::RetryAfter(_) => None,
        }
    }

    /// The JSON body: `{"error":{"code","message","target"?,"details"?,"innererror"?}}`.
    #[must_use]
    pub fn to_body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Outer<'a> {
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            code: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            target: Option<&'a str>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            details: &'a [ErrorDetail],
            #[serde(skip_serializing_if = "Option::is_none")]
            innererror: Option<&'a ErrorDetail>,
        }
        crate::json::write(&Outer {
            error: Body {
                code: self.code(),
                message: self.message(),
                target: self.target(),
                details: self.details(),
                innererror: self.inner(),
            },
        })
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiError({} {}: {}", self.status(), self.code(), self.message())?;
        if let Some(target) = self.target() {
            write!(f, ", target {target}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status(), self.code(), self.message())
    }
}

impl std::error::Error for ApiError {}

/// At most `max` characters of printable ASCII; anything else becomes `?`.
fn printable(text: &str, max: usize) -> String {
    text.chars().take(max).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
