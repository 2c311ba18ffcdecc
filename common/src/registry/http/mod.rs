//! Registries over HTTP (OCI distribution specification 1.1).
//!
//! A registry is an adversary here, and so is everybody who chose its name: bodies are bounded while they
//! arrive, redirects and token services are judged like image references, credentials stay with their
//! registry, and only a registry's own word counts for "not there". From the outside in:
//!
//! 1. [`Client`]: which places are asked, in which order
//! 2. `read`, `referrers`, `tags`, `push`: what is asked, and what an answer must be
//! 3. `exchange`: one request with its attempts and redirects; `authorize` its credentials
//! 4. `site`: files that are no registry's, read by the same rules
//! 5. `transport`, `egress`: connections, and where none may lead; `observer` is told what is waited for

mod answer;
mod authorize;
mod bulkhead;
mod challenge;
mod config;
mod egress;
mod endpoint;
mod exchange;
mod observer;
mod push;
mod read;
mod referrers;
mod site;
mod tags;
mod tokens;
mod transport;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::{Config, ConfigError, Proxies, Rewrite, Transport};
pub use egress::{Destination, Egress, Loopback};
pub use observer::{Observer, Stage, Wait};
pub(crate) use site::Site;

use crate::digest::Digest;
use crate::image::{Repository, Version};
use crate::limits;
use crate::registry::credentials::Credentials;
use crate::registry::{Descriptor, Fetch, Fetched, Manifest, Registry};
use crate::verdict::RegistryFault;
use bulkhead::Bulkhead;
pub use bulkhead::Traffic;
use endpoint::{Endpoint, places};
use exchange::Session;
use tokens::Tokens;
use transport::Hosts;

/// All registries, as seen with one set of credentials and until one moment. Cheap to clone: connections,
/// tokens and places are shared, and tokens are kept apart by credentials.
///
/// It lives in one Tokio runtime, with its time and network enabled.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    credentials: Arc<Credentials>,
    limit: Limit,
}

/// How long requests may take.
#[derive(Clone, Default)]
enum Limit {
    /// Each read and write so long ([`limits::REQUEST_SECONDS`]).
    #[default]
    Each,
    /// All until a moment; what the caller calls the time until then.
    All { end: Instant, called: Option<Arc<str>> },
    /// As long as it takes.
    None,
}

/// What all views of a client share.
struct Shared {
    config: Config,
    hosts: Hosts,
    tokens: Tokens,
    bulkhead: Bulkhead,
}

impl Client {
    /// How many requests of all its views there are at the moment.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.bulkhead.traffic()
    }

    /// A client without credentials and deadline. Makes no connection and loads no certificates.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        endpoint::check_rewrites(&config.rewrites)?;
        let hosts = Hosts::new(&config)?;
        let shared = Shared { config, hosts, tokens: Tokens::new(), bulkhead: Bulkhead::default() };
        Ok(Self { shared: Arc::new(shared), credentials: Arc::default(), limit: Limit::default() })
    }

    /// The same registries with other credentials.
    #[must_use]
    pub fn with_credentials(&self, credentials: Arc<Credentials>) -> Self {
        Self { credentials, ..self.clone() }
    }

    /// The same registries until a moment that all requests of the view share: attempts, waiting for a
    /// place, tokens, bodies. A request that is not answered then is [`DeadlineExceeded`]. Without one,
    /// each read and write has [`limits::REQUEST_SECONDS`].
    ///
    /// [`DeadlineExceeded`]: crate::verdict::RegistryProblem::DeadlineExceeded
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        Self { limit: Limit::All { end: deadline, called: None }, ..self.clone() }
    }

    /// The same registries for so long from now on, as [`Self::with_deadline`]. `called` is what a fault says of the
    /// time when that was what ended a wait: `60s (--registry-timeout)`.
    #[must_use]
    pub fn with_time_limit(&self, limit: Duration, called: &str) -> Self {
        let end = Instant::now() + limit.min(UNLIMITED);
        Self { limit: Limit::All { end, called: Some(called.into()) }, ..self.clone() }
    }

    /// The same registries, however long they take.
    #[must_use]
    pub fn without_time_limit(&self) -> Self {
        Self { limit: Limit::None, ..self.clone() }
    }

    /// The places of a repository, to be asked in order.
    fn turns(&self, at: &Repository) -> Result<Turns, RegistryFault> {
        let (places, ends_at_home) = places(at, &self.shared.config)?;
        Ok(Turns { client: self.clone(), places, ends_at_home })
    }

    fn ends(&self) -> Instant {
        match &self.limit {
            Limit::Each => Instant::now() + Duration::from_secs(limits::REQUEST_SECONDS),
            Limit::All { end, .. } => *end,
            Limit::None => Instant::now() + UNLIMITED,
        }
    }

    /// What the caller calls the time until the end.
    fn time_limit(&self) -> Option<&str> {
        match &self.limit {
            Limit::All { called, .. } => called.as_deref(),
            Limit::Each | Limit::None => None,
        }
    }
}

/// So far away that it is no limit; timers take no moment that is much further.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A deadline, if it is one.
fn limited(deadline: Instant) -> Option<Instant> {
    let far = deadline.saturating_duration_since(Instant::now()) > UNLIMITED / 2;
    (!far).then_some(deadline)
}

/// Places that are asked one after the other.
struct Turns {
    client: Client,
    places: Vec<Endpoint>,
    /// Whether the last place is the repository's own registry.
    ends_at_home: bool,
}

impl Turns {
    /// The sessions, each with its share of the time from when it begins.
    ///
    /// Attack: a mirror that does not answer must not use up the time of those after it, so each but the
    /// last has one attempt and half of what is left.
    fn sessions(&self) -> impl Iterator<Item = Session<'_>> {
        let end = self.client.ends();
        self.places.iter().enumerate().map(move |(number, endpoint)| {
            let last = number + 1 == self.places.len();
            let now = Instant::now();
            let half = now + end.saturating_duration_since(now) / 2;
            Session {
                shared: &self.client.shared,
                credentials: &self.client.credentials,
                endpoint,
                deadline: if last { end } else { half },
                time_limit: self.client.time_limit().filter(|_| last),
                attempts: if last { limits::REQUEST_ATTEMPTS } else { 1 },
            }
        })
    }

    /// What all places together say when none has it. The repository's own registry knows; of mirrors, one
    /// that gave no answer might have had it.
    fn settle<T>(&self, outcomes: Vec<Fetched<T>>) -> Fetched<T> {
        let mut last = Ok(None);
        for outcome in outcomes {
            if self.ends_at_home || last.is_ok() {
                last = outcome;
            }
        }
        last
    }
}

impl Registry for Client {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        Box::pin(async move {
            let turns = self.turns(at)?;
            let mut outcomes = Vec::new();
            for session in turns.sessions() {
                match read::manifest(&session, version).await {
                    Ok(Some(found)) => return Ok(Some(found)),
                    other => outcomes.push(other),
                }
            }
            turns.settle(outcomes)
        })
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        Box::pin(async move {
            let turns = self.turns(at)?;
            let mut outcomes = Vec::new();
            for session in turns.sessions() {
                match read::blob(&session, digest, bound).await {
                    Ok(Some(found)) => return Ok(Some(found)),
                    other => outcomes.push(other),
                }
            }
            turns.settle(outcomes)
        })
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        Box::pin(async move {
            let turns = self.turns(at)?;
            let mut outcomes = Vec::new();
            for session in turns.sessions() {
                match referrers::referrers(&session, subject).await {
                    Ok(found) if found.is_empty() => outcomes.push(Ok(None)),
                    Ok(found) => return Ok(Some(found)),
                    Err(fault) => outcomes.push(Err(fault)),
                }
            }
            turns.settle(outcomes).map(|none| none.or_else(|| Some(Vec::new())))
        })
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        let soon = Instant::now() + Duration::from_secs(limits::LISTED_TAGS_SECONDS);
        let hurried = self.with_deadline(self.ends().min(soon));
        Box::pin(async move {
            let turns = hurried.turns(at)?;
            let mut outcomes = Vec::new();
            for session in turns.sessions() {
                match tags::signed_digests(&session).await {
                    Ok(Some(found)) => return Ok(Some(found)),
                    other => outcomes.push(other),
                }
            }
            turns.settle(outcomes)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_the_caller_counts_and_none_is_none() {
        let client = Client::new(Config::default()).unwrap();
        // Half a second for the test itself.
        let left = |client: &Client| (client.ends() + Duration::from_millis(500) - Instant::now()).as_secs();
        assert_eq!(left(&client), limits::REQUEST_SECONDS);
        let longer = client.with_time_limit(Duration::from_secs(300), "300s");
        assert_eq!((left(&longer), longer.time_limit()), (300, Some("300s")));
        assert!(limited(longer.ends()).is_some());
        let unlimited = longer.without_time_limit();
        assert!(limited(unlimited.ends()).is_none());
        assert_eq!(unlimited.time_limit(), None);
        assert!(limited(client.with_time_limit(Duration::MAX, "long").ends()).is_none());
    }
}
