use serde_json::json;

use super::*;
use crate::policy::{ManifestRule, Requirement};

fn images() -> Body {
    Body::Images(Box::new(ImagesRule { entries: vec![], extractors: std::collections::BTreeMap::default() }))
}

fn manifest() -> Body {
    Body::Manifest(Box::new(ManifestRule {
        requirement: Requirement::All(vec![]),
        annotation_domain: "cosign.sigstore.dev".to_owned(),
        ignore_fields: vec![],
        matching: crate::policy::Matching::Strict,
        allow_namespace: crate::policy::NamespaceAllowance::None,
        allow_finalizers: vec![],
        dry_run: None,
        repository: None,
    }))
}

fn asked<'a>(stored: &'a Value, object: &'a Value) -> ReviewFacts<'a> {
    ReviewFacts { old_object: Some(stored), operation: Operation::Update, ..ReviewFacts::of(object) }
}

fn starts_nothing(body: &Body, stored: &Value, object: &Value) -> Option<StartsNothing> {
    Update::of(&asked(stored, object)).and_then(|update| update.starts_nothing(body))
}

/// The stored object with another value at a JSON pointer; `null` removes it.
fn with(stored: &Value, pointer: &str, value: Value) -> Value {
    let mut object = stored.clone();
    let (above, key) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(above).unwrap_or_else(|| panic!("{pointer}"));
    match (parent, value) {
        (Value::Object(map), Value::Null) => drop(map.remove(key)),
        (Value::Object(map), value) => drop(map.insert(key.replace("~1", "/"), value)),
        (Value::Array(list), value) => list[key.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{pointer}: {other}"),
    }
    object
}

fn passes(body: &Body, stored: &Value, pointer: &str, value: Value) -> bool {
    starts_nothing(body, stored, &with(stored, pointer, value)).is_some()
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": {"app": "web"},
            "finalizers": ["batch.kubernetes.io/job-tracking"]},
        "spec": {"initContainers": [{"name": "init", "image": "r.example/init:1"}],
            "containers": [{"name": "web", "image": "r.example/web:1", "resources": {}}],
            "volumes": [{"name": "files", "image": {"reference": "r.example/files:1"}}],
            "schedulingGates": [{"name": "quota"}]},
        "status": {"phase": "Running"}})
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "r.example/web:1"}]}})
}

fn controller(api_version: &str, kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": {"app": "web"}}, "spec": spec})
}

fn deployment() -> Value {
    let spec = json!({"replicas": 3, "paused": false, "minReadySeconds": 0, "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600, "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"type": "RollingUpdate"}, "template": template()});
    controller("apps/v1", "Deployment", &spec)
}

/// Attack: an image that was not judged comes with an update: in any list, under any name.
#[test]
fn a_pod_is_judged_when_an_image_comes_or_changes() {
    let (images, stored) = (images(), pod());
    let ephemeral = json!([{"name": "debug", "image": "r.example/debug:1"}]);
    for (pointer, value) in [
        ("/spec/containers/0/image", json!("r.example/web:2")),
        ("/spec/initContainers/0/image", json!("r.example/web:1")),
        ("/spec/volumes/0/image", json!({"reference": "r.example/files:2"})),
        ("/spec/ephemeralContainers", ephemeral),
        ("/spec/containers/0/name", json!("other")),
        ("/spec/containers/0/image", json!(1)),
        ("/spec/containers", json!("none")),
        ("/spec/schedulingGates", json!([])),
    ] {
        assert!(!passes(&images, &stored, pointer, value.clone()), "{pointer} {value}");
    }
    for (pointer, value) in [
        ("/metadata/finalizers", json!([])),
        ("/metadata/labels", json!({"app": "web", "version": "2"})),
        ("/metadata/annotations", json!({"a": "b"})),
        ("/metadata/ownerReferences", json!([{"kind": "ReplicaSet", "name": "web"}])),
        ("/spec/containers/0/resources", json!({"requests": {"cpu": "2"}})),
        ("/spec/activeDeadlineSeconds", json!(5)),
        ("/spec/initContainers", json!([])),
        ("/status/phase", json!("Succeeded")),
    ] {
        let passes = starts_nothing(&images, &stored, &with(&stored, pointer, value));
        assert_eq!(passes, Some(StartsNothing::SameImages), "{pointer}");
    }
}

/// Every field of a Deployment, changed alone: what is not known to start nothing is judged.
#[test]
fn a_controller_is_judged_when_it_may_start_pods() {
    let (images, stored) = (images(), deployment());
    for (pointer, value, expected) in [
        ("/spec/replicas", json!(2), true),
        ("/spec/replicas", json!(0), true),
        ("/spec/replicas", json!(4), false),
        ("/spec/replicas", json!("2"), false),
        ("/spec/replicas", Value::Null, true),
        ("/spec/paused", json!(true), true),
        ("/spec/minReadySeconds", json!(30), true),
        ("/spec/revisionHistoryLimit", json!(1), true),
        ("/spec/progressDeadlineSeconds", json!(60), true),
        ("/spec/strategy", json!({"type": "Recreate"}), false),
        ("/spec/selector/matchLabels", json!({"app": "other"}), false),
        ("/spec/template/metadata/annotations", json!({"kubectl.kubernetes.io/restartedAt": "now"}), false),
        ("/spec/template/metadata/labels/app", json!("other"), false),
        ("/spec/template/spec/containers/0/image", json!("r.example/web:2"), false),
        ("/spec/template/spec/containers/0/command", json!(["sh"]), false),
        ("/spec/unheardOf", json!(1), false),
        ("/unheardOf", json!(1), false),
        ("/metadata/labels/app", json!("other"), true),
        ("/metadata/annotations", json!({"deployment.kubernetes.io/revision": "2"}), true),
        ("/metadata/ownerReferences", json!([]), true),
        ("/metadata/finalizers", json!(["foregroundDeletion"]), true),
        ("/metadata/uid", json!("v"), false),
        ("/metadata/unheardOf", json!(1), false),
        ("/status", json!({"replicas": 3}), true),
    ] {
        assert_eq!(passes(&images, &stored, pointer, value.clone()), expected, "{pointer} {value}");
    }
    let paused = with(&stored, "/spec/paused", json!(true));
    assert!(!passes(&images, &paused, "/spec/paused", json!(false)), "resumed");
    assert!(!passes(&images, &paused, "/spec/paused", Value::Null), "resumed by leaving it out");
    let one = with(&stored, "/spec/replicas", Value::Null);
    assert!(!passes(&images, &one, "/spec/replicas", json!(2)), "absent is one");
    let zero = with(&stored, "/spec/replicas", json!(0));
    assert!(!passes(&images, &zero, "/spec/replicas", Value::Null), "absent is one");
}

#[test]
fn jobs_and_schedules_may_be_held_up_and_not_let_go() {
    let images = images();
    let job = controller(
        "batch/v1",
        "Job",
        &json!({"parallelism": 2, "completions": 4, "suspend": false, "backoffLimit": 6, "template": template()}),
    );
    let cron = controller(
        "batch/v1",
        "CronJob",
        &json!({"schedule": "0 0 * * *", "suspend": true, "jobTemplate": {"spec": {"template": template(),
            "parallelism": 1}}, "failedJobsHistoryLimit": 1}),
    );
    for (stored, pointer, value, expected) in [
        (&job, "/spec/suspend", json!(true), true),
        (&job, "/spec/parallelism", json!(1), true),
        (&job, "/spec/parallelism", json!(3), false),
        (&job, "/spec/completions", json!(2), true),
        (&job, "/spec/completions", json!(5), false),
        (&job, "/spec/completions", Value::Null, false),
        (&job, "/spec/backoffLimit", json!(60), false),
        (&job, "/spec/ttlSecondsAfterFinished", json!(5), true),
        (&job, "/spec/template/spec/containers/0/image", json!("r.example/web:2"), false),
        (&cron, "/spec/suspend", json!(false), false),
        (&cron, "/spec/suspend", Value::Null, false),
        (&cron, "/spec/schedule", json!("* * * * *"), false),
        (&cron, "/spec/failedJobsHistoryLimit", json!(5), true),
        (&cron, "/spec/jobTemplate/spec/parallelism", json!(0), false),
        (&cron, "/metadata/labels", Value::Null, true),
    ] {
        assert_eq!(passes(&images, stored, pointer, value.clone()), expected, "{pointer} {value}");
    }
}

#[test]
fn rollouts_that_wait_are_not_let_go() {
    let images = images();
    let set = controller(
        "apps/v1",
        "StatefulSet",
        &json!({"replicas": 2, "template": template(), "updateStrategy":
            {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, "ordinals": {"start": 0}}),
    );
    let daemon = controller(
        "apps/v1",
        "DaemonSet",
        &json!({"template": template(), "updateStrategy": {"type": "OnDelete"}}),
    );
    for (stored, pointer, value, expected) in [
        (&set, "/spec/updateStrategy/rollingUpdate/partition", json!(0), false),
        (&set, "/spec/ordinals/start", json!(5), false),
        (&set, "/spec/replicas", json!(1), true),
        (&daemon, "/spec/updateStrategy", json!({"type": "RollingUpdate"}), false),
        (&daemon, "/spec/minReadySeconds", json!(5), true),
    ] {
        assert_eq!(passes(&images, stored, pointer, value.clone()), expected, "{pointer} {value}");
    }
}

/// Whatever holds a Pod has its own row here, so that nothing about it is guessed.
#[test]
fn every_kind_that_holds_a_pod_is_known() {
    for (groups, kind) in image::pod_kinds() {
        let group = groups.first().unwrap();
        let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        let kind = ObjectRef { api_version: version, kind: kind.to_owned(), ..ObjectRef::default() };
        assert!(workload::is_pod(&kind) || workload::is_known(&kind), "{kind:?}");
    }
}

#[test]
fn custom_kinds_may_be_reduced_and_nothing_else() {
    let images = images();
    let rollout =
        controller("argoproj.io/v1alpha1", "Rollout", &json!({"replicas": 3, "template": template()}));
    for (pointer, value, expected) in [
        ("/spec/replicas", json!(1), true),
        ("/spec/replicas", json!(4), false),
        ("/spec/replicas", Value::Null, false),
        ("/spec/paused", json!(true), true),
        ("/spec/restartAt", json!("now"), false),
        ("/metadata/labels/a", json!("b"), true),
        ("/status", json!({"phase": "Healthy"}), true),
    ] {
        assert_eq!(passes(&images, &rollout, pointer, value.clone()), expected, "{pointer} {value}");
    }
}

/// Attack: something else in the place of the stored object, or no stored object at all.
#[test]
fn only_an_update_of_the_same_object_starts_nothing() {
    let (images, stored) = (images(), deployment());
    for (pointer, value) in [
        ("/metadata/name", json!("other")),
        ("/metadata/namespace", json!("other")),
        ("/kind", json!("ReplicaSet")),
        ("/apiVersion", json!("apps/v1beta1")),
    ] {
        assert!(!passes(&images, &stored, pointer, value), "{pointer}");
    }
    assert!(starts_nothing(&images, &stored, &stored).is_some());
    let created = ReviewFacts { operation: Operation::Create, ..asked(&stored, &stored) };
    let alone = ReviewFacts { old_object: None, ..asked(&stored, &stored) };
    assert!(Update::of(&created).is_none() && Update::of(&alone).is_none());
    let none = json!({});
    assert!(Update::of(&asked(&none, &none)).is_none());
}

#[test]
fn a_manifest_is_judged_when_its_content_changes() {
    let manifest = manifest();
    let stored = deployment();
    for (pointer, value, expected) in [
        ("/spec/replicas", json!(1), true),
        ("/spec/replicas", json!(5), false),
        ("/spec/paused", json!(true), true),
        ("/spec/minReadySeconds", json!(30), false),
        ("/spec/template/spec/containers/0/image", json!("r.example/web:2"), false),
        ("/metadata/labels/app", json!("other"), false),
        ("/metadata/annotations", json!({"a": "b"}), false),
        ("/metadata/annotations", json!({"cosign.sigstore.dev/message": "H4sI"}), false),
        ("/metadata/annotations", json!({"deployment.kubernetes.io/revision": "2"}), false),
        ("/metadata/finalizers", json!(["a/b"]), true),
        ("/metadata/ownerReferences", json!([{"kind": "App", "name": "a", "uid": "u"}]), true),
        ("/metadata/managedFields", json!([{"manager": "a"}]), true),
        ("/status", json!({"replicas": 3}), true),
    ] {
        assert_eq!(passes(&manifest, &stored, pointer, value.clone()), expected, "{pointer} {value}");
    }
    // Attack: the signature of what runs is taken off it, or put in the place of another.
    let signed = with(&stored, "/metadata/annotations", json!({"cosign.sigstore.dev/signature": "MEUC"}));
    assert!(!passes(&manifest, &signed, "/metadata/annotations", Value::Null));
    assert!(!passes(
        &manifest,
        &signed,
        "/metadata/annotations",
        json!({"cosign.sigstore.dev/signature": "MEQC"})
    ));
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "b"}});
    assert!(!passes(&manifest, &config, "/data/a", json!("c")));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "a", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    assert!(!passes(&manifest, &namespace, "/metadata/labels", json!({})));
}

/// What the table says that controllers write, they may: and nobody else.
#[test]
fn controllers_write_what_is_theirs() {
    let manifest = manifest();
    let annotated = |revision: &str| {
        with(&deployment(), "/metadata/annotations", json!({"deployment.kubernetes.io/revision": revision}))
    };
    let user = |name: &str| UserInfo { username: name.to_owned(), ..UserInfo::default() };
    let controller = user("system:serviceaccount:kube-system:deployment-controller");
    let as_user = |stored: &Value, object: &Value, user: &UserInfo| {
        let facts = ReviewFacts { user: Some(user), ..asked(stored, object) };
        Update::of(&facts).unwrap().starts_nothing(&manifest).is_some()
    };
    let (one, two) = (annotated("1"), annotated("2"));
    for (stored, object) in [(&one, &two), (&deployment(), &one)] {
        assert!(as_user(stored, object, &controller));
        assert!(!as_user(stored, object, &user("dev")), "{stored} {object}");
    }
    let changed = with(&two, "/spec/template/spec/containers/0/image", json!("r.example/web:2"));
    assert!(!as_user(&one, &changed, &controller));
    assert!(!as_user(&one, &with(&one, "/metadata/labels/app", json!("b")), &controller));
    // An aggregated role is the controller's to fill in.
    let role = |rules: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}, "rules": rules})
    };
    let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    assert!(!as_user(&role(Value::Null), &role(all.clone()), &user("dev")));
    assert!(as_user(
        &role(Value::Null),
        &role(all),
        &user("system:serviceaccount:kube-system:clusterrole-aggregation-controller")
    ));
}
