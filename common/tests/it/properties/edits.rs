//! One change anywhere in a signed object is refused, and the report says where it is.

use common::manifest::{DEFAULT_DOMAIN, annotations};
use common::object::{FieldPath, Segment};
use common::verdict::Outcome;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value};

use super::round_trips::{demand, signed};
use super::wild;

/// The ways to change a tree at one place.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Replace,
    Remove,
    Add,
    Swap,
    Rename,
}

/// Every place below a value.
fn places(value: &Value, path: &FieldPath, out: &mut Vec<FieldPath>) {
    let children: Vec<_> = match value {
        Value::Object(map) => map.iter().map(|(key, child)| (Segment::Key(key.clone()), child)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(at, child)| (Segment::Index(at), child)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (segment, child) in children {
        let is_signature = matches!(&segment, Segment::Key(key)
            if annotations::is_signature_annotation(key, DEFAULT_DOMAIN));
        if !is_signature {
            let path = path.with(segment);
            places(child, &path, out);
            out.push(path);
        }
    }
}

fn at<'v>(root: &'v mut Value, path: &[Segment]) -> &'v mut Value {
    path.iter().fold(root, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key).unwrap(),
        Segment::Index(index) => value.get_mut(index).unwrap(),
    })
}

/// Changes the tree at a place; `None` where that changes nothing.
fn apply(root: &mut Value, path: &FieldPath, edit: Edit, new: Value) -> Option<()> {
    let (last, parent) = path.segments().split_last()?;
    match edit {
        Edit::Replace => *at(root, path.segments()) = new,
        Edit::Remove => match (at(root, parent), last) {
            (Value::Object(map), Segment::Key(key)) => drop(map.remove(key)),
            (list, Segment::Index(index)) => drop(list.as_array_mut()?.remove(*index)),
            (_, Segment::Key(_)) => return None,
        },
        Edit::Add => {
            let place = at(root, path.segments());
            if let Some(map) = place.as_object_mut() {
                map.insert("added".to_owned(), new);
            } else {
                place.as_array_mut()?.push(new);
            }
        }
        Edit::Swap => {
            let Segment::Index(index) = last else { return None };
            let list = at(root, parent).as_array_mut()?;
            (index + 1 < list.len()).then(|| list.swap(*index, index + 1))?;
        }
        Edit::Rename => {
            let Segment::Key(key) = last else { return None };
            let map: &mut Map<String, Value> = at(root, parent).as_object_mut()?;
            let value = map.remove(key)?;
            map.insert(format!("{key}2"), value);
        }
    }
    Some(())
}

/// Whether one path is the other, or leads to it; list elements move, so their numbers do not count.
fn related(a: &FieldPath, b: &FieldPath) -> bool {
    let same = |(a, b): (&Segment, &Segment)| match (a, b) {
        (Segment::Index(_), Segment::Index(_)) => true,
        (a, b) => a == b,
    };
    a.segments().iter().zip(b.segments()).all(same)
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_single_edit_is_refused_and_named(
        object in wild::custom_resource(),
        place in any::<Index>(),
        edit in prop::sample::select([Edit::Replace, Edit::Remove, Edit::Add, Edit::Swap, Edit::Rename].as_slice()),
        new in wild::tree(wild::scalar()),
    ) {
        let good = signed(object);
        let mut all = Vec::new();
        places(&good, &FieldPath::root(), &mut all);
        let path = place.get(&all);
        let mut bad = good.clone();
        prop_assume!(apply(&mut bad, path, edit, new).is_some() && bad != good);
        let decision = demand().judge(&bad);
        let reason = decision.headline();
        // Whoever takes the annotations away takes the signature away.
        let unsigned = bad["metadata"]["annotations"] != good["metadata"]["annotations"]
            && bad.pointer("/metadata/annotations/cosign.sigstore.dev~1message").is_none();
        match reason.code() {
            "manifest-differs" => {
                let changed = reason.changed_paths();
                prop_assert!(changed.iter().any(|change| related(change, path)), "{path}: {changed:?}");
            }
            "target-mismatch" => {
                let names = ["apiVersion", "kind", "metadata"].map(|key| Segment::Key(key.to_owned()));
                prop_assert!(names.contains(&path.segments()[0]), "{path}");
            }
            code => prop_assert!(unsigned && code == "signature-missing", "{path}: {code}: {reason}"),
        }
        prop_assert_eq!(decision.outcome(), Outcome::Fail);
    }
}
