//! What reads promise.

use std::ops::Bound;

use base::ResourceId;
use store::{Class, Direction, EngineError, KeyspaceDef, MAX_SCAN, RowKey, Scan, Write};

use crate::subject::{
    ALPHA, BETA, ONE, Subject, TWO, all, delete, next, one, put, row, sealed, seen, writes,
};

pub(super) async fn reads_back_what_was_put(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    for (key, value) in [(&b"k"[..], &b"value"[..]), (b"empty", b""), (b"", b"no key"), (&[0, 0xFF], &[0; 3])]
    {
        assert_eq!(seen(engine, &row(key)).await, None);
        assert_eq!(one(engine, writes([put(key, value)])).await, Ok(()));
        assert_eq!(seen(engine, &row(key)).await, Some((value.to_vec(), 1)));
    }
    assert_eq!(one(engine, writes([delete("k"), delete("not there")])).await, Ok(()));
    assert_eq!(seen(engine, &row("k")).await, None);
    engine.check().await.unwrap();
    assert!(engine.size().await.unwrap() > 0);
}

pub(super) async fn reads_many_in_the_order_asked(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let other = RowKey { keyspace: &BETA, resource: TWO, key: b"b".to_vec() };
    let both = [put("a", "1"), Write::Put(other.clone(), sealed("2"))];
    assert_eq!(one(engine, writes(both)).await, Ok(()));
    let mut view = engine.snapshot().await.unwrap();
    let asked = [other.clone(), row("missing"), row("a"), other];
    let found = view.multi_get(&asked).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|row| row.map(|row| row.value.into_bytes())).collect();
    let (a, b) = (Some(b"1".to_vec()), Some(b"2".to_vec()));
    assert_eq!(found, [b.clone(), None, a, b]);
    assert_eq!(view.multi_get(&[]).await.unwrap().len(), 0);
    assert_eq!(view.get(&row("a")).await.unwrap().unwrap().version, 1);
}

pub(super) async fn scans_every_range_both_ways(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let keys: Vec<Vec<u8>> =
        [&[][..], &[0], &[0, 0], &[1], &[1, 0xFF], &[2], &[0x80], &[0xFF], &[0xFF, 0xFF], &[0xFF; 256]]
            .iter()
            .map(|key| key.to_vec())
            .collect();
    // Put in another order than that of the keys.
    let shuffled = keys.iter().rev().map(|key| put(key.clone(), key.clone())).collect::<Vec<_>>();
    assert_eq!(one(engine, writes(shuffled)).await, Ok(()));
    let noise = [(&ALPHA, TWO), (&BETA, ONE)]
        .map(|(keyspace, resource)| Write::Put(RowKey { keyspace, resource, key: vec![1] }, sealed("noise")));
    assert_eq!(one(engine, writes(noise)).await, Ok(()));
    let bounds = |key: &Vec<u8>| [Bound::Included(key.clone()), Bound::Excluded(key.clone())];
    let mut edges = vec![Bound::Unbounded, Bound::Included(vec![3]), Bound::Excluded(vec![1, 0xFE])];
    edges.extend(keys.iter().flat_map(bounds));
    let mut view = engine.snapshot().await.unwrap();
    for from in &edges {
        for to in &edges {
            for direction in [Direction::Forward, Direction::Backward] {
                let (from, to) = (from.clone(), to.clone());
                let inside = |key: &&Vec<u8>| {
                    let over = match &from {
                        Bound::Unbounded => true,
                        Bound::Included(bound) => *key >= bound,
                        Bound::Excluded(bound) => *key > bound,
                    };
                    over && match &to {
                        Bound::Unbounded => true,
                        Bound::Included(bound) => *key <= bound,
                        Bound::Excluded(bound) => *key < bound,
                    }
                };
                let mut expected: Vec<&Vec<u8>> = keys.iter().filter(inside).collect();
                if direction == Direction::Backward {
                    expected.reverse();
                }
                let limit = [1, 2, 100][next() as usize % 3];
                expected.truncate(limit);
                let scan = Scan {
                    keyspace: &ALPHA,
                    resource: ONE,
                    from: from.clone(),
                    to: to.clone(),
                    direction,
                    limit,
                };
                let found = view.scan(&scan).await.unwrap();
                let found: Vec<&Vec<u8>> = found.iter().map(|row| &row.key).collect();
                assert_eq!(found, expected, "{scan:?}");
            }
        }
    }
}

pub(super) async fn scans_no_more_than_the_limit(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    for part in 0..3_u32 {
        let many = (0..4000_u32).map(|n| put((part * 4000 + n).to_be_bytes(), "v")).collect::<Vec<_>>();
        assert_eq!(one(engine, writes(many)).await, Ok(()));
    }
    let mut view = engine.snapshot().await.unwrap();
    for (limit, expected) in [(0, 0), (1, 1), (200, 200), (MAX_SCAN, MAX_SCAN), (usize::MAX, MAX_SCAN)] {
        let scan = Scan::prefix(&ALPHA, ONE, vec![], Direction::Backward, limit);
        let found = view.scan(&scan).await.unwrap();
        assert_eq!(found.len(), expected);
        assert!(found.first().is_none_or(|row| row.key == 11_999_u32.to_be_bytes()));
    }
}

pub(super) async fn keeps_resources_and_keyspaces_apart(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    let places = [(&ALPHA, ONE), (&ALPHA, TWO), (&BETA, ONE), (&BETA, TWO)];
    let name = |(keyspace, resource)| RowKey { keyspace, resource, key: b"same".to_vec() };
    for (n, place) in places.into_iter().enumerate() {
        assert_eq!(one(engine, writes([Write::Put(name(place), sealed([n as u8]))])).await, Ok(()));
    }
    for (n, place) in places.into_iter().enumerate() {
        assert_eq!(seen(engine, &name(place)).await, Some((vec![n as u8], 1)));
        assert_eq!(all(engine, place.0, place.1).await, [(b"same".to_vec(), vec![n as u8], 1)]);
    }
    assert_eq!(one(engine, writes([Write::Delete(name(places[0]))])).await, Ok(()));
    assert_eq!(all(engine, &ALPHA, ONE).await, []);
    for place in &places[1..] {
        assert!(seen(engine, &name(*place)).await.is_some());
    }
}

pub(super) async fn lists_resources_that_have_rows(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    assert_eq!(engine.resources().await.unwrap(), []);
    let third = ResourceId::from_bytes([9; 16]);
    let rows = [(&BETA, third), (&ALPHA, TWO), (&BETA, TWO), (&ALPHA, ONE)]
        .map(|(keyspace, resource)| RowKey { keyspace, resource, key: vec![1] });
    let puts: Vec<Write> = rows.iter().map(|row| Write::Put(row.clone(), sealed("v"))).collect();
    assert_eq!(one(engine, writes(puts)).await, Ok(()));
    assert_eq!(engine.resources().await.unwrap(), [ONE, TWO, third]);
    assert_eq!(one(engine, writes([Write::Delete(rows[3].clone())])).await, Ok(()));
    assert_eq!(engine.resources().await.unwrap(), [TWO, third], "nothing is left of the first");
}

pub(super) async fn shows_one_moment_while_writers_go_on(subject: &mut impl Subject) {
    let engine = subject.engine();
    let pair = [row("a"), RowKey { keyspace: &BETA, resource: TWO, key: b"b".to_vec() }];
    let both = |n: u32| writes(pair.clone().map(|row| Write::Put(row, sealed(n.to_be_bytes()))));
    assert_eq!(one(engine.as_ref(), both(0)).await, Ok(()));
    let writing = async {
        for n in 1..=100 {
            assert_eq!(one(engine.as_ref(), both(n)).await, Ok(()));
        }
    };
    let reading = async {
        let mut latest = 0;
        while latest < 101 {
            let mut view = engine.snapshot().await.unwrap();
            let first = view.get(&pair[0]).await.unwrap().unwrap();
            tokio::task::yield_now().await;
            let second = view.get(&pair[1]).await.unwrap().unwrap();
            assert_eq!(first.version, second.version, "both or none of a commit");
            assert_eq!(first.value.as_bytes(), second.value.as_bytes());
            let again = view.multi_get(&pair).await.unwrap();
            assert!(again.iter().all(|row| row.as_ref().unwrap().version == first.version));
            assert!(first.version >= latest, "time does not go back");
            latest = first.version;
            drop(view);
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(writing, reading);
}

pub(super) async fn a_view_does_not_change(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    assert_eq!(one(engine, writes([put("a", "1"), put("b", "1"), put("c", "1")])).await, Ok(()));
    let mut view = engine.snapshot().await.unwrap();
    let all = Scan::prefix(&ALPHA, ONE, vec![], Direction::Forward, 10);
    assert_eq!(view.scan(&all).await.unwrap().len(), 3);
    let third = RowKey { keyspace: &ALPHA, resource: TWO, key: vec![1] };
    let changes =
        [put("a", "2"), delete("b"), put("d", "1"), Write::Put(third.clone(), sealed("new resource"))];
    assert_eq!(one(engine, writes(changes)).await, Ok(()));
    let found: Vec<_> =
        view.scan(&all).await.unwrap().into_iter().map(|row| (row.key, row.version)).collect();
    assert_eq!(found, [(b"a".to_vec(), 1), (b"b".to_vec(), 1), (b"c".to_vec(), 1)]);
    assert_eq!(view.get(&row("a")).await.unwrap().unwrap().value.as_bytes(), b"1");
    assert!(view.get(&row("d")).await.unwrap().is_none());
    assert!(view.get(&third).await.unwrap().is_none());
    drop(view);
    let mut view = engine.snapshot().await.unwrap();
    assert_eq!(view.get(&row("a")).await.unwrap().unwrap().value.as_bytes(), b"2");
    assert!(view.get(&third).await.unwrap().is_some());
}

pub(super) async fn keeps_everything_when_opened_again(subject: &mut impl Subject) {
    for round in 1..=3_u64 {
        let engine = subject.engine().as_ref();
        let new = RowKey { keyspace: &BETA, resource: TWO, key: vec![round as u8] };
        let gone = delete(vec![round as u8 - 1]);
        let changes = [put("kept", "v"), put(vec![round as u8], "x"), gone, Write::Put(new, sealed("y"))];
        assert_eq!(one(engine, writes(changes)).await, Ok(()));
        let before = (all(engine, &ALPHA, ONE).await, all(engine, &BETA, TWO).await);
        subject.reopen().await;
        let engine = subject.engine().as_ref();
        assert_eq!((all(engine, &ALPHA, ONE).await, all(engine, &BETA, TWO).await), before);
        assert_eq!(seen(engine, &row("kept")).await, Some((b"v".to_vec(), round)));
        assert_eq!(before.1.len() as u64, round);
        assert_eq!(engine.resources().await.unwrap(), [ONE, TWO]);
        engine.check().await.unwrap();
    }
}

pub(super) async fn refuses_everything_when_closed(subject: &mut impl Subject) {
    let engine = subject.engine().as_ref();
    assert_eq!(one(engine, writes([put("a", "1")])).await, Ok(()));
    engine.close().await.unwrap();
    assert!(engine.apply(vec![writes([put("a", "2")])]).await.is_err());
    assert!(engine.get(&row("a")).await.is_err());
    assert!(engine.snapshot().await.is_err());
    engine.close().await.expect("closing twice is no harm");
}

pub(super) async fn refuses_keyspaces_that_were_not_prepared(subject: &mut impl Subject) {
    static UNKNOWN: KeyspaceDef = KeyspaceDef { name: "unknown", class: Class::Content };
    static MALFORMED: KeyspaceDef = KeyspaceDef { name: "x; --", class: Class::Content };
    let engine = subject.engine().as_ref();
    let name = RowKey { keyspace: &UNKNOWN, ..row("a") };
    assert!(matches!(engine.get(&name).await, Err(EngineError::UnknownKeyspace("unknown"))));
    let mut view = engine.snapshot().await.unwrap();
    let scan = Scan::prefix(&UNKNOWN, ONE, vec![], Direction::Forward, 1);
    assert!(matches!(view.scan(&scan).await, Err(EngineError::UnknownKeyspace("unknown"))));
    drop(view);
    let batch = vec![writes([Write::Put(name.clone(), sealed("v"))]), writes([put("good", "v")])];
    let fates = engine.apply(batch).await.unwrap();
    assert!(fates[0].is_err(), "{fates:?}");
    assert_eq!(fates[1], Ok(()), "the neighbour stands");
    assert!(matches!(engine.prepare(&[&MALFORMED]).await, Err(EngineError::InvalidKeyspace(_))));
    engine.prepare(&[&UNKNOWN]).await.unwrap();
    engine.prepare(&[&UNKNOWN, &ALPHA]).await.expect("preparing again is no harm");
    assert_eq!(one(engine, writes([Write::Put(name.clone(), sealed("v"))])).await, Ok(()));
    assert_eq!(seen(engine, &name).await, Some((b"v".to_vec(), 1)));
}
