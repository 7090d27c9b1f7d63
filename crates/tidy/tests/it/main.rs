//! The rules of the house, run over the repository itself. What breaks one is printed with its place.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tidy::{Finding, Tree, laws, layers, operations, rooms, shape, words};

static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::read(&root()).expect("the repository can be read"));

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn none(findings: &[Finding]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} found:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn the_tree_is_really_read() {
    assert!(TREE.rust().count() > 15);
    assert!(TREE.file("Cargo.toml").is_some() && TREE.file("crates/base/src/lib.rs").is_some());
    assert!(
        TREE.files.iter().all(|file| !file.path.starts_with("target/") && !file.path.starts_with(".git/"))
    );
}

#[test]
fn rooms_know_only_whom_they_may() {
    none(&rooms::check(&TREE));
}

#[test]
fn layers_of_the_server_use_only_what_lies_below() {
    none(&layers::uses(&TREE));
}

#[test]
fn only_net_has_sockets() {
    none(&layers::sockets(&TREE));
}

#[test]
fn only_guard_chooses_the_cryptography() {
    none(&layers::providers(&TREE));
}

#[test]
fn only_engines_make_sealed_values_of_bytes() {
    none(&words::unsealed_writers(&TREE));
}

#[test]
fn files_are_short() {
    none(&shape::files(&TREE, &shape::exceptions(include_str!("../../long-files.txt"))));
}

#[test]
fn functions_are_short() {
    none(&shape::function_lengths(&TREE, &shape::exceptions(include_str!("../../long-functions.txt"))));
}

#[test]
fn modules_say_what_they_are_for() {
    none(&shape::heads(&TREE));
}

#[test]
fn nothing_is_left_unfinished() {
    none(&words::unfinished(&TREE));
}

#[test]
fn nothing_is_postponed_in_a_comment() {
    none(&words::postponed(&TREE));
}

#[test]
fn no_path_of_one_machine() {
    none(&words::machine_paths(&TREE));
}

#[test]
fn every_law_names_its_tests() {
    none(&laws::check(&TREE));
}

#[test]
fn the_list_of_operations_is_current() {
    if std::env::var_os("BLESS").is_some() {
        let text = operations::renewed(&TREE).expect("a page with markers, and a table");
        std::fs::write(root().join(operations::PAGE), text).expect("the page can be written");
    } else {
        none(&operations::check(&TREE));
    }
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    let readme = &TREE.file("README.md").expect("README.md").text;
    for command in ["\ncargo run --release -- dev\n", "\nscripts/test\n"] {
        assert!(readme.contains(command), "{command:?}");
    }
    let run = &TREE.file(".ci/run").expect(".ci/run").text;
    assert!(run.contains("scripts/test"), "continuous integration runs what everyone runs");
}

/// Law 7: the ambient clock, the ambient dice and lost tasks are banned, each with its reason.
#[test]
fn ambient_time_and_randomness_are_banned() {
    let clippy: toml::Table =
        TREE.file("clippy.toml").expect("clippy.toml").text.parse().expect("valid TOML");
    let bans = |list: &str| -> Vec<String> {
        let entries = clippy.get(list).and_then(toml::Value::as_array).expect("a list of bans");
        assert!(
            entries
                .iter()
                .all(|e| e.get("reason").and_then(toml::Value::as_str).is_some_and(|r| r.len() > 10))
        );
        entries.iter().filter_map(|e| e.get("path")?.as_str().map(str::to_owned)).collect()
    };
    let methods = bans("disallowed-methods");
    for ambient in [
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "time::OffsetDateTime::now_utc",
        "std::collections::hash_map::RandomState::new",
        "std::thread::sleep",
        "std::env::set_var",
        "tokio::spawn",
    ] {
        assert!(methods.iter().any(|m| m == ambient), "{ambient}");
    }
    assert!(bans("disallowed-types").iter().any(|t| t == "std::time::SystemTime"));
}

/// Bans bite only where they are errors, and unsafe code only where it is forbidden rather than denied.
#[test]
fn the_lints_that_carry_laws_are_errors() {
    let manifest: toml::Table =
        TREE.file("Cargo.toml").expect("Cargo.toml").text.parse().expect("valid TOML");
    let level = |tool: &str, lint: &str| -> String {
        let lints = manifest["workspace"]["lints"][tool].as_table().expect("lints");
        lints.get(lint).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    assert_eq!(level("rust", "unsafe_code"), "forbid");
    for lint in ["disallowed_methods", "disallowed_types", "todo", "unimplemented", "dbg_macro"] {
        assert_eq!(level("clippy", lint), "deny", "{lint}");
    }
}
