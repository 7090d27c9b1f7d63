//! The operator's plane: who may submit mail by SMTP. A name may be an address, so looking is an act too.

use http::Method;

use super::operator::act;
use crate::operation::{Body, BodyLimit, Operation};

const READ: &str = "operator/email/read";
const WRITE: &str = "operator/email/write";

const USERS: &str = "/operator/resources/{resource}/email/smtpUsers";
const USER: &str = "/operator/resources/{resource}/email/smtpUsers/{smtpUser}";

/// A name and a password.
const SMALL: Body = Body::Json { max: BodyLimit::Bytes(16 * 1024), required: true, merge_patch: false };

pub(super) const ROWS: &[Operation] = &[
    act(Method::GET, "operator.email.list_smtp_users", USERS, READ, Body::None),
    act(Method::POST, "operator.email.put_smtp_user", USERS, WRITE, SMALL),
    act(Method::DELETE, "operator.email.delete_smtp_user", USER, WRITE, Body::None),
];
