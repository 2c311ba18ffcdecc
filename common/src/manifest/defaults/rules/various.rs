//! Computed effects of the other kinds.

use serde_json::{Map, Value};

use super::super::site::Site;

/// The name of a Namespace as its label.
pub(in super::super) fn namespace_label(site: &Site<'_>) -> Option<Value> {
    site.signed_root(&["metadata", "name"]).filter(|name| name.is_string()).cloned()
}

/// Any object.
pub(in super::super) fn any_map(site: &Site<'_>) -> Option<Value> {
    site.here().filter(|value| value.is_object()).cloned()
}

/// Any list.
pub(in super::super) fn any_list(site: &Site<'_>) -> Option<Value> {
    site.here().filter(|value| value.is_array()).cloned()
}

/// `dataSourceRef` = the signed `dataSource`.
pub(in super::super) fn data_source_ref(site: &Site<'_>) -> Option<Value> {
    let mut source = site.signed(1, "dataSource")?.as_object()?.clone();
    source.entry("apiGroup").or_insert(Value::Null);
    Some(Value::Object(source))
}

/// Whether a signed `ClusterRole` leaves its rules to aggregation.
pub(in super::super) fn is_aggregated(site: &Site<'_>) -> bool {
    let rules = site.signed_root(&["rules"]).and_then(Value::as_array);
    site.signed_root(&["aggregationRule"]).is_some_and(Value::is_object) && rules.is_none_or(Vec::is_empty)
}

/// Whether a subject is a user or a group, whose API group has a default.
pub(in super::super) fn is_user_or_group(site: &Site<'_>) -> bool {
    matches!(site.signed_text(1, "kind"), Some("User" | "Group"))
}

/// `WidgetList` for `Widget`.
pub(in super::super) fn list_kind(site: &Site<'_>) -> Option<Value> {
    Some(format!("{}List", site.signed_text(1, "kind")?).into())
}

/// `widget` for `Widget`.
pub(in super::super) fn singular(site: &Site<'_>) -> Option<Value> {
    Some(site.signed_text(1, "kind")?.to_lowercase().into())
}

/// The defaults of a container limit where none were signed.
pub(in super::super) fn limit_defaults(site: &Site<'_>) -> Option<Value> {
    let limit = site.signed_object(1)?;
    let filled = if site.key() == "default" { defaults(limit) } else { default_requests(limit) };
    (is_container(limit) && !filled.is_empty()).then_some(Value::Object(filled))
}

/// The default of one resource.
pub(in super::super) fn limit_default(site: &Site<'_>) -> Option<Value> {
    let limit = site.signed_object(2)?;
    let filled = if site.key_above() == "default" { defaults(limit) } else { default_requests(limit) };
    filled.get(site.key()).filter(|_| is_container(limit)).cloned()
}

fn is_container(limit: &Map<String, Value>) -> bool {
    limit.get("type").is_some_and(|kind| kind == "Container")
}

/// `default`, completed by `max`.
fn defaults(limit: &Map<String, Value>) -> Map<String, Value> {
    completed(resources(limit, "default"), resources(limit, "max"))
}

/// `defaultRequest`, completed by `default`, then by `min`.
fn default_requests(limit: &Map<String, Value>) -> Map<String, Value> {
    let requests = completed(resources(limit, "defaultRequest"), defaults(limit));
    completed(requests, resources(limit, "min"))
}

fn resources(limit: &Map<String, Value>, field: &str) -> Map<String, Value> {
    limit.get(field).and_then(Value::as_object).cloned().unwrap_or_default()
}

fn completed(mut map: Map<String, Value>, from: Map<String, Value>) -> Map<String, Value> {
    for (resource, amount) in from {
        map.entry(resource).or_insert(amount);
    }
    map
}
