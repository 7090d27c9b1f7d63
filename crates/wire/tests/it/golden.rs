//! Comparing with golden files.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The text must be that of the file.
pub(crate) fn text(name: &str, got: &str) {
    let path = file(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, got).unwrap();
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    assert!(want == got, "{name} has changed. It is now:\n{got}");
}

/// The body must be the JSON of the file, without a null anywhere.
pub(crate) fn json(name: &str, body: &[u8]) {
    let value: Value = wire::json::read(body).unwrap();
    assert!(!has_null(&value), "{name} has a null");
    text(name, &format!("{value:#}\n"));
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}
