//! Which crate may know which, and which outside libraries are kept to one room (design, section 3). Reads manifests.

use toml::{Table, Value};

use crate::{File, Finding, Tree};

/// Each room, and the rooms it may know. A crate that is not here has no place yet: give it one in the design first.
pub const EDGES: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("wire", &["base"]),
    ("guard", &["base"]),
    ("policy", &["base"]),
    ("store", &["base", "guard"]),
    ("lake", &["base", "guard"]),
    ("media", &["base"]),
    ("post", &["base"]),
    ("server", &["base", "wire", "guard", "policy", "store", "lake", "media", "post"]),
    ("bench", &["base", "guard", "post"]),
    ("tidy", &[]),
];

/// Libraries that do cryptography, by the beginning of their names.
const CRYPTO: &[&str] = &[
    "aes",
    "aws-lc",
    "blake",
    "boring",
    "chacha20",
    "cmac",
    "curve25519",
    "ecdsa",
    "ed25519",
    "elliptic-curve",
    "ghash",
    "hkdf",
    "hmac",
    "jsonwebtoken",
    "josekit",
    "md-5",
    "md5",
    "native-tls",
    "openssl",
    "orion",
    "p256",
    "p384",
    "pbkdf2",
    "rcgen",
    "ring",
    "rsa",
    "rustls",
    "sha1",
    "sha2",
    "sha3",
    "sodiumoxide",
    "tokio-native-tls",
    "tokio-rustls",
    "webpki",
    "x25519",
    "x509",
    "xaes",
];
/// TLS as a transport: who has sockets may name it, with a configuration that `guard` made.
const TRANSPORT: &[&str] = &["rustls", "tokio-rustls"];
const SOCKETS: &[&str] = &["server", "bench"];
/// SQL drivers.
const SQL: &[&str] = &[
    "rusqlite",
    "libsqlite3",
    "tokio-postgres",
    "postgres",
    "deadpool-postgres",
    "sqlx",
    "diesel",
    "sea-orm",
];
/// Runtimes and HTTP stacks, kept out of the rooms whose column "async" in the design says no.
const RUNTIME: &[&str] = &["tokio", "async-std", "smol", "hyper", "axum", "reqwest", "ureq", "tower"];
const NO_RUNTIME: &[&str] = &["base", "wire", "guard", "policy", "media", "post"];

/// Breaches in the manifests under `crates/`.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let parts: Vec<_> = file.path.split('/').collect();
        match parts.as_slice() {
            ["crates", room, "Cargo.toml"] => match file.text.parse::<Table>() {
                Ok(manifest) => findings.extend(check_manifest(file, room, &manifest)),
                Err(error) => findings.push(Finding::new(&file.path, 0, format!("not TOML: {error}"))),
            },
            ["crates", _, "build.rs"] => {
                findings.push(Finding::new(
                    &file.path,
                    0,
                    "no build scripts: a build must run nothing of ours",
                ));
            }
            _ => {}
        }
    }
    findings
}

fn check_manifest(file: &File, room: &str, manifest: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |text: String| findings.push(Finding::new(&file.path, 0, text));
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == room) else {
        say(format!("`{room}` has no place among the rooms"));
        return findings;
    };
    for (name, kind) in dependencies(manifest) {
        if EDGES.iter().any(|(known, _)| *known == name) {
            if !allowed.contains(&name.as_str()) {
                say(format!("`{room}` must not know `{name}`"));
            }
            continue;
        }
        let transport = TRANSPORT.contains(&name.as_str()) && SOCKETS.contains(&room);
        if room != "guard" && !transport && begins(CRYPTO, &name) {
            say(format!("`{name}`: only `guard` names a crypto library"));
        }
        if room != "store" && begins(SQL, &name) {
            say(format!("`{name}`: only `store` names an SQL driver"));
        }
        if kind == Kind::Normal && NO_RUNTIME.contains(&room) && begins(RUNTIME, &name) {
            say(format!("`{name}`: `{room}` does no input or output and has no runtime"));
        }
    }
    if manifest.contains_key("features") {
        say("no feature flags: what is tested is what is shipped; choose at run time".into());
    }
    if lookup(manifest, &["lints", "workspace"]) != Some(&Value::Boolean(true)) {
        say("must take the lints of the workspace: `[lints] workspace = true`".into());
    }
    if lookup(manifest, &["package", "build"]).is_some() {
        say("no build scripts: a build must run nothing of ours".into());
    }
    findings
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Other,
}

/// Every dependency of a manifest under its real name, also those of one target only.
fn dependencies(manifest: &Table) -> Vec<(String, Kind)> {
    let mut found = Vec::new();
    let mut tables = vec![manifest];
    if let Some(Value::Table(targets)) = manifest.get("target") {
        tables.extend(targets.values().filter_map(Value::as_table));
    }
    for table in tables {
        let kinds = [
            ("dependencies", Kind::Normal),
            ("dev-dependencies", Kind::Other),
            ("build-dependencies", Kind::Other),
        ];
        for (section, kind) in kinds {
            for (name, value) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
                let real = value.get("package").and_then(Value::as_str).unwrap_or(name);
                found.push((real.replace('_', "-"), kind));
            }
        }
    }
    found
}

/// Whether `name` is one of `list` or a relative of it: `ring`, `aws-lc-rs` for `aws-lc`, but not `string` or `ringbuf`.
fn begins(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| {
        name.strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    })
}

fn lookup<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(room: &str, manifest: &str) -> Vec<String> {
        let text = format!("[lints]\nworkspace = true\n{manifest}");
        let path = format!("crates/{room}/Cargo.toml");
        check(&Tree::of(&[(&path, &text)])).into_iter().map(|f| f.text).collect()
    }

    #[test]
    fn allowed_edges_are_allowed() {
        assert_eq!(
            texts("store", "[dependencies]\nbase.workspace = true\nguard = { path = \"../guard\" }"),
            [""; 0]
        );
        assert_eq!(
            texts("server", "[dependencies]\nrustls = \"0.23\"\ntokio-rustls = \"1\"\nwire = \"1\""),
            [""; 0]
        );
        assert_eq!(
            texts(
                "guard",
                "[dependencies]\naws-lc-rs = \"1\"\nrcgen = \"1\"\n[dev-dependencies]\ntokio = \"1\""
            ),
            [""; 0]
        );
        assert_eq!(
            texts("server", "[dependencies]\nstring-cache = \"1\"\nringbuf = \"1\"\nshadow = \"1\""),
            [""; 0]
        );
    }

    #[test]
    fn every_other_edge_is_found() {
        for (room, line) in [
            ("base", "wire.workspace = true"),
            ("wire", "store.workspace = true"),
            ("guard", "store.workspace = true"),
            ("store", "wire.workspace = true"),
            ("bench", "server.workspace = true"),
            ("server", "aws-lc-rs = \"1\""),
            ("server", "ring = \"0.17\""),
            ("store", "rustls = \"1\""),
            ("wire", "sha2 = \"1\""),
            ("server", "rusqlite = \"1\""),
            ("bench", "tokio-postgres = \"1\""),
            ("wire", "tokio = \"1\""),
            ("guard", "hyper-util = \"1\""),
            ("lake", "hidden = { package = \"openssl\", version = \"1\" }"),
        ] {
            for section in ["dependencies", "target.'cfg(unix)'.dependencies"] {
                assert_eq!(texts(room, &format!("[{section}]\n{line}")).len(), 1, "{room}: {line}");
            }
        }
        assert_eq!(
            texts("wire", "[dev-dependencies]\nstore.workspace = true").len(),
            1,
            "not for tests either"
        );
    }

    #[test]
    fn rooms_have_no_features_build_scripts_or_lints_of_their_own() {
        assert_eq!(texts("wire", "[features]\nx = []").len(), 1);
        assert_eq!(texts("wire", "[package]\nbuild = \"make.rs\"").len(), 1);
        assert_eq!(texts("annex", "").len(), 1, "an unknown room");
        let tree =
            Tree::of(&[("crates/wire/Cargo.toml", "[package]"), ("crates/wire/build.rs", "fn main() {}")]);
        assert_eq!(check(&tree).len(), 2);
        assert_eq!(check(&Tree::of(&[("crates/wire/Cargo.toml", "[")])).len(), 1);
    }
}
