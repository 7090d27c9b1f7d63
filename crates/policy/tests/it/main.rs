//! Every decision for every combination of facts, against the list that people review.
//!
//! When a rule changes on purpose: run with `BLESS=1` and read the difference before committing it.

use std::fmt::Write as _;
use std::path::PathBuf;

use policy::{Facts, Permission, Scope, ScopeSet, Standing, Who, decide};

fn callers() -> Vec<(&'static str, Who)> {
    let mut callers = vec![
        ("nobody", Who::Nobody),
        ("access-key", Who::AccessKey),
        ("operator", Who::Operator),
        ("no-scope", Who::User(ScopeSet::NONE)),
    ];
    callers.extend(Scope::ALL.map(|scope| (scope.name(), Who::User(ScopeSet::of(&[scope])))));
    callers
}

fn targets() -> [(&'static str, Facts); 4] {
    let facts = |standing, author| Facts { standing, author };
    [
        ("stranger", facts(Standing::Stranger, false)),
        ("former", facts(Standing::Former, true)),
        ("member", facts(Standing::Member, false)),
        ("author", facts(Standing::Member, true)),
    ]
}

fn matrix() -> String {
    let mut text = String::from(
        "# Who may do what. One line per permission and caller; then what is decided for a caller who is, to the thread\n\
         # and message in question: a stranger (or there is no such thread), a former participant who wrote the message,\n\
         # a participant who did not write it, a participant who did.\n\
         # allow-past: allowed to see what could be seen while being a participant. 401, 403: refused so.\n",
    );
    for permission in Permission::all() {
        let _ = writeln!(text, "\n{}", permission.name());
        for (name, who) in callers() {
            let _ = write!(text, "  {name:<18}");
            for (target, facts) in targets() {
                let _ = write!(text, " {target}={:<10}", decide(who, facts, permission).to_string());
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_matrix_is_what_was_reviewed() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/matrix.txt");
    let now = matrix();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap();
    assert!(now == reviewed, "decisions differ from {}; read them, then run with BLESS=1", path.display());
}

#[test]
fn more_scopes_never_refuse_what_fewer_allow() {
    let sets: Vec<Vec<Scope>> = (0_u8..32)
        .map(|bits| {
            Scope::ALL.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, s)| s).collect()
        })
        .collect();
    for permission in Permission::all() {
        for (_, facts) in targets() {
            for set in &sets {
                let whole = decide(Who::User(set.iter().copied().collect()), facts, permission);
                let by_parts = set
                    .iter()
                    .any(|scope| decide(Who::User(ScopeSet::of(&[*scope])), facts, permission) == whole);
                assert!(set.is_empty() || by_parts, "{} {set:?} {facts:?}", permission.name());
            }
        }
    }
}
