//! Sessions, as clients of every kind hold them.

mod hostile;

use base::limits::MAX_SMTP_LINE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

const MAX: usize = 1000;

fn profile(submission: bool) -> Profile {
    Profile {
        host: "mx.example.org".into(),
        submission,
        tls: true,
        max_message: MAX,
        keep: MAX,
        max_recipients: 3,
    }
}

/// A client and the product behind the session: who says `user`/`secret` may send, from `a@ours`, to who is no `nobody`.
struct Talk {
    session: Session,
    out: Vec<u8>,
    letters: Vec<Letter>,
    closed: bool,
    tls: bool,
}

impl Talk {
    fn new(submission: bool) -> Self {
        let mut out = Vec::new();
        let session = Session::new(profile(submission), &mut out);
        assert_eq!(out, b"220 mx.example.org ESMTP Chancery\r\n");
        Self { session, out: Vec::new(), letters: Vec::new(), closed: false, tls: false }
    }

    /// One that has said EHLO.
    fn greeted() -> Self {
        let mut talk = Self::new(false);
        assert!(talk.say("EHLO client\r\n").starts_with("250-"));
        talk
    }

    /// One that has logged in.
    fn logged_in() -> Self {
        let mut talk = Self::new(true);
        talk.say("EHLO client\r\nSTARTTLS\r\n");
        talk.say("EHLO client\r\n");
        let response = STANDARD.encode("\0user\0secret");
        assert_eq!(
            talk.say(&format!("AUTH PLAIN {response}\r\n")),
            "235 2.7.0 Authentication successful\r\n"
        );
        talk
    }

    fn answer(&mut self, question: Question) -> Reply {
        match question {
            Question::Credentials { name, password } => {
                let good = name.expose() == "user" && password.expose() == "secret";
                if good { Reply::welcome() } else { Reply::not_authenticated() }
            }
            Question::Sender(from) if from.expose() == "a@stranger" => {
                Reply::new(501, "5.1.7", "The specified sender domain has not been linked.")
            }
            Question::Recipient(to) if to.expose().starts_with("nobody") => Reply::no_such_recipient(),
            Question::Sender(_) | Question::Recipient(_) => Reply::taken(),
            Question::Letter(letter) => {
                let full = letter.message.expose().starts_with(b"full");
                self.letters.push(letter);
                if full { Reply::later() } else { Reply::taken() }
            }
        }
    }

    fn send(&mut self, mut input: &[u8]) -> String {
        loop {
            match self.session.take(&mut input, &mut self.out) {
                Step::More => {
                    assert!(input.is_empty(), "all input is taken");
                    break;
                }
                Step::Ask(question) => {
                    let reply = self.answer(question);
                    self.session.answer(&reply, &mut self.out);
                }
                Step::StartTls => {
                    self.tls = true;
                    self.session.secured();
                    break;
                }
                Step::Close => {
                    self.closed = true;
                    break;
                }
            }
        }
        String::from_utf8(std::mem::take(&mut self.out)).unwrap()
    }

    fn say(&mut self, text: &str) -> String {
        self.send(text.as_bytes())
    }

    /// The codes of the replies.
    fn codes(&mut self, text: &str) -> Vec<u16> {
        self.say(text).lines().map(|line| line[..3].parse().unwrap()).collect()
    }
}

const MAIL: &str = "MAIL FROM:<a@ours>\r\nRCPT TO:<b@there>\r\n";

#[test]
fn a_mail_comes_through() {
    let mut talk = Talk::greeted();
    assert_eq!(talk.codes("MAIL FROM:<a@ours> SIZE=12 BODY=8BITMIME\r\n"), [250]);
    assert_eq!(talk.codes("RCPT TO:<b@there>\r\n"), [250]);
    assert_eq!(talk.codes("RCPT TO:<nobody@there>\r\n"), [550]);
    assert_eq!(talk.codes("DATA\r\n"), [354]);
    assert_eq!(talk.say("Subject: x\r\n\r\n"), "");
    assert_eq!(talk.say("h\u{e9}\r\n..\r\n.\r\n"), "250 2.0.0 OK\r\n");
    assert_eq!(talk.codes("QUIT\r\n"), [221]);
    assert!(talk.closed);
    let letter = &talk.letters[0];
    assert_eq!(letter.from.expose(), "a@ours");
    assert_eq!(letter.to, vec!["b@there".to_owned().into()]);
    assert_eq!(letter.message.expose().as_slice(), "Subject: x\r\n\r\nh\u{e9}\r\n.\r\n".as_bytes());
}

#[test]
fn commands_may_come_together_and_mails_one_after_another() {
    let mut talk = Talk::greeted();
    for _ in 0..3 {
        assert_eq!(talk.codes(&format!("{MAIL}DATA\r\n")), [250, 250, 354]);
        // The next mail's commands may follow the end of this one (RFC 2920).
        assert_eq!(talk.codes("hi\r\n.\r\nRSET\r\nNOOP x\r\n"), [250, 250, 250]);
    }
    assert_eq!(talk.letters.len(), 3);
    assert_eq!(talk.codes(&format!("{MAIL}DATA\r\n")), [250, 250, 354]);
    assert_eq!(talk.codes("full\r\n.\r\n"), [451], "what the product says is what the client hears");
}

#[test]
fn the_null_sender_is_one() {
    let mut talk = Talk::greeted();
    assert_eq!(talk.codes("MAIL FROM:<>\r\nRCPT TO:<b@there>\r\nDATA\r\n"), [250, 250, 354]);
    assert_eq!(talk.codes(".\r\n"), [250]);
    assert_eq!(talk.letters[0].from.expose(), "");
    assert!(talk.letters[0].message.expose().is_empty());
}

#[test]
fn the_order_of_commands_is_kept() {
    let mut talk = Talk::new(false);
    assert_eq!(talk.codes("MAIL FROM:<a@ours>\r\n"), [503], "no greeting");
    assert_eq!(talk.codes("HELO x\r\n"), [250]);
    assert_eq!(talk.codes("RCPT TO:<b@there>\r\n"), [503]);
    assert_eq!(talk.codes("DATA\r\n"), [503]);
    assert_eq!(talk.codes("MAIL FROM:<a@ours>\r\n"), [250]);
    assert_eq!(talk.codes("MAIL FROM:<a@ours>\r\n"), [503], "one mail at a time");
    assert_eq!(talk.codes("DATA\r\n"), [554], "no recipients");
    assert_eq!(talk.codes("RSET\r\nRCPT TO:<b@there>\r\n"), [250, 503]);
    assert_eq!(talk.codes("AUTH PLAIN AHVzZXIAc2VjcmV0\r\n"), [502], "nobody logs in here");
    let mut talk = Talk::greeted();
    assert_eq!(talk.codes("VRFY b@there\r\nEXPN list\r\nLHLO x\r\nHELP\r\n"), [252, 502, 502, 214]);
    assert_eq!(talk.codes("\r\n"), [500]);
    assert!(!talk.closed);
}

#[test]
fn recipients_have_a_number() {
    let mut talk = Talk::greeted();
    assert_eq!(talk.codes("MAIL FROM:<a@ours>\r\n"), [250]);
    for _ in 0..3 {
        assert_eq!(talk.codes("RCPT TO:<b@there>\r\n"), [250]);
    }
    assert_eq!(talk.say("RCPT TO:<b@there>\r\n"), "452 4.5.3 Too many recipients\r\n");
    assert_eq!(talk.codes("DATA\r\n"), [354]);
    assert_eq!(talk.codes(".\r\n"), [250]);
    assert_eq!(talk.letters[0].to.len(), 3);
}

#[test]
fn size_is_told_before_and_counted_after() {
    assert!(Talk::new(false).say("EHLO x\r\n").contains("250-SIZE 1000\r\n"));
    let mut talk = Talk::greeted();
    assert_eq!(talk.say("MAIL FROM:<a@ours> SIZE=1001\r\n"), "552 5.3.4 Message size exceeds the limit\r\n");
    assert_eq!(talk.codes("MAIL FROM:<a@ours> SIZE=1000\r\nRCPT TO:<b@there>\r\nDATA\r\n"), [250, 250, 354]);
    let fits = "x".repeat(MAX - 2);
    assert_eq!(talk.codes(&format!("{fits}\r\n.\r\n")), [250]);
    assert_eq!(talk.codes(&format!("{MAIL}DATA\r\n")), [250, 250, 354]);
    assert_eq!(talk.codes(&format!("x{fits}\r\n.\r\n")), [552], "one byte past");
    assert_eq!(talk.codes("NOOP\r\n"), [250], "the session goes on");
    assert_eq!(talk.codes(&format!("{MAIL}DATA\r\n")), [250, 250, 354]);
    assert_eq!(talk.codes(&"x".repeat(2 * MAX + 1)), [552], "who never ends is cut off");
    assert!(talk.closed && talk.letters.len() == 1);
}

#[test]
fn only_the_beginning_is_kept_where_that_is_asked_for() {
    let mut out = Vec::new();
    let session = Session::new(Profile { keep: 6, ..profile(false) }, &mut out);
    let mut talk = Talk { session, ..Talk::new(false) };
    assert_eq!(talk.codes(&format!("HELO x\r\n{MAIL}DATA\r\n")), [250, 250, 250, 354]);
    assert_eq!(talk.codes("abcde\r\nfgh\r\n.\r\n"), [250]);
    assert_eq!(talk.codes(&format!("{MAIL}BDAT 12 LAST\r\nabcde\r\nfgh\r\n")), [250, 250, 250]);
    for letter in &talk.letters {
        assert_eq!(letter.message.expose().as_slice(), b"abcde", "not half a line end");
    }
    assert_eq!(talk.codes(&format!("{MAIL}DATA\r\n")), [250, 250, 354]);
    assert_eq!(
        talk.codes(&format!("{}\r\n.\r\n", "x".repeat(MAX - 1))),
        [552],
        "and it has a length all the same"
    );
    assert_eq!(talk.letters.len(), 2);
}

#[test]
fn chunks_make_a_mail() {
    let mut talk = Talk::greeted();
    assert_eq!(talk.codes(MAIL), [250, 250]);
    assert_eq!(talk.codes("BDAT 4\r\na\r\nb"), [250]);
    assert_eq!(talk.codes("DATA\r\n"), [503], "chunks or data");
    assert_eq!(talk.codes("RCPT TO:<c@there>\r\n"), [503]);
    assert_eq!(talk.codes("BDAT 0\r\nBDAT 5\r\n\r\n.\r"), [250]);
    assert_eq!(talk.codes("\nBDAT 6 LAST\r\nQUIT\r\n"), [250, 250], "a chunk's bytes are never commands");
    assert_eq!(talk.letters[0].message.expose().as_slice(), b"a\r\nb\r\n.\r\nQUIT\r\n");
}

#[test]
fn chunks_that_are_refused_are_not_run() {
    let mut talk = Talk::greeted();
    assert_eq!(talk.codes("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), [503, 250]);
    assert!(!talk.closed);
    assert_eq!(talk.codes(MAIL), [250, 250]);
    assert_eq!(talk.codes(&format!("BDAT {} LAST\r\n{}", MAX + 1, "x".repeat(MAX + 1))), [552]);
    assert_eq!(talk.codes(MAIL), [250, 250]);
    assert_eq!(talk.codes("BDAT 3 LAST\r\na\nb"), [550], "a lone LF");
    assert!(!talk.closed && talk.letters.is_empty());
    // Where a chunk ends that has no length, nobody knows.
    for (bad, code) in [("BDAT 99999999999999\r\n", 552), ("BDAT x\r\nQUIT\r\n", 501), ("BDAT\r\n", 501)] {
        let mut talk = Talk::greeted();
        assert_eq!(talk.codes(bad), [code], "{bad:?}");
        assert!(talk.closed);
    }
}

#[test]
fn commands_are_short_and_plain() {
    let mut talk = Talk::greeted();
    for bad in ["MAIL FROM:<\u{e9}@ours>\r\n", "NOOP \0\r\n", "NOOP \u{7f}\r\n", "NOOP\t\r\n"] {
        assert_eq!(talk.codes(bad), [500], "{bad:?}");
    }
    for (bad, code) in [
        ("MAIL FROM:<a@ours> SMTPUTF8\r\n", 555),
        ("MAIL FROM:<a@ours> BODY=BINARYMIME\r\n", 555),
        ("MAIL FROM:<a@ours> RET=HDRS ENVID=x\r\n", 555),
        ("MAIL FROM:<\"a b\"@ours>\r\n", 553),
        ("MAIL FROM:a@ours\r\n", 501),
    ] {
        assert_eq!(talk.codes(bad), [code], "{bad:?}");
    }
    let mut talk = Talk::greeted();
    talk.say("MAIL FROM:<a@ours>\r\n");
    for (bad, code) in [
        ("RCPT TO:<>\r\n", 553),
        ("RCPT TO:<b>\r\n", 501),
        ("RCPT TO:<@relay:b>\r\n", 501),
        ("RCPT TO:<@relay,@x:b@there>\r\n", 250),
        ("RCPT TO:<b@there> NOTIFY=NEVER\r\n", 555),
        ("RCPT TO:<\"b@x\"@there>\r\n", 553),
    ] {
        assert_eq!(talk.codes(bad), [code], "{bad:?}");
    }
    assert_eq!(talk.codes("DATA\r\n"), [354]);
    assert_eq!(talk.codes(".\r\n"), [250]);
    let sent = &talk.letters[0].to;
    assert_eq!(
        sent,
        &["b@there".to_owned().into()],
        "a source route is left out (RFC 5321, section 4.1.1.3)"
    );
    let mut talk = Talk::greeted();
    let long = "x".repeat(MAX_SMTP_LINE - "NOOP \r\n".len());
    assert_eq!(talk.codes(&format!("NOOP {long}\r\n")), [250]);
    assert_eq!(talk.codes(&format!("NOOP x{long}\r\n")), [500]);
    assert!(talk.closed);
}

#[test]
fn a_caller_that_lost_its_place_ends_the_session() {
    let mut out = Vec::new();
    let mut session = Session::new(profile(false), &mut out);
    let mut input: &[u8] = b"EHLO x\r\nMAIL FROM:<a@ours>\r\n";
    assert!(matches!(session.take(&mut input, &mut out), Step::Ask(Question::Sender(_))));
    assert!(!session.at_rest());
    assert!(matches!(session.take(&mut input, &mut out), Step::Close));
    let mut session = Session::new(profile(false), &mut out);
    assert!(session.at_rest());
    session.answer(&Reply::taken(), &mut out);
    assert!(matches!(session.take(&mut input, &mut out), Step::Close));
}

/// A script of pieces that mean something to a session, in any order.
fn scripts() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "EHLO x\r\n",
        "MAIL FROM:<a@ours>\r\n",
        "MAIL FROM:<>\r\n",
        "RCPT TO:<b@there>\r\n",
        "RSET\r\n",
        "BDAT 3\r\n",
        "BDAT 5 LAST\r\n",
        "a\r\n",
        "\r\n.\r\n",
        ".\r\n",
        "\r",
        "\n",
        "NOOP\r\n",
        "AUTH LOGIN\r\n",
        "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n",
        "dXNlcg==\r\n",
        "xyz",
        "\0",
        "MAIL FROM:<",
        "VRFY x\r\n",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..30)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    /// Wherever the network cuts the bytes, the conversation is the same. (DATA and STARTTLS are told apart from what
    /// follows them by when it comes, as they must be, and are not among the pieces.)
    #[test]
    fn pieces_do_not_matter(script in scripts(), piece in 1usize..7) {
        let (mut whole, mut cut) = (Talk::greeted(), Talk::greeted());
        let expected = whole.send(&script);
        let mut got = String::new();
        for bytes in script.chunks(piece) {
            if !cut.closed {
                got += &cut.send(bytes);
            }
        }
        prop_assert_eq!(got, expected);
        prop_assert_eq!(cut.letters.len(), whole.letters.len());
    }

    #[test]
    fn no_bytes_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), login in any::<bool>()) {
        let mut talk = if login { Talk::logged_in() } else { Talk::greeted() };
        let replies = talk.send(&bytes);
        prop_assert!(replies.lines().all(|line| line.len() > 3 && line.is_char_boundary(3)));
        prop_assert!(talk.letters.is_empty());
    }
}
