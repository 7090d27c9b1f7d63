//! Mail on its way out, and what comes back of it.

use std::time::Duration;

use base::{Limits, MailId, Personal};
use serde_json::json;
use server::job;
use server::service::email::{Bounce, Status, Which};
use server::testing::{Options, TestApp};

use crate::mail_world::{MailWorld, accepted, later, mail, refused};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn delivered_mail_leaves_nothing_of_what_it_said() {
    let mut world = MailWorld::new().await;
    let id = world.accept(&mail(&["ada@example.com"])).await;
    assert_eq!(world.rows("mail").await, 1);
    world.carry().await;
    assert_eq!(world.status(id).await.0, "Succeeded");
    assert_eq!(world.fates(id).await, [("ada@example.com".to_owned(), "Delivered".to_owned())]);
    assert_eq!((world.rows("mail").await, world.rows("mail_chunk").await), (0, 0));
    let parcel = &world.parcels()[0];
    assert_eq!(parcel.id, *id.as_bytes());
    assert!(parcel.return_path.expose().ends_with("@mail.chancery.test"));
    assert_eq!(parcel.destination.expose(), "example.com");
}

#[tokio::test]
async fn a_hard_bounce_leaves_the_address_alone_for_a_while_and_longer_when_it_is_tried() {
    let mut world = MailWorld::new().await;
    world.will(vec![refused(550, "5.1.1")]);
    let first = world.accept(&mail(&["gone@example.com"])).await;
    world.carry().await;
    assert_eq!(world.fates(first).await[0].1, "Bounced");
    assert_eq!(world.status(first).await.0, "Succeeded", "it was out for delivery");
    let listed = world.suppressed().await;
    assert_eq!(
        (listed[0]["address"].as_str(), listed[0]["reason"].as_str(), listed[0]["messageId"].as_str()),
        (Some("gone@example.com"), Some("HardBounce"), Some(first.to_string().as_str()))
    );
    assert_eq!(listed[0]["until"], "2026-11-24T08:00:00.0000000Z");

    let second = world.accept(&mail(&["Gone@Example.com"])).await;
    let status = world.status(second).await;
    assert_eq!((status.0.as_str(), status.1.as_str()), ("Failed", "EmailDroppedAllRecipientsSuppressed"));
    assert_eq!(world.carry().await, 0);
    assert_eq!(world.fates(second).await[0].1, "Suppressed");
    assert_eq!(world.suppressed().await[0]["until"], "2026-11-25T08:00:00.0000000Z", "48 hours now");

    world.test.clock.advance(2 * DAY - Duration::from_millis(1));
    let third = world.accept(&mail(&["gone@example.com"])).await;
    assert_eq!(world.status(third).await.0, "Failed");
    world.test.clock.advance(4 * DAY);
    assert!(world.suppressed().await.is_empty(), "a lease that nobody used ends");
    let fourth = world.accept(&mail(&["gone@example.com"])).await;
    assert_eq!(world.status(fourth).await.0, "Running");
    world.carry().await;
    assert_eq!(world.rows("mail_suppression").await, 0);
}

#[tokio::test]
async fn the_others_get_it_when_one_is_suppressed() {
    let mut world = MailWorld::new().await;
    world.desk().suppress(&"no@example.com".to_owned().into(), None, None).await.unwrap();
    let id = world.accept(&mail(&["no@example.com", "yes@example.com"])).await;
    world.carry().await;
    let fates = world.fates(id).await;
    assert_eq!((fates[0].1.as_str(), fates[1].1.as_str()), ("Suppressed", "Delivered"));
    assert_eq!(world.parcels()[0].recipients, [Personal::new("yes@example.com".to_owned())]);
    assert_eq!(world.status(id).await.0, "Succeeded");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let mut world = MailWorld::new().await;
    for (code, enhanced, status) in [
        (550, "5.7.1", "Failed"),
        (554, "5.1.0", "Failed"),
        (553, "5.1.3", "Bounced"),
        (552, "5.2.2", "Failed"),
    ] {
        world.will(vec![refused(code, enhanced)]);
        let id = world.accept(&mail(&[&format!("a{code}@example.com")])).await;
        world.carry().await;
        assert_eq!(world.fates(id).await[0].1, status, "{code} {enhanced}");
    }
    assert_eq!(world.suppressed().await.len(), 1, "only the hard one");
}

#[tokio::test]
async fn what_nobody_takes_is_tried_again_until_its_time_is_over() {
    let mut world = MailWorld::new().await;
    let id = world.accept(&mail(&["ada@example.com"])).await;
    let mut attempts = 0;
    for _ in 0..200 {
        world.will(vec![later()]);
        attempts += world.carry().await;
        if world.status(id).await.0 != "Running" {
            break;
        }
        world.test.clock.advance(Duration::from_secs(600));
    }
    assert!(attempts > 10, "{attempts}");
    let status = world.status(id).await;
    assert_eq!((status.0.as_str(), status.1.as_str()), ("Failed", "EmailDropped"));
    assert_eq!(world.fates(id).await[0].1, "Failed");
    assert_eq!(world.rows("mail").await, 0);
    assert_eq!(world.rows("delivery").await, 0);
}

#[tokio::test]
async fn of_one_destination_only_those_are_tried_again_who_were_not_served() {
    let mut world = MailWorld::new().await;
    let id = world.accept(&mail(&["a@example.com", "b@example.com", "c@example.com"])).await;
    world.will(vec![accepted(), later(), refused(550, "5.1.1")]);
    world.carry().await;
    assert_eq!(world.status(id).await.0, "Succeeded");
    assert_eq!(world.rows("mail").await, 1, "it is still needed");
    world.test.clock.advance(Duration::from_secs(60));
    world.carry().await;
    let again = &world.parcels()[1];
    assert_eq!(again.recipients, [Personal::new("b@example.com".to_owned())]);
    let fates: Vec<_> = world.fates(id).await.into_iter().map(|(_, status)| status).collect();
    assert_eq!(fates, ["Delivered", "Delivered", "Bounced"]);
    assert_eq!(world.rows("mail").await, 0);
}

#[tokio::test]
async fn each_destination_is_an_errand_and_the_last_one_ends_the_mail() {
    let mut world = MailWorld::new().await;
    let id =
        world.accept(&mail(&["a@one.example", "b@two.example", "c@one.example", "d@THREE.example"])).await;
    assert_eq!(world.carry().await, 3);
    let mut destinations: Vec<_> = world
        .parcels()
        .iter()
        .map(|parcel| (parcel.destination.expose().clone(), parcel.recipients.len()))
        .collect();
    destinations.sort();
    let expected = [("one.example", 2), ("three.example", 1), ("two.example", 1)];
    assert_eq!(destinations, expected.map(|(name, count)| (name.to_owned(), count)));
    assert_eq!(world.status(id).await.0, "Succeeded");
    assert_eq!(world.fates(id).await.len(), 4);
    assert_eq!(world.rows("mail").await, 0);
}

#[tokio::test]
async fn long_mail_is_cut_and_put_together_again() {
    let mut world = MailWorld::new().await;
    let mut body = mail(&["ada@example.com"]);
    let text = "abcdefghijklmnopqrstuvwxyz0123456789\r\n".repeat(60_000);
    body["content"] = json!({ "subject": "long", "plainText": text });
    let id = world.accept(&body).await;
    assert_eq!((world.rows("mail").await, world.rows("mail_chunk").await), (1, 4));
    world.carry().await;
    assert_eq!(world.status(id).await.0, "Succeeded");
    let message = String::from_utf8(world.parcels().remove(0).message.into_inner()).unwrap();
    assert_eq!(message.matches("abcdefghijklmnopqrstuvwxyz0123456789").count(), 60_000);
    assert_eq!((world.rows("mail").await, world.rows("mail_chunk").await), (0, 0));
}

#[tokio::test]
async fn a_mail_read_back_by_another_node_is_whole() {
    let mut world = MailWorld::new().await;
    let id = world.accept(&mail(&["ada@example.com"])).await;
    let mut other = MailWorld::over(world.test.another_node().await);
    other.test.clock.advance(server::service::delivery::HOLD);
    assert_eq!(other.carry().await, 1);
    assert_eq!(world.status(id).await.0, "Succeeded");
    // The first node comes too late: its errand is not its own any more, and nothing is recorded twice.
    world.carry().await;
    assert_eq!(world.fates(id).await.len(), 1);
    assert!(world.parcels().is_empty(), "its hold had ended");
    let parcel = other.parcels().remove(0);
    assert_eq!(parcel.recipients, [Personal::new("ada@example.com".to_owned())]);
    let text = String::from_utf8(parcel.message.into_inner()).unwrap();
    assert!(
        text.contains("Subject: Hello") && text.contains("a text") && text.starts_with("DKIM-Signature: ")
    );
}

fn bounce(status: Status) -> Bounce {
    Bounce { status, detail: "550 5.1.1 gone".to_owned().into(), host: Some("mx.example.com".to_owned()) }
}

#[tokio::test]
async fn a_bounce_that_comes_later_changes_what_is_known() {
    let mut world = MailWorld::new().await;
    let id = world.accept(&mail(&["a@example.com", "b@example.com"])).await;
    world.carry().await;
    let at = |place| Which::Place(place);
    assert!(world.desk().bounced(id, &at(1), &bounce(Status::Bounced)).await.unwrap());
    assert!(
        world.desk().bounced(id, &at(1), &bounce(Status::Bounced)).await.unwrap(),
        "twice is as good as once"
    );
    let named = Which::Address("A@example.com".to_owned().into());
    assert!(world.desk().bounced(id, &named, &bounce(Status::Failed)).await.unwrap());
    let fates: Vec<_> = world.fates(id).await.into_iter().map(|(_, status)| status).collect();
    assert_eq!(fates, ["Failed", "Bounced"]);
    assert_eq!(world.suppressed().await.len(), 1);
    let unknown = MailId::from_bytes([9; 16]);
    assert!(!world.desk().bounced(unknown, &at(0), &bounce(Status::Bounced)).await.unwrap());
    assert!(!world.desk().bounced(id, &at(2), &bounce(Status::Bounced)).await.unwrap());
    let stranger = Which::Address("victim@example.com".to_owned().into());
    assert!(!world.desk().bounced(id, &stranger, &bounce(Status::Bounced)).await.unwrap());
    assert_eq!(world.suppressed().await.len(), 1, "nobody is suppressed whom no mail was sent to");
}

#[tokio::test]
async fn complaints_hold_for_all_senders_and_unsubscribing_for_one() {
    let mut world = MailWorld::new().await;
    let id = world.accept(&mail(&["a@example.com", "b@example.com"])).await;
    world.carry().await;
    assert!(world.desk().complained(id, &Which::Place(0)).await.unwrap());
    assert!(world.desk().unsubscribed(id, &Which::Place(1)).await.unwrap());
    world.test.clock.advance(60 * DAY);
    let again = world.accept(&mail(&["a@example.com", "b@example.com"])).await;
    assert_eq!(world.status(again).await.1, "EmailDroppedAllRecipientsSuppressed");
    let listed = world.suppressed().await;
    assert_eq!(listed.len(), 2);
    for entry in listed {
        let complaint = entry["address"] == "a@example.com";
        assert_eq!(entry["reason"], if complaint { "Complaint" } else { "Unsubscribed" });
        assert_eq!(entry.get("sender").is_none(), complaint);
        assert!(entry.get("until").is_none());
        let target =
            format!("/operator/resources/contoso/email/suppressions/{}", entry["id"].as_str().unwrap());
        world.test.call("DELETE", &target).operator().send().await.expect(200);
        world.test.call("DELETE", &target).operator().send().await.expect(404);
    }
    let last = world.accept(&mail(&["a@example.com", "b@example.com"])).await;
    assert_eq!(world.status(last).await.0, "Running");
    world.carry().await;
}

#[tokio::test]
async fn return_paths_of_our_own_are_known_from_those_made_up() {
    let mut world = MailWorld::new().await;
    let id = world.accept(&mail(&["a@example.com"])).await;
    world.carry().await;
    let path = world.parcels()[0].return_path.expose().clone();
    let (verp, code) = post::mail::Verp::parse(path.split('@').next().unwrap()).unwrap();
    assert_eq!((verp.mail, verp.part), (*id.as_bytes(), 0));
    assert!(world.desk().trusts(&verp, &code).await.unwrap());
    let mut other = code;
    other[0] ^= 1;
    assert!(!world.desk().trusts(&verp, &other).await.unwrap());
    assert!(!world.desk().trusts(&verp, &[]).await.unwrap());
    let elsewhere = post::mail::Verp { part: 1, ..verp };
    assert!(!world.desk().trusts(&elsewhere, &code).await.unwrap());
}

#[tokio::test]
async fn mail_is_forgotten_after_its_days() {
    let limits = Limits { mail_retention_secs: 7 * 86_400, ..Limits::default() };
    let mut world = MailWorld::over(TestApp::with(Options { limits, ..Options::default() }).await);
    let id = world.accept(&mail(&["ada@example.com"])).await;
    world.carry().await;
    world.test.clock.advance(6 * DAY);
    job::run_once(world.test.app.state()).await;
    assert_eq!(world.status(id).await.0, "Succeeded");
    let young = world.accept(&mail(&["b@example.com"])).await;
    world.carry().await;
    world.test.clock.advance(2 * DAY);
    job::run_once(world.test.app.state()).await;
    let target = format!("/emails/operations/{id}");
    world.test.call("GET", &target).signed().send().await.expect(404);
    assert_eq!(world.status(young).await.0, "Succeeded");
    assert_eq!(
        (
            world.rows("mail_operation").await,
            world.rows("mail_recipient").await,
            world.rows("mail_expiry").await
        ),
        (1, 1, 1)
    );
    assert!(!world.desk().bounced(id, &Which::Place(0), &bounce(Status::Bounced)).await.unwrap());
}
