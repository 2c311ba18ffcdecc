//! The policies of the cluster, and what belongs to them: watched where their kinds exist, compiled, put in force.

use std::sync::Arc;
use std::time::Duration;

use common::dialect;
use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tracing::{error, info, warn};

use super::assembly::{Assembly, Broken, Change, Kind, Settings};
use super::status::{Condition, Writers};
use super::watching;
use crate::snapshot::Snapshot;
use crate::webhook;
use crate::webhook::admit::Engine;
use crate::webhook::server::Server;
use crate::{clock, supervision};

/// Changes that may wait to be taken in.
const WAITING: usize = 256;

/// How often documents are looked at again: whether other managers still write their status, and whether what could not
/// be written can be.
const LOOK_AGAIN: Duration = Duration::from_secs(120);

/// Keeps the snapshot in step with the cluster, for as long as the process lives. Where one of the watches ends, all
/// end, to be started anew: a kind that nobody watches looks like one without policies.
pub(crate) async fn follow(client: Client, server: Arc<Server>, settings: Settings) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut watches = JoinSet::new();
    for kind in &dialect::KINDS {
        watches.spawn(watch(client.clone(), kind, sender.clone()));
    }
    drop(sender);
    tokio::select! {
        () = first_end(&mut watches) => {}
        () = assemble(receiver, Assembly::new(settings), &client, &server) => {}
    }
}

/// Waits until one of several tasks ends, in whatever way; its panic goes on here.
async fn first_end(tasks: &mut JoinSet<()>) {
    if let Some(Err(ended)) = tasks.join_next().await
        && ended.is_panic()
    {
        std::panic::resume_unwind(ended.into_panic());
    }
}

fn resource(kind: Kind) -> ApiResource {
    let version = kind.versions.first().copied().unwrap_or_default();
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(kind.group, version, kind.kind), kind.plural)
}

async fn watch(client: Client, kind: Kind, changes: mpsc::Sender<(Kind, Change)>) {
    let of = resource(kind);
    let api: Api<DynamicObject> = Api::all_with(client, &of);
    let mut events = watching::watch(api, Config::default(), kind.kind);
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
                    error!(kind = kind.kind, name = object.name_any(), %error, "cannot be read");
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
    let (mut waiting, mut number) = (Vec::new(), 0);
    let mut engines = server.engine().engines.subscribe();
    let mut look_again = interval(LOOK_AGAIN);
    loop {
        tokio::select! {
            // All that came in the meantime at once: a thousand policies are one snapshot.
            came = changes.recv_many(&mut waiting, WAITING) => if came == 0 { return },
            Ok(()) = engines.changed() => assembly.look_again(),
            _ = look_again.tick() => assembly.look_again(),
        }
        for (kind, change) in waiting.drain(..) {
            let change = signed(change, server.engine()).await;
            let broken = assembly.take(kind, &change);
            if let Some(Broken { called, problem }) = broken {
                warn!("{called}: {problem}");
            }
        }
        if assembly.take_changed()
            && let Some(set) = assembly.set()
        {
            let (policies, exceptions, trust_roots) =
                (set.policies.len(), set.exceptions.len(), set.trust_roots.len());
            number = server.engine().snapshots.put(Snapshot::of_cluster(set));
            info!(policies, exceptions, trust_roots, broken = assembly.broken(), "policies in force");
            server.engine().metrics.ready(assembly.readiness());
        }
        if number > 0 {
            let writers = Writers { engines: &server.engine().engines, now: clock::now() };
            let conditions = assembly.conditions(&writers);
            if !conditions.is_empty() {
                let telling = tell(client.clone(), Arc::clone(server), number, conditions);
                supervision::watch_over("status", Arc::clone(server), telling);
            }
        }
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
    if timeout(PATIENCE, server.engine().snapshots.until_registered(number)).await.is_err() {
        return;
    }
    for (kind, condition) in conditions {
        condition.tell(&client, &resource(kind), clock::now()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ends() {
        tokio::task::yield_now().await;
    }

    async fn panics() {
        tokio::task::yield_now().await;
        panic!("injected");
    }

    fn beside_one_that_goes_on(task: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        tasks.spawn(task);
        tasks
    }

    /// A watch that ends without a panic is silent from then on, just like one that panics.
    #[tokio::test]
    async fn a_watch_that_ends_ends_all() {
        let mut tasks = beside_one_that_goes_on(ends());
        timeout(Duration::from_secs(5), first_end(&mut tasks)).await.unwrap();
        let mut tasks = beside_one_that_goes_on(panics());
        let ended = tokio::spawn(async move { first_end(&mut tasks).await }).await;
        assert!(ended.unwrap_err().is_panic());
    }
}
