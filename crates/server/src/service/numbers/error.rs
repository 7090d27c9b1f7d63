//! Why something with phone numbers did not happen.

use store::StoreError;
use thiserror::Error;

/// Why an operation on numbers did not happen. It never quotes a number.
#[derive(Debug, Error)]
pub enum NumbersError {
    /// The resource holds no such number: nobody does, or another resource. One answer for all (law 6).
    #[error("the resource does not hold the number")]
    NumberUnknown,
    /// The resource has no such search.
    #[error("no such search")]
    SearchUnknown,
    /// The resource has no such reservation.
    #[error("no such reservation")]
    ReservationUnknown,
    /// The resource has no such operation.
    #[error("no such operation")]
    OperationUnknown,
    /// What the search found was bought already.
    #[error("the search was purchased already")]
    Purchased,
    /// The reservation was bought, or has expired.
    #[error("the reservation is not active")]
    NotActive,
    /// There is nothing in it to buy.
    #[error("the reservation is empty")]
    Empty,
    /// The buyer has not promised what is asked for these numbers.
    #[error("the agreement not to resell is missing")]
    NotAgreed,
    /// The number is not offered with this.
    #[error("the number is not offered with these capabilities")]
    NotOffered,
    /// More numbers than a reservation may hold.
    #[error("a reservation may hold {limit} numbers")]
    TooManyNumbers {
        /// How many it may hold.
        limit: usize,
    },
    /// More reservations than a resource may have.
    #[error("a resource may have {limit} reservations")]
    TooManyReservations {
        /// How many it may have.
        limit: usize,
    },
    /// Too many tries lost a race against others.
    #[error("too many concurrent changes")]
    Busy,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
