//! Random batches against an ordered map: finds what the other promises forgot. A failure names its seed and round.

use std::collections::BTreeMap;

use base::{ResourceId, Rng, SeededRng};
use store::{Commit, CommitError, Direction, KeyspaceDef, Precondition, RowKey, Scan, Write};

use crate::subject::{ALPHA, BETA, ONE, SPACES, Subject, TWO, all, conflict, sealed};

type Rows = BTreeMap<RowKey, (Vec<u8>, u64)>;

const SEEDS: u64 = 6;
const ROUNDS: u64 = 40;

/// What an engine should do, in the plainest way.
struct Model(Rows);

impl Model {
    fn holds(&self, need: &Precondition) -> bool {
        match need {
            Precondition::Absent(row) => !self.0.contains_key(row),
            Precondition::Exists(row) => self.0.contains_key(row),
            Precondition::VersionIs(row, version) => {
                self.0.get(row).is_some_and(|(_, found)| found == version)
            }
            Precondition::ValueIs(row, value) => {
                self.0.get(row).is_some_and(|(found, _)| found == value.as_bytes())
            }
            Precondition::LastIs { keyspace, resource, prefix, last } => {
                self.last(keyspace, *resource, prefix) == *last
            }
        }
    }

    fn last(&self, keyspace: &'static KeyspaceDef, resource: ResourceId, prefix: &[u8]) -> Option<Vec<u8>> {
        let of = |row: &&RowKey| {
            row.keyspace == keyspace && row.resource == resource && row.key.starts_with(prefix)
        };
        self.0.keys().filter(of).map(|row| row.key.clone()).max()
    }

    fn apply(&mut self, commit: &Commit) -> Result<(), CommitError> {
        if let Some(at) = commit.preconditions.iter().position(|need| !self.holds(need)) {
            return conflict(at);
        }
        for write in &commit.writes {
            match write {
                Write::Put(row, value) => {
                    let version = self.0.get(row).map_or(1, |(_, version)| version + 1);
                    self.0.insert(row.clone(), (value.as_bytes().to_vec(), version));
                }
                Write::Delete(row) => drop(self.0.remove(row)),
            }
        }
        Ok(())
    }

    fn all(&self, keyspace: &'static KeyspaceDef, resource: ResourceId) -> Vec<(Vec<u8>, Vec<u8>, u64)> {
        let mine = self.0.iter().filter(|(row, _)| row.keyspace == keyspace && row.resource == resource);
        mine.map(|(row, (value, version))| (row.key.clone(), value.clone(), *version)).collect()
    }
}

/// Few short keys, so that commits meet; edges of byte order among them.
fn key(rng: &SeededRng) -> Vec<u8> {
    let alphabet = [0, 1, 0xFE, 0xFF];
    (0..rng.below(4)).map(|_| alphabet[rng.below(4) as usize]).collect()
}

fn row(rng: &SeededRng) -> RowKey {
    let keyspace = if rng.below(3) == 0 { &BETA } else { &ALPHA };
    RowKey { keyspace, resource: if rng.below(4) == 0 { TWO } else { ONE }, key: key(rng) }
}

/// Mostly what holds before the batch, so that enough commits succeed.
fn need(rng: &SeededRng, model: &Model) -> Precondition {
    let row = row(rng);
    let lie = rng.below(6) == 0;
    let found = model.0.get(&row).map(|(_, version)| *version);
    let value = model.0.get(&row).map(|(value, _)| value.clone()).filter(|_| !lie).unwrap_or_default();
    match (rng.below(2), found) {
        (_, Some(_)) if rng.below(4) == 0 => Precondition::ValueIs(row, sealed(value)),
        (0, _) => {
            let prefix = row.key[..rng.below(row.key.len() as u64 + 1) as usize].to_vec();
            let last = if lie { Some(key(rng)) } else { model.last(row.keyspace, row.resource, &prefix) };
            Precondition::LastIs { keyspace: row.keyspace, resource: row.resource, prefix, last }
        }
        (_, Some(_)) if lie => Precondition::Absent(row),
        (_, Some(version)) if rng.below(2) == 0 => Precondition::VersionIs(row, version),
        (_, Some(_)) => Precondition::Exists(row),
        (_, None) if lie => Precondition::Exists(row),
        (_, None) => Precondition::Absent(row),
    }
}

fn commit(rng: &SeededRng, model: &Model) -> Commit {
    let preconditions = (0..rng.below(3)).map(|_| need(rng, model)).collect();
    let write = |_| match rng.below(3) {
        0 => Write::Delete(row(rng)),
        _ => Write::Put(row(rng), sealed(vec![rng.below(256) as u8; rng.below(20) as usize])),
    };
    Commit { preconditions, writes: (0..rng.below(4)).map(write).collect() }
}

pub(super) async fn agrees_with_a_map(subject: &mut impl Subject) {
    for seed in 0..SEEDS {
        let rng = SeededRng::new(seed);
        let mut model = Model(Rows::new());
        let rows: Vec<RowKey> = everything(subject).await;
        let clean = Commit { preconditions: vec![], writes: rows.into_iter().map(Write::Delete).collect() };
        assert_eq!(subject.engine().apply(vec![clean]).await.unwrap(), [Ok(())]);
        let mut happened = 0;
        for round in 0..ROUNDS {
            let batch: Vec<Commit> = (0..rng.below(12)).map(|_| commit(&rng, &model)).collect();
            let expected: Vec<_> = batch.iter().map(|one| model.apply(one)).collect();
            happened += expected.iter().filter(|fate| fate.is_ok()).count();
            let fates = subject.engine().apply(batch.clone()).await.unwrap();
            assert_eq!(fates, expected, "seed {seed}, round {round}: {batch:?}");
            compare(subject, &model, &rng, &format!("seed {seed}, round {round}")).await;
            if rng.below(20) == 0 {
                subject.reopen().await;
            }
        }
        assert!(happened > 50, "seed {seed}: too few commits happened to mean anything: {happened}");
    }
}

async fn everything(subject: &mut impl Subject) -> Vec<RowKey> {
    let mut found = Vec::new();
    for keyspace in SPACES {
        for resource in [ONE, TWO] {
            let rows = all(subject.engine().as_ref(), keyspace, resource).await;
            found.extend(rows.into_iter().map(|(key, ..)| RowKey { keyspace, resource, key }));
        }
    }
    found
}

async fn compare(subject: &mut impl Subject, model: &Model, rng: &SeededRng, at: &str) {
    let engine = subject.engine().as_ref();
    for keyspace in SPACES {
        for resource in [ONE, TWO] {
            assert_eq!(all(engine, keyspace, resource).await, model.all(keyspace, resource), "{at}");
        }
    }
    let mut view = engine.snapshot().await.unwrap();
    let asked: Vec<RowKey> = (0..5).map(|_| row(rng)).collect();
    let found = view.multi_get(&asked).await.unwrap();
    for (row, found) in asked.iter().zip(found) {
        let found = found.map(|row| (row.value.into_bytes(), row.version));
        assert_eq!(found.as_ref(), model.0.get(row), "{at}: {row:?}");
    }
    let row = row(rng);
    let limit = rng.below(4) as usize;
    let scan = Scan::prefix(row.keyspace, row.resource, row.key.clone(), Direction::Backward, limit);
    let mut expected = model.all(row.keyspace, row.resource);
    expected.retain(|(key, ..)| key.starts_with(&row.key));
    expected.reverse();
    expected.truncate(limit);
    let found = view.scan(&scan).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|row| (row.key, row.value.into_bytes(), row.version)).collect();
    assert_eq!(found, expected, "{at}: {scan:?}");
}
