//! A place for each request to a registry: a slow registry holds up its own requests and no others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;
use crate::verdict::RegistryProblem;

/// How many requests to registries there are at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Those that wait for an answer.
    pub asked: usize,
    /// Those that wait for a place among them.
    pub waiting: usize,
}

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

    /// How many requests there are at the moment.
    pub(super) fn traffic(&self) -> Traffic {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = |places: &Arc<Semaphore>| {
            let asked = limits::REGISTRY_REQUESTS.saturating_sub(places.available_permits());
            // Who holds a permit or waits for one holds the places too, and so does the map.
            (asked, (Arc::strong_count(places) - 1).saturating_sub(asked))
        };
        all.values().map(of_one).fold(Traffic::default(), |sum, (asked, waiting)| Traffic {
            asked: sum.asked + asked,
            waiting: sum.waiting + waiting,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_and_who_waits_is_counted() {
        let bulkhead = Arc::new(Bulkhead::default());
        assert_eq!(bulkhead.traffic(), Traffic::default());
        let mut places = Vec::new();
        for _ in 0..limits::REGISTRY_REQUESTS {
            places.push(bulkhead.enter("a.example").await.unwrap());
        }
        places.push(bulkhead.enter("b.example").await.unwrap());
        let shared = Arc::clone(&bulkhead);
        let next = tokio::spawn(async move { shared.enter("a.example").await.map(drop) });
        while bulkhead.traffic().waiting == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bulkhead.traffic(), Traffic { asked: limits::REGISTRY_REQUESTS + 1, waiting: 1 });
        drop(places.remove(0));
        next.await.unwrap().unwrap();
        assert_eq!(bulkhead.traffic(), Traffic { asked: limits::REGISTRY_REQUESTS, waiting: 0 });
        drop(places);
        assert_eq!(bulkhead.traffic(), Traffic::default());
    }
}
