//! A whole cell in memory, for the tests of the layers above. Not for production: nothing of it outlives the process.

use std::sync::Arc;

use base::{Clock, Limits, Rng};
use guard::LocalKms;

use crate::cell::{Cell, CellParts, KeyServices};
use crate::engine::Engine;
use crate::engine::memory::MemoryEngine;
use crate::keyspace::KeyspaceDef;

/// A new cell in the geography `europe` on the memory engine, without faults.
///
/// # Panics
/// When a keyspace is malformed or declared twice.
pub async fn memory_cell(
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    keyspaces: &[&'static KeyspaceDef],
) -> Cell {
    cell_on(Arc::new(MemoryEngine::new()), clock, rng, keyspaces).await
}

/// A new cell in the geography `europe` on any engine, with a key service that lives as long as the cell: what an
/// earlier cell stored cannot be read.
///
/// # Panics
/// When the cell cannot be opened.
pub async fn cell_on(
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    keyspaces: &[&'static KeyspaceDef],
) -> Cell {
    let parts = CellParts {
        geography: "europe".parse().expect("a geography of ACS"),
        engine,
        kms: KeyServices::new(Arc::new(LocalKms::in_memory(&*rng))),
        clock,
        rng,
        limits: &Limits::default(),
        keyspaces,
    };
    Cell::open(parts).await.expect("a cell for tests opens")
}
