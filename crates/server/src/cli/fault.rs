//! Why a verb could not do its work, said so that its user knows what to do.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::{Problems, SecretError};
use crate::dev::authority::AuthorityError;
use crate::dev::directory::DirectoryError;
use crate::dev::lock::LockError;
use crate::net::CertificateFault;
use crate::service::resources::ResourceError;

/// A verb's failure.
#[derive(Debug, Error)]
pub enum CliError {
    /// The runtime could not be started.
    #[error("the threads of the server could not be started: {}", .0.kind())]
    Runtime(io::Error),
    /// Standard output failed.
    #[error("cannot write to standard output: {}", .0.kind())]
    Output(io::Error),
    /// The configuration is wrong.
    #[error("the configuration cannot be used\n{0}")]
    Config(Problems),
    /// The address to listen at is taken.
    #[error("the port {} is in use at {}.\n  Choose another with {choose}, or stop what uses it.", .address.port(), .address.ip())]
    PortInUse {
        /// The address.
        address: SocketAddr,
        /// How to choose another.
        choose: &'static str,
    },
    /// The address to listen at cannot be used.
    #[error("cannot listen at {address}: {}.\n  Ports below 1024 need a permission; the address must be one of this machine.", .fault.kind())]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        fault: io::Error,
    },
    /// A carrier's section cannot be used.
    #[error("the carrier {name} cannot be used: {why}")]
    Carrier {
        /// Its name.
        name: String,
        /// Why, in words.
        why: String,
    },
    /// A folder cannot be made or used.
    #[error("the folder {} cannot be used: {}", path.display(), fault.kind())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// Another process has the data folder.
    #[error("the data folder {} cannot be used: {fault}", path.display())]
    Held {
        /// Which.
        path: PathBuf,
        /// Who has it.
        fault: LockError,
    },
    /// The directory does not do.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// There is no certificate authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A cell cannot be opened.
    #[error("the cell {geography} cannot be opened: {why}")]
    Cell {
        /// Its geography.
        geography: String,
        /// Why, without content.
        why: String,
    },
    /// A resource cannot be opened.
    #[error("the resource {name} cannot be opened: {fault}")]
    Resource {
        /// Its name.
        name: String,
        /// Why.
        fault: ResourceError,
    },
    /// The given access key is none.
    #[error("this is no access key: write 16 to 256 bytes in standard base64, or leave it out for a new one")]
    AccessKey,
    /// The ready file cannot be written.
    #[error("the ready file {} cannot be written: {}", path.display(), fault.kind())]
    ReadyFile {
        /// Which.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {}", .0.kind())]
    Signals(io::Error),
}
