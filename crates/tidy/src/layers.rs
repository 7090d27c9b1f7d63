//! Who may use whom inside the server, and who may name a socket or a TLS provider. Reads Rust sources.

use crate::code::{blank, line_of, without_tests, words};
use crate::{File, Finding, Tree};

/// A layer of the server (a folder or file right under `crates/server/src`) and the layers it must not name.
/// `api` stands above what it uses, so nothing below may name it; only `service` opens a commit.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("api", &["net", "cli", "config"]),
    ("service", &["api", "net", "http", "cli", "config"]),
    ("channel", &["api", "net", "cli", "service"]),
    ("job", &["api", "net", "cli", "config"]),
    ("observe", &["api", "cli", "service"]),
    ("directory", &["api", "net", "cli"]),
    ("config", &["api", "net", "http", "cli", "service"]),
    ("http", &["cli", "config"]),
    ("net", &["api", "service", "cli", "config"]),
    ("smtp", &["api", "net", "cli", "config"]),
];

/// Types that are sockets.
const SOCKETS: [&str; 7] =
    ["TcpListener", "TcpStream", "TcpSocket", "UdpSocket", "UnixListener", "UnixStream", "UnixDatagram"];
/// Names that choose a TLS provider.
const PROVIDERS: [&str; 4] = ["CryptoProvider", "aws_lc_rs", "default_provider", "ring"];

/// Layers of the server that name what they must not know.
#[must_use]
pub fn uses(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Some(layer) = layer(file) else { continue };
        let Some((_, forbidden)) = FORBIDDEN.iter().find(|(name, _)| *name == layer) else { continue };
        let code = without_tests(&blank(&file.text));
        for (at, named) in named_layers(&code) {
            if forbidden.contains(&named.as_str()) {
                let text = format!("`{layer}` must not use `{named}`");
                findings.push(Finding::new(&file.path, line_of(&code, at), text));
            }
        }
    }
    findings
}

/// Sockets named outside `net` (and outside tests, and the bench, which is a client).
#[must_use]
pub fn sockets(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in product(tree).filter(|f| layer(f) != Some("net")) {
        let code = without_tests(&blank(&file.text));
        for socket in SOCKETS {
            let found = words(&code, socket).map(|at| {
                Finding::new(&file.path, line_of(&code, at), format!("`{socket}`: only `net` has sockets"))
            });
            findings.extend(found);
        }
    }
    findings
}

/// TLS providers named outside `guard`.
#[must_use]
pub fn providers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in
        tree.rust().filter(|f| f.path.starts_with("crates/") && !matches!(f.room(), Some("guard" | "tidy")))
    {
        let code = blank(&file.text);
        for provider in PROVIDERS {
            let found = words(&code, provider)
                .filter(|at| code[at + provider.len()..].trim_start().starts_with(['(', ':', ';', ',', '}']))
                .filter(|at| provider != "ring" || code[at + 4..].starts_with("::"))
                .map(|at| {
                    let text = format!("`{provider}`: only `guard` chooses the cryptography");
                    Finding::new(&file.path, line_of(&code, at), text)
                });
            findings.extend(found);
        }
    }
    findings
}

fn product(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.rust().filter(|file| {
        file.path.contains("/src/") && file.room().is_some_and(|room| !["bench", "tidy"].contains(&room))
    })
}

/// The layer of a file of the server: `api` for `crates/server/src/api/chat/send.rs`.
fn layer(file: &File) -> Option<&str> {
    let inner = file.path.strip_prefix("crates/server/src/")?;
    inner.split('/').next().map(|part| part.strip_suffix(".rs").unwrap_or(part))
}

/// Every layer named through `crate::`, also within groups: `use crate::{api::x, net};`, and where.
fn named_layers(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate", "server"] {
        for at in words(code, root) {
            let Some(rest) = code[at + root.len()..].strip_prefix("::") else { continue };
            let start = at + root.len() + 2;
            if rest.starts_with('{') {
                found.extend(group(rest).into_iter().map(|(offset, name)| (start + offset, name)));
            } else {
                found.push((start, leading_name(rest)));
            }
        }
    }
    found
}

/// The first name of each member of a `{...}` group.
fn group(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut fresh = false;
    for (at, c) in text.char_indices() {
        match c {
            '{' => {
                depth += 1;
                fresh = depth == 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            ',' if depth == 1 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                found.push((at, leading_name(&text[at..])));
                fresh = false;
            }
            _ => {}
        }
    }
    found
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, code: &str) -> usize {
        uses(&Tree::of(&[(path, code)])).len()
    }

    #[test]
    fn nothing_below_uses_api() {
        for layer in ["service/chat/send.rs", "job/expiry.rs", "net/tls.rs", "config/mod.rs", "directory.rs"]
        {
            let path = format!("crates/server/src/{layer}");
            assert_eq!(found(&path, "use crate::api::chat;"), 1, "{layer}");
            assert_eq!(found(&path, "use crate::{observe, api::{chat, x}};"), 1, "{layer}");
            assert_eq!(found(&path, "fn f() { crate::api::chat::send(); }"), 1, "{layer}");
            assert_eq!(found(&path, "use crate::limits; // crate::api\nfn api() {}"), 0, "{layer}");
        }
        assert_eq!(found("crates/server/src/http/app.rs", "use crate::api;"), 0);
        assert_eq!(
            found(
                "crates/server/src/service/x.rs",
                "use crate::net;\n#[cfg(test)]\nmod tests { use crate::api; }"
            ),
            1
        );
        assert_eq!(found("crates/store/src/x.rs", "use crate::api;"), 0, "another crate's own module");
    }

    #[test]
    fn only_net_has_sockets() {
        let code = "use tokio::net::TcpListener;\n#[cfg(test)]\nmod tests { use std::net::TcpStream; }";
        let tree = Tree::of(&[
            ("crates/server/src/net/listen.rs", code),
            ("crates/server/src/cli/dev.rs", code),
            ("crates/wire/src/lib.rs", code),
            ("crates/server/tests/it/main.rs", code),
            ("crates/bench/src/main.rs", code),
        ]);
        let paths: Vec<_> = sockets(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        assert_eq!(paths, [("crates/server/src/cli/dev.rs".into(), 1), ("crates/wire/src/lib.rs".into(), 1)]);
    }

    #[test]
    fn only_guard_chooses_the_cryptography() {
        for (code, expected) in [
            ("rustls::crypto::CryptoProvider::install()", 1),
            ("use rustls::crypto::ring::sign;", 1),
            ("rustls::crypto::aws_lc_rs::default_provider()", 2),
            ("let ring = 1; // CryptoProvider", 0),
            ("use rustls::ServerConfig;", 0),
        ] {
            let tree = Tree::of(&[("crates/server/src/net/tls.rs", code), ("crates/guard/src/tls.rs", code)]);
            assert_eq!(providers(&tree).len(), expected, "{code}");
        }
    }
}
