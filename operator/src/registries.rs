//! Registries, with the logins that Secrets hold.

use std::sync::Arc;

use common::registry::cached::{Options, Stats};
use common::registry::credentials::Credentials;
use common::registry::http::{Client, Traffic};
use common::registry::{Cached, Registry, Until};
use common::verdict::Unavailable;
use tokio::time::Instant;

use crate::secrets::{SecretName, Secrets};

/// All registries, and the Secrets that hold logins for them.
pub struct Registries {
    registry: Arc<dyn Registry>,
    memory: Option<Cached>,
    /// Registries over HTTP, and the logins that every request has.
    http: Option<(Client, Credentials)>,
    secrets: Option<Secrets>,
}

impl Registries {
    /// Over HTTP, behind a memory whose scope follows from the logins.
    #[must_use]
    pub fn over_http(client: Client, logins: Credentials, options: Options) -> Self {
        let options = Options { scope: logins.fingerprint().to_string(), ..options };
        let inner = Arc::new(client.with_credentials(Arc::new(logins.clone())));
        Self { http: Some((client, logins)), ..Self::remembering(Cached::new(inner, options)) }
    }

    /// Others behind a memory.
    #[must_use]
    pub fn remembering(memory: Cached) -> Self {
        Self { registry: Arc::new(memory.clone()), memory: Some(memory), http: None, secrets: None }
    }

    /// Recorded images, and nothing else.
    #[must_use]
    pub fn recorded(images: Arc<dyn Registry>) -> Self {
        Self { registry: images, memory: None, http: None, secrets: None }
    }

    /// And the Secrets of a cluster.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets: Some(secrets), ..self }
    }

    /// The Secrets, where there is a cluster.
    #[must_use]
    pub fn secrets(&self) -> Option<&Secrets> {
        self.secrets.as_ref()
    }

    /// Until `end`, with the logins of some Secrets beside those that every request has; or why there are none.
    pub(crate) async fn open(&self, names: &[SecretName], end: Instant) -> Result<Until, String> {
        let Some(first) = names.first() else { return Ok(Until::new(Arc::clone(&self.registry), end)) };
        let (Some(secrets), Some((client, logins)), Some(memory)) = (&self.secrets, &self.http, &self.memory)
        else {
            return Err(format!("the Secret {first}, which is not at hand: {}", Unavailable::NeedsCluster));
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

    /// How many requests there are at the moment.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.http.as_ref().map(|(client, _)| client.traffic()).unwrap_or_default()
    }

    /// Bytes that the memory holds.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.memory.as_ref().map(Cached::kept_bytes).unwrap_or_default()
    }
}
