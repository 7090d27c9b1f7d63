//! A customer's key service, whose key is disabled and enabled by hand.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use base::Rng;
use guard::{BoxFuture, KeyContext, Kms, KmsError, LocalKms, ScopeKey, Sealed};

/// What the customer's key service is called.
pub const CUSTOMER: &str = "customer";

/// A key in memory, that answers as it is told to.
pub struct CustomerKms {
    inner: LocalKms,
    refusal: Mutex<Option<KmsError>>,
    hangs: AtomicBool,
    calls: AtomicUsize,
}

impl CustomerKms {
    pub(super) fn new(rng: &dyn Rng) -> Self {
        Self {
            inner: LocalKms::in_memory(rng),
            refusal: Mutex::new(None),
            hangs: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
        }
    }

    /// From here on every call ends so; with `None` calls are answered again.
    pub fn refuse(&self, why: Option<KmsError>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Whether from here on no call is answered at all.
    pub fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// How often it was asked since the last time this was.
    pub fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }

    fn refusal(&self) -> Option<KmsError> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Kms for CustomerKms {
    fn name(&self) -> &'static str {
        CUSTOMER
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.refusal() {
            _ if self.hangs.load(Ordering::SeqCst) => Box::pin(std::future::pending()),
            Some(why) => Box::pin(async { Err(why) }),
            None => self.inner.wrap(context, key),
        }
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.refusal() {
            _ if self.hangs.load(Ordering::SeqCst) => Box::pin(std::future::pending()),
            Some(why) => Box::pin(async { Err(why) }),
            None => self.inner.unwrap(context, wrapped),
        }
    }
}
