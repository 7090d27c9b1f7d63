//! The program itself: started, asked over TLS, signalled, started again. Each test waits for what the program says and
//! never for a length of time.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chancery");

/// A running server; ended when dropped.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    ready: Value,
}

impl Running {
    /// Starts `chancery dev --json` and waits until it accepts requests.
    fn dev(data: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["dev", "--port", "0", "--json", "--data"]).arg(data).args(flags);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            let got = out.read_line(&mut text).expect("reads");
            if got == 0 {
                let mut errors = String::new();
                child.stderr.take().expect("piped").read_to_string(&mut errors).expect("reads");
                panic!("ended before it was ready: {errors}");
            }
        }
        Self { child, out, ready: serde_json::from_str(&text).expect("JSON") }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn port(&self) -> u16 {
        let endpoint = self.ready["endpoint"].as_str().expect("a text");
        endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
    }

    /// Stops it as an operator would; it must end well.
    fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        assert!(self.child.wait().expect("waited").success());
        let (mut said, mut errors) = (String::new(), String::new());
        self.out.read_to_string(&mut said).expect("reads");
        self.child.stderr.take().expect("piped").read_to_string(&mut errors).expect("reads");
        assert_eq!(said, "", "nothing after the ready text");
        errors
    }

    async fn get(&self, path: &str, host: &str) -> (u16, String) {
        let ca = fs::read(self.ready["caFile"].as_str().expect("a text")).expect("a CA file");
        get(self.port(), &ca, path, host).await.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request, and the certificate that answered it.
async fn get(port: u16, ca: &[u8], path: &str, host: &str) -> ((u16, String), Vec<u8>) {
    guard::tls::install_provider();
    let tls = TlsConnector::from(guard::tls::client_config(ca).expect("a CA"));
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let mut stream = tls.connect(name, stream).await.expect("the certificate is good for this name");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    let leaf = stream.get_ref().1.peer_certificates().expect("certificates")[0].to_vec();
    ((answer[9..12].parse().expect("a status"), answer), leaf)
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_new_server_answers_under_all_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::dev(folder.path(), &["--resource", "alpha", "--resource", "beta:europe"]);
    assert_eq!(server.ready["pid"], server.pid());
    for host in ["localhost", "127.0.0.1", "alpha.localhost", "beta.localhost"] {
        for path in ["/health/live", "/health/ready"] {
            let (status, answer) = server.get(path, host).await;
            assert_eq!(status, 200, "{host}{path}: {answer}");
        }
    }
    let (status, answer) = server.get(&format!("/{}", "x".repeat(9000)), "localhost").await;
    assert!(status == 414 && answer.contains("\"error\":{"), "{answer}");
    let resources = server.ready["resources"].as_array().unwrap();
    let names =
        resources.iter().map(|one| (one["name"].as_str().unwrap(), one["geography"].as_str().unwrap()));
    assert_eq!(names.collect::<Vec<_>>(), [("alpha", "unitedstates"), ("beta", "europe")]);
    for cell in ["unitedstates", "europe"] {
        assert!(folder.path().join("cells").join(cell).join("store.sqlite").is_file(), "{cell}");
    }
    let log = server.stop();
    assert!(log.contains("asked to stop") && log.contains("stopped"), "{log}");
}

#[tokio::test]
async fn state_is_kept_and_the_folder_is_held_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let first = Running::dev(folder.path(), &["--resource", "alpha:europe"]);
    let kept = |server: &Running| {
        let key =
            server.ready["resources"][0]["connectionString"].as_str().unwrap().split_once(";accesskey=");
        (key.unwrap().1.to_owned(), fs::read(folder.path().join("ca/ca.pem")).unwrap())
    };
    let before = kept(&first);
    let directory = fs::read(folder.path().join("directory.json")).unwrap();
    let second = run(&["dev", "--port", "0", "--data", data]);
    let said = text(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains(&format!("process {} holds it since 20", first.pid())), "{said}");
    let port = first.port().to_string();
    let other = tempfile::tempdir().unwrap();
    let taken = run(&["dev", "--port", &port, "--data", other.path().to_str().unwrap()]);
    let said = text(&taken.stderr);
    assert!(taken.status.code() == Some(1) && said.contains(&port) && said.contains("--port"), "{said}");
    first.stop();
    let moved = run(&["dev", "--port", "0", "--data", data, "--resource", "alpha:india"]);
    let said = text(&moved.stderr);
    assert!(moved.status.code() == Some(1) && said.contains("lives in europe, not in india"), "{said}");
    let again = Running::dev(folder.path(), &[]);
    assert!(kept(&again) == before, "the keys of the resource and the authority are the same");
    assert_eq!(fs::read(folder.path().join("directory.json")).unwrap(), directory);
    assert_eq!(again.get("/health/ready", "alpha.localhost").await.0, 200);
    again.stop();
}

#[tokio::test]
async fn a_killed_server_leaves_a_folder_that_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Running::dev(folder.path(), &[]);
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    let again = Running::dev(folder.path(), &[]);
    assert_eq!(again.get("/health/ready", "localhost").await.0, 200);
    again.stop();
}

#[test]
fn a_fixed_key_is_the_key_and_a_fresh_folder_is_removed() {
    let key = "c2l4dGVlbiBieXRlcyBhdCBsZWFzdCBhcmUgbmVlZGVk";
    let mut command = Command::new(PROGRAM);
    command
        .args(["dev", "--port", "0", "--json", "--access-key", key])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.ends_with("\n}\n") {
        assert_ne!(out.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let ready: Value = serde_json::from_str(&said).unwrap();
    assert!(
        ready["resources"][0]["connectionString"].as_str().unwrap().ends_with(&format!(";accesskey={key}"))
    );
    let ca = Path::new(ready["caFile"].as_str().unwrap()).to_owned();
    assert!(ca.is_file());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!ca.exists(), "the folder is gone");
    let bad = run(&["dev", "--port", "0", "--access-key", "hunter2"]);
    assert!(!bad.status.success() && !text(&bad.stderr).contains("hunter2"));
}

/// A configuration of one SQLite cell; `certificate` is the rest of its `[listener]`.
fn configuration(folder: &Path, certificate: &str) -> String {
    let folder = folder.display();
    format!(
        "[listener]\naddress = '127.0.0.1:0'\npublic_hosts = ['chat.example.org']\n{certificate}\n\
         [[cell]]\ngeography = 'europe'\nengine = {{ kind = 'sqlite', path = '{folder}/eu/store.sqlite' }}\n\
         kms = {{ kind = 'local', path = '{folder}/eu/root.key' }}\n\
         [[resource]]\nname = 'contoso'\ngeography = 'europe'\n"
    )
}

#[tokio::test]
async fn serve_takes_a_new_certificate_without_a_restart() {
    guard::tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let now = base::Clock::now(&base::SystemClock);
    let authority = guard::tls::Authority::generate("Test CA", now).unwrap();
    let put = || {
        let pair = authority.issue(&["chat.example.org".to_owned()], &[], now).unwrap();
        fs::write(folder.path().join("server.pem"), pair.chain_pem).unwrap();
        fs::write(folder.path().join("server.key"), pair.key_pem.expose()).unwrap();
    };
    put();
    let path = folder.path().display();
    let certificate = format!("certificate = '{path}/server.pem'\nkey = '{path}/server.key'");
    let config = folder.path().join("chancery.toml");
    fs::write(&config, configuration(folder.path(), &certificate)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--log-format", "json", "--config"]).arg(&config).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| {
        serde_json::from_str::<Value>(&line.expect("reads")).expect("each line of the log is JSON")
    });
    let serving = log.find(|line| line["message"] == "serving").expect("it serves");
    let port = serving["address"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let ca = authority.cert_pem().as_bytes();
    let ((status, _), first) = get(port, ca, "/health/ready", "chat.example.org").await;
    assert_eq!(status, 200);
    fs::write(folder.path().join("server.pem"), "no certificate").unwrap();
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    log.find(|line| {
        line["level"] == "ERROR" && line["message"].as_str().unwrap().contains("the old one is kept")
    });
    assert_eq!(get(port, ca, "/health/live", "chat.example.org").await.1, first);
    put();
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    log.find(|line| line["message"] == "a new certificate is in use").expect("taken");
    assert_ne!(get(port, ca, "/health/live", "chat.example.org").await.1, first);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(log.any(|line| line["message"] == "stopped"));
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn serve_finds_its_resources_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("chancery.toml");
    let own = format!("self_signed = true\ndata = '{}'", folder.path().display());
    fs::write(&config, configuration(folder.path(), &own)).unwrap();
    let mut seen: Vec<Value> = Vec::new();
    for _ in 0..2 {
        let ready = folder.path().join("ready.json");
        let mut command = Command::new(PROGRAM);
        command
            .args(["serve", "--ready-file"])
            .arg(&ready)
            .arg("--config")
            .arg(&config)
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(log.any(|line| line.unwrap().ends_with("ready")));
        let told: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        let ca = fs::read(told["caFile"].as_str().unwrap()).unwrap();
        let port = told["endpoint"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        for host in ["chat.example.org", "contoso.chat.example.org"] {
            assert_eq!(get(port, &ca, "/health/ready", host).await.0.0, 200, "{host}");
        }
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success());
        fs::remove_file(&ready).unwrap();
        seen.push(told);
    }
    let key = |told: &Value| {
        told["resources"][0]["connectionString"].as_str().unwrap().rsplit(';').next().unwrap().to_owned()
    };
    assert_eq!(key(&seen[0]), key(&seen[1]), "the same resource, not a new one of its name");
}

#[test]
fn config_check_and_doctor_say_what_is_wrong_and_end_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("chancery.toml");
    let name = config.to_str().unwrap();
    let own = format!("self_signed = true\ndata = '{}'", folder.path().display());
    fs::write(&config, configuration(folder.path(), &own)).unwrap();
    assert!(run(&["config", "check", "--config", name]).status.success());
    let doctor = run(&["doctor", "--json", "--config", name]);
    let told: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!((told["ok"].as_bool(), doctor.status.code()), (Some(true), Some(0)), "{told:#}");
    fs::write(&config, configuration(folder.path(), &own).replace("'europe'\nengine", "'Europe'\nengine"))
        .unwrap();
    let checked = run(&["config", "check", "--config", name]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        text(&checked.stdout).contains("chancery.toml:7:1: cell[0].geography"),
        "{}",
        text(&checked.stdout)
    );
    let doctor = run(&["doctor", "--config", name]);
    assert!(
        doctor.status.code() == Some(1) && text(&doctor.stdout).contains('✗'),
        "{}",
        text(&doctor.stdout)
    );
    let serve = run(&["serve", "--config", name]);
    assert!(serve.status.code() == Some(1) && text(&serve.stderr).contains("cell[0].geography"));
    let schema = run(&["config", "schema"]);
    assert!(serde_json::from_slice::<Value>(&schema.stdout).is_ok() && schema.status.success());
    assert!(text(&run(&["version"]).stdout).starts_with("chancery 0."));
    assert_eq!(run(&["nonsense"]).status.code(), Some(2));
}
