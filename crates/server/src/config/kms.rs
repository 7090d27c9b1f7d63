//! `kms = {..}` of a cell: who keeps the key above its keys.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::cell::missing;
use super::document::Document;
use super::secret::{self, SecretRef};

/// Who keeps the root key of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KmsConfig {
    /// A key file of this machine.
    Local {
        /// The file, readable for the server alone; made when it is missing.
        path: PathBuf,
    },
    /// A key in a token that speaks PKCS#11: an HSM.
    Pkcs11 {
        /// The module's file.
        module: PathBuf,
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// Where the user's PIN is.
        pin: SecretRef,
    },
}

/// Who keeps the key above a cell's keys: { kind = "local", path = ".." }, or { kind = "pkcs11", module = "..", token = "..",
/// key = "..", pin = "file:.." }.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "kms")]
pub(super) struct RawKms {
    /// "local" or "pkcs11".
    #[schemars(required, with = "String", regex(pattern = r"^(local|pkcs11)$"))]
    kind: Option<String>,
    /// For local: the key file, readable for the server alone; made when it is missing. Back it up: without it nothing can be read.
    #[serde(default)]
    #[schemars(with = "String")]
    path: Option<PathBuf>,
    /// For pkcs11: the module of the HSM's maker, such as "/usr/lib/softhsm/libsofthsm2.so".
    #[serde(default)]
    #[schemars(with = "String")]
    module: Option<PathBuf>,
    /// For pkcs11: the token's label.
    #[serde(default)]
    #[schemars(with = "String", length(max = 32))]
    token: Option<String>,
    /// For pkcs11: the label of its AES-256 key.
    #[serde(default)]
    #[schemars(with = "String", length(max = 255))]
    key: Option<String>,
    /// For pkcs11: where the user's PIN is, as "env:NAME" or "file:/path".
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file):."))]
    pin: Option<String>,
}

impl RawKms {
    /// Checks it; what is wrong is noted.
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        let of_token = [
            ("module", self.module.is_some()),
            ("token", self.token.is_some()),
            ("key", self.key.is_some()),
            ("pin", self.pin.is_some()),
        ];
        match self.kind.as_deref() {
            Some("pkcs11") => {
                foreign(self.path.is_some(), &format!("{at}.path"), "pkcs11", document);
                self.pkcs11(at, document)
            }
            Some("local") => {
                for (name, given) in of_token {
                    foreign(given, &format!("{at}.{name}"), "local", document);
                }
                self.path.filter(|path| !path.as_os_str().is_empty()).map_or_else(
                    || {
                        missing(
                            &format!("{at}.path"),
                            "name the key file: path = \"/var/lib/chancery/europe/root.key\"",
                            document,
                        )
                    },
                    |path| Some(KmsConfig::Local { path }),
                )
            }
            Some(_) => {
                document.problem(&format!("{at}.kind"), "there is no such key service", KINDS);
                None
            }
            None => missing(&format!("{at}.kind"), KINDS, document),
        }
    }

    fn pkcs11(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        let module = self.module.filter(|path| path.is_absolute()).or_else(|| {
            missing(&format!("{at}.module"), "name the whole path of the HSM's PKCS#11 module", document)
        });
        let mut label = |name: &str, text: Option<String>, most: usize| {
            let fits = text.filter(|text| (1..=most).contains(&text.len()));
            fits.or_else(|| {
                let fix = format!("write its label, 1 to {most} bytes: {name} = \"chancery\"");
                missing(&format!("{at}.{name}"), &fix, document)
            })
        };
        let (token, key) = (label("token", self.token, MAX_TOKEN), label("key", self.key, MAX_KEY_LABEL));
        let place = format!("{at}.pin");
        let pin = match self.pin {
            None => missing(&place, secret::FORM, document),
            Some(text) => SecretRef::parse(&text).or_else(|| {
                document.problem(&place, "this is no reference to a secret", secret::FORM);
                None
            }),
        };
        Some(KmsConfig::Pkcs11 { module: module?, token: token?, key: key?, pin: pin? })
    }
}

const KINDS: &str = "write \"local\" or \"pkcs11\"";
/// The longest label of a token (PKCS #11, `CK_TOKEN_INFO`).
const MAX_TOKEN: usize = 32;
/// The longest label of a key.
const MAX_KEY_LABEL: usize = 255;

fn foreign(given: bool, key: &str, kind: &str, document: &mut Document<'_>) {
    if given {
        document.problem(key, format!("a key service of the kind {kind} has no such key"), "take it out");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    /// The key service of a cell that is configured so, or what is wrong: `key: what -> fix`.
    fn read(kms: &str) -> Result<KmsConfig, Vec<String>> {
        let text = format!(
            "[listener]\naddress = \"127.0.0.1:1\"\nself_signed = true\ndata = \"/d\"\npublic_hosts = [\"a.b\"]\n\
             [[cell]]\ngeography = \"europe\"\nengine = {{ kind = \"sqlite\", path = \"/d/s\" }}\nkms = {{ {kms} }}\n\
             [[resource]]\nname = \"home\"\ngeography = \"europe\"\n"
        );
        match Config::parse("chancery.toml", &text) {
            Ok(config) => Ok(config.cells[0].kms.clone()),
            Err(all) => {
                Err(all.0.iter().map(|one| format!("{}: {} -> {}", one.key, one.what, one.fix)).collect())
            }
        }
    }

    const TOKEN: &str = r#"kind = "pkcs11", module = "/m.so", token = "t", key = "k", pin = "env:PIN""#;

    #[test]
    fn a_token_is_read() {
        let expected = KmsConfig::Pkcs11 {
            module: "/m.so".into(),
            token: "t".to_owned(),
            key: "k".to_owned(),
            pin: SecretRef::Env("PIN".to_owned()),
        };
        assert_eq!(read(TOKEN), Ok(expected));
    }

    #[test]
    fn each_fault_of_a_token_is_placed_and_explained() {
        let faults = [
            (r#", module = "/m.so""#, "", "cell[0].kms.module: missing -> name the whole path"),
            (r#""/m.so""#, r#""m.so""#, "cell[0].kms.module: missing -> name the whole path"),
            (r#", token = "t""#, "", "cell[0].kms.token: missing -> write its label, 1 to 32 bytes"),
            (r#""k""#, r#""""#, "cell[0].kms.key: missing -> write its label, 1 to 255 bytes"),
            (r#", pin = "env:PIN""#, "", "cell[0].kms.pin: missing -> write \"env:NAME\""),
            ("env:PIN", "hunter2", "cell[0].kms.pin: this is no reference to a secret -> write"),
            (
                r#""pkcs11""#,
                r#""pkcs11", path = "/p""#,
                "cell[0].kms.path: a key service of the kind pkcs11 has no such key",
            ),
            ("pkcs11", "pkcs12", "cell[0].kms.kind: there is no such key service -> write \"local\""),
        ];
        for (old, new, expected) in faults {
            assert!(TOKEN.contains(old), "{old}");
            let found = read(&TOKEN.replacen(old, new, 1)).unwrap_err();
            assert!(found.len() == 1 && found[0].starts_with(expected), "{new}: {found:?}");
            assert!(!found[0].contains("hunter2"), "{found:?}");
        }
    }

    #[test]
    fn labels_have_bounds() {
        for (old, most) in [("token = \"t", MAX_TOKEN), ("key = \"k", MAX_KEY_LABEL)] {
            let with = |len: usize| {
                read(&TOKEN.replacen(old, &format!("{}{}", &old[..old.len() - 1], "x".repeat(len)), 1))
            };
            assert!(with(most).is_ok(), "{old} {most}");
            assert_eq!(with(most + 1).unwrap_err().len(), 1, "{old} {most}");
        }
    }

    #[test]
    fn a_file_has_nothing_of_a_token() {
        let file = r#"kind = "local", path = "/r""#;
        assert_eq!(read(file), Ok(KmsConfig::Local { path: "/r".into() }));
        for more in [r#"module = "/m""#, r#"token = "t""#, r#"key = "k""#, r#"pin = "env:P""#] {
            let found = read(&format!("{file}, {more}")).unwrap_err();
            let name = more.split(' ').next().unwrap();
            assert_eq!(
                found,
                [format!(
                    "cell[0].kms.{name}: a key service of the kind local has no such key -> take it out"
                )]
            );
        }
    }
}
