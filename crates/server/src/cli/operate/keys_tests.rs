//! What `chancery keys` says.

use super::*;

fn running(pass: u64, done: u64) -> Value {
    json!({ "state": "running", "pass": pass, "tablesDone": done, "tables": 40, "rowsRenewed": 12 })
}

#[test]
fn the_list_is_a_table() {
    let listing = json!({ "value": [
        { "dataLocation": "europe", "keyService": "root", "state": "available", "renewal": running(1, 3),
          "generations": [{ "generation": 1 }, { "generation": 2 }] },
        { "dataLocation": "europe", "resource": "contoso", "keyService": "contoso-key", "state": "disabled",
          "generations": [{ "generation": 1 }], "renewal": null },
    ] });
    let shown = human(&listing);
    assert!(
        shown.contains("(the cell's own)  root         1, 2         available  pass 1, table 3 of 40"),
        "{shown}"
    );
    assert!(shown.contains("contoso           contoso-key  1            disabled"), "{shown}");
}

#[test]
fn the_bar_counts_two_passes() {
    assert_eq!(left(&running(0, 0)), 120, "not begun");
    assert_eq!(left(&running(1, 0)), 80);
    assert_eq!(left(&running(1, 40)), 40);
    assert_eq!(left(&running(2, 30)), 10);
    assert_eq!(left(&running(3, 30)), 10, "another pass was needed");
}

#[test]
fn whose_keys_are_meant() {
    let contoso = Whose { resource: Some("Contoso".into()), cell: None };
    let europe = Whose { resource: None, cell: Some("europe".into()) };
    let (line, own) = (
        json!({ "dataLocation": "europe", "resource": "contoso" }),
        json!({ "dataLocation": "europe", "resource": null }),
    );
    assert!(contoso.is(&line) && !contoso.is(&own) && europe.is(&own) && !europe.is(&line));
    assert_eq!(contoso.target(), "/operator/resources/Contoso/keys");
    assert_eq!(europe.target(), "/operator/cells/europe/keys");
}

#[test]
fn what_is_said_at_the_end_says_what_follows() {
    assert!(said(1, "contoso-key").contains("for good") && said(0, "root").contains("already"));
    let line = json!({ "renewal": { "state": "damaged", "rowsDamaged": 2 } });
    assert!(renewed(&line).contains("2 rows are damaged"));
    let line = json!({ "renewal": { "state": "done", "rowsRenewed": 7, "generationsEnded": 1 } });
    assert_eq!(renewed(&line), "A new key seals. 7 rows were sealed anew; 1 former generations ended.\n");
    let counts = json!({ "generations": [{ "generation": 2, "rows": 9 }], "rowsUnderScopeKeys": 4 });
    assert!(counted(&counts).contains("2                              9"), "{}", counted(&counts));
    let keys = json!({ "signingKeys": [{ "kid": "k", "signsFrom": "t", "verifiesUntil": null }] });
    assert!(signing(&keys).contains("k    t"), "{}", signing(&keys));
}
