//! Requests of other shapes: in other namespaces, about what goes away, without a name, as a dry run.

use e2e::process::Run;
use serde_json::{Value, json};

use super::fixtures::{Shop, pod, policy};

/// The policy of a namespace instead of the cluster's.
fn in_namespace(name: &str, shop: &Shop<'_>) -> String {
    policy(name, shop, "Pod", "{}")
        .replace("kind: ClusterPolicy", "kind: Policy")
        .replace("  webhookConfiguration: {}\n", "")
        .replace(&format!("  name: {name}\n"), &format!("  name: {name}\n  namespace: {}\n", shop.namespace))
}

/// Attack: whoever may write policies in a namespace of his own decides about those of others.
#[test]
fn a_policy_of_a_namespace_is_about_no_other() {
    let (Some(fenced), Some(next_door)) = (Shop::open("fenced"), Shop::open("next-door")) else { return };
    let evil = pod(&fenced.push("evil").by_tag());
    let policy = in_namespace("fence", &fenced);
    let unwidened = policy.replace("          namespaces: [fenced]\n", "");
    fenced.enforce(&unwidened, &evil);
    // It is asked about, since the webhook is the same, and let in.
    next_door.must(&evil);
    let refused = fenced.refused(&evil);
    assert!(refused.contains("fenced/fence:"), "{refused}");
    for (from, to) in
        [("namespaces: [fenced]", "namespaces: [next-door]"), ("namespaces: [fenced]", "namespaces: ['*']")]
    {
        let wide = policy.replace(from, to);
        let run = fenced.guarded.apply(&wide, &[]).unwrap();
        assert!(run.code != 0 && run.stderr.contains("resources.namespaces"), "{run:?}");
    }
    next_door.must(&evil);
    fenced.refused(&evil);
}

/// Attack A11: an object is deleted first, kept by a finalizer, and changed then. What its owner needs to be rid of it
/// passes; the same of an object that stays does not.
#[test]
fn a11_what_is_being_deleted_loses_its_finalizers_and_changes_in_nothing_else() {
    let Some(shop) = Shop::open("going") else { return };
    let evil = shop.push("evil");
    let kept = |name: &str| {
        let metadata = format!("name: {name}\n  finalizers: [example.com/one, example.com/two]");
        pod(&evil.by_tag()).replacen("name: web", &metadata, 1)
    };
    for name in ["going", "staying"] {
        shop.must(&kept(name));
    }
    shop.enforce(&policy("going", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    let on = |arguments: &[&str]| {
        shop.guarded.api.kubectl(["-n", "going"].iter().chain(arguments).copied()).unwrap()
    };
    on(&["delete", "pod", "going", "--wait=false"]).success().unwrap();
    let patch = |name: &str, steps: &[&Value]| {
        on(&["patch", "pod", name, "--type=json", "-p", &json!(steps).to_string()])
    };
    let other = format!("{}-other", evil.by_tag());
    let image = &json!({"op": "replace", "path": "/spec/containers/0/image", "value": other});
    let label = &json!({"op": "add", "path": "/metadata/labels", "value": {"app": "shop"}});
    let fewer = &json!({"op": "remove", "path": "/metadata/finalizers/0"});
    let refused = |run: &Run| {
        assert!(run.code != 0 && run.stderr.contains("denied the request"), "{run:?}");
    };
    for change in [[image].as_slice(), &[fewer, image], &[label, image]] {
        refused(&patch("going", change));
    }
    // It says of itself that it is being deleted.
    let posing =
        kept("posing").replace("finalizers:", "deletionTimestamp: '2026-01-01T00:00:00Z'\n  finalizers:");
    refused(&shop.apply(&posing));
    refused(&patch("staying", &[fewer, image]));
    // What starts nothing passes, whether it is being deleted or not.
    patch("staying", &[fewer, label]).success().unwrap();
    patch("going", &[label]).success().unwrap();
    for _ in ["one", "two"] {
        patch("going", &[fewer]).success().unwrap();
    }
    on(&["wait", "--for=delete", "pod/going", "--timeout=60s"]).success().unwrap();
}

/// A Pod that gets its name from the API server is judged all the same, and told apart from others by what its name
/// begins with.
#[test]
fn a_pod_without_a_name_is_refused_by_what_its_name_begins_with() {
    let Some(shop) = Shop::open("nameless") else { return };
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    shop.enforce(&policy("nameless", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    let create = |image: &str| {
        let text = pod(image).replacen("name: web", "generateName: batch-", 1);
        shop.guarded.api.kubectl_with(["create", "-n", "nameless", "-f", "-"], text.as_bytes()).unwrap()
    };
    let refused = create(&evil.by_tag());
    let named = "denied the request: resource Pod/nameless/batch-";
    assert!(refused.code != 0 && refused.stderr.contains(named), "{refused:?}");
    assert!(refused.stderr.contains("signature not found"), "{refused:?}");
    let created = create(&good.by_tag()).success().unwrap();
    assert!(created.starts_with("pod/batch-") && created.trim_end().ends_with("created"), "{created}");
    let names = shop.guarded.field(&["pods", "-n", "nameless"], "{.items[*].metadata.name}").unwrap();
    assert_eq!(names.split_whitespace().count(), 1, "{names}");
}

/// A refusal without the name of the request, which is new every time.
fn without_request(said: &str) -> String {
    said.lines()
        .filter(|line| !line.contains("request:    "))
        .fold(String::new(), |all, line| all + line + "\n")
}

/// Who tries first learns what would happen, and nothing does: of Pods, and of policies.
#[test]
fn a_dry_run_says_what_would_be_and_leaves_no_trace() {
    let Some(shop) = Shop::open("dry") else { return };
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    let [good, evil] = [pod(&good.by_tag()), pod(&evil.by_tag())];
    let policy = policy("dry", &shop, "Pod", "{}");
    let get = |what: &[&str]| {
        let all = ["get", "--ignore-not-found", "-o", "name"].iter().chain(what).copied();
        shop.guarded.api.kubectl(all).unwrap().success().unwrap()
    };
    let dry = |text: &str, more: &[&str]| {
        let all = [&["-n", shop.namespace, "--dry-run=server"], more].concat();
        shop.guarded.apply(text, &all).unwrap()
    };
    // A policy: it comes into force when it is written, and not before.
    dry(&policy, &[]).success().unwrap();
    assert_eq!(get(&["clusterpolicy", "dry"]), "");
    let broken = policy.replace("imageReferences", "imageReferencse");
    let [tried, written] = [dry(&broken, &[]), shop.apply(&broken)].map(|run| (run.code, run.stderr));
    assert!(tried.0 != 0 && tried.1.contains("did you mean `imageReferences`?"), "{tried:?}");
    assert_eq!(tried, written);
    dry(&evil, &[]).success().unwrap();

    shop.enforce(&policy, &evil);
    let ready = ["wait", "--for=condition=Ready", "--timeout=60s", "clusterpolicy/dry"];
    shop.guarded.api.kubectl(ready).unwrap().success().unwrap();
    let version = || shop.guarded.field(&["clusterpolicy", "dry"], "{.metadata.resourceVersion}").unwrap();
    let before = version();
    let tried = dry(&good, &["-o", "jsonpath={.spec.containers[0].image}"]).success().unwrap();
    let refused = dry(&evil, &[]);
    assert_eq!(get(&["pods,events", "-n", "dry"]), "");
    assert_eq!(version(), before);
    let written = shop.apply(&evil);
    assert_eq!(
        (refused.code, without_request(&refused.stderr)),
        (written.code, without_request(&written.stderr))
    );
    assert!(written.stderr.contains("signature not found"), "{written:?}");
    shop.must(&good);
    let stored = shop.guarded.field(&["pod", "web", "-n", "dry"], "{.spec.containers[0].image}").unwrap();
    assert_eq!(tried, stored);
    assert!(stored.contains("@sha256:"), "{stored}");
}
