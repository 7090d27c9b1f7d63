//! What a key service may be configured as, and each fault.

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
        (
            "pkcs11",
            "pkcs12",
            "cell[0].kms.kind: there is no such key service -> write \"local\", \"pkcs11\" or \"aws-kms\"",
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
