//! The labels of namespaces, as far as they are known.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant, timeout_at};

/// The labels of one namespace.
pub type Labels = Arc<BTreeMap<String, String>>;

/// How long to wait for a namespace that is not known yet: it may have been made in the same moment as the object
/// that is asked about.
const PATIENCE: Duration = Duration::from_millis(500);

/// The labels of namespaces, as far as they are known.
#[derive(Debug, Default)]
pub struct Namespaces {
    /// `None` where nobody tells us.
    known: Mutex<Option<HashMap<String, Labels>>>,
    changed: Notify,
}

impl Namespaces {
    /// The labels of a namespace; `None` where they are not known, which a rule that needs them takes for a fault.
    /// A namespace that was made in this moment is waited for, but not beyond `end`.
    pub async fn labels(&self, name: &str, end: Instant) -> Option<Labels> {
        let end = end.min(Instant::now() + PATIENCE);
        loop {
            // Before looking, so that no change is missed between the two.
            let changed = self.changed.notified();
            match self.with(|known| known.as_ref().map(|known| known.get(name).cloned())) {
                None => return None,
                Some(Some(labels)) => return Some(labels),
                Some(None) => timeout_at(end, changed).await.ok()?,
            }
        }
    }

    /// What there is, all of it.
    pub fn replace(&self, all: impl IntoIterator<Item = (String, BTreeMap<String, String>)>) {
        let all = all.into_iter().map(|(name, labels)| (name, Arc::new(labels))).collect();
        self.with(|known| *known = Some(all));
        self.changed.notify_waiters();
    }

    /// A namespace is there, new or changed.
    pub fn put(&self, name: String, labels: BTreeMap<String, String>) {
        self.with(|known| known.get_or_insert_default().insert(name, Arc::new(labels)));
        self.changed.notify_waiters();
    }

    /// A namespace is gone.
    pub fn remove(&self, name: &str) {
        self.with(|known| known.as_mut().and_then(|known| known.remove(name)));
    }

    fn with<T>(&self, look: impl FnOnce(&mut Option<HashMap<String, Labels>>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> BTreeMap<String, String> {
        BTreeMap::from([("a".to_owned(), "b".to_owned())])
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(9)
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_tells_is_not_waited_for() {
        let began = Instant::now();
        assert_eq!(Namespaces::default().labels("shop", soon()).await, None);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_of_this_moment_is_waited_for_but_not_for_long() {
        let namespaces = Arc::new(Namespaces::default());
        namespaces.replace([("shop".to_owned(), labels())]);
        assert_eq!(namespaces.labels("shop", soon()).await.as_deref(), Some(&labels()));
        let asked = Arc::clone(&namespaces);
        let waiting = tokio::spawn(async move { asked.labels("new", soon()).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        namespaces.put("other".to_owned(), BTreeMap::new());
        namespaces.put("new".to_owned(), labels());
        assert_eq!(waiting.await.unwrap().as_deref(), Some(&labels()));
        let began = Instant::now();
        assert_eq!(namespaces.labels("none", soon()).await, None);
        assert_eq!(began.elapsed(), PATIENCE);
        assert_eq!(namespaces.labels("none", began).await, None, "the time is over");
        namespaces.remove("shop");
        assert_eq!(namespaces.labels("shop", soon()).await, None);
    }
}
