//! Subscriptions that another node made, and none.

use super::*;
use crate::service::events::Subscriptions;

#[tokio::test]
async fn another_node_learns_of_a_subscription_and_publishes_for_it() {
    let node = Node::new().await;
    let other = node.test.another_node().await;
    let resource = other.resource().id();
    assert!(!other.app.state().events.wants(resource, "ChatMessageReceivedInThread"));
    node.subscribe("all", only(&["ChatMessageReceivedInThread"])).await;
    let cell = other.resource().cell();
    other.app.state().events.refresh(cell, &[resource]).await.unwrap();
    assert!(other.app.state().events.wants(resource, "ChatMessageReceivedInThread"));
    assert!(!other.app.state().events.wants(resource, "ChatMessageReceived"));
    let user = other.user(&["chat"]).await;
    let made = other.call("POST", "/chat/threads").by(&user).json(&json!({ "topic": "x" })).send().await;
    let thread =
        made.expect(201).json()["chatThread"]["id"].as_str().unwrap().replace(':', "%3A").replace('@', "%40");
    let target = format!("/chat/threads/{thread}/messages");
    other.call("POST", &target).by(&user).json(&json!({ "content": "over there" })).send().await.expect(201);
    // The node that holds the lease finds it without being woken.
    assert_eq!(bodies(&node.hooks.wait("all", 1).await), ["over there"]);
    let gone = node.test.call("DELETE", "/operator/resources/contoso/events/subscriptions/all").operator();
    gone.send().await.expect(200);
    other.app.state().events.refresh(cell, &[resource]).await.unwrap();
    assert!(!other.app.state().events.wants(resource, "ChatMessageReceivedInThread"));
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_kept() {
    let node = Node::new().await;
    let user = node.test.user(&["chat"]).await;
    let thread = node.thread(&user, &[]).await;
    node.say(&user, &thread, "x").await;
    assert_eq!(node.queued().await, 0);
    let resource = node.test.resource();
    let mut reader = resource.cell().read(resource.id()).await.unwrap();
    let all = reader.scan::<Subscriptions>(KeyRange::all(), Direction::Forward, 10).await.unwrap();
    assert!(all.is_empty());
}
