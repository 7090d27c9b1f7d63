//! The contract of a channel, against a scripted peer: accept, throttle, refuse, time out, duplicate, disconnect in the
//! middle; and what is particular to SMTP.

use base::{Clock as _, ManualClock, ResourceId, SystemClock, Timestamp};
use guard::tls::{Authority, CertificateStore, mail, server_config};

use super::peer::{Peer, Script};
use super::*;

const MESSAGE: &str = "From: <a@example.com>\r\nSubject: x\r\n\r\n.hidden dot\r\nBye\r\n";

fn hop(tls: Tls) -> Hop {
    Hop { host: "mx.example.org".into(), port: 25, name: "mx.example.org".into(), tls }
}

struct Rig {
    channel: SmtpChannel,
    clock: Arc<ManualClock>,
}

fn rig_with(peer: &Arc<Peer>, hops: Vec<Hop>, login: Option<Login>) -> Rig {
    struct Fixed(Vec<Hop>);
    impl Router for Fixed {
        fn route<'a>(&'a self, _destination: &'a str) -> BoxFuture<'a, Result<Vec<Hop>, NoRoute>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    let settings =
        SmtpSettings { hello: "out.example.com".into(), login, sessions: 2, timeouts: Timeouts::default() };
    let dial: Arc<dyn Dial> = Arc::clone(peer) as Arc<dyn Dial>;
    let channel =
        SmtpChannel::new(Arc::new(Fixed(hops)), dial, settings, Arc::clone(&clock) as Arc<dyn Clock>);
    Rig { channel, clock }
}

fn rig(peer: &Arc<Peer>) -> Rig {
    rig_with(peer, vec![hop(Tls::Off)], None)
}

fn parcel(recipients: &[&str]) -> MailParcel {
    MailParcel {
        id: [1; 16],
        resource: ResourceId::from_bytes([2; 16]),
        return_path: Personal::new("b-1@bounce.example.com".to_owned()),
        recipients: recipients.iter().map(|one| Personal::new((*one).to_owned())).collect(),
        destination: Personal::new("example.org".to_owned()),
        message: Personal::new(MESSAGE.as_bytes().to_vec()),
    }
}

async fn deliver(rig: &Rig, recipients: &[&str]) -> Vec<MailOutcome> {
    rig.channel.deliver(&parcel(recipients)).await
}

/// What the outcome is, and the code that was heard.
fn short(outcome: &MailOutcome) -> (&'static str, u16) {
    match outcome {
        MailOutcome::Accepted(reply) => ("accepted", reply.code),
        MailOutcome::Refused(reply) => ("refused", reply.code),
        MailOutcome::Later { reply, .. } => ("later", reply.as_ref().map_or(0, |reply| reply.code)),
    }
}

async fn play(
    scripts: impl IntoIterator<Item = Script>,
    recipients: &[&str],
) -> (Vec<(&'static str, u16)>, Arc<Peer>) {
    let peer = Peer::new(scripts);
    let outcomes = deliver(&rig(&peer), recipients).await;
    (outcomes.iter().map(short).collect(), peer)
}

#[tokio::test(start_paused = true)]
async fn accepts_and_sends_the_message_as_it_is() {
    let peer = Peer::new([vec![]]);
    let rig = rig(&peer);
    let outcomes = deliver(&rig, &["ada@example.org", "bob@example.org"]).await;
    let MailOutcome::Accepted(reply) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert_eq!(
        (reply.code, reply.enhanced.as_deref(), reply.host.as_str()),
        (250, Some("2.0.0"), "mx.example.org")
    );
    assert_eq!(reply.text.expose(), "queued");
    let seen = peer.seen();
    assert_eq!(seen.messages, [MESSAGE]);
    assert_eq!(seen.calls, [("mx.example.org".to_owned(), 25)]);
    let size = format!("MAIL FROM:<b-1@bounce.example.com> SIZE={}", MESSAGE.len());
    let wanted =
        ["EHLO out.example.com", &size, "RCPT TO:<ada@example.org>", "RCPT TO:<bob@example.org>", "DATA"];
    assert_eq!(seen.lines[0], wanted);
}

#[tokio::test(start_paused = true)]
async fn each_recipient_has_its_own_outcome() {
    let script = vec![("RCPT TO:<no@", "550 5.1.1 No such user"), ("RCPT TO:<full@", "452 4.2.2 Full")];
    let (outcomes, peer) =
        play([script], &["yes@example.org", "no@example.org", "full@example.org", "not an address"]).await;
    assert_eq!(outcomes, [("accepted", 250), ("refused", 550), ("later", 452), ("refused", 553)]);
    assert_eq!(peer.seen().messages.len(), 1);
    assert!(!peer.seen().lines[0].iter().any(|line| line.contains("not an address")));
}

#[tokio::test(start_paused = true)]
async fn throttled_everywhere_it_can_be() {
    for script in [
        vec![("MAIL", "451 4.7.1 Greylisted")],
        vec![("RCPT", "450 4.7.1 Slow down")],
        vec![("DATA", "451 4.3.0 Not now")],
        vec![(".", "452 4.3.1 No room")],
        vec![("^", "421 4.7.0 Too many")],
        vec![("MAIL", "421 4.7.0 Closing")],
        vec![("EHLO", "421 4.7.0 Closing")],
    ] {
        let what = script[0];
        let (outcomes, _) = play([script], &["a@example.org"]).await;
        let code = what.1[..3].parse().unwrap();
        assert_eq!(outcomes, [("later", code)], "{what:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn refused_everywhere_it_can_be() {
    for script in [
        vec![("MAIL", "550 5.7.1 Not you")],
        vec![("RCPT", "550 5.1.1 Nobody"), ("DATA", "554 5.5.1 No valid recipients")],
        vec![
            ("RCPT", "550 5.1.1 Nobody"),
            ("DATA", "354 Go on anyway"),
            (".", "554 5.5.1 No valid recipients"),
        ],
        vec![("DATA", "550 5.7.1 No")],
        vec![(".", "550 5.7.1 Spam")],
    ] {
        let what = script[0];
        let (outcomes, peer) = play([script], &["a@example.org"]).await;
        assert_eq!(outcomes, [("refused", 550)], "{what:?}");
        assert!(peer.seen().messages.iter().all(|message| what.0 == "." || message.is_empty()), "{what:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_left_in_time() {
    for at in ["^", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let begun = tokio::time::Instant::now();
        let (outcomes, _) = play([vec![(at, "<hang>")]], &["a@example.org"]).await;
        assert_eq!(outcomes, [("later", 0)], "{at}");
        assert!(begun.elapsed() <= Duration::from_secs(180), "{at}: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_used_again_until_they_have_rested_too_long() {
    let peer = Peer::new([vec![], vec![]]);
    let rig = rig(&peer);
    for _ in 0..3 {
        assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("accepted", 250));
    }
    assert_eq!(peer.seen().lines.len(), 1, "one connection");
    rig.clock.advance(Duration::from_secs(31));
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("accepted", 250));
    assert_eq!((peer.seen().lines.len(), peer.seen().messages.len()), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_gone_is_replaced_and_nothing_is_sent_twice() {
    for gone in ["<drop>", "421 4.4.2 Idle too long"] {
        // The second mail of the session meets its end.
        let peer = Peer::new([vec![("MAIL", "250 Ok"), ("MAIL", gone)], vec![]]);
        let rig = rig(&peer);
        for _ in 0..2 {
            assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("accepted", 250), "{gone}");
        }
        assert_eq!((peer.seen().lines.len(), peer.seen().messages.len()), (2, 2), "{gone}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_break_in_the_middle_of_the_message_is_safe_to_send_again() {
    let peer = Peer::new([vec![("message", "<drop>")], vec![]]);
    let rig = rig(&peer);
    let mut large = parcel(&["a@example.org"]);
    let body = "x".repeat(998) + "\r\n";
    large.message = Personal::new(format!("From: <a@example.com>\r\n\r\n{}", body.repeat(90)).into_bytes());
    assert_eq!(short(&rig.channel.deliver(&large).await[0]), ("later", 0));
    assert!(peer.seen().messages.is_empty());
    assert_eq!(short(&rig.channel.deliver(&large).await[0]), ("accepted", 250));
    assert_eq!(peer.seen().messages, [String::from_utf8(large.message.into_inner()).unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn a_break_after_the_message_is_told_as_what_it_is() {
    let peer = Peer::new([vec![(".", "<drop>")], vec![]]);
    let outcomes = deliver(&rig(&peer), &["a@example.org", "b@example.org"]).await;
    for outcome in &outcomes {
        let MailOutcome::Later { reply: None, reason } = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("may have been taken") && !reason.contains('@'), "{reason}");
    }
    assert_eq!((peer.seen().calls.len(), peer.seen().messages.len()), (1, 1), "it is not sent again here");
}

#[tokio::test(start_paused = true)]
async fn the_same_parcel_twice_is_two_mails() {
    // Whether a mail was sent is known by those who ask for it: the channel keeps nothing.
    let peer = Peer::new([vec![]]);
    let rig = rig(&peer);
    deliver(&rig, &["a@example.org"]).await;
    deliver(&rig, &["a@example.org"]).await;
    assert_eq!(peer.seen().messages, [MESSAGE, MESSAGE]);
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_session_is_clean() {
    let peer = Peer::new([vec![("RCPT", "550 5.1.1 No"), ("DATA", "503 5.5.1 No")]]);
    let rig = rig(&peer);
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("refused", 550));
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("accepted", 250));
    let lines = &peer.seen().lines[0];
    let reset = lines.iter().position(|line| line == "RSET").unwrap();
    assert!(lines[reset + 1].starts_with("MAIL FROM"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_extensions_gets_one_command_at_a_time() {
    let peer = Peer::new([vec![("EHLO", "502 5.5.1 Unknown"), ("RCPT TO:<b@", "550 Nobody")]]);
    let outcomes = deliver(&rig(&peer), &["a@example.org", "b@example.org"]).await;
    assert_eq!(outcomes.iter().map(short).collect::<Vec<_>>(), [("accepted", 250), ("refused", 550)]);
    let lines = &peer.seen().lines[0];
    assert_eq!(lines[1..3], ["HELO out.example.com", "MAIL FROM:<b-1@bounce.example.com>"]);
    assert_eq!(peer.seen().messages, [MESSAGE]);
}

#[tokio::test(start_paused = true)]
async fn no_data_without_a_recipient_where_commands_go_one_by_one() {
    let peer = Peer::new([vec![("EHLO", "250 peer"), ("RCPT", "550 5.1.1 Nobody")]]);
    assert_eq!(short(&deliver(&rig(&peer), &["a@example.org"]).await[0]), ("refused", 550));
    assert!(!peer.seen().lines[0].contains(&"DATA".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn too_large_is_known_before_it_is_sent() {
    let script = vec![("EHLO", "250-peer\r\n250 SIZE 10")];
    let (outcomes, peer) = play([script], &["a@example.org"]).await;
    assert_eq!(outcomes, [("refused", 552)]);
    assert_eq!(peer.seen().lines[0].len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_server_is_asked_when_one_cannot_be_reached() {
    let peer = Peer::new([vec![("^", "554 5.3.2 No service")], vec![]]);
    let second = Hop { host: "mx2.example.org".into(), ..hop(Tls::Off) };
    let rig = rig_with(&peer, vec![hop(Tls::Off), second], None);
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("accepted", 250));
    assert_eq!(peer.seen().calls[1].0, "mx2.example.org");
    let (outcomes, _) = play([], &["a@example.org"]).await;
    assert_eq!(outcomes, [("later", 0)], "nobody can be reached");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_speak_smtp() {
    for greeting in ["HTTP/1.1 400 Bad Request", "SSH-2.0-OpenSSH"] {
        let (outcomes, _) = play([vec![("^", greeting)]], &["a@example.org"]).await;
        assert_eq!(outcomes, [("later", 0)], "{greeting}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_sessions_than_allowed() {
    let peer = Peer::new((0..8).map(|_| vec![(".", "<hang>")]));
    let rig = rig(&peer);
    let parcels: Vec<_> = (0..8).map(|_| parcel(&["a@example.org"])).collect();
    let many = futures_all(parcels.iter().map(|parcel| rig.channel.deliver(parcel)).collect());
    assert!(timeout(Duration::from_secs(30), many).await.is_err(), "they hang");
    assert_eq!(peer.seen().calls.len(), 2);
}

/// Runs them side by side.
async fn futures_all(mut futures: Vec<BoxFuture<'_, Vec<MailOutcome>>>) {
    std::future::poll_fn(move |cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// A peer with a certificate for `mx.example.org`, and the PEM of its authority.
fn tls_peer(scripts: impl IntoIterator<Item = Script>) -> (Arc<Peer>, String) {
    let authority = Authority::generate("Test", SystemClock.now()).unwrap();
    let pair = authority.issue(&["mx.example.org".to_owned()], &[], SystemClock.now()).unwrap();
    let store = CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes()).unwrap();
    let mut peer = Arc::into_inner(Peer::new(scripts)).unwrap();
    peer.tls = Some(server_config(Arc::new(store)));
    (Arc::new(peer), authority.cert_pem().to_owned())
}

fn login() -> Option<Login> {
    Some(Login { user: Secret::new("user".into()), password: Secret::new("pass".into()) })
}

#[tokio::test]
async fn verified_tls_then_a_login() {
    let (peer, ca) = tls_peer([vec![]]);
    let must = Tls::Must(mail::mail_verified(ca.as_bytes()).unwrap());
    let rig = rig_with(&peer, vec![hop(must)], login());
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("accepted", 250));
    let lines = &peer.seen().lines[0];
    let wanted = ["EHLO out.example.com", "STARTTLS", "EHLO out.example.com", "AUTH PLAIN AHVzZXIAcGFzcw=="];
    assert_eq!(lines[..4], wanted);
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_is_another() {
    let (peer, ca) = tls_peer([vec![], vec![]]);
    let config = mail::mail_verified(ca.as_bytes()).unwrap();
    let other = Hop { name: "mx.example.net".into(), ..hop(Tls::Must(config)) };
    let (stranger, _) = tls_peer([]);
    drop(stranger);
    let unknown = hop(Tls::Must(mail::mail_verified(tls_peer([]).1.as_bytes()).unwrap()));
    let rig = rig_with(&peer, vec![other, unknown], None);
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("later", 0));
    let seen = peer.seen();
    assert_eq!(seen.lines.len(), 2);
    assert!(seen.lines.iter().flatten().all(|line| !line.starts_with("MAIL")), "{:?}", seen.lines);
}

#[tokio::test]
async fn encryption_is_taken_where_it_is_offered() {
    let (peer, _) = tls_peer([vec![], vec![("STARTTLS", "454 4.7.0 Not now")], vec![]]);
    let rig = rig_with(&peer, vec![hop(Tls::Offered(mail::mail_unverified()))], None);
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("accepted", 250));
    assert_eq!(peer.seen().lines[0][1..3], ["STARTTLS", "EHLO out.example.com"]);
    rig.clock.advance(Duration::from_secs(60));
    // Where it does not work, the mail goes without it, by a new connection.
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("accepted", 250));
    assert!(!peer.seen().lines[2].contains(&"STARTTLS".to_owned()));
}

#[tokio::test]
async fn where_tls_must_be_it_is_not_talked_away() {
    let config = || Tls::Must(mail::mail_unverified());
    let plain = Peer::new([vec![]]);
    let rig = rig_with(&plain, vec![hop(config())], None);
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("later", 0));
    assert_eq!(plain.seen().lines[0], ["EHLO out.example.com"]);
    // A second reply in clear text, put there by somebody in between.
    let (peer, _) = tls_peer([vec![("STARTTLS", "220 Go\r\n250 injected")]]);
    let rig = rig_with(&peer, vec![hop(config())], None);
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("later", 0));
    assert!(peer.seen().messages.is_empty());
}

#[tokio::test]
async fn a_password_is_not_sent_in_the_clear() {
    let peer = Peer::new([vec![]]);
    let rig = rig_with(&peer, vec![hop(Tls::Offered(mail::mail_unverified()))], login());
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("later", 0));
    assert!(!peer.seen().lines[0].iter().any(|line| line.contains("AUTH")));
    let (peer, _) = tls_peer([vec![("AUTH", "535 5.7.8 Who?")]]);
    let rig = rig_with(&peer, vec![hop(Tls::Must(mail::mail_unverified()))], login());
    assert_eq!(short(&deliver(&rig, &["a@example.org"]).await[0]), ("later", 535));
}
