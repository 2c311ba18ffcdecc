//! Why there is no trust root: what, where, and what to do.

use std::fmt;

use jiff::Timestamp;
use sigstore_tuf::Error;

use crate::limits;
use crate::registry::http::ConfigError;
use crate::trust::TrustError;
use crate::verdict::RegistryProblem;

/// Why a repository gave no trust root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TufError {
    /// Whose fault it is.
    pub place: Place,
    /// The URL or path of what was read, or of the repository.
    pub at: String,
    /// What is wrong with it.
    pub problem: TufProblem,
    /// Why the cache did not stand in for a mirror without an answer.
    pub cache: Option<Box<TufError>>,
}

/// Where something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The root that trust begins with.
    Pinned,
    /// The repository itself, or a mirror of it.
    Mirror,
    /// The folder of earlier answers.
    Cache,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TufProblem {
    /// A URL, proxy or certificate authority that cannot be used.
    #[error("{0}")]
    Settings(ConfigError),
    /// No connection, a broken one, bad TLS.
    #[error("no answer ({0})")]
    Unreachable(String),
    /// The time was over. Attack: slow retrieval.
    #[error("no answer in time")]
    DeadlineExceeded,
    /// A status that is neither success nor "not there".
    #[error("the server answered {0}")]
    Status(u16),
    /// A place where requests must not go, for example another host by a redirect.
    #[error("{host} must not be contacted: {why}")]
    Refused {
        /// The host.
        host: String,
        /// Why not.
        why: String,
    },
    /// More bytes than the file may have. Attack: endless data.
    #[error("larger than the {bound} bytes that it may have")]
    TooLarge {
        /// How many it may have.
        bound: usize,
    },
    /// A file that every repository has is not there.
    #[error("there is no such file")]
    Missing,
    /// A file of the cache that cannot be read.
    #[error("not readable: {0}")]
    File(String),
    /// Bytes that are no metadata of this kind.
    #[error("not usable TUF metadata: {0}")]
    Unreadable(String),
    /// Too few signatures by keys that the root, or whoever delegates, names for the role.
    #[error("{found} good signatures by the keys of the role {role}, where {needed} are needed")]
    Signatures {
        /// The role.
        role: String,
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
    /// An older version than one that was seen before. Attack: rollback.
    #[error("version {offered} of {role} is older than version {trusted}, which was seen before")]
    Rollback {
        /// The role.
        role: String,
        /// The version that was seen before.
        trusted: u64,
        /// The older one.
        offered: u64,
    },
    /// A root that is not the next one.
    #[error("root version {offered} cannot follow version {trusted}")]
    RootVersion {
        /// The version before it.
        trusted: u64,
        /// Its own.
        offered: u64,
    },
    /// More root versions than [`limits::TUF_ROOTS`].
    #[error("more than {} root versions follow the one that trust begins with", limits::TUF_ROOTS)]
    TooManyRoots,
    /// Metadata that must not be used any more. Attack: freeze.
    #[error("the {role} metadata expired at {expires}")]
    Expired {
        /// The role.
        role: String,
        /// When.
        expires: Timestamp,
    },
    /// Another length, hash or version than the signed metadata says. Attack: mix and match.
    #[error("not what the signed metadata says: {0}")]
    Mismatch(String),
    /// The repository is one of something else.
    #[error("the repository names no trusted_root.json")]
    NoTarget,
    /// The target is signed, and no usable trust root.
    #[error("trusted_root.json: {0}")]
    TrustedRoot(TrustError),
}

impl TufError {
    pub(super) fn new(place: Place, at: impl Into<String>, problem: TufProblem) -> Self {
        Self { place, at: at.into(), problem, cache: None }
    }

    /// What somebody can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        use TufProblem as P;
        match (self.place, &self.problem) {
            (Place::Pinned, _) => {
                "get the root.json from those who run the repository, on a way that you trust"
            }
            (Place::Cache, P::Missing) => {
                "run once with a network, or carry the folder over from where there is one; \
                 --trusted-root FILE needs neither"
            }
            (Place::Cache, P::Expired { .. }) => {
                "run once with a network, or carry a newer folder over; \
                 --trusted-root FILE pins a root without expiry"
            }
            (Place::Cache, _) => "delete the folder, and run once with a network",
            (Place::Mirror, P::Settings(_)) => "correct the URL or setting",
            (Place::Mirror, P::Unreachable(_) | P::DeadlineExceeded | P::Status(_)) => {
                "check the URL and the network, or give --trusted-root FILE, which needs neither"
            }
            (Place::Mirror, P::Refused { .. }) => "name the mirror by the URL that its files have",
            (Place::Mirror, P::Missing | P::Unreadable(_) | P::File(_)) => {
                "check that the URL is that of a TUF repository, and that no proxy or portal answers for it"
            }
            (Place::Mirror, P::Signatures { .. } | P::RootVersion { .. }) => {
                "do not believe this mirror; a repository that began anew needs its new root.json"
            }
            (Place::Mirror, P::Rollback { .. }) => {
                "an old state is played back; if the repository was rebuilt on purpose, delete the cache"
            }
            (Place::Mirror, P::Expired { .. }) => {
                "the mirror is stale or held back; try the repository itself, and check this machine's clock"
            }
            (Place::Mirror, P::TooLarge { .. } | P::Mismatch(_)) => {
                "the mirror is being updated or was tampered with; try again, then ask who runs it"
            }
            (Place::Mirror, P::TooManyRoots) => "begin with a newer root.json",
            (Place::Mirror, P::NoTarget | P::TrustedRoot(_)) => "ask who runs the repository",
        }
    }
}

impl fmt::Display for TufError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(limits::FAULT_CHARACTERS).collect::<String>();
        write!(f, "{}: {}", short(&self.at), short(&self.problem.to_string()))?;
        if let Some(cache) = &self.cache {
            write!(f, "; the cache cannot stand in: {}: {}", cache.at, short(&cache.problem.to_string()))?;
        }
        write!(f, "; {}", self.hint())
    }
}

impl std::error::Error for TufError {}

impl TufProblem {
    /// Whether nothing was said at all, as opposed to something wrong.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::DeadlineExceeded | Self::Status(429 | 500..))
    }

    /// Whether it is about the file that was read last, and not about several or the repository.
    pub(super) fn is_about_a_file(&self) -> bool {
        !matches!(
            self,
            Self::Rollback { .. }
                | Self::Expired { .. }
                | Self::NoTarget
                | Self::TooManyRoots
                | Self::TrustedRoot(_)
        )
    }
}

/// What a repository of ours hands through the crate.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Carried(TufProblem);

impl From<TufProblem> for Error {
    fn from(problem: TufProblem) -> Self {
        Self::transport_with_source("", Carried(problem))
    }
}

impl From<Error> for TufProblem {
    fn from(error: Error) -> Self {
        match error {
            Error::ThresholdNotMet { role, found, threshold } => {
                Self::Signatures { role, found, needed: threshold }
            }
            Error::Rollback { role, trusted, new } => Self::Rollback { role, trusted, offered: new },
            Error::BadRootVersion { trusted, new } => Self::RootVersion { trusted, offered: new },
            Error::Expired { role, expires } => Self::Expired { role, expires },
            Error::IntegrityMismatch(what) => Self::Mismatch(what),
            Error::TargetNotFound(_) => Self::NoTarget,
            Error::Transport { source: Some(source), .. } => match source.downcast::<Carried>() {
                Ok(carried) => carried.0,
                Err(other) => Self::Unreachable(other.to_string()),
            },
            // Our own repositories always carry a problem; this is what the crate says of itself.
            Error::Transport { source: None, .. } => Self::TooManyRoots,
            Error::Io { context, source } => Self::File(format!("{context}: {source}")),
            other @ (Error::Json(_)
            | Error::Malformed(_)
            | Error::NonIntegerNumber
            | Error::UnusableKey { .. }
            | Error::UnsupportedScheme { .. }
            | Error::UnknownRole(_)
            | Error::DuplicateSignature { .. }
            | Error::EqualVersion { .. }
            | Error::Crypto(_)
            | Error::NotRefreshed
            | _) => Self::Unreadable(causes(&other)),
        }
    }
}

impl From<RegistryProblem> for TufProblem {
    fn from(problem: RegistryProblem) -> Self {
        match problem {
            RegistryProblem::Unreachable(why) => Self::Unreachable(why),
            RegistryProblem::DeadlineExceeded => Self::DeadlineExceeded,
            RegistryProblem::Status(status) => Self::Status(status),
            RegistryProblem::RateLimited { .. } => Self::Status(429),
            RegistryProblem::TooLarge { bound } => Self::TooLarge { bound },
            RegistryProblem::Refused { host, why } => Self::Refused { host, why },
            RegistryProblem::Malformed(what) => Self::Unreadable(what),
            other @ (RegistryProblem::Unauthorized { .. }
            | RegistryProblem::TooMany { .. }
            | RegistryProblem::ContentMismatch { .. }
            | RegistryProblem::NotRecorded
            | RegistryProblem::SignaturesNotRecorded { .. }) => Self::Unreadable(other.to_string()),
        }
    }
}

/// An error and what caused it; the crate says each in its own text only.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
