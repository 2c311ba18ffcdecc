//! Credentials for registries, as Docker's configuration writes them. Nothing is read or run here.

mod docker_config;
mod pattern;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

pub use docker_config::{CredentialsError, DockerConfig};

use crate::digest::Digest;
use crate::image::Repository;
use crate::limits;
use pattern::Pattern;

/// A text that is never printed, and wiped when it is dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// What a registry is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token that is exchanged for access tokens.
    IdentityToken(Secret),
    /// A token that the registry itself takes.
    RegistryToken(Secret),
}

/// Credentials of one user, namespace or file. The order of the places where they are for is that of
/// Kubernetes: the longest path first, then exact hosts before patterns.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    entries: Vec<Entry>,
    helpers: Option<Arc<Helpers>>,
}

/// Names of credential helpers: programs `docker-credential-…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelperNames {
    /// Of every registry that has none of its own (`credsStore`).
    pub store: Option<String>,
    /// By registry (`credHelpers`).
    pub by_registry: BTreeMap<String, String>,
}

/// Runs a helper: its name and the server's address, as Docker says it, to a login or to none. It may
/// block; it is called on a thread for that, at most once for each registry.
pub type Helper = dyn Fn(&str, &str) -> HelperAnswer + Send + Sync;

/// What a helper says: a login, that it knows none, or nothing that is of use.
pub type HelperAnswer = Result<Option<Login>, HelperProblem>;

/// Why a helper gave no login although it did not say that it knows none. Images that everybody may read are read all
/// the same; where a registry wants a login, the problem is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelperProblem {
    /// The configuration names what is no part of a program's name.
    #[error("its name is not one of a program")]
    Name,
    /// There is no such program.
    #[error("there is no such program; install it, or take its name out of Docker's configuration")]
    Missing,
    /// The system does not run it.
    #[error("it cannot be run: {0}")]
    NotRun(String),
    /// It ended with an error, and these words.
    #[error("it failed{}", if .0.is_empty() { String::new() } else { format!(": {}", .0) })]
    Refused(String),
    /// It did not end.
    #[error("it gave no answer within {seconds} s")]
    TimedOut {
        /// How long it was waited for.
        seconds: u64,
    },
    /// It wrote more than [`limits::TOKEN_BYTES`].
    #[error("it wrote more than {} bytes", limits::TOKEN_BYTES)]
    TooMuch,
    /// It wrote something else than a login.
    #[error("its answer is not the JSON of a login")]
    Malformed,
}

impl HelperProblem {
    /// A helper that failed with these words; they are cut to what a message may hold.
    #[must_use]
    pub fn refused(said: &[u8]) -> Self {
        Self::Refused(String::from_utf8_lossy(said).chars().take(limits::FAULT_CHARACTERS).collect())
    }
}

/// One login, and what it is for.
#[derive(Clone, Debug)]
struct Entry {
    pattern: Pattern,
    login: Login,
    source: Arc<str>,
}

/// Helpers at work.
struct Helpers {
    names: HelperNames,
    run: Box<Helper>,
    /// Answers by registry. A helper is asked once for each; a helper that hangs delays its own registry only.
    answers: Mutex<BTreeMap<String, Arc<OnceLock<HelperAnswer>>>>,
}

/// A login to try, and what to call it when it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// `the credentials for ghcr.io in config.json`.
    pub label: String,
    /// What to show.
    pub login: Login,
}

/// The logins to try for a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    /// In their order.
    pub logins: Vec<Candidate>,
    /// Why a helper gave none: `docker-credential-desktop: there is no such program`.
    pub problem: Option<String>,
}

impl Secret {
    /// A secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Its text, for a request and nothing else.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl Credentials {
    /// Adds a login for a registry, or for the repositories below a path of it, in Docker's forms:
    /// `ghcr.io`, `*.example:5000/team`, `https://index.docker.io/v1/`. `source` is where it comes from,
    /// for people.
    #[must_use]
    pub fn with_login(mut self, place: &str, login: Login, source: &str) -> Self {
        self.entries.push(Entry { pattern: Pattern::parse(place), login, source: source.into() });
        // Stable: what was added first is tried first among equals.
        self.entries.sort_by_key(|entry| entry.pattern.rank());
        self
    }

    /// Adds everything that others have, after what is here.
    #[must_use]
    pub fn with_all(mut self, others: Self) -> Self {
        self.entries.extend(others.entries);
        self.entries.sort_by_key(|entry| entry.pattern.rank());
        self.helpers = self.helpers.or(others.helpers);
        self
    }

    /// Has helpers asked, before what is written down.
    #[must_use]
    pub fn with_helpers(mut self, names: HelperNames, run: Box<Helper>) -> Self {
        self.helpers = Some(Arc::new(Helpers { names, run, answers: Mutex::default() }));
        self
    }

    /// Whether a helper would be run for a repository, which may block.
    pub(super) fn needs_helper(&self, at: &Repository) -> bool {
        self.helpers.as_ref().is_some_and(|helpers| helpers.name(at.registry()).is_some())
    }

    /// The logins for a repository, in order; at most [`limits::CREDENTIALS_TRIED`].
    pub(super) fn candidates(&self, at: &Repository) -> Candidates {
        let helped = self.helpers.as_ref().map_or(Ok(None), |helpers| helpers.candidate(at.registry()));
        let (helped, problem) = match helped {
            Ok(login) => (login, None),
            Err(problem) => (None, Some(problem)),
        };
        let fits = |entry: &&Entry| entry.pattern.matches(at.registry(), at.path());
        let written = self.entries.iter().filter(fits).map(|entry| Candidate {
            label: format!("the credentials for {} in {}", entry.pattern, entry.source),
            login: entry.login.clone(),
        });
        Candidates {
            logins: helped.into_iter().chain(written).take(limits::CREDENTIALS_TRIED).collect(),
            problem,
        }
    }

    /// A name of these credentials that changes with any of them: tokens got with some are not used for
    /// others.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let mut text = Zeroizing::new(String::new());
        for Entry { pattern, login, .. } in &self.entries {
            let (kind, user, secret) = match login {
                Login::Basic { user, password } => ("basic", user.as_str(), password),
                Login::IdentityToken(token) => ("identity", "", token),
                Login::RegistryToken(token) => ("registry", "", token),
            };
            // JSON tells where a part ends.
            let entry = serde_json::json!([
                pattern.to_string(),
                kind,
                user,
                Digest::of(secret.expose().as_bytes()).hex()
            ]);
            text.push_str(&entry.to_string());
        }
        if let Some(helpers) = &self.helpers {
            text.push_str(&format!("{:?}", helpers.names));
        }
        Digest::of(text.as_bytes())
    }
}

impl Helpers {
    fn name(&self, registry: &str) -> Option<&str> {
        let own =
            self.names.by_registry.iter().find(|(place, _)| Pattern::parse(place).matches(registry, ""));
        own.map(|(_, name)| name).or(self.names.store.as_ref()).map(String::as_str)
    }

    fn candidate(&self, registry: &str) -> Result<Option<Candidate>, String> {
        let Some(name) = self.name(registry) else { return Ok(None) };
        let answer = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(registry.to_owned()).or_default())
        };
        let answer = answer.get_or_init(|| (self.run)(name, server(registry)));
        let label = format!("the credentials for {registry} of docker-credential-{name}");
        match answer {
            Ok(login) => Ok(login.clone().map(|login| Candidate { label, login })),
            Err(problem) => Err(format!("docker-credential-{name}: {problem}")),
        }
    }
}

impl fmt::Debug for Helpers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names.fmt(f)
    }
}

/// What Docker calls a registry where it keeps credentials.
fn server(registry: &str) -> &str {
    if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str) -> Login {
        Login::Basic { user: user.into(), password: Secret::new("hunter2") }
    }

    fn users(credentials: &Credentials, name: &str) -> Vec<String> {
        let candidates = credentials.candidates(&Repository::parse(name).unwrap());
        assert_eq!(candidates.problem, None);
        let user = |candidate: Candidate| match candidate.login {
            Login::Basic { user, .. } => user,
            Login::IdentityToken(_) | Login::RegistryToken(_) => panic!(),
        };
        candidates.logins.into_iter().map(user).collect()
    }

    #[test]
    fn the_closest_place_comes_first() {
        let credentials = Credentials::default()
            .with_login("*.example", basic("any"), "a")
            .with_login("ghcr.example", basic("host"), "a")
            .with_login("ghcr.example/acme", basic("acme"), "a")
            .with_login("https://index.docker.io/v1/", basic("hub"), "a");
        assert_eq!(users(&credentials, "ghcr.example/acme/app"), ["acme", "host", "any"]);
        assert_eq!(users(&credentials, "ghcr.example/acme-evil/app"), ["host", "any"]);
        assert_eq!(users(&credentials, "nginx"), ["hub"]);
        assert_eq!(users(&credentials, "ghcr.io/acme/app"), [""; 0]);
    }

    /// Attack A38: no spelling of another registry gets the credentials of this one.
    #[test]
    fn a38_credentials_are_for_their_registry_only() {
        let credentials = Credentials::default().with_login("ghcr.io", basic("ghcr"), "a");
        for other in [
            "ghcr.io.evil.example/a",
            "evil-ghcr.io/a",
            "ghcr.io:5000/a",
            "a.ghcr.io/a",
            "ghcr.example/ghcr.io",
        ] {
            assert_eq!(users(&credentials, other), [""; 0], "{other}");
        }
        let wild = Credentials::default().with_login("*.io", basic("any"), "a");
        assert_eq!(users(&wild, "a.b.io/x"), [""; 0]);
    }

    #[test]
    fn secrets_are_not_printed() {
        let credentials = Credentials::default().with_login("ghcr.io", basic("me"), "config.json");
        assert!(!format!("{credentials:?}").contains("hunter2"));
        let candidates = credentials.candidates(&Repository::parse("ghcr.io/a").unwrap());
        assert_eq!(candidates.logins[0].label, "the credentials for ghcr.io in config.json");
        assert!(!format!("{candidates:?}").contains("hunter2"));
    }

    #[test]
    fn a_helper_is_run_once_for_each_of_its_registries() {
        let runs = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&runs);
        let run = move |name: &str, server: &str| {
            seen.lock().unwrap().push(format!("{name} {server}"));
            Ok(Some(basic(name)))
        };
        let by_registry = BTreeMap::from([("eu.gcr.io".to_owned(), "gcloud".to_owned())]);
        let names = HelperNames { store: Some("desktop".into()), by_registry };
        let credentials = Credentials::default().with_helpers(names, Box::new(run));
        assert_eq!(users(&credentials, "eu.gcr.io/a"), ["gcloud"]);
        assert_eq!(users(&credentials, "eu.gcr.io/b"), ["gcloud"]);
        assert_eq!(users(&credentials, "nginx"), ["desktop"]);
        assert_eq!(*runs.lock().unwrap(), ["gcloud eu.gcr.io", "desktop https://index.docker.io/v1/"]);
    }

    #[test]
    fn another_secret_is_another_fingerprint() {
        let one = Credentials::default().with_login("ghcr.io", basic("me"), "a");
        let same = Credentials::default().with_login("ghcr.io", basic("me"), "b");
        let token = Login::RegistryToken(Secret::new("hunter2"));
        let other = Credentials::default().with_login("ghcr.io", token, "a");
        assert_eq!(one.fingerprint(), same.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_ne!(one.fingerprint(), Credentials::default().fingerprint());
    }
}
