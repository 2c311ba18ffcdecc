//! The policies of the cluster, and what belongs to them: watched where their kinds exist, compiled, put in force.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::assembly::{Assembly, Broken, Change, Kind};
use super::status::Condition;
use super::watching;
use crate::clock;
use crate::resources;
use crate::snapshot::Snapshot;
use crate::webhook;
use crate::webhook::admit::Engine;
use crate::webhook::server::Server;

/// Kinds that are watched: kind, group, version, plural.
const KINDS: [(Kind, &str, &str, &str); 6] = [
    ("ClusterTrustPolicy", resources::GROUP, resources::VERSION, "clustertrustpolicies"),
    ("TrustPolicy", resources::GROUP, resources::VERSION, "trustpolicies"),
    ("TrustRoot", resources::GROUP, resources::VERSION, "trustroots"),
    ("ClusterPolicy", "kyverno.io", "v1", "clusterpolicies"),
    ("Policy", "kyverno.io", "v1", "policies"),
    (EXCEPTION, "kyverno.io", "v2", "policyexceptions"),
];
/// It has no status.
const EXCEPTION: Kind = "PolicyException";

/// Changes that may wait to be taken in.
const WAITING: usize = 256;

/// Keeps the snapshot in step with the cluster, for as long as the process lives.
pub(crate) async fn follow(client: Client, server: Arc<Server>, exceptions_from: BTreeSet<String>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    for of in KINDS.iter().filter_map(|(kind, ..)| Some((*kind, resource(kind)?))) {
        tokio::spawn(watch(client.clone(), of, sender.clone()));
    }
    drop(sender);
    let kinds = KINDS.map(|(kind, ..)| kind);
    assemble(receiver, Assembly::new(kinds, exceptions_from), &client, &server).await;
}

fn resource(kind: Kind) -> Option<ApiResource> {
    let (kind, group, version, plural) = KINDS.iter().find(|(known, ..)| *known == kind)?;
    Some(ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural))
}

async fn watch(client: Client, (kind, of): (Kind, ApiResource), changes: mpsc::Sender<(Kind, Change)>) {
    let api: Api<DynamicObject> = Api::all_with(client, &of);
    let mut events = watching::watch(api, Config::default(), kind);
    while let Some(event) = events.next().await {
        let change = match event {
            Event::Init => Change::Begin,
            Event::InitDone => Change::Done,
            Event::Delete(object) => {
                Change::Gone { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
            }
            Event::Apply(object) | Event::InitApply(object) => match document(&object, &of) {
                Ok(document) => Change::Put(Box::new(document)),
                Err(error) => {
                    error!(kind, name = object.name_any(), %error, "cannot be read");
                    continue;
                }
            },
        };
        if changes.send((kind, change)).await.is_err() {
            return;
        }
    }
}

/// The object as a document: items of lists come without `apiVersion` and `kind`.
fn document(object: &DynamicObject, of: &ApiResource) -> serde_json::Result<Value> {
    let mut document = serde_json::to_value(object)?;
    document["apiVersion"] = of.api_version.clone().into();
    document["kind"] = of.kind.clone().into();
    Ok(document)
}

async fn assemble(
    mut changes: mpsc::Receiver<(Kind, Change)>,
    mut assembly: Assembly,
    client: &Client,
    server: &Arc<Server>,
) {
    let mut waiting = Vec::new();
    // All that came in the meantime at once: a thousand policies are one snapshot.
    while changes.recv_many(&mut waiting, WAITING).await > 0 {
        for (kind, change) in waiting.drain(..) {
            let change = signed(change, server.engine()).await;
            let broken = assembly.take(kind, &change);
            if let Some(Broken { called, problem }) = broken {
                warn!("{called}: {problem}");
            }
        }
        let Some(set) = assembly.set() else { continue };
        let (policies, exceptions, trust_roots) =
            (set.policies.len(), set.exceptions.len(), set.trust_roots.len());
        let number = server.engine().snapshots.put(Snapshot::of_cluster(set));
        info!(policies, exceptions, trust_roots, broken = assembly.broken(), "policies in force");
        let with_status = |(kind, _): &(Kind, Condition)| *kind != EXCEPTION;
        let conditions = assembly.conditions().into_iter().filter(with_status).collect();
        tokio::spawn(tell(client.clone(), Arc::clone(server), number, conditions));
    }
}

/// The change as it counts, where policies must be signed.
async fn signed(change: Change, engine: &Engine) -> Change {
    let Change::Put(object) = change else { return change };
    match webhook::signed::problem(&object, engine).await {
        Some(problem) => Change::Refused(object, problem),
        None => Change::Put(object),
    }
}

/// How long to wait for the API server to be told of policies before their state is told to people.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes what policies say of themselves, once it is so: a policy must not be called ready before the API server asks
/// about what it is about.
async fn tell(client: Client, server: Arc<Server>, number: u64, conditions: Vec<(Kind, Condition)>) {
    if conditions.is_empty()
        || timeout(PATIENCE, server.engine().snapshots.until_registered(number)).await.is_err()
    {
        return;
    }
    for (kind, condition) in conditions {
        if let Some(of) = resource(kind) {
            condition.write(&client, &of, clock::now()).await;
        }
    }
}
