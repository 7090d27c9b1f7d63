//! The JSON model of an identifier and the way to and from [`Identifier`].

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use crate::json::Object;

use super::{Cloud, Identifier, InvalidIdentifier, MAX_RAW_ID, check, parse_raw};

/// `CommunicationIdentifierModel` of the specs. Every property may be absent or null in requests; in responses none is
/// null. It has no `Debug`: it names people.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IdentifierModel {
    /// Which nested model there is; often left out in requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'static, str>>,
    /// The raw id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_id: Option<String>,
    /// A communication user.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub communication_user: Option<CommunicationUserModel>,
    /// A telephone number.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub phone_number: Option<PhoneNumberModel>,
    /// A Teams user.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub microsoft_teams_user: Option<MicrosoftTeamsUserModel>,
    /// A Teams application.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub microsoft_teams_app: Option<MicrosoftTeamsAppModel>,
    /// A Teams user acting through the resource.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub teams_extension_user: Option<TeamsExtensionUserModel>,
}

/// A communication user: its raw id once more.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommunicationUserModel {
    /// `8:acs:<resource>_<user>`.
    pub id: String,
}

/// A telephone number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneNumberModel {
    /// In E.164 form.
    pub value: String,
    /// Whether the caller hid the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_anonymous: Option<bool>,
    /// Tells apart two calls of one number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted_id: Option<String>,
}

/// A Teams user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MicrosoftTeamsUserModel {
    /// Its Entra object id.
    pub user_id: String,
    /// Whether it is a visitor without an account; absent in a request means no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_anonymous: Option<bool>,
    /// `public` (also when absent in a request), `dod` or `gcch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<Cow<'static, str>>,
}

/// A Teams application.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MicrosoftTeamsAppModel {
    /// Its application id.
    pub app_id: String,
    /// `public` (also when absent in a request), `dod` or `gcch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<Cow<'static, str>>,
}

/// A Teams user acting through the resource.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamsExtensionUserModel {
    /// Its Entra object id.
    pub user_id: String,
    /// Its tenant.
    pub tenant_id: String,
    /// The resource.
    pub resource_id: String,
    /// `public` (also when absent in a request), `dod` or `gcch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<Cow<'static, str>>,
}

fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

impl IdentifierModel {
    /// For API versions that do not know `kind` (chat before 2023-11-07).
    #[must_use]
    pub fn without_kind(mut self) -> Self {
        self.kind = None;
        self
    }

    fn nested(&self) -> usize {
        usize::from(self.communication_user.is_some())
            + usize::from(self.phone_number.is_some())
            + usize::from(self.microsoft_teams_user.is_some())
            + usize::from(self.microsoft_teams_app.is_some())
            + usize::from(self.teams_extension_user.is_some())
    }
}

pub(super) fn read(model: &IdentifierModel) -> Result<Identifier, InvalidIdentifier> {
    if model.nested() > 1 {
        return Err(InvalidIdentifier::Ambiguous);
    }
    let raw = model.raw_id.as_deref().filter(|raw| !raw.is_empty()).map(parse_raw).transpose()?;
    let nested = read_nested(model)?;
    let identifier = match (raw, nested) {
        (None, None) => return Err(InvalidIdentifier::Empty),
        (Some(raw), None) => raw,
        (None, Some(nested)) => nested,
        (Some(raw), Some(nested)) if agree(&raw, &nested, model) => fuller(raw, nested),
        (Some(_), Some(_)) => return Err(InvalidIdentifier::RawIdMismatch),
    };
    check_kind(model, &identifier)?;
    Ok(identifier)
}

fn read_nested(model: &IdentifierModel) -> Result<Option<Identifier>, InvalidIdentifier> {
    let text = |text: &str| check(text).map(|()| text.to_owned().into());
    let cloud = |name: &Option<Cow<'static, str>>| match name.as_deref() {
        None => Ok(Cloud::Public),
        Some(name) => Cloud::from_name(name).ok_or(InvalidIdentifier::Cloud),
    };
    let identifier = if let Some(user) = &model.communication_user {
        match parse_raw(&user.id)? {
            known @ (Identifier::CommunicationUser { .. } | Identifier::TeamsExtensionUser { .. }) => known,
            Identifier::Unknown(raw) | Identifier::ForeignCommunicationUser(raw) => {
                Identifier::ForeignCommunicationUser(raw)
            }
            _ => return Err(InvalidIdentifier::KindMismatch),
        }
    } else if let Some(phone) = &model.phone_number {
        let asserted = phone.asserted_id.as_deref().filter(|id| !id.is_empty());
        Identifier::PhoneNumber { value: text(&phone.value)?, asserted_id: asserted.map(text).transpose()? }
    } else if let Some(user) = &model.microsoft_teams_user {
        Identifier::MicrosoftTeamsUser {
            user_id: text(&user.user_id)?,
            is_anonymous: user.is_anonymous == Some(true),
            cloud: cloud(&user.cloud)?,
        }
    } else if let Some(app) = &model.microsoft_teams_app {
        Identifier::MicrosoftTeamsApp { app_id: text(&app.app_id)?, cloud: cloud(&app.cloud)? }
    } else if let Some(user) = &model.teams_extension_user {
        Identifier::TeamsExtensionUser {
            user_id: text(&user.user_id)?,
            tenant_id: text(&user.tenant_id)?,
            resource_id: text(&user.resource_id)?,
            cloud: cloud(&user.cloud)?,
        }
    } else {
        return Ok(None);
    };
    canonical(identifier).map(Some)
}

/// The parts fit one by one; the raw id they make up must fit as well, and be read back as the same kind.
fn canonical(identifier: Identifier) -> Result<Identifier, InvalidIdentifier> {
    if identifier.raw_id().len() > MAX_RAW_ID {
        return Err(InvalidIdentifier::TooLong);
    }
    if matches!(identifier, Identifier::ForeignCommunicationUser(_)) {
        return Ok(identifier);
    }
    let again = parse_raw(&identifier.raw_id())?;
    if again.kind() == identifier.kind() { Ok(again) } else { Err(InvalidIdentifier::RawIdMismatch) }
}

/// Whether the raw id says nothing else than the nested model. What the model leaves out is not compared.
fn agree(raw: &Identifier, nested: &Identifier, model: &IdentifierModel) -> bool {
    match (raw, nested) {
        (
            Identifier::PhoneNumber { value: a, asserted_id: a_id },
            Identifier::PhoneNumber { value: b, asserted_id: b_id },
        ) => {
            // Older SDKs wrote the raw id without the plus sign.
            let digits = |value: &base::Personal<String>| value.expose().trim_start_matches('+').to_owned();
            digits(a) == digits(b) && (b_id.is_none() || a_id == b_id)
        }
        (
            Identifier::MicrosoftTeamsUser { user_id: a, is_anonymous: a_anonymous, cloud: a_cloud },
            Identifier::MicrosoftTeamsUser { user_id: b, is_anonymous: b_anonymous, cloud: b_cloud },
        ) => {
            let said = model.microsoft_teams_user.as_ref();
            a == b
                && (said.is_none_or(|m| m.is_anonymous.is_none()) || a_anonymous == b_anonymous)
                && (said.is_none_or(|m| m.cloud.is_none()) || *a_anonymous || a_cloud == b_cloud)
        }
        (
            Identifier::MicrosoftTeamsApp { app_id: a, cloud: a_cloud },
            Identifier::MicrosoftTeamsApp { app_id: b, cloud: b_cloud },
        ) => {
            let said = model.microsoft_teams_app.as_ref();
            a == b && (said.is_none_or(|m| m.cloud.is_none()) || a_cloud == b_cloud)
        }
        (Identifier::Unknown(a), Identifier::ForeignCommunicationUser(b)) => a == b,
        (a, b) => a == b,
    }
}

/// Of two that agree: the raw id says more, except where it lacks the plus sign or the kind.
fn fuller(raw: Identifier, nested: Identifier) -> Identifier {
    match (raw, nested) {
        (Identifier::PhoneNumber { asserted_id, .. }, Identifier::PhoneNumber { value, .. }) => {
            Identifier::PhoneNumber { value, asserted_id }
        }
        (Identifier::Unknown(_), nested) => nested,
        (raw, _) => raw,
    }
}

/// `kind` must agree with the nested model. A kind this server does not know is not judged (the list is extensible),
/// nor is a kind beside a raw id alone: there the raw id says all.
fn check_kind(model: &IdentifierModel, identifier: &Identifier) -> Result<(), InvalidIdentifier> {
    const KINDS: [&str; 6] = [
        "unknown",
        "communicationUser",
        "phoneNumber",
        "microsoftTeamsUser",
        "microsoftTeamsApp",
        "teamsExtensionUser",
    ];
    let Some(kind) = model.kind.as_deref().filter(|kind| KINDS.contains(kind)) else { return Ok(()) };
    let present = if model.communication_user.is_some() { "communicationUser" } else { identifier.kind() };
    if model.nested() == 0 || kind == present { Ok(()) } else { Err(InvalidIdentifier::KindMismatch) }
}

pub(super) fn write(identifier: &Identifier) -> IdentifierModel {
    let raw_id = identifier.raw_id();
    let mut model = IdentifierModel::default();
    let cloud = |cloud: &Cloud| Some(Cow::Borrowed(cloud.name()));
    match identifier {
        Identifier::CommunicationUser { .. } | Identifier::ForeignCommunicationUser(_) => {
            model.communication_user = Some(CommunicationUserModel { id: raw_id.clone() });
        }
        Identifier::PhoneNumber { value, asserted_id } => {
            model.phone_number = Some(PhoneNumberModel {
                value: value.expose().clone(),
                is_anonymous: (value.expose() == "anonymous").then_some(true),
                asserted_id: asserted_id.as_ref().map(|id| id.expose().clone()),
            });
        }
        Identifier::MicrosoftTeamsUser { user_id, is_anonymous, cloud: home } => {
            model.microsoft_teams_user = Some(MicrosoftTeamsUserModel {
                user_id: user_id.expose().clone(),
                is_anonymous: Some(*is_anonymous),
                cloud: cloud(home),
            });
        }
        Identifier::MicrosoftTeamsApp { app_id, cloud: home } => {
            model.microsoft_teams_app =
                Some(MicrosoftTeamsAppModel { app_id: app_id.expose().clone(), cloud: cloud(home) });
        }
        Identifier::TeamsExtensionUser { user_id, tenant_id, resource_id, cloud: home } => {
            model.teams_extension_user = Some(TeamsExtensionUserModel {
                user_id: user_id.expose().clone(),
                tenant_id: tenant_id.expose().clone(),
                resource_id: resource_id.expose().clone(),
                cloud: cloud(home),
            });
        }
        Identifier::Unknown(_) => {}
    }
    if model.nested() == 1 {
        model.kind = Some(Cow::Borrowed(identifier.kind()));
    }
    model.raw_id = Some(raw_id);
    model
}
