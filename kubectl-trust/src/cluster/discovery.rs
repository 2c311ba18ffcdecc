//! Which kinds a cluster knows: one read a group of APIs (aggregated discovery, Kubernetes 1.27 and
//! later).

use anyhow::bail;
use serde_json::Value;

use super::client::{Client, ClusterError};

/// A kind at one version, and the names people give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) namespaced: bool,
}

impl Resource {
    /// `apps/v1`, or `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Where its objects are read.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        let namespace = namespace.map(|name| format!("/namespaces/{}", super::client::escaped(name)));
        format!("/{root}/{}{}/{}", self.api_version(), namespace.unwrap_or_default(), self.plural)
    }

    fn is_called(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let (name, group) = match name.split_once('.') {
            Some((name, group)) => (name.to_owned(), Some(group.to_owned())),
            None => (name, None),
        };
        let names = [self.plural.clone(), self.singular.clone(), self.kind.to_ascii_lowercase()];
        let called = names.iter().chain(&self.short_names).any(|known| known.to_ascii_lowercase() == name);
        let versioned = format!("{}.{}", self.version, self.group);
        called && group.is_none_or(|group| group == self.group || group == versioned)
    }
}

/// Every kind of the cluster; a group's preferred version comes first.
///
/// # Errors
/// No answer, or one in a format of before 1.27.
pub(crate) async fn resources(client: &Client) -> anyhow::Result<Vec<Resource>> {
    const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    let mut resources = Vec::new();
    for path in ["/api", "/apis"] {
        let answer = client.get_as(path, ACCEPT).await;
        let groups = answer.map_err(|error| match error {
            ClusterError::NotFound => anyhow::anyhow!("{}: this is not an API server", client.server()),
            error @ (ClusterError::Forbidden(_) | ClusterError::Other(_)) => {
                anyhow::Error::new(error).context(client.server().to_owned())
            }
        })?;
        read_groups(&groups, &mut resources);
    }
    if resources.is_empty() {
        bail!("{}: it does not list its kinds in the format of Kubernetes 1.27 or later", client.server());
    }
    Ok(resources)
}

fn read_groups(answer: &Value, resources: &mut Vec<Resource>) {
    for group in list(answer, "items") {
        let name = group.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        for version in list(group, "versions") {
            let version_name = text(version, "version");
            let read = |resource| read_resource(name, &version_name, resource);
            resources.extend(list(version, "resources").iter().map(read));
        }
    }
}

fn read_resource(group: &str, version: &str, resource: &Value) -> Resource {
    let kind = resource.get("responseKind").map(|kind| text(kind, "kind")).unwrap_or_default();
    let singular = Some(text(resource, "singularResource")).filter(|name| !name.is_empty());
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        singular: singular.unwrap_or_else(|| kind.to_ascii_lowercase()),
        kind,
        plural: text(resource, "resource"),
        short_names: list(resource, "shortNames")
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        namespaced: text(resource, "scope") == "Namespaced",
    }
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The kind that people call `name`: its kind, plural, singular or short name, `deployments.apps` where
/// two groups share one.
///
/// # Errors
/// No such kind.
pub(crate) fn find<'r>(resources: &'r [Resource], name: &str) -> anyhow::Result<&'r Resource> {
    match resources.iter().find(|resource| resource.is_called(name)) {
        Some(resource) => Ok(resource),
        None => bail!("the cluster knows no kind `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Vec<Resource> {
        let answer = json!({"items": [{"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
            {"resource": "deployments", "singularResource": "deployment", "shortNames": ["deploy"],
             "scope": "Namespaced", "responseKind": {"kind": "Deployment"}}]}]}]});
        let mut resources = Vec::new();
        read_groups(&answer, &mut resources);
        resources
    }

    #[test]
    fn a_kind_has_many_names() {
        let resources = known();
        for name in ["deploy", "Deployment", "deployments", "deployments.apps", "deployments.v1.apps"] {
            let path = find(&resources, name).unwrap().path(Some("a b"));
            assert_eq!(path, "/apis/apps/v1/namespaces/a%20b/deployments", "{name}");
        }
        for name in ["deployments.extensions", "pod", "", "."] {
            assert!(find(&resources, name).is_err(), "{name}");
        }
    }
}
