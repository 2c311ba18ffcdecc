//! What can go wrong between us and a registry. Each is a fault: nothing is known then.

use std::fmt;

/// One request that gave no answer to work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryFault {
    /// What was asked, for people: `GET ghcr.io/v2/acme/app/manifests/1.4`.
    pub request: String,
    /// What went wrong.
    pub problem: RegistryProblem,
    /// How often it was tried.
    pub attempts: u32,
    /// What the caller calls the time that was over, where that ended the wait: `60s (--registry-timeout)`.
    pub time_limit: Option<String>,
}

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// No connection, a broken one, bad TLS: in the words of the network.
    Unreachable(String),
    /// The registry wants credentials, or others (401, 403).
    Unauthorized {
        /// Which credentials were used: `no credentials`, `the credentials for ghcr.io in config.json`.
        tried: String,
    },
    /// Too many requests (429).
    RateLimited {
        /// The seconds after which the registry wants to be asked again.
        retry_after: Option<u64>,
    },
    /// Another status that is no answer.
    Status(u16),
    /// The time was over.
    DeadlineExceeded,
    /// More bytes than such an answer may have.
    TooLarge {
        /// How many it may have.
        bound: usize,
    },
    /// A list of more things than such a list may have.
    TooMany {
        /// Of what: `referrers`.
        what: &'static str,
        /// How many it may have.
        bound: usize,
    },
    /// Other bytes than the digest names.
    ContentMismatch {
        /// What was asked for.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// An answer that is not what it should be.
    Malformed(String),
    /// A place where requests must not go.
    Refused {
        /// The host.
        host: String,
        /// Why not.
        why: String,
    },
    /// No recording holds it, and nothing else may be asked.
    NotRecorded,
    /// The same of signatures that are not beside the image: its recording does not say what this repository holds.
    SignaturesNotRecorded {
        /// The repository.
        repository: String,
    },
}

impl RegistryFault {
    /// A fault of a request that was made once.
    #[must_use]
    pub fn new(request: impl Into<String>, problem: RegistryProblem) -> Self {
        Self { request: request.into(), problem, attempts: 1, time_limit: None }
    }

    /// No recording holds it.
    #[must_use]
    pub fn not_recorded(what: impl Into<String>) -> Self {
        Self::new(what, RegistryProblem::NotRecorded)
    }
}

impl RegistryProblem {
    /// The code and rank of the reason.
    pub(super) fn row(&self) -> (&'static str, u16) {
        match self {
            Self::Unreachable(_) | Self::Status(_) => ("registry-unreachable", 220),
            Self::Unauthorized { .. } => ("registry-unauthorized", 221),
            Self::RateLimited { .. } => ("registry-rate-limited", 222),
            Self::DeadlineExceeded => ("deadline-exceeded", 223),
            Self::TooLarge { .. } | Self::TooMany { .. } => ("response-too-large", 224),
            Self::ContentMismatch { .. } => ("registry-content-mismatch", 225),
            Self::Malformed(_) => ("registry-answer-malformed", 226),
            Self::Refused { .. } => ("registry-refused", 227),
            Self::NotRecorded | Self::SignaturesNotRecorded { .. } => ("image-not-available-offline", 228),
        }
    }
}

impl fmt::Display for RegistryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_recorded = matches!(
            self.problem,
            RegistryProblem::NotRecorded | RegistryProblem::SignaturesNotRecorded { .. }
        );
        if not_recorded {
            return write!(f, "no recording holds {}", self.request);
        }
        match &self.time_limit {
            Some(limit) => write!(f, "{}: no answer within {limit}", self.request)?,
            None => write!(f, "{}: {}", self.request, self.problem)?,
        }
        if self.attempts > 1 { write!(f, ", {} attempts", self.attempts) } else { Ok(()) }
    }
}

impl fmt::Display for RegistryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "no answer ({why})"),
            Self::Unauthorized { tried } => write!(f, "not allowed with {tried}"),
            Self::RateLimited { retry_after: Some(seconds) } => {
                write!(f, "too many requests; the registry asks to wait {seconds} s")
            }
            Self::RateLimited { retry_after: None } => write!(f, "too many requests"),
            Self::Status(status) => write!(f, "the registry answered {status}"),
            Self::DeadlineExceeded => write!(f, "no answer in time"),
            Self::TooLarge { bound } => write!(f, "the answer is larger than {bound} bytes"),
            Self::TooMany { what, bound } => write!(f, "the answer lists more than {bound} {what}"),
            Self::ContentMismatch { expected, found } => {
                write!(f, "asked for {expected} and got {found}")
            }
            Self::Malformed(what) => write!(f, "the answer is not usable: {what}"),
            Self::Refused { host, why } => write!(f, "{host} must not be contacted: {why}"),
            Self::NotRecorded | Self::SignaturesNotRecorded { .. } => write!(f, "no recording holds it"),
        }
    }
}
