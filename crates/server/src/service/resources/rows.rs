//! What is kept of resources.
//!
//! | keyspace | key | value | key that seals it |
//! |---|---|---|---|
//! | `resource_register` | blind index of the name (in the cell's register) | id, name, access keys | the cell's |
//! | `access_key_use` | the same, and which key | when it was last used | the cell's |
//! | `key_custody` | id (in the cell's register) | whether its customer's key is within reach | the cell's |
//! | `resource` | 0 | what the register holds now: written up to 0.3, moved when it is found | the resource's |
//!
//! The register rests under the cell's key: who asks must be known while a resource's own key is out of reach, so that
//! those who may know are told, and nobody else (law 6).

use std::fmt;

use base::{ResourceId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};

/// Where a resource is in the register.
pub(super) type Place = [u8; 16];

/// The resources of a cell.
pub struct Register;

impl Keyspace for Register {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "resource_register", class: Class::Key };
    const FORMAT: u8 = 1;
    type Key = Place;
    type Value = ResourceRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// When access keys were last used.
pub(super) struct Uses;

impl Keyspace for Uses {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "access_key_use", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = (Place, u32);
    type Value = Timestamp;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// What is kept of a resource.
#[derive(Clone, Serialize, Deserialize)]
pub struct ResourceRow {
    pub(super) id: ResourceId,
    pub(super) name: String,
    pub(super) created_on: Timestamp,
    /// The first and the second.
    pub(super) keys: Vec<KeyRow>,
}

/// One access key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct KeyRow {
    /// Standard base64.
    pub(super) text: String,
    pub(super) since: Timestamp,
}

impl fmt::Debug for ResourceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceRow").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether customers' keys are within reach.
pub(super) struct Custodies;

impl Keyspace for Custodies {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "key_custody", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = [u8; 16];
    type Value = CustodyRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// What became of a customer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// The key service opens with it.
    Available,
    /// Its owner disabled it, and can enable it again.
    Disabled,
    /// Its owner deleted it, or it never was.
    Deleted,
}

/// Where a customer's key stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustodyRow {
    /// Whether it is within reach.
    pub reach: Reach,
    /// Since when.
    pub since: Timestamp,
    /// Whether the alert of it was delivered, where there is somebody to tell.
    pub(super) is_told: bool,
}

/// Where [`ResourceRow`]s were before there was a register.
pub(super) struct Former;

impl Keyspace for Former {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "resource", class: Class::Key };
    const FORMAT: u8 = 1;
    type Key = u32;
    type Value = FormerRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// There was one row of each resource.
pub(super) const ONLY: u32 = 0;

/// What was kept of a resource.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct FormerRow {
    pub(super) name: String,
    pub(super) created_on: Timestamp,
    pub(super) keys: Vec<String>,
}

impl FormerRow {
    /// What the register holds of it.
    pub(super) fn registered(self, id: ResourceId) -> ResourceRow {
        let since = self.created_on;
        let keys = self.keys.into_iter().map(|text| KeyRow { text, since }).collect();
        ResourceRow { id, name: self.name, created_on: since, keys }
    }
}
