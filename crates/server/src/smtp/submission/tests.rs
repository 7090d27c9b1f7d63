//! Programs that submit mail, through whole sessions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use post::smtp::{Session, Step};
use serde_json::{Value, json};

use super::*;
use crate::channel::{MailOutcome, SmtpReply};
use crate::service::delivery::Intake;
use crate::service::email::Reason;
use crate::smtp::submission_profile;
use crate::testing::TestApp;

const USERS: &str = "/operator/resources/contoso/email/smtpUsers";
const SENDER: &str = "DoNotReply@contoso.chancery.test";

struct World {
    test: TestApp,
    intake: Intake,
    submission: Submission,
    password: String,
}

/// One client, under TLS from the start.
struct Client<'a> {
    world: &'a World,
    session: Session,
    visit: Visit,
    waited: Duration,
}

impl World {
    async fn new() -> Self {
        let test = TestApp::new().await;
        let intake = test.take_intake().unwrap();
        let submission = Submission::new(Arc::clone(test.app.state()));
        let mut world = Self { test, intake, submission, password: String::new() };
        world.password = world.user("contoso|app|tenant").await;
        world
    }

    /// Lets a name in, and gives its password.
    async fn user(&self, name: &str) -> String {
        let made = self.test.call("POST", USERS).operator().json(&json!({ "username": name }));
        let password = made.send().await.expect(200).json()["password"].as_str().unwrap().to_owned();
        self.test.hide(&password);
        password
    }

    fn client(&self) -> Client<'_> {
        let profile = submission_profile("mail.example.org".to_owned(), self.test.app.state());
        let mut session = Session::new(profile, &mut Vec::new());
        session.secured();
        let visit = self.submission.welcome("192.0.2.1".parse().unwrap());
        Client { world: self, session, visit, waited: Duration::ZERO }
    }

    async fn logged_in(&self) -> Client<'_> {
        let mut client = self.client();
        assert!(client.login("contoso|app|tenant", &self.password).await.starts_with("235 2.7.0"));
        client
    }

    /// Hands over what was accepted: the recipients and the message of each parcel.
    async fn accepted(&mut self) -> Vec<(Vec<String>, String)> {
        let mut all = Vec::new();
        while let Ok(handed) = self.intake.try_recv() {
            let errand = crate::service::delivery::Errand {
                resource: handed.resource,
                key: handed.key,
                row: handed.row,
            };
            let desk = desk(self.test.app.state(), &errand.resource);
            let loaded = desk.load(&errand).await.unwrap().unwrap();
            let taken = MailOutcome::Accepted(SmtpReply { code: 250, ..SmtpReply::default() });
            let outcomes = vec![taken; loaded.parcel.recipients.len()];
            desk.record(&errand, &loaded, &outcomes).await.unwrap();
            let to = loaded.parcel.recipients.iter().map(|one| one.expose().clone()).collect();
            all.push((to, String::from_utf8(loaded.parcel.message.expose().clone()).unwrap()));
        }
        all
    }
}

impl Client<'_> {
    /// Sends, and gives the last line of what came.
    async fn say(&mut self, text: &str) -> String {
        let (mut input, mut out) = (text.as_bytes(), Vec::new());
        while let Step::Ask(question) = self.session.take(&mut input, &mut out) {
            let answer = self.world.submission.answer(&mut self.visit, question).await;
            self.waited = answer.after;
            self.session.answer(&answer.reply, &mut out);
        }
        String::from_utf8(out).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    async fn login(&mut self, name: &str, password: &str) -> String {
        self.say("EHLO client\r\n").await;
        let response = STANDARD.encode(format!("\0{name}\0{password}"));
        self.say(&format!("AUTH PLAIN {response}\r\n")).await
    }

    /// A whole mail; the last reply.
    async fn send(&mut self, from: &str, to: &[&str], text: &str) -> String {
        let mut reply = self.say(&format!("MAIL FROM:<{from}>\r\n")).await;
        for one in to {
            if reply.starts_with("250") {
                reply = self.say(&format!("RCPT TO:<{one}>\r\n")).await;
            }
        }
        if !reply.starts_with("250") {
            return reply;
        }
        assert!(self.say("DATA\r\n").await.starts_with("354"));
        self.say(&format!("{}\r\n.\r\n", text.replace('\n', "\r\n"))).await
    }
}

#[tokio::test]
async fn a_mail_goes_the_way_of_the_api() {
    let mut world = World::new().await;
    let canary = world.test.canary();
    let mut client = world.logged_in().await;
    let text = format!(
        "From: Clinic <{SENDER}>\nTo: Ada <ada@example.com>, eve@example.com\nCc: bob@example.com\n\
         Subject: {canary}\nX-Campaign: autumn\nMessage-ID: <one@contoso.chancery.test>\n\
         Content-Type: text/plain; charset=utf-8\n\nHello {canary}"
    );
    let to = ["ada@example.com", "bob@example.com", "carol@example.com"];
    let reply = client.send(SENDER, &to, &text).await;
    let id = reply.strip_prefix("250 2.0.0 OK ").expect(&reply).to_owned();
    let target = format!("/emails/operations/{id}");
    let told = world.test.call("GET", &target).signed().send().await.expect(200).json();
    assert_eq!(told["status"], "Running", "it is an operation like any other");
    let accepted = world.accepted().await;
    let [(recipients, message)] = accepted.as_slice() else { panic!("one destination: {}", accepted.len()) };
    let mut recipients = recipients.clone();
    recipients.sort();
    assert_eq!(recipients, to);
    for line in [
        "To: \"Ada\" <ada@example.com>\r\n",
        "Cc: <bob@example.com>\r\n",
        "X-Campaign: autumn\r\n",
        "Message-ID: <one@contoso.chancery.test>\r\n",
        "DKIM-Signature:",
        &format!("Hello {canary}"),
    ] {
        assert!(message.contains(line), "{line}\n{message}");
    }
    for hidden in ["carol", "eve@", "Bcc"] {
        assert!(!message.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn who_may_not_send_is_told_in_the_words_of_acs() {
    let mut world = World::new().await;
    let mut client = world.logged_in().await;
    let text = "From: x@stranger.example\n\nhi";
    assert_eq!(
        client.send("x@stranger.example", &["ada@example.com"], text).await,
        "501 5.1.7 The specified sender domain has not been linked."
    );
    let foreign = "DoNotReply@fabrikam.chancery.test";
    assert!(client.send(foreign, &["ada@example.com"], text).await.starts_with("501 5.1.7"));
    let unknown = client.send("nobody@contoso.chancery.test", &["ada@example.com"], text).await;
    assert!(unknown.starts_with("550 5.1.7 Invalid email sender username"), "{unknown}");
    let mut client = world.logged_in().await;
    let lied = client.send(SENDER, &["ada@example.com"], text).await;
    assert!(lied.starts_with("501 5.1.7"), "the header is held to the same: {lied}");
    assert!(client.send("<>", &["ada@example.com"], text).await.starts_with("50"));
    assert!(world.accepted().await.is_empty());
}

#[tokio::test]
async fn wrong_credentials_are_told_so_and_slowed_down() {
    let world = World::new().await;
    let mut waits = Vec::new();
    for (name, password) in [
        ("contoso|app|tenant", "wrong"),
        ("nobody", world.password.as_str()),
        ("contoso", world.password.as_str()),
        ("", ""),
        ("fabrikam|app|tenant", world.password.as_str()),
    ] {
        let mut client = world.client();
        assert_eq!(client.login(name, password).await, "535 5.7.3 Authentication unsuccessful", "{name}");
        waits.push(client.waited);
    }
    assert!(waits.is_sorted() && waits[0] >= FIRST_WAIT && waits[4] == FIRST_WAIT * 16, "{waits:?}");
    assert_eq!(wait(1000), LONGEST_WAIT);
    let mut client = world.client();
    assert!(client.login("contoso|app|tenant", &world.password).await.starts_with("235"));
    assert!(client.waited.is_zero(), "a good one is let in at once, whoever else guesses from there");
    world.test.clock.advance(Duration::from_secs(61));
    let mut client = world.client();
    client.login("contoso|app|tenant", "wrong").await;
    assert_eq!(client.waited, FIRST_WAIT, "forgotten after a minute");
}

#[tokio::test]
async fn names_come_in_the_forms_of_acs() {
    let world = World::new().await;
    assert!(world.client().login("contoso.app.tenant", &world.password).await.starts_with("235"));
    assert!(world.client().login("CONTOSO|App|Tenant", &world.password).await.starts_with("235"));
    let password = world.user("Mailer@example.com").await;
    assert!(world.client().login("mailer@EXAMPLE.com", &password).await.starts_with("235"));
    let body = json!({ "entraApplicationId": "a1", "tenantId": "t1" });
    let made = world.test.call("POST", USERS).operator().json(&body).send().await.expect(200).json();
    assert_eq!(made["username"], "contoso|a1|t1");
    let listed = world.test.call("GET", USERS).operator().send().await.expect(200).json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 3);
    assert!(listed["value"].as_array().unwrap().iter().all(|one| one.get("password").is_none()));
}

#[tokio::test]
async fn what_is_revoked_is_out_with_the_next_mail() {
    let world = World::new().await;
    let mut client = world.logged_in().await;
    let text = format!("From: {SENDER}\n\nhi");
    assert!(client.send(SENDER, &["ada@example.com"], &text).await.starts_with("250"));
    let fresh = world.user("contoso|app|tenant").await;
    assert_ne!(fresh, world.password, "a new password takes the place of the old one");
    assert!(client.send(SENDER, &["ada@example.com"], &text).await.starts_with("535 5.7.3"));
    assert!(world.client().login("contoso|app|tenant", &world.password).await.starts_with("535"));
    let mut client = world.client();
    assert!(client.login("contoso|app|tenant", &fresh).await.starts_with("235"));
    let listed = world.test.call("GET", USERS).operator().send().await.expect(200).json();
    let id = listed["value"][0]["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        world.test.call("DELETE", &format!("{USERS}/{id}")).operator().send().await.expect(200);
    }
    assert!(client.send(SENDER, &["ada@example.com"], &text).await.starts_with("535 5.7.3"));
    assert!(world.client().login("contoso|app|tenant", &fresh).await.starts_with("535"));
}

#[tokio::test]
async fn a_name_is_one_resources() {
    let world = World::new().await;
    let put = |resource: &str, body: Value| {
        let target = format!("/operator/resources/{resource}/email/smtpUsers");
        world.test.call("POST", &target).operator().json(&body)
    };
    let taken = json!({ "username": "contoso|app|tenant" });
    put("fabrikam", taken.clone()).send().await.expect(400);
    world.user("shared").await;
    put("fabrikam", json!({ "username": "Shared" })).send().await.expect(400);
    put("northwind", json!({ "username": "northwind-mailer" })).send().await.expect(200);
    for bad in [
        json!({}),
        json!({ "username": "" }),
        json!({ "username": "a b" }),
        json!({ "username": "x", "password": "fifteen letters" }),
        json!({ "entraApplicationId": "a" }),
    ] {
        put("contoso", bad.clone()).send().await.expect(400);
    }
    let chosen = json!({ "username": "chosen", "password": "sixteen letters!" });
    put("contoso", chosen).send().await.expect(200);
    assert!(world.client().login("chosen", "sixteen letters!").await.starts_with("235"));
    let acts: Vec<String> = world.test.audit().await.into_iter().map(|entry| entry.act).collect();
    assert_eq!(acts, vec!["operator.email.put_smtp_user"; 3]);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_the_session_goes_on() {
    let mut world = World::new().await;
    let mut client = world.logged_in().await;
    let many: Vec<String> = (0..50).map(|n| format!("a{n}@example.com")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(client.send(SENDER, &many, &format!("From: {SENDER}\n\nhi")).await.starts_with("250"), "fifty");
    client.say(&format!("MAIL FROM:<{SENDER}>\r\n")).await;
    for one in &many {
        assert!(client.say(&format!("RCPT TO:<{one}>\r\n")).await.starts_with("250"));
    }
    assert!(client.say("RCPT TO:<b@example.com>\r\n").await.starts_with("452"), "and not one more");
    client.say("RSET\r\n").await;
    let script = format!(
        "From: {SENDER}\nContent-Type: multipart/mixed; boundary=m\n\n--m\n\nhi\n--m\nContent-Type: text/plain\n\
         Content-Disposition: attachment; filename=run.exe\n\nx\n--m--"
    );
    assert_eq!(
        client.send(SENDER, &["ada@example.com"], &script).await,
        "554 5.6.0 The message breaks a rule: attachments[0].name"
    );
    let headers: String = (0..65).map(|n| format!("X-H{n}: 1\n")).collect();
    let wide = format!("From: {SENDER}\n{headers}\nhi");
    assert!(client.send(SENDER, &["ada@example.com"], &wide).await.starts_with("554 5.6.0"));
    assert!(client.send(SENDER, &["a..b@example.com"], "x").await.starts_with("501 5.1.3"));
    client.say("RSET\r\n").await;
    assert!(
        client.send(SENDER, &["ada@example.com"], &format!("From: {SENDER}\n\nhi")).await.starts_with("250")
    );
    let accepted = world.accepted().await;
    assert_eq!(accepted.iter().map(|(to, _)| to.len()).sum::<usize>(), 51);
}

#[tokio::test]
async fn one_click_takes_the_recipient_off_that_senders_list() {
    let mut world = World::new().await;
    let mut client = world.logged_in().await;
    let text = format!("From: {SENDER}\nTo: ada@example.com\nX-Chancery-One-Click-Unsubscribe: true\n\nhi");
    let two = client.send(SENDER, &["ada@example.com", "bob@example.com"], &text).await;
    assert!(two.starts_with("554 5.6.0"), "a link is one recipient's: {two}");
    assert!(client.send(SENDER, &["ada@example.com"], &text).await.starts_with("250"));
    let accepted = world.accepted().await;
    let message = &accepted[0].1;
    assert!(message.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{message}");
    assert!(!message.to_ascii_lowercase().contains("x-chancery"), "{message}");
    let signed = message.replace("\r\n\t", "").replace("\r\n ", "").to_ascii_lowercase();
    assert!(signed.contains("list-unsubscribe-post"), "RFC 8058, section 4: it is signed");
    let unfolded = message.replace("\r\n ", " ");
    let link = unfolded.split_once("List-Unsubscribe: <https://contoso.localhost:8443").unwrap().1;
    let path = link.split_once('>').unwrap().0.to_owned();
    let page = world.test.call("GET", &path).send().await.expect(200);
    assert!(String::from_utf8_lossy(&page.body).contains("<form method=\"post\">"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(reasons(&world).await.is_empty(), "a GET changes nothing: programs open links");
    let click = |path: &str| {
        let body = b"List-Unsubscribe=One-Click".to_vec();
        world.test.call("POST", path).body(body, "application/x-www-form-urlencoded")
    };
    let forged = format!("{}{}", &path[..path.len() - 1], if path.ends_with('A') { "Q" } else { "A" });
    let refused = click(&forged).send().await.expect(200);
    assert!(reasons(&world).await.is_empty(), "nobody else can");
    let done = click(&path).send().await.expect(200);
    assert_eq!(done.body, refused.body, "and nothing is learned from the answer");
    assert_eq!(reasons(&world).await, [Reason::Unsubscribed]);
    click(&path).host("fabrikam.localhost").send().await.expect(200);
    click(&path).send().await.expect(200);
    assert_eq!(reasons(&world).await.len(), 1);
    let reply =
        world.logged_in().await.send(SENDER, &["ada@example.com"], &format!("From: {SENDER}\n\nhi")).await;
    let id = reply.strip_prefix("250 2.0.0 OK ").unwrap();
    let told = world.test.call("GET", &format!("/emails/operations/{id}")).signed().send().await.expect(200);
    assert_eq!(told.json()["error"]["code"], "EmailDroppedAllRecipientsSuppressed");
}

async fn reasons(world: &World) -> Vec<Reason> {
    let desk = desk(world.test.app.state(), world.test.resource());
    let found = desk.explain(&"ada@example.com".to_owned().into()).await.unwrap();
    found.iter().map(|one| one.reason).collect()
}
