//! Registries whose logins are read when the first image is asked for: whoever judges no image needs no
//! readable configuration of Docker.

use std::sync::{Arc, OnceLock};

use common::digest::Digest;
use common::image::{Repository, Version};
use common::registry::http::Client;
use common::registry::{Descriptor, Fetch, Manifest, Registry};
use common::verdict::{RegistryFault, RegistryProblem};

use super::docker;

/// A client without logins, and the same with them once they were needed.
pub(super) struct Late {
    client: Client,
    ready: OnceLock<Result<Client, String>>,
}

impl Late {
    pub(super) fn new(client: Client) -> Self {
        Self { client, ready: OnceLock::new() }
    }

    fn ready(&self) -> Result<&Client, RegistryFault> {
        let log_in = || {
            let credentials = docker::credentials().map_err(|error| format!("{error:#}"))?;
            Ok(self.client.with_credentials(Arc::new(credentials)))
        };
        let unreadable = |why: &String| {
            RegistryFault::new(
                "the logins of Docker's configuration",
                RegistryProblem::Malformed(why.clone()),
            )
        };
        self.ready.get_or_init(log_in).as_ref().map_err(unreadable)
    }
}

impl Registry for Late {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        Box::pin(async move { self.ready()?.manifest(at, version).await })
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        Box::pin(async move { self.ready()?.blob(at, digest, bound).await })
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        Box::pin(async move { self.ready()?.referrers(at, subject).await })
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        Box::pin(async move { self.ready()?.signed_digests(at).await })
    }
}
