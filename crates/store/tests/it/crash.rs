//! A process that writes to a SQLite store is killed without warning, again and again, and everything it said was
//! durable is looked for. The process is this test's own binary, told by its environment to write.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base::Limits;
use store::engine::sqlite::{SqliteEngine, SqliteOptions};
use store::{Engine, GroupCommit, Precondition, RowKey, Write};

use crate::subject::{ALPHA, BETA, ONE, SPACES, TWO, all, sealed};

const PATH: &str = "CHANCERY_TEST_CRASH_STORE";
const FROM: &str = "CHANCERY_TEST_CRASH_FROM";

/// Each commit writes both, of different sizes.
fn pair(n: u32) -> [Write; 2] {
    let key = n.to_be_bytes().to_vec();
    let value = vec![n as u8; 100 + n as usize % 3000];
    [
        Write::Put(RowKey { keyspace: &ALPHA, resource: ONE, key: key.clone() }, sealed(value)),
        Write::Put(RowKey { keyspace: &BETA, resource: TWO, key }, sealed("second")),
    ]
}

/// The process that is killed. Does nothing when it is run as one test among others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer_that_is_killed() {
    let (Ok(path), Ok(from)) = (std::env::var(PATH), std::env::var(FROM)) else { return };
    let engine = Arc::new(SqliteEngine::open(&SqliteOptions::new(path)).unwrap());
    engine.prepare(&SPACES).await.unwrap();
    let group = Arc::new(GroupCommit::new(engine, &Limits::default()));
    let from: u32 = from.parse().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..16 {
        let group = Arc::clone(&group);
        tasks.spawn(async move {
            for n in (from + lane..).step_by(16) {
                let [first, second] = pair(n);
                let preconditions = vec![Precondition::Absent(first.row().clone())];
                let commit = store::Commit { preconditions, writes: vec![first, second] };
                group.submit(commit).unwrap().await.unwrap();
                // One write of a whole line, so that a line is never half told.
                std::io::stdout().write_all(format!("durable {n}\n").as_bytes()).unwrap();
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

fn start(path: &Path, from: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["crash::writer_that_is_killed", "--exact", "--nocapture", "--test-threads=1"])
        .env(PATH, path)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Lets the process tell of `many` durable commits, kills it, and reads what else it had told by then.
fn kill_after(mut child: Child, many: usize) -> Vec<u32> {
    let told = |line: String| line.rsplit_once("durable ").and_then(|(_, n)| n.parse::<u32>().ok());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut durable: Vec<u32> = Vec::new();
    while durable.len() < many {
        durable.extend(told(lines.next().expect("it goes on until it is killed").unwrap()));
    }
    child.kill().unwrap();
    durable.extend(lines.map_while(Result::ok).filter_map(told));
    child.wait().unwrap();
    durable
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_after_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut durable: Vec<u32> = Vec::new();
    let mut from = 0;
    for many in [1, 40, 700, 90, 2500, 300] {
        durable.extend(kill_after(start(&path, from), many));
        let engine = SqliteEngine::open(&SqliteOptions::new(&path)).expect("the lock went with the process");
        engine.prepare(&SPACES).await.unwrap();
        engine.check().await.unwrap();
        let (mut seen, mut after) = (Vec::new(), 0_u32);
        loop {
            let page = page(&engine, after).await;
            let Some(last) = page.last() else { break };
            after = last + 1;
            seen.extend(page);
        }
        assert!(durable.iter().all(|n| seen.binary_search(n).is_ok()), "an acknowledged commit is lost");
        from = seen.last().unwrap() / 16 * 16 + 16;
        engine.close().await.unwrap();
    }
    assert!(durable.len() >= 3631);
    assert!(std::fs::metadata(&path).unwrap().len() > 1_000_000);
}

/// The numbers of whole commits from one on; a half one ends the test.
async fn page(engine: &SqliteEngine, from: u32) -> Vec<u32> {
    let scan = |keyspace, resource| store::Scan {
        keyspace,
        resource,
        from: std::ops::Bound::Included(from.to_be_bytes().to_vec()),
        to: std::ops::Bound::Unbounded,
        direction: store::Direction::Forward,
        limit: 1000,
    };
    let mut view = engine.snapshot().await.unwrap();
    let first = view.scan(&scan(&ALPHA, ONE)).await.unwrap();
    let second = view.scan(&scan(&BETA, TWO)).await.unwrap();
    assert_eq!(first.len(), second.len(), "half a commit");
    let mut numbers = Vec::new();
    for (first, second) in first.into_iter().zip(second) {
        assert_eq!(first.key, second.key, "half a commit");
        let n = u32::from_be_bytes(first.key[..].try_into().unwrap());
        let [Write::Put(_, expected), _] = pair(n) else { panic!("a pair is two puts") };
        assert_eq!((first.value.as_bytes(), first.version), (expected.as_bytes(), 1));
        numbers.push(n);
    }
    numbers
}

#[tokio::test]
async fn a_killed_process_is_not_mistaken_for_a_running_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut child = start(&path, 0);
    let pid = child.id();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().contains("durable")).unwrap().unwrap();
    let error = SqliteEngine::open(&SqliteOptions::new(&path)).err().unwrap().to_string();
    assert!(error.contains(&format!("process {pid}")), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    let engine = SqliteEngine::open(&SqliteOptions::new(&path)).unwrap();
    engine.prepare(&SPACES).await.unwrap();
    assert!(!all(&engine, &ALPHA, ONE).await.is_empty());
}
