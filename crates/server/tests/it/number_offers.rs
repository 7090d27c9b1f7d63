//! Phone numbers: the lists of what is held and offered, browsing, and what is known of any number.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::numbers::{asked, get, post, search, stocked};

#[tokio::test]
async fn lists_come_in_pages() {
    let test = stocked().await;
    for last in 0..5 {
        test.hold_number(test.resource(), &format!("+1833555010{last}")).await;
    }
    let mut seen = BTreeSet::new();
    let mut next = Some("/phoneNumbers?top=2".to_owned());
    let mut pages = 0;
    while let Some(target) = next {
        let page = test.call("GET", &target).version(if pages == 0 { "2025-06-01" } else { "" }).signed();
        let page = page.send().await.expect(200).json();
        for one in page["phoneNumbers"].as_array().unwrap() {
            assert!(seen.insert(one["phoneNumber"].as_str().unwrap().to_owned()));
        }
        let link = page["nextLink"].as_str();
        next = link.map(|link| link.strip_prefix("https://contoso.localhost:8443").unwrap().to_owned());
        pages += 1;
    }
    assert_eq!((pages, seen.len()), (3, 5));
    let past = get(&test, "/phoneNumbers?skip=5").await.expect(200).json();
    assert_eq!(past, json!({ "phoneNumbers": [] }));
    for bad in ["top=0", "skip=-1", "top=x"] {
        get(&test, &format!("/phoneNumbers?{bad}")).await.expect(400);
    }
}

#[tokio::test]
async fn what_is_offered_is_listed() {
    let test = stocked().await;
    let of = async |target: &str| {
        get(&test, &format!("/availablePhoneNumbers/countries{target}")).await.expect(200).json()
    };
    let germany = json!({ "localizedName": "Germany", "countryCode": "DE" });
    let all = of("").await;
    assert_eq!(all["countries"][0], germany);
    let page = of("?maxPageSize=1").await;
    assert_eq!(page["countries"].as_array().unwrap().len(), 1);
    assert!(page["nextLink"].as_str().unwrap().contains("skip=1"), "{page}");
    assert_eq!(of("?skip=1&maxPageSize=1").await.get("nextLink"), None);
    assert_eq!(
        of("/us/localities").await,
        json!({ "phoneNumberLocalities": [{
            "localizedName": "Seattle",
            "administrativeDivision": { "localizedName": "WA", "abbreviatedName": "WA" },
        }] })
    );
    assert_eq!(of("/US/localities?administrativeDivision=OR").await, json!({ "phoneNumberLocalities": [] }));
    let codes = json!({ "areaCodes": [{ "areaCode": "206" }] });
    assert_eq!(of("/US/areaCodes?phoneNumberType=geographic&locality=seattle").await, codes);
    assert_eq!(
        of("/US/areaCodes?phoneNumberType=geographic&locality=Boston").await,
        json!({ "areaCodes": [] })
    );
    let offerings = of("/US/offerings?phoneNumberType=tollFree").await;
    assert_eq!(offerings["phoneNumberOfferings"].as_array().unwrap().len(), 1);
    assert_eq!(offerings["phoneNumberOfferings"][0]["availableCapabilities"]["sms"], "inbound+outbound");
    assert_eq!(of("/US/offerings").await["phoneNumberOfferings"].as_array().unwrap().len(), 2);
    get(&test, "/availablePhoneNumbers/countries/USA/offerings").await.expect(400);
    get(&test, "/availablePhoneNumbers/countries/US/areaCodes").await.expect(400);
}

#[tokio::test]
async fn browsing_keeps_nothing() {
    let test = stocked().await;
    let browse = async |body: Value| {
        let found =
            post(&test, "/availablePhoneNumbers/countries/US/:browse", &body).await.expect(200).json();
        found["phoneNumbers"].as_array().unwrap().clone()
    };
    let all = browse(json!({ "phoneNumberType": "tollFree" })).await;
    assert_eq!(all.len(), 10);
    assert!(
        all.iter().all(|one| one["status"] == "available" && one["isAgreementToNotResellRequired"] == false)
    );
    let two = browse(
        json!({ "phoneNumberType": "tollFree", "phoneNumberPrefixes": ["+18335550101", "18335550102"] }),
    )
    .await;
    assert_eq!(two.len(), 2);
    assert!(
        browse(json!({ "phoneNumberType": "geographic", "capabilities": { "sms": "outbound" } }))
            .await
            .is_empty()
    );
    search(&test, "US", &asked("tollFree", 3)).await;
    assert_eq!(browse(json!({ "phoneNumberType": "tollFree" })).await.len(), 7);
}

#[tokio::test]
async fn operator_information_tells_what_the_inventory_knows() {
    let test = stocked().await;
    let head = "number,country,type,calling,sms,operator,mcc,mnc\n";
    test.load_numbers(&format!("{head}+447700900000,GB,mobile,inbound,inbound,Contoso Mobile,234,15")).await;
    let ask = async |body: Value| post(&test, "/operatorInformation/:search", &body).await;
    let plain = ask(json!({ "phoneNumbers": ["+12065550100"] })).await.expect(200).json();
    assert_eq!(
        plain["values"][0],
        json!({
            "phoneNumber": "+12065550100", "nationalFormat": "(206) 555-0100",
            "internationalFormat": "+1 206-555-0100",
        })
    );
    let options = json!({ "includeAdditionalOperatorDetails": true });
    let known = ask(json!({ "phoneNumbers": ["+447700900000", "+33199000000"], "options": options })).await;
    let values = known.expect(200).json()["values"].clone();
    assert_eq!((&values[0]["numberType"], &values[0]["isoCountryCode"]), (&"mobile".into(), &"GB".into()));
    let operator = json!({ "name": "Contoso Mobile", "mobileNetworkCode": "15", "mobileCountryCode": "234" });
    assert_eq!(values[0]["operatorDetails"], operator);
    assert_eq!((&values[1]["numberType"], &values[1]["isoCountryCode"]), (&"unknown".into(), &"FR".into()));
    ask(json!({ "phoneNumbers": ["12"] })).await.expect(400);
}
