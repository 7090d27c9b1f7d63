//! The product's own routes.

use http::Method;

use crate::operation::{Access, Area, Audit, Body, Operation};

/// A route that anybody may read.
pub(super) const fn public(name: &'static str, path: &'static str) -> Operation {
    open(Method::GET, name, path)
}

const fn open(method: Method, name: &'static str, path: &'static str) -> Operation {
    Operation {
        name,
        area: Area::Product,
        method,
        path,
        versions: &[],
        access: Access::Public,
        permission: "public",
        audit: Audit::None,
        log_table: None,
        log_name: None,
        body: Body::None,
        rates: &[],
        success: 200,
        built: true,
    }
}

pub(super) const ROWS: &[Operation] = &[
    public("health.live", "/health/live"),
    public("health.ready", "/health/ready"),
    public("token.keys", "/.well-known/jwks.json"),
    public("certificate.revocations", "/pki/ca.crl"),
    // RFC 8058: the link in a mail's header. Its body says one thing only and is not read.
    public("email.show_unsubscribe", "/emails/unsubscribe/{token}"),
    open(Method::POST, "email.unsubscribe", "/emails/unsubscribe/{token}"),
];
