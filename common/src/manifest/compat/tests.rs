use serde_json::json;

use super::super::diff::NamespaceAllowance;
use super::super::ignore::{IgnorePath, IgnoreRules};
use super::*;
use crate::object::Origin;

fn with(defaults: DefaultFields, fields: &[&str], signed: &Value, found: &Value) -> CompatComparison {
    let how = Expectations {
        origin: Origin::Live,
        stored: None,
        pinned: &[],
        domain: "cosign.sigstore.dev",
        ignore: &IgnoreRules::none(),
        allow_namespace: &NamespaceAllowance::None,
        allow_finalizers: &[],
    };
    let fields = fields.iter().map(|field| IgnorePath::parse(field).unwrap()).collect();
    let fields = [IgnoreField { objects: vec![], fields, path: FieldPath::root() }];
    compare_compat(signed, found, &how, &CompatRules { defaults, fields: &fields })
}

fn keys(comparison: &CompatComparison) -> Vec<&str> {
    comparison.differences.iter().map(|item| item.key.as_str()).collect()
}

fn tolerated(comparison: &CompatComparison) -> Vec<String> {
    comparison.tolerated.iter().map(|change| change.path.to_string()).collect()
}

fn config(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": data})
}

#[test]
fn differences_are_reported_as_the_peers_do() {
    let comparison = with(
        DefaultFields::Library,
        &[],
        &config(&json!({"a": "x", "t": "val1"})),
        &config(&json!({"b": "y", "t": 5})),
    );
    assert_eq!(keys(&comparison), ["data.a", "data.b", "data.t"]);
    assert_eq!(comparison.differences[2].before, Some(json!("(type: string) val1")));
    assert_eq!(comparison.differences[2].after, Some(json!("(type: float64) %!s(float64=5)")));
    assert!(tolerated(&comparison).is_empty() && !comparison.is_match());
}

/// What only this comparison tolerates comes back, so that it can be warned about.
#[test]
fn whatever_only_compat_accepts_is_handed_back() {
    let policy = |ingress: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress}})
    };
    let role = |a: Value, b: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a"},
            "rules": [a, b]})
    };
    let cases = [
        (policy(json!([])), policy(json!([{}])), "spec.ingress[0]"),
        (config(&json!({})), config(&json!({"my-status": "x"})), "data"),
        (
            config(&json!({"n": 9_007_199_254_740_993_i64})),
            config(&json!({"n": 9_007_199_254_740_992_i64})),
            "data.n",
        ),
        (config(&json!({"a.b": "x"})), config(&json!({"a": {"b": "x"}})), "data"),
        (config(&json!({"a": "x"})), config(&json!({"a": "x", "e": ""})), "data.e"),
        (
            role(json!({"resourceNames": ["x"], "v": 1}), json!({"v": 2})),
            role(json!({"v": 1}), json!({"resourceNames": ["x"], "v": 2})),
            "rules[0].resourceNames",
        ),
    ];
    for (signed, found, path) in cases {
        let comparison = with(DefaultFields::Library, &[], &signed, &found);
        assert!(comparison.is_match(), "{:?}", comparison.differences);
        let paths = tolerated(&comparison);
        assert!(paths.iter().any(|tolerated| tolerated.starts_with(path)), "{path}: {paths:?}");
    }
}

/// Only a value that is new on one side cancels one that is gone on the other.
#[test]
fn a_changed_value_moves_nothing() {
    let list = |values: Value| json!({"apiVersion": "a.com/v1", "kind": "W", "metadata": {"name": "a"}, "l": values});
    let comparison = with(
        DefaultFields::Library,
        &[],
        &list(json!([{"k": "x", "i": 1}, {"k": "y", "i": 1}])),
        &list(json!([{"i": 1}, {"k": "x", "i": 1}])),
    );
    assert_eq!(keys(&comparison), ["l.0.k", "l.1.k"]);
}

#[test]
fn the_lists_of_both_projects_differ() {
    let pod = |account: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"serviceAccountName": account}});
    let (signed, found) = (pod("a"), pod("admin"));
    assert_eq!(keys(&with(DefaultFields::Library, &[], &signed, &found)), ["spec.serviceAccountName"]);
    let kyverno = with(DefaultFields::Kyverno, &[], &signed, &found);
    assert!(kyverno.is_match());
    assert_eq!(tolerated(&kyverno), ["spec.serviceAccountName"]);
    let (mut signed, mut found) = (config(&json!({})), config(&json!({})));
    (signed["status"], found["status"]) = (json!("x"), json!("y"));
    assert!(!with(DefaultFields::Signature, &[], &signed, &found).is_match());
    assert!(with(DefaultFields::Library, &[], &signed, &found).is_match());
}

#[test]
fn ignored_fields_are_unanchored_expressions() {
    let (signed, found) = (config(&json!({"comment": "x"})), config(&json!({"comment": "y"})));
    for (field, accepted) in [
        ("data.comment", true),
        ("data.com", true),
        ("omme", true),
        ("data.*t$", true),
        ("^comment", false),
        ("data[0]", false),
        ("data.conta(iner", false),
    ] {
        let comparison = with(DefaultFields::Signature, &[field], &signed, &found);
        assert_eq!(comparison.is_match(), accepted, "{field}");
        assert_eq!(comparison.invalid.is_empty(), field != "data.conta(iner", "{field}");
    }
}

#[test]
fn images_and_namespaces_are_tolerated_and_handed_back() {
    let pod = |image: &str, metadata: Value| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": [{"name": "c", "image": image}]}})
    };
    let signed = pod("web", json!({"name": "a"}));
    for image in ["docker.io/web", "web:latest"] {
        let comparison =
            with(DefaultFields::Library, &[], &signed, &pod(image, json!({"name": "a", "namespace": "n"})));
        assert!(comparison.is_match(), "{:?}", comparison.differences);
        assert_eq!(tolerated(&comparison), ["metadata.namespace", "spec.containers[0].image"]);
    }
    assert!(
        !with(DefaultFields::Library, &[], &signed, &pod("docker.io/library/web", json!({"name": "a"})))
            .is_match()
    );
}

#[test]
fn too_deep_is_different() {
    let deep = (0..200).fold(json!("x"), |value, _| json!({"a": value}));
    assert!(!with(DefaultFields::Library, &[], &config(&deep), &config(&deep)).is_match());
}

/// Attack: so many differences that the one that matters is not listed.
#[test]
fn what_is_not_listed_is_not_tolerated() {
    let junk: serde_json::Map<_, _> =
        (0..=limits::DIFFERENCES).map(|n| (format!("a{n:05}"), json!("x"))).collect();
    let mut found = config(&Value::Object(junk));
    found["metadata"]["name"] = json!("evil");
    let comparison = with(DefaultFields::Library, &[], &config(&json!({"z": "1"})), &found);
    assert!(comparison.omitted > 0 && !comparison.is_match());
    assert_eq!(tolerated(&comparison), [""; 0]);
}
