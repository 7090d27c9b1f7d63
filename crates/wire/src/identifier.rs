//! Who is meant: communication identifiers, between the raw id (`8:acs:...`) and the JSON model with at most one nested
//! object. The rules are those of the SDKs' own parsers. It never asks whether such an identity exists.

use std::fmt;

use base::{Personal, ResourceId, UserId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ApiError;

mod model;

pub use model::{
    CommunicationUserModel, IdentifierModel, MicrosoftTeamsAppModel, MicrosoftTeamsUserModel,
    PhoneNumberModel, TeamsExtensionUserModel,
};

/// The longest raw id, or part of one, in bytes.
pub const MAX_RAW_ID: usize = 256;

const ACS: &str = "8:acs:";

/// The Azure cloud a Teams identity lives in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// The public cloud.
    #[default]
    Public,
    /// The cloud of the United States Department of Defense.
    Dod,
    /// The cloud of the United States government, GCC High.
    Gcch,
}

impl Cloud {
    /// As it is written in models.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Dod => "dod",
            Self::Gcch => "gcch",
        }
    }

    fn from_name(text: &str) -> Option<Self> {
        [Self::Public, Self::Dod, Self::Gcch].into_iter().find(|cloud| cloud.name() == text)
    }
}

/// A communication identifier. Its `Debug` form shows nothing that names a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// A communication user in the form this server mints.
    CommunicationUser {
        /// The resource that owns it.
        resource: ResourceId,
        /// The user within the resource.
        user: UserId,
    },
    /// A communication user in any other form: another cloud, another system.
    ForeignCommunicationUser(Personal<String>),
    /// A telephone number.
    PhoneNumber {
        /// In E.164 form, as sent; `anonymous` for a hidden caller.
        value: Personal<String>,
        /// Tells apart two calls of one number.
        asserted_id: Option<Personal<String>>,
    },
    /// A Teams user.
    MicrosoftTeamsUser {
        /// Its Entra object id, or the id of the visit.
        user_id: Personal<String>,
        /// Whether it is a visitor without an account.
        is_anonymous: bool,
        /// Where it lives.
        cloud: Cloud,
    },
    /// A Teams application.
    MicrosoftTeamsApp {
        /// Its application id.
        app_id: Personal<String>,
        /// Where it lives.
        cloud: Cloud,
    },
    /// A Teams user of the resource's tenant acting through this resource.
    TeamsExtensionUser {
        /// Its Entra object id.
        user_id: Personal<String>,
        /// Its tenant.
        tenant_id: Personal<String>,
        /// The resource it acts through.
        resource_id: Personal<String>,
        /// Where it lives.
        cloud: Cloud,
    },
    /// Anything else.
    Unknown(Personal<String>),
}

/// Why a text or model is no identifier. It does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidIdentifier {
    /// No raw id and no nested model, or an empty one.
    #[error(
        "an identifier needs rawId or one of communicationUser, phoneNumber, microsoftTeamsUser, microsoftTeamsApp, teamsExtensionUser"
    )]
    Empty,
    /// Longer than [`MAX_RAW_ID`].
    #[error("an identifier is at most {MAX_RAW_ID} bytes long")]
    TooLong,
    /// Holds a control character.
    #[error("an identifier must not hold control characters")]
    Control,
    /// More than one nested model.
    #[error(
        "an identifier must not hold more than one of communicationUser, phoneNumber, microsoftTeamsUser, microsoftTeamsApp, teamsExtensionUser"
    )]
    Ambiguous,
    /// `kind` names another model than the one present.
    #[error("kind does not agree with the rest of the identifier")]
    KindMismatch,
    /// `rawId` says something else than the nested model.
    #[error("rawId does not agree with the rest of the identifier")]
    RawIdMismatch,
    /// `cloud` is none of the three.
    #[error("cloud must be public, dod or gcch")]
    Cloud,
}

impl InvalidIdentifier {
    /// The answer for a request that holds it in the property `target`.
    #[must_use]
    pub fn into_error(self, target: &'static str) -> ApiError {
        ApiError::validation(target, format!("{target} is not valid: {self}."))
    }
}

/// Reads a raw id. Every text of fitting length is some identifier; what has no known form is
/// [`Identifier::Unknown`].
///
/// # Errors
/// When it is empty, longer than [`MAX_RAW_ID`] or holds control characters.
pub fn parse_raw(raw: &str) -> Result<Identifier, InvalidIdentifier> {
    check(raw)?;
    Ok(recognise(raw).unwrap_or_else(|| Identifier::Unknown(raw.to_owned().into())))
}

fn check(text: &str) -> Result<(), InvalidIdentifier> {
    if text.is_empty() {
        return Err(InvalidIdentifier::Empty);
    }
    if text.len() > MAX_RAW_ID {
        return Err(InvalidIdentifier::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidIdentifier::Control);
    }
    Ok(())
}

fn recognise(raw: &str) -> Option<Identifier> {
    if let Some(number) = raw.strip_prefix("4:").filter(|rest| !rest.is_empty()) {
        return Some(phone_number(number));
    }
    let mut parts = raw.splitn(3, ':');
    let (class, family, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if rest.is_empty() {
        return None;
    }
    let teams_user = |cloud, is_anonymous| Identifier::MicrosoftTeamsUser {
        user_id: rest.to_owned().into(),
        is_anonymous,
        cloud,
    };
    let teams_app = |cloud| Identifier::MicrosoftTeamsApp { app_id: rest.to_owned().into(), cloud };
    Some(match (class, family) {
        ("8", "acs") => communication_user(raw, rest, Cloud::Public),
        ("8", "dod-acs") => communication_user(raw, rest, Cloud::Dod),
        ("8", "gcch-acs") => communication_user(raw, rest, Cloud::Gcch),
        ("8", "spool") => Identifier::ForeignCommunicationUser(raw.to_owned().into()),
        ("8", "orgid") => teams_user(Cloud::Public, false),
        ("8", "dod") => teams_user(Cloud::Dod, false),
        ("8", "gcch") => teams_user(Cloud::Gcch, false),
        ("8", "teamsvisitor") => teams_user(Cloud::Public, true),
        ("28", "orgid") => teams_app(Cloud::Public),
        ("28", "dod") => teams_app(Cloud::Dod),
        ("28", "gcch") => teams_app(Cloud::Gcch),
        _ => return None,
    })
}

fn phone_number(number: &str) -> Identifier {
    match number.rsplit_once('_') {
        Some((value, asserted)) if !value.is_empty() && !asserted.is_empty() => Identifier::PhoneNumber {
            value: value.to_owned().into(),
            asserted_id: Some(asserted.to_owned().into()),
        },
        _ => Identifier::PhoneNumber { value: number.to_owned().into(), asserted_id: None },
    }
}

/// `rest` is `<resource>_<user>`, or `<resource>_<tenant>_<user>` of a Teams extension user.
fn communication_user(raw: &str, rest: &str, cloud: Cloud) -> Identifier {
    let parts: Vec<&str> = rest.split('_').collect();
    match parts[..] {
        [resource, user] if cloud == Cloud::Public => match (resource.parse(), user.parse()) {
            (Ok(resource), Ok(user)) => Identifier::CommunicationUser { resource, user },
            _ => Identifier::ForeignCommunicationUser(raw.to_owned().into()),
        },
        [resource, tenant, user] if parts.iter().all(|part| !part.is_empty()) => {
            Identifier::TeamsExtensionUser {
                user_id: user.to_owned().into(),
                tenant_id: tenant.to_owned().into(),
                resource_id: resource.to_owned().into(),
                cloud,
            }
        }
        _ => Identifier::ForeignCommunicationUser(raw.to_owned().into()),
    }
}

impl Identifier {
    /// The raw id, such as `8:acs:<resource>_<user>`. [`parse_raw`] of it gives the identifier back.
    #[must_use]
    pub fn raw_id(&self) -> String {
        match self {
            Self::CommunicationUser { resource, user } => format!("{ACS}{resource}_{user}"),
            Self::ForeignCommunicationUser(raw) | Self::Unknown(raw) => raw.expose().clone(),
            Self::PhoneNumber { value, asserted_id: None } => format!("4:{}", value.expose()),
            Self::PhoneNumber { value, asserted_id: Some(id) } => {
                format!("4:{}_{}", value.expose(), id.expose())
            }
            Self::MicrosoftTeamsUser { user_id, is_anonymous: true, .. } => {
                format!("8:teamsvisitor:{}", user_id.expose())
            }
            Self::MicrosoftTeamsUser { user_id, cloud, .. } => {
                format!("8:{}:{}", teams_family(*cloud), user_id.expose())
            }
            Self::MicrosoftTeamsApp { app_id, cloud } => {
                format!("28:{}:{}", teams_family(*cloud), app_id.expose())
            }
            Self::TeamsExtensionUser { user_id, tenant_id, resource_id, cloud } => {
                let family = match cloud {
                    Cloud::Public => "acs",
                    Cloud::Dod => "dod-acs",
                    Cloud::Gcch => "gcch-acs",
                };
                format!("8:{family}:{}_{}_{}", resource_id.expose(), tenant_id.expose(), user_id.expose())
            }
        }
    }

    /// The name of its kind in models.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CommunicationUser { .. } | Self::ForeignCommunicationUser(_) => "communicationUser",
            Self::PhoneNumber { .. } => "phoneNumber",
            Self::MicrosoftTeamsUser { .. } => "microsoftTeamsUser",
            Self::MicrosoftTeamsApp { .. } => "microsoftTeamsApp",
            Self::TeamsExtensionUser { .. } => "teamsExtensionUser",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Reads a model as SDKs send it: with or without `kind`, with `rawId`, a nested model, or both.
    ///
    /// # Errors
    /// See [`InvalidIdentifier`].
    pub fn from_model(model: &IdentifierModel) -> Result<Self, InvalidIdentifier> {
        model::read(model)
    }

    /// As responses hold it: `rawId`, `kind` and exactly one nested model, or for unknown ones `rawId` alone.
    #[must_use]
    pub fn to_model(&self) -> IdentifierModel {
        model::write(self)
    }
}

const fn teams_family(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Public => "orgid",
        Cloud::Dod => "dod",
        Cloud::Gcch => "gcch",
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommunicationUser { .. } => f.write_str(&self.raw_id()),
            other => write!(f, "Identifier({})", other.kind()),
        }
    }
}

#[cfg(test)]
#[path = "identifier/tests.rs"]
mod tests;
