//! The bindings of roles, for rules that select by roles of users.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};
use serde::de::DeserializeOwned;

use super::watching;
use crate::roles::{Grant, Kind};
use crate::webhook::server::Server;

/// Keeps the roles in step with the cluster, for as long as the process lives.
pub(crate) async fn follow(client: Client, server: Arc<Server>) {
    let roles: Api<RoleBinding> = Api::all(client.clone());
    let cluster_roles: Api<ClusterRoleBinding> = Api::all(client);
    // Neither ends by itself; without one of them, roles would be taken for unbound.
    tokio::select! {
        () = watch(roles, Kind::Role, "RoleBinding", &server) => {}
        () = watch(cluster_roles, Kind::ClusterRole, "ClusterRoleBinding", &server) => {}
    }
}

async fn watch<K>(api: Api<K>, kind: Kind, what: &'static str, server: &Server)
where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    Grant: for<'k> From<&'k K>,
{
    let roles = &server.engine().roles;
    let mut events = watching::watch(api, Config::default(), what);
    let mut listed = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(binding) => listed.push(Grant::from(&binding)),
            Event::InitDone => roles.replace(kind, std::mem::take(&mut listed)),
            Event::Apply(binding) => roles.put(Grant::from(&binding)),
            Event::Delete(binding) => roles.remove(&Grant::from(&binding)),
        }
    }
}
