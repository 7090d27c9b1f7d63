//! The operation table as a text that can be read through, and that changes only on purpose.

use std::fmt::Write as _;

use wire::operation::{Access, Audit, Body, BodyLimit, OPERATIONS, Operation, Per};

fn line(o: &Operation) -> String {
    let access = match o.access {
        Access::Public => "public".to_owned(),
        Access::AccessKey => "key".to_owned(),
        Access::UserToken(scopes) => format!("token({})", scopes.join("|")),
        Access::Directory => "directory".to_owned(),
        Access::Operator => "operator".to_owned(),
    };
    let audit = if o.audit == Audit::None { "-" } else { "audited" };
    let body = match o.body {
        Body::None => "no body".to_owned(),
        Body::Text(max) => format!("text<={}", max.bytes(&base::Limits::default())),
        Body::Json { max, required, merge_patch } => {
            let kind = if merge_patch { "patch" } else { "json" };
            let may = if required { "" } else { "?" };
            match max {
                BodyLimit::Standard => format!("{kind}{may}"),
                BodyLimit::Mail => format!("{kind}{may}<=mail"),
                BodyLimit::Bytes(bytes) => format!("{kind}{may}<={bytes}"),
            }
        }
    };
    let rates: Vec<_> = o
        .rates
        .iter()
        .map(|r| {
            let per = match r.per {
                Per::User => "user",
                Per::Thread => "thread",
                Per::UserAndThread => "user+thread",
                Per::Resource => "resource",
            };
            format!("{}/{}s per {per} [{}]", r.max, r.window_secs, r.bucket)
        })
        .collect();
    let or = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    format!(
        "{}\n  {} {} -> {}, {}\n  versions {}; {access}; permission {}; {audit}; log {} as {}; {body}\n  rates {}\n",
        o.name,
        o.method,
        o.path,
        o.success,
        if o.built { "built" } else { "not built" },
        or(o.versions.join(" ")),
        o.permission,
        o.log_table.unwrap_or("-"),
        o.log_name.unwrap_or("-"),
        or(rates.join(", ")),
    )
}

#[test]
fn the_table_is_as_it_was_reviewed() {
    let built = OPERATIONS.iter().filter(|o| o.built).count();
    let mut text = format!("{} operations, {built} built.\n", OPERATIONS.len());
    for operation in OPERATIONS {
        write!(text, "\n{}", line(operation)).unwrap();
    }
    crate::golden::text("operations.txt", &text);
}
