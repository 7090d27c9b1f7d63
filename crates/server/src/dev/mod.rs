//! What a development server keeps in its folder and tells its developer. It opens no socket; `cli` puts it together with
//! the rest.
//!
//! ```text
//! DATA/lock                          held while a server runs on it
//! DATA/directory.json                resources: names, ids, geographies
//! DATA/operator.token                by which the developer is known as the operator
//! DATA/server.json                   where its server answers, or answered last
//! DATA/ca/ca.pem, ca.key             the certificate authority
//! DATA/tls/server.pem, server.key    the server's certificate
//! DATA/cells/GEOGRAPHY/store.sqlite  sealed rows
//! DATA/cells/GEOGRAPHY/root.key      the key above all keys of the cell
//! ```

pub mod authority;
pub mod directory;
pub mod files;
pub mod lock;
pub mod ready;
pub mod samples;
pub mod token;
