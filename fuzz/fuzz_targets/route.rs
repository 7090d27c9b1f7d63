//! Request targets: no path panics, one path leads to one operation, and no encoding makes a segment of another number
//! of segments.

#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use wire::{Query, Route, route};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let parsed = Query::parse(query);
    let mut allowed = Vec::new();
    let mut refused = None;
    for method in
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS]
    {
        match route(&method, path) {
            Route::Found { operation, params } => {
                assert_eq!(operation.method, method);
                let row = operation.path;
                if row.matches('/').count() != path.matches('/').count() {
                    assert!(
                        row.contains("{*") || row.contains("{scope") || row.contains("{resource"),
                        "{row}: {path}"
                    );
                }
                for name in row.split('{').skip(1).filter_map(|part| part.split('}').next()) {
                    let value = params.get(name.trim_start_matches('*'));
                    assert!(
                        value.is_none_or(|v| !v.is_empty() && !v.bytes().any(|b| b.is_ascii_control())),
                        "{row}: {path}"
                    );
                }
                if let Ok(query) = &parsed {
                    let _ = operation.version(path, query.get("api-version"));
                }
                allowed.push(method.to_string());
            }
            Route::MethodNotAllowed { allow, .. } => refused = Some(allow),
            Route::NotFound => {}
        }
    }
    if let Some(allow) = refused {
        allowed.sort();
        assert_eq!(
            allow.split(", ").filter(|m| allowed.iter().any(|a| a == m)).count(),
            allowed.len(),
            "{allow}: {path}"
        );
    }
});
