//! The text of a mail: DATA, chunks, and what is done when it is whole.

use super::command::SEQUENCE;
use super::{Letter, Mode, Open, Question, Receiver, Session, Step};
use crate::smtp::Reply;

impl Session {
    pub(super) fn data(&mut self, more: bool, out: &mut Vec<u8>) -> Option<Step> {
        if more {
            // Text that was sent before the reply would be run as commands were the reply a refusal.
            return self.end(&Reply::new(503, "5.5.0", "Nothing may follow DATA before its reply"), out);
        }
        if let Some(reply) = self.no_text(self.chunks) {
            return self.say(&reply, out);
        }
        self.mode = Mode::Data(Receiver::new());
        self.say(&Reply::new(354, "", "Start mail input; end with <CRLF>.<CRLF>"), out)
    }

    /// Why no text of a mail is taken now.
    pub(super) fn no_text(&self, out_of_turn: bool) -> Option<Reply> {
        if self.from.is_none() || out_of_turn {
            Some(Reply::new(503, "5.5.1", SEQUENCE))
        } else if self.to.is_empty() {
            Some(Reply::new(554, "5.5.1", "No valid recipients"))
        } else {
            None
        }
    }

    pub(super) fn bdat(&mut self, missing: usize, last: bool, out: &mut Vec<u8>) -> Option<Step> {
        // What is refused here is read away, so that it is not taken for commands; that too has an end.
        if missing.saturating_add(self.size) > self.profile.max_message.saturating_mul(2) {
            return self.end(&too_big(), out);
        }
        let refused = self.no_text(false);
        self.mode = Mode::Chunk { missing, last, counts: refused.is_none() };
        self.chunks |= refused.is_none();
        // A chunk of no bytes is whole already, and `take` goes on only when there is input.
        if missing == 0 { self.chunk(&mut &[][..], out).flatten() } else { None }
    }

    /// Takes of a chunk; `None` when more must come.
    pub(super) fn chunk(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Option<Step>> {
        let Mode::Chunk { missing, last, counts } = &mut self.mode else { return Some(None) };
        let (here, rest) = input.split_at(input.len().min(*missing));
        if *counts {
            let room = self.profile.keep.saturating_sub(self.text.len());
            self.text.extend_from_slice(&here[..here.len().min(room)]);
            self.size = self.size.saturating_add(here.len());
        }
        *missing -= here.len();
        *input = rest;
        if *missing > 0 {
            return None;
        }
        let (last, counts) = (*last, *counts);
        self.mode = Mode::Commands;
        if !counts {
            let reply = self.no_text(false).unwrap_or_else(|| Reply::new(503, "5.5.1", SEQUENCE));
            return Some(self.say(&reply, out));
        }
        if last {
            return Some(self.letter(false, out));
        }
        Some(self.say(&Reply::new(250, "2.0.0", "OK"), out))
    }

    /// The text is whole.
    pub(super) fn letter(&mut self, bare: bool, out: &mut Vec<u8>) -> Option<Step> {
        self.mode = Mode::Commands;
        // A cut may have left half a line end.
        if self.size > self.text.len() && self.text.ends_with(b"\r") {
            self.text.pop();
        }
        let refused = if self.size > self.profile.max_message {
            Some(too_big())
        } else if bare || (self.chunks && has_bare(&self.text)) {
            Some(Reply::new(550, "5.6.11", "The mail has a CR or LF of its own; lines end with CR LF"))
        } else {
            None
        };
        if let Some(reply) = refused {
            self.reset();
            return self.say(&reply, out);
        }
        let message = std::mem::take(&mut self.text).into();
        self.size = 0;
        let from = self.from.take().unwrap_or_default().into();
        let to = std::mem::take(&mut self.to);
        self.ask(Open::Letter, Question::Letter(Letter { from, to, message }))
    }
}

pub(super) fn too_big() -> Reply {
    Reply::new(552, "5.3.4", "Message size exceeds the limit")
}

/// Whether `text` has a CR without LF, or an LF without CR.
fn has_bare(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', text).any(|at| match text[at] {
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        _ => at == 0 || text[at - 1] != b'\r',
    })
}
