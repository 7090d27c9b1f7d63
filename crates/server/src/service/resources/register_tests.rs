//! Resources are made once, and found again.

use store::MAX_SCAN;

use super::*;
use crate::service::audit::Entries;
use crate::testing::{START, TestApp};

const fn wanted(name: &str) -> Wanted<'_> {
    Wanted { name, id: None, first_key: None }
}

fn texts(resource: &Resource) -> Vec<String> {
    resource.access_keys.current().keys().iter().map(|key| key.to_base64().expose().clone()).collect()
}

async fn acts(cell: &Cell, id: ResourceId) -> Vec<String> {
    let mut reader = cell.read(ResourceId::CELL).await.unwrap();
    let entries = reader.scan::<Entries>(KeyRange::all(), Direction::Forward, MAX_SCAN).await.unwrap();
    let entries = entries.into_iter().filter_map(|(_, entry)| entry.value()).map(|entry| entry.value);
    let mut acts: Vec<_> =
        entries.filter(|entry| entry.target == Target::Resource(id)).map(|entry| entry.act).collect();
    acts.sort_unstable();
    acts
}

#[tokio::test]
async fn a_resource_is_made_once_and_keeps_its_two_keys() {
    let test = TestApp::new().await;
    let cell = test.resource().cell();
    let made = ensure(cell, wanted("fresh")).await.unwrap();
    let keys = texts(&made);
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
    for name in ["fresh", "FRESH"] {
        let again = ensure(cell, wanted(name)).await.unwrap();
        assert_eq!((again.id, again.name.as_str(), texts(&again)), (made.id, "fresh", keys.clone()));
    }
    let other = Wanted { id: Some(ResourceId::mint(&*test.rng)), ..wanted("fresh") };
    assert_eq!(ensure(cell, other).await.unwrap().id, made.id, "its id is for life");
    let shown = format!("{made:?}");
    assert!(shown.contains("fresh") && !shown.contains(&keys[0]));
    assert_eq!(acts(cell, made.id).await, ["resource.create"]);
}

#[tokio::test]
async fn a_given_key_takes_the_place_of_the_first_and_leaves_a_trace() {
    let test = TestApp::new().await;
    let cell = test.resource().cell();
    let before = texts(&ensure(cell, wanted("fresh")).await.unwrap());
    let given = AccessKey::generate(&*test.rng);
    let with = Wanted { first_key: Some(&given), ..wanted("fresh") };
    for _ in 0..2 {
        let after = ensure(cell, with).await.unwrap();
        assert_eq!(texts(&after), [given.to_base64().expose().clone(), before[1].clone()]);
        let acts = acts(cell, after.id).await;
        assert_eq!(acts, ["resource.create", "resource.set_key"], "one entry for each change, none for none");
    }
    let at_once = ensure(cell, Wanted { name: "other", ..with }).await.unwrap();
    assert_eq!(texts(&at_once)[0], *given.to_base64().expose());
}

#[tokio::test]
async fn names_are_checked_before_anything_is_made() {
    let test = TestApp::new().await;
    let refused = ensure(test.resource().cell(), wanted("not a name")).await;
    assert!(matches!(refused, Err(ResourceError::Name)));
}

#[tokio::test]
async fn nodes_that_begin_at_once_make_one_resource() {
    let test = TestApp::new().await;
    let another = test.another_node().await;
    let (one, other) = tokio::join!(
        ensure(test.resource().cell(), wanted("fresh")),
        ensure(another.resource().cell(), wanted("fresh"))
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.id, texts(&one)), (other.id, texts(&other)));
}

async fn put_former(cell: &Cell, id: ResourceId, name: &str) -> Vec<String> {
    cell.create_resource_key(id).await.unwrap();
    let keys: Vec<_> =
        (0..2).map(|_| AccessKey::generate(&**cell.rng()).to_base64().expose().clone()).collect();
    let row = FormerRow { name: name.to_owned(), created_on: START, keys: keys.clone() };
    let mut draft = cell.draft(id).await.unwrap();
    draft.put_in_resource::<Former>(&ONLY, &row, &[]).unwrap();
    draft.commit().await.unwrap();
    keys
}

#[tokio::test]
async fn resources_from_before_the_register_keep_id_and_keys() {
    let test = TestApp::new().await;
    let cell = test.resource().cell();
    let (old, half) = (ResourceId::mint(&*test.rng), ResourceId::mint(&*test.rng));
    let keys = put_former(cell, old, "old").await;
    cell.create_resource_key(half).await.unwrap();
    for _ in 0..2 {
        let found = ensure(cell, wanted("old")).await.unwrap();
        assert_eq!((found.id, found.created_on, texts(&found)), (old, START, keys.clone()));
    }
    assert!(cell.read(old).await.unwrap().get::<Former>(&ONLY).await.unwrap().is_none(), "it moved");
    assert_eq!(acts(cell, old).await, ["resource.register"]);
}

#[tokio::test]
async fn a_resource_that_cannot_be_read_is_not_taken_for_another() {
    let test = TestApp::new().await;
    let cell = test.resource().cell();
    let id = ResourceId::mint(&*test.rng);
    put_former(cell, id, "old").await;
    cell.hand_over(id, crate::testing::CUSTOMER).await.unwrap();
    test.customer().refuse(Some(guard::KmsError::Disabled));
    let refused = ensure(cell, wanted("old")).await;
    assert!(matches!(refused, Err(ResourceError::Store(StoreError::Kms(_)))), "{refused:?}");
    test.customer().refuse(None);
    test.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(ensure(cell, wanted("old")).await.unwrap().id, id);
}
