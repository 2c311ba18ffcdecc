//! What requests may ask of the world: registries, keys, trust roots.

use std::sync::Arc;

use common::policy::KeyRef;
use common::policy::images::RegistryCredentials;
use common::registry::cached::Stats;
use common::registry::{Cached, Registry, Until};
use common::sources::{Answer, Sources};
use common::trust::TrustRoot;
use common::verdict::Unavailable;
use tokio::time::Instant;

/// What all requests ask. Cheap to ask: answers that cannot change are remembered.
pub struct World {
    registry: Arc<dyn Registry>,
    memory: Option<Cached>,
    trust_root: Option<Arc<TrustRoot>>,
}

impl World {
    /// Registries behind a memory; `trust_root` replaces the public-good one.
    #[must_use]
    pub fn remembering(memory: Cached, trust_root: Option<Arc<TrustRoot>>) -> Self {
        Self { registry: Arc::new(memory.clone()), memory: Some(memory), trust_root }
    }

    /// Recorded images, and nothing else.
    #[must_use]
    pub fn recorded(images: Arc<dyn Registry>, trust_root: Option<Arc<TrustRoot>>) -> Self {
        Self { registry: images, memory: None, trust_root }
    }

    /// The world as one request sees it, which has until `end`.
    #[must_use]
    pub fn until(&self, end: Instant) -> Asking<'_> {
        Asking { world: self, registry: Until::new(Arc::clone(&self.registry), end) }
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
}

/// The world as one request sees it.
pub struct Asking<'w> {
    world: &'w World,
    registry: Until,
}

impl Sources for Asking<'_> {
    fn key<'s>(&'s self, reference: &'s KeyRef) -> Answer<'s, String> {
        let problem = match reference {
            KeyRef::Secret { .. } => Unavailable::NeedsCluster,
            KeyRef::Kms(_) => Unavailable::KeyService,
            KeyRef::Variable(_) => Unavailable::Unreadable("the variable has no value here".to_owned()),
        };
        Box::pin(std::future::ready(Err(problem)))
    }

    fn registry<'s>(&'s self, _credentials: &RegistryCredentials) -> &'s dyn Registry {
        &self.registry
    }

    fn trust_root(&self) -> Option<Arc<TrustRoot>> {
        self.world.trust_root.clone().or_else(TrustRoot::public_good)
    }
}
