//! The service account token that the admission plugin `ServiceAccount` mounts into Pods.
//!
//! The one volume a Pod may gain. Everything but five letters of its name is fixed: a projected Secret,
//! another audience or another path is an attack, not an effect.

use serde_json::{Value, json};

use super::super::site::{Site, dig};

const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PREFIX: &str = "kube-api-access-";

/// The token volume, as the first volume behind the signed ones.
pub(in super::super) fn volume(site: &Site<'_>) -> Option<Value> {
    if site.added()? != 0 || is_declined(site, 2) {
        return None;
    }
    let found = site.here().and_then(|volume| volume.get("name")).and_then(Value::as_str);
    let taken = |name: &str| site.signed_list(1).iter().any(|v| v.get("name").is_some_and(|n| n == name));
    let name = found.filter(|name| is_generated(name) && !taken(name)).unwrap_or("kube-api-access-xxxxx");
    Some(json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
        ]}},
    ]}}))
}

/// The mount of that volume, as the first mount behind the signed ones of a container.
pub(in super::super) fn mount(site: &Site<'_>) -> Option<Value> {
    let occupied = |mount: &Value| mount.get("mountPath").is_some_and(|path| path == MOUNT_PATH);
    if site.added()? != 0 || is_declined(site, 4) || site.signed_list(1).iter().any(occupied) {
        return None;
    }
    let at = site.signed(4, "volumes").and_then(Value::as_array).map_or(0, Vec::len);
    let name = dig(site.found(4, "volumes")?.get(at)?, &["name"])?.as_str()?;
    is_generated(name).then(|| json!({"mountPath": MOUNT_PATH, "name": name, "readOnly": true}))
}

/// Whether the signed Pod wants no token.
fn is_declined(site: &Site<'_>, pod: usize) -> bool {
    site.signed(pod, "automountServiceAccountToken").is_some_and(|on| *on == json!(false))
}

fn is_generated(name: &str) -> bool {
    let Some(random) = name.strip_prefix(PREFIX) else { return false };
    random.len() == 5 && random.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}
