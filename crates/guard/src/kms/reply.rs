//! An answer from a thread to a future, and the time it may take. `guard` has no runtime, so it wakes by hand.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

struct Place<T> {
    answer: Option<Option<T>>,
    waker: Option<Waker>,
}

fn lock<T>(place: &Mutex<Place<T>>) -> MutexGuard<'_, Place<T>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever answers. Dropped without a word, it answers `None`.
pub(super) struct Answer<T>(Arc<Mutex<Place<T>>>);

/// Whoever waits.
pub(super) struct Waiting<T>(Arc<Mutex<Place<T>>>);

/// Both ends.
pub(super) fn pair<T>() -> (Answer<T>, Waiting<T>) {
    let place = Arc::new(Mutex::new(Place { answer: None, waker: None }));
    (Answer(Arc::clone(&place)), Waiting(place))
}

impl<T> Answer<T> {
    /// Answers. Of two answers the first counts.
    pub(super) fn give(self, answer: T) {
        give(&self.0, Some(answer));
    }
}

fn give<T>(place: &Mutex<Place<T>>, answer: Option<T>) {
    let mut place = lock(place);
    if place.answer.is_none() {
        place.answer = Some(answer);
    }
    let waker = place.waker.take();
    drop(place);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        give(&self.0, None);
    }
}

impl<T> Future for Waiting<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut place = lock(&self.0);
        match place.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                place.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::now;
    use super::*;

    #[test]
    fn an_answer_from_another_thread_wakes_who_waits() {
        let (answer, waiting) = pair();
        let thread = std::thread::spawn(move || answer.give(7));
        assert_eq!(now(Box::pin(waiting)), Some(7));
        thread.join().unwrap();
    }

    #[test]
    fn who_is_left_without_an_answer_is_told() {
        let (answer, waiting) = pair::<u8>();
        drop(answer);
        assert_eq!(now(Box::pin(waiting)), None);
    }
}
