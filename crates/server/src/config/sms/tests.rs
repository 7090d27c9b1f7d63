//! Carriers as they should be written, and each way to write them wrong.

use super::super::Config;
use super::*;

const BEFORE: &str = r#"
[listener]
address = "127.0.0.1:8443"
self_signed = true
data = "/data"

[[resource]]
name = "contoso"
geography = "europe"

[[cell]]
geography = "europe"
engine = { kind = "sqlite", path = "/data/store.sqlite" }
kms = { kind = "local", path = "/data/root.key" }

[[cell.sms.carrier]]
"#;
const LEAST: &str =
    "name = \"one\"\nhost = \"smsc.example.net\"\nsystem_id = \"chancery\"\npassword = \"env:SMS\"\n";

fn parse(carrier: &str) -> Result<Vec<CarrierConfig>, Vec<String>> {
    match Config::parse("chancery.toml", &format!("{BEFORE}{carrier}")) {
        Ok(config) => Ok(config.cells[0].carriers.clone()),
        Err(problems) => Err(problems.0.iter().map(|one| format!("{}: {}", one.key, one.what)).collect()),
    }
}

#[test]
fn the_least_is_a_carrier_with_tls_for_any_number() {
    let carriers = parse(LEAST).unwrap();
    let one = &carriers[0];
    assert_eq!(
        (one.host.as_str(), one.port, one.tls_name.as_str()),
        ("smsc.example.net", 3550, "smsc.example.net")
    );
    assert_eq!(one.tls, Some(SYSTEM_CA.into()));
    assert_eq!(one.password, SecretRef::Env("SMS".into()));
    assert_eq!((one.window, one.connections, one.rate), (100, 1, None));
    assert_eq!((one.binding, one.ids), (Binding::Transceiver, IdForm::Same));
    assert_eq!((one.prefixes.as_slice(), one.languages.len()), (&[String::new()][..], 0));
}

#[test]
fn everything_can_be_said() {
    let all = format!(
        "{LEAST}port = 2775\ntls = false\nsystem_type = \"VMA\"\nbind = \"separate\"\nconnections = 2\nwindow = 10\n\
         rate = 50\nanswer_timeout_secs = 5\nenquire_link_secs = 60\nprefixes = [\"1\", \"44\"]\n\
         languages = [\"turkish\"]\nlong_references = true\nmessage_ids = \"hex-decimal\"\n"
    );
    let carriers = parse(&all).unwrap();
    let one = &carriers[0];
    assert_eq!((one.port, one.tls.clone(), one.system_type.as_str()), (2775, None, "VMA"));
    assert_eq!((one.binding, one.connections, one.window, one.rate), (Binding::Separate, 2, 10, Some(50)));
    assert_eq!((one.answer_secs, one.enquire_secs), (5, 60));
    assert_eq!(one.prefixes, ["1", "44"]);
    assert_eq!((one.languages.as_slice(), one.long_references), (&[Language::Turkish][..], true));
    assert_eq!(one.ids, IdForm::HexThenDecimal);
    let two = format!("{LEAST}[[cell.sms.carrier]]\n{}", LEAST.replace("one", "two"));
    assert_eq!(parse(&two).unwrap().len(), 2);
}

#[test]
fn each_mistake_is_told_with_its_place() {
    let without =
        |line: &str| LEAST.lines().filter(|one| !one.starts_with(line)).collect::<Vec<_>>().join("\n");
    let at = "cell[0].sms.carrier[0]";
    for (text, told) in [
        (without("name"), format!("{at}.name: missing")),
        (without("host"), format!("{at}.host: missing")),
        (without("system_id"), format!("{at}.system_id: missing")),
        (without("password"), format!("{at}.password: missing")),
        (LEAST.replace("env:SMS", "hunter2"), format!("{at}.password: this is no reference to a secret")),
        (LEAST.replace("\"one\"", "\"o ne\""), format!("{at}.name: this is no name of a carrier")),
        (
            LEAST.replace("\"chancery\"", "\"chancery90123456\""),
            format!("{at}.system_id: SMPP cannot carry this"),
        ),
        (
            format!("{LEAST}system_type = \"1234567890123\""),
            format!("{at}.system_type: SMPP cannot carry this"),
        ),
        (format!("{LEAST}window = 0"), format!("{at}.window: out of bounds")),
        (format!("{LEAST}window = 1001"), format!("{at}.window: out of bounds")),
        (format!("{LEAST}connections = 17"), format!("{at}.connections: out of bounds")),
        (format!("{LEAST}rate = 0"), format!("{at}.rate: out of bounds")),
        (
            format!("{LEAST}prefixes = [\"+1\"]"),
            format!("{at}.prefixes[0]: this is no beginning of a number"),
        ),
        (format!("{LEAST}bind = \"both\""), format!("{at}.bind: there is no such choice")),
        (format!("{LEAST}message_ids = \"hex\""), format!("{at}.message_ids: there is no such choice")),
        (format!("{LEAST}languages = [\"klingon\"]"), format!("{at}.languages[0]: there is no such choice")),
        (format!("{LEAST}tls = false\nca = \"/x\""), format!("{at}.ca: this is of no use without TLS")),
        (
            format!("{LEAST}[[cell.sms.carrier]]\n{LEAST}"),
            "cell[0].sms.carrier[1].name: another carrier of this cell has this name".to_owned(),
        ),
    ] {
        assert_eq!(parse(&text), Err(vec![told]), "{text}");
    }
}
