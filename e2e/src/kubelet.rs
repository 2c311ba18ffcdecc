//! What a kubelet does to Pods, where there is none: it says that they run, or have ended.

use serde_json::{Value, json};

use crate::apiserver::ApiServer;

/// Says of every Pod of a namespace that waits that it runs and is ready.
///
/// # Errors
/// kubectl cannot be run. Pods that are gone meanwhile are passed over.
pub fn run_pods(api: &ApiServer, namespace: &str) -> anyhow::Result<()> {
    report(api, namespace, "Pending", &running)
}

/// Says of every Pod of a namespace that has not ended that it has, well.
///
/// # Errors
/// As [`run_pods`].
pub fn end_pods(api: &ApiServer, namespace: &str) -> anyhow::Result<()> {
    report(api, namespace, "Pending", &|_| json!({"phase": "Succeeded"}))
}

fn running(pod: &Value) -> Value {
    let container = |container: &Value| {
        json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": true,
            "restartCount": 0, "resources": container["resources"], "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}})
    };
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let containers: Vec<_> = containers.into_iter().flatten().map(container).collect();
    let conditions: Vec<_> = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .iter()
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}))
        .collect();
    json!({"phase": "Running", "conditions": conditions, "containerStatuses": containers})
}

fn report(
    api: &ApiServer,
    namespace: &str,
    phase: &str,
    status: &dyn Fn(&Value) -> Value,
) -> anyhow::Result<()> {
    let pods = api.kubectl(["get", "pods", "-n", namespace, "-o", "json"])?.success()?;
    let pods: Value = serde_json::from_str(&pods)?;
    for pod in pods["items"].as_array().into_iter().flatten() {
        let waits = pod["status"]["phase"] == phase && pod["metadata"]["deletionTimestamp"].is_null();
        let Some(name) = pod["metadata"]["name"].as_str().filter(|_| waits) else { continue };
        let patch = json!({"status": status(pod)}).to_string();
        api.kubectl(["patch", "pod", name, "-n", namespace, "--subresource=status", "-p", &patch])?;
    }
    Ok(())
}
