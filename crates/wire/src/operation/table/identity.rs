//! Identities and tokens (identity 2023-10-01; limits from ACS behaviour section 1: requests per 30 seconds).

use http::Method;

use crate::operation::{Access, Area, Audit, Body, BodyLimit, Operation, Per, Rate};

const VERSIONS: &[&str] = &["2021-03-07", "2022-06-01", "2022-10-01", "2023-08-01", "2023-10-01"];

/// An identity request names a few scopes and one number.
const SMALL: BodyLimit = BodyLimit::Bytes(16 * 1024);

const fn per_30_secs(bucket: &'static str, max: u32) -> Rate {
    Rate { bucket, window_secs: 30, max, per: Per::Resource }
}

const BASE: Operation = Operation {
    name: "",
    area: Area::Identity,
    method: Method::POST,
    path: "",
    versions: VERSIONS,
    access: Access::AccessKey,
    permission: "",
    audit: Audit::None,
    log_table: Some("ACSAuthIncomingOperations"),
    log_name: None,
    body: Body::None,
    rates: &[],
    success: 200,
    built: true,
};

pub(super) const ROWS: &[Operation] = &[
    Operation {
        name: "identity.create",
        path: "/identities",
        permission: "identity/create",
        log_name: Some("CreateIdentity"),
        body: Body::Json { max: SMALL, required: false, merge_patch: false },
        rates: &[per_30_secs("identity.create", 1000)],
        success: 201,
        ..BASE
    },
    Operation {
        name: "identity.delete",
        method: Method::DELETE,
        path: "/identities/{id}",
        permission: "identity/delete",
        audit: Audit::Act("identity.delete"),
        log_name: Some("DeleteIdentity"),
        rates: &[per_30_secs("identity.delete", 500)],
        success: 204,
        ..BASE
    },
    Operation {
        name: "identity.revoke_tokens",
        path: "/identities/{id}/:revokeAccessTokens",
        permission: "identity/tokens/revoke",
        audit: Audit::Act("identity.revoke_tokens"),
        log_name: Some("RevokeToken"),
        rates: &[per_30_secs("identity.revoke_tokens", 500)],
        success: 204,
        ..BASE
    },
    Operation {
        name: "identity.issue_token",
        path: "/identities/{id}/:issueAccessToken",
        permission: "identity/tokens/issue",
        audit: Audit::Act("identity.issue_token"),
        log_name: Some("CreateToken"),
        body: Body::Json { max: SMALL, required: true, merge_patch: false },
        rates: &[per_30_secs("identity.issue_token", 1000)],
        ..BASE
    },
    Operation {
        name: "identity.exchange_teams_token",
        path: "/teamsUser/:exchangeAccessToken",
        permission: "identity/tokens/exchange",
        log_name: Some("ExchangeTeamsUserAccessToken"),
        body: Body::JSON,
        rates: &[per_30_secs("identity.exchange", 500)],
        built: false,
        ..BASE
    },
    Operation {
        name: "identity.exchange_entra_token",
        path: "/access/entra/:exchangeAccessToken",
        versions: &["2025-03-02-preview"],
        access: Access::Directory,
        permission: "identity/tokens/exchange",
        body: Body::JSON,
        rates: &[per_30_secs("identity.exchange", 500)],
        built: false,
        ..BASE
    },
    Operation {
        name: "identity.exchange_teams_extension_token",
        path: "/access/teamsExtension/:exchangeAccessToken",
        versions: &["2025-06-30"],
        access: Access::Directory,
        permission: "identity/tokens/exchange",
        body: Body::JSON,
        rates: &[per_30_secs("identity.exchange", 500)],
        built: false,
        ..BASE
    },
];
