//! Updates that start nothing new pass (ADR 0014).

use serde_json::{Value, json};

use crate::shelf::Behaviour;
use crate::webhook::{Webhook, pod, signed, update};

const EVIL: &str = "ghcr.example/acme/evil:1";

fn webhook() -> Webhook {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, |_| ())]);
    webhook.shelf.push(EVIL, "evil");
    webhook
}

fn deployment(replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "c0", "image": EVIL}]}}}})
}

/// It is recorded as what it is, and not as verified.
#[tokio::test]
async fn an_update_that_starts_nothing_passes_and_says_so() {
    let webhook = webhook();
    let reply = webhook.ask("/validate/fail", update(&deployment(3), &deployment(1))).await;
    assert!(reply.allowed, "{}", reply.message);
    let decisions = "signed/autogen-by-us=skip (update-starts-nothing)";
    assert_eq!(reply.audit, json!({"outcome": "skip", "decisions": decisions}));
    let metrics = webhook.server.engine().metrics.text(operator::metrics::Now::default()).unwrap();
    let counted = r#"trust_updates_starting_nothing_total{policy="signed",rule="autogen-by-us"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert!(!metrics.contains(r#"outcome="skip""#), "a skip is no decision: {metrics}");
}

#[tokio::test]
async fn an_update_that_starts_something_is_judged() {
    let webhook = webhook();
    let mut labelled = pod(&[EVIL]);
    labelled["metadata"]["labels"] = json!({"a": "b"});
    let ask = async |old: &Value, new: &Value| webhook.ask("/validate/fail", update(old, new)).await;
    assert!(ask(&pod(&[EVIL]), &labelled).await.allowed);
    for (old, new) in [
        (deployment(1), deployment(3)),
        (pod(&[EVIL]), pod(&[EVIL, EVIL])),
        (pod(&[]), pod(&[EVIL])),
        (Value::Null, labelled),
    ] {
        let reply = ask(&old, &new).await;
        assert!(reply.message.contains("signature not found"), "{old} {new}: {reply:?}");
    }
}

#[tokio::test]
async fn a_policy_may_ask_for_all_updates() {
    let all = |policy: &mut Value| {
        policy["metadata"]["annotations"] = json!({"kubectl-trust.io/judge-updates": "all"});
    };
    let webhook = Webhook::with(|shelf| vec![signed(shelf, all)]);
    webhook.shelf.push(EVIL, "evil");
    let reply = webhook.ask("/validate/fail", update(&deployment(3), &deployment(1))).await;
    assert!(reply.message.contains("signature not found"), "{reply:?}");
}

/// It is decided from the request alone: however many come, no registry is asked, and one that gives no answer is in
/// nobody's way.
#[tokio::test]
async fn a_thousand_skips_ask_no_registry() {
    let webhook = webhook();
    webhook.shelf.behaves(Behaviour::Broken(""));
    for number in 0..1_000 {
        let mut new = deployment(number % 3);
        new["metadata"]["labels"] = json!({"number": number.to_string()});
        for path in ["/mutate/fail", "/validate/fail"] {
            assert!(webhook.ask(path, update(&deployment(3), &new)).await.allowed);
        }
    }
    assert_eq!(webhook.shelf.asked().len(), 0, "{:?}", webhook.shelf.asked());
}

/// The template of a ReplicaSet is that of its Deployment, by which the controller knows it: pinned, it would be unknown,
/// and the controller would make another, without end. Attack: a user who names an owner.
#[tokio::test]
async fn a_replica_set_of_a_deployment_is_judged_and_not_pinned() {
    const APP: &str = "ghcr.example/acme/app:1";
    let webhook = webhook();
    webhook.shelf.push_signed(APP, "good");
    let controller = "system:serviceaccount:kube-system:deployment-controller";
    let set = |image: &str| {
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web-1", "namespace": "shop",
            "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": true}]},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c0", "image": image}]}}}})
    };
    let ask = async |path: &str, object: &Value, user: &str| {
        let mut request = crate::webhook::create(object);
        request["userInfo"]["username"] = json!(user);
        webhook.ask(path, request).await
    };
    assert_eq!(ask("/mutate/fail", &set(APP), controller).await.patch, [Value::Null; 0]);
    let judged = ask("/validate/fail", &set(APP), controller).await;
    assert!(judged.allowed, "{}", judged.message);
    let refused = ask("/validate/fail", &set(EVIL), controller).await;
    assert!(refused.message.contains("signature not found"), "{refused:?}");
    assert_eq!(ask("/mutate/fail", &set(APP), "dev").await.patch.len(), 1);
    assert!(ask("/validate/fail", &set(APP), "dev").await.message.contains("missing digest"));
    let mut alone = set(APP);
    alone["metadata"]["ownerReferences"] = json!([]);
    assert_eq!(ask("/mutate/fail", &alone, controller).await.patch.len(), 1);
}
