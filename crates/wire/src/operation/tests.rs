//! Tests of the table: every row is whole, and those that are built say what ACS documents.

use std::collections::BTreeSet;

use super::*;

fn built() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().copied().filter(|operation| operation.built)
}

#[test]
fn names_and_routes_are_unique() {
    let names: BTreeSet<_> = OPERATIONS.iter().map(|o| o.name).collect();
    assert_eq!(names.len(), OPERATIONS.len());
    let routes: BTreeSet<_> = OPERATIONS.iter().map(|o| (o.method.as_str(), o.path.to_lowercase())).collect();
    assert_eq!(routes.len(), OPERATIONS.len());
}

#[test]
fn every_row_is_whole() {
    for o in OPERATIONS {
        assert!(o.path.starts_with('/') && !o.path.ends_with('/'), "{}", o.name);
        assert!(!o.permission.is_empty() && o.name.contains('.'), "{}", o.name);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'_';
        assert!(o.name.bytes().all(plain), "{}", o.name);
        assert!(matches!(o.success, 200 | 201 | 202 | 204) || o.name == "push.connect", "{}", o.name);
        assert!(o.versions.is_sorted(), "{}: oldest first", o.name);
        let unversioned = matches!(o.area, Area::Product | Area::LogQuery)
            || o.area == Area::Push && o.name.starts_with("push.");
        assert!(unversioned == o.versions.is_empty(), "{}", o.name);
        let reads = o.body != Body::None;
        assert!(!reads || [Method::POST, Method::PUT, Method::PATCH].contains(&o.method), "{}", o.name);
        let patch = matches!(o.body, Body::Json { merge_patch: true, .. });
        assert!(o.method != Method::PATCH || patch, "{}", o.name);
        for rate in o.rates {
            assert!(rate.max > 0 && rate.window_secs > 0 && !rate.bucket.is_empty(), "{}", o.name);
        }
    }
}

#[test]
fn what_is_built_of_acs_is_logged_counted_and_guarded() {
    let count = |area| built().filter(|o| o.area == area).count();
    assert_eq!(
        (count(Area::Identity), count(Area::Chat), count(Area::Email), count(Area::Sms)),
        (4, 16, 2, 5)
    );
    assert_eq!((count(Area::PhoneNumbers), count(Area::SipRouting)), (20, 2));
    // ACS has no log table for numbers and SIP routing, and its quotas of them are none of a server of one's own; what an
    // operator does is in the audit log.
    let unlogged = [Area::Product, Area::PhoneNumbers, Area::SipRouting, Area::Arm, Area::Push];
    let arm: Vec<_> = built().filter(|o| o.area == Area::Arm).collect();
    let operators =
        |o: &&Operation| o.access == Access::Operator && o.name.starts_with("arm.event_subscriptions.");
    assert!(arm.len() == 6 && arm.iter().all(operators));
    for o in built().filter(|o| !unlogged.contains(&o.area)) {
        assert!(o.log_table.is_some() && o.log_name.is_some(), "{}", o.name);
        // Texts are counted by their sender and not by request.
        assert!(!o.rates.is_empty() || o.area == Area::Sms, "{}", o.name);
        assert_ne!(o.access, Access::Public, "{}", o.name);
    }
}

#[test]
fn only_a_bound_socket_health_keys_revocations_agreeing_unsubscribing_and_an_empty_page_are_public() {
    let public = OPERATIONS.iter().filter(|o| o.access == Access::Public).map(|o| o.path);
    let (sockets, public): (Vec<_>, Vec<_>) = public.partition(|path| path.starts_with("/socket.io/"));
    assert_eq!(sockets, ["/socket.io/1/websocket/{sessionId}"]);
    let unsubscribe = "/emails/unsubscribe/{token}";
    let page = ["/operator/outbox", "/operator/outbox/page.js", "/operator/outbox/page.css"];
    let keys = ["/health/live", "/health/ready", "/.well-known/jwks.json", "/pki/ca.crl"];
    assert_eq!(public[..4], keys);
    assert_eq!(public[4..6], [unsubscribe, unsubscribe]);
    let events = [
        "/.well-known/http-message-signatures-directory",
        "/events/agree/{resource}/{eventSubscriptionName}/{code}",
    ];
    assert_eq!(public[6..8], events);
    assert_eq!(public[8..], page);
}

#[test]
fn privileged_acts_are_audited() {
    let of_acs = OPERATIONS.iter().filter(|o| o.access != Access::Operator);
    let audited: Vec<_> = of_acs.filter(|o| o.audit != Audit::None).map(|o| o.name).collect();
    assert_eq!(
        audited,
        [
            "chat.delete_thread",
            "chat.remove_participant",
            "identity.delete",
            "identity.revoke_tokens",
            "identity.issue_token",
            "numbers.purchase_reservation",
            "numbers.purchase_phone_numbers",
            "numbers.release_phone_number",
            "sip.update"
        ]
    );
    for o in OPERATIONS {
        assert!(matches!(o.audit, Audit::None) || o.audit == Audit::Act(o.name));
    }
}

#[test]
fn scopes_follow_the_table_of_acs() {
    for o in built().filter(|o| o.area == Area::Chat) {
        let want: &[&str] = match o.name {
            "chat.create_thread" | "chat.update_thread" | "chat.delete_thread" => &["chat"],
            "chat.add_participants" | "chat.remove_participant" => &["chat", "chat.join"],
            _ => &["chat", "chat.join", "chat.join.limited"],
        };
        assert_eq!(o.access, Access::UserToken(want), "{}", o.name);
    }
    assert!(built().filter(|o| o.area == Area::Identity).all(|o| o.access == Access::AccessKey));
}

#[test]
fn shared_buckets_have_one_limit() {
    let mut limits = std::collections::BTreeMap::new();
    for o in OPERATIONS {
        let mine: Vec<_> = o.rates.iter().map(|r| (r.bucket, r.window_secs, r.max, r.per)).collect();
        for bucket in mine.iter().map(|r| r.0).collect::<BTreeSet<_>>() {
            let of_bucket: Vec<_> = mine.iter().filter(|r| r.0 == bucket).copied().collect();
            assert_eq!(limits.entry(bucket).or_insert_with(|| of_bucket.clone()), &of_bucket, "{bucket}");
        }
    }
    let send = by_name("chat.send_message").unwrap();
    assert_eq!(send.rates, by_name("chat.delete_message").unwrap().rates);
}

#[test]
fn body_limits() {
    let limits = Limits::default();
    let max = |name| by_name(name).unwrap().body.max_bytes(&limits);
    assert_eq!(max("chat.send_message"), limits.body_bytes);
    assert_eq!(max("identity.issue_token"), 16 * 1024);
    assert_eq!(max("identity.delete"), 0);
    assert_eq!(max("email.send"), limits.mail_request_bytes);
    let small = Limits { body_bytes: 100, ..limits };
    assert_eq!(by_name("identity.issue_token").unwrap().body.max_bytes(&small), 100);
}

#[test]
fn no_row_of_another_name() {
    assert!(by_name("chat.fly").is_none() && by_name("").is_none());
}
