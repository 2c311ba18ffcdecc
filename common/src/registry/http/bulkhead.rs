//! A place for each request to a registry: a slow registry holds up its own requests and no others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;
use crate::verdict::RegistryProblem;

/// The places, by registry.
#[derive(Default)]
pub(super) struct Bulkhead(Mutex<BTreeMap<String, Arc<Semaphore>>>);

impl Bulkhead {
    /// Waits for a place. It is free again when the permit is dropped.
    pub(super) async fn enter(&self, registry: &str) -> Result<OwnedSemaphorePermit, RegistryProblem> {
        let places = self.places(registry);
        let gone = |_| RegistryProblem::Unreachable("the client is gone".to_owned());
        places.acquire_owned().await.map_err(gone)
    }

    fn places(&self, registry: &str) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = all.get(registry) {
            return Arc::clone(places);
        }
        // Attack: image references with a thousand names of registries. Those without requests are
        // forgotten; who holds a permit or waits for one holds the places too.
        if all.len() >= limits::REGISTRY_HOSTS {
            all.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places = Arc::new(Semaphore::new(limits::REGISTRY_REQUESTS));
        all.insert(registry.to_owned(), Arc::clone(&places));
        places
    }
}
