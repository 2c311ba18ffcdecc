//! Objects with very many parts: each of these took minutes when a rule read all parts for each of them.

use serde_json::{Map, Value, json};

use super::tests::{live, paths};
use crate::limits;

const PARTS: usize = 20_000;

fn parts(value: &Value) -> Map<String, Value> {
    (0..PARTS).map(|at| (format!("example.com/{at}"), value.clone())).collect()
}

/// The labels of a Job are taken over from its template one by one.
#[test]
fn a_job_with_many_labels_takes_linear_time() {
    let job = |labels: Value| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "labels": labels},
            "spec": {"template": {"metadata": {"labels": parts(&json!("x"))}}}})
    };
    let mut found = job(Value::Object(parts(&json!("x"))));
    assert_eq!(paths(&live(&job(Value::Null), &found)), [""; 0]);
    found["metadata"]["labels"]["example.com/7"] = json!("y");
    assert_eq!(paths(&live(&job(Value::Null), &found)), [r#"metadata.labels."example.com/7""#]);
}

/// Where a limit names one resource, the defaults of all others are filled in one by one.
#[test]
fn a_limit_of_many_resources_takes_linear_time() {
    let range = |default: Value, request: Value| {
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "a"},
            "spec": {"limits": [{"type": "Container", "max": parts(&json!("2")), "min": parts(&json!("1")),
                "default": default, "defaultRequest": request}]}})
    };
    let filled = |cpu: &str| {
        let mut all = parts(&json!("2"));
        all.insert("cpu".to_owned(), json!(cpu));
        Value::Object(all)
    };
    let signed = range(json!({"cpu": "5"}), json!({"cpu": "4"}));
    assert_eq!(paths(&live(&signed, &range(filled("5"), filled("4")))), [""; 0]);
    let mut other = range(filled("5"), filled("4"));
    other["spec"]["limits"][0]["defaultRequest"]["example.com/7"] = json!("1");
    assert_eq!(
        paths(&live(&signed, &other)),
        [r#"spec.limits[0].defaultRequest."example.com/7""#],
        "`max` comes before `min`"
    );
}

/// Each added toleration could be one that an admission plugin appends.
#[test]
fn a_pod_with_many_tolerations_takes_linear_time() {
    let pod = |tolerations: Vec<Value>| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"tolerations": tolerations}})
    };
    let one = json!({"key": "example.com/a", "operator": "Exists"});
    let found = pod(vec![one.clone(); 2 * PARTS]);
    for (signed, added) in [(one, PARTS), (Value::Null, 2 * PARTS)] {
        let comparison = live(&pod(vec![signed; PARTS]), &found);
        assert_eq!(comparison.differences.len(), limits::DIFFERENCES);
        assert!(comparison.omitted + limits::DIFFERENCES >= added, "{}", comparison.omitted);
    }
}
