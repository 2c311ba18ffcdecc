//! What is waited for, told to the caller meanwhile.

use std::fmt;
use std::time::Instant;

/// Is told what a client or recorder waits for, so that a person can be told. It decides nothing.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A wait begins. It is over when what this returns is dropped.
    fn waits(&self, wait: &Wait<'_>) -> Box<dyn Send>;
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait<'w> {
    /// The request, with the whole URL but for its query, which may hold a secret:
    /// `GET https://ghcr.io/v2/acme/app/manifests/1.4`. Of a folder, its path.
    pub request: &'w str,
    /// For what of it.
    pub stage: Stage,
    /// Until when at most; `None` without a limit.
    pub until: Option<Instant>,
}

/// What of a request is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection and the answer.
    Answer,
    /// The moment to try it again.
    Attempt,
    /// Another process, to be done with writing to a folder; its number, if it is known.
    Writer(Option<u32>),
}
