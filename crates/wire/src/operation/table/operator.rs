//! Shorthand for the rows of the operator's plane: reached with the operator's token, under `/operator/`.

use http::Method;

use crate::operation::{Access, Area, Audit, Body, Operation};

const fn row(
    method: Method,
    name: &'static str,
    path: &'static str,
    permission: &'static str,
    audit: Audit,
    body: Body,
) -> Operation {
    Operation {
        name,
        area: Area::Product,
        method,
        path,
        versions: &[],
        access: Access::Operator,
        permission,
        audit,
        log_table: None,
        log_name: None,
        body,
        rates: &[],
        success: 200,
        built: true,
    }
}

/// Looks at something. Reading what users wrote must be audited: use [`act`] there.
pub(super) const fn look(name: &'static str, path: &'static str, permission: &'static str) -> Operation {
    row(Method::GET, name, path, permission, Audit::None, Body::None)
}

/// A privileged act with a JSON body that may be missing; it leaves an audit entry of its own name.
pub(super) const fn act(
    method: Method,
    name: &'static str,
    path: &'static str,
    permission: &'static str,
    body: Body,
) -> Operation {
    row(method, name, path, permission, Audit::Act(name), body)
}
