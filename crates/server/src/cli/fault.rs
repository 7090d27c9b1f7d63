//! Why a verb could not do its work, said so that its user knows what to do.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use guard::tls::TlsError;
use thiserror::Error;

use crate::config::{Problems, SecretError, SecretRef};
use crate::dev::authority::AuthorityError;
use crate::dev::directory::DirectoryError;
use crate::dev::lock::LockError;
use crate::dev::token::TokenError;
use crate::host::Incomplete;
use crate::net::{CertificateFault, ClientFault};
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
    /// The host cannot be closed as it must be.
    #[error("{0}")]
    Sandbox(Incomplete),
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
    /// A socket of this machine cannot be listened at.
    #[error("cannot listen at the socket {}: {}.\n  Its folder must be there and writable for the server; what is there may only be a socket that nobody uses.", path.display(), fault.kind())]
    Socket {
        /// Which.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// What is to be shown to the operator's listener cannot be used.
    #[error("the client certificate {} cannot be used: {fault}", path.display())]
    ClientCertificate {
        /// The chain's file.
        path: PathBuf,
        /// What is wrong.
        fault: TlsError,
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
    /// What is shown until a certificate is issued cannot be made.
    #[error("no certificate can be made to begin with: {0}")]
    Placeholder(TlsError),
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A sealed secret.
    #[error(transparent)]
    Unsealing(#[from] super::unsealing::UnsealingFault),
    /// A cell cannot be opened.
    #[error("the cell {geography} cannot be opened: {why}")]
    Cell {
        /// Its geography.
        geography: String,
        /// Why, without content.
        why: String,
    },
    /// The configuration has no such cell.
    #[error("the configuration has no cell of the geography {geography}")]
    NoSuchCell {
        /// What was asked for.
        geography: String,
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
    /// There is no operator's token in the folder.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// What the configuration names is no operator's token.
    #[error(
        "the operator's token at {place} does not do: write 32 printable characters or more, such as those of `openssl rand -hex 32`"
    )]
    OperatorToken {
        /// Where it is.
        place: SecretRef,
    },
    /// A number that was wished for is another resource's.
    #[error(
        "a number given with --number is held by another resource: release it there first, or choose another"
    )]
    NumberTaken,
    /// The mail of a cell has no way out.
    #[error("the mail of `{geography}` cannot leave: {why}")]
    Mail {
        /// Which cell.
        geography: String,
        /// What is wrong.
        why: String,
    },
    /// The ready file cannot be written.
    #[error("the ready file {} cannot be written: {}", path.display(), fault.kind())]
    ReadyFile {
        /// Which.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// Nothing says which server is meant.
    #[error(
        "which server?\n  Name a running one: --data DIR (that of chancery dev --data DIR), --ready-file FILE, --config FILE,\n  or --endpoint https://HOST:PORT with --token-file FILE."
    )]
    WhichServer,
    /// Nothing says which resource or geography is meant.
    #[error("which {what}? Name it with --{what}; there are: {names}")]
    Which {
        /// Of what kind.
        what: &'static str,
        /// Those there are.
        names: String,
    },
    /// What is named is none, or several.
    #[error("{found} {what}s fit this; look at `list`")]
    NotOne {
        /// Of what kind.
        what: &'static str,
        /// How many.
        found: usize,
    },
    /// No server runs where one was named.
    #[error("no server of `chancery dev` is known by {}.\n  Start one: chancery dev --data DIR, and name the same folder here.", path.display())]
    NotRunning {
        /// The file that would say where it is.
        path: PathBuf,
    },
    /// There is no operator's token to ask with.
    #[error(
        "there is no operator's token to ask with.\n  Name it with --token-file FILE, or in the configuration: [operator] token = \"file:/path\"."
    )]
    NoOperatorToken,
    /// There is no authority to trust.
    #[error("this system says of no certificate authority; name one with --ca FILE")]
    NoAuthority,
    /// A file holds no certificates.
    #[error("{} holds no certificate authority in PEM; name another with --ca FILE", path.display())]
    NotAnAuthority {
        /// Which.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {}", path.display(), fault.kind())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// A file of numbers is wrong.
    #[error("{} is not imported, for it is wrong:{faults}", path.display())]
    Csv {
        /// Which.
        path: PathBuf,
        /// All that is wrong, a line each.
        faults: String,
    },
    /// The server does not answer.
    #[error(
        "{endpoint}: {fault}.\n  Is the server running, and is this its address? Its authority can be named with --ca FILE."
    )]
    Unreached {
        /// Where it was looked for.
        endpoint: String,
        /// Why.
        fault: ClientFault,
    },
    /// The server said no.
    #[error("the server answered {status}: {message}{hint}")]
    Answered {
        /// The status.
        status: u16,
        /// Its words.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {}", .0.kind())]
    Signals(io::Error),
}
