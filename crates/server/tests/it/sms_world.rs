//! A node with a scripted carrier, for tests of texts: what the carrier does with each text, and what it brings when.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use guard::BoxFuture;
use serde_json::{Value, json};
use server::channel::{TextChannel, TextIn, TextInbox, TextOutcome, TextParcel, TextReceipt, TextState};
use server::job::text::{CellInbox, TextCourier};
use server::service::delivery::{Courier, Deliveries, Errand, Handed, Intake, holds};
use server::testing::{Answer, Call, TestApp};
use store::{Direction, Engine as _, KeyRange, Scan, StoreError};
use tokio::task::JoinSet;

/// A sender that every recipient can ask to be left alone by.
pub(crate) const SHORT_CODE: &str = "55555";
pub(crate) const TO: &str = "+14255550100";
const DATE: &str = "Mon, 23 Nov 2026 08:00:00 GMT";

/// What the carrier does with the next text.
pub(crate) enum Step {
    /// Takes it in so many segments.
    Accept(usize),
    /// Takes it, and its receipt overtakes the answer.
    AcceptWithReceipt(TextState),
    /// Refuses it with this SMPP status.
    Refuse(u32),
    /// Not now.
    Later,
}

/// A carrier that does what it is told; without a word, it takes everything in one segment. Its ids count: `m1`, `m2`...
#[derive(Default)]
pub(crate) struct Carrier {
    script: Mutex<VecDeque<Step>>,
    sent: Mutex<Vec<TextParcel>>,
    count: Mutex<usize>,
    inbox: Mutex<Option<Arc<CellInbox>>>,
    early: Mutex<JoinSet<bool>>,
}

impl Carrier {
    fn ids(&self, segments: usize) -> Vec<String> {
        let mut count = self.count.lock().unwrap();
        let first = *count + 1;
        *count += segments;
        (first..=*count).map(|n| format!("m{n}")).collect()
    }

    fn answer(&self) -> TextOutcome {
        let accepted = |message_ids| TextOutcome::Accepted { carrier: "carrier".to_owned(), message_ids };
        match self.script.lock().unwrap().pop_front() {
            None => accepted(self.ids(1)),
            Some(Step::Accept(segments)) => accepted(self.ids(segments)),
            Some(Step::AcceptWithReceipt(state)) => {
                let ids = self.ids(1);
                let (inbox, receipt) = (self.inbox.lock().unwrap().clone().unwrap(), receipt(&ids[0], state));
                self.early.lock().unwrap().spawn(async move { inbox.receipt(receipt).await });
                accepted(ids)
            }
            Some(Step::Refuse(status)) => TextOutcome::Refused { carrier: "carrier".to_owned(), status },
            Some(Step::Later) => TextOutcome::Later { reason: "busy".to_owned(), after: None },
        }
    }
}

impl TextChannel for Carrier {
    fn submit<'a>(&'a self, parcel: &'a TextParcel) -> BoxFuture<'a, TextOutcome> {
        Box::pin(async move {
            self.sent.lock().unwrap().push(parcel.clone());
            let outcome = self.answer();
            // The receipt that overtakes it gets its chance.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            outcome
        })
    }
}

pub(crate) fn receipt(id: &str, state: TextState) -> TextReceipt {
    TextReceipt { carrier: "carrier".to_owned(), message_id: id.to_owned(), state, error: None }
}

/// A node and its carrier.
pub(crate) struct Texts {
    pub(crate) test: TestApp,
    pub(crate) carrier: Arc<Carrier>,
    pub(crate) inbox: Arc<CellInbox>,
    intake: Mutex<Intake>,
}

impl Texts {
    pub(crate) async fn new() -> Self {
        Self::over(TestApp::new().await, Arc::new(Carrier::default()))
    }

    fn over(test: TestApp, carrier: Arc<Carrier>) -> Self {
        let (state, cell) = (Arc::clone(test.app.state()), test.resource().cell().clone());
        let inbox = Arc::new(CellInbox::new(state, cell));
        *carrier.inbox.lock().unwrap() = Some(Arc::clone(&inbox));
        let intake = Mutex::new(test.take_intake().unwrap());
        Self { test, carrier, inbox, intake }
    }

    /// Another node over the same store, with the same carrier: what a restart finds.
    pub(crate) async fn another_node(&self) -> Self {
        Self::over(self.test.another_node().await, Arc::clone(&self.carrier))
    }

    pub(crate) fn script(&self, steps: impl IntoIterator<Item = Step>) {
        self.carrier.script.lock().unwrap().extend(steps);
    }

    pub(crate) fn sent(&self) -> Vec<TextParcel> {
        self.carrier.sent.lock().unwrap().clone()
    }

    /// Asks for texts as the SDKs do.
    pub(crate) fn ask(&self, body: &Value) -> Call<'_> {
        self.test.call("POST", "/sms").signed().json(body)
    }

    /// Sends one text with a report, and gives its id.
    pub(crate) async fn send(&self) -> String {
        let answer = self.ask(&one("first")).send().await.expect(202).json();
        answer["value"][0]["messageId"].as_str().unwrap().to_owned()
    }

    /// Carries all that is due, as this node holds it or finds it in the store.
    pub(crate) async fn carry(&self) -> usize {
        let mut all = Vec::new();
        while let Ok(handed) = self.intake.lock().unwrap().try_recv() {
            all.push(handed);
        }
        let due = holds::take_due(self.test.resource(), self.now(), 1_000).await.unwrap();
        all.extend(due.taken);
        let count = all.len();
        for Handed { resource, key, row } in all {
            self.carry_one(&Errand { resource, key, row }).await.unwrap();
        }
        while self.carrier.early.lock().unwrap().try_join_next().is_some() {}
        count
    }

    /// What this node was handed, not carried.
    pub(crate) fn held(&self) -> Vec<Errand> {
        let mut all = Vec::new();
        while let Ok(Handed { resource, key, row }) = self.intake.lock().unwrap().try_recv() {
            all.push(Errand { resource, key, row });
        }
        all
    }

    pub(crate) async fn carry_one(&self, errand: &Errand) -> Result<(), StoreError> {
        let state = Arc::clone(self.test.app.state());
        TextCourier::new(state, Arc::clone(&self.carrier) as _).carry(errand).await
    }

    /// How many deliveries wait in the store.
    pub(crate) async fn waiting(&self) -> usize {
        let resource = self.test.resource();
        let mut reader = resource.cell().read(resource.id()).await.unwrap();
        reader.scan_keys::<Deliveries>(KeyRange::all(), Direction::Forward, 1_000).await.unwrap().len()
    }

    pub(crate) async fn receive(&self, id: &str, state: TextState) {
        assert!(self.inbox.receipt(receipt(id, state)).await, "{id} is kept");
    }

    /// A text of `from` comes in for `to`.
    pub(crate) async fn incoming(&self, from: &str, to: &str, text: &str) {
        let text = TextIn {
            carrier: "carrier".to_owned(),
            from: from.to_owned().into(),
            to: to.to_owned().into(),
            text: text.to_owned().into(),
            segments: 1,
        };
        assert!(self.inbox.text(text).await);
    }

    /// Looks through everything that time may have done something to.
    pub(crate) async fn sweep(&self) {
        server::job::run_once(self.test.app.state()).await;
    }

    pub(crate) async fn report_of(&self, message_id: &str) -> Answer {
        self.test.call("GET", &format!("/deliveryReports/{message_id}")).signed().send().await
    }

    /// Status and details of a text.
    pub(crate) async fn state_of(&self, message_id: &str) -> (String, String) {
        let report = self.report_of(message_id).await.expect(200).json();
        let text = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
        (text("deliveryStatus"), text("deliveryStatusDetails"))
    }

    /// Code of a failed text, zero while it has none.
    pub(crate) async fn code_of(&self, message_id: &str) -> u16 {
        let (_, details) = self.state_of(message_id).await;
        details.split(':').next().unwrap().parse().unwrap_or_default()
    }

    pub(crate) async fn counts(&self) -> Value {
        self.test.call("GET", "/operator/sms/counts").operator().send().await.expect(200).json()
    }

    /// How many rows of a table of texts there are, of the resource and of its cell.
    pub(crate) async fn rows(&self, table: &str) -> usize {
        let tables = server::service::sms::keyspaces();
        let def = tables.into_iter().find(|def| def.name == table).unwrap();
        let mut count = 0;
        for resource in [self.test.resource().id(), base::ResourceId::CELL] {
            let mut snapshot = self.test.engine.snapshot().await.unwrap();
            let scan = Scan::prefix(def, resource, Vec::new(), Direction::Forward, 10_000);
            count += snapshot.scan(&scan).await.unwrap().len();
        }
        count
    }

    pub(crate) fn now(&self) -> base::Timestamp {
        use base::Clock as _;
        self.test.clock.now()
    }
}

/// A request for one text from the short code, under this repeatability id.
pub(crate) fn one(repeat: &str) -> Value {
    texts(SHORT_CODE, &[(TO, repeat)])
}

/// A request for texts with reports.
pub(crate) fn texts(from: &str, to: &[(&str, &str)]) -> Value {
    let recipients: Vec<Value> = to
        .iter()
        .map(|(to, repeat)| {
            json!({ "to": to, "repeatabilityRequestId": repeat, "repeatabilityFirstSent": DATE })
        })
        .collect();
    json!({
        "from": from,
        "smsRecipients": recipients,
        "message": "hello",
        "smsSendOptions": { "enableDeliveryReport": true, "tag": "blue" },
    })
}
