//! Where a server is listened at: an address, or a socket of this machine.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use super::peer::Entrance;

/// How many connections the system holds for us while the limit is reached.
const BACKLOG: u32 = 4096;
/// How long accepting rests after a failure of the machine (no file handles left, say).
const REST: Duration = Duration::from_millis(100);
/// Who may connect to a socket of this machine: its owner and its group.
const SOCKET_MODE: u32 = 0o660;

/// An address that is listened at. Connections wait in the system's queue until a server runs on it.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Where it is, with the port that was found.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection.
    pub(super) async fn next(&self) -> (TcpStream, SocketAddr) {
        patiently(|| self.listener.accept()).await
    }
}

/// Listens at `address`; port 0 takes a free one. Call it within a Tokio runtime.
///
/// # Errors
/// When the address is taken, not of this machine, or not permitted.
pub fn bind(address: SocketAddr) -> io::Result<Door> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    Ok(Door { address: listener.local_addr()?, listener })
}

/// A socket of this machine that is listened at.
#[derive(Debug)]
pub struct UnixDoor {
    listener: UnixListener,
}

/// Listens at the socket `path`, which its owner and its group may use. A socket that nobody listens at any more is
/// replaced. Call it within a Tokio runtime.
///
/// # Errors
/// When something else is there, somebody listens there, or its folder may not be written.
pub fn bind_unix(path: &Path) -> io::Result<UnixDoor> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) if StdUnixStream::connect(path).is_ok() => return Err(io::ErrorKind::AddrInUse.into()),
        _ => {}
    }
    // Under another name until its mode is right: nobody connects in between, and nobody finds it missing.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    fs::set_permissions(&beside, Permissions::from_mode(SOCKET_MODE))?;
    fs::rename(&beside, path)?;
    Ok(UnixDoor { listener })
}

/// One way in.
#[derive(Debug)]
pub enum Way {
    /// An address, for whom it is.
    Address(Door, Entrance),
    /// A socket of this machine.
    Machine(UnixDoor),
}

/// A connection before its handshake.
pub(super) enum Arrival {
    /// At an address, from another.
    Tcp(TcpStream, IpAddr, Entrance),
    /// At a socket of this machine.
    Unix(UnixStream),
}

impl Way {
    pub(super) async fn next(&self) -> Arrival {
        match self {
            Self::Address(door, entrance) => {
                let (stream, peer) = door.next().await;
                Arrival::Tcp(stream, peer.ip(), *entrance)
            }
            Self::Machine(door) => Arrival::Unix(patiently(|| door.listener.accept()).await.0),
        }
    }
}

/// Accepts, after a rest when the machine could not.
async fn patiently<T, F: Future<Output = io::Result<T>>>(accept: impl Fn() -> F) -> T {
    loop {
        match accept().await {
            Ok(accepted) => return accepted,
            Err(fault) => {
                tracing::warn!(kind = ?fault.kind(), "cannot accept a connection");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_its_owner_and_group_and_replaces_one_that_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        let door = bind_unix(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        assert_eq!(bind_unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(door);
        fs::write(folder.path().join("http.sock.new"), "left by a start that was cut").unwrap();
        let way = Way::Machine(bind_unix(&path).unwrap());
        let _client = StdUnixStream::connect(&path).unwrap();
        assert!(matches!(way.next().await, Arrival::Unix(_)));
        let other = folder.path().join("other");
        fs::write(&other, "a file").unwrap();
        assert_eq!(bind_unix(&other).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&other).unwrap(), "a file");
    }
}
