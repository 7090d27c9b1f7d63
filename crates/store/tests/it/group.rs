//! The queue above the engines: order, merging, bounds, errors, closing.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use base::{Limits, ResourceId};
use store::engine::memory::MemoryEngine;
use store::group::{MAX_BATCH_BYTES, MAX_QUEUE_BYTES};
use store::{
    BoxFuture, Commit, CommitError, Engine, EngineError, Fates, GroupCommit, KeyspaceDef, Pending,
    Precondition, Row, RowKey, Snapshot,
};
use tokio::sync::Semaphore;

use crate::subject::{
    ALPHA, Memory, ONE, Postgres, SPACES, Sqlite, Subject, all, conflict, last_is, put, row, seen, when,
    writes,
};

/// The memory engine, with a gate before each batch, a record of batches, and failures on demand.
struct Gated {
    memory: MemoryEngine,
    gate: Semaphore,
    batches: Mutex<Vec<Vec<usize>>>,
    fail: AtomicUsize,
}

impl Gated {
    async fn new(open: usize) -> Arc<Self> {
        let memory = MemoryEngine::new();
        memory.prepare(&SPACES).await.unwrap();
        let (batches, fail) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { memory, gate: Semaphore::new(open), batches, fail })
    }

    fn sizes(&self) -> Vec<usize> {
        self.batches.lock().unwrap().iter().map(Vec::len).collect()
    }
}

impl Engine for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn is_shared(&self) -> bool {
        self.memory.is_shared()
    }

    fn prepare<'a>(
        &'a self,
        keyspaces: &'a [&'static KeyspaceDef],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        self.memory.prepare(keyspaces)
    }
    fn get<'a>(&'a self, row: &'a RowKey) -> BoxFuture<'a, Result<Option<Row>, EngineError>> {
        self.memory.get(row)
    }
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, EngineError>> {
        self.memory.snapshot()
    }
    fn apply(&self, batch: Vec<Commit>) -> BoxFuture<'_, Result<Fates, EngineError>> {
        Box::pin(async move {
            let sizes = batch.iter().map(|commit| commit.measure().unwrap()).collect();
            self.batches.lock().unwrap().push(sizes);
            self.gate.acquire().await.unwrap().forget();
            if self.fail.load(Ordering::SeqCst) > 0 {
                self.fail.fetch_sub(1, Ordering::SeqCst);
                return Err(EngineError::Unavailable("on demand".into()));
            }
            self.memory.apply(batch).await
        })
    }
    fn resources(&self) -> BoxFuture<'_, Result<Vec<ResourceId>, EngineError>> {
        self.memory.resources()
    }
    fn check(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        self.memory.check()
    }
    fn size(&self) -> BoxFuture<'_, Result<u64, EngineError>> {
        self.memory.size()
    }
    fn close(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        self.memory.close()
    }
}

fn limits(queue: usize, batch: usize) -> Limits {
    Limits { commit_queue: queue, commit_batch: batch, ..Limits::default() }
}

fn group(engine: &Arc<Gated>, limits: &Limits) -> GroupCommit {
    GroupCommit::new(Arc::clone(engine) as _, limits)
}

/// Lets the committing task take what is in line.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

async fn fates(pending: Vec<Pending>) -> Vec<Result<(), CommitError>> {
    let mut fates = Vec::new();
    for one in pending {
        fates.push(one.await);
    }
    fates
}

#[tokio::test]
async fn what_waits_is_merged_up_to_the_limit() {
    let engine = Gated::new(0).await;
    let group = group(&engine, &limits(100, 4));
    let first = group.submit(writes([put([0], "v")])).unwrap();
    settle().await;
    let rest: Vec<_> = (1..=9).map(|n| group.submit(writes([put([n], "v")])).unwrap()).collect();
    assert_eq!(group.waiting(), 9);
    engine.gate.add_permits(100);
    assert_eq!(first.await, Ok(()));
    assert_eq!(fates(rest).await, vec![Ok(()); 9]);
    assert_eq!(engine.sizes(), [1, 4, 4, 1]);
    group.close().await;
}

#[tokio::test]
async fn a_batch_stays_below_its_bytes_and_a_great_commit_goes_alone() {
    let engine = Gated::new(0).await;
    let group = group(&engine, &limits(100, 100));
    let half = MAX_BATCH_BYTES / 5 * 2;
    let values = |bytes: usize| writes((0..4).map(|n| put([n], vec![0; bytes / 4 - 1])).collect::<Vec<_>>());
    let sizes = [0, half, half, half, MAX_BATCH_BYTES, MAX_BATCH_BYTES + 64, half / 2, half / 2];
    let blocker = group.submit(writes([put("x", "")])).unwrap();
    settle().await;
    let pending: Vec<_> = sizes[1..].iter().map(|bytes| group.submit(values(*bytes)).unwrap()).collect();
    engine.gate.add_permits(100);
    assert_eq!(blocker.await, Ok(()));
    assert_eq!(fates(pending).await, vec![Ok(()); 7]);
    assert_eq!(engine.sizes(), [1, 2, 1, 1, 1, 2]);
    let batches = engine.batches.lock().unwrap().clone();
    assert!(batches.iter().all(|batch| batch.len() == 1 || batch.iter().sum::<usize>() <= MAX_BATCH_BYTES));
    group.close().await;
}

#[tokio::test]
async fn dependent_commits_can_be_sent_ahead() {
    let engine = Gated::new(1000).await;
    let group = group(&engine, &limits(1000, 7));
    let mut pending = Vec::new();
    for n in 0..100_u8 {
        let last = n.checked_sub(1).map(|n| [n]);
        let need = last_is("", last.as_ref().map(|key| &key[..]));
        pending.push(group.submit(when([need], [put([n], "v")])).unwrap());
    }
    let late = group.submit(when([last_is("", Some(&[3]))], [put("late", "v")])).unwrap();
    assert_eq!(fates(pending).await, vec![Ok(()); 100]);
    assert_eq!(late.await, conflict(0));
    group.close().await;
}

#[tokio::test]
async fn the_queue_is_bounded_in_number_and_bytes() {
    let engine = Gated::new(0).await;
    let few = group(&engine, &limits(3, 1));
    let taken = few.submit(writes([put([0], "v")])).unwrap();
    settle().await;
    let waiting: Vec<_> = (1..4).map(|n| few.submit(writes([put([n], "v")])).unwrap()).collect();
    assert_eq!(few.submit(writes([put([9], "v")])).err(), Some(CommitError::Full));
    engine.gate.add_permits(1);
    assert_eq!(taken.await, Ok(()));
    settle().await;
    let next = few.submit(writes([put([9], "v")])).expect("room again");
    engine.gate.add_permits(100);
    assert_eq!(fates(waiting).await, vec![Ok(()); 3]);
    assert_eq!(next.await, Ok(()));
    few.close().await;

    let engine = Gated::new(0).await;
    let many = group(&engine, &limits(1_000_000, 1));
    let taken = many.submit(writes([put([0], "v")])).unwrap();
    settle().await;
    let big = || writes([put([1], vec![0; 1_000_000])]);
    let mut waiting = Vec::new();
    let full = loop {
        match many.submit(big()) {
            Ok(pending) => waiting.push(pending),
            Err(error) => break error,
        }
    };
    assert_eq!(full, CommitError::Full);
    assert_eq!(waiting.len(), MAX_QUEUE_BYTES / 1_000_001);
    engine.gate.add_permits(1000);
    assert_eq!(taken.await, Ok(()));
    assert!(fates(waiting).await.iter().all(Result::is_ok));
    many.close().await;
}

#[tokio::test]
async fn each_commit_keeps_its_own_fate() {
    let engine = Gated::new(0).await;
    let group = group(&engine, &limits(100, 100));
    let blocker = group.submit(writes([put("x", "v")])).unwrap();
    settle().await;
    let pending: Vec<_> = (0..20_u8)
        .map(|n| {
            let need = if n % 3 == 0 {
                Precondition::Exists(row("missing"))
            } else {
                Precondition::Exists(row("x"))
            };
            group.submit(when([need], [put([n], "v")])).unwrap()
        })
        .collect();
    assert_eq!(group.submit(writes([put(vec![0; 257], "v")])).err(), Some(CommitError::TooLarge));
    engine.gate.add_permits(2);
    assert_eq!(blocker.await, Ok(()));
    for (n, fate) in fates(pending).await.into_iter().enumerate() {
        assert_eq!(fate, if n % 3 == 0 { conflict(0) } else { Ok(()) });
        assert_eq!(seen(engine.as_ref(), &row([n as u8])).await.is_some(), n % 3 != 0);
    }
    assert_eq!(engine.sizes(), [1, 20]);
    group.close().await;
}

#[tokio::test]
async fn an_engine_that_fails_fails_its_batch_and_no_other() {
    let engine = Gated::new(1000).await;
    let group = group(&engine, &limits(100, 100));
    engine.fail.store(1, Ordering::SeqCst);
    let first: Vec<_> = (0..3).map(|n| group.submit(writes([put([n], "v")])).unwrap()).collect();
    for fate in fates(first).await {
        assert_eq!(fate, Err(CommitError::Unavailable("on demand".into())));
    }
    assert_eq!(group.submit(writes([put([7], "v")])).unwrap().await, Ok(()));
    engine.memory.crash();
    assert_eq!(group.submit(writes([put([8], "v")])).unwrap().await, Err(CommitError::Closed));
    group.close().await;
}

#[tokio::test]
async fn closing_finishes_what_is_in_line_and_takes_no_more() {
    let engine = Gated::new(0).await;
    let group = group(&engine, &limits(100, 2));
    let pending: Vec<_> = (0..7).map(|n| group.submit(writes([put([n], "v")])).unwrap()).collect();
    let mut closing = pin!(group.close());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(closing.as_mut().poll(&mut cx), Poll::Pending));
    assert_eq!(group.submit(writes([put([9], "v")])).err(), Some(CommitError::Closed));
    engine.gate.add_permits(100);
    closing.await;
    assert_eq!(fates(pending).await, vec![Ok(()); 7]);
    group.close().await;
}

#[tokio::test]
async fn nobody_waits_for_a_group_that_was_dropped() {
    let engine = Gated::new(0).await;
    let group = group(&engine, &limits(100, 1));
    let pending: Vec<_> = (0..3).map(|n| group.submit(writes([put([n], "v")])).unwrap()).collect();
    settle().await;
    drop(group);
    for (at, fate) in fates(pending).await.into_iter().enumerate() {
        // The first was under way: nobody can say whether it happened. The others did not.
        assert_eq!(matches!(fate, Err(CommitError::Unavailable(_))), at == 0, "{fate:?}");
        assert!(at == 0 || fate == Err(CommitError::Closed), "{fate:?}");
    }
}

#[tokio::test]
async fn not_waiting_for_a_commit_does_not_undo_it() {
    let engine = Gated::new(1000).await;
    let group = group(&engine, &limits(100, 1));
    drop(group.submit(writes([put([1], "v")])).unwrap());
    assert_eq!(group.submit(writes([put([2], "v")])).unwrap().await, Ok(()));
    assert!(seen(engine.as_ref(), &row([1])).await.is_some());
    group.close().await;
}

/// Many producers append to their own threads, each append expecting the last: nothing is lost, doubled or reordered.
async fn appends(subject: &impl Subject) {
    const PRODUCERS: u8 = 32;
    const EACH: u8 = 25;
    let engine = subject.engine();
    let group = Arc::new(GroupCommit::new(Arc::clone(engine), &Limits::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for name in 0..PRODUCERS {
        let group = Arc::clone(&group);
        tasks.spawn(async move {
            for n in 0..EACH {
                let last = n.checked_sub(1).map(|n| [name, n]);
                let need = last_is([name], last.as_ref().map(|key| &key[..]));
                let stale = when([last_is([name], Some(&[name, 200]))], [put([name, 201], "never")]);
                let good = group.submit(when([need], [put([name, n], [n])])).unwrap();
                let bad = group.submit(stale).unwrap();
                assert_eq!((good.await, bad.await), (Ok(()), conflict(0)));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    group.close().await;
    let rows = all(engine.as_ref(), &ALPHA, ONE).await;
    let expected = (0..PRODUCERS).flat_map(|name| (0..EACH).map(move |n| (vec![name, n], vec![n], 1)));
    assert_eq!(rows, expected.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_producers_on_memory() {
    appends(&Memory::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_producers_on_sqlite() {
    appends(&Sqlite::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_producers_on_postgres() {
    appends(&Postgres::new().await).await;
}
