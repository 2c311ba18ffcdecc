//! Whether other engines are there: by the webhook configurations that they keep.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::join_all;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, ResourceExt as _};
use tracing::info;

use super::watching;
use crate::engines::{ENGINES, OtherEngine};
use crate::webhook::server::Server;

/// Keeps in step which engines are there, for as long as the process lives.
pub(crate) async fn follow(client: Client, server: Arc<Server>) {
    join_all(ENGINES.iter().map(|engine| watch(client.clone(), engine, &server))).await;
}

async fn watch(client: Client, engine: &'static OtherEngine, server: &Server) {
    let api: Api<PartialObjectMeta<ValidatingWebhookConfiguration>> = Api::all(client);
    let labelled = Config::default().labels(engine.label);
    let mut events = watching::watch(api, labelled, "ValidatingWebhookConfiguration");
    let (mut names, mut listed) = (BTreeSet::new(), BTreeSet::new());
    while let Some(event) = events.next().await {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(found) => drop(listed.insert(found.name_any())),
            Event::InitDone => names = std::mem::take(&mut listed),
            Event::Apply(found) => drop(names.insert(found.name_any())),
            Event::Delete(found) => drop(names.remove(&found.name_any())),
        }
        // While they are listed anew, what was there stays there.
        let engines = &server.engine().engines;
        if engines.is_present(engine.group) == names.is_empty() {
            info!(engine = engine.name, here = !names.is_empty(), "another engine in this cluster");
        }
        engines.note(engine, !names.is_empty());
    }
}
