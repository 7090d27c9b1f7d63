//! Certificates that change while the server runs: the files are looked at every few seconds and when asked. A pair that
//! cannot be used is reported and the one in use is kept.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use guard::tls::{CertificateStore, TlsError};
use thiserror::Error;

/// Why a certificate could not be taken from its files.
#[derive(Debug, Error)]
pub enum CertificateFault {
    /// A file cannot be read.
    #[error("{} cannot be read: {}", path.display(), fault.kind())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// The files hold no usable pair.
    #[error("the certificate {} and its key cannot be used: {fault}", chain.display())]
    Pair {
        /// The chain's file.
        chain: PathBuf,
        /// What is wrong.
        fault: TlsError,
    },
    /// The files do not say whose certificates clients may show.
    #[error("the authorities of clients in {} cannot be used: {fault}", path.display())]
    Clients {
        /// The authorities' file.
        path: PathBuf,
        /// What is wrong.
        fault: TlsError,
    },
}

/// What a look at the files found.
#[derive(Debug)]
pub enum Reload {
    /// Nothing new.
    Unchanged,
    /// A new pair, in use from now on.
    Replaced,
    /// Something new that cannot be used; the old pair is kept. Said once for each change.
    Kept(CertificateFault),
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

/// A certificate and the files it comes from.
#[derive(Debug)]
pub struct CertificateFiles {
    /// Chain and key; none of a certificate that somebody else replaces.
    files: Option<(PathBuf, PathBuf)>,
    store: Arc<CertificateStore>,
    seen: [Option<Stamp>; 2],
    revocations: Option<Vec<u8>>,
}

impl CertificateFiles {
    /// Reads the pair for the first time.
    ///
    /// # Errors
    /// [`CertificateFault`].
    pub fn open(chain: PathBuf, key: PathBuf) -> Result<Self, CertificateFault> {
        let seen = [stamp(&chain), stamp(&key)];
        let (chain_pem, key_pem) = (read(&chain)?, read(&key)?);
        let store = CertificateStore::new(&chain_pem, &key_pem)
            .map_err(|fault| CertificateFault::Pair { chain: chain.clone(), fault })?;
        Ok(Self { files: Some((chain, key)), store: Arc::new(store), seen, revocations: None })
    }

    /// A certificate that comes from no files: whoever holds [`CertificateFiles::store`] replaces it.
    #[must_use]
    pub fn held(store: CertificateStore) -> Self {
        Self { files: None, store: Arc::new(store), seen: [None, None], revocations: None }
    }

    /// The same, with the list of revoked certificates of who issued it, which is in that file.
    ///
    /// # Errors
    /// [`CertificateFault`].
    pub fn with_revocations(mut self, list: &Path) -> Result<Self, CertificateFault> {
        self.revocations = Some(read(list)?);
        Ok(self)
    }

    /// The list of revoked certificates of the server's own authority (DER); none where somebody else issued it.
    #[must_use]
    pub fn revocations(&self) -> Option<&[u8]> {
        self.revocations.as_deref()
    }

    /// The pair in use, for the listener.
    #[must_use]
    pub fn store(&self) -> &Arc<CertificateStore> {
        &self.store
    }

    /// Looks whether the files have changed, and takes them when they have. With `anyway` they are taken unseen.
    pub fn look(&mut self, anyway: bool) -> Reload {
        let Some((chain, key)) = &self.files else { return Reload::Unchanged };
        let now = [stamp(chain), stamp(key)];
        if now == self.seen && !anyway {
            return Reload::Unchanged;
        }
        self.seen = now;
        match take(&self.store, chain, key) {
            Ok(()) => Reload::Replaced,
            Err(fault) => Reload::Kept(fault),
        }
    }
}

fn take(store: &CertificateStore, chain: &Path, key: &Path) -> Result<(), CertificateFault> {
    let (chain_pem, key_pem) = (read(chain)?, read(key)?);
    store
        .replace(&chain_pem, &key_pem)
        .map_err(|fault| CertificateFault::Pair { chain: chain.to_owned(), fault })
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, CertificateFault> {
    fs::read(path).map_err(|fault| CertificateFault::Read { path: path.to_owned(), fault })
}

pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    let (inode, size) = (about.ino(), about.size());
    Some(Stamp { inode, size, seconds: about.mtime(), nanoseconds: about.mtime_nsec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Timestamp;
    use guard::tls::{Authority, PemPair};
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn pair(later: u64) -> PemPair {
        guard::tls::install_provider();
        let now = NOW.plus(Duration::from_secs(later));
        Authority::generate("Test CA", now).unwrap().issue(&["localhost".to_owned()], &[], now).unwrap()
    }

    /// Puts a pair in place as renewal tools do: by renaming.
    fn put(folder: &Path, pair: &PemPair) -> (PathBuf, PathBuf) {
        let (chain, key) = (folder.join("server.pem"), folder.join("server.key"));
        for (path, text) in [(&chain, &pair.chain_pem), (&key, pair.key_pem.expose())] {
            fs::write(folder.join("new"), text).unwrap();
            fs::rename(folder.join("new"), path).unwrap();
        }
        (chain, key)
    }

    #[test]
    fn a_new_pair_is_taken_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = put(folder.path(), &pair(0));
        let mut files = CertificateFiles::open(chain.clone(), key).unwrap();
        let first = files.store().expires_at();
        assert!(matches!(files.look(false), Reload::Unchanged));
        put(folder.path(), &pair(86_400));
        assert!(matches!(files.look(false), Reload::Replaced));
        let second = files.store().expires_at();
        assert!(second > first);
        fs::write(&chain, "no certificate").unwrap();
        assert!(matches!(files.look(false), Reload::Kept(CertificateFault::Pair { .. })));
        assert!(matches!(files.look(false), Reload::Unchanged), "said once");
        assert_eq!(files.store().expires_at(), second);
        fs::remove_file(&chain).unwrap();
        assert!(matches!(files.look(false), Reload::Kept(CertificateFault::Read { .. })));
        put(folder.path(), &pair(172_800));
        assert!(matches!(files.look(true), Reload::Replaced));
        assert!(files.store().expires_at() > second);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_from_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = put(folder.path(), &pair(0));
        fs::write(&key, pair(0).key_pem.expose()).unwrap();
        assert!(matches!(CertificateFiles::open(chain, key), Err(CertificateFault::Pair { .. })));
    }
}
