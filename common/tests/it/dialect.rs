//! Kyverno policies: every valid fixture compiles, and breaks when any one field of it is broken.

use common::dialect::{self, CompileErrors, Compiled, Problem};
use common::object::{FieldPath, Segment};
use common::policy::{Action, Body, OnFault, Policy, ReviewFacts, RuleValues};
use common::select::select;
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const FIXTURES: [(&str, &str); 6] = [
    ("verify-manifest-integrity", include_str!("../fixtures/dialect/kyverno/verify-manifest-integrity.yaml")),
    ("verify-images", include_str!("../fixtures/dialect/kyverno/verify-images.yaml")),
    ("legacy-images", include_str!("../fixtures/dialect/kyverno/legacy-images.yaml")),
    ("namespaced-policy", include_str!("../fixtures/dialect/kyverno/namespaced-policy.yaml")),
    ("other-rules", include_str!("../fixtures/dialect/kyverno/other-rules.yaml")),
    ("exception", include_str!("../fixtures/dialect/kyverno/exception.yaml")),
];

pub(crate) fn read(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

fn fixture(name: &str) -> Value {
    read(FIXTURES.iter().find(|(known, _)| *known == name).unwrap().1)
}

fn policy(name: &str) -> Policy {
    match dialect::compile(&fixture(name)).unwrap_or_else(|errors| panic!("{name}:\n{errors}")) {
        Compiled::Policy(policy) => policy,
        other @ (Compiled::Exception(_) | Compiled::TrustRoot(_)) => panic!("{other:?}"),
    }
}

#[test]
fn every_fixture_compiles() {
    for (name, yaml) in FIXTURES {
        let document = read(yaml);
        assert!(dialect::is_policy(&document), "{name}");
        if let Err(errors) = dialect::compile(&document) {
            panic!("{name}:\n{errors}");
        }
    }
}

#[test]
fn a_manifest_policy_says_everything_it_said() {
    let policy = policy("verify-manifest-integrity");
    assert_eq!(
        (policy.id.to_string().as_str(), policy.on_fault),
        ("verify-manifest-integrity", OnFault::Refuse)
    );
    assert_eq!((policy.timeout_seconds, policy.severity.as_deref()), (Some(20), Some("high")));
    let [rule] = &policy.rules[..] else { panic!("manifest rules are never generated for") };
    assert_eq!((&*rule.name, rule.action.default), ("verify-deployment-allow-replicas", Action::Enforce));
    let Body::Manifest(manifest) = &rule.body else { panic!("{:?}", rule.body) };
    let attestors: Vec<String> =
        manifest.requirement.attestors().iter().map(|a| a.path.to_string()).collect();
    let set = "spec.rules[0].validate.manifests.attestors[0]";
    let expected = [
        "entries[0].keys",
        "entries[0].keys",
        "entries[1].keys",
        "entries[2].attestor.entries[0].certificates",
        "entries[2].attestor.entries[1].keyless",
    ];
    assert_eq!(attestors, expected.map(|entry| format!("{set}.{entry}")));
    assert_eq!(manifest.ignore_fields[0].fields[0].text(), "spec.replicas");
    assert_eq!(manifest.allow_finalizers, ["example.com/keep", "example.com/hold"]);
    let warnings: Vec<String> = policy.warnings.iter().map(|warning| warning.path.to_string()).collect();
    assert_eq!(
        warnings,
        [
            "spec.webhookConfiguration.matchConditions[0]",
            "spec.rules[0].validate.message",
            "spec.rules[0].validate.manifests.attestors[0].entries[0].keys.rekor",
            "spec.rules[0].validate.manifests.attestors[0].entries[0].keys.ctlog",
        ]
    );
}

#[test]
fn image_rules_are_generated_for_the_controllers_that_are_named() {
    let policy = policy("verify-images");
    let shown: Vec<(String, Vec<String>)> = policy
        .rules
        .iter()
        .map(|rule| {
            let kinds = rule.selector.matching.filters[0].kinds.iter().map(ToString::to_string).collect();
            (rule.name.to_string(), kinds)
        })
        .collect();
    let rule = |name: &str, kind: &str| (name.to_owned(), vec![kind.to_owned()]);
    assert_eq!(
        shown,
        [
            rule("check-images", "Pod"),
            rule("autogen-check-images", "Deployment"),
            rule("autogen-cronjob-check-images", "CronJob"),
        ]
    );
    let variables = |index: usize| {
        let conditions = policy.rules[index].preconditions.as_ref().unwrap();
        conditions.all[0].key.expressions()[0].variables()[0].join(".")
    };
    assert_eq!(variables(0), "request.object.spec.hostNetwork");
    assert_eq!(variables(1), "request.object.spec.template.spec.hostNetwork");
    assert_eq!(variables(2), "request.object.spec.jobTemplate.spec.template.spec.hostNetwork");
}

#[test]
fn rules_of_other_types_are_named_not_dropped() {
    let types: Vec<String> = policy("other-rules")
        .rules
        .iter()
        .map(|rule| match &rule.body {
            Body::NotHandled { rule_type } => rule_type.clone(),
            Body::Manifest(_) | Body::Images(_) => panic!("{}", rule.name),
        })
        .collect();
    assert_eq!(types, ["validate.pattern", "mutate", "generate"]);
}

/// Every key and leaf of a document.
pub(crate) fn walk(value: &Value, path: &FieldPath, visit: &mut impl FnMut(&FieldPath, &Value)) {
    visit(path, value);
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| walk(value, &path.key(key), visit)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| walk(value, &path.index(index), visit));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn paths(value: &Value) -> Vec<FieldPath> {
    let mut paths = Vec::new();
    walk(value, &FieldPath::root(), &mut |path, _| paths.push(path.clone()));
    paths
}

pub(crate) fn keys(path: &FieldPath) -> Vec<&str> {
    path.segments()
        .iter()
        .map(|segment| match segment {
            Segment::Key(key) => key.as_str(),
            Segment::Index(_) => "[]",
        })
        .collect()
}

/// What is not read: bodies of rules that are not ours, what they would need, and inner fields of
/// lookups that nobody makes yet.
fn is_not_read(path: &FieldPath, document: &Value) -> bool {
    let keys = keys(path);
    let other = document["metadata"]["name"] == "other-rules"
        && ["context", "preconditions", "pattern", "mutate", "generate"]
            .iter()
            .any(|name| keys.contains(name));
    let below = |names: &[&str]| keys.len() > 1 && names.contains(&keys[keys.len() - 2]);
    other && keys.len() > 4 || below(&["configMap"])
}

/// Maps whose keys are names and not fields.
fn holds_names(parent: &str) -> bool {
    ["annotations", "labels", "matchLabels", "additionalExtensions", "reportProperties", "imageExtractors"]
        .contains(&parent)
}

pub(crate) fn parent_mut<'v>(document: &'v mut Value, path: &FieldPath) -> (&'v mut Value, Segment) {
    let (last, before) = path.segments().split_last().unwrap();
    let mut value = document;
    for segment in before {
        value = match segment {
            Segment::Key(key) => &mut value[key.as_str()],
            Segment::Index(index) => &mut value[*index],
        };
    }
    (value, last.clone())
}

fn renamed(document: &Value, path: &FieldPath) -> Option<(Value, FieldPath)> {
    let mut broken = document.clone();
    let (parent, Segment::Key(key)) = parent_mut(&mut broken, path) else { return None };
    let map = parent.as_object_mut()?;
    let value = map.remove(&key)?;
    let other = format!("{key}z");
    map.insert(other.clone(), value);
    let (_, before) = path.segments().split_last()?;
    let parent = before.iter().fold(FieldPath::root(), |path, segment| path.with(segment.clone()));
    Some((broken, parent.key(other)))
}

pub(crate) fn errors(document: &Value) -> CompileErrors {
    dialect::compile(document).err().unwrap_or(CompileErrors(vec![]))
}

#[test]
fn every_renamed_field_is_an_unknown_field_at_exactly_its_path() {
    for (name, yaml) in FIXTURES {
        let document = read(yaml);
        for path in paths(&document).into_iter().skip(1) {
            let keys = keys(&path);
            let parent = if keys.len() > 1 { keys[keys.len() - 2] } else { "" };
            let in_condition_value = keys.contains(&"value") && *keys.last().unwrap() != "value";
            if holds_names(parent) || is_not_read(&path, &document) || in_condition_value {
                continue;
            }
            let Some((broken, at)) = renamed(&document, &path) else { continue };
            let found = errors(&broken);
            let expected = |problem: &Problem| match path.to_string().as_str() {
                "apiVersion" | "kind" => matches!(problem, Problem::UnknownKind { .. }),
                _ => matches!(problem, Problem::UnknownField { suggestion } if suggestion.is_some()),
            };
            let at = if keys.len() == 1 && ["apiVersion", "kind"].contains(&keys[0]) {
                FieldPath::keys(["apiVersion"])
            } else {
                at
            };
            assert!(
                found.0.iter().any(|error| error.path == at && expected(&error.problem)),
                "{name}: {at} renamed gives\n{found}"
            );
            let strays: Vec<_> = found
                .0
                .iter()
                .filter(|error| matches!(error.problem, Problem::UnknownField { .. }) && error.path != at)
                .collect();
            assert!(strays.is_empty(), "{name}: {at} renamed also gives {strays:?}");
        }
    }
}

#[test]
fn our_own_annotations_are_fields() {
    let document = fixture("verify-manifest-integrity");
    let annotations = FieldPath::keys(["metadata", "annotations"]);
    for name in
        ["kubectl-trust.io/match", "kubectl-trust.io/allow-namespace", "kubectl-trust.io/allow-finalizers"]
    {
        let (broken, at) = renamed(&document, &annotations.key(name)).unwrap();
        let found = errors(&broken);
        let suggestion = Some(name.to_owned());
        assert_eq!(found.0[0].path, at);
        assert_eq!(found.0[0].problem, Problem::UnknownField { suggestion });
    }
}

#[test]
fn every_value_of_another_type_is_an_error_at_its_path() {
    for (name, yaml) in FIXTURES {
        let document = read(yaml);
        for path in paths(&document).into_iter().skip(1) {
            let keys = keys(&path);
            let any_type = match keys.last().copied() {
                // Conditions and variables take values of every type.
                Some("key" | "value" | "default") => {
                    keys.iter().any(|k| ["preconditions", "conditions", "context"].contains(k))
                }
                _ => keys.contains(&"value"),
            };
            // What the API server checks, not we.
            let metadata = keys[..] == ["metadata", "labels"] || keys.starts_with(&["metadata", "labels"]);
            if any_type
                || metadata
                || is_not_read(&path, &document)
                || ["apiVersion", "kind"].contains(&keys[0])
            {
                continue;
            }
            if document["metadata"]["name"] == "other-rules"
                && ["context", "preconditions", "pattern", "mutate", "generate"]
                    .contains(keys.last().unwrap())
            {
                continue;
            }
            for wrong in wrong_types(&path, path.find(&document).unwrap()) {
                let mut broken = document.clone();
                let (parent, last) = parent_mut(&mut broken, &path);
                match last {
                    Segment::Key(key) => parent[key.as_str()] = wrong.clone(),
                    Segment::Index(index) => parent[index] = wrong.clone(),
                }
                let found = errors(&broken);
                assert!(
                    found.0.iter().any(|error| error.path == path
                        && matches!(error.problem, Problem::WrongType { .. } | Problem::OutOfRange { .. })),
                    "{name}: {path} = {wrong} gives\n{found}"
                );
            }
        }
    }
}

fn wrong_types(path: &FieldPath, value: &Value) -> Vec<Value> {
    let all = [json!(true), json!(12_345.5), json!("text"), json!(["text"]), json!({"text": 1})];
    let same = |other: &Value| std::mem::discriminant(other) == std::mem::discriminant(value);
    // Conditions may be a list as well as a map.
    let conditions = ["preconditions", "conditions"].contains(keys(path).last().unwrap());
    let either = |other: &Value| conditions && (other.is_array() || other.is_object());
    all.into_iter().filter(|other| !same(other) && !either(other)).collect()
}

#[test]
fn every_removed_field_is_refused_or_harmless_but_never_makes_another_unknown() {
    for (name, yaml) in FIXTURES {
        let document = read(yaml);
        for path in paths(&document).into_iter().skip(1) {
            let mut broken = document.clone();
            let (parent, last) = parent_mut(&mut broken, &path);
            match last {
                Segment::Key(key) => drop(parent.as_object_mut().unwrap().remove(&key)),
                Segment::Index(index) => drop(parent.as_array_mut().unwrap().remove(index)),
            }
            let found = errors(&broken);
            let unknown = found.0.iter().find(|error| matches!(error.problem, Problem::UnknownField { .. }));
            assert_eq!(unknown, None, "{name}: without {path}");
        }
    }
}

/// Any value, with words that policies know so that the reader goes deep.
fn any_value() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 24] = [
        "any",
        "all",
        "resources",
        "kinds",
        "Pod",
        "*/*",
        "entries",
        "count",
        "keys",
        "publicKeys",
        "keyless",
        "subject",
        "issuer",
        "attestor",
        "attestors",
        "{{ request.object }}",
        "{{",
        "[[[",
        "Equals",
        "key",
        "operator",
        "value",
        "-----BEGIN PUBLIC KEY-----",
        "",
    ];
    let word = || proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(word(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_value_in_any_place_makes_the_compiler_panic(
        name in proptest::sample::select(FIXTURES.map(|(name, _)| name).to_vec()),
        place in any::<proptest::sample::Index>(),
        value in any_value(),
    ) {
        let mut document = fixture(name);
        let places = paths(&document);
        let (parent, last) = parent_mut(&mut document, &places[1 + place.index(places.len() - 1)]);
        match last {
            Segment::Key(key) => parent[key.as_str()] = value,
            Segment::Index(index) => parent[index] = value,
        }
        if let Ok(Compiled::Policy(policy)) = dialect::compile(&document) {
            let facts = ReviewFacts::of(&document);
            let selected = select(&facts, std::slice::from_ref(&policy), &[], &RuleValues::default(), false, jiff::Timestamp::UNIX_EPOCH);
            prop_assert_eq!(selected.len(), policy.rules.len());
        }
    }
}
