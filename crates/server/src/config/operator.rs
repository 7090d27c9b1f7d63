//! `[operator]`: by which token whoever runs the server is known to it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::secret::{self, SecretRef};

/// Who runs the server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "operator")]
pub(super) struct RawOperator {
    /// Where the operator's token is, as "file:/path", "credential:NAME" or "env:NAME": at least 32 printable characters. Without it nobody
    /// can use the routes under /operator/.
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential):."))]
    token: Option<String>,
}

impl RawOperator {
    pub(super) fn check(&self, document: &mut Document<'_>) -> Option<SecretRef> {
        let text = self.token.as_deref()?;
        secret::reference(text, "operator.token", document)
    }
}
