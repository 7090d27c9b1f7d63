//! The authorities of clients, and their lists of revoked certificates, from files that change while the server runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use guard::tls::ClientAuthorities;

use super::reload::{CertificateFault, Reload, Stamp, read, stamp};

/// Authorities and the files they come from.
#[derive(Debug)]
pub struct ClientFiles {
    authorities: PathBuf,
    revoked: Option<PathBuf>,
    known: Arc<ClientAuthorities>,
    seen: [Option<Stamp>; 2],
}

impl ClientFiles {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// [`CertificateFault`].
    pub fn open(authorities: PathBuf, revoked: Option<PathBuf>) -> Result<Self, CertificateFault> {
        let seen = stamps(&authorities, revoked.as_deref());
        let (trusted, lists) = both(&authorities, revoked.as_deref())?;
        let known = ClientAuthorities::new(&trusted, lists.as_deref());
        let known = known.map_err(|fault| CertificateFault::Clients { path: authorities.clone(), fault })?;
        Ok(Self { authorities, revoked, known, seen })
    }

    /// Whom they trust now.
    #[must_use]
    pub const fn known(&self) -> &Arc<ClientAuthorities> {
        &self.known
    }

    /// Looks whether the files have changed, and takes them when they have. With `anyway` they are taken unseen.
    pub fn look(&mut self, anyway: bool) -> Reload {
        let now = stamps(&self.authorities, self.revoked.as_deref());
        if now == self.seen && !anyway {
            return Reload::Unchanged;
        }
        self.seen = now;
        match self.take() {
            Ok(()) => Reload::Replaced,
            Err(fault) => Reload::Kept(fault),
        }
    }

    fn take(&self) -> Result<(), CertificateFault> {
        let (trusted, lists) = both(&self.authorities, self.revoked.as_deref())?;
        self.known
            .replace(&trusted, lists.as_deref())
            .map_err(|fault| CertificateFault::Clients { path: self.authorities.clone(), fault })
    }
}

fn stamps(authorities: &Path, revoked: Option<&Path>) -> [Option<Stamp>; 2] {
    [stamp(authorities), revoked.and_then(stamp)]
}

fn both(authorities: &Path, revoked: Option<&Path>) -> Result<(Vec<u8>, Option<Vec<u8>>), CertificateFault> {
    Ok((read(authorities)?, revoked.map(read).transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Clock as _, SystemClock};
    use guard::tls::Authority;
    use std::fs;

    #[test]
    fn another_authority_is_taken_and_nonsense_is_not() {
        guard::tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clients.pem");
        let put = |text: &str| {
            fs::write(folder.path().join("new"), text).unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
        };
        let pem = || Authority::generate("Clients", SystemClock.now()).unwrap().cert_pem().to_owned();
        assert!(matches!(ClientFiles::open(path.clone(), None), Err(CertificateFault::Read { .. })));
        put("nothing");
        assert!(matches!(ClientFiles::open(path.clone(), None), Err(CertificateFault::Clients { .. })));
        put(&pem());
        let mut files = ClientFiles::open(path.clone(), None).unwrap();
        assert!(matches!(files.look(false), Reload::Unchanged));
        put(&pem());
        assert!(matches!(files.look(false), Reload::Replaced));
        put("nothing");
        assert!(matches!(files.look(false), Reload::Kept(CertificateFault::Clients { .. })));
        assert!(matches!(files.look(false), Reload::Unchanged), "said once");
        let revoked = folder.path().join("none.crl");
        assert!(matches!(ClientFiles::open(path.clone(), Some(revoked)), Err(CertificateFault::Read { .. })));
    }
}
