//! A registry that answers by a moment, or with a fault.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::{Descriptor, Fetch, Fetched, Manifest, Registry};
use crate::digest::Digest;
use crate::image::{Repository, Version};
use crate::verdict::{RegistryFault, RegistryProblem};

/// Another registry, for one caller who has until a moment: everything that is not answered then is a
/// [`RegistryProblem::DeadlineExceeded`] of the question it was, so that the caller can still say what it
/// waited for.
///
/// Only the caller stops waiting. What a [`super::Cached`] beneath asks on everybody's behalf goes on, and the
/// next caller finds the answer.
#[derive(Clone)]
pub struct Until {
    inner: Arc<dyn Registry>,
    end: Instant,
}

impl Until {
    /// The same registry until `end`.
    #[must_use]
    pub fn new(inner: Arc<dyn Registry>, end: Instant) -> Self {
        Self { inner, end }
    }

    async fn bounded<T>(&self, fetch: Fetch<'_, T>, what: impl FnOnce() -> String) -> Fetched<T> {
        // A question that is answered at once is answered after the end as well, and costs no timer.
        match timeout_at(self.end, fetch).await {
            Ok(answer) => answer,
            Err(_) => Err(RegistryFault::new(what(), RegistryProblem::DeadlineExceeded)),
        }
    }
}

impl Registry for Until {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        let what = move || format!("{at}{}", version.suffix());
        Box::pin(self.bounded(self.inner.manifest(at, version), what))
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        Box::pin(self.bounded(self.inner.blob(at, digest, bound), move || format!("{at}@{digest}")))
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        let what = move || format!("referrers of {at}@{subject}");
        Box::pin(self.bounded(self.inner.referrers(at, subject), what))
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        Box::pin(self.bounded(self.inner.signed_digests(at), move || format!("the tags of {at}")))
    }
}
