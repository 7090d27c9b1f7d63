//! Tests of the CSV reader: what is good, each fault, and that nothing is half read.

use proptest::prelude::*;

use super::*;

const HEAD: &str = "number,country,type,calling,sms";
const ALL: &str = "number,country,type,calling,sms,assignment,cost,currency,area_code,locality,division,division_name,not_for_resale,operator,mcc,mnc";

fn lines(head: &str, lines: &[&str]) -> Result<Inventory, Vec<Fault>> {
    read(&format!("{head}\n{}", lines.join("\n")))
}

fn fault(head: &str, line: &str) -> String {
    let faults = lines(head, &[line]).unwrap_err();
    assert_eq!((faults.len(), faults[0].line), (1, if line.is_empty() { 1 } else { 2 }), "{faults:?}");
    faults[0].what.clone()
}

#[test]
fn the_least_that_is_needed() {
    let read = lines(HEAD, &["+14255550123,us,Geographic,inbound,"]).unwrap();
    assert_eq!(read.numbers.len(), 1);
    assert_eq!(read.numbers[0].0.expose(), "+14255550123");
    let offer = &read.offers[0];
    assert_eq!((offer.country.as_str(), offer.kind), ("US", NumberType::Geographic));
    assert_eq!(offer.assignment, Assignment::Application);
    assert_eq!(offer.capabilities, Capabilities { calling: Capability::Inbound, sms: Capability::None });
    assert_eq!(offer.cost, Cost { cents: 0, currency: "USD".into() });
    assert!(!offer.not_for_resale && offer.area_code.is_none() && offer.operator.is_none());
}

#[test]
fn every_column_and_a_quoted_field() {
    let line = "\"+447700900000..+447700900002\",GB,mobile,none,inbound+outbound,person,1.5,gbp,7700,\"Lond\"\"on, City\",ENG,England,TRUE,Contoso,234,15";
    let read = lines(ALL, &[line]).unwrap();
    assert_eq!(read.numbers.len(), 3);
    let offer = &read.offers[0];
    assert_eq!(offer.locality.as_deref(), Some("Lond\"on, City"));
    assert_eq!(offer.cost, Cost { cents: 150, currency: "GBP".into() });
    assert_eq!(offer.division, Some(Division { short: "ENG".into(), name: "England".into() }));
    assert!(offer.not_for_resale);
    let operator = offer.operator.as_ref().unwrap();
    assert_eq!(
        (operator.country_code.as_deref(), operator.network_code.as_deref()),
        (Some("234"), Some("15"))
    );
}

#[test]
fn order_of_columns_line_ends_comments_and_byte_order_marks() {
    let text = "\u{feff}SMS,number, country ,type,calling\r\n# mine\r\n\r\nboth,,,,\r\ninbound,+14255550123,US,mobile,none";
    let faults = read(text).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].line, 4);
    let good = read(&text.replace("both,,,,\r\n", "")).unwrap();
    assert_eq!(good.numbers.len(), 1);
}

#[test]
fn offers_are_shared_and_numbers_are_not() {
    let read = lines(HEAD, &["+14255550123,US,mobile,inbound,none", "+14255550124,US,mobile,inbound,none"]);
    let read = read.unwrap();
    assert_eq!((read.offers.len(), read.numbers.len()), (1, 2));
    let faults = lines(
        HEAD,
        &["+14255550120..+14255550129,US,mobile,inbound,none", "+14255550124,US,mobile,inbound,none"],
    );
    assert_eq!(faults.unwrap_err(), [Fault::new(3, "a number of this line is in line 2 already")]);
}

#[test]
fn each_fault_is_told_by_its_line() {
    for (line, told) in [
        ("14255550123,US,mobile,inbound,none", "number is no number"),
        (",US,mobile,inbound,none", "number is missing"),
        ("+14255550123,USA,mobile,inbound,none", "country is two letters"),
        ("+14255550123,,mobile,inbound,none", "country is missing"),
        ("+14255550123,US,pager,inbound,none", "type is"),
        ("+14255550123,US,mobile,both,none", "calling is"),
        ("+14255550123,US,mobile,inbound,x", "sms is"),
        ("+14255550123,US,mobile,none,none", "nothing can be done"),
        ("+14255550123,US,mobile,inbound", "5 columns, and this line has 4"),
        ("+14255550129..+14255550123,US,mobile,inbound,none", "a range goes"),
        ("+14255550123..+142555501234,US,mobile,inbound,none", "a range goes"),
        ("\"+14255550123,US,mobile,inbound,none", "quotation mark"),
        ("+14255550123\",US,mobile,inbound,none", "quotation mark"),
        ("\"+14255550123\"x,US,mobile,inbound,none", "quotation mark"),
    ] {
        let what = fault(HEAD, line);
        assert!(what.contains(told), "{line}: {what}");
        assert!(!what.contains("5550123"), "{what}");
    }
    let tail = |fields: &str| fault(ALL, &format!("+14255550123,US,mobile,inbound,none,{fields}"));
    for (fields, told) in [
        ("robot,,,,,,,,,,", "assignment is"),
        (",x,,,,,,,,,", "cost is"),
        (",1.234,,,,,,,,,", "cost is"),
        (",-1,,,,,,,,,", "cost is"),
        (",,US$,,,,,,,,", "currency is"),
        (",,,4a5,,,,,,,", "area_code is"),
        (",,,999,,,,,,,", "does not begin with"),
        (",,,,,,Washington,,,,", "division_name needs"),
        (",,,,,,,yes,,,", "not_for_resale is"),
        (",,,,,,,,,234,", "need the name"),
        (",,,,,,,,Contoso,23,", "mcc is"),
        (",,,,,,,,Contoso,,1", "mcc is"),
    ] {
        assert!(tail(fields).contains(told), "{fields}: {}", tail(fields));
    }
}

#[test]
fn heads_that_are_wrong() {
    let head = |text: &str| read(text).unwrap_err()[0].clone();
    assert!(head("").what.contains("empty"));
    assert!(head("number,country,type,calling,sms,colour").what.contains("`colour` is no column"));
    assert!(head("number,country,type,calling").what.contains("sms is missing"));
    assert!(head("number,number,country,type,calling,sms").what.contains("twice"));
    assert!(head(HEAD).what.contains("no number"));
    assert!(
        !head("+14255550123,US,mobile,inbound,none").what.contains("425"),
        "a forgotten head quotes nothing"
    );
}

#[test]
fn nothing_is_half_read_and_faults_are_bounded() {
    let mut text = String::from(HEAD);
    for _ in 0..MAX_FAULTS + 5 {
        text.push_str("\nx,US,mobile,inbound,none");
    }
    text.push_str("\n+14255550123,US,mobile,inbound,none\n");
    assert_eq!(read(&text).unwrap_err().len(), MAX_FAULTS);
}

#[test]
fn limits_at_and_past_them() {
    let range = |count: usize| format!("+14255000000..+1425500{:04},US,mobile,inbound,none", count - 1);
    assert_eq!(lines(HEAD, &[&range(MAX_NUMBERS)]).unwrap().numbers.len(), MAX_NUMBERS);
    assert!(fault(HEAD, &range(MAX_NUMBERS + 1)).contains("more than 4000"));
    let field =
        |length: usize| format!("+14255550123,US,mobile,inbound,none,,,,,{},,,,,,", "x".repeat(length));
    assert!(lines(ALL, &[&field(MAX_FIELD)]).is_ok());
    assert!(fault(ALL, &field(MAX_FIELD + 1)).contains("longer than"));
    assert!(fault(ALL, &field(3).replace("xxx", "x\tx\u{1}")).contains("control character"));
}

proptest! {
    #[test]
    fn never_panics(text in "[a-z0-9+.,\"\\r\\n# ]{0,200}") {
        let _ = read(&text);
        let _ = read(&format!("{HEAD}\n{text}"));
    }

    #[test]
    fn what_is_read_is_within_limits(text in "(\\+1425555[0-9]{4}(\\.\\.\\+1425555[0-9]{4})?,US,mobile,inbound,none\n){1,5}") {
        if let Ok(read) = read(&format!("{HEAD}\n{text}")) {
            prop_assert!(read.numbers.len() <= MAX_NUMBERS);
            prop_assert!(read.numbers.iter().all(|(_, offer)| *offer < read.offers.len()));
        }
    }
}
