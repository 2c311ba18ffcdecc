//! Policies that must be signed themselves.

use operator::engines::ENGINES;
use serde_json::{Value, json};

use crate::webhook::{Webhook, create, update};

const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHRIF45w4yuBQU453/EiBVPJI/mWe
Yja8yfaj11YjJmhlQY65lKytVvz3ztkX6W0139IPMQWgEXuvS/BsIb+gcQ==
-----END PUBLIC KEY-----
";

fn policy(version: &str, kind: &str, rule: &Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": "p"}, "spec": {"rules": [rule]}})
}

fn demanding(kinds: &str) -> Value {
    let attestors = json!([{"entries": [{"keys": {"publicKeys": KEY}}]}]);
    json!({"name": "signed", "match": {"any": [{"resources": {"kinds": [kinds]}}]},
        "validate": {"manifests": {"attestors": attestors}}})
}

/// Attack: a policy of a kind that no rule of the file is about, which nobody can have signed.
#[tokio::test]
async fn a45_a_policy_that_no_rule_is_about_is_unsigned() {
    let ours = policy("kubectl-trust.io/v1alpha1", "ClusterTrustPolicy", &demanding("kubectl-trust.io/*/*"));
    let webhook = Webhook::signed_by(&ours);
    let mut rule = demanding("Deployment");
    rule["validate"]["failureAction"] = json!("Enforce");
    let others = webhook.ask("/policies", create(&policy("kyverno.io/v1", "ClusterPolicy", &rule))).await;
    assert!(!others.allowed && others.message.contains("no rule there is about it"), "{others:?}");
    assert_eq!(others.audit["outcome"], "fail (policy-unsigned)");
    // One that a rule is about is refused by that rule.
    let unsigned = webhook.ask("/policies", create(&ours)).await;
    assert!(!unsigned.allowed && unsigned.message.contains("signature not found"), "{unsigned:?}");
    // Without the option, both may be written.
    let open = Webhook::without_memory();
    for document in [ours, policy("kyverno.io/v1", "ClusterPolicy", &rule)] {
        let reply = open.ask("/policies", create(&document)).await;
        assert!(reply.allowed, "{reply:?}");
    }
}

/// An update that keeps the content of a policy starts nothing, so it passes; one that changes it must be signed.
#[tokio::test]
async fn an_update_that_keeps_a_policy_as_it_is_passes() {
    let ours = policy("kubectl-trust.io/v1alpha1", "ClusterTrustPolicy", &demanding("kubectl-trust.io/*/*"));
    let webhook = Webhook::signed_by(&ours);
    let mut kept = ours.clone();
    kept["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let passes = webhook.ask("/policies", update(&ours, &kept)).await;
    assert!(passes.allowed, "{passes:?}");
    let mut widened = ours.clone();
    widened["spec"]["failureAction"] = json!("Audit");
    let refused = webhook.ask("/policies", update(&ours, &widened)).await;
    assert!(refused.message.contains("signature not found"), "{refused:?}");
}

/// Attack: beside another engine, an edit that nobody signed makes a signed policy unreadable for us.
#[tokio::test]
async fn a_policy_that_cannot_be_read_must_be_signed_as_well() {
    let theirs = |name: &str| {
        let mut rule = demanding("Deployment");
        rule["validate"][name] = json!("Enforce");
        policy("kyverno.io/v1", "ClusterPolicy", &rule)
    };
    let rules = policy("kubectl-trust.io/v1alpha1", "ClusterTrustPolicy", &demanding("kyverno.io/*/*"));
    let (signed, open) = (Webhook::signed_by(&rules), Webhook::without_memory());
    for webhook in [&signed, &open] {
        webhook.server.engine().engines.note(&ENGINES[0], true);
    }
    let edit = update(&theirs("failureAction"), &theirs("failureActoin"));
    let refused = signed.ask("/policies", edit.clone()).await;
    assert!(refused.message.contains("signature not found"), "{refused:?}");
    let passes = open.ask("/policies", edit).await;
    assert!(passes.allowed && passes.warnings[0].contains("does not read this policy"), "{passes:?}");
}
