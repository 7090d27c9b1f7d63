//! A world for tests of mail: a channel that does as told, and a dispatcher that carries what is due.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use base::{MailId, Personal};
use guard::BoxFuture;
use serde_json::{Value, json};
use server::channel::{MailChannel, MailOutcome, MailParcel, SmtpReply};
use server::job::delivery::{Couriers, Dispatcher};
use server::job::mail::MailCourier;
use server::service::audit::{Act, Actor};
use server::service::delivery::Kind;
use server::service::email::MailDesk;
use server::testing::{Answer, TestApp};
use store::{Direction, Engine, Scan};

/// Where every resource under test may send from.
pub(crate) const SENDER: &str = "donotreply@contoso.chancery.test";

/// A way out that takes what it is given, unless it was told otherwise.
#[derive(Default)]
pub(crate) struct Scripted {
    /// What to say of the next parcels; when there is nothing, each recipient is accepted.
    pub(crate) next: Mutex<VecDeque<Vec<MailOutcome>>>,
    /// What came.
    pub(crate) parcels: Mutex<Vec<MailParcel>>,
}

impl MailChannel for Scripted {
    fn deliver<'a>(&'a self, parcel: &'a MailParcel) -> BoxFuture<'a, Vec<MailOutcome>> {
        Box::pin(async move {
            self.parcels.lock().unwrap().push(parcel.clone());
            let told = self.next.lock().unwrap().pop_front();
            told.unwrap_or_else(|| vec![accepted(); parcel.recipients.len()])
        })
    }
}

pub(crate) fn reply(code: u16, enhanced: &str, text: &str) -> SmtpReply {
    SmtpReply {
        code,
        enhanced: Some(enhanced.to_owned()),
        text: Personal::new(text.to_owned()),
        host: "mx.example.com".to_owned(),
    }
}

pub(crate) fn accepted() -> MailOutcome {
    MailOutcome::Accepted(reply(250, "2.0.0", "queued"))
}

pub(crate) fn refused(code: u16, enhanced: &str) -> MailOutcome {
    MailOutcome::Refused(reply(code, enhanced, "no"))
}

pub(crate) fn later() -> MailOutcome {
    MailOutcome::Later { reply: None, reason: "nobody answers".to_owned() }
}

pub(crate) struct MailWorld {
    pub(crate) test: Arc<TestApp>,
    pub(crate) channel: Arc<Scripted>,
    dispatcher: Dispatcher,
}

impl MailWorld {
    pub(crate) async fn new() -> Self {
        Self::over(TestApp::new().await)
    }

    pub(crate) fn over(test: TestApp) -> Self {
        let test = Arc::new(test);
        let channel = Arc::new(Scripted::default());
        let courier = Arc::new(MailCourier::new(test.app.state(), channel.clone()));
        let couriers = Couriers::new(64).with("europe".parse().unwrap(), Kind::Mail, courier);
        let dispatcher = Dispatcher::new(test.app.state().clone(), couriers, test.take_intake().unwrap());
        Self { test, channel, dispatcher }
    }

    /// Carries what is due now; how many errands.
    pub(crate) async fn carry(&mut self) -> usize {
        self.dispatcher.run_due().await
    }

    pub(crate) fn will(&self, outcomes: Vec<MailOutcome>) {
        self.channel.next.lock().unwrap().push_back(outcomes);
    }

    pub(crate) fn parcels(&self) -> Vec<MailParcel> {
        self.channel.parcels.lock().unwrap().clone()
    }

    /// Sends, as a client with the access key.
    pub(crate) async fn send(&self, body: &Value) -> Answer {
        self.test.call("POST", "/emails:send").signed().json(body).send().await
    }

    /// Sends with an operation id.
    pub(crate) async fn send_as(&self, body: &Value, id: &str) -> Answer {
        self.test.call("POST", "/emails:send").signed().header("operation-id", id).json(body).send().await
    }

    /// Sends, and gives the id of what was accepted.
    pub(crate) async fn accept(&self, body: &Value) -> MailId {
        self.send(body).await.expect(202).json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Where the operation stands: status and error code.
    pub(crate) async fn status(&self, id: MailId) -> (String, String) {
        let target = format!("/emails/operations/{id}");
        let told = self.test.call("GET", &target).signed().send().await.expect(200).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&told["status"]), text(&told["error"]["code"]))
    }

    /// What became of each recipient.
    pub(crate) async fn fates(&self, id: MailId) -> Vec<(String, String)> {
        let target = format!("/operator/resources/contoso/email/messages/{id}");
        let told = self.test.call("GET", &target).operator().send().await.expect(200).json();
        let all = told["recipients"].as_array().unwrap().iter();
        all.map(|one| {
            (one["address"].as_str().unwrap().to_owned(), one["status"].as_str().unwrap().to_owned())
        })
        .collect()
    }

    /// The suppression list.
    pub(crate) async fn suppressed(&self) -> Vec<Value> {
        let target = "/operator/resources/contoso/email/suppressions";
        let told = self.test.call("GET", target).operator().send().await.expect(200).json();
        told["value"].as_array().unwrap().clone()
    }

    /// How many rows of a keyspace the resource under test has.
    pub(crate) async fn rows(&self, name: &str) -> usize {
        let keyspace = server::service::keyspaces().into_iter().find(|def| def.name == name).unwrap();
        let scan = Scan {
            keyspace,
            resource: self.test.resource().id(),
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            direction: Direction::Forward,
            limit: store::MAX_SCAN,
        };
        self.test.engine.snapshot().await.unwrap().scan(&scan).await.unwrap().len()
    }

    pub(crate) fn desk(&self) -> MailDesk<'_> {
        let state = self.test.app.state();
        MailDesk {
            resource: self.test.resource(),
            state: &state.email,
            delivery: &state.delivery,
            events: &state.events,
            limits: &state.limits,
            clock: &*state.clock,
            rng: &*state.rng,
            act: Act { name: None, by: Actor::Operator },
        }
    }
}

/// A mail from the domain for development.
pub(crate) fn mail(to: &[&str]) -> Value {
    let to: Vec<_> = to.iter().map(|address| json!({ "address": address })).collect();
    json!({
        "senderAddress": SENDER,
        "content": { "subject": "Hello", "plainText": "a text", "html": "<p>a text</p>" },
        "recipients": { "to": to }
    })
}
