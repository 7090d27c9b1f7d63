//! Who does not want to hear from whom: by keyword and by the API, and that it is heeded.

use serde_json::{Value, json};
use server::channel::TextState;

use crate::sms_world::{SHORT_CODE, TO, Texts, one, texts};

impl Texts {
    async fn opt_outs(&self, verb: &str, from: &str, to: &[&str]) -> Value {
        let recipients: Vec<Value> = to.iter().map(|to| json!({ "to": to })).collect();
        let body = json!({ "from": from, "recipients": recipients });
        let call = self.test.call("POST", &format!("/sms/optouts:{verb}")).signed().json(&body);
        call.send().await.expect(200).json()["value"].clone()
    }

    async fn is_opted_out(&self) -> bool {
        self.opt_outs("check", SHORT_CODE, &[TO]).await[0]["isOptedOut"].as_bool().unwrap()
    }
}

#[tokio::test]
async fn the_list_is_kept_by_the_api() {
    let it = Texts::new().await;
    let to = [TO, "12", "+14255550101"];
    for verb in ["add", "add", "remove", "remove"] {
        let items = it.opt_outs(verb, SHORT_CODE, &to).await;
        let codes: Vec<&Value> =
            items.as_array().unwrap().iter().map(|item| &item["httpStatusCode"]).collect();
        assert_eq!(codes, [&json!(200), &json!(400), &json!(200)], "{verb}");
        assert_eq!(items[1]["errorMessage"], "Invalid recipient phone number format");
        assert!(items[0].get("isOptedOut").is_none());
        let known = it.opt_outs("check", SHORT_CODE, &to).await;
        let expected = json!(verb == "add");
        assert_eq!((&known[0]["isOptedOut"], &known[2]["isOptedOut"]), (&expected, &expected));
        assert!(known[1].get("isOptedOut").is_none());
    }
}

#[tokio::test]
async fn senders_without_a_list_or_of_others_have_none() {
    let it = Texts::new().await;
    for (from, status) in [("CONTOSO", 400), ("+18335550100", 401), ("66666", 401)] {
        let body = json!({ "from": from, "recipients": [{ "to": TO }] });
        let _ = it.test.call("POST", "/sms/optouts:check").signed().json(&body).send().await.expect(status);
    }
}

#[tokio::test]
async fn a_text_to_who_does_not_want_it_is_accepted_and_fails() {
    let it = Texts::new().await;
    it.opt_outs("add", SHORT_CODE, &[TO]).await;
    let answer =
        it.ask(&texts(SHORT_CODE, &[(TO, "a"), ("+14255550101", "b")])).send().await.expect(202).json();
    let id = |nth: usize| answer["value"][nth]["messageId"].as_str().unwrap().to_owned();
    assert_eq!((it.state_of(&id(0)).await.0.as_str(), it.code_of(&id(0)).await), ("Failed", 4007));
    assert_eq!((it.carry().await, it.state_of(&id(1)).await.0.as_str()), (1, "Pending"));
    let again = it.ask(&texts(SHORT_CODE, &[(TO, "a")])).send().await.expect(202).json();
    assert_eq!(again["value"][0], answer["value"][0]);
    it.opt_outs("remove", SHORT_CODE, &[TO]).await;
    let _ = it.ask(&one("c")).send().await.expect(202);
    assert_eq!(it.carry().await, 1, "wanted again");
    assert_eq!(it.sent().last().unwrap().to.expose(), TO);
}

#[tokio::test]
async fn keywords_are_followed_and_answered() {
    let it = Texts::new().await;
    for (word, opted_out, reply) in [
        ("stop", true, "You have successfully been unsubscribed"),
        (" Unsubscribe ", true, "You have successfully been unsubscribed"),
        ("HELP", true, "Reply STOP"),
        ("please STOP", true, ""),
        ("unstop", false, "You have successfully been re-subscribed"),
    ] {
        it.incoming(TO, SHORT_CODE, word).await;
        assert_eq!(it.is_opted_out().await, opted_out, "{word}");
        let before = it.sent().len();
        assert_eq!(it.carry().await, usize::from(!reply.is_empty()), "{word}");
        if let Some(answer) = it.sent().get(before) {
            assert!(answer.text.expose().starts_with(reply), "{word}");
            assert_eq!((answer.from.expose().as_str(), answer.to.expose().as_str()), (SHORT_CODE, TO));
            assert!(!answer.receipt);
        }
    }
    assert_eq!(it.waiting().await, 0);
}

#[tokio::test]
async fn short_codes_of_other_countries_are_left_to_the_application() {
    let it = Texts::new().await;
    it.incoming(TO, "77777", "STOP").await;
    assert_eq!(it.carry().await, 0);
    let known = it.opt_outs("check", "77777", &[TO]).await;
    assert_eq!(known[0]["isOptedOut"], false);
}

#[tokio::test]
async fn a_text_for_nobody_is_counted() {
    let it = Texts::new().await;
    for to in ["+18335550199", "66666", "CONTOSO", ""] {
        it.incoming(TO, to, "STOP").await;
    }
    assert_eq!((it.counts().await["textsUnowned"].clone(), it.carry().await), (json!(4), 0));
}

#[tokio::test]
async fn the_operator_sees_the_list_and_what_was_looked_at_is_recorded() {
    let it = Texts::new().await;
    it.incoming(TO, SHORT_CODE, "STOP").await;
    it.opt_outs("add", SHORT_CODE, &[TO, "+14255550101"]).await;
    let at = "/operator/resources/contoso/sms/optOuts";
    let list = it.test.call("GET", at).operator().send().await.expect(200).json();
    let mut found: Vec<(&str, &str)> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["to"].as_str().unwrap(), one["by"].as_str().unwrap()))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(TO, "keyword"), ("+14255550101", "api")], "adding again rewrites nothing");
    let id =
        list["value"].as_array().unwrap().iter().find(|one| one["to"] == TO).unwrap()["id"].as_str().unwrap();
    let gone = it.test.call("DELETE", &format!("{at}/{id}")).operator().send().await.expect(200);
    assert_eq!(gone.json()["removed"], true);
    assert!(!it.is_opted_out().await);
    let _ = it.test.call("DELETE", &format!("{at}/abc")).operator().send().await.expect(404);
    let _ = it.test.call("GET", "/operator/resources/nobody/sms/optOuts").operator().send().await.expect(404);
    // In one moment of the clock entries have no order.
    let mut acts: Vec<String> = it.test.audit().await.into_iter().map(|entry| entry.act).collect();
    acts.sort_unstable();
    assert_eq!(acts, ["operator.sms.delete_opt_out", "operator.sms.list_opt_outs"]);
    it.carry().await;
    it.receive("m1", TextState::Delivered).await;
}

/// Nothing about a person may be logged on the way.
#[tokio::test]
async fn the_log_names_nobody() {
    let it = Texts::new().await;
    for secret in ["+14255557788", "a very private text"] {
        it.test.hide(secret);
    }
    let mut body = texts(SHORT_CODE, &[("+14255557788", "a")]);
    body["message"] = json!("a very private text");
    let _ = it.ask(&body).send().await.expect(202);
    it.carry().await;
    it.receive("m1", TextState::Rejected).await;
    it.incoming("+14255557788", SHORT_CODE, "a very private text").await;
    it.incoming("+14255557788", "+18335550199", "a very private text").await;
    it.incoming("+14255557788", SHORT_CODE, "STOP").await;
}

const NUMBER: &str = "+18335550100";

/// Law 5: what belongs to a number cannot be read once it is released, before any sweep, and does not come back when the
/// number is bought again; no node takes the new holding for the old one.
#[tokio::test]
async fn wishes_die_with_the_holding_of_the_number() {
    let it = Texts::new().await;
    it.test.hold_number(it.test.resource(), NUMBER).await;
    let other = it.another_node().await;
    let wished =
        async |node: &Texts| node.opt_outs("check", NUMBER, &[TO]).await[0]["isOptedOut"].as_bool().unwrap();
    let _ = it.ask(&texts(NUMBER, &[("+14255550101", "first")])).send().await.expect(202);
    it.incoming(TO, NUMBER, "STOP").await;
    it.opt_outs("add", NUMBER, &["+14255550102"]).await;
    assert!(wished(&it).await && wished(&other).await, "also by a node that then remembers the key");
    assert_eq!(it.rows("sms_opt_out").await, 2);

    it.test.call("DELETE", "/phoneNumbers/%2B18335550100").signed().send().await.expect(202);
    let at = "/operator/resources/contoso/sms/optOuts";
    let shown = async || it.test.call("GET", at).operator().send().await.expect(200).json()["value"].clone();
    assert_eq!(it.rows("sms_opt_out").await, 2, "nothing was swept yet");
    assert_eq!(shown().await, json!([]));
    // STOP to a number that is nobody's any more is nobody's wish.
    it.incoming(TO, NUMBER, "STOP").await;
    assert_eq!(shown().await, json!([]));

    it.test.hold_number(it.test.resource(), NUMBER).await;
    assert!(!wished(&it).await && !wished(&other).await);
    it.opt_outs("add", NUMBER, &["+14255550103"]).await;
    let answer =
        other.ask(&texts(NUMBER, &[("+14255550103", "c"), (TO, "d")])).send().await.expect(202).json();
    let id = |nth: usize| answer["value"][nth]["messageId"].as_str().unwrap().to_owned();
    assert_eq!(other.code_of(&id(0)).await, 4007, "the other node knows the new wish at once");
    assert_eq!(other.state_of(&id(1)).await.0, "Pending", "and not the old one");
    it.sweep().await;
    assert_eq!(it.rows("sms_opt_out").await, 1, "the sweep removes what was of the former holding only");
    assert_eq!(shown().await[0]["to"], "+14255550103");
}
