//! `[[resource]]`: one tenant, the geography it lives in, and where its access keys are when the operator sets them.

use base::Geography;
use schemars::JsonSchema;
use serde::Deserialize;

use super::cell;
use super::document::Document;
use super::name::ResourceName;
use super::secret::{self, SecretRef};

/// One Communication Services resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceConfig {
    /// Its name, the first label of its host names.
    pub name: ResourceName,
    /// The cell it lives in, for ever.
    pub geography: Geography,
    /// Where its first access key is, when the operator sets it; otherwise the server makes it.
    pub access_keys: Vec<SecretRef>,
}

/// One Communication Services resource.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "resource")]
pub(super) struct RawResource {
    /// Its name: a DNS label, the first part of its host names.
    #[schemars(required, with = "String", regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"))]
    name: Option<String>,
    /// The geography of the cell it lives in. It cannot be changed later.
    #[schemars(required, with = "String")]
    geography: Option<String>,
    /// Where its first access key is, as "env:NAME" or "file:/path". Without it the server makes one.
    #[serde(default)]
    #[schemars(length(max = 1), inner(regex(pattern = r"^(env|file):.")))]
    access_keys: Vec<String>,
}

impl RawResource {
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Option<ResourceConfig> {
        let key = format!("{at}.name");
        let name = match self.name.as_deref().map(ResourceName::parse) {
            Some(Ok(name)) => Some(name),
            Some(Err(fault)) => {
                document.problem(&key, fault.to_string(), "write a name such as \"contoso\"");
                None
            }
            None => cell::missing(&key, "write a name such as \"contoso\"", document),
        };
        let geography = cell::geography(self.geography.as_deref(), &format!("{at}.geography"), document);
        let access_keys = keys(&self.access_keys, &format!("{at}.access_keys"), document);
        Some(ResourceConfig { name: name?, geography: geography?, access_keys })
    }
}

fn keys(texts: &[String], at: &str, document: &mut Document<'_>) -> Vec<SecretRef> {
    if texts.len() > 1 {
        document.problem(
            at,
            "only the first access key can be set; the second is made by the server",
            "write one",
        );
    }
    let mut keys = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match SecretRef::parse(text) {
            Some(key) => keys.push(key),
            None => {
                document.problem(&format!("{at}[{index}]"), "this is no reference to a secret", secret::FORM);
            }
        }
    }
    keys
}
