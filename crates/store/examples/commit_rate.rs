//! Measures what one store can take on this machine: durable commits per second, processor time for each, and bytes on
//! disk for each row. The load is that of chat messages: each commit puts one row (24-byte key, 313-byte value) and
//! expects three versions and the last key of its thread.
//!
//! ```text
//! cargo run --release -p store --example commit_rate -- [--producers 64] [--threads 1000] [--commits 300000]
//!     [--folder /where/the/disk/is] [--postgres "host=... user=..."]
//! ```
//!
//! Processor time is that of this process, the load's own part included; a PostgreSQL server's is not.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use base::{Clock, Limits, ResourceId, Rng, SeededRng, SystemClock};
use guard::{Sealed, SystemRng};
use store::engine::postgres::{PostgresEngine, PostgresOptions};
use store::engine::sqlite::{SqliteEngine, SqliteOptions};
use store::{Class, Commit, Engine, GroupCommit, KeyspaceDef, Precondition, RowKey, Write};
use tokio::task::JoinSet;

static MESSAGE: KeyspaceDef = KeyspaceDef { name: "rate_message", class: Class::Content };
static THREAD: KeyspaceDef = KeyspaceDef { name: "rate_thread", class: Class::Content };
static MEMBER: KeyspaceDef = KeyspaceDef { name: "rate_member", class: Class::Content };
static KEY: KeyspaceDef = KeyspaceDef { name: "rate_key", class: Class::Key };
static KEYSPACES: [&KeyspaceDef; 4] = [&MESSAGE, &THREAD, &MEMBER, &KEY];

const RESOURCE: ResourceId = ResourceId::from_bytes([7; 16]);
const VALUE: usize = 313;

type Failed = Box<dyn Error + Send + Sync>;

struct Load {
    producers: usize,
    threads: usize,
    commits: usize,
    folder: PathBuf,
    postgres: Option<String>,
}

impl Load {
    fn from_arguments() -> Result<Self, Failed> {
        let mut load = Self {
            producers: 64,
            threads: 1000,
            commits: 300_000,
            folder: PathBuf::from("."),
            postgres: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            match name.as_str() {
                "--producers" => load.producers = value.parse()?,
                "--threads" => load.threads = value.parse()?,
                "--commits" => load.commits = value.parse()?,
                "--folder" => load.folder = value.into(),
                "--postgres" => load.postgres = Some(value),
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        if load.producers == 0 || load.threads < load.producers {
            return Err("there must be at least one thread for each producer".into());
        }
        Ok(load)
    }
}

fn row(keyspace: &'static KeyspaceDef, key: Vec<u8>) -> RowKey {
    RowKey { keyspace, resource: RESOURCE, key }
}

/// A thread as its sender knows it.
struct Thread {
    id: [u8; 16],
    member: Vec<u8>,
    last: Option<Vec<u8>>,
    next: u64,
}

impl Thread {
    fn new(rng: &dyn Rng) -> Self {
        let (id, user) = (rng.id(), rng.id());
        Self { id, member: [id, user].concat(), last: None, next: 1_795_420_800_000 }
    }

    fn begin(&self) -> Commit {
        let value = || Sealed::from_stored(vec![1; 200]);
        let rows = [
            row(&THREAD, self.id.to_vec()),
            row(&MEMBER, self.member.clone()),
            row(&KEY, self.member.clone()),
        ];
        Commit { preconditions: vec![], writes: rows.map(|row| Write::Put(row, value())).to_vec() }
    }

    fn send(&mut self, rng: &SeededRng) -> Commit {
        let mut value = vec![0; VALUE];
        rng.fill(&mut value);
        self.next += 1 + rng.below(1000);
        let key = [&self.id[..], &self.next.to_be_bytes()].concat();
        let last = self.last.replace(key.clone());
        Commit {
            preconditions: vec![
                Precondition::VersionIs(row(&THREAD, self.id.to_vec()), 1),
                Precondition::VersionIs(row(&MEMBER, self.member.clone()), 1),
                Precondition::VersionIs(row(&KEY, self.member.clone()), 1),
                Precondition::LastIs {
                    keyspace: &MESSAGE,
                    resource: RESOURCE,
                    prefix: self.id.to_vec(),
                    last,
                },
            ],
            writes: vec![Write::Put(row(&MESSAGE, key), Sealed::from_stored(value))],
        }
    }
}

async fn produce(
    group: Arc<GroupCommit>,
    mut threads: Vec<Thread>,
    commits: usize,
    seed: u64,
) -> Result<(), Failed> {
    let rng = SeededRng::new(seed);
    for _ in 0..commits {
        let which = usize::try_from(rng.below(threads.len() as u64))?;
        group.submit(threads[which].send(&rng))?.await?;
    }
    Ok(())
}

/// Processor time of this process in microseconds, from the kernel's count in hundredths of a second.
fn processor() -> Result<u64, Failed> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("unreadable /proc/self/stat")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks =
        |at: usize| fields.get(at).ok_or("unreadable /proc/self/stat")?.parse::<u64>().map_err(Failed::from);
    Ok((ticks(11)? + ticks(12)?) * 10_000)
}

async fn measure(load: &Load, engine: Arc<dyn Engine>) -> Result<(), Failed> {
    engine.prepare(&KEYSPACES).await?;
    let group = Arc::new(GroupCommit::new(Arc::clone(&engine), &Limits::default()));
    let mut shares: Vec<Vec<Thread>> = (0..load.producers).map(|_| Vec::new()).collect();
    for n in 0..load.threads {
        let thread = Thread::new(&SystemRng);
        group.submit(thread.begin())?.await?;
        shares[n % load.producers].push(thread);
    }
    let (begun, used, before) = (SystemClock.now(), processor()?, group.stats());
    let each = load.commits / load.producers;
    let mut tasks = JoinSet::new();
    for (n, threads) in shares.into_iter().enumerate() {
        tasks.spawn(produce(Arc::clone(&group), threads, each, n as u64));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let (ended, used, after) = (SystemClock.now(), processor()? - used, group.stats());
    let commits = (each * load.producers) as f64;
    let seconds = ended.distance(begun).as_secs_f64();
    let merged = commits / (after.batches - before.batches) as f64;
    group.close().await;
    let name = engine.name();
    write!(std::io::stdout(), "{name}: {:.0} commits/s, ", commits / seconds)?;
    write!(std::io::stdout(), "{:.1} microseconds of processor each, ", used as f64 / commits)?;
    writeln!(std::io::stdout(), "{merged:.0} to a batch, {commits} in {seconds:.1} s")?;
    Ok(())
}

fn report_size(name: &str, load: &Load, bytes: u64) -> Result<(), Failed> {
    let rows = load.commits / load.producers * load.producers;
    let each = bytes as f64 / rows as f64;
    writeln!(std::io::stdout(), "{name}: {each:.0} bytes on disk for each row of 24 and {VALUE} bytes")?;
    Ok(())
}

async fn run(load: &Load) -> Result<(), Failed> {
    let path = load.folder.join(format!("commit_rate_{}.sqlite", std::process::id()));
    let engine = Arc::new(SqliteEngine::open(&SqliteOptions::new(&path))?);
    measure(load, Arc::clone(&engine) as _).await?;
    engine.close().await?;
    report_size("sqlite", load, std::fs::metadata(&path)?.len())?;
    for ending in ["", "-wal", "-shm", ".lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        // Those that are not there need no removing.
        let _ = std::fs::remove_file(name);
    }
    if let Some(url) = &load.postgres {
        let schema = format!("commit_rate_{}", std::process::id());
        let options = PostgresOptions { schema: Some(schema.clone()), ..PostgresOptions::new(url) };
        let engine = Arc::new(PostgresEngine::open(&options).await?);
        measure(load, Arc::clone(&engine) as _).await?;
        report_size("postgres", load, engine.size().await?)?;
        engine.close().await?;
        writeln!(
            std::io::stdout(),
            "postgres: the schema {schema} is left there; drop it when it is of no more use"
        )?;
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    let load = Load::from_arguments()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(&load))
}
