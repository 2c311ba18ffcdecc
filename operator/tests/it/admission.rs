//! What is let in, and what is not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::shelf::Behaviour;
use crate::webhook::{ENTRY, Webhook, audited, create, pod, request, signed, update};

const APP: &str = "ghcr.example/acme/app:1";

fn webhook() -> Webhook {
    Webhook::with(|shelf| vec![signed(shelf, |_| ())])
}

/// The pod as the API server has it after a patch.
fn patched(mut pod: Value, patch: &[Value]) -> Value {
    for step in patch {
        assert_eq!(step["op"], "replace");
        *pod.pointer_mut(step["path"].as_str().unwrap()).unwrap() = step["value"].clone();
    }
    pod
}

#[tokio::test]
async fn a_signed_image_is_pinned_and_let_in() {
    let webhook = webhook();
    let digest = webhook.shelf.push_signed(APP, "good");
    let before = pod(&[APP, "elsewhere.io/other:1"]);
    let mutated = webhook.mutate(&before).await;
    let value = format!("{APP}@{digest}");
    let step = json!({"op": "replace", "path": "/spec/containers/0/image", "value": value});
    assert_eq!((mutated.allowed, &mutated.patch), (true, &vec![step]));
    assert_eq!(mutated.audit, json!({"pinned": value}));
    let after = patched(before, &mutated.patch);
    assert_eq!(webhook.mutate(&after).await.patch, [Value::Null; 0], "once pinned it stays so");
    let validated = webhook.validate(&after).await;
    assert!(validated.allowed, "{}", validated.message);
    assert_eq!(validated.warnings, [""; 0]);
    let decisions = "signed/by-us=pass (image-verified)";
    assert_eq!(validated.audit, json!({"outcome": "pass", "decisions": decisions}));
}

#[tokio::test]
async fn a_refusal_says_what_would_pass() {
    let webhook = webhook();
    let digest = webhook.shelf.push(APP, "unsigned");
    let pod = pod(&[&format!("{APP}@{digest}")]);
    assert_eq!(webhook.mutate(&pod).await.patch, [Value::Null; 0]);
    let reply = webhook.validate(&pod).await;
    let key = format!("key {}", &webhook.shelf.key.public().fingerprint().to_string()[..19]);
    let short = &digest.to_string()[..19];
    let (hex, image) = (&digest.hex()[..12], format!("ghcr.example/acme/app:1@{digest}"));
    let expected = [
        "resource Pod/shop/web was blocked due to the following policies".to_owned(),
        String::new(),
        "signed:".to_owned(),
        format!("  by-us: 'image verification failed for {image}: signature not found'"),
    ];
    for (line, expected) in reply.message.lines().zip(&expected) {
        assert_eq!(line, expected);
    }
    let rest: Vec<_> = reply.message.lines().skip(4).collect();
    assert!(rest[0].starts_with("    looked for: ") && rest[0].contains(hex), "{rest:#?}");
    assert!(rest[1].starts_with("    would pass: ") && rest[1].contains("kubectl trust sign"), "{rest:#?}");
    assert_eq!(rest[2], format!("    explain:    kubectl trust explain image {image} -n shop"));
    assert_eq!(rest[3], "    request:    the-uid");
    assert_eq!(rest.len(), 4, "{rest:#?}");
    assert!(!reply.message.contains(&key) || reply.message.contains(short));
}

/// Attack A1: a tag that is signed when it is looked at and something else when it runs.
#[tokio::test]
async fn a1_a_tag_that_moves_does_not_move_the_verdict() {
    let webhook = webhook();
    let digest = webhook.shelf.push_signed(APP, "good");
    let before = pod(&[APP]);
    let mutated = webhook.mutate(&before).await;
    webhook.shelf.push(APP, "evil");
    let after = patched(before.clone(), &mutated.patch);
    assert!(webhook.validate(&after).await.allowed);
    assert!(after.to_string().contains(&digest.to_string()));
    // Whoever gets past the first webhook is judged by what the tag is now, and by having no digest.
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let reply = webhook.validate(&before).await;
    assert!(!reply.allowed);
    assert_eq!(webhook.mutate(&before).await.patch, [Value::Null; 0]);
}

/// Attack A1: what slipped past the webhook that pins is not let in by its tag, whatever that is now.
#[tokio::test]
async fn a1_what_is_stored_names_a_digest() {
    let webhook = webhook();
    webhook.shelf.push_signed(APP, "good");
    let reply = webhook.validate(&pod(&[APP])).await;
    assert!(reply.message.contains(&format!("missing digest for {APP}")), "{}", reply.message);
    assert!(reply.message.contains(&format!("would pass: image: {APP}@sha256:")), "{}", reply.message);
    // The same where nothing but a digest is asked for.
    let digest_only = |policy: &mut Value| {
        let entry = policy.pointer_mut(ENTRY).unwrap().as_object_mut().unwrap();
        entry.remove("attestors");
        entry.insert("required".to_owned(), json!(false));
    };
    webhook.load(&[signed(&webhook.shelf, digest_only)]);
    assert!(webhook.validate(&pod(&[APP])).await.message.contains("missing digest"));
    assert_eq!(webhook.mutate(&pod(&[APP])).await.patch.len(), 1);
}

/// A Pod that runs without a digest, from before there was a policy: to pin it would start its containers anew, because
/// somebody changed a label. It is judged, and stays as it is.
#[tokio::test]
async fn a_running_pod_is_judged_and_not_started_anew() {
    let webhook = webhook();
    let digest = webhook.shelf.push_signed(APP, "good");
    let other = "ghcr.example/acme/other:1";
    webhook.shelf.push_signed(other, "other");
    let ask = async |path: &str, old: &Value, new: &Value| webhook.ask(path, update(old, new)).await;
    let (old, mut new) = (pod(&[APP]), pod(&[APP]));
    new["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(ask("/mutate/fail", &old, &new).await.patch, [Value::Null; 0]);
    assert!(ask("/validate/fail", &old, &new).await.allowed);
    // An image that is changed, or stands where it did not stand, is pinned.
    for changed in [pod(&[other]), pod(&[APP, APP])] {
        let last = changed["spec"]["containers"].as_array().unwrap().len() - 1;
        let patch = ask("/mutate/fail", &old, &changed).await.patch;
        assert_eq!(patch.len(), 1);
        assert_eq!(patch[0]["path"], format!("/spec/containers/{last}/image"));
        assert!(ask("/validate/fail", &old, &changed).await.message.contains("missing digest"));
    }
    // A Deployment is what Pods are made of: it is pinned at the next change.
    let deployment = |labels: &Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop",
            "labels": labels}, "spec": {"template": {"spec": {"containers": [{"name": "a", "image": APP}]}}}})
    };
    let (old, mut new) = (deployment(&json!({})), deployment(&json!({"a": "b"})));
    let patch = async |new: &Value| ask("/mutate/fail", &old, new).await.patch;
    // Not at one that starts nothing: it would be a rollout for a label.
    assert_eq!(patch(&new).await, [Value::Null; 0]);
    new["spec"]["template"]["metadata"] = json!({"annotations": {"a": "b"}});
    assert_eq!(patch(&new).await[0]["value"], format!("{APP}@{digest}"));
}

/// Attack A1, where nobody pins: a pod that was let in says nothing of the next one.
#[tokio::test]
async fn a1_an_earlier_verdict_is_not_remembered() {
    let unpinned = |policy: &mut Value| {
        let entry = policy.pointer_mut(ENTRY).unwrap();
        entry["mutateDigest"] = json!(false);
        entry["verifyDigest"] = json!(false);
    };
    let webhook = Webhook::empty(Duration::ZERO);
    webhook.load(&[signed(&webhook.shelf, unpinned)]);
    webhook.shelf.push_signed(APP, "good");
    assert!(webhook.validate(&pod(&[APP])).await.allowed);
    webhook.shelf.push(APP, "evil");
    assert!(!webhook.validate(&pod(&[APP])).await.allowed);
}

/// Attacks A10 and A9: only the image of a running pod is changed; a debug container is added.
#[tokio::test]
async fn a10_a9_a_change_is_judged_like_a_new_object() {
    let webhook = webhook();
    let good = format!("{APP}@{}", webhook.shelf.push_signed(APP, "good"));
    let evil = format!("{APP}@{}", webhook.shelf.push(APP, "evil"));
    let (running, changed) = (pod(&[&good]), pod(&[&evil]));
    let ask = async |request: Value| webhook.ask("/validate/fail", request).await;
    assert!(ask(update(&running, &running)).await.allowed);
    assert!(!ask(update(&running, &changed)).await.allowed);
    let mut debugged = running.clone();
    debugged["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": evil}]);
    let mut review = update(&running, &debugged);
    review["subResource"] = json!("ephemeralcontainers");
    assert!(!ask(review).await.allowed);
}

/// Attack A11: objects that are on their way out, dry runs, objects without a name yet.
#[tokio::test]
async fn a11_unusual_requests_are_judged_as_all_others() {
    let webhook = webhook();
    let evil = format!("{APP}@{}", webhook.shelf.push(APP, "evil"));
    let pod = pod(&[&evil]);
    let ask = async |request: Value| webhook.ask("/validate/fail", request).await;
    let mut dry = create(&pod);
    dry["dryRun"] = json!(true);
    assert_eq!(ask(dry).await.message, ask(create(&pod)).await.message);
    let mut going = pod.clone();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    going["metadata"]["finalizers"] = json!(["example.com/a"]);
    assert!(!ask(create(&going)).await.allowed);
    let mut changed = going.clone();
    changed["spec"]["containers"][0]["image"] = json!("ghcr.example/acme/other:1");
    assert!(!ask(update(&going, &changed)).await.allowed);
    let mut freed = going.clone();
    freed["metadata"]["finalizers"] = json!([]);
    let reply = ask(update(&going, &freed)).await;
    assert!(reply.allowed);
    assert!(reply.audit["exempt"].as_str().unwrap().contains("being deleted"));
    assert!(ask(request("DELETE", &Value::Null, &pod)).await.allowed);
    let mut nameless = pod.clone();
    nameless["metadata"] = json!({"generateName": "web-", "namespace": "shop"});
    assert!(ask(create(&nameless)).await.message.starts_with("resource Pod/shop/web- was blocked"));
}

/// Attack A12: a thousand times the same image is one verification, and the one bad image is found.
#[tokio::test]
async fn a12_one_good_and_one_bad_image() {
    let webhook = webhook();
    let good = format!("{APP}@{}", webhook.shelf.push_signed(APP, "good"));
    let evil = format!("ghcr.example/acme/evil:1@{}", webhook.shelf.push("ghcr.example/acme/evil:1", "evil"));
    let mut images = vec![good.as_str(); 999];
    assert!(webhook.validate(&pod(&images)).await.allowed);
    assert_eq!(webhook.server.engine().facts.checked(), 1);
    images.push(&evil);
    let reply = webhook.validate(&pod(&images)).await;
    assert!(!reply.allowed && reply.message.contains("acme/evil"), "{}", reply.message);
    // More images than any pod has: refused before anything is asked.
    let many: Vec<_> = (0..1_001).map(|n| format!("ghcr.example/acme/n{n}:1")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(!webhook.validate(&pod(&many)).await.allowed);
    assert!(!webhook.shelf.asked().keys().any(|asked| asked.contains("/n7 ")));
}

/// Attack A13: a policy that only warns does not hide one that refuses.
#[tokio::test]
async fn a13_a_warning_and_a_refusal_in_every_order() {
    let webhook = webhook();
    let evil = format!("{APP}@{}", webhook.shelf.push(APP, "evil"));
    let (warns, refuses) = (signed(&webhook.shelf, audited), signed(&webhook.shelf, |_| ()));
    for policies in [[warns.clone(), refuses.clone()], [refuses, warns.clone()]] {
        webhook.load(&policies);
        let reply = webhook.validate(&pod(&[&evil])).await;
        assert!(!reply.allowed);
        assert!(
            reply.message.contains("\nsigned:\n") && !reply.message.contains("audited"),
            "{}",
            reply.message
        );
        assert_eq!(reply.warnings.len(), 1);
        assert!(
            reply.warnings[0].starts_with("policy audited.by-us: image verification failed"),
            "{reply:?}"
        );
    }
    webhook.load(&[warns]);
    let reply = webhook.validate(&pod(&[&evil])).await;
    assert!(reply.allowed && reply.warnings.len() == 1, "{reply:?}");
    assert!(reply.warnings[0].chars().count() <= 256);
}

/// Attack A16: annotations that say that the image was verified.
#[tokio::test]
async fn a16_what_an_object_says_of_itself_proves_nothing() {
    let webhook = webhook();
    let evil = format!("{APP}@{}", webhook.shelf.push(APP, "evil"));
    let mut pod = pod(&[&evil]);
    let scoped = json!({"version": 1, "policies": {"/signed": {"by-us": {&evil: "pass"}}}}).to_string();
    let outcomes = json!({&evil: "pass"}).to_string();
    pod["metadata"]["annotations"] = json!({"kyverno.io/verify-images": outcomes,
        "kyverno.io/verify-images-scoped": scoped, "kubectl-trust.io/verified": "true"});
    assert!(!webhook.validate(&pod).await.allowed);
    assert!(!webhook.ask("/validate/fail", update(&pod, &pod)).await.allowed);
}

/// Attack A48: names that would write lines of their own into a refusal or a log.
#[tokio::test]
async fn a48_names_write_no_lines() {
    let webhook = webhook();
    let mut pod = pod(&["ghcr.example/acme/app:1\nsigned: ok"]);
    pod["metadata"]["name"] = json!("web\n\u{1b}[2Kallowed");
    let reply = webhook.validate(&pod).await;
    assert!(!reply.allowed);
    assert!(
        !reply.message.contains('\u{1b}') && !reply.message.contains("\nsigned: ok"),
        "{}",
        reply.message
    );
    assert!(!reply.message.contains("\nallowed"));
}

/// Five hundred pods of one image that nobody has seen: each fact is fetched once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_cold_pods_fetch_each_fact_once() {
    // Longer than this machine may take: what a tag points to is asked once as well.
    let webhook = Webhook::empty(Duration::from_secs(600));
    webhook.load(&[signed(&webhook.shelf, |_| ())]);
    webhook.shelf.push_signed(APP, "good");
    webhook.shelf.behaves(Behaviour::Slow("acme", Duration::from_millis(20)));
    let webhook = std::sync::Arc::new(webhook);
    let asking = (0..500).map(|_| {
        let webhook = std::sync::Arc::clone(&webhook);
        tokio::spawn(async move { webhook.mutate(&pod(&[APP])).await.patch.len() })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), 1);
    }
    let more: Vec<_> = webhook.shelf.asked().into_iter().filter(|(_, count)| *count > 1).collect();
    assert_eq!(more, []);
}
