//! A mail server by script, over streams in memory: it answers as servers do, except where the script says otherwise.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use guard::BoxFuture;
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::channel::{Dial, Stream};

/// What to answer when a line begins so; each is used once, in order. `.` is the end of a message, `^` the greeting.
/// Answers in angle brackets are acts: `<drop>` ends the connection, `<hang>` never answers.
pub(super) type Script = Vec<(&'static str, &'static str)>;

/// What the peer saw.
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    /// Lines of commands, one list for each connection.
    pub(super) lines: Vec<Vec<String>>,
    /// Messages that ended.
    pub(super) messages: Vec<String>,
    /// Where it was called.
    pub(super) calls: Vec<(String, u16)>,
}

/// Plays a script for each connection; when there is none left, it refuses them.
#[derive(Default)]
pub(super) struct Peer {
    pub(super) scripts: Mutex<VecDeque<Script>>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Peer {
    pub(super) fn new(scripts: impl IntoIterator<Item = Script>) -> Arc<Self> {
        Arc::new(Self { scripts: Mutex::new(scripts.into_iter().collect()), ..Self::default() })
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Dial for Peer {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let mut seen = self.seen.lock().unwrap();
            seen.calls.push((host.to_owned(), port));
            let Some(script) = self.scripts.lock().unwrap().pop_front() else {
                return Err(io::ErrorKind::ConnectionRefused.into());
            };
            seen.lines.push(Vec::new());
            let at = seen.lines.len() - 1;
            let (ours, theirs) = tokio::io::duplex(16 * 1024);
            let play = Play { script, seen: Arc::clone(&self.seen), at, tls: self.tls.clone() };
            self.tasks.lock().unwrap().spawn(async move {
                let _ = play.run(Box::new(theirs)).await;
            });
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

struct Play {
    script: Script,
    seen: Arc<Mutex<Seen>>,
    at: usize,
    tls: Option<Arc<ServerConfig>>,
}

impl Play {
    async fn run(mut self, stream: Box<dyn Stream>) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        self.say(&mut stream, "^", "220 peer ESMTP\r\n").await?;
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            self.seen.lock().unwrap().lines[self.at].push(line.trim_end().to_owned());
            let verb: String = line.chars().take_while(char::is_ascii_alphabetic).collect();
            let usual = match verb.as_str() {
                "EHLO" if self.tls.is_some() => {
                    "250-peer\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"
                }
                "EHLO" => "250-peer\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250 8BITMIME\r\n",
                "MAIL" => "250 2.1.0 Ok\r\n",
                "RCPT" => "250 2.1.5 Ok\r\n",
                "DATA" => "354 Go on\r\n",
                "AUTH" => "235 2.7.0 Welcome\r\n",
                "STARTTLS" | "RSET" | "HELO" => "220 2.0.0 Ok\r\n",
                _ => "500 5.5.2 What?\r\n",
            };
            let usual = if verb == "RSET" || verb == "HELO" { "250 2.0.0 Ok\r\n" } else { usual };
            let said = self.say(&mut stream, line.trim_end(), usual).await?;
            if verb == "DATA" && said.starts_with("354") {
                self.take_message(&mut stream).await?;
            }
            if let (true, Some(config)) = (verb == "STARTTLS" && said.starts_with("220"), self.tls.clone()) {
                let inner: Box<dyn Stream> = Box::new(stream.into_inner());
                stream = BufReader::new(Box::new(TlsAcceptor::from(config).accept(inner).await?));
            }
        }
    }

    async fn take_message(&mut self, stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<()> {
        if let Some(at) = self.script.iter().position(|(line, act)| *line == "message" && *act == "<drop>") {
            self.script.remove(at);
            let mut first = String::new();
            stream.read_line(&mut first).await?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let (mut message, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == ".\r\n" {
                break;
            }
            message.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        self.seen.lock().unwrap().messages.push(message);
        self.say(stream, ".", "250 2.0.0 queued\r\n").await.map(|_| ())
    }

    /// Answers as the script says, or as usual.
    async fn say(
        &mut self,
        stream: &mut BufReader<Box<dyn Stream>>,
        line: &str,
        usual: &'static str,
    ) -> io::Result<&'static str> {
        let at = self.script.iter().position(|(begin, _)| line.starts_with(begin));
        let answer = at.map_or(usual, |at| self.script.remove(at).1);
        match answer {
            "<drop>" => return Err(io::ErrorKind::ConnectionReset.into()),
            "<hang>" => std::future::pending().await,
            answer => {
                stream.write_all(answer.as_bytes()).await?;
                if !answer.ends_with("\r\n") {
                    stream.write_all(b"\r\n").await?;
                }
                stream.flush().await?;
            }
        }
        Ok(answer)
    }
}
