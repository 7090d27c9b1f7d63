//! What only a server can suffer: restarts, unsafe settings, two nodes, lost connections.

use std::sync::Arc;

use store::engine::postgres::{PostgresEngine, PostgresOptions};
use store::{CommitError, Engine, EngineError, GroupCommit, Precondition};
use tokio_postgres::NoTls;

use crate::subject::{
    ALPHA, ONE, Postgres, SPACES, Subject, all, conflict, delete, last_is, one, postgres_url, put, row, seen,
    when, writes,
};

/// Runs SQL beside the engine, as an administrator would.
pub(crate) async fn administer(sql: &str) {
    let (client, connection) = tokio_postgres::connect(&postgres_url(), NoTls).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

/// Ends every connection of the engine, as a restarted server does.
async fn disconnect(subject: &Postgres) {
    let schema = subject.options().schema.as_ref().unwrap();
    administer(&format!(
        "SELECT pg_terminate_backend(a.pid, 10000) FROM pg_stat_activity a \
         WHERE a.application_name = 'chancery_{schema}' AND a.pid <> pg_backend_pid()"
    ))
    .await;
}

async fn named(subject: &Postgres) -> PostgresEngine {
    let schema = subject.options().schema.clone().unwrap();
    let url = format!("{} application_name=chancery_{schema}", postgres_url());
    let options = PostgresOptions { schema: Some(schema), ..PostgresOptions::new(url) };
    let engine = PostgresEngine::open(&options).await.unwrap();
    engine.prepare(&SPACES).await.unwrap();
    engine
}

#[tokio::test]
async fn connections_that_were_lost_are_made_again() {
    let subject = Postgres::new().await;
    let engine = named(&subject).await;
    for round in 1..=3_u64 {
        assert_eq!(one(&engine, writes([put("k", [round as u8])])).await, Ok(()));
        let mut view = engine.snapshot().await.unwrap();
        assert!(view.get(&row("k")).await.unwrap().is_some());
        disconnect(&subject).await;
        assert!(matches!(view.get(&row("k")).await, Err(EngineError::Unavailable(_))));
        drop(view);
        // The first use may find the loss; the next one never does.
        let mut tries = 0;
        while engine.apply(vec![writes([put("again", "v")])]).await.is_err() {
            tries += 1;
            assert!(tries <= 2, "it does not connect again");
        }
        while engine.get(&row("k")).await.is_err() {
            tries += 1;
            assert!(tries <= 4, "readers do not connect again");
        }
        assert_eq!(seen(&engine, &row("k")).await, Some((vec![round as u8], round)));
    }
}

#[tokio::test]
async fn a_group_outlives_lost_connections_and_loses_nothing_it_acknowledged() {
    let subject = Postgres::new().await;
    let engine: Arc<dyn Engine> = Arc::new(named(&subject).await);
    let group = GroupCommit::new(Arc::clone(&engine), &base::Limits::default());
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for n in 0..120_u8 {
        let pending = group.submit(writes([put([n], "v"), put([n, n], "v")])).unwrap();
        if n % 20 == 10 {
            disconnect(&subject).await;
        }
        match pending.await {
            Ok(()) => acknowledged.push(n),
            Err(CommitError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        acknowledged.len() > 80 && refused <= 12,
        "{} acknowledged, {refused} refused",
        acknowledged.len()
    );
    let rows: Vec<Vec<u8>> =
        all(engine.as_ref(), &ALPHA, ONE).await.into_iter().map(|(key, ..)| key).collect();
    for n in 0..120_u8 {
        let there = (rows.contains(&vec![n]), rows.contains(&vec![n, n]));
        assert_eq!(there.0, there.1, "half of the commit {n}");
        assert!(there.0 || !acknowledged.contains(&n), "the acknowledged commit {n} is lost");
    }
    group.close().await;
}

#[tokio::test]
async fn two_nodes_on_one_schema_take_turns() {
    let subject = Postgres::new().await;
    let other = named(&subject).await;
    let nodes: [&dyn Engine; 2] = [subject.engine().as_ref(), &other];
    let append = |engine: usize| {
        let engine = nodes[engine];
        async move {
            let mut mine = Vec::new();
            while mine.len() < 40 {
                let rows = all(engine, &ALPHA, ONE).await;
                let last = rows.last().map(|(key, ..)| key.clone());
                let next = last.as_ref().map_or(0, |key| u32::from_be_bytes(key[..].try_into().unwrap()) + 1);
                let commit = when([last_is("", last.as_deref())], [put(next.to_be_bytes(), "v")]);
                if one(engine, commit).await.is_ok() {
                    mine.push(next);
                }
            }
            mine
        }
    };
    let (first, second) = tokio::join!(append(0), append(1));
    let mut numbers: Vec<u32> = [first, second].concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..80).collect::<Vec<_>>(), "each number was given once");
    other.close().await.unwrap();
}

#[tokio::test]
async fn unsafe_settings_are_refused() {
    let url = format!("{} options='-c synchronous_commit=off'", postgres_url());
    let engine = PostgresEngine::open(&PostgresOptions::new(url)).await;
    // The session's own setting wins over an unsafe default, and is what is looked at.
    engine.expect("synchronous_commit is turned on by the engine").close().await.unwrap();
    let subject = Postgres::new().await;
    let schema = subject.options().schema.clone().unwrap();
    administer(&format!("UPDATE {schema}.chancery_store SET format = 9")).await;
    let error = PostgresEngine::open(subject.options()).await.err().unwrap();
    assert!(matches!(error, EngineError::Format { found: 9, expected: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_so() {
    let options = PostgresOptions::new("host=127.0.0.1 port=1 user=nobody password=hunter2 dbname=none");
    let error = PostgresEngine::open(&options).await.err().unwrap();
    assert!(matches!(error, EngineError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("postgresql") && !error.to_string().contains("hunter2"), "{error}");
    let odd = PostgresOptions { schema: Some("a b".into()), ..PostgresOptions::new(postgres_url()) };
    assert!(PostgresEngine::open(&odd).await.err().unwrap().to_string().contains("schema"));
}

#[tokio::test]
async fn a_batch_that_was_given_up_leaves_nothing() {
    let subject = Postgres::new().await;
    let engine = subject.engine().as_ref();
    assert_eq!(one(engine, writes([put("k", "1")])).await, Ok(()));
    let schema = subject.options().schema.as_ref().unwrap();
    let (holder, connection) = tokio_postgres::connect(&postgres_url(), NoTls).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    let lock = format!("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('chancery {schema}', 0))");
    holder.batch_execute(&lock).await.unwrap();
    // Waits behind the other node's lock; whoever asked goes away.
    let mut given_up = engine.apply(vec![writes([put("k", "2")])]);
    for _ in 0..50 {
        let pending =
            std::future::poll_fn(|cx| std::task::Poll::Ready(given_up.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
        holder.batch_execute("SELECT 1").await.unwrap();
    }
    drop(given_up);
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(one(engine, when([Precondition::VersionIs(row("k"), 1)], [put("k", "3")])).await, Ok(()));
    assert_eq!(seen(engine, &row("k")).await, Some((b"3".to_vec(), 2)));
}

#[tokio::test]
async fn views_give_their_connections_back_clean() {
    let subject = Postgres::new().await;
    let options = PostgresOptions { readers: 1, ..subject.options().clone() };
    let engine = PostgresEngine::open(&options).await.unwrap();
    engine.prepare(&SPACES).await.unwrap();
    for n in 1..=5_u64 {
        assert_eq!(one(&engine, writes([put("k", "v"), delete("other")])).await, Ok(()));
        let mut view = engine.snapshot().await.unwrap();
        assert_eq!(view.get(&row("k")).await.unwrap().unwrap().version, n, "not an older moment");
        drop(view);
        drop(engine.snapshot().await.unwrap());
        assert_eq!(seen(&engine, &row("k")).await.unwrap().1, n);
    }
    assert_eq!(one(&engine, when([Precondition::Absent(row("k"))], [])).await, conflict(0));
}

#[tokio::test]
async fn tables_written_anew_hold_what_they_held() {
    let subject = Postgres::new().await;
    let engine = named(&subject).await;
    for n in 0..200_u8 {
        assert_eq!(one(&engine, writes([put("k", [n]), put(format!("gone {n}"), "x")])).await, Ok(()));
        assert_eq!(one(&engine, writes([delete(format!("gone {n}"))])).await, Ok(()));
    }
    let tables = engine.tables();
    assert_eq!(tables.len(), SPACES.len());
    for table in &tables {
        let rewritten = engine.rewrite(table).await.unwrap();
        assert!(rewritten.after <= rewritten.before, "{table}: {rewritten:?}");
    }
    assert_eq!(seen(&engine, &row("k")).await, Some((vec![199], 200)));
    assert_eq!(one(&engine, writes([put("k", "still")])).await, Ok(()));
    assert!(matches!(engine.rewrite("nothing").await, Err(EngineError::UnknownKeyspace("nothing"))));
    // That of with-postgres lets go of its journal.
    engine.let_go_of_journal().await.unwrap();
}

/// The lock is let go only when the rewrite has given up: it waits for its ten seconds and not for ever.
#[tokio::test]
async fn a_table_that_stays_in_use_is_left_as_it_was() {
    let subject = Postgres::new().await;
    let engine = named(&subject).await;
    assert_eq!(one(&engine, writes([put("k", "v")])).await, Ok(()));
    let schema = subject.options().schema.as_ref().unwrap();
    let (client, connection) = tokio_postgres::connect(&postgres_url(), NoTls).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    let table = format!("{schema}.ks_{}", ALPHA.name);
    client.batch_execute(&format!("BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE")).await.unwrap();
    assert!(matches!(engine.rewrite(ALPHA.name).await, Err(EngineError::Unavailable(_))));
    assert_eq!(seen(&engine, &row("k")).await, Some((b"v".to_vec(), 1)));
    client.batch_execute("COMMIT").await.unwrap();
    assert!(engine.rewrite(ALPHA.name).await.unwrap().after > 0);
    assert_eq!(seen(&engine, &row("k")).await, Some((b"v".to_vec(), 1)));
}
