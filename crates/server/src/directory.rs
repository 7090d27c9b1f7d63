//! Which resource a host name stands for. Holds no content: names, ids, geographies, and the keys that open the door.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base::{Geography, NetworkRules, Origins, ResourceId, TlsVersion};
use store::Cell;

use crate::http::host;
use crate::service::resources::{AccessKeys, CellTokens, Custody};
use crate::service::sms::senders::Senders;

/// One resource that this node serves.
pub struct ResourceEntry {
    id: ResourceId,
    name: String,
    cell: Cell,
    access_keys: AccessKeys,
    custody: Custody,
    tokens: Arc<CellTokens>,
    public_hosts: Vec<String>,
    senders: Senders,
    network: NetworkRules,
    minimum_tls: TlsVersion,
    origins: Origins,
}

impl ResourceEntry {
    /// A resource of `cell`. `public_hosts` are the names it has in front of a proxy, with a port where clients write
    /// one.
    #[must_use]
    pub fn new(
        id: ResourceId,
        name: String,
        cell: Cell,
        access_keys: AccessKeys,
        tokens: Arc<CellTokens>,
        public_hosts: Vec<String>,
    ) -> Self {
        Self {
            id,
            name,
            cell,
            access_keys,
            custody: Custody::default(),
            tokens,
            public_hosts,
            senders: Senders::default(),
            network: NetworkRules::default(),
            minimum_tls: TlsVersion::V1_2,
            origins: Origins::default(),
        }
    }

    /// The same with names and short codes that texts may be sent from.
    #[must_use]
    pub fn with_senders(mut self, senders: Senders) -> Self {
        self.senders = senders;
        self
    }

    /// Whether its keys are at hand: [`Custody::within_reach`].
    pub async fn is_within_reach(&self) -> bool {
        self.custody.within_reach(&self.cell, self.id).await
    }

    /// The same, its keys held as `custody` says.
    #[must_use]
    pub fn held_by(mut self, custody: Custody) -> Self {
        self.custody = custody;
        self
    }

    /// The same, reached only from where `network` says.
    #[must_use]
    pub fn with_network(mut self, network: NetworkRules) -> Self {
        self.network = network;
        self
    }

    /// The same, spoken to in this version of TLS or a newer one.
    #[must_use]
    pub const fn with_minimum_tls(mut self, version: TlsVersion) -> Self {
        self.minimum_tls = version;
        self
    }

    /// The same, spoken to by pages of these origins.
    #[must_use]
    pub fn with_origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Whose pages may speak to it.
    #[must_use]
    pub const fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Whether a connection speaks what is new enough: `None` is one that stays within the machine and needs no TLS.
    #[must_use]
    pub fn takes(&self, tls: Option<TlsVersion>) -> bool {
        tls.is_none_or(|version| version >= self.minimum_tls)
    }

    /// Whether it may be reached from `peer`. For anyone else it does not exist (law 6).
    #[must_use]
    pub fn admits(&self, peer: IpAddr) -> bool {
        self.network.admit(peer)
    }

    /// What it may send texts from, besides its numbers.
    #[must_use]
    pub const fn senders(&self) -> &Senders {
        &self.senders
    }

    /// Its id, the first half of all its users' ids.
    #[must_use]
    pub const fn id(&self) -> ResourceId {
        self.id
    }

    /// Its name, the first label of its host name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it lives.
    #[must_use]
    pub fn geography(&self) -> &Geography {
        self.cell.geography()
    }

    /// The cell it lives in.
    #[must_use]
    pub const fn cell(&self) -> &Cell {
        &self.cell
    }

    /// The keys that sign requests.
    #[must_use]
    pub const fn access_keys(&self) -> &AccessKeys {
        &self.access_keys
    }

    /// Who holds the keys above its content.
    #[must_use]
    pub const fn custody(&self) -> &Custody {
        &self.custody
    }

    /// The keys of its cell that sign and verify user tokens.
    #[must_use]
    pub fn tokens(&self) -> &CellTokens {
        &self.tokens
    }

    /// The names it has in front of a proxy.
    #[must_use]
    pub fn public_hosts(&self) -> &[String] {
        &self.public_hosts
    }
}

impl fmt::Debug for ResourceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceEntry")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The resources of this node by host name.
#[derive(Debug, Default)]
pub struct Directory {
    hosts: HashMap<String, Arc<ResourceEntry>>,
    resources: Vec<Arc<ResourceEntry>>,
}

impl Directory {
    /// Knows `resources`: each as `NAME.localhost` and by its public hosts, the first also as `localhost`, `127.0.0.1`
    /// and `[::1]`. Ports do not matter. Of two that claim one name the earlier has it.
    #[must_use]
    pub fn new(resources: Vec<Arc<ResourceEntry>>) -> Self {
        let mut hosts = HashMap::new();
        let mut claim = |name: &str, entry: &Arc<ResourceEntry>| {
            if let Some(name) = host::normal(name) {
                hosts.entry(name.into_owned()).or_insert_with(|| Arc::clone(entry));
            }
        };
        for entry in &resources {
            claim(&format!("{}.localhost", entry.name()), entry);
            entry.public_hosts().iter().for_each(|name| claim(name, entry));
        }
        if let Some(first) = resources.first() {
            ["localhost", "127.0.0.1", "[::1]"].iter().for_each(|name| claim(name, first));
        }
        Self { hosts, resources }
    }

    /// The resource that `host`, the value of a `Host` header, stands for.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<&Arc<ResourceEntry>> {
        self.hosts.get(&*host::normal(host)?)
    }

    /// All resources, the default one first.
    #[must_use]
    pub fn resources(&self) -> &[Arc<ResourceEntry>] {
        &self.resources
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::resources::{Wanted, ensure};
    use crate::testing::TestApp;

    async fn renamed(test: &TestApp, name: &str, public_hosts: &[&str]) -> Arc<ResourceEntry> {
        let like = test.resource();
        let hosts = public_hosts.iter().map(|host| (*host).to_owned()).collect();
        let (cell, tokens) = (like.cell().clone(), CellTokens::open(like.cell()).await.unwrap());
        let made = ensure(&cell, Wanted { name, id: None, first_key: None }).await.unwrap();
        let keys = made.access_keys;
        let entry = ResourceEntry::new(like.id(), name.to_owned(), cell, keys, Arc::new(tokens), hosts);
        Arc::new(entry)
    }

    #[tokio::test]
    async fn a_host_leads_to_one_resource_or_none() {
        let test = TestApp::new().await;
        let first = renamed(&test, "First", &["chat.example.org"]).await;
        let second =
            renamed(&test, "second", &["Chat.example.net:8443", "chat.example.org", "bad host"]).await;
        let directory = Directory::new(vec![first, second]);
        let found = |host: &str| directory.find(host).map(|entry| entry.name());
        for host in ["first.localhost", "localhost:1", "127.0.0.1", "[::1]", "chat.example.org:443"] {
            assert_eq!(found(host), Some("First"), "{host}");
        }
        for host in ["second.localhost.", "chat.example.net", "CHAT.EXAMPLE.NET:8443"] {
            assert_eq!(found(host), Some("second"), "{host}");
        }
        for host in ["first", "example.org", "bad host", "third.localhost", "127.0.0.2", ""] {
            assert_eq!(found(host), None, "{host}");
        }
        assert!(Directory::new(Vec::new()).find("localhost").is_none());
    }

    #[tokio::test]
    async fn its_debug_form_holds_no_key() {
        let test = TestApp::new().await;
        let shown = format!("{:?} {:?}", test.resource(), test.app.state().directory);
        let key = test.resource().access_keys().primary().unwrap();
        assert!(shown.contains("contoso") && !shown.contains(key.expose().as_str()));
    }
}
