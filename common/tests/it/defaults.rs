//! What a real API server made of real manifests: nothing it did may count as a difference, and anything
//! anybody else does must.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "test helpers outside test functions"
)]

use std::fs;
use std::path::{Path, PathBuf};

use common::manifest::diff::{Comparison, Expectations, compare};
use common::manifest::ignore::IgnoreRules;
use common::object::{FieldPath, Origin, Segment};
use common::policy::NamespaceAllowance;
use serde_json::{Map, Value, json};

struct Pair {
    name: String,
    applied: Value,
    stored: Value,
}

/// The pairs beside this test, and those of the shared vectors where they are at hand.
fn pairs() -> Vec<Pair> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("TRUST_VECTORS").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| root.join("../../shared/vectors")).join("defaults");
    let mut pairs: Vec<Pair> = [root.join("tests/fixtures/defaults"), shared]
        .into_iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("stored.yaml").exists())
        .map(|path| Pair {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            applied: read(&path.join("applied.yaml")),
            stored: read(&path.join("stored.yaml")),
        })
        .collect();
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    pairs.dedup_by(|a, b| a.name == b.name && a.applied == b.applied && a.stored == b.stored);
    assert!(pairs.len() >= 48);
    pairs
}

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn matched(signed: &Value, found: &Value, origin: Origin) -> Comparison {
    let how = Expectations {
        stored: None,
        pinned: &[],
        origin,
        domain: "cosign.sigstore.dev",
        ignore: &IgnoreRules::none(),
        allow_namespace: &NamespaceAllowance::None,
        allow_finalizers: &[],
    };
    compare(signed, found, &how)
}

/// Fields that no comparison looks at.
fn is_bookkeeping(path: &FieldPath) -> bool {
    let text = path.to_string();
    let fields = ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"];
    text == "status"
        || text.starts_with("status.")
        || text.contains("last-applied-configuration")
        || fields.iter().any(|field| text.starts_with(&format!("metadata.{field}")))
}

/// Every place of a tree, the root left out.
fn places(value: &Value, path: &FieldPath, out: &mut Vec<FieldPath>) {
    let children: Vec<(Segment, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (Segment::Key(key.clone()), value)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(at, value)| (Segment::Index(at), value)).collect()
        }
        _ => vec![],
    };
    for (segment, child) in children {
        let path = path.with(segment);
        if !is_bookkeeping(&path) {
            out.push(path.clone());
            places(child, &path, out);
        }
    }
}

fn all_places(value: &Value) -> Vec<FieldPath> {
    let mut out = vec![FieldPath::root()];
    places(value, &FieldPath::root(), &mut out);
    out
}

fn at<'v>(root: &'v mut Value, path: &[Segment]) -> Option<&'v mut Value> {
    path.iter().try_fold(root, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    })
}

fn remove(root: &mut Value, path: &FieldPath) {
    let (last, parent) = path.segments().split_last().unwrap();
    match (at(root, parent).unwrap(), last) {
        (Value::Object(map), Segment::Key(key)) => drop(map.remove(key)),
        (Value::Array(items), Segment::Index(index)) => drop(items.remove(*index)),
        _ => unreachable!(),
    }
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    }
}

/// A value of the same kind that nothing could take for the old one.
fn other(value: &Value) -> Value {
    match value {
        Value::Null => json!("x"),
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_i64().unwrap_or(0) + 1),
        Value::String(text) => json!(format!("{text}-changed")),
        Value::Array(_) => json!(["x"]),
        Value::Object(_) => json!({"x": "y"}),
    }
}

/// Paths at which stored values are free: any port or address is as good as the next.
fn is_free(pair: &Pair, path: &FieldPath) -> bool {
    let last = match path.segments().last() {
        Some(Segment::Key(key)) => key.as_str(),
        _ => "",
    };
    path.find(&pair.applied).is_none()
        && (last == "nodePort"
            || last == "healthCheckNodePort"
            || last == "volumeName"
            || path.to_string().contains("autoscaling.alpha.kubernetes.io/"))
}

fn names(comparison: &Comparison, path: &FieldPath) -> bool {
    comparison.differences.iter().any(|change| change.path == *path)
}

#[track_caller]
fn refused(pair: &Pair, stored: &Value, path: &FieldPath, what: &str) {
    let comparison = matched(&pair.applied, stored, Origin::Live);
    let paths: Vec<String> = comparison.differences.iter().map(|change| change.path.to_string()).collect();
    assert!(names(&comparison, path), "{}: {what} at {path} not among {paths:?}", pair.name);
}

#[test]
fn what_the_server_did_is_no_difference() {
    for pair in pairs() {
        let comparison = matched(&pair.applied, &pair.stored, Origin::Live);
        assert!(comparison.is_match(), "{}: {:#?}", pair.name, comparison.differences);
        assert!(matched(&pair.stored, &pair.stored, Origin::Live).is_match(), "{}", pair.name);
        assert!(matched(&pair.applied, &pair.applied, Origin::File).is_match(), "{}", pair.name);
    }
}

/// Each value that the server set is the only one it may have; each signed value as well.
#[test]
fn every_changed_leaf_is_refused_by_its_path() {
    let mut edits = 0;
    for pair in pairs() {
        for path in all_places(&pair.stored) {
            let value = path.find(&pair.stored).unwrap();
            if path.segments().is_empty() || !is_leaf(value) || is_free(&pair, &path) {
                continue;
            }
            let mut stored = pair.stored.clone();
            *at(&mut stored, path.segments()).unwrap() = other(value);
            if matches!(value, Value::Object(_)) {
                refused(&pair, &stored, &path.key("x"), "changed");
            } else {
                refused(&pair, &stored, &path, "changed");
            }
            edits += 1;
        }
    }
    assert!(edits > 700, "{edits}");
}

#[test]
fn everything_signed_that_is_gone_is_refused() {
    let mut edits = 0;
    for pair in pairs() {
        for path in all_places(&pair.applied) {
            // What the server drops itself is gone already.
            if path.segments().is_empty() || path.find(&pair.stored).is_none() {
                continue;
            }
            let mut stored = pair.stored.clone();
            remove(&mut stored, &path);
            let comparison = matched(&pair.applied, &stored, Origin::Live);
            assert!(!comparison.is_match(), "{}: {path} removed", pair.name);
            let mut null = pair.stored.clone();
            *at(&mut null, path.segments()).unwrap() = Value::Null;
            assert!(!matched(&pair.applied, &null, Origin::Live).is_match(), "{}: {path} null", pair.name);
            edits += 1;
        }
    }
    assert!(edits > 400, "{edits}");
}

/// The stored object with the value at a path replaced by what `edit` makes of it.
fn edited(pair: &Pair, path: &FieldPath, edit: impl FnOnce(&mut Value)) -> Value {
    let mut stored = pair.stored.clone();
    edit(at(&mut stored, path.segments()).unwrap());
    stored
}

#[test]
fn everything_added_is_refused_by_its_path() {
    for pair in pairs() {
        for path in all_places(&pair.stored) {
            match path.find(&pair.stored).unwrap() {
                Value::Object(_) => {
                    let stored = edited(&pair, &path, |map| map["unknownField"] = json!("x"));
                    refused(&pair, &stored, &path.key("unknownField"), "added");
                }
                Value::Array(list) => appended_to(&pair, &path, list),
                _ => {}
            }
        }
    }
}

fn appended_to(pair: &Pair, path: &FieldPath, list: &[Value]) {
    let again = list.last().cloned().unwrap_or_default();
    for (value, what) in [(again, "repeated"), (json!({"name": "evil", "image": "evil"}), "appended")] {
        let stored = edited(pair, path, |list| list.as_array_mut().unwrap().push(value));
        refused(pair, &stored, &path.index(list.len()), what);
    }
}

/// The maps of an object that a list of this name can stand in.
fn places_for(pair: &Pair, field: &str) -> Vec<FieldPath> {
    let fits = |map: &Map<String, Value>| match field {
        "volumeMounts" | "env" => map.contains_key("image") && map.contains_key("terminationMessagePath"),
        _ => map.contains_key("containers"),
    };
    let mut all = all_places(&pair.stored);
    all.retain(|path| path.find(&pair.stored).and_then(Value::as_object).is_some_and(fits));
    all
}

/// M5: what an attacker would add to a Pod, at the end and at the front of the list.
#[test]
fn additions_to_pod_specs_are_refused() {
    let additions = [
        ("volumeMounts", json!({"name": "evil", "mountPath": "/evil"})),
        ("volumeMounts", json!({"name": "kube-api-access-aaaaa", "mountPath": "/evil", "readOnly": true})),
        ("volumes", json!({"name": "evil", "hostPath": {"path": "/", "type": ""}})),
        (
            "volumes",
            json!({"name": "kube-api-access-aaaaa", "projected": {"sources": [{"secret": {"name": "s"}}]}}),
        ),
        ("containers", json!({"name": "evil", "image": "evil"})),
        ("initContainers", json!({"name": "evil", "image": "evil"})),
        ("tolerations", json!({"operator": "Exists"})),
        ("env", json!({"name": "LD_PRELOAD", "value": "/evil"})),
    ];
    for pair in pairs() {
        for (field, value) in &additions {
            for path in places_for(&pair, field) {
                added_to(&pair, &path.key(*field), value);
            }
        }
    }
}

fn added_to(pair: &Pair, list: &FieldPath, value: &Value) {
    let old = list.find(&pair.stored).and_then(Value::as_array).cloned().unwrap_or_default();
    for index in [0, old.len()] {
        let mut new = old.clone();
        new.insert(index, value.clone());
        let (end, parent) = list.segments().split_last().unwrap();
        let Segment::Key(key) = end else { unreachable!() };
        let mut stored = pair.stored.clone();
        at(&mut stored, parent).unwrap()[key.as_str()] = Value::Array(new);
        let comparison = matched(&pair.applied, &stored, Origin::Live);
        let place = list.index(index).to_string();
        let below = |path: &FieldPath| path == list || path.to_string().starts_with(&place);
        let named = comparison.differences.iter().any(|change| below(&change.path));
        assert!(named, "{}: {place}: {:?}", pair.name, comparison.differences);
    }
}

/// M2: the same values in another order are another object.
#[test]
fn swapped_list_elements_are_refused() {
    let mut swaps = 0;
    for pair in pairs() {
        for path in all_places(&pair.stored) {
            let Some(Value::Array(list)) = path.find(&pair.stored) else { continue };
            for index in 1..list.len() {
                let mut stored = pair.stored.clone();
                at(&mut stored, path.segments()).unwrap().as_array_mut().unwrap().swap(index - 1, index);
                let comparison = matched(&pair.applied, &stored, Origin::Live);
                assert!(!comparison.is_match(), "{}: {path} {index}", pair.name);
                swaps += 1;
            }
        }
    }
    assert!(swaps > 20, "{swaps}");
}

/// In a file nobody has allocated anything and no controller has written.
#[test]
fn a_file_gains_defaults_only() {
    let cluster = [
        "pod-minimal",
        "pod-full",
        "job",
        "service-clusterip",
        "service-nodeport",
        "service-headless",
        "namespace",
        "persistentvolume",
        "deployment",
        "daemonset",
        "hpa-v1",
    ];
    for pair in pairs() {
        let comparison = matched(&pair.applied, &pair.stored, Origin::File);
        if cluster.contains(&pair.name.as_str()) {
            assert!(!comparison.is_match(), "{}", pair.name);
        }
        let defaults = [
            "configmap",
            "networkpolicy-deny",
            "resourcequota",
            "secret-stringdata",
            "replicaset",
            "cronjob",
        ];
        if defaults.contains(&pair.name.as_str()) {
            assert!(comparison.is_match(), "{}: {:#?}", pair.name, comparison.differences);
        }
    }
}

#[test]
fn what_a_cluster_allocates_is_a_difference_in_a_file() {
    let mut seen = 0;
    for pair in pairs() {
        let file = matched(&pair.applied, &pair.stored, Origin::File);
        for (change, row) in matched(&pair.applied, &pair.stored, Origin::Live).effects {
            if matches!(row.effect(), "alloc" | "ctl") {
                let place = change.path.to_string();
                let below = |path: &FieldPath| path.to_string().starts_with(&place);
                assert!(file.differences.iter().any(|change| below(&change.path)), "{}: {place}", pair.name);
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen}");
}

/// What controllers write after admission is no effect in a review.
#[test]
fn a_review_shows_no_controller() {
    for pair in pairs() {
        let comparison = matched(&pair.applied, &pair.stored, Origin::Review);
        let paths: Vec<String> =
            comparison.differences.iter().map(|change| change.path.to_string()).collect();
        let controlled = |path: &String| {
            path.contains("deployment.kubernetes.io/revision")
                || path.contains("autoscaling.alpha")
                || (pair.name == "job" && path.starts_with("metadata.labels"))
        };
        assert!(paths.iter().all(controlled), "{}: {paths:?}", pair.name);
        let deployment = pair.name.starts_with("deployment");
        assert_eq!(
            deployment || pair.name == "job" || pair.name == "hpa-v1",
            !paths.is_empty(),
            "{}",
            pair.name
        );
    }
}

#[test]
fn a_map_of_many_differences_is_bounded() {
    let many: Map<String, Value> = (0..5000).map(|i| (format!("k{i}"), json!("x"))).collect();
    let config = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
    let comparison = matched(&config(json!({"a": "b"})), &config(Value::Object(many)), Origin::Live);
    assert_eq!((comparison.differences.len(), comparison.omitted), (1000, 4001));
}
