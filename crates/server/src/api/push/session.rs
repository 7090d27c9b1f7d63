//! One socket of a browser's client, from its first frame to its last.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use wire::Identifier;
use wire::push::frame::{self, ClientFrame};

use super::{TTL_SECS, render};
use crate::http::{Socket, State};
use crate::service::live::{Allowance, End, Hearing, Opening, Taken};

/// How long a client may be silent: it pings every 40 s.
const QUIET: Duration = Duration::from_secs(100);
/// How many letters go out with one write.
const AT_ONCE: usize = 64;
/// How long an answer to a client's own event may wait for something else to go out with. The client waits 5 s for it, and
/// pings again after it with the next push: answered at once, each push would cost two writes more, here and there.
const ACK_WAITS: Duration = Duration::from_millis(25);
/// For how long a client that was told to open another connection finds this one still open.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a socket needs to be served.
pub(super) struct Session {
    pub(super) state: Arc<State>,
    pub(super) opening: Opening,
    pub(super) path: String,
}

/// What is to be done after a step.
pub(super) enum Next {
    Say(Vec<String>),
    /// Say this soon.
    Owe(String),
    /// Say this and end.
    Part(&'static str),
    /// End without a word.
    Cut,
}

impl Session {
    /// Serves the socket until either side is done.
    pub(super) async fn serve(self, mut socket: Socket, hearing: Hearing) {
        let ended = self.talk(&mut socket, &hearing).await;
        drop(hearing);
        if let Some(word) = ended
            && socket.send(vec![word.to_owned()]).await
        {
            socket.close().await;
        }
    }

    /// Talks until the end, and gives the last word, where one is to be said.
    async fn talk(&self, socket: &mut Socket, hearing: &Hearing) -> Option<&'static str> {
        // Each loss has a number of its own, also over connections.
        let mut losses = self.state.clock.now().as_millis();
        let mut hello = vec![frame::CONNECT.to_owned(), frame::connected(TTL_SECS)];
        hello.extend(self.opening.again.then(|| frame::message_loss(losses)));
        if !socket.send(hello).await {
            return None;
        }
        let claims = hearing.claims();
        let expires = Instant::now() + claims.expires_at.distance(self.state.clock.now());
        let mut silent_until = Instant::now() + QUIET;
        let mut allowance = Allowance::new();
        let mut replaced = false;
        let mut leaving = None;
        let (mut owed, mut owed_until) = (Vec::new(), None);
        let stopping = socket.stopping();
        tokio::pin!(stopping);
        loop {
            let deadline = leaving.unwrap_or(silent_until).min(silent_until).min(expires);
            let deadline = owed_until.unwrap_or(deadline).min(deadline);
            let next = tokio::select! {
                text = socket.receive() => match text {
                    Some(text) => {
                        silent_until = Instant::now() + QUIET;
                        heard(&text, &mut allowance)
                    }
                    None => Next::Cut,
                },
                taken = hearing.next(AT_ONCE), if !replaced => {
                    replaced = taken.end == Some(End::Replaced);
                    Self::tell(&self.opening, &self.path, taken, (&mut allowance, &mut losses))
                }
                () = &mut stopping, if leaving.is_none() => {
                    leaving = Some(Instant::now() + FAREWELL);
                    Next::Say(vec![frame::RECONNECT.to_owned()])
                }
                () = sleep_until(deadline) => {
                    let now = Instant::now();
                    if owed_until.is_some_and(|until| now >= until) {
                        Next::Say(Vec::new())
                    } else if now >= expires {
                        Next::Part(frame::UNAUTHORIZED)
                    } else if now >= silent_until {
                        Next::Cut
                    } else {
                        Next::Part(frame::DISCONNECT)
                    }
                }
            };
            match next {
                Next::Owe(text) => {
                    owed.push(text);
                    owed_until.get_or_insert_with(|| Instant::now() + ACK_WAITS);
                }
                Next::Say(texts) => {
                    // What is owed goes out with what is to be said, or when it has waited long enough.
                    let is_due = owed_until.is_some_and(|until| Instant::now() >= until);
                    if !texts.is_empty() || is_due {
                        owed_until = None;
                        owed.extend(texts);
                        if !socket.send(std::mem::take(&mut owed)).await {
                            return None;
                        }
                    }
                }
                Next::Cut => return None,
                Next::Part(word) => return Some(word),
            }
        }
    }

    /// What to say of what was heard.
    pub(super) fn tell(
        opening: &Opening,
        path: &str,
        taken: Taken,
        (allowance, losses): (&mut Allowance, &mut u64),
    ) -> Next {
        if taken.end == Some(End::Revoked) {
            return Next::Part(frame::UNAUTHORIZED);
        }
        let mut texts = Vec::with_capacity(taken.letters.len() + 1);
        if taken.missed {
            *losses += 1;
            texts.push(frame::message_loss(*losses));
        }
        let resource = opening.resource;
        let recipient = Identifier::CommunicationUser { resource, user: opening.claims.user }.raw_id();
        for letter in taken.letters {
            let what = &letter.what;
            let body = what.push.get_or_init(|| render::body(resource, letter.thread, &what.what));
            if let Some(body) = body {
                texts.push(frame::push(allowance.push(), path, body, &recipient));
            }
        }
        Next::Say(texts)
    }
}

/// What to do about what the client says.
pub(super) fn heard(text: &str, allowance: &mut Allowance) -> Next {
    match ClientFrame::parse(text) {
        Ok(ClientFrame::Outcome(outcome)) if allowance.settle(outcome.id) => Next::Say(Vec::new()),
        Ok(ClientFrame::Outcome(_)) | Err(_) => Next::Cut,
        Ok(_) if !allowance.take() => Next::Cut,
        Ok(ClientFrame::Disconnect) => Next::Cut,
        Ok(ClientFrame::Event { id: Some(id), .. }) => Next::Owe(frame::ack(id)),
        Ok(ClientFrame::Event { id: None, .. } | ClientFrame::Heartbeat | ClientFrame::Other) => {
            Next::Say(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests;
