//! Rows as they are written and judged.

use base::SeededRng;

use super::*;

fn row(periods: &[(u64, Option<u64>)]) -> ParticipantRow {
    ParticipantRow {
        periods: periods.iter().map(|(from, until)| Period { from: *from, until: *until }).collect(),
        ..ParticipantRow::default()
    }
}

#[test]
fn hints_round_trip_and_pick_the_key() {
    let rng = SeededRng::new(1);
    let (thread, author) = (ThreadId::mint(&rng), UserId::mint(&rng));
    let own = Hint { author: Some(author), sequence: 7 };
    let system = Hint { author: None, sequence: u32::MAX };
    for hint in [own, system] {
        assert_eq!(Hint::parse(&hint.to_bytes()), Some(hint));
    }
    let key = (thread, MessageId(5));
    assert_eq!(Messages::scope(&key, &own.to_bytes()), author_scope(thread, author));
    assert_eq!(Messages::scope(&key, &system.to_bytes()), thread_scope(thread));
    assert_eq!(
        Messages::scope(&key, b"short"),
        thread_scope(thread),
        "a damaged hint never widens the scope"
    );
    assert_eq!(Hint::parse(b"short"), None);
}

#[test]
fn a_member_sees_from_the_shared_instant_on() {
    let row = row(&[(100, None)]);
    assert!(row.is_current());
    assert!(!row.sees(MessageId(99)) && row.sees(MessageId(100)) && row.sees(MessageId(u64::MAX)));
    assert_eq!(row.share_history_from(), Timestamp::from_millis(100));
}

#[test]
fn removal_closes_the_view_just_before_its_message() {
    let mut row = row(&[(100, None)]);
    row.leave(200, "as it was".to_owned().into());
    assert!(!row.is_current());
    assert!(row.sees(MessageId(199)) && !row.sees(MessageId(200)));
    assert!(row.knows_name_of(199) && !row.knows_name_of(200), "nor a name given since");
    assert_eq!(row.topic_at_removal.as_ref().map(|t| t.expose().as_str()), Some("as it was"));
}

#[test]
fn a_second_membership_adds_to_the_first() {
    let mut apart = row(&[(100, Some(200))]);
    apart.join(300, 8);
    assert_eq!(apart.periods, row(&[(100, Some(200)), (300, None)]).periods);
    assert!(apart.sees(MessageId(150)) && !apart.sees(MessageId(250)) && apart.sees(MessageId(300)));

    let mut touching = row(&[(100, Some(200))]);
    touching.join(200, 8);
    assert_eq!(touching.periods, row(&[(100, None)]).periods);

    let mut all = row(&[(100, Some(200)), (300, Some(400))]);
    all.join(0, 8);
    assert_eq!(all.periods, row(&[(0, None)]).periods, "whole history swallows the rest");
    assert_eq!(all.topic_at_removal, None);
}

#[test]
fn periods_have_a_limit() {
    let mut row = ParticipantRow::default();
    for n in 0..10_u64 {
        row.join(n * 100, 4);
        assert!(row.periods.len() <= 4);
        row.leave(n * 100 + 50, String::new().into());
    }
    assert_eq!(row.periods.first(), Some(&Period { from: 600, until: Some(650) }), "the oldest went");
}

#[test]
fn joined_and_removed_within_one_instant_sees_nothing() {
    let mut row = ParticipantRow::default();
    row.join(500, 4);
    row.leave(400, String::new().into());
    assert!(!row.sees(MessageId(400)) && !row.sees(MessageId(499)) && !row.sees(MessageId(500)));
}

#[test]
fn nothing_of_it_prints() {
    let row = MessageRow::new(Body::Text("canary".to_owned().into()));
    assert!(!format!("{row:?}").contains("canary"));
}

#[test]
fn keyspace_names_are_unique() {
    let mut names: Vec<_> = keyspaces().iter().map(|d| d.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), keyspaces().len());
    assert!(names.iter().all(|n| n.starts_with("chat_")));
}
