//! The labels of namespaces, for rules that select by them.

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, ResourceExt as _};
use std::sync::Arc;

use super::watching;
use crate::webhook::server::Server;

/// Keeps the labels in step with the cluster, for as long as the process lives.
pub(crate) async fn follow(client: Client, server: Arc<Server>) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(client);
    let mut events = watching::watch(api, Config::default(), "Namespace");
    let mut listed = None;
    while let Some(event) = events.next().await {
        let namespaces = &server.engine().namespaces;
        match event {
            Event::Init => listed = Some(Vec::new()),
            Event::InitApply(namespace) => {
                listed.get_or_insert_default().push((namespace.name_any(), namespace.labels().clone()));
            }
            Event::InitDone => namespaces.replace(listed.take().unwrap_or_default()),
            Event::Apply(namespace) => namespaces.put(namespace.name_any(), namespace.labels().clone()),
            Event::Delete(namespace) => namespaces.remove(&namespace.name_any()),
        }
    }
}
