//! One socket of a browser's client, from its first frame to its last.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use wire::push::frame::{self, ClientFrame};

use super::render;
use crate::http::{Socket, State};
use crate::service::live::{End, Hearing, Opening, Taken};

/// How long a client may be silent: it pings every 40 s.
const QUIET: Duration = Duration::from_secs(100);
/// How many letters go out with one write.
const AT_ONCE: usize = 64;
/// How many frames a client may send beyond those that answer a push, at once, and how many more each second. It pings every
/// 40 s and after a push.
const SPARE_FRAMES: u32 = 64;
const SPARE_PER_SECOND: u32 = 2;
/// For how long a client that was told to open another connection finds this one still open.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a socket needs to be served.
pub(super) struct Session {
    pub(super) state: Arc<State>,
    pub(super) opening: Opening,
    pub(super) path: String,
    pub(super) ttl: u64,
}

/// What a client may send still.
struct Allowance {
    spare: f64,
    since: Instant,
    /// Pushes whose outcome it has not told.
    unanswered: u64,
    /// The id of the last push.
    last: u64,
}

impl Allowance {
    fn new() -> Self {
        Self { spare: f64::from(SPARE_FRAMES), since: Instant::now(), unanswered: 0, last: 0 }
    }

    /// The id of the next push. With its outcome comes a ping.
    fn push(&mut self) -> u64 {
        self.last += 1;
        self.unanswered += 1;
        self.spare = (self.spare + 1.0).min(f64::from(SPARE_FRAMES) * 16.0);
        self.last
    }

    /// Whether a frame may come.
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let gained = (now - self.since).as_secs_f64() * f64::from(SPARE_PER_SECOND);
        self.since = now;
        if self.spare < f64::from(SPARE_FRAMES) {
            self.spare = (self.spare + gained).min(f64::from(SPARE_FRAMES));
        }
        self.spare -= 1.0;
        self.spare >= 0.0
    }

    /// Whether the outcome may be one of a push that was sent.
    const fn settle(&mut self, id: u64) -> bool {
        if id == 0 || id > self.last || self.unanswered == 0 {
            return false;
        }
        self.unanswered -= 1;
        true
    }
}

/// What is to be done after a step.
enum Next {
    Say(Vec<String>),
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
        self.state.chat.live.sessions.ended(&self.opening);
        if let Some(word) = ended
            && socket.send(vec![word.to_owned()]).await
        {
            socket.close().await;
        }
    }

    /// Talks until the end, and gives the last word, where one is to be said.
    async fn talk(&self, socket: &mut Socket, hearing: &Hearing) -> Option<&'static str> {
        if !socket.send(vec![frame::CONNECT.to_owned(), frame::connected(self.ttl)]).await {
            return None;
        }
        let claims = hearing.claims();
        let expires = Instant::now() + claims.expires_at.distance(self.state.clock.now());
        let mut silent_until = Instant::now() + QUIET;
        let mut allowance = Allowance::new();
        let mut replaced = false;
        let mut leaving = None;
        let mut losses = 0;
        let stopping = socket.stopping();
        tokio::pin!(stopping);
        loop {
            let deadline = leaving.unwrap_or(silent_until).min(silent_until).min(expires);
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
                    self.tell(taken, &mut allowance, &mut losses)
                }
                () = &mut stopping, if leaving.is_none() => {
                    leaving = Some(Instant::now() + FAREWELL);
                    Next::Say(vec![frame::RECONNECT.to_owned()])
                }
                () = sleep_until(deadline) => {
                    let now = Instant::now();
                    if now >= expires {
                        Next::Part(frame::UNAUTHORIZED)
                    } else if now >= silent_until {
                        Next::Cut
                    } else {
                        Next::Part(frame::DISCONNECT)
                    }
                }
            };
            match next {
                Next::Say(texts) if texts.is_empty() => {}
                Next::Say(texts) => {
                    if !socket.send(texts).await {
                        return None;
                    }
                }
                Next::Cut => return None,
                Next::Part(word) => return Some(word),
            }
        }
    }

    fn tell(&self, taken: Taken, allowance: &mut Allowance, losses: &mut u64) -> Next {
        if taken.end == Some(End::Revoked) {
            return Next::Part(frame::UNAUTHORIZED);
        }
        let mut texts = Vec::with_capacity(taken.letters.len() + 1);
        if taken.missed {
            *losses += 1;
            texts.push(frame::message_loss(*losses));
        }
        let (resource, user) = (self.opening.resource, self.opening.claims.user);
        for letter in taken.letters {
            if let Some(body) = render::body(resource, letter.thread, &letter.what, user) {
                texts.push(frame::push(allowance.push(), &self.path, &body));
            }
        }
        Next::Say(texts)
    }
}

/// What to do about what the client says.
fn heard(text: &str, allowance: &mut Allowance) -> Next {
    match ClientFrame::parse(text) {
        Ok(ClientFrame::Outcome(outcome)) if allowance.settle(outcome.id) => Next::Say(Vec::new()),
        Ok(ClientFrame::Outcome(_)) | Err(_) => Next::Cut,
        Ok(_) if !allowance.take() => Next::Cut,
        Ok(ClientFrame::Disconnect) => Next::Cut,
        Ok(ClientFrame::Event { id: Some(id), .. }) => Next::Say(vec![frame::ack(id)]),
        Ok(ClientFrame::Event { id: None, .. } | ClientFrame::Heartbeat | ClientFrame::Other) => {
            Next::Say(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests;
