//! What a key service may be configured as, and each fault.

use super::super::Config;
use super::*;

/// The key service of a cell that is configured so, or what is wrong: `key: what -> fix`.
pub(super) fn read(kms: &str) -> Result<KmsConfig, Vec<String>> {
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
        (
            "pkcs11",
            "pkcs12",
            "cell[0].kms.kind: there is no such key service -> write \"local\", \"pkcs11\", \"aws-kms\", \"vault-transit\" or \"azure-key-vault\"",
        ),
    ];
    for (old, new, expected) in faults {
        assert!(TOKEN.contains(old), "{old}");
        let found = read(&TOKEN.replacen(old, new, 1)).unwrap_err();
        assert!(found.len() == 1 && found[0].starts_with(expected), "{new}: {found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
}

#[test]
fn what_opens_a_key_service_is_not_sealed_by_one() {
    for kms in [TOKEN.replace("env:PIN", "sealed:/pin"), VAULT.replace("file:/t", "sealed:/t")] {
        let found = read(&kms).unwrap_err();
        assert!(found[0].starts_with("cell[0].kms: what opens a key service cannot be sealed"), "{found:?}");
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
fn a_file_may_be_sealed_under_a_passphrase() {
    let sealed = r#"kind = "local", path = "/r", passphrase = "credential:root""#;
    let passphrase = Some(SecretRef::Credential("root".to_owned()));
    assert_eq!(read(sealed), Ok(KmsConfig::Local { path: "/r".into(), passphrase }));
    let plain = read(&sealed.replace("credential:root", "correct horse")).unwrap_err();
    assert!(plain[0].starts_with("cell[0].kms.passphrase: this is no reference"), "{plain:?}");
    let elsewhere = read(&format!(r#"{TOKEN}, passphrase = "env:P""#)).unwrap_err();
    assert!(elsewhere[0].contains("no such key"), "{elsewhere:?}");
}

const WITH_SERVICES: &str = r#"
[listener]
address = "127.0.0.1:0"
self_signed = true
data = "/d"
[[cell]]
geography = "europe"
engine = { kind = "sqlite", path = "/d/s" }
kms = { kind = "local", path = "/d/k" }
[[cell.key_service]]
name = "contoso-key"
kms = { kind = "local", path = "/d/contoso" }
[[resource]]
name = "contoso"
geography = "europe"
key_service = "contoso-key"
"#;

#[test]
fn a_resource_chooses_a_key_service_of_its_cell() {
    let config = Config::parse("t", WITH_SERVICES).unwrap();
    assert_eq!(config.cells[0].key_services[0].name, "contoso-key");
    assert_eq!(config.resources[0].key_service.as_deref(), Some("contoso-key"));
    let own = WITH_SERVICES.replace("key_service = \"contoso-key\"", "key_service = \"root\"");
    assert!(Config::parse("t", &own).is_ok());
    for (old, new, expected) in [
        ("key_service = \"contoso-key\"", "key_service = \"other\"", "resource[0].key_service"),
        ("name = \"contoso-key\"", "name = \"root\"", "cell[0].key_service[0].name"),
        ("name = \"contoso-key\"", "name = \"Contoso\"", "cell[0].key_service[0].name"),
        ("name = \"contoso-key\"", "name = \"-\"", "cell[0].key_service[0].name"),
        ("path = \"/d/contoso\"", "", "cell[0].key_service[0].kms.path"),
    ] {
        let told = Config::parse("t", &WITH_SERVICES.replacen(old, new, 1)).unwrap_err().to_string();
        assert!(told.contains(expected), "{new}: {told}");
    }
    let long = format!("name = \"{}\"", "a".repeat(guard::holder::MAX_HOLDER));
    let with = |name: &str| {
        let text = WITH_SERVICES.replace("name = \"contoso-key\"", name);
        Config::parse("t", &text.replace("key_service = \"contoso-key\"", ""))
    };
    assert!(with(&long).is_ok() && with(&long.replacen('a', "aa", 1)).is_err());
}

#[test]
fn key_services_have_names_and_keys_of_their_own() {
    let twice = WITH_SERVICES.replace(
        "[[resource]]",
        "[[cell.key_service]]\nname = \"contoso-key\"\nkms = { kind = \"local\", path = \"/d/contoso\" }\n[[resource]]",
    );
    let told = Config::parse("t", &twice).unwrap_err().to_string();
    assert!(told.contains("cell[0].key_service[1].name"), "{told}");
    assert!(told.contains("cell[0].key_service[1].kms.path"), "two services do not share a key: {told}");
    let as_root = WITH_SERVICES.replace("/d/contoso", "/d/k");
    assert!(Config::parse("t", &as_root).is_ok(), "the cell's own by another name");
}

#[test]
fn a_file_has_nothing_of_a_token() {
    let file = r#"kind = "local", path = "/r""#;
    assert_eq!(read(file), Ok(KmsConfig::Local { path: "/r".into(), passphrase: None }));
    for more in [r#"module = "/m""#, r#"token = "t""#, r#"key = "k""#, r#"pin = "env:P""#] {
        let found = read(&format!("{file}, {more}")).unwrap_err();
        let name = more.split(' ').next().unwrap();
        assert_eq!(
            found,
            [format!("cell[0].kms.{name}: a key service of the kind local has no such key -> take it out")]
        );
    }
}

const AWS: &str = r#"kind = "aws-kms", region = "eu-central-1", key = "k", access_key_id = "env:ID", secret_access_key = "file:/s""#;

#[test]
fn a_key_in_aws_is_read() {
    let read = |text: &str| match read(text) {
        Ok(KmsConfig::Aws(aws)) => aws,
        other => panic!("{other:?}"),
    };
    let plain = read(AWS);
    assert_eq!((plain.region.as_str(), plain.key.as_str(), &plain.endpoint), ("eu-central-1", "k", &None));
    assert_eq!(plain.access_key_id, SecretRef::Env("ID".to_owned()));
    assert_eq!(plain.ca, PathBuf::from(SYSTEM_CA));
    let whole =
        read(&format!(r#"{AWS}, endpoint = "http://127.0.0.1:5000/", ca = "/ca", session_token = "env:T""#));
    assert_eq!(whole.endpoint.as_deref(), Some("http://127.0.0.1:5000/"));
    assert_eq!((whole.ca, whole.session_token), ("/ca".into(), Some(SecretRef::Env("T".to_owned()))));
}

#[test]
fn each_fault_of_a_key_in_aws_is_placed_and_explained() {
    let faults = [
        (r#", region = "eu-central-1""#, "", "cell[0].kms.region: missing -> write its name, 1 to 64 bytes"),
        ("eu-central-1", "eu.central", "cell[0].kms.region: this is no region"),
        (r#", key = "k""#, "", "cell[0].kms.key: missing -> write its id or ARN, 1 to 2048 bytes"),
        (r#", access_key_id = "env:ID""#, "", "cell[0].kms.access_key_id: missing"),
        ("file:/s", "hunter2", "cell[0].kms.secret_access_key: this is no reference to a secret"),
        (
            r#""k""#,
            r#""k", endpoint = "http://kms.example/""#,
            "cell[0].kms.endpoint: this is no endpoint of a key service",
        ),
        (r#""k""#, r#""k", session_token = "plain""#, "cell[0].kms.session_token: this is no reference"),
        (
            r#""k""#,
            r#""k", pin = "env:P""#,
            "cell[0].kms.pin: a key service of the kind aws-kms has no such key",
        ),
    ];
    for (old, new, expected) in faults {
        assert!(AWS.contains(old), "{old}");
        let found = read(&AWS.replacen(old, new, 1)).unwrap_err();
        assert!(found.len() == 1 && found[0].starts_with(expected), "{new}: {found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
}

#[test]
fn an_endpoint_without_tls_is_on_this_machine() {
    for good in ["https://kms.eu-central-1.amazonaws.com/", "http://localhost:5000/", "http://[::1]:1/"] {
        assert!(is_endpoint(good), "{good}");
    }
    for bad in ["", "kms", "http://10.0.0.1/", "ftp://localhost/", "https:///", "https://a/?b"] {
        assert!(!is_endpoint(bad), "{bad}");
    }
}

const VAULT: &str = r#"kind = "vault-transit", address = "https://vault.example.org:8200", key = "europe", token = "file:/t""#;

#[test]
fn a_key_in_vault_is_read() {
    let read = |text: &str| match read(text) {
        Ok(KmsConfig::Vault(vault)) => vault,
        other => panic!("{other:?}"),
    };
    let plain = read(VAULT);
    assert_eq!((plain.mount.as_str(), plain.key.as_str(), &plain.namespace), ("transit", "europe", &None));
    assert_eq!((plain.ca, plain.token), (PathBuf::from(SYSTEM_CA), SecretRef::File("/t".into())));
    let whole = read(&format!(r#"{VAULT}, mount = "kms/transit", namespace = "contoso/eu", ca = "/ca""#));
    assert_eq!((whole.mount.as_str(), whole.namespace.as_deref()), ("kms/transit", Some("contoso/eu")));
}

#[test]
fn each_fault_of_a_key_in_vault_is_placed_and_explained() {
    let long = format!("key = \"{}\"", "k".repeat(MAX_PATH + 1));
    for (old, new, expected) in [
        ("https://vault", "http://vault", "cell[0].kms.address"),
        (":8200", ":8200/v1", "cell[0].kms.address"),
        (r#", token = "file:/t""#, "", "cell[0].kms.token"),
        ("file:/t", "hvs.secret", "cell[0].kms.token"),
        (r#""europe""#, r#""../sys""#, "cell[0].kms.key"),
        (r#""europe""#, r#""a b""#, "cell[0].kms.key"),
        (r#"key = "europe""#, long.as_str(), "cell[0].kms.key"),
        (r#"key = "europe""#, r#"key = "e", mount = "/""#, "cell[0].kms.mount"),
        (r#"key = "europe""#, r#"key = "e", region = "r""#, "cell[0].kms.region"),
    ] {
        let found = read(&VAULT.replacen(old, new, 1)).unwrap_err();
        assert!(found[0].starts_with(expected), "{new}: {found:?}");
        assert!(!found.join(" ").contains("hvs.secret"));
    }
}
