//! A root key in a file of this machine, or only in memory. For one node, development and tests: whoever can read the
//! file can read everything under it. It must never be told which cell it serves other than by the context.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base::{Rng, Secret};
use zeroize::Zeroizing;

use super::sealed_file::{self, SEALED_LEN};
use super::{BoxFuture, KeyContext, KeyFileFault, Kms, KmsError};
use crate::random::SystemRng;
use crate::seal::{Place, ScopeKey, Sealed};

/// The generation of a local root key: its file holds one key for good.
const ROOT_GENERATION: u32 = 1;
/// The name in the associated data; no keyspace of the store may be called so.
const KEYSPACE: &str = "kms-local";
const SCOPE: &[u8] = b"root";
const KEY_LEN: usize = 32;

/// A key service whose root key is 32 bytes in a file (mode 0600), plain or sealed under a passphrase, or in memory.
#[derive(Debug)]
pub struct LocalKms {
    root: ScopeKey,
    name: &'static str,
}

impl LocalKms {
    /// Takes up the root key in the file `path`, or makes the file with a new key from `rng`. The file appears whole
    /// and durable, or not at all; one that is there is never replaced.
    ///
    /// # Errors
    /// [`KmsError::KeyFile`] when the file is not a key, may be read by others, or cannot be read or written.
    pub fn open_or_create(path: &Path, rng: &dyn Rng) -> Result<Self, KmsError> {
        Self::take_up(path, None, rng)
    }

    /// The same, of a file that is sealed under a passphrase. One that is there and not sealed is sealed: the key stays.
    ///
    /// # Errors
    /// As [`LocalKms::open_or_create`]; also when it does not open with the passphrase.
    pub fn open_or_create_sealed(
        path: &Path,
        passphrase: &Secret<String>,
        rng: &dyn Rng,
    ) -> Result<Self, KmsError> {
        Self::take_up(path, Some(passphrase), rng)
    }

    fn take_up(path: &Path, passphrase: Option<&Secret<String>>, rng: &dyn Rng) -> Result<Self, KmsError> {
        let root = match read(path, passphrase) {
            Err(KmsError::KeyFile(KeyFileFault::Io(ErrorKind::NotFound))) => {
                let mut key = Zeroizing::new([0; KEY_LEN]);
                rng.fill(&mut *key);
                create(path, &contents(&key, passphrase, rng)?, rng, publish)?;
                read(path, passphrase)?
            }
            other => other?,
        };
        if let (Some(_), Read::Plain) = (passphrase, root.1) {
            create(path, &contents(&root.0, passphrase, rng)?, rng, |young, path| {
                Ok(fs::rename(young, path)?)
            })?;
        }
        Ok(Self { root: ScopeKey::from_bytes(root.0, ROOT_GENERATION), name: "local" })
    }

    /// A root key that lives as long as this value.
    pub fn in_memory(rng: &dyn Rng) -> Self {
        Self { root: ScopeKey::generate(rng, ROOT_GENERATION), name: "memory" }
    }

    fn wrap_now(&self, context: &KeyContext, key: &ScopeKey) -> Result<Sealed, KmsError> {
        if key.generation() != context.generation {
            return Err(KmsError::Generation);
        }
        let generation = context.generation.to_be_bytes();
        // A nonce is no decision that a simulation could replay: it comes from the system, whatever made the key.
        key.wrap(&SystemRng, &self.root, &place(context, &generation)).map_err(|_| KmsError::Refused)
    }

    fn unwrap_now(&self, context: &KeyContext, wrapped: &Sealed) -> Result<ScopeKey, KmsError> {
        let generation = context.generation.to_be_bytes();
        let key = ScopeKey::unwrap(&self.root, &place(context, &generation), wrapped);
        let key = key.map_err(|_| KmsError::Refused)?;
        if key.generation() == context.generation { Ok(key) } else { Err(KmsError::Generation) }
    }
}

impl Kms for LocalKms {
    fn name(&self) -> &'static str {
        self.name
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        Box::pin(async move { self.wrap_now(context, key) })
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        Box::pin(async move { self.unwrap_now(context, wrapped) })
    }
}

fn place<'a>(context: &'a KeyContext, generation: &'a [u8]) -> Place<'a> {
    Place {
        geography: &context.geography,
        resource: context.resource,
        keyspace: KEYSPACE,
        key: generation,
        scope: SCOPE,
    }
}

/// How a key rested.
#[derive(Clone, Copy)]
enum Read {
    Plain,
    Sealed,
}

fn contents(
    key: &[u8; KEY_LEN],
    passphrase: Option<&Secret<String>>,
    rng: &dyn Rng,
) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    Ok(Zeroizing::new(match passphrase {
        Some(passphrase) => sealed_file::seal(key, passphrase, rng).map_err(KmsError::KeyFile)?,
        None => key.to_vec(),
    }))
}

fn read(
    path: &Path,
    passphrase: Option<&Secret<String>>,
) -> Result<(Zeroizing<[u8; KEY_LEN]>, Read), KmsError> {
    let mut file = File::open(path)?;
    // Asked of the open file, so that nobody can exchange it between question and reading.
    let about = file.metadata()?;
    let len = usize::try_from(about.len()).unwrap_or(usize::MAX);
    if !about.is_file() || !(len == KEY_LEN || len == SEALED_LEN) {
        return Err(KmsError::KeyFile(KeyFileFault::Malformed));
    }
    if about.mode() & 0o077 != 0 {
        return Err(KmsError::KeyFile(KeyFileFault::Permissions));
    }
    let mut bytes = Zeroizing::new(vec![0; len]);
    file.read_exact(&mut bytes)?;
    if len == SEALED_LEN {
        let fault = match passphrase {
            _ if !sealed_file::is_sealed(&bytes) => KeyFileFault::Malformed,
            None => KeyFileFault::Sealed,
            Some(passphrase) => match sealed_file::open(&bytes, passphrase) {
                Ok(key) => return Ok((key, Read::Sealed)),
                Err(fault) => fault,
            },
        };
        return Err(KmsError::KeyFile(fault));
    }
    let mut key = Zeroizing::new([0; KEY_LEN]);
    key.copy_from_slice(&bytes);
    if key.iter().all(|b| *b == 0) {
        return Err(KmsError::KeyFile(KeyFileFault::Malformed));
    }
    Ok((key, Read::Plain))
}

fn create(
    path: &Path,
    contents: &[u8],
    rng: &dyn Rng,
    publish: impl Fn(&Path, &Path) -> Result<(), KmsError>,
) -> Result<(), KmsError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let young = young_name(path, rng)?;
    let written = write(&young, contents).and_then(|()| publish(&young, path));
    if written.is_err() {
        // What is left is a key that seals nothing, or that rests in its file still.
        let _ = fs::remove_file(&young);
    }
    written?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn young_name(path: &Path, rng: &dyn Rng) -> Result<PathBuf, KmsError> {
    let mut name = path.file_name().ok_or(KmsError::KeyFile(KeyFileFault::Malformed))?.to_owned();
    let mut salt = [0; 8];
    rng.fill(&mut salt);
    name.push(format!(".{:016x}.new", u64::from_be_bytes(salt)));
    Ok(path.with_file_name(name))
}

fn write(path: &Path, contents: &[u8]) -> Result<(), KmsError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(contents)?;
    file.sync_all()?;
    Ok(())
}

/// Gives the file its name. A link does not replace a key that another process made meanwhile, as a rename would; where
/// a file system has no links, a rename must do.
fn publish(young: &Path, path: &Path) -> Result<(), KmsError> {
    match fs::hard_link(young, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(_) if path.exists() => {}
        Err(_) => return Ok(fs::rename(young, path)?),
    }
    fs::remove_file(young)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use base::SeededRng;

    use super::super::contract::{check, context, now};
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn fault(path: &Path) -> KeyFileFault {
        match LocalKms::open_or_create(path, &SeededRng::new(9)) {
            Err(KmsError::KeyFile(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn in_memory_keeps_the_contract() {
        check(&LocalKms::in_memory(&SeededRng::new(1)), &LocalKms::in_memory(&SeededRng::new(2)));
    }

    #[test]
    fn in_a_file_keeps_the_contract() {
        let folder = folder();
        let open = |name: &str| LocalKms::open_or_create(&folder.path().join(name), &SystemRng).unwrap();
        check(&open("a.key"), &open("b.key"));
    }

    fn under(path: &Path, passphrase: &str) -> Result<LocalKms, KmsError> {
        LocalKms::open_or_create_sealed(path, &Secret::new(passphrase.to_owned()), &SystemRng)
    }

    #[test]
    fn sealed_under_a_passphrase_keeps_the_contract() {
        let folder = folder();
        let open = |name: &str| under(&folder.path().join(name), "correct horse").unwrap();
        check(&open("a.key"), &open("b.key"));
    }

    #[test]
    fn a_sealed_file_opens_with_its_passphrase_alone() {
        let folder = folder();
        let path = folder.path().join("root.key");
        under(&path, "correct horse").unwrap();
        assert_eq!((fs::read(&path).unwrap().len(), mode(&path)), (SEALED_LEN, 0o600));
        let wrong = under(&path, "battery staple").unwrap_err();
        assert_eq!(wrong, KmsError::KeyFile(KeyFileFault::Passphrase));
        assert_eq!(fault(&path), KeyFileFault::Sealed);
        let mut other = fs::read(&path).unwrap();
        other[0] ^= 1;
        fs::write(&path, &other).unwrap();
        assert_eq!(under(&path, "correct horse").unwrap_err(), KmsError::KeyFile(KeyFileFault::Malformed));
    }

    #[test]
    fn a_plain_file_is_sealed_and_keeps_its_key() {
        let folder = folder();
        let path = folder.path().join("root.key");
        let plain = LocalKms::open_or_create(&path, &SystemRng).unwrap();
        let bytes = fs::read(&path).unwrap();
        let key = ScopeKey::generate(&SystemRng, 1);
        let wrapped = now(plain.wrap(&context("europe", 1, 1), &key)).unwrap();
        for _ in 0..2 {
            let sealed = under(&path, "correct horse").unwrap();
            assert!(now(sealed.unwrap(&context("europe", 1, 1), &wrapped)).is_ok());
            let now_is = fs::read(&path).unwrap();
            assert!(
                now_is.len() == SEALED_LEN
                    && !now_is.windows(8).any(|part| bytes.windows(8).any(|b| b == part))
            );
        }
        assert_eq!((mode(&path), fs::read_dir(folder.path()).unwrap().count()), (0o600, 1));
    }

    #[test]
    fn the_file_is_made_once_and_then_kept() {
        let folder = folder();
        let path = folder.path().join("root.key");
        let first = LocalKms::open_or_create(&path, &SeededRng::new(1)).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!((bytes.len(), mode(&path)), (KEY_LEN, 0o600));
        let second = LocalKms::open_or_create(&path, &SeededRng::new(2)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        let key = ScopeKey::generate(&SeededRng::new(3), 1);
        let wrapped = now(first.wrap(&context("europe", 1, 1), &key)).unwrap();
        assert!(now(second.unwrap(&context("europe", 1, 1), &wrapped)).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        assert!(!wrapped.as_bytes().windows(8).any(|w| bytes.windows(8).any(|b| b == w)));
        assert_eq!(format!("{first:?}"), "LocalKms { root: ScopeKey(generation 1), name: \"local\" }");
    }

    #[test]
    fn a_key_made_meanwhile_is_not_replaced() {
        let folder = folder();
        let (young, path) = (folder.path().join("young"), folder.path().join("root.key"));
        fs::write(&path, [1; 32]).unwrap();
        write(&young, &[2; 32]).unwrap();
        publish(&young, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [1; 32]);
        assert!(!young.exists());
    }

    #[test]
    fn refuses_files_that_others_may_use() {
        let folder = folder();
        let path = folder.path().join("root.key");
        fs::write(&path, [7; 32]).unwrap();
        for bad in [0o640, 0o604, 0o660, 0o620, 0o610, 0o601, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).unwrap();
            assert_eq!(fault(&path), KeyFileFault::Permissions, "{bad:o}");
        }
        for good in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(good)).unwrap();
            assert!(LocalKms::open_or_create(&path, &SystemRng).is_ok(), "{good:o}");
        }
    }

    #[test]
    fn refuses_what_is_no_key_and_leaves_it() {
        let folder = folder();
        let path = folder.path().join("root.key");
        for bad in [&[][..], &[1; 31], &[1; 33], &[0; 32]] {
            let _ = fs::remove_file(&path);
            fs::write(&path, bad).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(fault(&path), KeyFileFault::Malformed);
            assert_eq!(fs::read(&path).unwrap(), bad);
        }
        assert_eq!(fault(folder.path()), KeyFileFault::Malformed, "a folder");
        assert_eq!(fault(Path::new("/")), KeyFileFault::Malformed, "a path without a name");
        assert_eq!(fault(&folder.path().join("none/root.key")), KeyFileFault::Io(ErrorKind::NotFound));
    }
}
