//! The text form of a token: three base64url segments, the first two of them JSON. It must never see a key.

use base::{Geography, ResourceId, Timestamp, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{Claims, MAX_TOKEN, Scopes, TokenError};

/// The only algorithm: ECDSA with P-256 and SHA-256 (RFC 7518, section 3.4).
pub(super) const ALGORITHM: &str = "ES256";
/// The longest key id that is looked at, in bytes; a thumbprint has 43.
const MAX_KID: usize = 64;
/// What real ACS tokens have here; clients do not read it.
const SCP: u32 = 1792;

/// The JOSE header. Unknown members, `crit` among them, are refused: none of ours has any.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    alg: String,
    kid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
}

/// The payload, with the claim names of ACS. Members of later versions are ignored.
#[derive(Serialize, Deserialize)]
struct Payload {
    skypeid: String,
    scp: u32,
    csi: String,
    exp: u64,
    rgn: String,
    #[serde(rename = "acsScope")]
    scope: String,
    #[serde(rename = "resourceId")]
    resource: String,
    #[serde(rename = "resourceLocation")]
    location: String,
    iat: u64,
    epoch: u32,
}

/// A token cut into its parts, its claims read but not yet believed.
pub(super) struct Parts<'a> {
    pub(super) kid: String,
    pub(super) claims: Claims,
    /// What was signed: header and payload segment with the dot between them.
    pub(super) signed: &'a str,
    pub(super) signature: [u8; 64],
}

/// The first two segments of a token, ready to be signed.
///
/// Python's SDK reads the payload with the standard base64 alphabet, so its segment must be free of `-` and `_`, which
/// stand for 62 and 63. In ASCII text these come only of `>`, `?`, `~` and DEL, at every third place: a byte below
/// 0x80 gives the other three sextets of a group no value with the bit pattern 11111x. No claim can hold one of the
/// four: they are identifiers, numbers, geographies (letters, digits, hyphens) and scope names.
pub(super) fn encode(kid: &str, claims: &Claims) -> String {
    let head = Head { alg: ALGORITHM.to_owned(), kid: kid.to_owned(), typ: Some("JWT".to_owned()) };
    let resource = claims.resource.to_string();
    let issued = claims.issued_at.as_secs();
    let payload = Payload {
        skypeid: format!("acs:{resource}_{}", claims.user),
        scp: SCP,
        csi: issued.to_string(),
        exp: claims.expires_at.as_secs(),
        rgn: region(claims.geography.as_str()).to_owned(),
        scope: claims.scopes.to_string(),
        resource,
        location: claims.geography.as_str().to_owned(),
        iat: issued,
        epoch: claims.epoch,
    };
    let mut out = String::with_capacity(640);
    URL_SAFE_NO_PAD.encode_string(json(&head), &mut out);
    out.push('.');
    URL_SAFE_NO_PAD.encode_string(json(&payload), &mut out);
    out
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers can be written as JSON")
}

/// The region group of an ACS data location, as the calling SDK knows it; an operator's own geography stands for itself.
fn region(geography: &str) -> &str {
    match geography {
        "unitedstates" | "canada" | "brazil" => "amer",
        "asiapacific" | "australia" | "india" | "japan" | "korea" => "apac",
        "africa" | "europe" | "france" | "germany" | "norway" | "switzerland" | "uae" | "uk" => "emea",
        own => own,
    }
}

/// Cuts and reads a token, whatever it is, without a panic. Nothing in the answer is proven.
pub(super) fn decode(token: &str) -> Result<Parts<'_>, TokenError> {
    read(token).ok_or(TokenError::Malformed)
}

fn read(token: &str) -> Option<Parts<'_>> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, payload) = signed.split_once('.')?;
    let head: Head = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
    let typ = head.typ.as_deref().unwrap_or("JWT");
    if head.alg != ALGORITHM || head.kid.len() > MAX_KID || !typ.eq_ignore_ascii_case("JWT") {
        return None;
    }
    let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?.try_into().ok()?;
    Some(Parts { kid: head.kid, claims: claims(&payload)?, signed, signature })
}

fn claims(payload: &Payload) -> Option<Claims> {
    let resource: ResourceId = payload.resource.parse().ok()?;
    let user = payload.skypeid.strip_prefix("acs:")?;
    let user: UserId = user.strip_prefix(payload.resource.as_str())?.strip_prefix('_')?.parse().ok()?;
    let geography: Geography = payload.location.parse().ok()?;
    Some(Claims {
        resource,
        geography,
        user,
        scopes: Scopes::parse_list(&payload.scope)?,
        issued_at: instant(payload.iat)?,
        expires_at: instant(payload.exp)?,
        epoch: payload.epoch,
    })
}

fn instant(secs: u64) -> Option<Timestamp> {
    let instant = Timestamp::from_millis(secs.checked_mul(1000)?);
    (instant.as_secs() == secs).then_some(instant)
}
