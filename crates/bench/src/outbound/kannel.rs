//! Kannel as the peer that relays texts: a throwaway bearerbox and smsbox of the machine's own package, on free ports and a
//! temporary folder, with one SMPP bind to the centre. It keeps its queue in memory, so what it accepts is not durable.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::postfix::listening;
use crate::error::{Error, Result};
use crate::host::postgres::free_port;
use crate::host::program::Owned;
use crate::host::temp_folder;
use crate::measure::{Latencies, Stopwatch, proc};

/// The user name and password everywhere in this run; it is all on loopback and ends with the run.
pub(crate) const WORD: &str = "bench";

/// Kannel, running.
#[derive(Debug)]
pub(crate) struct Kannel {
    bearer: Owned,
    sms: Owned,
    /// Where it takes texts on 127.0.0.1, over plain HTTP.
    port: u16,
    _folder: TempDir,
}

impl Kannel {
    /// Starts it, bound to the centre at `centre`.
    pub(crate) async fn start(dir: &Path, centre: u16, window: usize) -> Result<Self> {
        let folder = temp_folder(dir)?;
        let (admin, between, port) = (free_port()?, free_port()?, free_port()?);
        let conf = folder.path().join("kannel.conf");
        let text = configuration(folder.path(), [admin, between, port, centre], window);
        fs::write(&conf, text).map_err(|e| Error::io("write Kannel's file", e))?;
        let start = |program: &str| {
            let mut command = Command::new(program);
            command.arg("-v").arg("4").arg(&conf).current_dir(folder.path());
            Owned::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
        };
        let bearer = start("bearerbox")?;
        listening(between).await?;
        let sms = start("smsbox")?;
        listening(port).await?;
        Ok(Self { bearer, sms, port, _folder: folder })
    }

    /// CPU seconds of both its processes.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        Ok(proc::family_cpu_seconds(self.bearer.id())? + proc::family_cpu_seconds(self.sms.id())?)
    }

    /// Posts `count` texts from `clients` at once, each asking for its receipt at `callback`.
    pub(crate) async fn post(&self, clients: usize, count: u64, callback: u16) -> Result<Latencies> {
        let numbers = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let (numbers, port) = (Arc::clone(&numbers), self.port);
            tasks.spawn(async move { client(port, &numbers, count, callback).await });
        }
        let mut all = Latencies::default();
        while let Some(done) = tasks.join_next().await {
            all.merge(done.map_err(|e| Error::Server(e.to_string()))??);
        }
        Ok(all)
    }
}

async fn client(port: u16, numbers: &AtomicU64, count: u64, callback: u16) -> Result<Latencies> {
    let failed = |e| Error::io("post a text to Kannel", e);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let mut latencies = Latencies::default();
    let mut buffer = vec![0; 4096];
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(latencies);
        }
        let request = format!(
            "GET /cgi-bin/sendsms?username={WORD}&password={WORD}&from=%2B18335550100&to=%2B1425{number:07}\
             &text=Your+code+is+{number:06}&dlr-mask=3&dlr-url=http%3A%2F%2F127.0.0.1%3A{callback}%2Fdlr HTTP/1.1\r\n\
             Host: 127.0.0.1\r\n\r\n"
        );
        let watch = Stopwatch::start();
        stream.write_all(request.as_bytes()).await.map_err(failed)?;
        answer(&mut stream, &mut buffer).await.map_err(failed)?;
        latencies.push(watch.micros());
    }
}

/// Reads one answer: a head, and a body as long as it says.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 202") {
            return Err(std::io::Error::other(head.lines().next().unwrap_or_default().to_owned()));
        }
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        if filled >= end + 4 + length.unwrap_or(0) {
            return Ok(());
        }
    }
}

/// Answers 200 to every receipt that Kannel brings, and counts them.
#[derive(Debug)]
pub(crate) struct Callbacks {
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    count: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Callbacks {
    /// Starts it.
    pub(crate) async fn start() -> Result<Self> {
        let failed = |e| Error::io("listen for receipts", e);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let count = Arc::new(AtomicU64::new(0));
        let (mut tasks, counted) = (JoinSet::new(), Arc::clone(&count));
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(called(stream, Arc::clone(&counted)));
            }
        });
        Ok(Self { port, count, _tasks: tasks })
    }

    /// How many came.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits until `all` came.
    pub(crate) async fn came(&self, all: u64, most: Duration) -> Result<()> {
        let watch = Stopwatch::start();
        while self.count() < all {
            if watch.elapsed() > most {
                return Err(Error::Server(format!("{} of {all} receipts came in {most:?}", self.count())));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

/// One connection: requests without bodies, one after the other.
async fn called(mut stream: TcpStream, count: Arc<AtomicU64>) {
    let (mut buffer, mut filled) = (vec![0; 8192], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        while let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
            buffer.copy_within(end + 4..filled, 0);
            filled -= end + 4;
            count.fetch_add(1, Ordering::Relaxed);
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.is_err() {
                return;
            }
        }
        if filled == buffer.len() {
            return;
        }
    }
}

fn configuration(folder: &Path, [admin, between, port, centre]: [u16; 4], window: usize) -> String {
    let log = folder.display();
    format!(
        "group = core\nadmin-port = {admin}\nadmin-password = {WORD}\nsmsbox-port = {between}\n\
         log-file = \"{log}/bearerbox.log\"\nlog-level = 4\nbox-allow-ip = \"127.0.0.1\"\ndlr-storage = internal\n\
         sms-incoming-queue-limit = -1\nsms-outgoing-queue-limit = 1000000\n\n\
         group = smsc\nsmsc = smpp\nsmsc-id = bench\nhost = 127.0.0.1\nport = {centre}\ntransceiver-mode = true\n\
         smsc-username = {WORD}\nsmsc-password = {WORD}\nsystem-type = \"\"\nmax-pending-submits = {window}\n\n\
         group = smsbox\nbearerbox-host = 127.0.0.1\nbearerbox-port = {between}\nsendsms-port = {port}\n\
         log-file = \"{log}/smsbox.log\"\nlog-level = 4\n\n\
         group = sendsms-user\nusername = {WORD}\npassword = {WORD}\nmax-messages = 10\nconcatenation = true\n\n\
         group = sms-service\nkeyword = default\ntext = \"\"\nmax-messages = 0\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_its_ports_and_window() {
        let text = configuration(Path::new("/t"), [1, 2, 3, 4], 100);
        for line in
            ["admin-port = 1", "smsbox-port = 2", "sendsms-port = 3", "port = 4", "max-pending-submits = 100"]
        {
            assert!(text.lines().any(|one| one == line), "{line}");
        }
    }

    #[tokio::test]
    async fn receipts_are_counted_however_they_are_cut() {
        let callbacks = Callbacks::start().await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", callbacks.port)).await.unwrap();
        for piece in ["GET /dlr HTTP/1.1\r\nHost: x\r\n\r\nGET /d", "lr HTTP/1.1\r\n\r", "\n"] {
            stream.write_all(piece.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        callbacks.came(2, Duration::from_secs(5)).await.unwrap();
        assert_eq!(callbacks.count(), 2);
    }
}
