//! Names and passwords by which programs submit mail by SMTP, and who they may be there.
//!
//! A name belongs to one resource, and no two resources of a cell share one: the cell's register leads from a name to its
//! resource, so that who logs in need not say which it is. Rows hold the keyed hash of a name; the name itself is sealed.

use std::sync::{Arc, Mutex, PoisonError};

use base::limits::{MAX_SMTP_NAME, MAX_SMTP_USERS, MIN_SMTP_PASSWORD};
use base::{BoundedCache, Personal, ResourceId, Rng, Secret, Timestamp};
use guard::password::{self, PasswordHash};
use post::mail::Address;
use serde::{Deserialize, Serialize};
use store::{Cell, Class, Direction, KeyRange, Keyspace, KeyspaceDef, Scope, StoreError};
use tokio::sync::Semaphore;

use super::rows::Hash;
use super::{MailDesk, MailError, audit, retry};
use crate::directory::{Directory, ResourceEntry};

/// The meaning of the keyed hash of a name.
const NAME: &str = "smtp user";
/// How many passwords are hashed at a time: the work of guessers must not take every core.
const AT_A_TIME: usize = 2;
/// How many logins are remembered, so that each session need not hash again.
const REMEMBERED: usize = 1_024;

/// Who may log in, by the hash of the name.
pub(crate) struct Users;

impl Keyspace for Users {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "smtp_user", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = Hash;
    type Value = UserRow;

    fn scope(_key: &Hash, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// Whose a name is, in the cell's register.
pub(crate) struct Names;

impl Keyspace for Names {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "smtp_name", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = Hash;
    type Value = ResourceId;

    fn scope(_key: &Hash, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// One who may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserRow {
    pub(crate) name: Personal<String>,
    pub(crate) password: PasswordHash,
    /// The directory application and its tenant, where the operator names them, as ACS binds a name to them.
    pub(crate) application: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) since: Timestamp,
}

/// Names one who may log in, without telling the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmtpUserId(Hash);

impl SmtpUserId {
    /// As 32 hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        base::hex(&self.0)
    }

    /// Reads what [`SmtpUserId::to_hex`] wrote.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

/// One who may log in, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpUser {
    /// Its id.
    pub id: SmtpUserId,
    /// The name.
    pub name: Personal<String>,
    /// The directory application it stands for.
    pub application: Option<String>,
    /// The tenant of that application.
    pub tenant: Option<String>,
    /// When its password was set.
    pub since: Timestamp,
}

/// One who shall be able to log in.
#[derive(Clone, Debug)]
pub struct NewSmtpUser {
    /// The name; without one it is `<resource>|<application>|<tenant>`, as ACS has it.
    pub name: Option<Personal<String>>,
    /// The directory application.
    pub application: Option<String>,
    /// Its tenant.
    pub tenant: Option<String>,
    /// The password; without one it is made.
    pub password: Option<Secret<String>>,
}

/// Somebody who logged in. It holds until the password is set anew or the user is deleted: ask [`MailDesk::still_in`].
#[derive(Clone, Debug)]
pub struct Login {
    /// The resource.
    pub resource: Arc<ResourceEntry>,
    user: Hash,
    password: PasswordHash,
}

/// Checks passwords, a few at a time.
pub struct Logins {
    turns: Semaphore,
    key: [u8; 32],
    known: Mutex<BoundedCache<[u8; 32], ()>>,
}

impl Logins {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(rng: &dyn Rng) -> Self {
        let mut key = [0; 32];
        rng.fill(&mut key);
        Self { turns: Semaphore::new(AT_A_TIME), key, known: Mutex::new(BoundedCache::new(REMEMBERED)) }
    }

    /// Who offers `name` and `password`; `None` when that is nobody. It takes as long either way.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn check(
        &self,
        directory: &Directory,
        name: &Personal<String>,
        password: Secret<String>,
    ) -> Result<Option<Login>, StoreError> {
        let found = if is_name(name.expose()) { find_either(directory, name).await? } else { None };
        let kept = found.as_ref().map_or_else(PasswordHash::nobody, |(_, row)| row.password.clone());
        let good = self.is(kept.clone(), password).await;
        Ok(found.filter(|_| good).map(|((resource, user), _)| Login { resource, user, password: kept }))
    }

    async fn is(&self, kept: PasswordHash, password: Secret<String>) -> bool {
        let print = kept.fingerprint(&self.key, &password);
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&print).is_some() {
            return true;
        }
        // Never closed; were it, nobody would get in.
        let Ok(_turn) = self.turns.acquire().await else { return false };
        let good = tokio::task::spawn_blocking(move || kept.is(&password)).await.unwrap_or(false);
        if good {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(print, ());
        }
        good
    }
}

/// By the name itself, or with dots for bars, as older clients write `resource.application.tenant`.
async fn find_either(directory: &Directory, name: &Personal<String>) -> Result<Option<Found>, StoreError> {
    let found = find(directory, name).await?;
    let text = name.expose();
    if found.is_some() || text.contains(['|', '@']) || text.matches('.').count() != 2 {
        return Ok(found);
    }
    find(directory, &text.replace('.', "|").into()).await
}

type Found = ((Arc<ResourceEntry>, Hash), UserRow);

/// Whose name it is, in whichever cell of this node.
async fn find(directory: &Directory, name: &Personal<String>) -> Result<Option<Found>, StoreError> {
    let mut asked = Vec::new();
    for entry in directory.resources() {
        let cell = entry.cell();
        if asked.contains(&cell.geography()) {
            continue;
        }
        asked.push(cell.geography());
        let Some(id) = holder(cell, name).await? else { continue };
        let Some(entry) = directory.resources().iter().find(|one| one.id() == id) else { continue };
        let hash = cell.blind_index(id, NAME, folded(name).as_bytes()).await?;
        if let Some(row) = cell.read(id).await?.get::<Users>(&hash).await? {
            return Ok(Some(((Arc::clone(entry), hash), row.value)));
        }
    }
    Ok(None)
}

async fn holder(cell: &Cell, name: &Personal<String>) -> Result<Option<ResourceId>, StoreError> {
    let hash = cell.blind_index(ResourceId::CELL, NAME, folded(name).as_bytes()).await?;
    Ok(cell.read(ResourceId::CELL).await?.get::<Names>(&hash).await?.map(|row| row.value))
}

fn folded(name: &Personal<String>) -> String {
    name.expose().to_ascii_lowercase()
}

/// Printable ASCII without blanks: what every client can send.
fn is_name(name: &str) -> bool {
    (1..=MAX_SMTP_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
}

impl MailDesk<'_> {
    /// Lets somebody log in, or gives who may a new password; tells the password, this once.
    ///
    /// # Errors
    /// [`MailError::Property`] for a name that is none or is another resource's, or a password that is too short;
    /// [`MailError::TooMany`]; [`MailError::Store`].
    pub async fn put_smtp_user(&self, new: NewSmtpUser) -> Result<(SmtpUser, Secret<String>), MailError> {
        let name = self.name_of(&new)?;
        let password = new.password.unwrap_or_else(|| password::generate(self.rng));
        if password.expose().chars().count() < MIN_SMTP_PASSWORD {
            return Err(MailError::Property("password".to_owned()));
        }
        let row = UserRow {
            name: name.clone(),
            password: PasswordHash::new(&password, self.rng),
            application: new.application,
            tenant: new.tenant,
            since: self.clock.now(),
        };
        let user = retry!(self, self.put_user_once(&name, &row))?;
        Ok((user, password))
    }

    async fn put_user_once(&self, name: &Personal<String>, row: &UserRow) -> Result<SmtpUser, MailError> {
        let key = self.hash(NAME, &folded(name)).await?;
        let mut reader = self.reader().await?;
        let known = reader.scan_keys::<Users>(KeyRange::all(), Direction::Forward, MAX_SMTP_USERS).await?;
        let mut draft = reader.draft();
        drop(reader);
        match known.iter().find(|(one, _, _)| *one == key) {
            Some((_, version, _)) => draft.expect_version::<Users>(&key, *version),
            None if known.len() >= MAX_SMTP_USERS => {
                return Err(MailError::TooMany { what: "SMTP users", limit: MAX_SMTP_USERS });
            }
            None => {
                draft.expect_absent::<Users>(&key);
                let cell = self.cell();
                let register = cell.blind_index(ResourceId::CELL, NAME, folded(name).as_bytes()).await?;
                if cell.read(ResourceId::CELL).await?.get::<Names>(&register).await?.is_some() {
                    return Err(MailError::Property("username".to_owned()));
                }
                let mut names = cell.draft(ResourceId::CELL).await?;
                names.expect_absent::<Names>(&register);
                names.put_in_resource::<Names>(&register, &self.id(), &[])?;
                draft.join(names)?;
            }
        }
        draft.put_in_resource::<Users>(&key, row, &[])?;
        audit(self, &mut draft)?;
        draft.commit().await?;
        Ok(told(key, row.clone()))
    }

    fn name_of(&self, new: &NewSmtpUser) -> Result<Personal<String>, MailError> {
        let own = self.resource.name();
        let wrong = || MailError::Property("username".to_owned());
        let name = match (&new.name, &new.application, &new.tenant) {
            (Some(name), _, _) => name.clone(),
            (None, Some(application), Some(tenant)) => format!("{own}|{application}|{tenant}").into(),
            _ => return Err(wrong()),
        };
        // A name that begins with a resource's is that resource's.
        let foreign =
            name.expose().split_once('|').is_some_and(|(first, _)| !first.eq_ignore_ascii_case(own));
        if !is_name(name.expose()) || foreign { Err(wrong()) } else { Ok(name) }
    }

    /// All who may log in.
    ///
    /// # Errors
    /// [`MailError::Store`].
    pub async fn smtp_users(&self) -> Result<Vec<SmtpUser>, MailError> {
        let mut reader = self.reader().await?;
        let rows = reader.scan::<Users>(KeyRange::all(), Direction::Forward, MAX_SMTP_USERS).await?;
        let mut draft = reader.draft();
        drop(reader);
        audit(self, &mut draft)?;
        if self.act.name.is_some() {
            draft.commit().await?;
        }
        Ok(rows.into_iter().filter_map(|(key, row)| Some(told(key, row.value()?.value))).collect())
    }

    /// Lets `id` in no more, also when it could not get in before; sessions that it began end with their next mail.
    ///
    /// # Errors
    /// [`MailError::Store`].
    pub async fn delete_smtp_user(&self, id: SmtpUserId) -> Result<(), MailError> {
        retry!(self, async {
            let mut reader = self.reader().await?;
            let found = reader.get::<Users>(&id.0).await?;
            let mut draft = reader.draft();
            drop(reader);
            if let Some(row) = found {
                draft.expect_version::<Users>(&id.0, row.version);
                draft.delete::<Users>(&id.0);
                let name = folded(&row.value.name);
                let register = self.cell().blind_index(ResourceId::CELL, NAME, name.as_bytes()).await?;
                let mut names = self.cell().draft(ResourceId::CELL).await?;
                names.delete::<Names>(&register);
                draft.join(names)?;
            } else {
                draft.expect_absent::<Users>(&id.0);
            }
            audit(self, &mut draft)?;
            Ok(draft.commit().await?)
        })
    }

    /// Whether a login still holds (law 9).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn still_in(&self, login: &Login) -> Result<bool, StoreError> {
        let row = self.reader().await?.get::<Users>(&login.user).await?;
        Ok(row.is_some_and(|row| row.value.password == login.password))
    }

    /// Whether mail may come from this address: what [`MailDesk::send`] will say of it.
    ///
    /// # Errors
    /// [`MailError::Address`], [`MailError::DomainNotLinked`], [`MailError::SenderUnknown`], [`MailError::Store`].
    pub async fn may_send(&self, from: &Personal<String>) -> Result<(), MailError> {
        let address =
            Address::parse(from.expose()).map_err(|_| MailError::Address("senderAddress".to_owned()))?;
        let domain = self.usable_domain(&address.destination()).await?;
        domain.sender(address.local()).map(|_| ()).ok_or(MailError::SenderUnknown)
    }
}

fn told(key: Hash, row: UserRow) -> SmtpUser {
    SmtpUser {
        id: SmtpUserId(key),
        name: row.name,
        application: row.application,
        tenant: row.tenant,
        since: row.since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_both_ways() {
        let id = SmtpUserId([0x0a; 16]);
        assert_eq!(SmtpUserId::from_hex(&id.to_hex()), Some(id));
        for bad in ["", "0a", &"g".repeat(32), &"+".repeat(32), &"é".repeat(16), &"0".repeat(33)] {
            assert_eq!(SmtpUserId::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_are_what_clients_can_send() {
        for good in [
            "a",
            "contoso|00000000-0000-0000-0000-000000000001|t",
            "mail@example.com",
            &"x".repeat(MAX_SMTP_NAME),
        ] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "é", "a\0", &"x".repeat(MAX_SMTP_NAME + 1)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
