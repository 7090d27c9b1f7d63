//! What only a file can suffer: full disks, damage, missing rights, two processes; and what it does in the background.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::engine::sqlite::{SqliteEngine, SqliteOptions};
use store::{CommitError, Direction, Engine, EngineError, Precondition, RowKey, Scan, Write};

use crate::subject::{
    ALPHA, BETA, ONE, SPACES, Sqlite, Subject, all, delete, one, put, row, sealed, seen, when, writes,
};

fn names(error: &EngineError, parts: &[&str]) {
    let text = error.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

#[tokio::test]
async fn a_second_opener_is_told_who_has_it() {
    let subject = Sqlite::new().await;
    let error = SqliteEngine::open(&SqliteOptions::new(subject.path())).err().unwrap();
    assert!(matches!(&error, EngineError::Locked { holder: Some(pid), .. } if *pid == std::process::id()));
    names(&error, &["store.sqlite", "stop that process", &std::process::id().to_string()]);
    subject.engine().close().await.unwrap();
    SqliteEngine::open(&SqliteOptions::new(subject.path())).unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    // A folder of the kernel, which refuses new files even to the superuser.
    let error = SqliteEngine::open(&SqliteOptions::new("/sys/store.sqlite")).err().unwrap();
    assert!(matches!(error, EngineError::ReadOnly { .. }), "{error}");
    names(&error, &["/sys/store.sqlite", "permission"]);
    let missing = SqliteEngine::open(&SqliteOptions::new("/nowhere/at/all/s")).err().unwrap();
    names(&missing, &["/nowhere/at/all/s", "No such file"]);
}

#[tokio::test]
async fn a_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let text = "This is a letter, not a store. ".repeat(400);
    std::fs::write(&path, &text).unwrap();
    let error = SqliteEngine::open(&SqliteOptions::new(&path)).err().unwrap();
    assert!(matches!(error, EngineError::Corrupt { .. }), "{error}");
    names(&error, &["backup"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn damage_inside_the_file_is_found_by_the_check() {
    let mut subject = Sqlite::new().await;
    for n in 0..200_u32 {
        assert_eq!(
            one(subject.engine().as_ref(), writes([put(n.to_be_bytes(), vec![7; 500])])).await,
            Ok(())
        );
    }
    subject.reopen().await;
    subject.engine().check().await.unwrap();
    subject.engine().close().await.unwrap();
    let mut bytes = std::fs::read(subject.path()).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xA5);
    std::fs::write(subject.path(), bytes).unwrap();
    let engine = SqliteEngine::open(&SqliteOptions::new(subject.path())).unwrap();
    engine.prepare(&SPACES).await.unwrap();
    let error = engine.check().await.unwrap_err();
    assert!(matches!(error, EngineError::Corrupt { .. }), "{error}");
    names(&error, &["store.sqlite", "restore from a backup"]);
}

#[tokio::test]
async fn a_full_store_says_so_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        SqliteOptions { max_bytes: Some(400 * 1024), ..SqliteOptions::new(folder.path().join("s")) };
    let engine = SqliteEngine::open(&options).unwrap();
    engine.prepare(&SPACES).await.unwrap();
    let big = |n: u8| vec![writes([put([n, 1], "small")]), writes([put([n, 2], vec![n; 100 * 1024])])];
    let mut kept = Vec::new();
    let error = loop {
        let n = kept.len() as u8;
        match engine.apply(big(n)).await {
            Ok(fates) => kept.push(fates),
            Err(error) => break error,
        }
        assert!(kept.len() < 10, "the limit never bites");
    };
    assert!(matches!(error, EngineError::DiskFull { .. }), "{error}");
    names(&error, &["free space"]);
    assert_eq!(all(&engine, &ALPHA, ONE).await.len(), kept.len() * 2, "nothing of the failed batch is there");
    assert_eq!(one(&engine, writes([put("small", "fits")])).await, Ok(()), "it goes on");
    assert_eq!(one(&engine, writes([delete([0, 2])])).await, Ok(()));
    assert!(engine.apply(big(99)).await.is_ok(), "room that was freed is used again");
    engine.check().await.unwrap();
    engine.close().await.unwrap();
    let roomy = SqliteEngine::open(&SqliteOptions::new(&options.path)).unwrap();
    roomy.prepare(&SPACES).await.unwrap();
    assert!(roomy.apply(big(100)).await.is_ok() && roomy.apply(big(101)).await.is_ok());
}

fn holds(path: &Path, needle: &[u8]) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_keys_leave_the_file_and_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (file, journal) = (folder.path().join("s"), folder.path().join("s-wal"));
    let needle = b"a wrapped key that must not stay";
    let name = RowKey { keyspace: &BETA, resource: ONE, key: b"k".to_vec() };
    let patient = SqliteEngine::open(&SqliteOptions::new(&file)).unwrap();
    patient.prepare(&SPACES).await.unwrap();
    assert_eq!(one(&patient, writes([Write::Put(name.clone(), sealed(*needle))])).await, Ok(()));
    assert!(holds(&journal, needle), "it was in the journal");
    assert_eq!(one(&patient, writes([Write::Delete(name.clone())])).await, Ok(()));
    assert!(holds(&journal, needle), "and lies there until it is time");
    patient.close().await.unwrap();
    assert!(!holds(&file, needle));

    let options = SqliteOptions { erase_after: Duration::ZERO, ..SqliteOptions::new(&file) };
    let prompt = SqliteEngine::open(&options).unwrap();
    prompt.prepare(&SPACES).await.unwrap();
    assert_eq!(one(&prompt, writes([Write::Put(name.clone(), sealed(*needle))])).await, Ok(()));
    assert!(holds(&journal, needle));
    assert_eq!(one(&prompt, writes([Write::Delete(name)])).await, Ok(()));
    let erased = async {
        while holds(&journal, needle) || holds(&file, needle) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), erased).await.expect("the store erases by itself");
}

#[tokio::test]
async fn overwritten_values_do_not_outlive_a_checkpoint() {
    let subject = Sqlite::new().await;
    let engine = subject.engine().as_ref();
    assert_eq!(one(engine, writes([put("k", "first value, first value")])).await, Ok(()));
    assert_eq!(one(engine, writes([put("k", "second"), put("l", "third")])).await, Ok(()));
    engine.close().await.unwrap();
    assert!(!holds(&subject.path(), b"first value"));
    assert!(holds(&subject.path(), b"second"));
    assert!(!subject.path().with_extension("sqlite-wal").exists(), "the journal is gone");
}

#[tokio::test]
async fn the_journal_is_moved_while_writers_and_readers_go_on() {
    let subject = Sqlite::new().await;
    let engine = subject.engine().as_ref();
    let journal = subject.path().with_extension("sqlite-wal");
    let mut greatest = 0;
    for n in 0..300_u32 {
        let batch =
            (0..4_u8).map(|m| writes([put([n.to_be_bytes().as_slice(), &[m]].concat(), vec![m; 250_000])]));
        assert_eq!(engine.apply(batch.collect()).await.unwrap(), [const { Ok(()) }; 4]);
        assert_eq!(seen(engine, &row([n.to_be_bytes().as_slice(), &[3]].concat())).await.unwrap().1, 1);
        greatest = greatest.max(std::fs::metadata(&journal).unwrap().len());
    }
    let written = 300 * 1_000_000;
    assert!(greatest < written * 9 / 10, "a journal of {greatest} bytes holds everything that was written");
    assert_eq!(all(engine, &ALPHA, ONE).await.len(), 1200);
    engine.check().await.unwrap();
}

#[tokio::test]
async fn a_reader_that_stays_holds_nobody_up() {
    let subject = Sqlite::new().await;
    let engine = subject.engine().as_ref();
    assert_eq!(one(engine, writes([put("k", "old")])).await, Ok(()));
    let mut view = engine.snapshot().await.unwrap();
    assert_eq!(view.get(&row("k")).await.unwrap().unwrap().value.as_bytes(), b"old");
    for n in 0..250_u32 {
        assert_eq!(one(engine, writes([put("k", vec![n as u8; 1_000_000])])).await, Ok(()));
    }
    assert_eq!(view.get(&row("k")).await.unwrap().unwrap().value.as_bytes(), b"old");
    drop(view);
    assert_eq!(seen(engine, &row("k")).await.unwrap().1, 251);
}

#[tokio::test]
async fn readers_beyond_the_pool_wait_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let engine =
        SqliteEngine::open(&SqliteOptions { readers: 2, ..SqliteOptions::new(folder.path().join("s")) });
    let engine = engine.unwrap();
    engine.prepare(&SPACES).await.unwrap();
    assert_eq!(one(&engine, writes([put("k", "v")])).await, Ok(()));
    let views = (engine.snapshot().await.unwrap(), engine.snapshot().await.unwrap());
    let name = row("k");
    let mut third = engine.get(&name);
    let waiting = std::future::poll_fn(|cx| std::task::Poll::Ready(third.as_mut().poll(cx).is_pending()));
    assert!(waiting.await, "both connections are lent");
    drop(views);
    assert_eq!(third.await.unwrap().unwrap().value.as_bytes(), b"v");
}

#[tokio::test]
async fn dropping_the_engine_closes_it() {
    let subject = Sqlite::new().await;
    let engine = Arc::clone(subject.engine());
    let path = subject.path();
    assert_eq!(one(engine.as_ref(), when([Precondition::Absent(row("k"))], [put("k", "v")])).await, Ok(()));
    subject.engine().close().await.unwrap();
    drop(engine);
    let again = SqliteEngine::open(&SqliteOptions::new(&path)).unwrap();
    again.prepare(&SPACES).await.unwrap();
    drop(again);
    let last = SqliteEngine::open(&SqliteOptions::new(&path)).unwrap();
    last.prepare(&SPACES).await.unwrap();
    assert_eq!(
        one(&last, when([Precondition::Absent(row("k"))], [])).await,
        Err(CommitError::Conflict { precondition: 0 })
    );
    let scan = Scan::prefix(&ALPHA, ONE, vec![], Direction::Forward, 1);
    assert_eq!(last.snapshot().await.unwrap().scan(&scan).await.unwrap().len(), 1);
}
