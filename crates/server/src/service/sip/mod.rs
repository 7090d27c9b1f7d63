//! SIP routing of a resource: its trunks and its routes, kept for when calls come. One row, changed whole.

use base::{Clock, Personal, ResourceId, Rng};
use serde::{Deserialize, Serialize};
use store::{Cell, Class, Keyspace, KeyspaceDef, Scope, StoreError};
use thiserror::Error;

use super::audit::{self, Act, Target};

/// The most trunks of a resource.
pub const MAX_TRUNKS: usize = 250;

/// The configuration of each resource.
struct Configurations;

impl Keyspace for Configurations {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "sip_configuration", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = ();
    type Value = Configuration;

    fn scope((): &(), _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![Configurations::DEF]
}

/// A session border controller of the resource's owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// Its host name, in the letters it was given in. Two that differ only in case are one.
    pub fqdn: Personal<String>,
    /// The port it listens at.
    pub port: u16,
}

/// Where calls go that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// What it is for.
    pub description: Option<Personal<String>>,
    /// Its name.
    pub name: Personal<String>,
    /// A regular expression over the called number.
    pub number_pattern: Personal<String>,
    /// Trunks, tried in order.
    pub trunks: Vec<Personal<String>>,
}

/// The trunks and routes of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// In the order in which they were added.
    pub trunks: Vec<Trunk>,
    /// In the order in which they are tried.
    pub routes: Vec<Route>,
}

/// A change: what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// By host name: the port, or nothing to leave the former one.
    pub set: Vec<(String, Option<u16>)>,
    /// Host names of trunks to remove; one that is not there is passed over.
    pub remove: Vec<String>,
    /// All routes from now on.
    pub routes: Option<Vec<Route>>,
}

/// Why a configuration was not changed.
#[derive(Debug, Error)]
pub enum SipError {
    /// A route names a trunk that is not there, or that this change removes.
    #[error("a route names a trunk that is missing")]
    MissingTrunk,
    /// A new trunk has no port.
    #[error("a trunk has no port")]
    NoPort,
    /// More than [`MAX_TRUNKS`].
    #[error("too many trunks")]
    TooManyTrunks,
    /// Too many tries lost a race against others.
    #[error("too many concurrent changes")]
    Busy,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Configuration {
    /// This configuration with the change made.
    ///
    /// # Errors
    /// [`SipError::MissingTrunk`], [`SipError::NoPort`], [`SipError::TooManyTrunks`].
    fn changed(mut self, change: &Change) -> Result<Self, SipError> {
        let same = |trunk: &Trunk, name: &str| trunk.fqdn.expose().eq_ignore_ascii_case(name);
        self.trunks.retain(|trunk| !change.remove.iter().any(|name| same(trunk, name)));
        for (name, port) in &change.set {
            match self.trunks.iter_mut().find(|trunk| same(trunk, name)) {
                Some(trunk) => {
                    trunk.fqdn = name.clone().into();
                    trunk.port = port.unwrap_or(trunk.port);
                }
                None => {
                    self.trunks
                        .push(Trunk { fqdn: name.clone().into(), port: port.ok_or(SipError::NoPort)? });
                }
            }
        }
        if self.trunks.len() > MAX_TRUNKS {
            return Err(SipError::TooManyTrunks);
        }
        if let Some(routes) = &change.routes {
            self.routes.clone_from(routes);
        }
        let there = |name: &Personal<String>| self.trunks.iter().any(|trunk| same(trunk, name.expose()));
        if self.routes.iter().all(|route| route.trunks.iter().all(there)) {
            Ok(self)
        } else {
            Err(SipError::MissingTrunk)
        }
    }
}

/// The SIP configuration of one resource, at the service of one caller.
pub struct SipDesk<'a> {
    /// The cell that the resource lives in.
    pub cell: &'a Cell,
    /// The resource.
    pub resource: ResourceId,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The dice.
    pub rng: &'a dyn Rng,
    /// Who does what.
    pub act: Act,
    /// How often a commit that lost a race is built anew.
    pub attempts: usize,
}

impl SipDesk<'_> {
    /// The configuration; an empty one when none was made.
    ///
    /// # Errors
    /// [`SipError::Store`].
    pub async fn configuration(&self) -> Result<Configuration, SipError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.get::<Configurations>(&()).await?;
        Ok(found.map(|found| found.value).unwrap_or_default())
    }

    /// Changes the configuration, all or nothing, and gives back the whole of it.
    ///
    /// # Errors
    /// [`SipError`].
    pub async fn change(&self, change: &Change) -> Result<Configuration, SipError> {
        for _ in 0..self.attempts.max(1) {
            match self.change_once(change).await {
                Err(SipError::Store(StoreError::Conflict)) => {}
                done => return done,
            }
        }
        Err(SipError::Busy)
    }

    async fn change_once(&self, change: &Change) -> Result<Configuration, SipError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.get::<Configurations>(&()).await?;
        let mut draft = reader.draft();
        drop(reader);
        let former = match found {
            Some(found) => {
                draft.expect_version::<Configurations>(&(), found.version);
                found.value
            }
            None => {
                draft.expect_absent::<Configurations>(&());
                Configuration::default()
            }
        };
        let configuration = former.changed(change)?;
        draft.put_in_resource::<Configurations>(&(), &configuration, &[])?;
        let target = Target::Resource(self.resource);
        audit::record(&mut draft, self.act, target, self.clock.now(), self.rng)?;
        draft.commit().await?;
        Ok(configuration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, trunks: &[&str]) -> Route {
        Route {
            description: None,
            name: name.to_owned().into(),
            number_pattern: "x".to_owned().into(),
            trunks: trunks.iter().map(|name| (*name).to_owned().into()).collect(),
        }
    }

    fn set(trunks: &[(&str, Option<u16>)]) -> Change {
        let set = trunks.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        Change { set, ..Change::default() }
    }

    fn shown(configuration: &Configuration) -> Vec<(&str, u16)> {
        configuration.trunks.iter().map(|trunk| (trunk.fqdn.expose().as_str(), trunk.port)).collect()
    }

    #[test]
    fn changes_are_merged() {
        let first = Configuration::default().changed(&set(&[("b.x", Some(1)), ("a.x", Some(2))])).unwrap();
        assert_eq!(shown(&first), [("b.x", 1), ("a.x", 2)]);
        let second = first.changed(&set(&[("A.x", Some(3)), ("b.x", None), ("c.x", Some(4))])).unwrap();
        assert_eq!(shown(&second), [("b.x", 1), ("A.x", 3), ("c.x", 4)]);
        let remove = vec!["B.X".to_owned(), "unknown.x".to_owned()];
        let third = second.changed(&Change { remove, ..Change::default() }).unwrap();
        assert_eq!(shown(&third), [("A.x", 3), ("c.x", 4)]);
        assert!(matches!(third.changed(&set(&[("d.x", None)])), Err(SipError::NoPort)));
    }

    #[test]
    fn routes_are_replaced_whole_and_name_trunks_that_are_there() {
        let change =
            Change { routes: Some(vec![route("2", &["a.x"]), route("1", &[])]), ..set(&[("A.x", Some(1))]) };
        let both = Configuration::default().changed(&change).unwrap();
        let names: Vec<_> = both.routes.iter().map(|route| route.name.expose().as_str()).collect();
        assert_eq!(names, ["2", "1"], "the order is kept");
        let gone = Change { remove: vec!["a.x".into()], ..Change::default() };
        assert!(matches!(both.clone().changed(&gone), Err(SipError::MissingTrunk)));
        let unused = Change { routes: Some(vec![route("1", &[])]), ..gone };
        assert_eq!(both.clone().changed(&unused).unwrap().trunks, []);
        let unknown = Change { routes: Some(vec![route("1", &["b.x"])]), ..Change::default() };
        assert!(matches!(both.changed(&unknown), Err(SipError::MissingTrunk)));
    }

    #[test]
    fn trunks_at_and_past_their_number() {
        let names: Vec<_> = (0..=MAX_TRUNKS).map(|n| format!("t{n}.x")).collect();
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), Some(1))).collect();
        let full = Configuration::default().changed(&set(&all[..MAX_TRUNKS])).unwrap();
        assert!(matches!(full.changed(&set(&all)), Err(SipError::TooManyTrunks)));
    }
}
