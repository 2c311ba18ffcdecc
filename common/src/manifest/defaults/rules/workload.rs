//! Computed effects of workload kinds.

use serde_json::{Map, Value, json};

use super::super::site::Site;

/// Whether the strategy around this place rolls (or says nothing, which means the same).
pub(in super::super) fn is_rolling(site: &Site<'_>) -> bool {
    matches!(site.signed_text(1, "type"), None | Some("RollingUpdate"))
}

/// The labels of the signed pod template, where it has any.
pub(in super::super) fn template_labels(site: &Site<'_>) -> Option<Value> {
    signed_template_labels(site).filter(|labels| !labels.is_empty()).cloned().map(Value::Object)
}

/// Borrowed: a copy of the map for each label would make a Job with many labels take quadratic time.
fn signed_template_labels<'w>(site: &Site<'w>) -> Option<&'w Map<String, Value>> {
    site.signed_root(&["spec", "template", "metadata", "labels"])?.as_object()
}

/// A label that an object without labels takes over from its template.
pub(in super::super) fn template_label(site: &Site<'_>) -> Option<Value> {
    has_no_labels(site).then_some(())?;
    signed_template_labels(site)?.get(site.key()).cloned()
}

/// Whether the signed object has no labels of its own.
fn has_no_labels(site: &Site<'_>) -> bool {
    site.signed_object(1).is_none_or(Map::is_empty)
}

/// 6, or no limit where the signed Job limits each index.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every rule")]
pub(in super::super) fn backoff_limit(site: &Site<'_>) -> Option<Value> {
    Some(site.signed(1, "backoffLimitPerIndex").map_or(6, |_| i32::MAX).into())
}

/// 1, but only where `parallelism` is not signed either: such a Job is a work queue.
pub(in super::super) fn completions(site: &Site<'_>) -> Option<Value> {
    site.signed(1, "parallelism").is_none().then(|| 1.into())
}

/// `Failed` with a pod failure policy.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every rule")]
pub(in super::super) fn pod_replacement(site: &Site<'_>) -> Option<Value> {
    Some(site.signed(1, "podFailurePolicy").map_or("TerminatingOrFailed", |_| "Failed").into())
}

/// The generated labels of a Job are bound to the object's own `uid` and name, so that a Job cannot be
/// made to adopt the Pods of another one.
fn generated(site: &Site<'_>, key: &str) -> Option<Value> {
    let manual = site.signed_root(&["spec", "manualSelector"]).is_some_and(|manual| *manual == json!(true));
    let field = match key.strip_prefix("batch.kubernetes.io/").unwrap_or(key) {
        "controller-uid" => "uid",
        "job-name" => "name",
        _ => return None,
    };
    let value = site.found_root(&["metadata", field])?.as_str().filter(|text| !text.is_empty())?;
    (!manual).then(|| value.into())
}

/// One generated label.
pub(in super::super) fn job_label(site: &Site<'_>) -> Option<Value> {
    generated(site, site.key())
}

/// Generated labels where none were signed: those of the keys found that the server generates.
pub(in super::super) fn job_labels(site: &Site<'_>) -> Option<Value> {
    labels_of(site, site.here()?)
}

fn labels_of(site: &Site<'_>, found: &Value) -> Option<Value> {
    let keys = found.as_object()?.keys();
    let labels: Map<_, _> = keys.filter_map(|key| Some((key.clone(), generated(site, key)?))).collect();
    (!labels.is_empty()).then_some(Value::Object(labels))
}

/// `{labels: {...}}` where no template metadata was signed.
pub(in super::super) fn job_template(site: &Site<'_>) -> Option<Value> {
    Some(json!({"labels": labels_of(site, site.here()?.get("labels")?)?}))
}

/// The selector by `controller-uid`, under its present or its former name.
pub(in super::super) fn job_selector(site: &Site<'_>) -> Option<Value> {
    Some(json!({"matchLabels": selector_of(site, site.here()?.get("matchLabels")?)?}))
}

/// The labels of that selector.
pub(in super::super) fn job_match_labels(site: &Site<'_>) -> Option<Value> {
    selector_of(site, site.here()?)
}

fn selector_of(site: &Site<'_>, found: &Value) -> Option<Value> {
    let former = found.get("controller-uid").is_some();
    let key = if former { "controller-uid" } else { "batch.kubernetes.io/controller-uid" };
    Some(json!({key: generated(site, key)?}))
}

/// A label that a Job without labels takes over from its template. The template itself is compared in
/// its own place.
pub(in super::super) fn job_own_label(site: &Site<'_>) -> Option<Value> {
    has_no_labels(site).then_some(())?;
    site.found_root(&["spec", "template", "metadata", "labels"])?.get(site.key()).cloned()
}
