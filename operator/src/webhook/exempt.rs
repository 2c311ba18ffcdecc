//! Requests that no policy is asked about. Each has a reason that the audit log keeps.

use common::policy::Operation;
use serde_json::{Map, Value};

use super::review::Request;

/// Why no policy is asked; `None` where they are.
///
/// Only what cannot bring anything in is here. An object that is being deleted is none of it: attack: whoever
/// may set a finalizer deletes an object first and changes its images then. What it may still do is lose
/// finalizers, or it would stay for ever once its signature is no longer trusted.
pub(super) fn why(request: &Request) -> Option<&'static str> {
    match request.operation {
        Operation::Delete => Some("an object that goes away is not verified"),
        Operation::Update if loses_finalizers_only(request) => {
            Some("the object is being deleted, and nothing but its bookkeeping changes")
        }
        Operation::Create | Operation::Update | Operation::Connect => None,
    }
}

/// Fields of `metadata` that the API server and controllers change while an object goes away. Nothing runs
/// otherwise because of them.
const BOOKKEEPING: [&str; 6] = [
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "resourceVersion",
];

fn loses_finalizers_only(request: &Request) -> bool {
    let (Some(old), new) = (&request.old_object, &request.object) else { return false };
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return false };
    let (Some(before), Some(after)) = (metadata(old), metadata(new)) else { return false };
    // Of the stored object: what the request says of itself proves nothing.
    before.contains_key("deletionTimestamp")
        && same_but(old, new, &["metadata", "status"])
        && same_but(before, after, &BOOKKEEPING)
        && finalizers(after).iter().all(|one| finalizers(before).contains(one))
}

fn metadata(object: &Map<String, Value>) -> Option<&Map<String, Value>> {
    object.get("metadata").and_then(Value::as_object)
}

fn finalizers(metadata: &Map<String, Value>) -> &[Value] {
    metadata.get("finalizers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn same_but(old: &Map<String, Value>, new: &Map<String, Value>, but: &[&str]) -> bool {
    let within = |a: &Map<String, Value>, b: &Map<String, Value>| {
        a.iter().all(|(key, value)| but.contains(&key.as_str()) || b.get(key) == Some(value))
    };
    within(old, new) && within(new, old)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::webhook::review::tests::request;

    fn update(old: &Value, new: &Value) -> Request {
        request("UPDATE", new, Some(old))
    }

    fn going(finalizers: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": finalizers}, "spec": {"image": "x"}, "status": {"phase": "Running"}})
    }

    #[test]
    fn a_removal_is_not_verified() {
        assert!(why(&request("DELETE", &Value::Null, Some(&going(&json!([]))))).is_some());
        assert!(why(&request("CREATE", &going(&json!([])), None)).is_none());
        assert!(why(&request("CONNECT", &json!({}), None)).is_none());
    }

    /// Attack A11: an object that is being deleted is changed.
    #[test]
    fn a11_what_goes_away_may_lose_finalizers_and_nothing_else() {
        let old = going(&json!(["a", "b"]));
        let changed = |pointer: &str, value: Value| {
            let mut new = going(&json!(["a"]));
            *new.pointer_mut(pointer).unwrap() = value;
            why(&update(&old, &new)).is_some()
        };
        assert!(changed("/metadata/finalizers", json!(["b"])));
        assert!(changed("/metadata/finalizers", json!([])));
        assert!(changed("/status/phase", json!("Failed")));
        assert!(!changed("/metadata/finalizers", json!(["a", "c"])));
        assert!(!changed("/spec/image", json!("evil")));
        assert!(!changed("/metadata/name", json!("b")));
        assert!(!changed("/metadata", json!({"annotations": {"a": "b"}})));
        let mut more = going(&json!(["a"]));
        more["extra"] = json!(1);
        assert!(why(&update(&old, &more)).is_none());
        // Attack: the request says of itself that the object is being deleted.
        let mut alive = old.clone();
        alive["metadata"].as_object_mut().unwrap().remove("deletionTimestamp");
        assert!(why(&update(&alive, &going(&json!(["a"])))).is_none());
        assert!(why(&request("UPDATE", &going(&json!(["a"])), None)).is_none());
    }
}
