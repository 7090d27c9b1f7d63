//! How much a client may say that nobody asked it for.

use tokio::time::Instant;

/// How many frames a client may send beyond those that answer a push, at once, and how many more each second. It pings every
/// 40 s and after a push.
pub const SPARE_FRAMES: u32 = 64;
const SPARE_PER_SECOND: u32 = 2;
/// How many that answer pushes may be owed at most: as many as lie ready in a mailbox.
const MAX_OWED: u32 = 1_024;

/// What a client may send still.
#[derive(Debug)]
pub struct Allowance {
    spare: f64,
    since: Instant,
    /// Pushes whose outcome it has not told.
    unanswered: u64,
    /// The id of the last push.
    last: u64,
}

impl Allowance {
    /// Of one that has just come.
    #[must_use]
    pub fn new() -> Self {
        Self { spare: f64::from(SPARE_FRAMES), since: Instant::now(), unanswered: 0, last: 0 }
    }

    /// The id of the next push. With its outcome comes a ping.
    pub fn push(&mut self) -> u64 {
        self.last += 1;
        self.unanswered += 1;
        self.spare = (self.spare + 1.0).min(f64::from(MAX_OWED));
        self.last
    }

    /// Whether a frame may come.
    #[must_use]
    pub fn take(&mut self) -> bool {
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
    #[must_use]
    pub const fn settle(&mut self, id: u64) -> bool {
        if id == 0 || id > self.last || self.unanswered == 0 {
            return false;
        }
        self.unanswered -= 1;
        true
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new()
    }
}
