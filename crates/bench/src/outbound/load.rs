//! Senders that hold the resource's access key: each with a kept-alive connection of its own, signing every request, one
//! at a time. A number in each body tells them apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::{Clock, SystemClock};
use guard::signature::sign_request;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::measure::{Latencies, Stopwatch, Summary};
use crate::net::api::Resource;
use crate::net::client::Connection;
use crate::net::request::{Method, build};

/// What all senders post.
#[derive(Clone)]
pub(crate) struct Post {
    /// Path and query.
    pub(crate) target: String,
    /// The body of a number.
    pub(crate) body: Arc<dyn Fn(u64) -> String + Send + Sync>,
    /// The status that accepts.
    pub(crate) status: u16,
    /// What is done, for an error.
    pub(crate) doing: &'static str,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted {
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Of each request.
    pub(crate) summary: Summary,
}

/// Posts `count` bodies from `senders` at once, numbered from `first`. Ends after `most`, with fewer.
pub(crate) async fn post(
    resource: &Resource,
    senders: usize,
    first: u64,
    count: u64,
    most: Duration,
    post: &Post,
) -> Result<Accepted> {
    let mut connections = Vec::new();
    for _ in 0..senders {
        connections.push(resource.endpoint.connect().await?);
    }
    let numbers = Arc::new(AtomicU64::new(first));
    let mut tasks = JoinSet::new();
    let watch = Stopwatch::start();
    for connection in connections {
        let (resource, numbers, post) = (resource.clone(), Arc::clone(&numbers), post.clone());
        tasks.spawn(async move {
            let sender = Sender { resource, connection, post };
            sender.work(&numbers, first + count, watch, most).await
        });
    }
    let mut all = Latencies::default();
    while let Some(done) = tasks.join_next().await {
        all.merge(done.map_err(|e| Error::Server(e.to_string()))??);
    }
    Ok(Accepted { seconds: watch.seconds(), summary: all.summary() })
}

struct Sender {
    resource: Resource,
    connection: Connection,
    post: Post,
}

impl Sender {
    async fn work(
        mut self,
        numbers: &AtomicU64,
        end: u64,
        begun: Stopwatch,
        most: Duration,
    ) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        while begun.elapsed() < most {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                break;
            }
            let request = self.signed(number);
            let watch = Stopwatch::start();
            let answer = self.connection.exchange(&request).await?;
            latencies.push(watch.micros());
            answer.expect(self.post.doing, self.post.status)?;
        }
        Ok(latencies)
    }

    fn signed(&self, number: u64) -> Vec<u8> {
        let (host, target) = (&self.resource.endpoint.host, &self.post.target);
        let body = (self.post.body)(number);
        let now = SystemClock.now();
        let signed = sign_request(&self.resource.key, "POST", target, host, now, body.as_bytes());
        let headers = [
            ("x-ms-date", signed.date.as_str()),
            ("x-ms-content-sha256", signed.content_sha256.as_str()),
            ("authorization", signed.authorization.as_str()),
        ];
        build(Method::Post, target, host, &headers, body.as_bytes())
    }
}
