//! The question of the `ImagePolicyWebhook` plugin.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::webhook::{ENTRY, Webhook, signed};

const APP: &str = "ghcr.example/acme/app:1";

async fn ask(webhook: &Webhook, images: &[&str]) -> Value {
    let containers: Vec<_> = images.iter().map(|image| json!({"image": image})).collect();
    let review = json!({"apiVersion": "imagepolicy.k8s.io/v1alpha1", "kind": "ImageReview",
        "spec": {"containers": containers, "namespace": "shop",
            "annotations": {"break-glass.image-policy.k8s.io/ticket": "1"}}});
    let body = Body::from(review.to_string());
    let (status, body) = webhook.post("/image-policy?timeout=10s", "application/json", body).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&answer["apiVersion"], &answer["kind"]), (&review["apiVersion"], &review["kind"]));
    answer["status"].clone()
}

fn unpinned(policy: &mut Value) {
    let entry = policy.pointer_mut(ENTRY).unwrap();
    entry["mutateDigest"] = json!(false);
    entry["verifyDigest"] = json!(false);
}

#[tokio::test]
async fn images_are_judged_by_the_same_policies() {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, unpinned)]);
    webhook.shelf.push_signed(APP, "good");
    webhook.shelf.push("ghcr.example/acme/evil:1", "evil");
    assert_eq!(ask(&webhook, &[APP]).await["allowed"], true);
    let refused = ask(&webhook, &[APP, "ghcr.example/acme/evil:1"]).await;
    assert_eq!(refused["allowed"], false);
    assert!(refused["reason"].as_str().unwrap().contains("acme/evil:1: signature not found"), "{refused}");
    assert!(!refused["reason"].as_str().unwrap().contains("request:"), "it has no name");
    assert_eq!(refused["auditAnnotations"]["decisions"], "signed/by-us=fail (signature-missing)");
}

/// Policies of the other failure policy count as well: this plugin has one path.
#[tokio::test]
async fn policies_of_both_failure_policies_count() {
    let lenient = |policy: &mut Value| {
        unpinned(policy);
        policy["spec"]["webhookConfiguration"] = json!({"failurePolicy": "Ignore"});
    };
    let webhook = Webhook::with(|shelf| vec![signed(shelf, lenient)]);
    webhook.shelf.push(APP, "evil");
    assert_eq!(ask(&webhook, &[APP]).await["allowed"], false);
}

/// What the policies of one failure policy said is not written over by what those of the other did.
#[tokio::test]
async fn the_audit_log_keeps_what_every_group_of_policies_said() {
    let lenient = |policy: &mut Value| {
        unpinned(policy);
        policy["metadata"]["name"] = json!("lenient");
        policy["spec"]["webhookConfiguration"] = json!({"failurePolicy": "Ignore"});
    };
    let webhook = Webhook::with(|shelf| vec![signed(shelf, unpinned), signed(shelf, lenient)]);
    webhook.shelf.push_signed(APP, "good");
    webhook.shelf.push("ghcr.example/acme/evil:1", "evil");
    for (images, outcome, code) in [
        (&[APP][..], "pass", "pass (image-verified)"),
        (&["ghcr.example/acme/evil:1"], "fail", "fail (signature-missing)"),
    ] {
        let answer = ask(&webhook, images).await;
        assert_eq!(answer["auditAnnotations"]["outcome"], outcome);
        let said = answer["auditAnnotations"]["decisions"].as_str().unwrap();
        for policy in ["signed", "lenient"] {
            assert!(said.contains(&format!("{policy}/by-us={code}")), "{said}");
        }
    }
}

/// The plugin does not say who asks: a rule about users is about everybody then, and leaves nobody out.
#[tokio::test]
async fn a_rule_about_users_is_about_everybody() {
    let somebody = json!([{"kind": "User", "name": "somebody"}]);
    let about = |policy: &mut Value| {
        unpinned(policy);
        policy["spec"]["background"] = json!(false);
        policy["spec"]["rules"][0]["match"]["any"][0]["subjects"] = somebody.clone();
    };
    let without = |policy: &mut Value| {
        unpinned(policy);
        policy["spec"]["background"] = json!(false);
        policy["spec"]["rules"][0]["exclude"] =
            json!({"any": [{"subjects": [{"kind": "User", "name": "*"}]}]});
    };
    let webhook = Webhook::with(|shelf| vec![signed(shelf, about)]);
    webhook.shelf.push(APP, "evil");
    assert_eq!(ask(&webhook, &[APP]).await["allowed"], false);
    webhook.load(&[signed(&webhook.shelf, without)]);
    assert_eq!(ask(&webhook, &[APP]).await["allowed"], false);
}

#[tokio::test]
async fn what_is_no_review_of_images_is_refused() {
    let webhook = Webhook::with(|shelf| vec![signed(shelf, unpinned)]);
    for body in ["", "{}", r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#] {
        let (status, _) = webhook.post("/image-policy", "application/json", body.into()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    let unloaded = Webhook::empty(std::time::Duration::ZERO);
    assert_eq!(ask(&unloaded, &[APP]).await["allowed"], false);
}
