//! The certificate authority of a data folder, `ca/ca.pem` and `ca/ca.key`, its list of revoked certificates `ca/ca.crl`, and
//! the server certificate it issued, `tls/server.pem` and `tls/server.key`. The authority is made once; the server certificate anew when its names change
//! or its end is near.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::Timestamp;
use guard::hash::sha256;
use guard::tls::{Authority, CertificateStore, TlsError};
use thiserror::Error;

use super::files::{self, Readers};

/// A certificate that ends sooner than this is made anew.
const RENEW: Duration = Duration::from_secs(30 * 24 * 3600);
const COMMON_NAME: &str = "Chancery local authority";

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority's certificate: what clients must trust.
    pub ca: PathBuf,
    /// The server's chain.
    pub chain: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    /// The authority's list of revoked certificates (DER).
    pub revocations: PathBuf,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The DNS names of the server.
    pub dns: &'a [String],
    /// Its addresses.
    pub ips: &'a [IpAddr],
    /// Where the list of revoked certificates is read.
    pub revocations_at: &'a str,
}

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("{} cannot be read or written: {}", path.display(), fault.kind())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// The authority's files are not what was written.
    #[error("the certificate authority in {} cannot be used ({fault}); restore it, or remove the folder for a new one", path.display())]
    Damaged {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        fault: TlsError,
    },
    /// No certificate could be made.
    #[error("no certificate could be made: {0}")]
    Tls(#[from] TlsError),
}

/// Where a server that is reached at this host and port tells the list of revoked certificates.
#[must_use]
pub fn revocations_at(host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("https://{host}:{port}/pki/ca.crl")
}

/// Makes sure that the folder `data` has an authority and a certificate for these names that is good for a while.
///
/// # Errors
/// [`AuthorityError`].
pub fn ensure(data: &Path, names: Names<'_>, now: Timestamp) -> Result<TlsFiles, AuthorityError> {
    let (ca_folder, tls_folder) = (data.join("ca"), data.join("tls"));
    for folder in [&ca_folder, &tls_folder] {
        files::make_folder(folder).map_err(io_of(folder))?;
    }
    let authority = authority(&ca_folder, now)?.with_revocations_at(names.revocations_at);
    let found = TlsFiles {
        ca: ca_folder.join("ca.pem"),
        chain: tls_folder.join("server.pem"),
        key: tls_folder.join("server.key"),
        revocations: ca_folder.join("ca.crl"),
    };
    let mark = tls_folder.join("names");
    let made_for = mark_of(authority.cert_pem(), names);
    if fs::read(&mark).ok().as_deref() == Some(made_for.as_bytes()) && good(&found, now) {
        return Ok(found);
    }
    let pair = authority.issue(names.dns, names.ips, now)?;
    write(&found.revocations, &authority.revocations(now)?, Readers::All)?;
    // Without the mark whatever is there is made anew, so a stop between the files does no harm.
    let _ = fs::remove_file(&mark);
    write(&found.chain, pair.chain_pem.as_bytes(), Readers::All)?;
    write(&found.key, pair.key_pem.expose().as_bytes(), Readers::Owner)?;
    write(&mark, made_for.as_bytes(), Readers::All)?;
    Ok(found)
}

fn authority(folder: &Path, now: Timestamp) -> Result<Authority, AuthorityError> {
    let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
    // The certificate is written last: where it is, the key is.
    if certificate.exists() {
        let read = |path: &PathBuf| fs::read_to_string(path).map_err(io_of(path));
        let (certificate, key) = (read(&certificate)?, read(&key)?);
        return Authority::from_pem(&certificate, &key)
            .map_err(|fault| AuthorityError::Damaged { path: folder.to_owned(), fault });
    }
    let made = Authority::generate(COMMON_NAME, now)?;
    write(&key, made.key_pem().expose().as_bytes(), Readers::Owner)?;
    write(&certificate, made.cert_pem().as_bytes(), Readers::All)?;
    Ok(made)
}

fn good(files: &TlsFiles, now: Timestamp) -> bool {
    let (Ok(chain), Ok(key)) = (fs::read(&files.chain), fs::read(&files.key)) else { return false };
    CertificateStore::new(&chain, &key).is_ok_and(|store| store.expires_at() > now.plus(RENEW))
}

/// What a certificate was made for: its authority and its names.
fn mark_of(ca: &str, names: Names<'_>) -> String {
    let digest = base::hex(&sha256(ca.as_bytes()));
    let ips = names.ips.iter().map(ToString::to_string);
    let all: Vec<String> = names.dns.iter().cloned().chain(ips).collect();
    format!("{digest}\n{}\n{}\n", names.revocations_at, all.join("\n"))
}

fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), AuthorityError> {
    files::write_whole(path, bytes, readers).map_err(io_of(path))
}

fn io_of(path: &Path) -> impl FnOnce(io::Error) -> AuthorityError {
    let path = path.to_owned();
    move |fault| AuthorityError::Io { path, fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    const AT: &str = "https://localhost:8443/pki/ca.crl";

    fn ensure(
        data: &Path,
        dns: &[String],
        ips: &[IpAddr],
        now: Timestamp,
    ) -> Result<TlsFiles, AuthorityError> {
        super::ensure(data, Names { dns, ips, revocations_at: AT }, now)
    }

    #[test]
    fn the_list_of_revoked_certificates_is_made_with_the_certificate() {
        guard::tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let dns = names(&["localhost"]);
        let files = ensure(folder.path(), &dns, &[], NOW).unwrap();
        let list = fs::read(&files.revocations).unwrap();
        assert_eq!(list.first(), Some(&0x30), "a DER sequence");
        let chain = fs::read(&files.chain).unwrap();
        let elsewhere = Names { dns: &dns, ips: &[], revocations_at: "https://localhost:1/pki/ca.crl" };
        super::ensure(folder.path(), elsewhere, NOW).unwrap();
        assert_ne!(fs::read(&files.chain).unwrap(), chain, "it says where the list is");
    }

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn made_once_and_kept() {
        guard::tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let first = ensure(folder.path(), &names(&["localhost"]), &[], NOW).unwrap();
        let (ca, chain) = (fs::read(&first.ca).unwrap(), fs::read(&first.chain).unwrap());
        let again = ensure(folder.path(), &names(&["localhost"]), &[], NOW.plus(DAY)).unwrap();
        assert_eq!((again.clone(), fs::read(&again.chain).unwrap()), (first, chain.clone()));
        for key in ["ca/ca.key", "tls/server.key"] {
            let mode = fs::metadata(folder.path().join(key)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{key}");
        }
        let renamed = ensure(folder.path(), &names(&["localhost", "b.localhost"]), &[], NOW).unwrap();
        assert_ne!(fs::read(&renamed.chain).unwrap(), chain, "new names, new certificate");
        assert_eq!(fs::read(&renamed.ca).unwrap(), ca, "by the same authority");
    }

    #[test]
    fn renewed_before_its_end_and_after_damage() {
        guard::tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let dns = names(&["localhost"]);
        let files = ensure(folder.path(), &dns, &[IpAddr::from([127, 0, 0, 1])], NOW).unwrap();
        let ips = [IpAddr::from([127, 0, 0, 1])];
        let first = fs::read(&files.chain).unwrap();
        ensure(folder.path(), &dns, &ips, NOW.plus(DAY * 360)).unwrap();
        assert_eq!(fs::read(&files.chain).unwrap(), first);
        ensure(folder.path(), &dns, &ips, NOW.plus(DAY * 380)).unwrap();
        let second = fs::read(&files.chain).unwrap();
        assert_ne!(second, first);
        fs::write(&files.key, "damaged").unwrap();
        ensure(folder.path(), &dns, &ips, NOW.plus(DAY * 380)).unwrap();
        assert_ne!(fs::read(&files.chain).unwrap(), second);
        fs::write(folder.path().join("ca/ca.key"), "damaged").unwrap();
        let damaged = ensure(folder.path(), &dns, &ips, NOW).unwrap_err();
        assert!(
            matches!(damaged, AuthorityError::Damaged { .. }),
            "an authority is never replaced by itself"
        );
    }
}
