//! Storage: engines that keep ordered rows of sealed bytes, group commit above them, and typed records above that. Only
//! sealed values reach an engine. It must never know what a chat is, and no plaintext leaves it for a disk.

pub mod cell;
pub mod codec;
pub mod commit;
pub mod engine;
pub mod error;
pub mod group;
pub mod keyspace;
pub mod scan;
pub mod scope;
pub mod testing;

pub use cell::{
    Cell, CellParts, Census, Draft, KeyGeneration, KeyRange, KeyServices, Keyspace, Opened, Reader, Sweep,
    Versioned, Walk,
};
pub use codec::{KeyCodec, KeyError, KeyPart, key_bytes};
pub use commit::{Commit, CommitError, Precondition, Row, RowKey, Write};
pub use engine::{Attendance, BoxFuture, Engine, EngineError, Exchange, Fates, NodeName, Snapshot};
pub use error::StoreError;
pub use group::{GroupCommit, GroupStats, Pending};
pub use keyspace::{Class, KeyspaceDef};
pub use scan::{Direction, MAX_SCAN, Scan};
pub use scope::{Scope, ScopeHandle};
