//! Domains of a resource: how they come to be verified, who sends from them, how their keys change.

use serde_json::{Value, json};
use server::testing::Answer;

use crate::mail_world::{MailWorld, mail};

const DOMAINS: &str = "/operator/resources/contoso/email/domains";

async fn act(world: &MailWorld, method: &str, rest: &str, body: &Value) -> Answer {
    let call = world.test.call(method, &format!("{DOMAINS}{rest}")).operator();
    let call = if body.is_null() { call } else { call.json(body) };
    call.send().await
}

/// Puts every record of a domain, as it was told, into the DNS.
fn publish(world: &MailWorld, domain: &Value) {
    let mut names: std::collections::BTreeMap<&str, Vec<&str>> = Default::default();
    for record in domain["records"].as_array().unwrap() {
        names.entry(record["name"].as_str().unwrap()).or_default().push(record["value"].as_str().unwrap());
    }
    names.iter().for_each(|(name, values)| world.test.dns.set(name, values));
}

fn from(sender: &str) -> Value {
    let mut body = mail(&["ada@example.com"]);
    body["senderAddress"] = json!(sender);
    body
}

fn state(domain: &Value, record: &str) -> String {
    let all = domain["records"].as_array().unwrap();
    all.iter().find(|one| one["record"] == record).unwrap()["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_domain_sends_once_its_records_are_in_the_dns() {
    let mut world = MailWorld::new().await;
    let made = act(&world, "PUT", "/Contoso.Example", &Value::Null).await.expect(200).json();
    assert_eq!((made["name"].as_str(), made["verified"].as_bool()), (Some("contoso.example"), Some(false)));
    assert_eq!(made["senderUsernames"], json!([{ "username": "DoNotReply" }]));
    let sender = "donotreply@contoso.example";
    assert_eq!(world.send(&from(sender)).await.expect(404).code(), "DomainNotLinked");

    let nothing = act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200).json();
    assert_eq!(state(&nothing, "SPF"), "VerificationFailed");
    publish(&world, &made);
    let one = json!({ "verificationType": "spf" });
    let some = act(&world, "POST", "/contoso.example:verify", &one).await.expect(200).json();
    assert_eq!(
        (state(&some, "SPF").as_str(), state(&some, "Domain").as_str()),
        ("Verified", "VerificationFailed")
    );
    assert_eq!(world.send(&from(sender)).await.expect(404).code(), "DomainNotLinked");
    let all = act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200).json();
    assert_eq!(all["verified"], true);
    world.send(&from(sender)).await.expect(202);
    world.carry().await;
    let text = String::from_utf8(world.parcels()[0].message.expose().clone()).unwrap();
    assert_eq!(text.matches("DKIM-Signature: ").count(), 2, "RSA and Ed25519");
    assert!(
        text.contains("s=chancery1;")
            && text.contains("s=chancery1e;")
            && text.contains("d=contoso.example;")
    );
}

#[tokio::test]
async fn what_the_dns_cannot_say_now_stays_as_it_was() {
    let world = MailWorld::new().await;
    let made = act(&world, "PUT", "/contoso.example", &Value::Null).await.expect(200).json();
    publish(&world, &made);
    act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200);
    world.test.dns.fail("contoso.example");
    let after = act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200).json();
    assert_eq!(after["verified"], true);
    world.test.dns.set("contoso.example", &[]);
    let gone = act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200).json();
    assert_eq!(gone["verified"], false);
    assert_eq!(world.send(&from("donotreply@contoso.example")).await.expect(404).code(), "DomainNotLinked");
    let bad = json!({ "verificationType": "MX" });
    act(&world, "POST", "/contoso.example:verify", &bad).await.expect(400);
}

#[tokio::test]
async fn senders_are_those_that_were_registered() {
    let mut world = MailWorld::new().await;
    let made = act(&world, "PUT", "/contoso.example", &Value::Null).await.expect(200).json();
    publish(&world, &made);
    act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200);
    assert_eq!(world.send(&from("info@contoso.example")).await.expect(400).code(), "InvalidSenderUserName");
    let named = json!({ "displayName": "Contoso Clinic" });
    act(&world, "PUT", "/contoso.example/senders/info", &named).await.expect(200);
    world.send(&from("Info@contoso.example")).await.expect(202);
    world.carry().await;
    let text = String::from_utf8(world.parcels()[0].message.expose().clone()).unwrap();
    assert!(text.contains("From: \"Contoso Clinic\" <Info@contoso.example>"));
    act(&world, "DELETE", "/contoso.example/senders/INFO", &Value::Null).await.expect(200);
    act(&world, "DELETE", "/contoso.example/senders/info", &Value::Null).await.expect(404);
    assert_eq!(world.send(&from("info@contoso.example")).await.expect(400).code(), "InvalidSenderUserName");
    for bad in ["a%20b", "a%40b", "%C3%A9"] {
        act(&world, "PUT", &format!("/contoso.example/senders/{bad}"), &Value::Null).await.expect(400);
    }
}

#[tokio::test]
async fn keys_change_by_taking_turns() {
    let mut world = MailWorld::new().await;
    let made = act(&world, "PUT", "/contoso.example", &Value::Null).await.expect(200).json();
    act(&world, "POST", "/contoso.example:rotate", &Value::Null).await.expect(400);
    publish(&world, &made);
    act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200);
    let rotated = act(&world, "POST", "/contoso.example:rotate", &Value::Null).await.expect(200).json();
    assert_eq!((rotated["signingSelector"].as_u64(), rotated["verified"].as_bool()), (Some(2), Some(true)));
    assert_eq!(
        (state(&rotated, "DKIM").as_str(), state(&rotated, "DKIM2").as_str()),
        ("NotStarted", "Verified")
    );
    let key = |domain: &Value, at: usize| domain["records"][at]["value"].as_str().unwrap().to_owned();
    assert_ne!(key(&made, 2), key(&rotated, 2), "the one that rests has a new key");
    assert_eq!(key(&made, 3), key(&rotated, 3));
    act(&world, "POST", "/contoso.example:rotate", &Value::Null).await.expect(400);
    world.send(&from("donotreply@contoso.example")).await.expect(202);
    world.carry().await;
    let text = String::from_utf8(world.parcels()[0].message.expose().clone()).unwrap();
    assert!(text.contains("s=chancery2;") && text.matches("DKIM-Signature: ").count() == 1);
    publish(&world, &rotated);
    act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200);
    act(&world, "POST", "/contoso.example:rotate", &Value::Null).await.expect(200);
}

#[tokio::test]
async fn a_deleted_domain_sends_nothing_more_on_any_node() {
    let mut world = MailWorld::new().await;
    let made = act(&world, "PUT", "/contoso.example", &Value::Null).await.expect(200).json();
    publish(&world, &made);
    act(&world, "POST", "/contoso.example:verify", &Value::Null).await.expect(200);
    let body = from("donotreply@contoso.example");
    let id = world.accept(&body).await;
    let other = world.test.another_node().await;
    other.call("POST", "/emails:send").signed().json(&body).send().await.expect(202);
    other.call("DELETE", &format!("{DOMAINS}/contoso.example")).operator().send().await.expect(200);
    // This node remembers the domain, and is told by its own commit that it is gone.
    assert_eq!(world.send(&body).await.expect(404).code(), "DomainNotLinked");
    world.carry().await;
    assert_eq!(world.parcels().len(), 0);
    assert_eq!(world.status(id).await, ("Failed".to_owned(), "EmailDropped".to_owned()));
    act(&world, "GET", "/contoso.example", &Value::Null).await.expect(404);
    act(&world, "DELETE", "/contoso.example", &Value::Null).await.expect(404);
}

#[tokio::test]
async fn the_development_domain_is_the_resources_own_and_cannot_be_changed() {
    let world = MailWorld::new().await;
    world.send(&mail(&["ada@example.com"])).await.expect(202);
    let listed = world.test.call("GET", DOMAINS).operator().send().await.expect(200).json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
    assert_eq!(listed["value"][0]["domainManagement"], "AzureManaged");
    let target = "/contoso.chancery.test/senders/info";
    act(&world, "PUT", target, &Value::Null).await.expect(400);
    let tracked = json!({ "userEngagementTracking": true });
    let told = act(&world, "PUT", "/contoso.chancery.test", &tracked).await.expect(200).json();
    assert_eq!(told["userEngagementTracking"], true);
}

#[tokio::test]
async fn names_that_are_none_and_more_than_may_be_are_refused() {
    let world = MailWorld::new().await;
    for bad in ["a%20b", "-a.example", "a..example", "192.0.2.1"] {
        act(&world, "PUT", &format!("/{bad}"), &Value::Null).await.expect(400);
    }
    for target in
        ["/operator/resources/nobody/email/domains", "/operator/resources/nobody/email/suppressions"]
    {
        world.test.call("GET", target).operator().send().await.expect(404);
    }
}
