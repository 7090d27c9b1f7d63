//! The outbox on the memory engine: what is kept, found, merged, deleted and bounded.

use base::Personal;
use store::engine::memory::FaultPlan;

use super::*;
use crate::channel::capture::{Fate, Outbox, Verdict};
use crate::channel::{MailParcel, TextParcel};
use crate::service::audit::Actor;
use crate::testing::TestApp;

struct World {
    test: TestApp,
    keeper: Keeper,
}

impl World {
    async fn new() -> Self {
        let test = TestApp::new().await;
        let keeper = Keeper::new(&test.app.state().directory, test.clock.clone(), test.rng.clone());
        Self { test, keeper }
    }

    fn desk(&self) -> Desk<'_> {
        self.desk_of("outbox.list")
    }

    fn desk_of(&self, act: &'static str) -> Desk<'_> {
        let entry = self.test.resource();
        let act = Act { name: Some(act), by: Actor::Operator };
        Desk { cell: entry.cell(), resource: entry.id(), clock: &*self.test.clock, rng: &*self.test.rng, act }
    }

    fn mail(&self, id: u8, to: &[&str], message: &str) -> MailParcel {
        MailParcel {
            id: [id; 16],
            resource: self.test.resource().id(),
            return_path: format!("bounce-{id}@dev.example").into(),
            recipients: to.iter().map(|to| (*to).to_owned().into()).collect(),
            destination: "example.org".to_owned().into(),
            message: message.as_bytes().to_vec().into(),
        }
    }

    fn text(&self, id: u8, to: &str, text: &str) -> TextParcel {
        TextParcel {
            id: [id; 16],
            resource: self.test.resource().id(),
            from: "+15555550100".to_owned().into(),
            to: to.to_owned().into(),
            text: text.to_owned().into(),
            receipt: true,
            validity: std::time::Duration::from_secs(60),
        }
    }

    async fn send(&self, parcel: &MailParcel, outcome: Fate) -> bool {
        let verdicts = vec![Verdict { outcome, rule: None }; parcel.recipients.len()];
        self.test.clock.advance(std::time::Duration::from_millis(5));
        self.keeper.mail(parcel, &verdicts).await
    }

    async fn submit(&self, parcel: &TextParcel) -> bool {
        self.test.clock.advance(std::time::Duration::from_millis(5));
        self.keeper.text(parcel, &Verdict { outcome: Fate::Accepted, rule: None }).await
    }
}

fn wanted() -> Wanted {
    Wanted { limit: 100, ..Wanted::default() }
}

const MAIL: &str = "From: dev <a@dev.example>\r\nTo: ada@example.org\r\nSubject: Bill\r\n\r\nPlease pay.\r\n";

#[tokio::test]
async fn the_parts_of_one_mail_are_one_item() {
    let world = World::new().await;
    assert!(world.send(&world.mail(1, &["ada@example.org"], MAIL), Fate::Accepted).await);
    assert!(world.send(&world.mail(1, &["bob@example.net", "eve@example.net"], MAIL), Fate::Later).await);
    assert!(world.send(&world.mail(1, &["bob@example.net"], MAIL), Fate::Accepted).await);
    let page = world.desk().list(&wanted()).await.unwrap();
    let [(id, row)] = &page.items[..] else { panic!("{}", page.items.len()) };
    let to: Vec<_> =
        row.to.iter().map(|to| (to.address.expose().as_str(), to.outcome, to.attempts)).collect();
    assert_eq!(
        to,
        [
            ("ada@example.org", Outcome::Accepted, 1),
            ("bob@example.net", Outcome::Accepted, 2),
            ("eve@example.net", Outcome::Later, 1)
        ]
    );
    assert_eq!(
        (row.from.expose().as_str(), row.preview.expose().as_str()),
        ("dev <a@dev.example>", "Please pay.")
    );
    let (read, message) = world.desk_of("outbox.read").read(*id).await.unwrap();
    assert_eq!((&read, message.expose().as_slice()), (row, MAIL.as_bytes()));
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn parts_that_come_together_lose_nothing() {
    let world = World::new().await;
    let parcels: Vec<_> = (0..8).map(|at| world.mail(3, &[&format!("r{at}@example.org")], MAIL)).collect();
    let accepted = vec![Verdict { outcome: Fate::Accepted, rule: None }];
    let [a, b, c, d, e, f, g, h] = &parcels[..] else { panic!() };
    let keep = |parcel| world.keeper.mail(parcel, &accepted);
    let kept = tokio::join!(keep(a), keep(b), keep(c), keep(d), keep(e), keep(f), keep(g), keep(h));
    assert_eq!(kept, (true, true, true, true, true, true, true, true));
    let page = world.desk().list(&wanted()).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].1.to.len()), (1, 8));
}

#[tokio::test]
async fn long_mail_comes_back_whole() {
    let world = World::new().await;
    let long = format!("Subject: long\r\n\r\n{}", "0123456789".repeat(rows::PIECE / 4));
    assert!(world.send(&world.mail(1, &["ada@example.org"], &long), Fate::Accepted).await);
    let id = world.desk().list(&wanted()).await.unwrap().items[0].0;
    assert!(world.desk().read(id).await.unwrap().1.expose() == long.as_bytes());
    world.desk_of("outbox.delete").delete(id).await.unwrap();
    let entry = world.test.resource();
    let mut reader = entry.cell().read(entry.id()).await.unwrap();
    let left = reader.scan_keys::<Pieces>(KeyRange::all(), Direction::Forward, 10).await.unwrap();
    assert!(left.is_empty(), "no piece is left");
}

#[tokio::test]
async fn the_list_is_filtered_and_paged_newest_first() {
    let world = World::new().await;
    for id in 1..=5 {
        assert!(world.submit(&world.text(id, "+14255550100", &format!("text {id}"))).await);
    }
    assert!(world.send(&world.mail(9, &["Ada@example.org"], MAIL), Fate::Accepted).await);
    let list = async |wanted: Wanted| world.desk().list(&wanted).await.unwrap();
    let ids = |page: &Page| page.items.iter().map(|(_, row)| row.message[0]).collect::<Vec<_>>();
    assert_eq!(ids(&list(wanted()).await), [9, 5, 4, 3, 2, 1]);
    let first = list(Wanted { kind: Some(Kind::Text), limit: 2, ..wanted() }).await;
    assert_eq!(ids(&first), [5, 4]);
    let second = list(Wanted { kind: Some(Kind::Text), limit: 3, before: first.next, ..wanted() }).await;
    assert_eq!((ids(&second), second.next), (vec![3, 2, 1], None));
    let to = |address: &str| Wanted { recipient: Some(address.to_owned().into()), ..wanted() };
    assert_eq!(ids(&list(to("ADA@EXAMPLE.ORG")).await), [9]);
    assert_eq!(ids(&list(to("+14255550100")).await).len(), 5);
    assert_eq!(ids(&list(to("nobody@example.org")).await), [0; 0]);
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_the_mark_moves() {
    let world = World::new().await;
    let empty = world.desk().state().await.unwrap();
    assert_eq!(empty.1, 0);
    for id in 1..=120 {
        assert!(world.submit(&world.text(id, "+14255550100", "x")).await);
    }
    let full = world.desk().state().await.unwrap();
    assert_eq!(full.1, 120);
    let newest = world.desk().list(&wanted()).await.unwrap().items[0].0;
    world.desk_of("outbox.delete").delete(newest).await.unwrap();
    assert!(matches!(world.desk().delete(newest).await, Err(OutboxError::Unknown)));
    assert!(matches!(world.desk().read(newest).await, Err(OutboxError::Unknown)));
    assert_ne!(world.desk().state().await.unwrap().0, full.0);
    assert_eq!(world.desk_of("outbox.clear").clear().await.unwrap(), 119);
    assert_eq!(world.desk_of("outbox.clear").clear().await.unwrap(), 0);
    assert_eq!(world.desk().state().await.unwrap(), empty);
    // Sent again it is a new item.
    assert!(world.submit(&world.text(1, "+14255550100", "x")).await);
    assert_eq!(world.desk().list(&wanted()).await.unwrap().items.len(), 1);
    let acts: Vec<_> = world.test.audit().await.into_iter().map(|entry| entry.act).collect();
    assert_eq!(acts.iter().filter(|act| *act == "outbox.clear").count(), 2, "one entry each: {acts:?}");
}

#[tokio::test]
async fn no_look_without_a_record() {
    let world = World::new().await;
    assert!(world.submit(&world.text(1, "+14255550100", "x")).await);
    let id = world.desk().list(&wanted()).await.unwrap().items[0].0;
    let plan = FaultPlan { before: 1000, ..FaultPlan::none(world.test.rng.clone()) };
    world.test.engine.set_faults(Some(plan));
    assert!(world.desk().list(&wanted()).await.is_err());
    assert!(world.desk().read(id).await.is_err());
    assert!(world.desk().rules().await.is_err());
    assert!(!world.submit(&world.text(2, "+14255550100", "x")).await, "not kept, and said so");
    world.test.engine.set_faults(None);
    assert!(world.desk().read(id).await.is_ok());
}

#[tokio::test]
async fn only_the_newest_are_kept() {
    let world = World::new().await;
    let entry = world.test.resource();
    // Rows of another life of this node, as many as there may be.
    let keys = (0..MAX_OUTBOX_ITEMS).collect::<Vec<_>>();
    for chunk in keys.chunks(500) {
        let mut draft = entry.cell().draft(entry.id()).await.unwrap();
        for at in chunk {
            let item = u128::try_from(*at).unwrap().to_be_bytes();
            let scope = draft.new_scope_key(rows::scope(&item)).unwrap();
            let row = ItemRow {
                message: item,
                at: base::Timestamp::EPOCH,
                what: What::Text { text: Personal::default(), receipt: false },
                from: Personal::default(),
                to: Vec::new(),
                preview: Personal::default(),
            };
            let hint = Hint { pieces: 0, message: item };
            draft.put::<Items>(&item, &row, &hint.bytes(), &scope).unwrap();
        }
        draft.commit().await.unwrap();
    }
    assert_eq!(world.desk().state().await.unwrap().1, MAX_OUTBOX_ITEMS);
    assert!(world.submit(&world.text(1, "+14255550100", "new")).await);
    let count = world.desk().state().await.unwrap().1;
    assert_eq!(
        count,
        MAX_OUTBOX_ITEMS + 1 - AT_ONCE,
        "a few more go at once, so that not each one costs a look"
    );
    assert_eq!(
        world.desk().list(&Wanted { limit: 1, ..wanted() }).await.unwrap().items[0].1.message,
        [1; 16]
    );
    assert!(world.submit(&world.text(2, "+14255550100", "newer")).await);
    assert_eq!(world.desk().state().await.unwrap().1, count + 1);
}

#[tokio::test]
async fn rules_of_a_resource_stand_before_the_built_in_ones() {
    let world = World::new().await;
    let own =
        vec![Rule::plain(wire::outbox::Pattern::parse("bounce@*").unwrap(), wire::outbox::Action::Slow)];
    world.desk_of("outbox.set_rules").set_rules(&own).await.unwrap();
    assert_eq!(world.desk().rules().await.unwrap(), own);
    let resource = world.test.resource().id();
    let rules = Outbox::rules(&world.keeper, resource).await.unwrap();
    assert_eq!(Rule::find(&*rules, "bounce@example.org").unwrap().action, wire::outbox::Action::Slow);
    let others = Outbox::rules(&world.keeper, world.test.neighbour().id()).await.unwrap();
    assert_eq!(Rule::find(&*others, "bounce@example.org").unwrap().action, wire::outbox::Action::Bounce);
    assert!(Outbox::rules(&world.keeper, ResourceId::CELL).await.is_none(), "no resource of this node");
}

#[test]
fn ids_are_told_and_read() {
    let id = [0x0F; 16];
    assert_eq!(unhex(&hex(&id)), Some(id));
    for bad in ["", "0f", &"0F".repeat(16), &"+f".repeat(16), &"0f".repeat(17), &"é".repeat(16)] {
        assert_eq!(unhex(bad), None, "{bad}");
    }
}
