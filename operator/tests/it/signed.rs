//! Policies that must be signed themselves.

use serde_json::{Value, json};

use crate::webhook::{Webhook, create};

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
