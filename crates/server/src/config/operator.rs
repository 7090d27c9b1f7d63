//! `[operator]`: how whoever runs the server is known to it, and where it may be asked by them.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::secret::{self, SecretRef};

/// Who runs the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorConfig {
    /// Where the token is.
    pub token: SecretRef,
    /// The operator's own listener. With it the routes of the operator are found nowhere else.
    pub listen: Option<SocketAddr>,
    /// Whose certificates it asks for.
    pub clients: Option<ClientsConfig>,
    /// What the verbs of this program show there: a chain and its key.
    pub shown: Option<(PathBuf, PathBuf)>,
}

/// Who may connect to the operator's listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientsConfig {
    /// The authorities that issue the certificates of operators.
    pub authorities: PathBuf,
    /// Lists of those that were revoked.
    pub revoked: Option<PathBuf>,
}

/// Who runs the server, and where they may ask it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "operator")]
pub(super) struct RawOperator {
    /// Where the operator's token is, as "file:/path", "credential:NAME", "sealed:/path" or "env:NAME": at least 32 printable characters. Without it nobody
    /// can use the routes under /operator/.
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential|sealed):."))]
    token: Option<String>,
    /// An address of its own for the routes under /operator/, such as "10.0.0.5:9443"; they are found nowhere else then.
    #[serde(default)]
    #[schemars(with = "String")]
    listen: Option<String>,
    /// PEM file of the authorities whose certificates clients must show at `listen`; read again when it changes.
    #[serde(default)]
    #[schemars(with = "String")]
    client_ca: Option<PathBuf>,
    /// PEM file of their lists of revoked certificates; read again when it changes. A certificate on it is of no use from the
    /// next request on.
    #[serde(default)]
    #[schemars(with = "String")]
    client_crl: Option<PathBuf>,
    /// PEM file of the certificate that the verbs of this program show at `listen`.
    #[serde(default)]
    #[schemars(with = "String")]
    client_certificate: Option<PathBuf>,
    /// PEM file of its key.
    #[serde(default)]
    #[schemars(with = "String")]
    client_key: Option<PathBuf>,
}

impl RawOperator {
    pub(super) fn check(self, document: &mut Document<'_>) -> Option<OperatorConfig> {
        let listen = self.listen.as_deref().and_then(|text| {
            let read = text.parse().ok();
            if read.is_none() {
                const FIX: &str = "write an address and a port: listen = \"10.0.0.5:9443\"";
                document.problem("operator.listen", "this is no address with a port", FIX);
            }
            read
        });
        let client_ca = self.client_ca.is_some();
        for (name, is_given, wants, has) in [
            ("client_ca", client_ca, "listen", self.listen.is_some()),
            ("client_crl", self.client_crl.is_some(), "client_ca", client_ca),
            (
                "client_certificate",
                self.client_certificate.is_some(),
                "client_key",
                self.client_key.is_some(),
            ),
            (
                "client_key",
                self.client_key.is_some(),
                "client_certificate",
                self.client_certificate.is_some(),
            ),
        ] {
            if is_given && !has {
                document.problem(
                    &format!("operator.{name}"),
                    format!("it needs `{wants}` beside it"),
                    "write both, or neither",
                );
            }
        }
        let revoked = self.client_crl;
        let clients = self.client_ca.map(|authorities| ClientsConfig { authorities, revoked });
        let shown = self.client_certificate.zip(self.client_key);
        let token = secret::reference(self.token.as_deref()?, "operator.token", document)?;
        Some(OperatorConfig { token, listen, clients, shown })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const REST: &str = "[listener]\naddress = \"127.0.0.1:1\"\nself_signed = true\ndata = \"/d\"\n\
        [[cell]]\ngeography = \"europe\"\nengine = { kind = \"sqlite\", path = \"/d/s\" }\n\
        kms = { kind = \"local\", path = \"/d/k\" }\n[[resource]]\nname = \"home\"\ngeography = \"europe\"\n\
        [operator]\ntoken = \"env:T\"\n";

    fn read(lines: &str) -> Result<OperatorConfig, String> {
        let read = Config::parse("chancery.toml", &format!("{REST}{lines}"));
        read.map(|config| config.operator.unwrap()).map_err(|all| all.to_string())
    }

    #[test]
    fn a_listener_of_its_own_may_ask_for_certificates() {
        let plain = read("").unwrap();
        assert_eq!((plain.listen, plain.clients, plain.shown), (None, None, None));
        let whole = read(
            "listen = \"10.0.0.5:9443\"\nclient_ca = \"/ca\"\nclient_crl = \"/crl\"\n\
             client_certificate = \"/c\"\nclient_key = \"/k\"\n",
        );
        let whole = whole.unwrap();
        assert_eq!(whole.listen, Some("10.0.0.5:9443".parse().unwrap()));
        let clients = ClientsConfig { authorities: "/ca".into(), revoked: Some("/crl".into()) };
        assert_eq!((whole.clients, whole.shown), (Some(clients), Some(("/c".into(), "/k".into()))));
    }

    #[test]
    fn each_fault_is_placed_and_explained() {
        for (lines, expected) in [
            ("listen = \"localhost:1\"", "operator.listen"),
            ("client_ca = \"/ca\"", "operator.client_ca"),
            ("listen = \"127.0.0.1:2\"\nclient_crl = \"/crl\"", "operator.client_crl"),
            ("client_key = \"/k\"", "operator.client_key"),
            ("client_certificate = \"/c\"", "operator.client_certificate"),
        ] {
            let told = read(lines).unwrap_err();
            assert!(told.contains(expected), "{lines}: {told}");
        }
    }
}
