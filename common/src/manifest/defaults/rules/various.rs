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
    let filled = completed(limit, if site.key() == "default" { DEFAULT } else { DEFAULT_REQUEST });
    (is_container(limit) && !filled.is_empty()).then_some(Value::Object(filled))
}

/// The default of one resource. It is looked up: completed maps for each resource would make a limit of
/// many resources take quadratic time.
pub(in super::super) fn limit_default(site: &Site<'_>) -> Option<Value> {
    let limit = site.signed_object(2).filter(|limit| is_container(limit))?;
    let fields = if site.key_above() == "default" { DEFAULT } else { DEFAULT_REQUEST };
    fields.iter().find_map(|field| limit.get(*field)?.as_object()?.get(site.key())).cloned()
}

fn is_container(limit: &Map<String, Value>) -> bool {
    limit.get("type").is_some_and(|kind| kind == "Container")
}

/// Where the default limit of a resource comes from; the first that names it counts.
const DEFAULT: &[&str] = &["default", "max"];

/// Where the default request of a resource comes from.
const DEFAULT_REQUEST: &[&str] = &["defaultRequest", "default", "max", "min"];

/// The resources of all these fields.
fn completed(limit: &Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let mut map = Map::new();
    let resources = fields.iter().filter_map(|field| limit.get(*field)?.as_object()).flatten();
    for (resource, amount) in resources {
        map.entry(resource.as_str()).or_insert_with(|| amount.clone());
    }
    map
}
