//! What requests may ask of the world: registries, keys, trust roots.

use std::sync::Arc;

use common::policy::KeyRef;
use common::policy::images::RegistryCredentials;
use common::registry::Registry;
use common::sources::{Answer, Sources};
use common::trust::TrustRoot;
use common::verdict::Unavailable;
use serde_json::Value;
use tokio::time::Instant;

use crate::pulls::{self, Pulls, WithLogins};
use crate::registries::Registries;
use crate::secrets::SecretName;
use crate::snapshot::Snapshot;

/// What all requests ask. Cheap to ask: answers that cannot change are remembered.
pub struct World {
    /// Registries, and Secrets.
    pub registries: Registries,
    /// For identities; `None`: the public-good one, as compiled in.
    pub trust_root: Option<Arc<TrustRoot>>,
    /// Our own namespace, in which Secrets are that a policy names without one.
    pub namespace: String,
}

impl World {
    /// The world as one request for an object sees it, which has until `end`.
    #[must_use]
    pub fn until<'w>(
        &'w self,
        end: Instant,
        (object, namespace): (&Value, &str),
        snapshot: &Snapshot,
    ) -> Asking<'w> {
        let registries = &self.registries;
        let pulls = Arc::new(match registries.secrets() {
            Some(_) => Pulls::of(object, namespace),
            None => Pulls::default(),
        });
        let with = |credentials: &RegistryCredentials| {
            let secrets = pulls::of_policy(credentials, &self.namespace);
            (credentials.clone(), WithLogins::new(registries, secrets, Arc::clone(&pulls), end))
        };
        let of_policies = snapshot.credentials.iter().map(with).collect();
        let others = WithLogins::new(registries, Vec::new(), Arc::clone(&pulls), end);
        Asking { world: self, of_policies, others }
    }

    async fn public_key(&self, namespace: &str, name: &str) -> Result<String, Unavailable> {
        let secrets = self.registries.secrets().ok_or(Unavailable::NeedsCluster)?;
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
