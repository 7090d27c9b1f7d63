//! A whole configuration, and each way in which it can be wrong.

use super::*;

const GOOD: &str = r#"
[listener]
address = "0.0.0.0:8443"
certificate = "/etc/chancery/server.pem"
key = "/etc/chancery/server.key"
public_hosts = ["Chat.example.org"]

[[cell]]
geography = "europe"
engine = { kind = "sqlite", path = "/data/europe/store.sqlite" }
kms = { kind = "local", path = "/data/europe/root.key" }

[[cell]]
geography = "unitedstates"
kms = { kind = "local", path = "/data/us/root.key" }
[cell.engine]
kind = "postgres"
url = "env:US_DB"

[[resource]]
name = "contoso"
geography = "europe"
access_keys = ["file:/run/secrets/contoso"]

[[resource]]
name = "fabrikam"
geography = "unitedstates"

[limits]
page_size = 100

[rates]
profile = "acs"

[operator]
token = "file:/run/secrets/operator"
"#;

/// `key at line: what -> fix` of all problems of GOOD with `old` replaced by `new`.
fn faults(old: &str, new: &str) -> Vec<String> {
    assert!(GOOD.contains(old), "{old}");
    let text = GOOD.replacen(old, new, 1);
    let problems = Config::parse("chancery.toml", &text).expect_err("something is wrong").0;
    problems.iter().map(|p| format!("{} at {}: {} -> {}", p.key, p.line, p.what, p.fix)).collect()
}

fn fault(old: &str, new: &str) -> String {
    let mut all = faults(old, new);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_good_file_becomes_types() {
    let config = Config::parse("chancery.toml", GOOD).unwrap();
    assert_eq!(config.listener.address.port(), 8443);
    assert_eq!(config.listener.public_hosts, [Host::parse("chat.example.org").unwrap()]);
    assert_eq!(config.cells.len(), 2);
    assert_eq!(
        config.cells[1].engine,
        EngineConfig::Postgres { url: DatabaseUrl::Kept(SecretRef::Env("US_DB".into())), schema: None }
    );
    assert_eq!(config.resources[0].access_keys, [SecretRef::File("/run/secrets/contoso".into())]);
    assert_eq!(config.limits, Limits { page_size: 100, ..Limits::default() });
    assert_eq!(config.rates, RateProfile::Acs);
    let operator = config.operator.map(|operator| operator.token);
    assert_eq!(operator, Some(SecretRef::File("/run/secrets/operator".into())));
    let own = GOOD
        .replace("certificate = \"/etc/chancery/server.pem\"", "self_signed = true")
        .replace("key = \"/etc/chancery/server.key\"", "data = \"/data\"");
    let config = Config::parse("chancery.toml", &own).unwrap();
    assert_eq!(config.listener.certificate, Certificate::SelfSigned { data: "/data".into() });
}

/// What is changed in GOOD, into what, and how what is then said begins.
const FAULTS: [(&str, &str, &str); 23] = [
    (
        "\"file:/run/secrets/operator\"",
        "\"0123456789abcdef0123456789abcdef\"",
        "operator.token at 36: this is no reference to a secret -> write",
    ),
    ("address =", "adress =", "listener.adress at 3: there is no such key here -> did you mean `address`?"),
    (
        "\"0.0.0.0:8443\"",
        "\"localhost:8443\"",
        "listener.address at 3: this is no address with a port; names are not resolved -> write",
    ),
    (
        "\"0.0.0.0:8443\"",
        "8443",
        "listener.address at 3: this number is no value for this key -> write a text",
    ),
    ("key = \"/etc/chancery/server.key\"", "", "listener.key at 2: missing -> name the file"),
    (
        "key = \"/etc/chancery/server.key\"",
        "key = \"k\"\nself_signed = true",
        "listener at 2: certificate files and",
    ),
    ("[\"Chat.example.org\"]", "[\"https://x\"]", "listener.public_hosts[0] at 6: a host is a DNS name"),
    (
        "geography = \"europe\"\nengine",
        "geography = \"Europe\"\nengine",
        "cell[0].geography at 9: this is no geography",
    ),
    ("geography = \"europe\"\nengine", "engine", "cell[0].geography at 8: missing -> write a name"),
    (
        "kind = \"sqlite\", path = \"/data/europe/store.sqlite\"",
        "kind = \"mysql\"",
        "cell[0].engine.kind at 10: there is no such engine -> write \"sqlite\" or \"postgres\"",
    ),
    (", path = \"/data/europe/store.sqlite\"", "", "cell[0].engine.path at 10: missing -> name the file"),
    (
        "\"env:US_DB\"",
        "\"postgres://u:hunter2@h/d\"",
        "cell[1].engine.url at 18: this holds a password -> write \"env:NAME\"",
    ),
    (
        "\"/data/us/root.key\"",
        "\"/data/europe/root.key\"",
        "cell[1].kms.path at 15: the same as cell[0].kms.path -> each cell",
    ),
    ("\"contoso\"", "\"con.toso\"", "resource[0].name at 21: a resource name has"),
    ("\"contoso\"", "\"FABRIKAM\"", "resource[1].name at 26: the same as resource[0].name"),
    (
        "geography = \"unitedstates\"\n\n[limits]",
        "geography = \"india\"\n\n[limits]",
        "resource[1].geography at 27: no cell of this file has this geography -> write one of \"europe\", \"unitedstates\"",
    ),
    (
        "\"file:/run/secrets/contoso\"",
        "\"aHVudGVyMg==\"",
        "resource[0].access_keys[0] at 23: this is no reference",
    ),
    (
        "page_size = 100",
        "page_size = 0",
        "limits.page_size at 30: this limit is out of bounds -> write a number from 1 to 1000",
    ),
    (
        "page_size = 100",
        "page_size = -1",
        "limits.page_size at 30: this number is no value for this key -> write a whole number",
    ),
    (
        "page_size = 100",
        "pagesize = 100",
        "limits.pagesize at 30: there is no such key here -> did you mean `page_size`?",
    ),
    ("page_size = 100", "message_bytes = 300000", "limits.message_bytes at 30: this limit"),
    ("\"acs\"", "\"fast\"", "rates.profile at 33: there is no such profile -> write \"off\" or \"acs\""),
    ("[rates]", "[rate]", "rate at 32: there is no such key here -> did you mean `rates`?"),
];

#[test]
fn every_single_fault_is_placed_and_explained() {
    for (old, new, expected) in FAULTS {
        let found = fault(old, new);
        assert!(found.starts_with(expected), "{new:?}: {found}");
        assert!(!found.contains("hunter2") && !found.contains("aHVu"), "{found}");
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_lines() {
    let text = GOOD
        .replace("address =", "adress =")
        .replace("\"/data/us/root.key\"", "7")
        .replace("\"contoso\"", "\"-\"")
        .replace("page_size = 100", "page_size = \"many\"\nconnections = 0");
    let problems = Config::parse("c.toml", &text).unwrap_err();
    let keys: Vec<_> = problems.0.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        ["listener.adress", "cell[1].kms.path", "resource[0].name", "limits.page_size", "limits.connections"]
    );
    assert_eq!(problems.to_string().lines().count(), 10, "{problems}");
}

#[test]
fn an_empty_file_says_all_that_is_needed() {
    let problems = Config::parse("c.toml", "").unwrap_err();
    let keys: Vec<_> = problems.0.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["listener", "cell", "resource"]);
}

#[test]
fn what_is_no_toml_is_placed_too() {
    let problems = Config::parse("c.toml", "[listener]\naddress = \n= 3\n").unwrap_err().0;
    assert!(problems.iter().all(|problem| problem.line >= 2), "{problems:?}");
    assert!(Config::parse("c.toml", "a = 1\na = 2\n").is_err());
    assert!(Config::parse("c.toml", "\u{0}").is_err());
}

#[test]
fn a_file_that_is_not_there_is_a_problem_with_a_remedy() {
    let problems = Config::load(Path::new("/nonexistent/chancery.toml")).unwrap_err();
    assert!(problems.to_string().contains("--config"), "{problems}");
}

#[test]
fn the_checked_in_schema_is_the_present_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.schema.json");
    let present = Config::schema();
    if std::env::var_os("CHANCERY_WRITE_SCHEMA").is_some() {
        std::fs::write(path, &present).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == present,
        "run the tests once with CHANCERY_WRITE_SCHEMA=1 set and look at the difference"
    );
    let schema: serde_json::Value = serde_json::from_str(&present).unwrap();
    for section in ["listener", "cell", "resource"] {
        assert!(schema["required"].as_array().unwrap().iter().any(|name| name == section), "{section}");
    }
    assert_eq!(schema["properties"]["listener"]["required"], serde_json::json!(["address"]));
    assert_eq!(schema["$defs"]["cell"]["properties"]["engine"]["required"], serde_json::json!(["kind"]));
    assert_eq!(schema["properties"]["limits"]["properties"]["page_size"]["default"], 200);
}

#[test]
fn a_resource_says_from_where_it_is_reached() {
    let network = |rules: &str| {
        let text = format!("name = \"fabrikam\"\nnetwork = {rules}");
        Config::parse("c", &GOOD.replacen("name = \"fabrikam\"", &text, 1))
            .map(|config| config.resources[1].network.clone())
    };
    let open = Config::parse("c", GOOD).unwrap().resources[1].network.clone();
    assert_eq!(open, base::NetworkRules::default());
    let rules =
        network("{ public_access = false, allow = [\"10.0.0.0/8\"], deny = [\"10.1.0.0/16\"] }").unwrap();
    assert!(
        !rules.public
            && rules.admit("10.2.0.1".parse().unwrap())
            && !rules.admit("10.1.0.1".parse().unwrap())
    );
    let told = network("{ allow = [\"10.0.0.0/8\", \"home\"] }").unwrap_err().to_string();
    assert!(told.contains("resource[1].network.allow[1]") && told.contains("no network"), "{told}");
    let many = |count: usize| format!("{{ deny = [{}] }}", vec!["\"10.0.0.1\""; count].join(","));
    assert_eq!(network(&many(200)).unwrap().deny.len(), 200);
    assert!(network(&many(201)).unwrap_err().to_string().contains("at most 200"));
}
