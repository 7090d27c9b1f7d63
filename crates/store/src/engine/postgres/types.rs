//! Values on their way to and from the server, and waiting for several answers at once.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use base::ResourceId;
use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::engine::BoxFuture;

/// A resource as the server's `uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uuid(pub(super) ResourceId);

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(ResourceId::from_bytes(raw.try_into()?)))
    }

    accepts!(UUID);
}

/// One statement on its way: polled once, it is sent.
pub(super) type Sending<'a> = BoxFuture<'a, Result<Vec<Row>, tokio_postgres::Error>>;

/// Sends all statements in order before waiting for the first answer, then waits for every answer, also after one that
/// failed. The first failure counts.
pub(super) async fn pipelined(mut sending: Vec<Sending<'_>>) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    let mut answers: Vec<Option<Result<Vec<Row>, tokio_postgres::Error>>> =
        sending.iter().map(|_| None).collect();
    std::future::poll_fn(|cx: &mut Context<'_>| {
        let mut waiting = false;
        for (one, answer) in sending.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match one.as_mut().poll(cx) {
                    Poll::Ready(ready) => *answer = Some(ready),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// Sends a statement without waiting for its answer.
pub(super) fn send<F: Future>(statement: F) {
    let mut statement = Box::pin(statement);
    let mut cx = Context::from_waker(Waker::noop());
    // The first poll hands it to the connection's task; the answer goes nowhere.
    let _ = Pin::new(&mut statement).poll(&mut cx);
}

/// The server keeps signed numbers; versions begin at 1 and never come near the end of either.
pub(super) fn version(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_sixteen_bytes_on_the_wire() {
        let id = Uuid(ResourceId::from_bytes([7; 16]));
        let mut out = BytesMut::new();
        id.to_sql(&Type::UUID, &mut out).unwrap();
        assert_eq!(&out[..], [7; 16]);
        assert_eq!(Uuid::from_sql(&Type::UUID, &out).unwrap(), id);
        assert!(Uuid::from_sql(&Type::UUID, &out[1..]).is_err());
    }

    #[tokio::test]
    async fn every_statement_is_begun_before_any_is_waited_for() {
        let (first, second) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
        // Each waits for the other: one after the other would never end.
        let one: Sending<'_> = Box::pin(async {
            second.notify_one();
            first.notified().await;
            Ok(Vec::new())
        });
        let two: Sending<'_> = Box::pin(async {
            first.notify_one();
            second.notified().await;
            Ok(Vec::new())
        });
        assert_eq!(pipelined(vec![one, two]).await.unwrap().len(), 2);
        assert_eq!(pipelined(vec![]).await.unwrap().len(), 0);
    }
}
