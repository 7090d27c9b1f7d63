//! Each law of the design names the tests that would catch its breach, in `docs/laws.toml`. Here it is checked that
//! all eleven are there and that the tests they name exist; that the tests pass is the business of the tests.

use toml::{Table, Value};

use crate::code::{blank, words};
use crate::{Finding, Tree};

/// Where the laws and their tests are listed.
pub const PATH: &str = "docs/laws.toml";
/// How many laws there are.
pub const LAWS: i64 = 11;

/// Laws without a test, tests that do not exist, and laws that claim to wait although they have tests.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.file(PATH) else { return vec![Finding::new(PATH, 0, "missing")] };
    let table = match file.text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => return vec![Finding::new(PATH, 0, format!("not TOML: {error}"))],
    };
    let laws: Vec<&Table> = table
        .get("law")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_table)
        .collect();
    let mut findings = Vec::new();
    for number in 1..=LAWS {
        let count =
            laws.iter().filter(|law| law.get("number").and_then(Value::as_integer) == Some(number)).count();
        if count != 1 {
            findings.push(Finding::new(PATH, 0, format!("law {number} stands {count} times")));
        }
    }
    for law in laws {
        let number = law.get("number").and_then(Value::as_integer).unwrap_or_default();
        for problem in check_law(tree, law) {
            findings.push(Finding::new(PATH, 0, format!("law {number}: {problem}")));
        }
    }
    findings
}

fn check_law(tree: &Tree, law: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    let tests: Vec<&str> =
        law.get("tests").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let waits = law.get("later").and_then(Value::as_str).is_some_and(|why| !why.is_empty());
    if law.get("title").and_then(Value::as_str).is_none_or(str::is_empty) {
        problems.push("has no title".to_owned());
    }
    match (tests.is_empty(), waits) {
        (true, false) => problems.push("has no test, and does not say what it waits for (`later`)".into()),
        (false, true) => problems.push("has tests: take `later` away".into()),
        _ => {}
    }
    for test in tests {
        match test.split_once("::") {
            None => problems.push(format!("`{test}` is not of the form `path::function`")),
            Some((path, name)) => match tree.file(path) {
                None => problems.push(format!("`{path}` does not exist")),
                Some(file) if !defines(path, &file.text, name) => {
                    problems.push(format!("`{path}` has no test `{name}`"));
                }
                Some(_) => {}
            },
        }
    }
    problems
}

/// Whether `text` defines the test `name`: a function under a test attribute or inside `proptest!` in Rust, a `def` in
/// Python, `name()` in a shell script, the name as a string in JavaScript.
fn defines(path: &str, text: &str, name: &str) -> bool {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("rs") => {
            let code = blank(text);
            words(&code, name).any(|at| {
                code[..at].trim_end().strip_suffix("fn").is_some_and(|before| {
                    let attributes: &str = before.rsplit(['}', ';']).next().unwrap_or_default();
                    attributes.contains("test]") || attributes.contains("test(") || code.contains("proptest!")
                })
            })
        }
        Some("py") => text.lines().any(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("async ").unwrap_or(line);
            line.strip_prefix("def ")
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with('('))
        }),
        Some("js" | "mjs" | "ts") => ["'", "\"", "`"].iter().any(|q| text.contains(&format!("{q}{name}{q}"))),
        _ => text.lines().any(|line| line.starts_with(&format!("{name}()"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laws(first: &str) -> String {
        let rest: String =
            (2..=LAWS).map(|n| format!("[[law]]\nnumber = {n}\ntitle = \"t\"\nlater = \"l\"\n")).collect();
        format!("[[law]]\nnumber = 1\ntitle = \"t\"\n{first}\n{rest}")
    }

    fn problems(first: &str) -> Vec<String> {
        let rust = "/// Doc.\n#[test]\nfn good() {}\nfn helper() {}\n#[tokio::test]\nasync fn also_good() {}\n// fn said()\n";
        let files = [
            (PATH, laws(first)),
            ("a.rs", rust.to_owned()),
            ("b.py", "class T:\n    def test_x(self):\n".to_owned()),
            ("run", "step_x() {\n".to_owned()),
        ];
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        check(&Tree::of(&files)).into_iter().map(|f| f.text).collect()
    }

    #[test]
    fn tests_that_exist_are_accepted() {
        assert_eq!(
            problems("tests = [\"a.rs::good\", \"a.rs::also_good\", \"b.py::test_x\", \"run::step_x\"]"),
            [""; 0]
        );
        assert_eq!(problems("later = \"needs the control plane\""), [""; 0]);
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "tests = []",
            "later = \"\"",
            "tests = [\"a.rs::good\"]\nlater = \"x\"",
            "tests = [\"a.rs\"]",
            "tests = [\"gone.rs::good\"]",
            "tests = [\"a.rs::helper\"]",
            "tests = [\"a.rs::said\"]",
            "tests = [\"a.rs::goo\"]",
            "tests = [\"b.py::test_\"]",
            "tests = [\"run::step_y\"]",
        ] {
            assert_eq!(problems(bad).len(), 1, "{bad}");
        }
        assert_eq!(check(&Tree::default()).len(), 1);
        let twice = format!("{}[[law]]\nnumber = 2\ntitle = \"t\"\nlater = \"l\"", laws("later = \"l\""));
        assert_eq!(check(&Tree::of(&[(PATH, &twice)])).len(), 1);
    }
}
