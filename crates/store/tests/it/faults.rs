//! Random faults in the memory engine under the typed promises of a commit: all of it or nothing, never an acknowledged
//! one lost, unknown outcomes honestly unknown. A failure names its seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Rng, SeededRng};
use store::engine::memory::{FaultPlan, MemoryEngine};
use store::{CommitError, Engine, EngineError, RowKey, Write};

use crate::subject::{ALPHA, BETA, ONE, SPACES, TWO, all, put, row, sealed, when, writes};

/// What is known of a commit that wrote the pair `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Happened,
    Not,
    Unknown,
}

fn pair(n: u32) -> [RowKey; 2] {
    let key = n.to_be_bytes().to_vec();
    [
        RowKey { keyspace: &ALPHA, resource: ONE, key: key.clone() },
        RowKey { keyspace: &BETA, resource: TWO, key },
    ]
}

fn plan(seed: u64) -> FaultPlan {
    let mut plan = FaultPlan::none(Arc::new(SeededRng::new(seed)));
    (plan.before, plan.after, plan.torn, plan.crash, plan.delay) = (150, 150, 60, 60, 3);
    plan
}

async fn verify(engine: &MemoryEngine, known: &BTreeMap<u32, Known>, at: &str) {
    let [first, second] = [all(engine, &ALPHA, ONE).await, all(engine, &BETA, TWO).await];
    let keys =
        |rows: &[(Vec<u8>, Vec<u8>, u64)]| rows.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&first), keys(&second), "{at}: half a commit");
    for (n, known) in known {
        let there = first.iter().any(|(key, ..)| *key == n.to_be_bytes());
        match known {
            Known::Happened => assert!(there, "{at}: the acknowledged commit {n} is lost"),
            Known::Not => assert!(!there, "{at}: the failed commit {n} happened"),
            Known::Unknown => {}
        }
    }
}

#[tokio::test]
async fn no_fault_loses_or_halves_a_commit() {
    let (mut crashes, mut unknown_happened, mut unknown_not) = (0, 0, 0);
    for seed in 0..40_u64 {
        let rng = SeededRng::new(seed + 1000);
        let mut engine = MemoryEngine::with_faults(plan(seed));
        engine.prepare(&SPACES).await.unwrap();
        let mut known = BTreeMap::new();
        let mut n = 0;
        for step in 0..60 {
            let many = rng.below(5) + 1;
            let names: Vec<u32> = (0..many as u32).map(|m| n + m).collect();
            n += many as u32;
            let commit = |n: &u32| {
                let [a, b] = pair(*n);
                when(
                    [store::Precondition::Absent(a.clone())],
                    [a, b].map(|row| Write::Put(row, sealed(n.to_be_bytes()))),
                )
            };
            match engine.apply(names.iter().map(commit).collect()).await {
                Ok(fates) => {
                    assert!(fates.iter().all(Result::is_ok));
                    known.extend(names.iter().map(|n| (*n, Known::Happened)));
                }
                Err(EngineError::Unavailable(why)) => {
                    let lost = why.contains("write") || why.contains("crash");
                    known.extend(names.iter().map(|n| (*n, if lost { Known::Not } else { Known::Unknown })));
                }
                Err(other) => panic!("seed {seed}: {other}"),
            }
            if engine.is_down() {
                crashes += 1;
                engine = engine.reopen();
                engine.prepare(&SPACES).await.unwrap();
                engine.set_faults(Some(plan(seed * 1000 + step)));
            }
            verify(&engine, &known, &format!("seed {seed}, step {step}")).await;
        }
        let rows = all(&engine, &ALPHA, ONE).await;
        for (n, _) in known.iter().filter(|(_, known)| **known == Known::Unknown) {
            let there = rows.iter().any(|(key, ..)| *key == n.to_be_bytes());
            *(if there { &mut unknown_happened } else { &mut unknown_not }) += 1;
        }
    }
    assert!(
        crashes > 50 && unknown_happened > 50,
        "{crashes} crashes, {unknown_happened} unknown that happened"
    );
    assert_eq!(unknown_not, 0, "a fault after the commit leaves it done");
}

#[tokio::test]
async fn reads_fail_without_harm() {
    let mut plan = FaultPlan::none(Arc::new(SeededRng::new(1)));
    plan.read = 500;
    let engine = MemoryEngine::with_faults(plan);
    engine.prepare(&SPACES).await.unwrap();
    assert_eq!(engine.apply(vec![writes([put("k", "v")])]).await.unwrap(), [Ok(())]);
    let (mut failed, mut read) = (0, 0);
    for _ in 0..200 {
        match engine.get(&row("k")).await {
            Ok(found) => read += usize::from(found.unwrap().value.as_bytes() == b"v"),
            Err(error) => failed += usize::from(error.to_string().contains("injected fault: read")),
        }
    }
    assert!(failed > 50 && read > 50 && failed + read == 200, "{failed} failed, {read} read");
}

#[tokio::test]
async fn a_crashed_engine_does_nothing_until_it_is_opened_again() {
    let engine = MemoryEngine::new();
    engine.prepare(&SPACES).await.unwrap();
    assert_eq!(engine.apply(vec![writes([put("k", "v")])]).await.unwrap(), [Ok(())]);
    let mut view = engine.snapshot().await.unwrap();
    engine.crash();
    assert!(matches!(engine.apply(vec![writes([put("k", "w")])]).await, Err(EngineError::Closed)));
    assert!(view.get(&row("k")).await.is_err(), "a view does not outlive its engine");
    let again = engine.reopen();
    drop(view);
    assert_eq!(all(&again, &ALPHA, ONE).await, [(b"k".to_vec(), b"v".to_vec(), 1)]);
    let group = store::GroupCommit::new(Arc::new(engine), &base::Limits::default());
    assert_eq!(group.submit(writes([put("k", "x")])).unwrap().await, Err(CommitError::Closed));
    group.close().await;
}
