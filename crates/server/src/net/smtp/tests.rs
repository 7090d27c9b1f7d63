//! Conversations over streams in memory, on time that is moved by hand; and a few over sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::Timestamp;
use guard::tls::{Authority, CertificateStore};
use post::smtp::{Letter, Profile, Question, Reply};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::listener::{Host, converse};
use super::*;
use crate::channel::postmaster::{Answer, Postmaster};
use crate::net::{Stop, bind};

const SLOW: Duration = Duration::from_secs(7);

/// Takes every letter once told to; a wrong password waits.
struct Toy {
    letters: Mutex<Vec<Letter>>,
    go: Semaphore,
}

impl Postmaster for Arc<Toy> {
    type Visit = IpAddr;

    fn welcome(&self, peer: IpAddr) -> IpAddr {
        peer
    }

    async fn answer(&self, visit: &mut IpAddr, question: Question) -> Answer {
        assert_eq!(*visit, IpAddr::V4(Ipv4Addr::LOCALHOST));
        match question {
            Question::Credentials { password, .. } if password.expose() == "secret" => {
                Reply::welcome().into()
            }
            Question::Credentials { .. } => Answer { reply: Reply::not_authenticated(), after: SLOW },
            Question::Sender(_) | Question::Recipient(_) => Reply::taken().into(),
            Question::Letter(letter) => {
                self.go.acquire().await.unwrap().forget();
                self.letters.lock().unwrap().push(letter);
                Reply::taken().into()
            }
        }
    }
}

/// A server in memory, and its client's end of one connection.
struct World {
    toy: Arc<Toy>,
    host: Arc<Host<Arc<Toy>>>,
    stop: Stop,
    tasks: JoinSet<()>,
    ca: Vec<u8>,
}

impl World {
    fn new(submission: bool) -> Self {
        guard::tls::install_provider();
        let now = Timestamp::from_millis(1_795_420_800_000);
        let authority = Authority::generate("Test CA", now).unwrap();
        let pair = authority.issue(&["mx.example.org".to_owned()], &[], now).unwrap();
        let store =
            CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes()).unwrap();
        let tls = guard::tls::mail_server_config(Arc::new(store));
        let toy = Arc::new(Toy { letters: Mutex::default(), go: Semaphore::new(0) });
        let host = Host {
            postmaster: Arc::clone(&toy),
            profile: profile(submission),
            tls: Some(TlsAcceptor::from(tls)),
            bounds: Bounds { connections: 3, per_address: 2, ..Bounds::from(&base::Limits::default()) },
        };
        let ca = authority.cert_pem().as_bytes().to_vec();
        Self { toy, host: Arc::new(host), stop: Stop::new(), tasks: JoinSet::new(), ca }
    }

    async fn client(&mut self) -> Client<DuplexStream> {
        let (ours, theirs) = duplex(64 * 1024);
        let (host, stop) = (Arc::clone(&self.host), self.stop.clone());
        let visit = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.tasks.spawn(async move { converse(&host, theirs, visit, stop).await });
        let mut client = Client(ours);
        assert_eq!(client.line().await, "220 mx.example.org ESMTP Chancery");
        client
    }

    fn letters(&self) -> usize {
        self.toy.letters.lock().unwrap().len()
    }

    async fn over(&mut self) {
        self.tasks.join_next().await.unwrap().unwrap();
    }
}

fn profile(submission: bool) -> Profile {
    Profile {
        host: "mx.example.org".into(),
        submission,
        tls: true,
        max_message: 100_000,
        keep: 100_000,
        max_recipients: 5,
    }
}

struct Client<IO>(IO);

impl<IO: AsyncRead + AsyncWrite + Unpin> Client<IO> {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// One line; empty at the end of the stream.
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match self.0.read_u8().await {
                Ok(byte) => line.push(byte),
                Err(_) => break,
            }
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// Sends, and gives the last line of the reply.
    async fn say(&mut self, text: &str) -> String {
        self.send(text).await;
        loop {
            let line = self.line().await;
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    async fn begin_mail(&mut self) {
        for command in ["EHLO x\r\n", "MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n"] {
            assert!(self.say(command).await.starts_with("250"), "{command}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_is_acknowledged_when_the_product_has_it_and_not_before() {
    let mut world = World::new(false);
    let mut client = world.client().await;
    client.begin_mail().await;
    assert!(client.say("DATA\r\n").await.starts_with("354"));
    client.send("hi\r\n.\r\n").await;
    assert!(timeout(Duration::from_secs(60), client.line()).await.is_err(), "no word before it is durable");
    world.toy.go.add_permits(1);
    assert_eq!(client.line().await, "250 2.0.0 OK");
    assert_eq!(world.letters(), 1);
    assert_eq!(client.say("QUIT\r\n").await, "221 2.0.0 Bye");
    assert_eq!(client.line().await, "");
    world.over().await;
}

#[tokio::test(start_paused = true)]
async fn a_trickle_buys_no_time() {
    let mut world = World::new(false);
    let mut client = world.client().await;
    let begun = Instant::now();
    // A byte each 20 seconds, never a line.
    let silent = loop {
        match timeout(Duration::from_secs(20), client.line()).await {
            Ok(line) => break line,
            Err(_) => client.send("N").await,
        }
    };
    assert_eq!(silent, "421 4.4.2 Timeout; closing connection");
    assert_eq!(begun.elapsed().as_secs(), SMTP_COMMAND_TIMEOUT.as_secs());
    world.over().await;

    let mut client = world.client().await;
    client.begin_mail().await;
    assert!(client.say("DATA\r\n").await.starts_with("354"));
    let begun = Instant::now();
    let silent = loop {
        match timeout(Duration::from_secs(20), client.line()).await {
            Ok(line) => break line,
            Err(_) => client.send("a\r\n").await,
        }
    };
    assert_eq!(silent, "421 4.4.2 Timeout; closing connection");
    assert_eq!(begun.elapsed().as_secs(), SMTP_TEXT_TIMEOUT.as_secs());
    assert_eq!(world.letters(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_has_an_end_however_busy_it_is() {
    let mut world = World::new(false);
    let mut client = world.client().await;
    let begun = Instant::now();
    loop {
        sleep(Duration::from_secs(200)).await;
        // It may be over by now, and the reply waits to be read.
        let _ = client.0.write_all(b"NOOP\r\n").await;
        match client.line().await.as_str() {
            "250 2.0.0 OK" => {}
            other => break assert_eq!(other, "421 4.4.2 Timeout; closing connection"),
        }
    }
    assert!(begun.elapsed() <= SMTP_SESSION_TIMEOUT + Duration::from_secs(200));
    assert!(begun.elapsed() > SMTP_SESSION_TIMEOUT - Duration::from_secs(200));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_listen_is_dropped() {
    let mut world = World::new(false);
    let mut client = world.client().await;
    // Far more replies than the stream holds, none of them read.
    let garbage = "BDAT 0\r\n".repeat(9);
    client.send(&garbage).await;
    let (ours, theirs) = duplex(16);
    let (host, stop) = (Arc::clone(&world.host), world.stop.clone());
    let visit = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let begun = Instant::now();
    converse(&host, theirs, visit, stop).await;
    assert_eq!(begun.elapsed(), SMTP_COMMAND_TIMEOUT);
    drop((ours, client));
    world.over().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_a_mail_end_and_sends_the_idle_away() {
    let mut world = World::new(false);
    world.toy.go.add_permits(1);
    let (mut idle, mut busy, mut stuck) = (world.client().await, world.client().await, world.client().await);
    for client in [&mut busy, &mut stuck] {
        client.begin_mail().await;
        assert!(client.say("DATA\r\n").await.starts_with("354"));
    }
    world.stop.drain();
    assert_eq!(idle.line().await, "421 4.3.2 The server is stopping; try again later");
    assert_eq!(idle.line().await, "");
    assert_eq!(busy.say("hi\r\n.\r\n").await, "250 2.0.0 OK");
    assert_eq!(busy.line().await, "421 4.3.2 The server is stopping; try again later");
    world.over().await;
    world.over().await;
    stuck.send("never ends\r\n").await;
    world.stop.cut();
    assert_eq!(stuck.line().await, "421 4.3.2 The server is stopping; try again later");
    world.over().await;
    assert_eq!(world.letters(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_waits() {
    let mut world = World::new(true);
    let mut client = secured(&mut world).await;
    assert!(client.say("EHLO x\r\n").await.starts_with("250"));
    let begun = Instant::now();
    assert_eq!(client.say("AUTH PLAIN AHUAd3Jvbmc=\r\n").await, "535 5.7.3 Authentication unsuccessful");
    assert!(begun.elapsed() >= SLOW);
    assert_eq!(client.say("AUTH PLAIN AHUAc2VjcmV0\r\n").await, "235 2.7.0 Authentication successful");
}

/// A client that has begun TLS.
async fn secured(world: &mut World) -> Client<tokio_rustls::client::TlsStream<DuplexStream>> {
    let mut client = world.client().await;
    assert!(client.say("EHLO x\r\n").await.starts_with("250"));
    assert_eq!(client.say("STARTTLS\r\n").await, "220 2.0.0 Go ahead");
    let config = guard::tls::client_config(&world.ca).unwrap();
    let name = rustls::pki_types::ServerName::try_from("mx.example.org").unwrap();
    Client(TlsConnector::from(config).connect(name, client.0).await.unwrap())
}

#[tokio::test]
async fn a_mail_comes_through_under_tls() {
    let mut world = World::new(true);
    world.toy.go.add_permits(1);
    let mut client = secured(&mut world).await;
    assert_eq!(client.say("MAIL FROM:<a@b>\r\n").await, "530 5.7.57 Client not authenticated to send mail");
    assert!(client.say("EHLO x\r\n").await.starts_with("250"));
    assert!(client.say("AUTH PLAIN AHUAc2VjcmV0\r\n").await.starts_with("235"));
    client.begin_mail().await;
    assert!(client.say("DATA\r\n").await.starts_with("354"));
    let text = format!("{}.\r\n", "x".repeat(70).as_str().to_owned() + "\r\n");
    assert_eq!(client.say(&text).await, "250 2.0.0 OK");
    assert_eq!(client.say("QUIT\r\n").await, "221 2.0.0 Bye");
    world.over().await;
    assert_eq!(world.toy.letters.lock().unwrap()[0].message.expose().len(), 72);
}

#[tokio::test]
async fn nothing_is_injected_before_tls() {
    let mut world = World::new(true);
    let mut client = world.client().await;
    assert!(client.say("EHLO x\r\n").await.starts_with("250"));
    let reply = client.say("STARTTLS\r\nRSET\r\n").await;
    assert!(reply.starts_with("503"), "{reply}");
    assert_eq!(client.line().await, "", "and it is over");
    world.over().await;
}

#[tokio::test]
async fn whoever_speaks_no_tls_after_starttls_is_dropped() {
    let mut world = World::new(true);
    let mut client = world.client().await;
    assert!(client.say("EHLO x\r\n").await.starts_with("250"));
    assert!(client.say("STARTTLS\r\n").await.starts_with("220"));
    let _ = client.0.write_all(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n").await;
    world.over().await;
    assert_eq!(world.letters(), 0);
}

#[tokio::test]
async fn connections_are_limited_for_each_address() {
    let world = World::new(false);
    let door = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = door.address();
    let bounds = Bounds { drain: Duration::from_secs(2), ..world.host.bounds };
    let server = SmtpServer::new(Arc::clone(&world.toy), profile(false), None, bounds);
    let stop = world.stop.clone();
    let ending = async {
        let mut open = Vec::new();
        for _ in 0..2 {
            let mut client = Client(TcpStream::connect(address).await.unwrap());
            assert!(client.line().await.starts_with("220"));
            assert!(client.say("EHLO x\r\n").await.starts_with("250"));
            assert!(client.say("STARTTLS\r\n").await.starts_with("503"), "no certificate, no TLS");
            open.push(client);
        }
        let mut third = Client(TcpStream::connect(address).await.unwrap());
        assert_eq!(third.line().await, "421 4.7.0 Too many connections; try again later");
        assert_eq!(third.line().await, "");
        assert_eq!(open.pop().unwrap().say("QUIT\r\n").await, "221 2.0.0 Bye");
        // The place is given back when the task has ended, soon after.
        let again = loop {
            let mut client = Client(TcpStream::connect(address).await.unwrap());
            if client.line().await.starts_with("220") {
                break client;
            }
            sleep(Duration::from_millis(5)).await;
        };
        open.push(again);
        stop.drain();
        for mut client in open {
            assert!(client.line().await.starts_with("421 4.3.2"));
        }
    };
    let (drained, ()) = tokio::join!(server.run(vec![door], &world.stop), ending);
    assert_eq!(drained.cut, 0);
}
