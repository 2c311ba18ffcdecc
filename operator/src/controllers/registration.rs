//! Registers us with the API server: webhook configurations for the policies in force, and for no others.
//!
//! 1. What they should hold follows from the snapshot, from the kinds that the API server serves, and from the
//!    authority of our certificate. It is worked out anew when one of them changes, and every half minute, because
//!    kinds come and go.
//! 2. They are compared field by field with what is there, and replaced as a whole where anything differs. Attack:
//!    a condition that somebody adds to ours and that is never true (A44). Applying only our own fields would
//!    leave it.
//! 3. What nobody needs is deleted.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::discovery::Discovery;
use kube::runtime::watcher::Config;
use kube::{Api, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{interval, sleep};
use tracing::{error, info};

use super::watching;
use super::webhooks::{Configurations, NAME, POLICIES, Reach, Served, Settings, configurations};
use crate::engines::ENGINES;
use crate::snapshot::Snapshot;
use crate::webhook::server::Server;

/// How often the kinds that the API server serves are looked up.
const INTERVAL: Duration = Duration::from_secs(30);
/// Between two writes: somebody who writes ours as well must not make us write without end.
const PAUSE: Duration = Duration::from_millis(250);

/// What registration needs to know.
#[derive(Clone)]
pub(crate) struct Registration {
    /// How the API server reaches us.
    pub(crate) reach: Reach,
    /// Namespaces whose objects are not judged.
    pub(crate) exempt: Vec<String>,
    /// The `ClusterRole` with which the configurations go.
    pub(crate) owner: Option<String>,
    /// The authority of our certificate, as it changes.
    pub(crate) authority: watch::Receiver<Vec<u8>>,
}

/// Keeps the configurations as they should be, for as long as the process lives.
pub(crate) async fn follow(client: Client, server: Arc<Server>, registration: Registration) {
    let mut triggers = triggers(&client, &server, &registration);
    while triggers.next().await.is_some() {
        let Some(snapshot) = server.engine().snapshots.current() else { continue };
        let beside_others =
            ENGINES.iter().any(|engine| server.engine().engines.may_write_unreadable(engine.group));
        match register(&client, &snapshot, &registration, beside_others).await {
            Ok(()) => server.engine().snapshots.registered(&snapshot),
            Err(error) => error!("the webhook configurations may be out of date: {error:#}"),
        }
        sleep(PAUSE).await;
    }
}

/// Whatever may change what should be there, or what is.
fn triggers(client: &Client, server: &Server, registration: &Registration) -> BoxStream<'static, ()> {
    let ours = |name| Config::default().fields(&format!("metadata.name={name}"));
    let mutating: Api<PartialObjectMeta<MutatingWebhookConfiguration>> = Api::all(client.clone());
    let validating: Api<PartialObjectMeta<ValidatingWebhookConfiguration>> = Api::all(client.clone());
    let every = stream::unfold(interval(INTERVAL), async |mut interval| {
        interval.tick().await;
        Some(((), interval))
    });
    stream::select_all([
        changes(server.engine().snapshots.subscribe()),
        changes(registration.authority.clone()),
        changes(server.engine().engines.subscribe()),
        watching::watch(mutating, ours(NAME), "MutatingWebhookConfiguration").map(|_| ()).boxed(),
        watching::watch(validating.clone(), ours(NAME), "ValidatingWebhookConfiguration").map(|_| ()).boxed(),
        watching::watch(validating, ours(POLICIES), "ValidatingWebhookConfiguration").map(|_| ()).boxed(),
        every.boxed(),
    ])
    .boxed()
}

fn changes<T: Send + Sync + 'static>(receiver: watch::Receiver<T>) -> BoxStream<'static, ()> {
    let next = async |mut receiver: watch::Receiver<T>| {
        receiver.changed().await.ok()?;
        Some(((), receiver))
    };
    stream::unfold(receiver, next).boxed()
}

async fn register(
    client: &Client,
    snapshot: &Snapshot,
    registration: &Registration,
    beside_others: bool,
) -> anyhow::Result<()> {
    let served = served(client).await.context("the kinds that the API server serves")?;
    let authority = registration.authority.borrow().clone();
    let settings = Settings {
        reach: registration.reach.clone(),
        authority,
        exempt: registration.exempt.iter().cloned().collect(),
        owner: owner(client, registration.owner.as_deref()).await?,
        beside_others,
    };
    let Configurations { mutating, validating, policies } = configurations(snapshot, &served, &settings);
    put(Api::all(client.clone()), NAME, mutating).await.context("MutatingWebhookConfiguration")?;
    for (name, wanted) in [(NAME, validating), (POLICIES, policies)] {
        put(Api::all(client.clone()), name, wanted).await.context("ValidatingWebhookConfiguration")?;
    }
    Ok(())
}

/// Both kinds of configurations: metadata, and webhooks that can be compared.
trait Configuration: Clone + Debug + DeserializeOwned + Serialize {
    fn metadata(&mut self) -> &mut ObjectMeta;
    fn is_as(&self, wanted: &Self) -> bool;
    /// The same without conditions; `None` where there are none.
    fn without_conditions(&self) -> Option<Self>;
}

impl Configuration for MutatingWebhookConfiguration {
    fn metadata(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn without_conditions(&self) -> Option<Self> {
        let mut without = self.clone();
        let webhooks = without.webhooks.iter_mut().flatten();
        let taken = webhooks.filter_map(|webhook| webhook.match_conditions.take()).count();
        (taken > 0).then_some(without)
    }

    fn is_as(&self, wanted: &Self) -> bool {
        self.webhooks == wanted.webhooks && self.metadata.owner_references == wanted.metadata.owner_references
    }
}

impl Configuration for ValidatingWebhookConfiguration {
    fn metadata(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn without_conditions(&self) -> Option<Self> {
        let mut without = self.clone();
        let webhooks = without.webhooks.iter_mut().flatten();
        let taken = webhooks.filter_map(|webhook| webhook.match_conditions.take()).count();
        (taken > 0).then_some(without)
    }

    fn is_as(&self, wanted: &Self) -> bool {
        self.webhooks == wanted.webhooks && self.metadata.owner_references == wanted.metadata.owner_references
    }
}

/// Puts a configuration there, or takes it away. One whose conditions the API server does not take is put there
/// without any: then policies apply to more than they want to, and none of the others is gone.
async fn put<C: Configuration>(api: Api<C>, name: &str, wanted: Option<C>) -> kube::Result<()> {
    let without = wanted.as_ref().and_then(Configuration::without_conditions);
    match (put_as_it_is(&api, name, wanted).await, without) {
        (Err(kube::Error::Api(status)), Some(without)) if status.code == 422 => {
            error!(name, problem = status.message, "registered without the conditions of policies");
            put_as_it_is(&api, name, Some(without)).await
        }
        (result, _) => result,
    }
}

async fn put_as_it_is<C: Configuration>(api: &Api<C>, name: &str, wanted: Option<C>) -> kube::Result<()> {
    match (api.get_opt(name).await?, wanted) {
        (None, None) => {}
        (Some(_), None) => {
            api.delete(name, &DeleteParams::default()).await?;
            info!(name, "nobody needs the webhook configuration: deleted");
        }
        (None, Some(wanted)) => {
            api.create(&PostParams::default(), &wanted).await?;
            info!(name, "webhook configuration made");
        }
        (Some(found), Some(wanted)) if found.is_as(&wanted) => {}
        (Some(mut found), Some(mut wanted)) => {
            // Not over a change that was made since we looked.
            wanted.metadata().resource_version = found.metadata().resource_version.take();
            api.replace(name, &PostParams::default(), &wanted).await?;
            info!(name, "webhook configuration replaced");
        }
    }
    Ok(())
}

async fn owner(client: &Client, name: Option<&str>) -> anyhow::Result<Option<OwnerReference>> {
    let Some(name) = name else { return Ok(None) };
    let roles: Api<PartialObjectMeta<ClusterRole>> = Api::all(client.clone());
    let role = roles.get_metadata(name).await.with_context(|| format!("ClusterRole {name}"))?;
    Ok(Some(OwnerReference {
        api_version: "rbac.authorization.k8s.io/v1".to_owned(),
        kind: "ClusterRole".to_owned(),
        name: name.to_owned(),
        uid: role.metadata.uid.context("a ClusterRole without uid")?,
        ..OwnerReference::default()
    }))
}

/// Every kind that the API server serves, in every version.
async fn served(client: &Client) -> kube::Result<Vec<Served>> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await?;
    let mut served = Vec::new();
    for group in discovery.groups() {
        let resources = group.versions().flat_map(|version| group.versioned_resources(version));
        served.extend(resources.map(|(resource, capabilities)| {
            Served {
                group: resource.group,
                version: resource.version,
                kind: resource.kind,
                plural: resource.plural,
                subresources: capabilities
                    .subresources
                    .into_iter()
                    .map(|(of, _)| (of.plural.rsplit('/').next().unwrap_or_default().to_owned(), of.kind))
                    .collect(),
            }
        }));
    }
    Ok(served)
}
