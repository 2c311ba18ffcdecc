use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::manifest::ignore::{IgnoreField, IgnorePath, parse_flag, suggested};
use crate::object::{ObjectRef, Segment};

static NO_RULES: std::sync::LazyLock<IgnoreRules> = std::sync::LazyLock::new(IgnoreRules::none);

pub(super) fn expectations() -> Expectations<'static> {
    Expectations {
        origin: Origin::Live,
        stored: None,
        pinned: &[],
        domain: "cosign.sigstore.dev",
        ignore: &NO_RULES,
        allow_namespace: &NamespaceAllowance::None,
        allow_finalizers: &[],
    }
}

pub(super) fn live(signed: &Value, found: &Value) -> Comparison {
    compare(signed, found, &expectations())
}

pub(super) fn with_rules(signed: &Value, found: &Value, fields: &[IgnoreField]) -> Comparison {
    let rules = IgnoreRules::of(fields, &ObjectRef::of(found));
    compare(signed, found, &Expectations { ignore: &rules, ..expectations() })
}

pub(super) fn paths(comparison: &Comparison) -> Vec<String> {
    comparison.differences.iter().map(|change| change.path.to_string()).collect()
}

fn object(api_version: &str, kind: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "spec": spec})
}

#[track_caller]
fn accepted(signed: &Value, found: &Value, effects: &[(&str, &str)]) {
    let comparison = live(signed, found);
    assert_eq!(paths(&comparison), [""; 0]);
    let seen: Vec<(String, &str)> =
        comparison.effects.iter().map(|(change, row)| (change.path.to_string(), row.effect())).collect();
    let seen: Vec<(&str, &str)> = seen.iter().map(|(path, effect)| (path.as_str(), *effect)).collect();
    assert_eq!(seen, effects);
}

#[test]
fn effects_are_reported_with_their_row() {
    accepted(
        &object("apps/v1", "Deployment", json!({"paused": false, "strategy": null, "replicas": 0})),
        &object(
            "apps/v1",
            "Deployment",
            json!({"replicas": 0, "strategy":
                {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}}),
        ),
        &[("spec.paused", "drop"), ("spec.strategy", "const")],
    );
}

/// Rows have one direction.
#[test]
fn no_effect_goes_the_other_way() {
    let quota = |spec: Value| object("v1", "ResourceQuota", spec);
    for (signed, found) in [
        (
            object("apps/v1", "Deployment", json!({"replicas": 0})),
            object("apps/v1", "Deployment", json!({"replicas": 1})),
        ),
        (object("apps/v1", "Deployment", json!({"replicas": 1})), object("apps/v1", "Deployment", json!({}))),
        (object("v1", "Pod", json!({})), object("v1", "Pod", json!({"nodeSelector": {}}))),
        (object("v1", "Pod", json!({})), object("v1", "Pod", json!({"hostPID": false}))),
        (object("v1", "Pod", json!({})), object("v1", "Pod", json!({"x": null}))),
        (quota(json!({"hard": {"pods": "1k"}})), quota(json!({"hard": {"pods": "1001"}}))),
        (
            object("policy/v1", "PodDisruptionBudget", json!({"selector": {}})),
            object("policy/v1", "PodDisruptionBudget", json!({})),
        ),
    ] {
        assert!(!live(&signed, &found).is_match(), "{signed} {found}");
    }
}

#[test]
fn empty_lists_and_free_maps_may_be_dropped_by_built_in_kinds_only() {
    let filled = json!({"nodeSelector": {}, "tolerations": [], "volumes": null});
    assert!(live(&object("v1", "Pod", filled.clone()), &object("v1", "Pod", json!({}))).is_match());
    let custom = live(&object("a.com/v1", "Pod", filled), &object("a.com/v1", "Pod", json!({})));
    assert_eq!(paths(&custom), ["spec.nodeSelector", "spec.tolerations"]);
    assert!(!live(&object("v1", "Pod", json!({"affinity": {}})), &object("v1", "Pod", json!({}))).is_match());
}

/// A property called `labels` whose schema `{}` allows anything must not vanish.
#[test]
fn schemas_are_kept_as_they_are() {
    let definition = |properties: Value| {
        let schema = json!({"openAPIV3Schema": {"properties": properties}});
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({"versions": [{"schema": schema}]}),
        )
    };
    let comparison = live(&definition(json!({"labels": {}})), &definition(json!({})));
    assert_eq!(paths(&comparison), ["spec.versions[0].schema.openAPIV3Schema.properties.labels"]);
}

#[test]
fn quantities_are_compared_by_value_where_the_schema_says_so() {
    let pod =
        |limits: Value| object("v1", "Pod", json!({"containers": [{"name": "c", "resources": limits}]}));
    let signed = pod(json!({"limits": {"cpu": 0.5, "memory": "1024Mi"}}));
    let stored =
        json!({"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}});
    assert!(live(&signed, &pod(stored.clone())).is_match());
    let mut other = stored;
    other["requests"]["cpu"] = json!("501m");
    assert_eq!(paths(&live(&signed, &pod(other))), ["spec.containers[0].resources.requests.cpu"]);
    let config = |size: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"size": size}});
    assert!(!live(&config("1024Mi"), &config("1Gi")).is_match());
}

#[test]
fn aggregated_rules_are_accepted_with_a_warning() {
    let role = |rules: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"},
            "aggregationRule": {"clusterRoleSelectors": []}, "rules": rules})
    };
    let mut signed = role(json!(null));
    signed.as_object_mut().unwrap().remove("rules");
    let comparison = live(&signed, &role(json!([{"verbs": ["*"]}])));
    assert!(comparison.is_match());
    assert_eq!(comparison.warnings, [(FieldPath::keys(["rules"]), Warning::AggregatedRules)]);
    let null = live(&signed, &role(json!(null)));
    assert!(null.is_match() && null.warnings.is_empty());
    assert!(!live(&role(json!([{"verbs": ["get"]}])), &role(json!([{"verbs": ["*"]}]))).is_match());
    signed.as_object_mut().unwrap().remove("aggregationRule");
    assert!(!live(&signed, &role(json!([{"verbs": ["*"]}]))).is_match());
}

#[test]
fn ignore_rules_say_which_of_them_applied() {
    let deployment = |replicas: i64| object("apps/v1", "Deployment", json!({"replicas": replicas}));
    let rules = [parse_flag("Deployment:spec.replicas", FieldPath::root()).unwrap()];
    let comparison = with_rules(&deployment(1), &deployment(5), &rules);
    assert!(comparison.is_match());
    assert_eq!(comparison.ignored[0].1, "spec.replicas");
    let rules = [parse_flag("StatefulSet:spec.replicas", FieldPath::root()).unwrap()];
    assert!(!with_rules(&deployment(1), &deployment(5), &rules).is_match());
}

/// `kubectl rollout restart` adds the annotations of a template together with their map.
#[test]
fn a_rule_reaches_into_an_added_subtree_and_no_further() {
    let deployment =
        |template: Value| object("apps/v1", "Deployment", json!({"template": {"metadata": template}}));
    let signed = deployment(json!({"labels": {"a": "b"}}));
    let restarted = |more: &str| {
        let mut annotations = json!({"kubectl.kubernetes.io/restartedAt": "now"});
        annotations[more] = json!("x");
        deployment(json!({"labels": {"a": "b"}, "annotations": annotations}))
    };
    let path = "spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt";
    let rules = [parse_flag(path, FieldPath::root()).unwrap()];
    let elsewhere = [parse_flag("spec.replicas", FieldPath::root()).unwrap()];
    let comparison = with_rules(&signed, &restarted("evil"), &elsewhere);
    assert_eq!(paths(&comparison), ["spec.template.metadata.annotations"], "one difference, not its parts");
    let comparison = with_rules(&signed, &restarted("evil"), &rules);
    assert_eq!(paths(&comparison), ["spec.template.metadata.annotations.evil"]);
    assert!(with_rules(&signed, &restarted("kubectl.kubernetes.io/restartedAt"), &rules).is_match());
}

#[test]
fn too_deep_is_different_and_never_equal() {
    let deep = (0..150).fold(json!("x"), |value, _| json!([value]));
    let object = object("a.com/v1", "Widget", deep);
    assert!(!live(&object, &object).is_match());
}

/// A key of a custom resource is not a row of a built-in kind.
#[test]
fn custom_kinds_have_no_defaults() {
    let (signed, found) = (json!({}), json!({"replicas": 1}));
    assert!(
        live(
            &object("apps/v1", "Deployment", signed.clone()),
            &object("apps/v1", "Deployment", found.clone())
        )
        .is_match()
    );
    assert!(
        !live(&object("x.apps/v1", "Deployment", signed), &object("x.apps/v1", "Deployment", found))
            .is_match()
    );
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z.]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c.]{1,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every place below a value, itself first.
fn places(value: &Value, path: &FieldPath, out: &mut Vec<FieldPath>) {
    out.push(path.clone());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| places(value, &path.key(key.as_str()), out)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| places(value, &path.index(index), out));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn at<'v>(root: &'v mut Value, path: &FieldPath) -> &'v mut Value {
    path.segments().iter().fold(root, |value, segment| match segment {
        Segment::Key(key) => &mut value[key.as_str()],
        Segment::Index(index) => &mut value[*index],
    })
}

/// What a Secret holds is never offered to be ignored, as signed or as stored.
#[test]
fn the_content_of_a_secret_gets_no_ignore_path() {
    let secret = |rest: Value| {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
        rest.as_object().unwrap().iter().for_each(|(key, value)| secret[key] = value.clone());
        secret
    };
    let signed = secret(json!({"stringData": {"a": "b", "c.d": "e"}}));
    let found = secret(json!({"data": {"a": "Yg=="}}));
    let comparison = live(&signed, &found);
    assert!(!comparison.is_match());
    assert_eq!(suggested(&comparison.differences, &signed, &found), [""; 0]);
}

/// Labels and annotations by which a suggestion is tried: plain, bookkeeping, with a dot, and ones that decide.
fn keys() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    const KEYS: [&str; 6] =
        ["team", "te.am", "te", "app.kubernetes.io/instance", "helm.sh/chart", "sidecar.istio.io/inject"];
    prop::collection::btree_map(prop::sample::select(&KEYS[..]).prop_map(str::to_owned), "[ab]", 0..4)
}

proptest! {
    /// Whatever is suggested accepts the two objects that it was made for, and no other difference.
    #[test]
    fn suggestions_are_exact(a in keys(), b in keys(), c in keys(), n in 0..3, m in 0..3, restarted in any::<bool>()) {
        let deployment = |keys: &std::collections::BTreeMap<String, String>, replicas: i32, restarted: bool| {
            let mut object = object("apps/v1", "Deployment", json!({"replicas": replicas, "template": {"metadata": {}}}));
            object["metadata"]["labels"] = json!(keys);
            if restarted {
                object["spec"]["template"]["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": "x"});
            }
            object
        };
        let (signed, found) = (deployment(&a, n, false), deployment(&b, m, restarted));
        let comparison = live(&signed, &found);
        let fields = suggested(&comparison.differences, &signed, &found);
        let decides = |keys: &std::collections::BTreeMap<String, String>| keys.get("sidecar.istio.io/inject").cloned();
        prop_assert_eq!(fields.is_empty(), comparison.is_match() || decides(&a) != decides(&b), "{:?}", fields);
        if !fields.is_empty() {
            let fields = fields.iter().map(|path| IgnorePath::parse(path).unwrap()).collect();
            let rules = [IgnoreField { objects: vec![], fields, path: FieldPath::root() }];
            let covered = with_rules(&signed, &found, &rules);
            prop_assert!(covered.is_match(), "{:?} {:?}", rules, covered.differences);
            // A key that differs in neither of the two is still compared.
            let mut other = deployment(&c, m, restarted);
            other["metadata"]["labels"]["vault.hashicorp.com/agent-inject"] = json!("true");
            prop_assert!(!with_rules(&signed, &other, &rules).is_match());
            let mut injected = found.clone();
            injected["spec"]["template"]["metadata"]["annotations"]["vault.hashicorp.com/agent-inject"] = json!("true");
            prop_assert!(!with_rules(&signed, &injected, &rules).is_match());
        }
    }

    /// Any single edit of a custom resource is refused, and its path named.
    #[test]
    fn no_edit_of_a_custom_resource_passes(spec in tree(), place in any::<prop::sample::Index>(), edit in 0..3) {
        let signed = object("example.com/v1", "Widget", spec);
        prop_assert!(live(&signed, &signed).is_match());
        let mut all = Vec::new();
        places(&signed["spec"], &FieldPath::keys(["spec"]), &mut all);
        let path = place.get(&all).clone();
        let mut found = signed.clone();
        let value = at(&mut found, &path);
        let expected = match (value, edit) {
            (Value::Object(map), 0) => {
                map.insert("added".into(), Value::Null);
                path.key("added")
            }
            (Value::Array(list), 0) => {
                list.push(json!({}));
                path.index(list.len() - 1)
            }
            (value, 1) => {
                *value = Value::Null;
                path
            }
            (value, _) => {
                *value = if *value == json!("edited") { json!("other") } else { json!("edited") };
                path
            }
        };
        let comparison = live(&signed, &found);
        prop_assert_eq!(paths(&comparison), [expected.to_string()]);
    }

    /// Whatever two documents hold, comparing them neither panics nor finds a change without a path.
    #[test]
    fn no_pair_panics(a in tree(), b in tree(), kind in prop::sample::select(vec!["Pod", "Job", "Service", "Secret", "LimitRange", "ClusterRole"])) {
        let versions = [("Job", "batch/v1"), ("ClusterRole", "rbac.authorization.k8s.io/v1")];
        let version = versions.iter().find(|(of, _)| *of == kind).map_or("v1", |(_, version)| version);
        for (a, b) in [(&a, &b), (&b, &a)] {
            let comparison = live(&object(version, kind, a.clone()), &object(version, kind, b.clone()));
            prop_assert_eq!(comparison.is_match() || a != b, true);
        }
    }
}
