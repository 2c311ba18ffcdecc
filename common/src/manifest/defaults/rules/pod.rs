//! Computed effects in pod specs.

use serde_json::{Value, json};

use super::super::site::Site;

/// Each of `serviceAccount` and `serviceAccountName` fills the other.
pub(in super::super) fn account_of_alias(site: &Site<'_>) -> Option<Value> {
    let other = if site.key() == "serviceAccount" { "serviceAccountName" } else { "serviceAccount" };
    site.signed_text(1, other).map(Value::from)
}

/// The account `default`, where the signed Pod names none.
pub(in super::super) fn default_account(site: &Site<'_>) -> Option<Value> {
    let named = ["serviceAccount", "serviceAccountName"].iter().any(|key| site.signed_text(1, key).is_some());
    (!named).then(|| "default".into())
}

/// `imagePullPolicy` of a container by its image.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every rule")]
pub(in super::super) fn pull_policy(site: &Site<'_>) -> Option<Value> {
    Some(policy_of(site.signed_text(1, "image").unwrap_or_default()).into())
}

/// `pullPolicy` of an image volume by its reference.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every rule")]
pub(in super::super) fn volume_pull_policy(site: &Site<'_>) -> Option<Value> {
    Some(policy_of(site.signed_text(1, "reference").unwrap_or_default()).into())
}

/// `Always` for the tag `latest`, which an image with neither tag nor digest has too. A `:` before the
/// last `/` is a port. (`SetDefaults_Container` and `ParseImageName` of Kubernetes.)
fn policy_of(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let name = name.rsplit('/').next().unwrap_or_default();
    let latest = match name.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => !name.is_empty() && digest.is_none(),
    };
    if latest { "Always" } else { "IfNotPresent" }
}

/// `emptyDir: {}` for a volume without a source.
pub(in super::super) fn empty_dir(site: &Site<'_>) -> Option<Value> {
    let volume = site.signed_object(1)?;
    let bare = volume.iter().all(|(key, value)| key == "name" || value.is_null());
    bare.then(|| json!({}))
}

/// `requests` = `limits` where none are signed.
pub(in super::super) fn requests(site: &Site<'_>) -> Option<Value> {
    let limits = site.signed(1, "limits")?;
    limits.as_object().filter(|limits| !limits.is_empty())?;
    Some(limits.clone())
}

/// One request = the limit of that resource.
pub(in super::super) fn request(site: &Site<'_>) -> Option<Value> {
    site.signed(2, "limits")?.get(site.key()).cloned()
}

/// `hostPort` = `containerPort` of a Pod on the host's network.
pub(in super::super) fn host_port(site: &Site<'_>) -> Option<Value> {
    site.signed(5, "hostNetwork").filter(|on| **on == json!(true))?;
    site.signed(1, "containerPort").cloned()
}

/// Whether the Pod names no priority class.
pub(in super::super) fn has_no_class(site: &Site<'_>) -> bool {
    site.signed_text(1, "priorityClassName").is_none()
}

/// Any whole number, the value of the signed priority class.
pub(in super::super) fn class_priority(site: &Site<'_>) -> Option<Value> {
    let number = site.here().filter(|value| value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()));
    number.filter(|_| !has_no_class(site)).cloned()
}

/// One of the two policies, whichever the signed priority class has.
pub(in super::super) fn class_preemption(site: &Site<'_>) -> Option<Value> {
    let policy = site.here()?.as_str()?;
    (!has_no_class(site) && matches!(policy, "PreemptLowerPriority" | "Never")).then(|| policy.into())
}

/// The two tolerations that the admission plugin `DefaultTolerationSeconds` appends, in its order, each
/// unless a signed one covers it (any other toleration is a difference).
pub(in super::super) fn toleration(site: &Site<'_>) -> Option<Value> {
    let keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    // Asked first: reading the signed list for each of many added elements would take quadratic time.
    let added = site.added().filter(|added| *added < keys.len())?;
    let signed = site.signed_list(1);
    let missing = |key: &&str| !signed.iter().any(|toleration| covers(toleration, key));
    let key = *keys.iter().filter(|key| missing(key)).nth(added)?;
    Some(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}))
}

/// As the plugin decides: the same or no key, and `NoExecute` or no effect.
fn covers(toleration: &Value, taint: &str) -> bool {
    let text = |key: &str| toleration.get(key).and_then(Value::as_str).unwrap_or_default();
    matches!(text("effect"), "" | "NoExecute") && (text("key").is_empty() || text("key") == taint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pull_policy_follows_tag_and_digest() {
        for image in ["a", "a:latest", "r:5000/a", "r:5000/a/b:latest", "a:latest@sha256:00"] {
            assert_eq!(policy_of(image), "Always", "{image}");
        }
        for image in ["a:1", "r:5000/a:1", "a@sha256:00", "r:5000/a@sha256:00", "a:1@sha256:00", ""] {
            assert_eq!(policy_of(image), "IfNotPresent", "{image}");
        }
    }
}
