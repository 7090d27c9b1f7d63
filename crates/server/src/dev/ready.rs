//! The ready file: what a program needs to use a running server, written whole when the server accepts requests.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files::{self, Readers};

/// The file in a data folder that says where its server answers, for the verbs that ask it. It holds no secret.
pub const RUNNING: &str = "server.json";

/// What a started server says of itself. Later versions add fields.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Where the default resource answers.
    pub endpoint: String,
    /// What clients must trust; missing when the certificate is the operator's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Where programs submit mail, `host:port`; missing where they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_submission: Option<String>,
    /// Where bounces and complaints are taken, `host:port`; missing where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_reports: Option<String>,
    /// The process.
    pub pid: u32,
    /// By which whoever runs the server is known to it; missing where the operator keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_token: Option<String>,
    /// All resources, the default one first.
    pub resources: Vec<ReadyResource>,
}

/// One resource.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadyResource {
    /// Its name.
    pub name: String,
    /// Where it lives.
    pub geography: String,
    /// Where it answers under its own host name.
    pub endpoint: String,
    /// That endpoint and its first access key, as the SDKs read it.
    pub connection_string: String,
    /// The domain it may send mail from, in development.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_domain: Option<String>,
    /// Numbers that it holds, in development.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phone_numbers: Vec<String>,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ReadyResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadyResource").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Ready {
    /// As JSON, with a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Writes [`RUNNING`] into the folder `data`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_running(&self, data: &Path) -> io::Result<()> {
        let text = serde_json::json!({ "endpoint": self.endpoint, "caFile": self.ca_file, "pid": self.pid });
        files::write_whole(&data.join(RUNNING), format!("{text:#}\n").as_bytes(), Readers::Owner)
    }

    /// Writes the ready file. It holds access keys, so its owner alone may read it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        files::write_whole(path, self.to_json().as_bytes(), Readers::Owner)
    }
}

/// The connection string of an endpoint.
#[must_use]
pub fn connection_string(endpoint: &str, access_key: &str) -> String {
    format!("endpoint={endpoint}/;accesskey={access_key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_documented_form() {
        let endpoint = "https://dev.localhost:8443".to_owned();
        let connection_string = connection_string(&endpoint, "a2V5");
        let resource = ReadyResource {
            name: "dev".into(),
            geography: "europe".into(),
            endpoint: endpoint.clone(),
            connection_string,
            email_domain: None,
            phone_numbers: vec!["+18335550100".into()],
        };
        let ready = Ready {
            endpoint,
            ca_file: Some("/d/ca/ca.pem".into()),
            pid: 7,
            admin_token: Some("dG9rZW4".into()),
            resources: vec![resource],
            smtp_submission: Some("localhost:587".into()),
            smtp_reports: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        ready.write(&path).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let expected = serde_json::json!({
            "endpoint": "https://dev.localhost:8443", "caFile": "/d/ca/ca.pem", "pid": 7,
            "smtpSubmission": "localhost:587",
            "adminToken": "dG9rZW4",
            "resources": [{
                "name": "dev", "geography": "europe", "endpoint": "https://dev.localhost:8443",
                "connectionString": "endpoint=https://dev.localhost:8443/;accesskey=a2V5",
                "phoneNumbers": ["+18335550100"],
            }],
        });
        assert_eq!(read, expected);
        let shown = format!("{ready:?}");
        assert!(!shown.contains("a2V5") && !shown.contains("dG9rZW4"));
    }
}
