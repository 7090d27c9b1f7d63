//! A key service that does as a script says, behind the breaker.

use std::sync::atomic::{AtomicUsize, Ordering};

use base::{Geography, ManualClock, ResourceId, SeededRng};
use guard::LocalKms;

use super::*;

/// What the key service behind does next.
#[derive(Clone)]
enum Does {
    Answers,
    Fails(KmsError),
    Hangs,
}

struct Scripted {
    local: LocalKms,
    does: Mutex<Does>,
    calls: AtomicUsize,
}

impl Kms for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let does = self.does.lock().unwrap().clone();
        Box::pin(async move {
            match does {
                Does::Answers => self.local.wrap(context, key).await,
                Does::Fails(why) => Err(why),
                Does::Hangs => std::future::pending().await,
            }
        })
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.local.unwrap(context, wrapped)
    }
}

struct Bench {
    guarded: Guarded<Scripted>,
    clock: Arc<ManualClock>,
    context: KeyContext,
    key: ScopeKey,
}

impl Bench {
    fn new() -> Self {
        let rng = SeededRng::new(1);
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
        let does = Mutex::new(Does::Answers);
        let kms = Scripted { local: LocalKms::in_memory(&rng), does, calls: AtomicUsize::new(0) };
        let geography: Geography = "europe".parse().unwrap();
        Self {
            guarded: Guarded::new(kms, Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
            context: KeyContext { geography, resource: ResourceId::CELL, generation: 1 },
            key: ScopeKey::generate(&rng, 1),
        }
    }

    fn does(&self, what: Does) {
        *self.guarded.kms.does.lock().unwrap() = what;
    }

    fn calls(&self) -> usize {
        self.guarded.kms.calls.load(Ordering::Relaxed)
    }

    async fn wrap(&self) -> Result<Sealed, KmsError> {
        self.guarded.wrap(&self.context, &self.key).await
    }

    /// Makes it so broken that it is left alone.
    async fn breaks(&self) {
        self.does(Does::Fails(KmsError::Unavailable));
        for _ in 0..MAX_FAULTS {
            assert_eq!(self.wrap().await, Err(KmsError::Unavailable));
        }
    }

    fn later(&self, by: Duration) {
        self.clock.set(self.clock.now().plus(by));
    }
}

#[tokio::test]
async fn one_that_is_well_is_asked_each_time() {
    let bench = Bench::new();
    let sealed = bench.wrap().await.unwrap();
    assert!(bench.guarded.unwrap(&bench.context, &sealed).await.is_ok());
    assert_eq!((bench.calls(), bench.guarded.name()), (2, "scripted"));
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_not_waited_for_longer_than_patience() {
    let bench = Bench::new();
    bench.does(Does::Hangs);
    let began = tokio::time::Instant::now();
    assert_eq!(bench.wrap().await, Err(KmsError::Unavailable));
    assert_eq!(began.elapsed(), PATIENCE);
}

#[tokio::test]
async fn one_that_is_down_is_left_alone_for_longer_and_longer_but_not_for_ever() {
    let bench = Bench::new();
    bench.breaks().await;
    let mut asked = bench.calls();
    assert_eq!(asked, usize::try_from(MAX_FAULTS).unwrap());
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        bench.later(Duration::from_millis(pause * 1000 - 1));
        assert_eq!(bench.wrap().await, Err(KmsError::Unavailable));
        assert_eq!(bench.calls(), asked, "before {pause} s it is not asked");
        bench.later(Duration::from_millis(1));
        assert_eq!(bench.wrap().await, Err(KmsError::Unavailable));
        asked += 1;
        assert_eq!(bench.calls(), asked, "after {pause} s it is tried once");
    }
    bench.does(Does::Answers);
    bench.later(MAX_PAUSE);
    assert!(bench.wrap().await.is_ok() && bench.wrap().await.is_ok());
}

#[tokio::test]
async fn two_faults_between_answers_are_borne() {
    let bench = Bench::new();
    for _ in 0..4 {
        bench.does(Does::Fails(KmsError::Unavailable));
        for _ in 1..MAX_FAULTS {
            bench.wrap().await.unwrap_err();
        }
        bench.does(Does::Answers);
        assert!(bench.wrap().await.is_ok());
    }
}

#[tokio::test]
async fn what_it_says_of_a_key_is_no_fault_of_its_own() {
    let bench = Bench::new();
    for why in [KmsError::Refused, KmsError::Disabled, KmsError::Generation] {
        bench.does(Does::Fails(why.clone()));
        for _ in 0..=MAX_FAULTS {
            assert_eq!(bench.wrap().await, Err(why.clone()));
        }
    }
    assert_eq!(bench.calls(), 3 * usize::try_from(MAX_FAULTS + 1).unwrap());
}

#[tokio::test]
async fn one_that_asks_for_time_gets_it_up_to_a_bound() {
    for (asks, gets) in [
        (None, MIN_PAUSE),
        (Some(Duration::from_secs(7)), Duration::from_secs(7)),
        (Some(Duration::from_secs(3600)), MAX_PAUSE),
    ] {
        let bench = Bench::new();
        let why = KmsError::Throttled { retry_after: asks };
        bench.does(Does::Fails(why.clone()));
        assert_eq!(bench.wrap().await, Err(why.clone()));
        bench.does(Does::Answers);
        bench.later(gets - Duration::from_millis(1));
        assert_eq!(bench.wrap().await, Err(why));
        bench.later(Duration::from_millis(1));
        assert!(bench.wrap().await.is_ok(), "{gets:?}");
    }
}

#[tokio::test]
async fn while_one_call_tries_the_others_do_not() {
    let bench = Bench::new();
    bench.breaks().await;
    bench.later(MIN_PAUSE);
    bench.does(Does::Hangs);
    let asked = bench.calls();
    let mut trial = bench.guarded.wrap(&bench.context, &bench.key);
    assert!(polled(&mut trial).is_none());
    assert_eq!(bench.wrap().await, Err(KmsError::Unavailable));
    assert_eq!(bench.calls(), asked + 1);
    // Whoever tried went away without an answer: the next one tries.
    drop(trial);
    bench.does(Does::Answers);
    assert!(bench.wrap().await.is_ok());
}

#[tokio::test]
async fn a_clock_set_back_does_not_lengthen_the_pause() {
    let bench = Bench::new();
    bench.breaks().await;
    bench.does(Does::Answers);
    bench.clock.set(Timestamp::from_millis(1));
    assert!(bench.wrap().await.is_ok());
}

#[tokio::test]
async fn only_so_many_ask_at_once() {
    let bench = Bench::new();
    bench.does(Does::Hangs);
    let mut all: Vec<_> = (0..MAX_CALLS).map(|_| bench.guarded.wrap(&bench.context, &bench.key)).collect();
    for call in &mut all {
        assert!(polled(call).is_none());
    }
    bench.does(Does::Answers);
    assert_eq!(bench.wrap().await, Err(KmsError::Throttled { retry_after: None }));
    all.pop();
    assert!(bench.wrap().await.is_ok());
}

fn polled<T>(call: &mut BoxFuture<'_, T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match call.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => Some(answer),
        std::task::Poll::Pending => None,
    }
}
