//! What is asked, and by whom.

use std::fmt;
use std::sync::Arc;

use crate::digest::{Digest, hash_of_parts};
use crate::image::{Repository, Version};

/// What a question is about, and who asks it.
#[derive(Clone)]
pub(super) struct Key {
    /// The hash of the scope.
    pub(super) scope: Arc<str>,
    pub(super) at: Repository,
    pub(super) what: What,
    id: KeyId,
}

/// A hash over everything that a key is: what its answer is kept under.
///
/// Texts of hundreds of bytes, three times an image, would weigh as much as the answers. No two keys have one
/// hash, so that no answer is found under another tenant's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyId([u8; 32]);

#[derive(Clone)]
pub(super) enum What {
    Manifest(Version),
    Blob(Digest),
    Referrers(Digest),
    SignedDigests,
}

/// For how long an answer is good.
pub(super) enum Nature {
    /// It has a digest.
    Fact,
    /// Signatures are added and removed.
    List,
    /// It may be another one the next moment.
    Moment,
}

impl Key {
    pub(super) fn new(scope: Arc<str>, at: Repository, what: What) -> Self {
        let (kind, of) = match &what {
            What::Manifest(Version::Tag(tag)) => ("tag", [tag.as_str(), ""]),
            What::Manifest(Version::Digest(digest)) => ("manifest", named(digest)),
            What::Blob(digest) => ("blob", named(digest)),
            What::Referrers(subject) => ("referrers", named(subject)),
            What::SignedDigests => ("signed", ["", ""]),
        };
        let [one, other] = of;
        let parts = [&scope, at.registry(), at.path(), kind, one, other].map(str::as_bytes);
        let id = KeyId(hash_of_parts(&parts));
        Self { scope, at, what, id }
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    /// Another question of the same asker about the same repository.
    pub(super) fn about(&self, what: What) -> Self {
        Self::new(Arc::clone(&self.scope), self.at.clone(), what)
    }

    pub(super) fn nature(&self) -> Nature {
        match &self.what {
            What::Manifest(Version::Digest(_)) | What::Blob(_) => Nature::Fact,
            What::Referrers(_) | What::SignedDigests => Nature::List,
            What::Manifest(Version::Tag(tag)) if tag.derived_from().is_some() => Nature::List,
            What::Manifest(Version::Tag(_)) => Nature::Moment,
        }
    }

    /// Whether the answer cannot change.
    pub(super) fn is_fact(&self) -> bool {
        matches!(self.nature(), Nature::Fact)
    }
}

fn named(digest: &Digest) -> [&str; 2] {
    [digest.algorithm().name(), digest.hex()]
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Manifest(version) => write!(f, "{}{}", self.at, version.suffix()),
            What::Blob(digest) => write!(f, "{}@{digest}", self.at),
            What::Referrers(subject) => write!(f, "referrers of {}@{subject}", self.at),
            What::SignedDigests => write!(f, "the tags of {}", self.at),
        }
    }
}
