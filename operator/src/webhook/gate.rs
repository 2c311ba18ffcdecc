//! How much is taken in at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Requests that are judged at a time. One that waits for a registry costs its object and some ten KiB, so this
/// is for bursts: a slow registry holds a thousand requests and nobody else.
pub(super) const REQUESTS: usize = 4_096;

/// Bytes of one review. The API server takes objects of up to 3 MiB, and a review may hold two.
pub(super) const REVIEW_BYTES: usize = 8 * 1024 * 1024;

/// KiB of all reviews that are read at a time; their objects take some ten times that while they are judged.
/// Attack A50: two hundred reviews of the largest size.
const REVIEWS_KIB: usize = 32 * 1024;

/// How much is taken in at a time.
#[derive(Debug)]
pub(super) struct Gate {
    requests: Arc<Semaphore>,
    kib: Arc<Semaphore>,
}

/// A place inside, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
}

/// Room for as much of a review as has arrived, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    kib: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { requests: Arc::new(Semaphore::new(REQUESTS)), kib: Arc::new(Semaphore::new(REVIEWS_KIB)) }
    }
}

impl Gate {
    /// Room for a review that has yet to arrive.
    pub(super) fn room(&self) -> Room {
        Room { kib: Arc::clone(&self.kib), taken: None }
    }

    /// A place among those who are judged; `None` when there is none. Nobody waits: with so many before him he
    /// would wait in vain.
    pub(super) fn enter(&self) -> Option<Place> {
        let place = Arc::clone(&self.requests).try_acquire_owned().ok()?;
        Some(Place { _place: place })
    }

    /// How many are being judged.
    pub(super) fn inside(&self) -> usize {
        REQUESTS - self.requests.available_permits()
    }
}

impl Room {
    /// Makes room for so many bytes in all, in the order of asking; whether there was any in time.
    ///
    /// Attack: room is taken for what has arrived and not for what was announced, or a few announcements that
    /// nothing follows would take it all.
    pub(super) async fn grow(&mut self, bytes: usize, until: Instant) -> bool {
        let taken = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(1024).saturating_sub(taken);
        let Ok(more) = u32::try_from(more) else { return false };
        let room = Arc::clone(&self.kib).acquire_many_owned(more);
        let Ok(Ok(more)) = timeout_at(until, room).await else { return false };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a50_reviews_of_the_largest_size_do_not_fill_the_memory() {
        let gate = Gate::default();
        let soon = || Instant::now() + Duration::from_secs(1);
        let mut rooms = Vec::new();
        for _ in 0..4 {
            let mut room = gate.room();
            assert!(room.grow(1, soon()).await && room.grow(1025, soon()).await);
            assert!(room.grow(REVIEW_BYTES, soon()).await);
            rooms.push(room);
        }
        assert!(!gate.room().grow(1, soon()).await);
        rooms.pop();
        assert!(gate.room().grow(REVIEW_BYTES, soon()).await);
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_at_once() {
        let gate = Gate::default();
        let mut places: Vec<_> = (0..REQUESTS).map(|_| gate.enter().unwrap()).collect();
        assert!(gate.enter().is_none());
        assert_eq!(gate.inside(), REQUESTS);
        places.pop();
        assert!(gate.enter().is_some());
    }
}
