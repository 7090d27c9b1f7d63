//! The operator's plane: email. Domains and their senders, suppression lists, and what became of a mail. Whatever tells
//! an address is an act and leaves an audit entry.

use http::Method;

use super::operator::{act, look};
use crate::operation::{Body, BodyLimit, Operation};

const READ: &str = "operator/email/read";
const WRITE: &str = "operator/email/write";

const DOMAINS: &str = "/operator/resources/{resource}/email/domains";
const DOMAIN: &str = "/operator/resources/{resource}/email/domains/{domain}";
const SENDER: &str = "/operator/resources/{resource}/email/domains/{domain}/senders/{sender}";
const SUPPRESSIONS: &str = "/operator/resources/{resource}/email/suppressions";
const SUPPRESSION: &str = "/operator/resources/{resource}/email/suppressions/{suppression}";

/// A few words at most.
const SMALL: Body = Body::Json { max: BodyLimit::Bytes(16 * 1024), required: true, merge_patch: false };
const OPTIONAL: Body = Body::Json { max: BodyLimit::Bytes(16 * 1024), required: false, merge_patch: false };

pub(super) const ROWS: &[Operation] = &[
    look("operator.email.list_domains", DOMAINS, READ),
    look("operator.email.get_domain", DOMAIN, READ),
    act(Method::PUT, "operator.email.put_domain", DOMAIN, WRITE, OPTIONAL),
    act(Method::DELETE, "operator.email.delete_domain", DOMAIN, WRITE, Body::None),
    act(
        Method::POST,
        "operator.email.verify_domain",
        "/operator/resources/{resource}/email/domains/{domain}:verify",
        WRITE,
        OPTIONAL,
    ),
    act(
        Method::POST,
        "operator.email.rotate_domain",
        "/operator/resources/{resource}/email/domains/{domain}:rotate",
        WRITE,
        Body::None,
    ),
    act(Method::PUT, "operator.email.put_sender", SENDER, WRITE, OPTIONAL),
    act(Method::DELETE, "operator.email.delete_sender", SENDER, WRITE, Body::None),
    act(Method::GET, "operator.email.list_suppressions", SUPPRESSIONS, READ, Body::None),
    act(Method::POST, "operator.email.suppress", SUPPRESSIONS, WRITE, SMALL),
    act(
        Method::POST,
        "operator.email.explain_suppression",
        "/operator/resources/{resource}/email/suppressions:explain",
        READ,
        SMALL,
    ),
    act(Method::DELETE, "operator.email.delete_suppression", SUPPRESSION, WRITE, Body::None),
    act(
        Method::GET,
        "operator.email.get_mail",
        "/operator/resources/{resource}/email/messages/{mail}",
        READ,
        Body::None,
    ),
];
