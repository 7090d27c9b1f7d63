//! Tests of strict JSON reading.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;

fn fault(body: &str) -> String {
    read::<Value>(body.as_bytes()).unwrap_err().message().to_owned()
}

#[test]
fn reads_what_json_allows() {
    for good in [
        "null",
        " true ",
        "-1.5e+3",
        r#""\u00e9\ud83d\ude00\/\"""#,
        "[]",
        "{}",
        "[1,[2,{}],{\"a\":[]}]",
        "\r\n\t{ \"a\" : { \"a\" : 1 } , \"b\" : [ { \"a\" : 1 } , { \"a\" : 2 } ] }",
    ] {
        let ours: Value = read(good.as_bytes()).unwrap();
        assert_eq!(ours, serde_json::from_str::<Value>(good).unwrap());
    }
}

#[test]
fn refuses_what_is_not_json_and_says_where() {
    for (bad, want) in [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("{\"a\":1", "line 1, column 7: the text ends before the value does"),
        ("{\"a\":\n 1,}", "line 2, column 4: a property name in double quotes was expected"),
        ("[1,]", "a value was expected"),
        ("[1 2]", "a comma or the end"),
        ("{\"a\" 1}", "a colon was expected"),
        ("{a:1}", "a property name in double quotes"),
        ("{} {}", "column 4: there is more text after the value"),
        ("{}x", "there is more text after the value"),
        ("[}", "a value was expected"),
        ("[1}", "closed as if it were an object"),
        ("{\"a\":1]", "closed as if it were an array"),
        ("\"abc", "the text ends within a string"),
        ("\"abc\\", "the text ends within a string"),
        ("\"a\nb\"", "bare control character"),
        ("nul", "line 1"),
        ("01", "line 1"),
        ("NaN", "line 1"),
        ("+1", "line 1"),
        ("1.", "line 1"),
        ("{\"\\x\":1}", "bad escape"),
        ("\u{feff}{}", "a value was expected"),
        ("'a'", "a value was expected"),
        ("// x\n1", "a value was expected"),
    ] {
        let message = fault(bad);
        assert!(message.contains(want), "{bad:?}: {message}");
    }
}

#[test]
fn refuses_text_that_is_not_utf8() {
    let error = read::<Value>(b"{\"a\":\n\"\xff\"}").unwrap_err();
    assert_eq!((error.status(), error.code()), (400, "BadRequest"));
    assert!(error.message().contains("not UTF-8 text at line 2, column 2"), "{error}");
}

#[test]
fn refuses_lone_surrogates() {
    assert!(fault(r#"{"a":"\ud800"}"#).contains("hex escape"));
    assert!(fault(r#"{"\ud800":1}"#).contains("bad escape"));
}

#[test]
fn refuses_a_property_name_twice_however_it_is_spelled() {
    for bad in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"\u0061":1,"\u0061":2}"#,
        r#"{"x":{"a":1,"b":2,"a":3}}"#,
        r#"[[{"é":1,"\u00E9":2}]]"#,
        r#"{"a":{"a":1},"b":[],"a":{}}"#,
        r#"{"":1,"":2}"#,
    ] {
        assert!(fault(bad).contains("property name twice"), "{bad}");
    }
    let many: Vec<String> = (0..50).map(|n| format!("\"k{n}\":{n}")).collect();
    assert!(read::<Value>(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
    let message = fault(&format!("{{{},\n\"k3\":0}}", many.join(",")));
    assert!(message.contains("line 2, column 1: the object has this property name twice"), "{message}");
}

#[test]
fn nests_to_the_limit_and_no_deeper() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read::<Value>(nested(MAX_JSON_DEPTH).as_bytes()).is_ok());
    assert!(fault(&nested(MAX_JSON_DEPTH + 1)).contains("nested too deeply"));
    assert!(fault(&"{\"a\":".repeat(100_000)).contains("nested too deeply"));
    let side_by_side = format!("[{}]", vec![nested(MAX_JSON_DEPTH - 1); 5].join(","));
    assert!(read::<Value>(side_by_side.as_bytes()).is_ok(), "depth is not the number of arrays");
}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Shape {
    topic: String,
    #[serde(default)]
    count: Option<u8>,
    #[serde(default, deserialize_with = "present")]
    patch: Option<Option<u8>>,
}

#[test]
fn errors_of_shape_never_quote_what_was_sent() {
    for bad in [
        r#"{"topic":{"hunter2":1}}"#,
        r#"{"topic":"a","count":"hunter2, expected hunter2"}"#,
        r#"{"topic":"a","count":31337}"#,
        r#"{"topic":31337}"#,
        r#""hunter2""#,
        r#"["hunter2","hunter2","hunter2","hunter2"]"#,
        r#"{"topic":"hunter2","count":nul}"#,
        r#"{"topic":"hunter2" "hunter2"}"#,
    ] {
        let message = parse::<Shape>(bad.as_bytes()).unwrap_err().message().to_owned();
        assert!(!message.contains("hunter2") && !message.contains("31337"), "{message}");
        assert!(message.contains("line 1"), "{message}");
    }
    let message = parse::<Shape>(br#"{"topic":7}"#).unwrap_err().message().to_owned();
    assert!(message.ends_with("column 10: expected a string."), "{message}");
}

#[test]
fn a_list_is_no_object() {
    assert!(serde_json::from_str::<Shape>(r#"["topic",1,2]"#).is_ok(), "what derived code lets by");
    for bad in [r#"["topic",1,2]"#, "[]", "\"topic\"", "1", "null"] {
        let error = parse::<Shape>(bad.as_bytes()).unwrap_err();
        assert!(error.message().ends_with("expected an object."), "{bad}: {error}");
    }
    assert!(parse_optional::<Shape>(b"[]").is_err());
    assert!(read::<Vec<Object<Shape>>>(br#"[{"topic":"a"},["b"]]"#).is_err(), "nor further in");
    assert_eq!(read::<Vec<Object<Shape>>>(br#"[{"topic":"a"}]"#).unwrap()[0].0.topic, "a");
}

#[test]
fn a_missing_property_is_named() {
    let error = parse::<Shape>(b"{}").unwrap_err();
    assert_eq!((error.code(), error.target()), ("ValidationError", Some("topic")));
}

#[test]
fn absent_null_and_value_are_three_things() {
    let read = |body: &str| parse::<Shape>(body.as_bytes()).unwrap().patch;
    assert_eq!(read(r#"{"topic":""}"#), None);
    assert_eq!(read(r#"{"topic":"","patch":null}"#), Some(None));
    assert_eq!(read(r#"{"topic":"","patch":5}"#), Some(Some(5)));
}

#[test]
fn a_body_that_may_be_left_out() {
    for empty in ["", "  ", "null"] {
        assert_eq!(parse_optional::<Shape>(empty.as_bytes()), Ok(Shape::default()));
    }
    assert_eq!(parse_optional::<Shape>(br#"{"topic":"x"}"#).unwrap().topic, "x");
    assert!(parse_optional::<Shape>(b"{").is_err());
}

#[test]
fn many_keys_cost_no_more_than_sorting_them() {
    let body: String = (0..40_000).map(|n| format!("\"{n:x}\":1,")).collect();
    let body = format!("{{{body}\"z\":1}}");
    assert_eq!(read::<BTreeMap<String, u8>>(body.as_bytes()).unwrap().len(), 40_001);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 16, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..16).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_writes_is_read_back(value in any_json()) {
        prop_assert_eq!(read::<Value>(&serde_json::to_vec(&value).unwrap()), Ok(value.clone()));
        prop_assert_eq!(read::<Value>(&serde_json::to_vec_pretty(&value).unwrap()), Ok(value));
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read::<Value>(&bytes);
    }

    #[test]
    fn near_json_is_judged_as_serde_does_or_more_strictly(text in r#"[\[\]{}:,"a\\u0061 1-]{0,40}"#) {
        if let Ok(value) = read::<Value>(text.as_bytes()) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
