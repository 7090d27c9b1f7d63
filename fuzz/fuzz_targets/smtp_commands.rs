//! What a client of SMTP may send, cut into pieces anywhere: nothing panics, every reply is a line with a code, no mail is
//! taken that was not between its commands, none holds a lone CR or LF, and a session that has ended says no more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use post::smtp::{Profile, Question, Reply, Session, Step};

const MAX: usize = 600;

fn check(question: &Question, mails: &mut usize, accepted: &mut usize) -> Reply {
    match question {
        Question::Credentials { password, .. } if password.expose() == "secret" => Reply::welcome(),
        Question::Credentials { .. } => Reply::not_authenticated(),
        Question::Sender(_) => {
            *accepted = 0;
            Reply::taken()
        }
        Question::Recipient(to) => {
            assert!(to.expose().contains('@'), "an address has an @");
            *accepted += 1;
            Reply::taken()
        }
        Question::Letter(letter) => {
            let text = letter.message.expose();
            assert!(text.len() <= MAX - 100 && !letter.to.is_empty() && letter.to.len() == *accepted);
            let whole = String::from_utf8_lossy(text).replace("\r\n", "");
            assert!(!whole.contains(['\r', '\n']), "a lone line end");
            *mails += 1;
            Reply::taken()
        }
    }
}

fn converse(bytes: &[u8], piece: usize, submission: bool) -> (String, usize) {
    let (mut out, mut mails, mut accepted) = (Vec::new(), 0, 0);
    let profile = Profile {
        host: "mx".into(),
        submission,
        tls: true,
        max_message: MAX,
        keep: MAX - 100,
        max_recipients: 3,
    };
    let mut session = Session::new(profile, &mut out);
    'all: for chunk in bytes.chunks(piece) {
        let mut input = chunk;
        loop {
            match session.take(&mut input, &mut out) {
                Step::More => {
                    assert!(input.is_empty(), "all input is taken");
                    break;
                }
                Step::Ask(question) => {
                    let reply = check(&question, &mut mails, &mut accepted);
                    session.answer(&reply, &mut out);
                }
                Step::StartTls => {
                    assert!(input.is_empty(), "nothing may follow STARTTLS");
                    session.secured();
                    accepted = 0;
                    break;
                }
                Step::Close => break 'all,
            }
        }
    }
    (String::from_utf8(out).expect("replies are ASCII"), mails)
}

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    let piece = usize::from(how & 0x3f) + 1;
    let (replies, mails) = converse(bytes, piece, how & 0x80 != 0);
    for line in replies.split_terminator("\r\n") {
        let code: u16 = line.get(..3).and_then(|code| code.parse().ok()).expect("a code");
        assert!((200..600).contains(&code) && line.bytes().all(|b| (b' '..=b'~').contains(&b)));
    }
    assert!(mails == 0 || replies.matches("354 ").count() + replies.matches("250 2.0.0 OK").count() > 1);
});
