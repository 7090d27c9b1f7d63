//! Law 6: to a caller who may not know that a thing exists, the answer is the one for a thing that does not.

use base::ThreadId;
use server::http::rates::Profile;
use server::testing::Options;
use wire::operation::Body;

use crate::world::{ALL, World, of_a_thread};

async fn strangers_cannot_tell(rates: Profile) {
    let world = World::with(Options { rates, ..Options::default() }).await;
    let stranger = world.test.user(&ALL).await;
    let unknown = wire::thread_id::format(ThreadId::mint(&*world.test.rng));
    for operation in of_a_thread() {
        // More than once: a rate limit or something remembered could tell the two apart later.
        for nth in 0..60 {
            let ask = async |thread: &str| {
                let target = world.target_in(operation, thread);
                let answer = world.call_at(operation, &target).by(&stranger).send().await.without_ids();
                (answer.status, answer.headers, answer.body)
            };
            let (real, none) = (ask(&world.thread).await, ask(&unknown).await);
            assert_eq!(real, none, "{} at {nth}", operation.name);
            assert!(matches!(real.0, 403 | 429), "{} {}", operation.name, real.0);
        }
    }
}

#[tokio::test]
async fn a_stranger_cannot_tell_a_thread_from_none() {
    strangers_cannot_tell(Profile::Off).await;
}

#[tokio::test]
async fn nor_by_the_limits_of_rates() {
    strangers_cannot_tell(Profile::Acs).await;
}

#[tokio::test]
async fn nor_by_what_is_wrong_with_the_request() {
    let world = World::new().await;
    let stranger = world.test.user(&ALL).await;
    let unknown = wire::thread_id::format(ThreadId::mint(&*world.test.rng));
    for operation in of_a_thread() {
        for query in ["", "?maxPageSize=0", "?syncState=x", "?skip=-1", "?startTime=never"] {
            for body in ["", "{}", "{", "[]", r#"{"content":""}"#, r#"{"participants":[{}]}"#] {
                let ask = async |thread: &str| {
                    let target = format!("{}{query}", world.target_in(operation, thread));
                    let call = world.test.call(operation.method.as_str(), &target).by(&stranger);
                    let call = match operation.body {
                        Body::None | Body::Text(_) => call,
                        Body::Json { .. } => call.body(body.as_bytes().to_vec(), "application/json"),
                    };
                    call.send().await.without_ids()
                };
                assert_eq!(
                    ask(&world.thread).await,
                    ask(&unknown).await,
                    "{} {query} {body}",
                    operation.name
                );
            }
        }
    }
}

#[tokio::test]
async fn a_thread_of_another_resource_is_none() {
    let world = World::new().await;
    for elsewhere in [world.test.neighbour(), world.test.abroad()] {
        let foreigner = world.test.user_of(elsewhere, &ALL).await;
        let host = format!("{}.localhost", elsewhere.name());
        for operation in of_a_thread() {
            let unknown = wire::thread_id::format(ThreadId::mint(&*world.test.rng));
            let ask = async |thread: &str| {
                let call = world.call_at(operation, &world.target_in(operation, thread)).host(&host);
                call.by(&foreigner).send().await.without_ids()
            };
            let real = ask(&world.thread).await;
            assert_eq!(real, ask(&unknown).await, "{}", operation.name);
            assert_eq!(real.status, 403, "{}", operation.name);
        }
    }
}
