//! What is said when nothing can be said, and when.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use operator::roles::{Grant, Kind};
use operator::webhook::respond::Unjudged;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::shelf::Behaviour;
use crate::webhook::{Webhook, create, pod, review, signed};

const APP: &str = "ghcr.example/acme/app:1";
const SECOND: Duration = Duration::from_secs(1);

/// A policy that lets in what cannot be decided.
fn lenient(policy: &mut Value) {
    policy["spec"]["webhookConfiguration"] = json!({"failurePolicy": "Ignore"});
}

/// Attack A41: an answer is there before the API server stops waiting, and says what was waited for.
#[tokio::test(start_paused = true)]
async fn a41_a_slow_registry_is_named_in_time() {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, |_| ())]);
    let pinned = format!("{APP}@{}", webhook.shelf.push_signed(APP, "good"));
    webhook.shelf.behaves(Behaviour::Slow("acme", SECOND * 60));
    for (timeout, bound) in [("1s", SECOND), ("10s", SECOND * 10), ("30s", SECOND * 30)] {
        let began = Instant::now();
        let reply = webhook.ask(&format!("/validate/fail?timeout={timeout}"), create(&pod(&[&pinned]))).await;
        assert!(began.elapsed() < bound, "{:?}", began.elapsed());
        assert!(!reply.allowed);
        assert!(reply.message.contains("no answer in time"), "{}", reply.message);
        assert!(reply.message.contains("next step:"), "{}", reply.message);
        assert_eq!(reply.audit["decisions"], "signed/by-us=fault (deadline-exceeded)");
    }
    // It is a fault and no finding: only the policy's own word lets it in, and not in silence.
    webhook.load(&[signed(&webhook.shelf, lenient)]);
    let reply = webhook.ask("/validate/ignore?timeout=2s", create(&pod(&[&pinned]))).await;
    assert!(reply.allowed);
    assert!(reply.warnings[0].contains("[deadline-exceeded]"), "{reply:?}");
    let reply = webhook.ask("/validate/fail?timeout=2s", create(&pod(&[&pinned]))).await;
    assert!(
        reply.allowed && reply.warnings.is_empty(),
        "policies of the other path are not asked: {reply:?}"
    );
}

/// Attack A41: a registry that does not answer holds up nobody but its own.
#[tokio::test(start_paused = true)]
async fn a41_a_slow_registry_does_not_hold_up_others() {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, |_| ())]);
    webhook.shelf.push_signed(APP, "good");
    webhook.shelf.push_signed("slow.example/acme/app:1", "good");
    webhook.shelf.behaves(Behaviour::Slow("slow", SECOND * 60));
    let webhook = std::sync::Arc::new(webhook);
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let webhook = std::sync::Arc::clone(&webhook);
            tokio::spawn(async move { webhook.mutate(&pod(&["slow.example/acme/app:1"])).await })
        })
        .collect();
    tokio::time::sleep(SECOND).await;
    let began = Instant::now();
    assert_eq!(webhook.mutate(&pod(&[APP])).await.patch.len(), 1);
    assert!(began.elapsed() < SECOND / 10);
    for slow in slow {
        assert_eq!(slow.await.unwrap().patch.len(), 0);
    }
}

#[tokio::test]
async fn a_fault_is_not_called_unsigned_and_is_over_when_it_is_over() {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, |_| ())]);
    let pinned = format!("{APP}@{}", webhook.shelf.push_signed(APP, "good"));
    webhook.shelf.behaves(Behaviour::Broken("acme"));
    let reply = webhook.validate(&pod(&[&pinned])).await;
    assert!(!reply.allowed && !reply.message.contains("signature not found"), "{}", reply.message);
    assert_eq!(reply.audit["decisions"], "signed/by-us=fault (registry-unreachable)");
    webhook.shelf.behaves(Behaviour::Good);
    assert!(webhook.validate(&pod(&[&pinned])).await.allowed);
}

/// Attack A49: a defect is an answer, and the next request is judged.
#[tokio::test]
async fn a49_a_panic_is_a_refusal() {
    for (webhook, code) in
        [(Webhook::empty(SECOND), "registry-unreachable"), (Webhook::without_memory(), "internal-error")]
    {
        webhook.load(&[signed(&webhook.shelf, |_| ())]);
        let pinned = format!("{APP}@{}", webhook.shelf.push_signed(APP, "good"));
        webhook.shelf.behaves(Behaviour::Panics("acme"));
        let reply = webhook.validate(&pod(&[&pinned])).await;
        assert!(!reply.allowed && reply.audit.to_string().contains(code), "{reply:?}");
        webhook.shelf.behaves(Behaviour::Good);
        assert!(webhook.validate(&pod(&[&pinned])).await.allowed);
    }
}

#[tokio::test]
async fn before_the_policies_are_loaded_nothing_is_judged() {
    let webhook = Webhook::empty(SECOND);
    let reply = webhook.validate(&pod(&[APP])).await;
    assert!(!reply.allowed);
    assert!(reply.message.starts_with("resource Pod/shop/web was not judged: the policies, or the roles"));
    assert!(reply.message.contains("[not-ready]") && reply.message.contains("the-uid"), "{}", reply.message);
    let reply = webhook.ask("/validate/ignore", create(&pod(&[APP]))).await;
    assert!(reply.allowed && reply.warnings[0].contains("[not-ready]"), "{reply:?}");
    assert_eq!(webhook.server.not_ready(), Some("the policies are not loaded yet\n"));
    webhook.load(&[signed(&webhook.shelf, |_| ())]);
    assert_eq!(webhook.server.not_ready(), None);
    webhook.server.end();
    assert_eq!(webhook.server.not_ready(), Some("ending\n"));
}

/// Attack A42: what is no review gets no review.
#[tokio::test]
async fn a42_what_is_no_review_is_refused() {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, |_| ())]);
    let json = "application/json";
    let good = review(&create(&pod(&[APP])));
    let cases: [(&str, Body, StatusCode); 5] = [
        (json, "".into(), StatusCode::BAD_REQUEST),
        (json, "{\"kind\": \"Pod\"}".into(), StatusCode::BAD_REQUEST),
        ("text/plain", good.clone().into(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (json, vec![b' '; 9 << 20].into(), StatusCode::PAYLOAD_TOO_LARGE),
        (json, vec![0x1f, 0x8b, 8, 0].into(), StatusCode::BAD_REQUEST),
    ];
    for (content_type, body, expected) in cases {
        let (status, said) = webhook.post("/validate/fail", content_type, body).await;
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&said));
    }
    assert_eq!(webhook.post("/validate", json, good.into()).await.0, StatusCode::NOT_FOUND);
    // An object that cannot be read is refused whatever the failure policy: nobody was asked.
    let body = review(&create(&json!({}))).replace("{}", r#"{"a":1,"a":2}"#);
    for path in ["/validate/ignore", "/mutate/ignore"] {
        let (status, said) = webhook.post(path, json, body.clone().into()).await;
        assert_eq!(status, StatusCode::OK);
        let said: Value = serde_json::from_slice(&said).unwrap();
        assert_eq!(
            (&said["response"]["allowed"], &said["response"]["status"]["code"]),
            (&json!(false), &json!(400))
        );
    }
}

/// Attacks A35, A42: a body that does not end, and one that does not come.
#[tokio::test(start_paused = true)]
async fn a35_a_body_that_does_not_come_is_given_up() {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, |_| ())]);
    let (_sender, never) = tokio::sync::oneshot::channel::<()>();
    let stream = futures::stream::once(async move {
        let _ = never.await;
        Ok::<_, std::io::Error>(bytes::Bytes::new())
    });
    let began = Instant::now();
    let (status, _) =
        webhook.post("/validate/fail?timeout=5s", "application/json", Body::from_stream(stream)).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    assert!(began.elapsed() < SECOND * 5);
    let endless =
        futures::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 4096])));
    let (status, _) = webhook.post("/validate/fail", "application/json", Body::from_stream(endless)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// Attack: a user whose roles nobody knows is taken for one who has none, and a rule about roles for one that does
/// not apply to him.
#[tokio::test]
async fn roles_that_nobody_knows_are_no_roles() {
    let by_role = |policy: &mut Value| {
        policy["spec"]["background"] = json!(false);
        policy["spec"]["rules"][0]["match"]["any"][0]["clusterRoles"] = json!(["edit"]);
    };
    let webhook = Webhook::with(|shelf| vec![signed(shelf, by_role)]);
    let evil = format!("{APP}@{}", webhook.shelf.push(APP, "evil"));
    let reply = webhook.validate(&pod(&[&evil])).await;
    assert!(!reply.allowed && reply.message.contains("[not-ready]"), "{reply:?}");
    let roles = &webhook.server.engine().roles;
    let binding = |name: &str| -> ClusterRoleBinding {
        serde_json::from_value(
            json!({"metadata": {"name": "b"}, "subjects": [{"kind": "User", "name": name}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}}),
        )
        .unwrap()
    };
    roles.replace(Kind::Role, []);
    roles.replace(Kind::ClusterRole, [Grant::from(&binding("somebody"))]);
    assert!(webhook.validate(&pod(&[&evil])).await.allowed, "the rule is not about this user");
    roles.put(Grant::from(&binding("dev")));
    let reply = webhook.validate(&pod(&[&evil])).await;
    assert!(reply.message.contains("signature not found"), "{reply:?}");
}

#[test]
fn every_code_is_in_the_page() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reasons.md");
    let page = std::fs::read_to_string(page).unwrap();
    for why in Unjudged::ALL {
        assert!(page.contains(&format!("| `{}` |", why.code())), "{}", why.code());
    }
}

/// Attack A50: more requests than are judged at a time. Each one beyond is told so at once, and none is let in.
#[tokio::test(start_paused = true)]
async fn a50_too_many_are_told_at_once() {
    let webhook = std::sync::Arc::new(Webhook::with(|shelf| vec![signed(shelf, |_| ())]));
    let pinned = format!("{APP}@{}", webhook.shelf.push_signed(APP, "good"));
    webhook.shelf.behaves(Behaviour::Slow("acme", SECOND * 60));
    for _ in 0..4_096 {
        let (webhook, pod) = (std::sync::Arc::clone(&webhook), pod(&[&pinned]));
        tokio::spawn(async move { webhook.validate(&pod).await });
    }
    tokio::time::sleep(SECOND).await;
    let began = Instant::now();
    let reply = webhook.validate(&pod(&[&pinned])).await;
    assert!(!reply.allowed && reply.message.contains("[overloaded]"), "{reply:?}");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

/// Attack: an object that is made undecidable, for a policy that allows what cannot be decided.
#[tokio::test]
async fn who_asks_cannot_choose_a_fault() {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, lenient)]);
    let many: Vec<_> = (0..1_001).map(|n| format!("ghcr.example/acme/n{n}:1")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let reply = webhook.ask("/validate/ignore", create(&pod(&many))).await;
    assert!(!reply.allowed && reply.audit["decisions"].to_string().contains("input-unreadable"), "{reply:?}");
}
