//! What requests may ask of the world: registries, keys, trust roots.

use std::sync::Arc;

use common::policy::KeyRef;
use common::policy::images::RegistryCredentials;
use common::registry::cached::{Options, Stats};
use common::registry::credentials::Credentials;
use common::registry::http::Client;
use common::registry::{Cached, Registry, Until};
use common::sources::{Answer, Sources};
use common::trust::TrustRoot;
use common::verdict::Unavailable;
use serde_json::Value;
use tokio::time::Instant;

use crate::pulls::{self, WithLogins};
use crate::secrets::{SecretName, Secrets};
use crate::snapshot::Snapshot;

/// What all requests ask. Cheap to ask: answers that cannot change are remembered.
pub struct World {
    registry: Arc<dyn Registry>,
    memory: Option<Cached>,
    /// Registries over HTTP, and the logins that every request has.
    http: Option<(Client, Credentials)>,
    /// The Secrets of the cluster, and our own namespace.
    secrets: Option<(Secrets, String)>,
    trust_root: Option<Arc<TrustRoot>>,
}

impl World {
    /// Registries over HTTP behind a memory; `trust_root` replaces the public-good one. The scope of the memory
    /// follows from the logins.
    #[must_use]
    pub fn over_http(
        client: Client,
        logins: Credentials,
        options: Options,
        trust_root: Option<Arc<TrustRoot>>,
    ) -> Self {
        let options = Options { scope: logins.fingerprint().to_string(), ..options };
        let inner = Arc::new(client.with_credentials(Arc::new(logins.clone())));
        let memory = Cached::new(inner, options);
        Self { http: Some((client, logins)), ..Self::remembering(memory, trust_root) }
    }

    /// Other registries behind a memory.
    #[must_use]
    pub fn remembering(memory: Cached, trust_root: Option<Arc<TrustRoot>>) -> Self {
        let registry = Arc::new(memory.clone());
        Self { registry, memory: Some(memory), http: None, secrets: None, trust_root }
    }

    /// Recorded images, and nothing else.
    #[must_use]
    pub fn recorded(images: Arc<dyn Registry>, trust_root: Option<Arc<TrustRoot>>) -> Self {
        Self { registry: images, memory: None, http: None, secrets: None, trust_root }
    }

    /// And the Secrets of a cluster; those that a policy names without a namespace are in `own`.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets, own: &str) -> Self {
        Self { secrets: Some((secrets, own.to_owned())), ..self }
    }

    /// The world as one request for an object sees it, which has until `end`.
    #[must_use]
    pub fn until<'w>(
        &'w self,
        end: Instant,
        (object, namespace): (&Value, &str),
        snapshot: &Snapshot,
    ) -> Asking<'w> {
        let pulls: Arc<[SecretName]> = match &self.secrets {
            Some(_) => pulls::of_object(object, namespace).into(),
            None => Arc::default(),
        };
        let own = self.secrets.as_ref().map(|(_, own)| own.as_str()).unwrap_or_default();
        let with = |credentials: &RegistryCredentials| {
            let secrets = pulls::of_policy(credentials, own);
            (credentials.clone(), WithLogins::new(self, secrets, Arc::clone(&pulls), end))
        };
        let of_policies = snapshot.credentials.iter().map(with).collect();
        let others = WithLogins::new(self, Vec::new(), Arc::clone(&pulls), end);
        Asking { world: self, of_policies, others }
    }

    /// Registries with the logins of some Secrets beside those that every request has; or why there are none.
    pub(crate) async fn open(&self, names: &[SecretName], end: Instant) -> Result<Until, String> {
        if names.is_empty() {
            return Ok(Until::new(Arc::clone(&self.registry), end));
        }
        let (Some((secrets, _)), Some((client, logins)), Some(memory)) =
            (&self.secrets, &self.http, &self.memory)
        else {
            return Err(format!("the Secret {}: {}", names[0], Unavailable::NeedsCluster));
        };
        let mut all = logins.clone();
        for name in names {
            let more = secrets.logins(name).await;
            all =
                all.with_all(more.map_err(|why| format!("the Secret {name}, which is not at hand: {why}"))?);
        }
        let scope = all.fingerprint().to_string();
        let inner = Arc::new(client.with_credentials(Arc::new(all)));
        Ok(Until::new(Arc::new(memory.beside(inner, &scope)), end))
    }

    /// How the memory answered so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.memory.as_ref().map(Cached::stats).unwrap_or_default()
    }

    /// Bytes that the memory holds.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.memory.as_ref().map(Cached::kept_bytes).unwrap_or_default()
    }

    async fn public_key(&self, namespace: &str, name: &str) -> Result<String, Unavailable> {
        let Some((secrets, _)) = &self.secrets else { return Err(Unavailable::NeedsCluster) };
        secrets.public_key(&SecretName { namespace: namespace.to_owned(), name: name.to_owned() }).await
    }
}

/// The world as one request sees it.
pub struct Asking<'w> {
    world: &'w World,
    /// For each set of credentials that a policy names.
    of_policies: Vec<(RegistryCredentials, WithLogins<'w>)>,
    others: WithLogins<'w>,
}

impl Sources for Asking<'_> {
    fn key<'s>(&'s self, reference: &'s KeyRef) -> Answer<'s, String> {
        let problem = match reference {
            KeyRef::Secret { namespace, name } => return Box::pin(self.world.public_key(namespace, name)),
            KeyRef::Kms(_) => Unavailable::KeyService,
            KeyRef::Variable(_) => Unavailable::Unreadable("the variable has no value here".to_owned()),
        };
        Box::pin(std::future::ready(Err(problem)))
    }

    fn registry<'s>(&'s self, credentials: &RegistryCredentials) -> &'s dyn Registry {
        let of_it = self.of_policies.iter().find(|(with, _)| with == credentials);
        of_it.map_or(&self.others, |(_, registry)| registry)
    }

    fn trust_root(&self) -> Option<Arc<TrustRoot>> {
        self.world.trust_root.clone().or_else(TrustRoot::public_good)
    }
}
