//! A key service at arm's length: it is not waited for longer than a while, not asked while it is down, and never asked
//! by too many at once, so that one that is slow or broken harms only those whose keys it holds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Clock, Timestamp};
use guard::{BoxFuture, KeyContext, Kms, KmsError, ScopeKey, Sealed};

/// How long a key service may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The most calls it is asked at once; one more is told that it throttles.
pub const MAX_CALLS: usize = 64;
/// After this many faults in a row it is left alone for a while.
pub const MAX_FAULTS: u32 = 3;
/// How long it is first left alone; twice as long after each trial that fails.
pub const MIN_PAUSE: Duration = Duration::from_secs(1);
/// The longest that it is left alone, also when it asks for more.
pub const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A key service behind a circuit breaker.
pub struct Guarded<K> {
    kms: K,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: usize,
    faults: u32,
    pause: Option<Pause>,
    /// One call tries whether it is well again; the others wait for what comes of it.
    is_trying: bool,
}

struct Pause {
    from: Timestamp,
    length: Duration,
    why: KmsError,
}

/// A call that was let through. Dropped without an answer, as by a client that went away, it counts for nothing.
struct Call<'a> {
    state: &'a Mutex<State>,
    is_trial: bool,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut state = lock(self.state);
        state.calls -= 1;
        if self.is_trial {
            state.is_trying = false;
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K> Guarded<K> {
    /// `kms`, guarded, by the time of `clock`.
    pub fn new(kms: K, clock: Arc<dyn Clock>) -> Self {
        Self { kms, clock, state: Mutex::new(State::default()) }
    }

    async fn ask<'a, T>(
        &self,
        call: impl FnOnce() -> BoxFuture<'a, Result<T, KmsError>>,
    ) -> Result<T, KmsError> {
        let admitted = self.admit()?;
        let answer = tokio::time::timeout(PATIENCE, call()).await.unwrap_or(Err(KmsError::Unavailable));
        self.learn(&answer, self.clock.now());
        drop(admitted);
        answer
    }

    fn admit(&self) -> Result<Call<'_>, KmsError> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        if state.calls >= MAX_CALLS {
            return Err(KmsError::Throttled { retry_after: None });
        }
        let mut is_trial = false;
        if let Some(pause) = &state.pause {
            // A clock that was set back must not leave it alone for longer.
            let passed = if now < pause.from { pause.length } else { now.distance(pause.from) };
            if passed < pause.length || state.is_trying {
                return Err(pause.why.clone());
            }
            is_trial = true;
        }
        state.calls += 1;
        state.is_trying |= is_trial;
        Ok(Call { state: &self.state, is_trial })
    }

    fn learn<T>(&self, answer: &Result<T, KmsError>, now: Timestamp) {
        let mut state = lock(&self.state);
        let (why, length) = match answer {
            Err(why @ KmsError::Unavailable) => {
                state.faults = state.faults.saturating_add(1);
                if state.faults < MAX_FAULTS {
                    return;
                }
                let doublings = (state.faults - MAX_FAULTS).min(16);
                (why.clone(), MIN_PAUSE * (1 << doublings))
            }
            Err(why @ KmsError::Throttled { retry_after }) => (why.clone(), retry_after.unwrap_or(MIN_PAUSE)),
            // It answers: what it says of one key is no fault of its own.
            _ => {
                state.faults = 0;
                state.pause = None;
                return;
            }
        };
        state.pause = Some(Pause { from: now, length: length.min(MAX_PAUSE), why });
    }
}

impl<K: Kms> Kms for Guarded<K> {
    fn name(&self) -> &'static str {
        self.kms.name()
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        Box::pin(self.ask(|| self.kms.wrap(context, key)))
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        Box::pin(self.ask(|| self.kms.unwrap(context, wrapped)))
    }
}

#[cfg(test)]
#[path = "guarded_tests.rs"]
mod tests;
