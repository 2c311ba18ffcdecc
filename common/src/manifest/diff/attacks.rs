//! The attacks on the matching layer, by the names of the specification (`manifest-signing.md` 6.2). In
//! each the signature stays valid and only the object is changed.

use serde_json::{Value, json};

use super::tests::{expectations, live, paths, with_rules};
use super::*;
use crate::manifest::ignore::{IgnorePath, parse_flag};

#[track_caller]
pub(super) fn refused(signed: &Value, found: &Value, expected: &[&str]) {
    assert!(live(signed, signed).is_match(), "the signed object matches itself");
    assert_eq!(paths(&live(signed, found)), expected);
}

pub(super) fn object(api_version: &str, kind: &str, rest: &Value) -> Value {
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "n"}});
    for (key, value) in rest.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

fn pod(spec: Value) -> Value {
    object("v1", "Pod", &json!({"spec": spec}))
}

/// Deny-all becomes allow-all where `null`, `{}` and `[]` are invisible.
#[test]
fn m1_empty_values_are_seen() {
    let policy = |spec: Value| object("networking.k8s.io/v1", "NetworkPolicy", &json!({"spec": spec}));
    let deny = policy(json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}));
    refused(
        &deny,
        &policy(json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]})),
        &["spec.ingress[0]"],
    );
    let peers = |peer: Value| policy(json!({"podSelector": {}, "ingress": [{"from": [peer]}]}));
    let narrow = json!({"podSelector": {"matchLabels": {"a": "b"}}});
    let wide = json!({"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {}});
    refused(&peers(narrow.clone()), &peers(wide.clone()), &["spec.ingress[0].from[0].namespaceSelector"]);
    refused(&peers(wide), &peers(narrow), &["spec.ingress[0].from[0].namespaceSelector"]);
    let istio = |spec: Value| object("security.istio.io/v1", "AuthorizationPolicy", &json!({"spec": spec}));
    refused(&istio(json!({})), &istio(json!({"rules": [{}]})), &["spec.rules"]);
    refused(&istio(json!({"rules": []})), &istio(json!({})), &["spec.rules"]);
}

/// A value that moves between list elements cancels out.
#[test]
fn m2_moved_values_are_seen() {
    let role = |rules: Value| object("rbac.authorization.k8s.io/v1", "Role", &json!({"rules": rules}));
    refused(
        &role(json!([{"resources": ["secrets"], "resourceNames": ["x"]}, {"resources": ["pods"]}])),
        &role(json!([{"resources": ["secrets"]}, {"resources": ["pods"], "resourceNames": ["x"]}])),
        &["rules[0].resourceNames", "rules[1].resourceNames"],
    );
    let containers = |a: Value, b: Value| pod(json!({"containers": [a, b]}));
    let safe = json!({"name": "a", "securityContext": {"runAsNonRoot": true}});
    refused(
        &containers(safe.clone(), json!({"name": "b"})),
        &containers(json!({"name": "a"}), json!({"name": "b", "securityContext": {"runAsNonRoot": true}})),
        &["spec.containers[0].securityContext", "spec.containers[1].securityContext"],
    );
    refused(
        &pod(json!({"containers": [{"name": "a", "args": ["--deny", "--allow"]}]})),
        &pod(json!({"containers": [{"name": "a", "args": ["--allow", "--deny"]}]})),
        &["spec.containers[0].args[0]", "spec.containers[0].args[1]"],
    );
}

/// `status` is ignored at the top level only.
#[test]
fn m3_status_elsewhere_is_content() {
    let config = |data: Value| object("v1", "ConfigMap", &json!({"data": data}));
    refused(&config(json!({"my-status": "a"})), &config(json!({"my-status": "b"})), &["data.my-status"]);
    refused(&config(json!({"status": "a"})), &config(json!({"status": "b"})), &["data.status"]);
    let schema = |kind: &str| {
        let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"status": {"type": kind}}}});
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            &json!({"spec": {"versions": [{"name": "v1", "schema": schema}]}}),
        )
    };
    let path = "spec.versions[0].schema.openAPIV3Schema.properties.status.type";
    refused(&schema("object"), &schema("string"), &[path]);
    let custom = |status: &str| object("example.com/v1", "Widget", &json!({"status": {"approved": status}}));
    refused(&custom("no"), &custom("yes"), &["status.approved"]);
}

/// `serviceAccountName` starts like `serviceAccount`.
#[test]
fn m4_another_service_account_is_refused() {
    refused(
        &pod(json!({"serviceAccountName": "a"})),
        &pod(json!({"serviceAccountName": "admin", "serviceAccount": "admin"})),
        &["spec.serviceAccount", "spec.serviceAccountName"],
    );
    refused(&pod(json!({})), &pod(json!({"serviceAccountName": "admin"})), &["spec.serviceAccountName"]);
    let rules = parse_flag("spec.serviceAccount", FieldPath::root()).unwrap();
    let (signed, found) = (pod(json!({"serviceAccountName": "a"})), pod(json!({"serviceAccountName": "b"})));
    assert_eq!(paths(&with_rules(&signed, &found, &[rules])), ["spec.serviceAccountName"]);
}

/// The token volume and two tolerations are effects; what only resembles them is not.
#[test]
fn m5_other_volumes_and_tolerations_are_refused() {
    let signed = pod(json!({"containers": [{"name": "c"}]}));
    let volume = |source: Value| json!([{"name": "kube-api-access-abcde", "projected": {"defaultMode": 420, "sources": source}}]);
    let secret = volume(json!([{"secret": {"name": "admin-token"}}]));
    let found = pod(json!({"containers": [{"name": "c"}], "volumes": secret}));
    assert!(
        paths(&live(&signed, &found))
            .iter()
            .all(|path| path.starts_with("spec.volumes[0].projected.sources"))
    );
    assert!(!live(&signed, &found).is_match());
    refused(
        &signed,
        &pod(json!({"containers": [{"name": "c"}], "tolerations": [{"operator": "Exists"}]})),
        &["spec.tolerations[0]"],
    );
    let forever = json!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
        "tolerationSeconds": 3_000_000}]);
    refused(
        &signed,
        &pod(json!({"containers": [{"name": "c"}], "tolerations": forever})),
        &["spec.tolerations[0].tolerationSeconds"],
    );
}

/// Hardening stripped from a Deployment.
#[test]
fn m6_stripped_hardening_is_refused() {
    let deployment =
        |spec: Value| object("apps/v1", "Deployment", &json!({"spec": {"template": {"spec": spec}}}));
    refused(
        &deployment(json!({"securityContext": {"runAsNonRoot": true},
            "containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]})),
        &deployment(json!({"securityContext": {}, "containers": [{"name": "c", "resources": {}}]})),
        &[
            "spec.template.spec.containers[0].resources.limits",
            "spec.template.spec.securityContext.runAsNonRoot",
        ],
    );
}

/// An internal Service opened to the outside, with the ports that come with it.
#[test]
fn m7_another_service_type_is_refused() {
    let service = |spec: Value| object("v1", "Service", &json!({"spec": spec}));
    refused(
        &service(json!({"ports": [{"port": 80}]})),
        &service(json!({"type": "LoadBalancer", "externalTrafficPolicy": "Cluster",
            "ports": [{"port": 80, "nodePort": 30000}]})),
        &["spec.externalTrafficPolicy", "spec.ports[0].nodePort", "spec.type"],
    );
    refused(
        &service(json!({"type": "ClusterIP"})),
        &service(json!({"type": "ExternalName", "externalName": "evil.com"})),
        &["spec.externalName", "spec.type"],
    );
}

/// A signed Kyverno policy switched to audit.
#[test]
fn m8_a_softened_policy_is_refused() {
    let policy = |action: &str| {
        object("kyverno.io/v1", "ClusterPolicy", &json!({"spec": {"validationFailureAction": action}}))
    };
    refused(&policy("Enforce"), &policy("Audit"), &["spec.validationFailureAction"]);
    let spec = json!({"spec": {"validationFailureAction": "Enforce", "failurePolicy": "Ignore"}});
    refused(&policy("Enforce"), &object("kyverno.io/v1", "ClusterPolicy", &spec), &["spec.failurePolicy"]);
}

/// The same object under another namespace or name.
#[test]
fn m9_to_m11_identity_is_bound() {
    let config = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    let (bare, inside) = (config(json!({"name": "a"})), config(json!({"name": "a", "namespace": "prod"})));
    refused(&bare, &inside, &["metadata.namespace"]);
    refused(&inside, &config(json!({"name": "a", "namespace": "other"})), &["metadata.namespace"]);
    refused(&inside, &bare, &["metadata.namespace"]);
    refused(&bare, &config(json!({"name": "b"})), &["metadata.name"]);
    let allow = |namespaces: &NamespaceAllowance, signed: &Value| {
        let how = Expectations { allow_namespace: namespaces, ..expectations() };
        compare(signed, &inside, &how)
    };
    let prod = NamespaceAllowance::Named(vec!["prod".into()]);
    for allowance in [NamespaceAllowance::Any, prod] {
        let comparison = allow(&allowance, &bare);
        assert_eq!(comparison.allowed[0].1, Allowance::Namespace("prod".into()));
        assert!(comparison.is_match());
    }
    assert!(!allow(&NamespaceAllowance::Named(vec!["pro".into()]), &bare).is_match());
    let moved = config(json!({"name": "a", "namespace": "test"}));
    assert!(!allow(&NamespaceAllowance::Any, &moved).is_match(), "a signed namespace is never another one");
    let mut other_version = bare.clone();
    other_version["apiVersion"] = json!("v2");
    refused(&bare, &other_version, &["apiVersion"]);
}

/// An empty text means something.
#[test]
fn m12_empty_text_is_seen() {
    let claim = |spec: Value| object("v1", "PersistentVolumeClaim", &json!({"spec": spec}));
    refused(&claim(json!({"storageClassName": ""})), &claim(json!({})), &["spec.storageClassName"]);
    let config = |data: Value| object("v1", "ConfigMap", &json!({"data": data}));
    refused(&config(json!({"a": "x"})), &config(json!({"a": "x", "b": ""})), &["data.b"]);
    refused(&config(json!({"a": "x", "b": ""})), &config(json!({"a": "x"})), &["data.b"]);
}

/// What looks like bookkeeping is content, unless it is named and in its place.
#[test]
fn m13_metadata_is_content() {
    let config = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    let bare = config(json!({"name": "a"}));
    refused(
        &bare,
        &config(json!({"name": "a", "finalizers": ["evil.com/block"]})),
        &["metadata.finalizers[0]"],
    );
    refused(
        &bare,
        &config(json!({"name": "a", "labels": {"app.kubernetes.io/instance": "x"}})),
        &[r#"metadata.labels."app.kubernetes.io/instance""#],
    );
    refused(
        &bare,
        &config(json!({"name": "a", "annotations": {"deployment.kubernetes.io/revision": "1"}})),
        &[r#"metadata.annotations."deployment.kubernetes.io/revision""#],
    );
    refused(
        &bare,
        &config(json!({"name": "a", "ownerReferences": [{"uid": "1"}]})),
        &["metadata.ownerReferences"],
    );
    let annotations = json!({"cosign.sigstore.dev/message": "x", "cosign.sigstore.dev/signature_1": "y"});
    assert!(live(&bare, &config(json!({"name": "a", "annotations": annotations}))).is_match());
    let template = |metadata: Value| {
        object("apps/v1", "Deployment", &json!({"spec": {"template": {"metadata": metadata, "spec": {}}}}))
    };
    refused(
        &template(json!({"labels": {"a": "b"}})),
        &template(json!({"labels": {"a": "b"}, "annotations": {"cosign.sigstore.dev/message": "x"}})),
        &["spec.template.metadata.annotations"],
    );
}

/// Finalizers by name, and only where they were added.
#[test]
fn m13_finalizers_are_allowed_by_name() {
    let config = |finalizers: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": finalizers}});
    let allowed = ["ok.com/a".to_owned()];
    let how = Expectations { allow_finalizers: &allowed, ..expectations() };
    let compare = |a: Value, b: Value| compare(&config(a), &config(b), &how);
    let added = compare(json!(["s"]), json!(["ok.com/a", "s"]));
    assert!(added.is_match());
    assert_eq!(added.allowed[0].1, Allowance::Finalizer("ok.com/a".into()));
    assert_eq!(paths(&compare(json!(["s"]), json!(["s", "evil"]))), ["metadata.finalizers[1]"]);
    assert_eq!(
        paths(&compare(json!(["s", "t"]), json!(["t", "s"]))),
        ["metadata.finalizers[0]", "metadata.finalizers[1]"]
    );
    assert!(!compare(json!(["s"]), json!([])).is_match());
    assert!(!compare(json!(["ok.com/a"]), json!(null)).is_match());
}

/// An object that holds more than was signed.
#[test]
fn m14_extra_fields_are_refused() {
    refused(&pod(json!({})), &pod(json!({"hostNetwork": true})), &["spec.hostNetwork"]);
    refused(&pod(json!({})), &pod(json!({"hostNetwork": false})), &["spec.hostNetwork"]);
    let secret = object("v1", "Secret", &json!({"stringData": {"a": "b"}}));
    let stored = object("v1", "Secret", &json!({"type": "Opaque", "data": {"a": "Yg==", "evil": "Yg=="}}));
    refused(&secret, &stored, &["data.evil"]);
}

/// Paths that collide when flattened, maps against lists, integers beyond floats.
#[test]
fn m15_nothing_collides() {
    let widget = |spec: Value| object("example.com/v1", "Widget", &json!({"spec": spec}));
    refused(&widget(json!({"a.b": 1})), &widget(json!({"a": {"b": 1}})), &["spec.a", r#"spec."a.b""#]);
    refused(&widget(json!({"l": ["x"]})), &widget(json!({"l": {"0": "x"}})), &["spec.l"]);
    refused(
        &widget(json!({"n": 9_007_199_254_740_993_i64})),
        &widget(json!({"n": 9_007_199_254_740_992_i64})),
        &["spec.n"],
    );
    refused(
        &widget(json!({"n": 9_007_199_254_740_993_i64})),
        &widget(json!({"n": 9_007_199_254_740_992.0})),
        &["spec.n"],
    );
    // Beyond 2^53 a float stands for many integers, beyond 2^63 for none.
    refused(&widget(json!({"n": 1_i64 << 53})), &widget(json!({"n": 9_007_199_254_740_992.0})), &["spec.n"]);
    refused(&widget(json!({"n": i64::MAX})), &widget(json!({"n": 9.3e18})), &["spec.n"]);
    refused(&widget(json!({"n": 1.5})), &widget(json!({"n": 1})), &["spec.n"]);
    refused(&widget(json!({"n": u64::MAX})), &widget(json!({"n": -1})), &["spec.n"]);
    refused(&widget(json!({"n": 1})), &widget(json!({"n": "1"})), &["spec.n"]);
    assert!(live(&widget(json!({"n": 1.0})), &widget(json!({"n": 1}))).is_match());
    refused(&pod(json!({"priority": 1.0})), &pod(json!({"priority": 1})), &["spec.priority"]);
}

/// Replay cannot be seen by comparing; an older manifest of the same name still differs from a
/// newer object. Binding to version and time is the signer's part.
#[test]
fn m16_an_older_manifest_does_not_match_a_newer_object() {
    let deployment = |image: &str| {
        object(
            "apps/v1",
            "Deployment",
            &json!({"spec": {"template": {"spec": {"containers": [{"image": image}]}}}}),
        )
    };
    refused(&deployment("app:1"), &deployment("app:2"), &["spec.template.spec.containers[0].image"]);
}

/// A rule that would ignore everything cannot be made.
#[test]
fn m17_rules_cannot_switch_matching_off() {
    for text in ["", "*", "**", "*.**"] {
        assert!(parse_flag(text, FieldPath::root()).is_err(), "{text}");
        assert!(IgnorePath::parse(text).is_err(), "{text}");
    }
}
