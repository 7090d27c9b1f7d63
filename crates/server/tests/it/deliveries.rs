//! The queue of what leaves the house: nothing is lost, nothing is carried by two, one tenant does not delay another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, Personal};
use guard::BoxFuture;
use server::directory::ResourceEntry;
use server::job::delivery::{Couriers, Dispatcher};
use server::service::delivery::control;
use server::service::delivery::{Courier, DeliveryRow, Errand, HANDED_OVER, HOLD, Kind, holds};
use server::testing::TestApp;
use store::StoreError;

/// What a [`Scripted`] courier does with an errand.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Carries,
    PutsOff,
    Fails,
}

/// Carries as told, and remembers whom it carried for, in order.
struct Scripted {
    test: Arc<TestApp>,
    does: Mutex<Does>,
    carried: Mutex<Vec<(String, [u8; 16])>>,
}

impl Scripted {
    fn new(test: &Arc<TestApp>) -> Arc<Self> {
        Arc::new(Self { test: Arc::clone(test), does: Mutex::new(Does::Carries), carried: Mutex::default() })
    }

    fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    fn carried(&self) -> usize {
        self.carried.lock().unwrap().len()
    }

    /// How often each was carried.
    fn times(&self) -> BTreeMap<[u8; 16], usize> {
        let mut times = BTreeMap::new();
        for (_, id) in &*self.carried.lock().unwrap() {
            *times.entry(*id).or_default() += 1;
        }
        times
    }
}

impl Courier for Scripted {
    fn carry<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let does = *self.does.lock().unwrap();
            let resource = &errand.resource;
            let mut draft = resource.cell().draft(resource.id()).await?;
            match does {
                Does::Fails => return Err(StoreError::Unavailable("scripted".into())),
                Does::Carries => {
                    self.carried.lock().unwrap().push((resource.name().to_owned(), errand.row.id));
                    errand.finish(&mut draft);
                }
                Does::PutsOff => {
                    let at = self.test.clock.now().plus(errand.backoff(None, &*self.test.rng));
                    errand.again(&mut draft, at)?;
                }
            }
            draft.commit().await
        })
    }
}

fn row(test: &TestApp, id: u64) -> DeliveryRow {
    let mut name = [0; 16];
    name[8..].copy_from_slice(&id.to_be_bytes());
    DeliveryRow {
        kind: Kind::Mail,
        id: name,
        part: 0,
        destination: Personal::new("example.org".to_owned()),
        attempts: 0,
        accepted: test.clock.now(),
        deadline: test.clock.now().plus(Duration::from_secs(86_400)),
        held: false,
    }
}

async fn accept(test: &TestApp, resource: &Arc<ResourceEntry>, ids: std::ops::Range<u64>) {
    let state = test.app.state();
    for id in ids {
        let mut draft = resource.cell().draft(resource.id()).await.unwrap();
        let queued =
            state.delivery.enqueue(&mut draft, resource, row(test, id), &*test.clock, &*test.rng).unwrap();
        draft.commit().await.unwrap();
        queued.committed();
    }
}

fn dispatcher(test: &Arc<TestApp>, courier: &Arc<Scripted>) -> Dispatcher {
    let couriers = ["europe", "unitedstates"].into_iter().fold(Couriers::new(64), |couriers, name| {
        couriers.with(name.parse().unwrap(), Kind::Mail, Arc::clone(courier) as Arc<dyn Courier>)
    });
    let couriers = couriers.exclusive("europe".parse().unwrap());
    Dispatcher::new(Arc::clone(test.app.state()), couriers, test.take_intake().unwrap())
}

async fn waiting(test: &TestApp) -> usize {
    control::waiting(test.resource()).await.unwrap().kinds.values().map(|counts| counts.waiting).sum()
}

#[tokio::test]
async fn what_is_accepted_is_carried_once() {
    let test = Arc::new(TestApp::new().await);
    let courier = Scripted::new(&test);
    let mut dispatcher = dispatcher(&test, &courier);
    accept(&test, test.resource(), 0..300).await;
    accept(&test, test.abroad(), 300..310).await;
    assert_eq!(dispatcher.run_due().await, 310);
    assert!(courier.times().len() == 310 && courier.times().values().all(|times| *times == 1));
    assert_eq!(waiting(&test).await, 0);
    assert_eq!(dispatcher.run_due().await, 0);
}

#[tokio::test]
async fn more_than_can_be_handed_over_waits_in_the_store() {
    let test = Arc::new(TestApp::new().await);
    let courier = Scripted::new(&test);
    let mut dispatcher = dispatcher(&test, &courier);
    let all = HANDED_OVER as u64 + 200;
    accept(&test, test.resource(), 0..all).await;
    assert_eq!(dispatcher.run_due().await as u64, all);
    assert!(courier.times().values().all(|times| *times == 1));
    assert_eq!(waiting(&test).await, 0);
}

#[tokio::test]
async fn what_a_killed_process_held_goes_on_at_once_where_the_store_was_its_own() {
    let test = Arc::new(TestApp::new().await);
    accept(&test, test.resource(), 0..100).await;
    accept(&test, test.abroad(), 100..110).await;
    // Nothing of the first process is left but its store.
    let next = Arc::new(test.another_node().await);
    let courier = Scripted::new(&next);
    let mut dispatcher = dispatcher(&next, &courier);
    assert_eq!(dispatcher.run_due().await, 0, "held until somebody says that the holder is gone");
    dispatcher.take_over().await;
    assert_eq!(dispatcher.run_due().await, 100);
    next.clock.advance(HOLD);
    assert_eq!(dispatcher.run_due().await, 10, "where others may hold, the hold must end first");
    assert!(courier.times().values().all(|times| *times == 1));
}

#[tokio::test]
async fn of_two_nodes_one_takes_each() {
    let test = Arc::new(TestApp::new().await);
    drop(test.take_intake());
    accept(&test, test.resource(), 0..200).await;
    let other = test.another_node().await;
    let now = test.clock.now();
    let (one, two) =
        tokio::join!(holds::take_due(test.resource(), now, 150), holds::take_due(other.resource(), now, 150));
    let mut ids: Vec<_> =
        one.unwrap().taken.into_iter().chain(two.unwrap().taken).map(|h| h.row.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "none by both");
    assert!(count >= 150);
}

#[tokio::test]
async fn what_is_put_off_comes_back_when_it_is_due() {
    let test = Arc::new(TestApp::new().await);
    let courier = Scripted::new(&test);
    let mut dispatcher = dispatcher(&test, &courier);
    courier.does(Does::PutsOff);
    accept(&test, test.resource(), 0..3).await;
    assert_eq!(dispatcher.run_due().await, 3);
    assert_eq!(dispatcher.run_due().await, 0);
    courier.does(Does::Carries);
    test.clock.advance(Duration::from_secs(9));
    assert_eq!(dispatcher.run_due().await, 0, "not before ten seconds");
    test.clock.advance(Duration::from_secs(4));
    assert_eq!(dispatcher.run_due().await, 3);
    assert_eq!(courier.times().len(), 3);
}

#[tokio::test]
async fn a_store_that_fails_costs_a_delay_and_nothing_else() {
    let test = Arc::new(TestApp::new().await);
    let courier = Scripted::new(&test);
    let mut dispatcher = dispatcher(&test, &courier);
    courier.does(Does::Fails);
    accept(&test, test.resource(), 0..5).await;
    assert_eq!(dispatcher.run_due().await, 5);
    courier.does(Does::Carries);
    test.clock.advance(Duration::from_secs(11));
    assert_eq!(dispatcher.run_due().await, 5);
    let found = control::waiting(test.resource()).await.unwrap();
    assert!(found.kinds.is_empty(), "our own fault counts as no attempt and leaves nothing");
}

#[tokio::test]
async fn ten_thousand_of_one_do_not_delay_anothers_one() {
    let test = Arc::new(TestApp::new().await);
    let courier = Scripted::new(&test);
    let mut dispatcher = dispatcher(&test, &courier);
    accept(&test, test.resource(), 0..5_000).await;
    accept(&test, test.neighbour(), 5_000..5_001).await;
    dispatcher.run_due().await;
    let order = courier.carried.lock().unwrap();
    let at = order.iter().position(|(resource, _)| resource == test.neighbour().name()).unwrap();
    assert!(at < 200, "it was number {at} of {}", order.len());
}

#[tokio::test]
async fn what_is_paused_waits_until_it_is_resumed() {
    let test = Arc::new(TestApp::new().await);
    let courier = Scripted::new(&test);
    let mut dispatcher = dispatcher(&test, &courier);
    let queue = |verb: &str| format!("/operator/queue/{verb}");
    let contoso = serde_json::json!({ "resource": test.resource().name(), "kind": "mail" });
    test.call("POST", &queue("pause")).json(&contoso).operator().send().await.expect(200);
    accept(&test, test.resource(), 0..5).await;
    accept(&test, test.neighbour(), 5..7).await;
    assert_eq!(dispatcher.run_due().await, 2, "the neighbour is not paused");
    let listed = test.call("GET", "/operator/queue").operator().send().await.expect(200);
    let line = &listed.json()["value"][0];
    assert_eq!((&line["paused"], &line["waiting"], &line["kind"]), (&true.into(), &5.into(), &"mail".into()));
    test.call("POST", &queue("resume")).json(&contoso).operator().send().await.expect(200);
    assert_eq!(dispatcher.run_due().await, 5);
    assert_eq!(courier.carried(), 7);
}

#[tokio::test]
async fn what_was_put_off_can_be_hurried() {
    let test = Arc::new(TestApp::new().await);
    let courier = Scripted::new(&test);
    let mut dispatcher = dispatcher(&test, &courier);
    courier.does(Does::PutsOff);
    accept(&test, test.resource(), 0..4).await;
    dispatcher.run_due().await;
    courier.does(Does::Carries);
    let answer = test.call("POST", "/operator/queue/hurry").operator().send().await.expect(200);
    assert_eq!(answer.json()["hurried"], 4);
    assert_eq!(dispatcher.run_due().await, 4);
}

#[tokio::test]
async fn the_queue_says_clearly_what_it_does_not_understand() {
    let test = TestApp::new().await;
    for (body, status) in
        [("{\"kind\":\"fax\"}", 400), ("{\"x\":1}", 400), ("{\"resource\":\"nobody\"}", 404)]
    {
        let call =
            test.call("POST", "/operator/queue/pause").body(body.as_bytes().to_vec(), "application/json");
        let answer = call.operator().send().await;
        assert_eq!(answer.status, status, "{body}");
    }
}
