//! The second ceiling: records appended to one file, made durable by fdatasync, many records with one call (group commit).
//! Each producer waits until its own record is durable before it brings the next. No keys, no index, no sealing.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::args::CeilingLogArgs;
use crate::error::{Error, Result};
use crate::host::temp_folder;
use crate::measure::{Latencies, Stopwatch};

/// Bytes of a record: a sealed message of 200 bytes with its key.
const RECORD: usize = 300;

/// What was measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    /// Records made durable.
    pub(crate) records: u64,
    /// Records with one fdatasync, on average.
    pub(crate) records_per_sync: f64,
    /// Durable records each second.
    pub(crate) per_second: f64,
    /// Half of the records waited at most this long.
    pub(crate) p50_ms: f64,
    /// 99 of 100 records waited at most this long.
    pub(crate) p99_ms: f64,
}

/// What the producers bring and the writer takes.
#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    waiting: Vec<oneshot::Sender<()>>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Log {
    queue: Mutex<Queue>,
    filled: Condvar,
}

impl Log {
    /// Appends a record; the receiver hears when it is durable.
    fn append(&self, record: &[u8]) -> oneshot::Receiver<()> {
        let (durable, heard) = oneshot::channel();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.bytes.extend_from_slice(record);
        queue.waiting.push(durable);
        // The writer sleeps only on an empty queue.
        if queue.waiting.len() == 1 {
            self.filled.notify_one();
        }
        heard
    }

    fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.filled.notify_one();
    }

    /// Writes and syncs until the log is closed and empty; the number of syncs.
    fn write_to(&self, mut file: impl Durable) -> std::io::Result<u64> {
        let (mut bytes, mut waiting, mut syncs) = (Vec::new(), Vec::new(), 0);
        loop {
            {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                while queue.waiting.is_empty() {
                    if queue.closed {
                        return Ok(syncs);
                    }
                    queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                std::mem::swap(&mut queue.bytes, &mut bytes);
                std::mem::swap(&mut queue.waiting, &mut waiting);
            }
            file.write_durably(&bytes)?;
            syncs += 1;
            bytes.clear();
            for durable in waiting.drain(..) {
                let _ = durable.send(());
            }
        }
    }
}

/// Where bytes become durable; a seam for the tests.
trait Durable {
    fn write_durably(&mut self, bytes: &[u8]) -> std::io::Result<()>;
}

impl Durable for File {
    fn write_durably(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write_all(bytes)?;
        self.sync_data()
    }
}

/// Runs it once on a file under the folder of `args`.
pub(crate) async fn measure(args: &CeilingLogArgs) -> Result<Figures> {
    let folder = temp_folder(&args.dir)?;
    let file = File::create(folder.path().join("log")).map_err(|e| Error::io("make the log", e))?;
    file.sync_all().map_err(|e| Error::io("sync the log", e))?;
    run(file, args.producers, args.records, Duration::from_secs(args.seconds)).await
}

async fn run(
    file: impl Durable + Send + 'static,
    producers: usize,
    records: u64,
    limit: Duration,
) -> Result<Figures> {
    let log = Arc::new(Log::default());
    let writer = std::thread::spawn({
        let log = Arc::clone(&log);
        move || log.write_to(file)
    });
    let begun = Arc::new(AtomicU64::new(0));
    let watch = Stopwatch::start();
    let mut tasks = JoinSet::new();
    for _ in 0..producers {
        let (log, begun) = (Arc::clone(&log), Arc::clone(&begun));
        tasks.spawn(async move {
            let (record, mut latencies) = ([b'r'; RECORD], Latencies::default());
            while begun.fetch_add(1, Ordering::Relaxed) < records && watch.elapsed() < limit {
                let waited = Stopwatch::start();
                if log.append(&record).await.is_err() {
                    break;
                }
                latencies.push(waited.micros());
            }
            latencies
        });
    }
    let mut all = Latencies::default();
    for latencies in tasks.join_all().await {
        all.merge(latencies);
    }
    let seconds = watch.seconds();
    log.close();
    let written = writer.join().map_err(|_| Error::Server("the log's writer failed".into()))?;
    let syncs = written.map_err(|e| Error::io("write the log durably", e))?;
    let summary = all.summary();
    let records = u64::try_from(summary.count).unwrap_or(u64::MAX);
    Ok(Figures {
        records,
        records_per_sync: per(records, syncs),
        per_second: per(records, 1) / seconds,
        p50_ms: summary.p50_ms,
        p99_ms: summary.p99_ms,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^52")]
fn per(records: u64, syncs: u64) -> f64 {
    records as f64 / syncs.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_record_is_written_once_and_groups_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let limit = Duration::from_secs(30);
        let figures = run(File::create(&path).unwrap(), 16, 400, limit).await.unwrap();
        assert_eq!(figures.records, 400);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 400 * RECORD as u64);
        assert!(
            figures.records_per_sync >= 1.0 && figures.per_second > 0.0 && figures.p99_ms >= figures.p50_ms
        );
    }

    struct Failing(u32);

    impl Durable for Failing {
        fn write_durably(&mut self, _: &[u8]) -> std::io::Result<()> {
            self.0 = self.0.checked_sub(1).ok_or_else(|| std::io::Error::other("the disk is gone"))?;
            Ok(())
        }
    }

    #[test]
    fn a_record_that_never_became_durable_is_not_acknowledged() {
        let log = Log::default();
        let mut first = log.append(b"a");
        assert_eq!(first.try_recv(), Err(oneshot::error::TryRecvError::Empty), "not before the sync");
        log.close();
        assert_eq!(log.write_to(Failing(1)).unwrap(), 1);
        assert_eq!(first.try_recv(), Ok(()));

        let log = Log::default();
        let mut lost = log.append(b"b");
        assert!(log.write_to(Failing(0)).is_err());
        assert_eq!(lost.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[tokio::test]
    async fn time_bounds_it() {
        let figures = run(Failing(u32::MAX), 4, u64::MAX, Duration::from_millis(20)).await.unwrap();
        assert!(figures.records > 0);
    }
}
