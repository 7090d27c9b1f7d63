//! What commits and batches promise.

use base::limits::{MAX_KEY, MAX_RECORD};
use store::commit::MAX_SEALED;
use store::{Commit, CommitError, Precondition, RowKey, Write};

use crate::subject::{
    ALPHA, BETA, ONE, Subject, TWO, all, conflict, delete, last_is, one, put, row, sealed, seen, when, writes,
};

pub(super) async fn counts_versions(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    for version in 1..=3 {
        assert_eq!(one(engine, writes([put("k", [version as u8])])).await, Ok(()));
        assert_eq!(seen(engine, &row("k")).await, Some((vec![version as u8], version)));
    }
    assert_eq!(one(engine, writes([put("k", "a"), put("k", "b")])).await, Ok(()));
    assert_eq!(seen(engine, &row("k")).await, Some((b"b".to_vec(), 5)), "each put counts");
    assert_eq!(one(engine, writes([delete("k")])).await, Ok(()));
    assert_eq!(one(engine, writes([put("k", "c")])).await, Ok(()));
    assert_eq!(seen(engine, &row("k")).await, Some((b"c".to_vec(), 1)), "a new life");
    assert_eq!(one(engine, writes([delete("k"), put("k", "d"), put("k", "e")])).await, Ok(()));
    assert_eq!(seen(engine, &row("k")).await, Some((b"e".to_vec(), 2)));
    assert_eq!(one(engine, writes([put("k", "f"), delete("k")])).await, Ok(()));
    assert_eq!(seen(engine, &row("k")).await, None, "writes happen in order");
}

pub(super) async fn checks_each_precondition(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let there = || row("there");
    assert_eq!(one(engine, writes([put("there", "1"), put("there", "2")])).await, Ok(()));
    let cases = [
        (Precondition::Absent(row("no")), true),
        (Precondition::Absent(there()), false),
        (Precondition::Exists(there()), true),
        (Precondition::Exists(row("no")), false),
        (Precondition::VersionIs(there(), 2), true),
        (Precondition::VersionIs(there(), 1), false),
        (Precondition::VersionIs(there(), 3), false),
        (Precondition::VersionIs(row("no"), 0), false),
        (Precondition::VersionIs(there(), u64::MAX), false),
        (Precondition::Absent(RowKey { resource: TWO, ..there() }), true),
        (Precondition::Absent(RowKey { keyspace: &BETA, ..there() }), true),
        (Precondition::ValueIs(there(), sealed("2")), true),
        (Precondition::ValueIs(there(), sealed("1")), false),
        (Precondition::ValueIs(there(), sealed("")), false),
        (Precondition::ValueIs(there(), sealed("22")), false),
        (Precondition::ValueIs(row("no"), sealed("")), false),
        (Precondition::ValueIs(RowKey { resource: TWO, ..there() }, sealed("2")), false),
        (last_is("th", Some(b"there")), true),
        (last_is("th", None), false),
        (last_is("th", Some(b"th")), false),
        (last_is("x", None), true),
        (last_is("x", Some(b"x")), false),
    ];
    for (n, (need, holds)) in cases.into_iter().enumerate() {
        let key = [b'z', n as u8];
        let fate = one(engine, when([need.clone()], [put(key, "w")])).await;
        assert_eq!(fate, if holds { Ok(()) } else { conflict(0) }, "{need:?}");
        assert_eq!(seen(engine, &row(key)).await.is_some(), holds, "{need:?}");
    }
}

pub(super) async fn writes_nothing_when_one_precondition_fails(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    assert_eq!(one(engine, writes([put("a", "1"), put("b", "1")])).await, Ok(()));
    let needs = [
        Precondition::Exists(row("a")),
        Precondition::VersionIs(row("b"), 1),
        Precondition::Absent(row("a")),
        Precondition::Absent(row("b")),
    ];
    let changes = [put("a", "2"), delete("b"), put("c", "1")];
    assert_eq!(one(engine, when(needs, changes)).await, conflict(2), "the first that fails is named");
    let expected = [(b"a".to_vec(), b"1".to_vec(), 1), (b"b".to_vec(), b"1".to_vec(), 1)];
    assert_eq!(all(engine, &ALPHA, ONE).await, expected);
}

pub(super) async fn sees_the_batch_so_far(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    assert_eq!(one(engine, writes([put("old", "1")])).await, Ok(()));
    let batch = vec![
        when([Precondition::Absent(row("k")), last_is("", Some(b"old"))], [put("k", "1"), put("z", "1")]),
        when([Precondition::VersionIs(row("k"), 1), last_is("", Some(b"z"))], [put("k", "2")]),
        when([Precondition::VersionIs(row("k"), 2)], [delete("old")]),
        when([Precondition::Absent(row("old"))], [put("old", "2"), delete("z")]),
        when([Precondition::VersionIs(row("old"), 1), last_is("", Some(b"old"))], [put("old", "3")]),
        // Its own writes are not seen by its preconditions.
        when([Precondition::Absent(row("y"))], [put("y", "1"), put("y", "2")]),
    ];
    assert_eq!(engine.apply(batch).await.unwrap(), vec![Ok(()); 6]);
    let expected = [("k", "2", 2), ("old", "3", 2), ("y", "2", 2)];
    assert_eq!(all(engine, &ALPHA, ONE).await, expected.map(|(k, v, n)| (k.into(), v.into(), n)));
}

pub(super) async fn leaves_neighbours_alone(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let too_long = RowKey { key: vec![0; MAX_KEY + 1], ..row("") };
    let batch = vec![
        writes([put("a", "1")]),
        when([Precondition::Exists(row("missing"))], [put("b", "1"), delete("a")]),
        when([Precondition::Exists(row("a")), Precondition::Absent(row("b"))], [put("c", "1")]),
        writes([put("d", "1"), Write::Put(too_long, sealed("v"))]),
        when([Precondition::Exists(row("c")), Precondition::Absent(row("d"))], [put("e", "1")]),
        when([Precondition::VersionIs(row("a"), 9)], [put("a", "9")]),
    ];
    let expected = vec![Ok(()), conflict(0), Ok(()), Err(CommitError::TooLarge), Ok(()), conflict(0)];
    assert_eq!(engine.apply(batch).await.unwrap(), expected);
    let kept = ["a", "c", "e"].map(|key| (key.into(), b"1".to_vec(), 1));
    assert_eq!(all(engine, &ALPHA, ONE).await, kept);
}

pub(super) async fn knows_the_last_of_a_prefix(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let keys: [&[u8]; 8] =
        [&[1], &[1, 0], &[1, 0xFF], &[1, 0xFF, 0xFF], &[2, 5], &[0xFE, 1], &[0xFF, 0xFF], &[0xFF; 256]];
    let noise = [(&ALPHA, TWO), (&BETA, ONE)].map(|(keyspace, resource)| {
        Write::Put(RowKey { keyspace, resource, key: vec![0xFF; 256] }, sealed("noise"))
    });
    assert_eq!(one(engine, when([last_is("", None)], noise)).await, Ok(()));
    assert_eq!(one(engine, when([last_is("", None)], keys.map(|key| put(key, "v")))).await, Ok(()));
    let mut prefixes: Vec<&[u8]> = keys.to_vec();
    prefixes.extend([&[][..], &[0], &[1, 0xFE], &[3], &[0xFF], &[0xFF, 0], &[0xFF; 255], &[2, 5, 0]]);
    for prefix in prefixes {
        let last = keys.iter().copied().filter(|key| key.starts_with(prefix)).max();
        let wrong = last.map_or(Some(prefix), |_| None);
        let batch = vec![
            when([last_is(prefix, last)], []),
            when([last_is(prefix, wrong)], []),
            when([last_is(prefix, Some(&[7, 7, 7]))], []),
        ];
        let fates = engine.apply(batch).await.unwrap();
        assert_eq!(fates, [Ok(()), conflict(0), conflict(0)], "{prefix:?}");
    }
}

pub(super) async fn knows_the_last_after_deletes_in_the_batch(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let keys = [b"p1", b"p2", b"p3", b"q1"];
    assert_eq!(one(engine, writes(keys.map(|key| put(*key, "v")))).await, Ok(()));
    let batch = vec![
        when([last_is("p", Some(b"p3"))], [delete("p3")]),
        when([last_is("p", Some(b"p3"))], [put("wrong", "v")]),
        when(
            [last_is("p", Some(b"p2")), last_is("q", Some(b"q1"))],
            [delete("p2"), delete("q1"), put("p0", "v")],
        ),
        when([last_is("p", Some(b"p1")), last_is("q", None)], [put("p2", "new")]),
        when([last_is("p", Some(b"p2"))], [delete("p2"), put("p2", "newer")]),
        when(
            [last_is("p", Some(b"p2")), Precondition::VersionIs(row("p2"), 1)],
            [delete("p2"), delete("p1")],
        ),
        when([last_is("p", Some(b"p0"))], [delete("p0")]),
        when([last_is("p", None), last_is("", None)], [put("p9", "end")]),
    ];
    let mut expected = vec![Ok(()); 8];
    expected[1] = conflict(0);
    assert_eq!(engine.apply(batch).await.unwrap(), expected);
    assert_eq!(all(engine, &ALPHA, ONE).await, [(b"p9".to_vec(), b"end".to_vec(), 1)]);
}

pub(super) async fn takes_what_is_at_the_limit_and_not_past_it(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let greatest = vec![0xFF; MAX_KEY];
    for len in [MAX_RECORD, MAX_SEALED] {
        let value: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        assert_eq!(one(engine, writes([put(greatest.clone(), value.clone())])).await, Ok(()));
        assert_eq!(seen(engine, &row(greatest.clone())).await.unwrap().0, value);
    }
    let past = |commit: Commit| async { assert_eq!(one(engine, commit).await, Err(CommitError::TooLarge)) };
    past(writes([put("fine", "v"), put("big", vec![0; MAX_SEALED + 1])])).await;
    past(writes([put(vec![0; MAX_KEY + 1], "v"), put("fine", "v")])).await;
    past(when([Precondition::Absent(row(vec![0; MAX_KEY + 1]))], [put("fine", "v")])).await;
    past(when([last_is(vec![0; MAX_KEY + 1], None)], [put("fine", "v")])).await;
    assert_eq!(all(engine, &ALPHA, ONE).await.len(), 1);
    assert_eq!(one(engine, when([last_is("", Some(&greatest))], [delete(greatest.clone())])).await, Ok(()));
}

pub(super) async fn takes_many_rows_at_once(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let batch = |put_not_delete: bool| {
        let write = |n: u32| if put_not_delete { put(n.to_be_bytes(), "v") } else { delete(n.to_be_bytes()) };
        (0..256_u32)
            .map(|n| writes((0..16).map(|m| write(n * 16 + m)).collect::<Vec<_>>()))
            .collect::<Vec<_>>()
    };
    assert_eq!(engine.apply(batch(true)).await.unwrap(), vec![Ok(()); 256]);
    assert_eq!(all(engine, &ALPHA, ONE).await.len(), 4096);
    assert_eq!(engine.apply(batch(true)).await.unwrap(), vec![Ok(()); 256]);
    assert!(all(engine, &ALPHA, ONE).await.iter().all(|(_, _, version)| *version == 2));
    assert_eq!(engine.apply(batch(false)).await.unwrap(), vec![Ok(()); 256]);
    assert_eq!(all(engine, &ALPHA, ONE).await.len(), 0);
}

pub(super) async fn does_nothing_for_nothing(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    assert_eq!(engine.apply(vec![]).await.unwrap(), []);
    assert_eq!(one(engine, Commit::default()).await, Ok(()));
    assert_eq!(one(engine, writes([delete("missing")])).await, Ok(()));
    assert_eq!(one(engine, when([Precondition::Exists(row("missing"))], [])).await, conflict(0));
    assert_eq!(one(engine, when([Precondition::Absent(row("missing"))], [])).await, Ok(()));
    assert_eq!(engine.resources().await.unwrap(), []);
}

pub(super) async fn serialises_concurrent_batches(subject: &mut impl Subject) {
    const ROUNDS: u64 = 30;
    let engine = subject.engine();
    let add_one = |name: u8| async move {
        for n in 0..ROUNDS {
            loop {
                let found = engine.get(&row("counter")).await.unwrap();
                let (need, count) = found.map_or((Precondition::Absent(row("counter")), 0), |found| {
                    let count = u64::from_be_bytes(found.value.as_bytes().try_into().unwrap());
                    (Precondition::VersionIs(row("counter"), found.version), count)
                });
                let mine = [put("counter", (count + 1).to_be_bytes()), put([b'x', name, n as u8], "v")];
                match one(engine.as_ref(), when([need], mine)).await {
                    Ok(()) => break,
                    Err(CommitError::Conflict { precondition: 0 }) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    tokio::join!(add_one(1), add_one(2), add_one(3));
    let total = 3 * ROUNDS;
    assert_eq!(seen(engine.as_ref(), &row("counter")).await, Some((total.to_be_bytes().to_vec(), total)));
    assert_eq!(all(engine.as_ref(), &ALPHA, ONE).await.len() as u64, total + 1);
}
