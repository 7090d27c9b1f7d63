//! Words that may not stand in the repository: unfinished work, switched-off checks, paths of one machine.

use crate::code::{blank, line_of, without_tests, words};
use crate::{Finding, Tree};

/// Marks of unfinished work, in Rust code; each with what to do instead. Written in two halves so that this file does
/// not name itself.
const UNFINISHED: [(&str, &str); 3] = [
    (concat!("to", "do!"), "finish it"),
    (concat!("unimple", "mented!"), "finish it, or answer with a typed error"),
    (concat!("#[ign", "ore"), "a test that does not run proves nothing"),
];
/// Attributes that switch a lint off without saying why.
const SILENCED: [&str; 2] = [concat!("#[al", "low("), concat!("#![al", "low(")];
/// Marks of work put off, in any text we write.
const POSTPONED: [&str; 2] = [concat!("FIX", "ME"), concat!("X", "XX")];
/// Folders of the machine a change was made on.
const PLACES: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
/// The endings of what we write by hand; the rest is generated or data.
const WRITTEN: [&str; 8] = [".rs", ".md", ".toml", ".py", ".js", ".mjs", ".ts", ".sh"];

/// Marks of unfinished work and silenced lints in Rust code.
#[must_use]
pub fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let code = blank(&file.text);
        for (mark, instead) in UNFINISHED {
            let places = code.match_indices(mark).filter(|(at, _)| !joined_before(&code, *at));
            let found = places
                .map(|(at, _)| Finding::new(&file.path, line_of(&code, at), format!("`{mark}`: {instead}")));
            findings.extend(found);
        }
        for mark in SILENCED {
            let found = code.match_indices(mark).map(|(at, _)| {
                Finding::new(&file.path, line_of(&code, at), format!("`{mark}`: use `expect` with a reason"))
            });
            findings.extend(found);
        }
    }
    findings
}

/// Marks of work put off, in all that is written by hand.
#[must_use]
pub fn postponed(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in
        tree.files.iter().filter(|f| WRITTEN.iter().any(|e| f.path.ends_with(e)) || f.text.starts_with("#!"))
    {
        for mark in POSTPONED {
            let found = words(&file.text, mark).map(|at| {
                Finding::new(
                    &file.path,
                    line_of(&file.text, at),
                    format!("`{mark}`: do it, or open an issue"),
                )
            });
            findings.extend(found);
        }
    }
    findings
}

/// Paths that exist on one machine only.
#[must_use]
pub fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for place in PLACES {
            let found = file.text.match_indices(place).filter(|(at, _)| begins_path(&file.text, *at)).map(
                |(at, _)| {
                    Finding::new(
                        &file.path,
                        line_of(&file.text, at),
                        format!("`{place}` is a path of one machine"),
                    )
                },
            );
            findings.extend(found);
        }
    }
    findings
}

/// Calls of `Sealed::from_stored` outside the engines (and tests): whoever else could make a `Sealed` could write
/// plaintext.
#[must_use]
pub fn unsealed_writers(tree: &Tree) -> Vec<Finding> {
    let may = ["crates/guard/", "crates/store/src/engine/", "crates/store/tests/", "fuzz/"];
    let mut findings = Vec::new();
    for file in tree.rust().filter(|f| !may.iter().any(|m| f.path.starts_with(m))) {
        let code = without_tests(&blank(&file.text));
        let found = words(&code, "from_stored").map(|at| {
            Finding::new(&file.path, line_of(&code, at), "only an engine may call `Sealed::from_stored`")
        });
        findings.extend(found);
    }
    findings
}

fn joined_before(text: &str, at: usize) -> bool {
    at > 0 && text.as_bytes().get(at - 1).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// Whether the slash at `at` begins a path rather than standing inside an address or a relative path.
fn begins_path(text: &str, at: usize) -> bool {
    at == 0
        || !text.as_bytes().get(at - 1).is_some_and(|b| b.is_ascii_alphanumeric() || b"_-./}*".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: Vec<Finding>) -> Vec<usize> {
        findings.into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn unfinished_work_is_found_in_code_only() {
        let text = [
            format!("fn a() {{ {}() }}", UNFINISHED[0].0),
            format!("// {}()", UNFINISHED[0].0),
            format!("let s = \"{}\";", UNFINISHED[1].0),
            format!("{} = \"slow\"]", UNFINISHED[2].0),
            format!("{}dead_code)]", SILENCED[0]),
            format!("{}dead_code)]", SILENCED[1]),
            "mytodo_list!()".to_owned(),
        ];
        assert_eq!(lines(unfinished(&Tree::of(&[("a.rs", &text.join("\n"))]))), [1, 4, 5, 6]);
    }

    #[test]
    fn postponed_work_is_found_in_what_we_write() {
        let text = format!(
            "ok\n# {}: later\nmktemp tmp.{}{}\n{} \n",
            POSTPONED[0], POSTPONED[1], POSTPONED[1], POSTPONED[1]
        );
        let script = format!("#!/bin/sh\n{text}");
        let tree = Tree::of(&[("a.md", &text), ("run", &script), ("lock.json", &text)]);
        assert_eq!(lines(postponed(&tree)), [2, 4, 3, 5]);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let text =
            format!("x\ncd {}x\n\"{}y\"\nhttps://a.b{}z\n./a{}b", PLACES[0], PLACES[2], PLACES[0], PLACES[1]);
        assert_eq!(lines(machine_paths(&Tree::of(&[("a.json", &text)]))), [2, 3]);
    }

    #[test]
    fn only_engines_make_sealed_values_of_bytes() {
        let call = "fn f() { Sealed::from_stored(b) }";
        let tree = Tree::of(&[
            ("crates/store/src/engine/sqlite.rs", call),
            ("crates/store/src/cell.rs", call),
            ("crates/server/src/service/chat.rs", call),
            ("crates/server/src/lib.rs", "// from_stored\nfn from_stored_x() {}"),
            ("crates/store/src/commit.rs", "#[cfg(test)]\nmod tests { fn f() { Sealed::from_stored(b) } }"),
            ("crates/store/tests/it/main.rs", call),
        ]);
        let paths: Vec<_> = unsealed_writers(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(paths, ["crates/store/src/cell.rs", "crates/server/src/service/chat.rs"]);
    }
}
