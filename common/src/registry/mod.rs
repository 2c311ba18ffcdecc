//! Reading registries: manifests, blobs, referrers. Every answer is data whose digest was checked.
//!
//! The trait has three backends: the distribution protocol over [`http`], an OCI layout on disk, and memory;
//! [`cached`] remembers what one of them said, [`Until`] stops waiting for it.
//! None of them judges. Writes are a trait of their own ([`push`]), so that what verifies cannot write.

pub mod cached;
pub mod credentials;
pub mod http;
pub mod layout;
pub mod manifest;
mod memory;
pub mod push;
mod until;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use cached::Cached;
pub use layout::{Layout, LayoutError, Layouts};
pub use manifest::{Content, Descriptor, ImageManifest, Index, Manifest, ManifestError};
pub use memory::Memory;
pub use until::Until;

use crate::digest::Digest;
use crate::image::{Repository, Tag, Version};
use crate::limits;
use crate::verdict::RegistryFault;

/// What a registry answers: `None` is "it is not there", said by a registry that let us look. Everything
/// else that is not the thing itself is a fault, and never taken for "not there".
///
/// Attack: a registry that times out, refuses or rate-limits must not make an image look unsigned, nor
/// hide an attestation that would refuse it.
pub type Fetched<T> = Result<Option<T>, RegistryFault>;

/// A boxed future, so that backends can be chosen at run time.
pub type Fetch<'r, T> = Pin<Box<dyn Future<Output = Fetched<T>> + Send + 'r>>;

/// Reads of one or of all registries.
pub trait Registry: Send + Sync {
    /// A manifest or index. Asked for by tag, it is what the tag points to at this moment; two calls may
    /// differ, so a caller that needs one answer asks once.
    ///
    /// The bytes have the digest that was asked for, or by tag the one in the result.
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>>;

    /// A blob of at most `bound` bytes.
    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>>;

    /// Manifests that name `subject` as theirs, by the referrers API or the fallback tag (OCI
    /// distribution specification, "Listing Referrers"); an empty list where there are none.
    ///
    /// What the list says of a referrer (its artifact type, its annotations) is not checked: registries
    /// get it wrong. Its manifest says so too, and counts.
    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>>;

    /// Images of the repository that something is signed about, as its tags show: cosign's own and the fallback
    /// tags of referrers. In order, each once.
    ///
    /// It may be incomplete: one page of tags is read, and registries with a referrers API list no signatures
    /// there. So it tells people what else there is, and decides nothing.
    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>>;
}

/// The images that tags were derived from, in order, each once; at most [`limits::LISTED_TAGS`].
pub(crate) fn derived_from<'t>(tags: impl IntoIterator<Item = &'t Tag>) -> Vec<Digest> {
    let digests: BTreeSet<_> = tags.into_iter().filter_map(Tag::derived_from).collect();
    digests.into_iter().take(limits::LISTED_TAGS).collect()
}

/// A world without registries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Registry for Nowhere {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        not_recorded(format!("{at}{}", version.suffix()))
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, _bound: usize) -> Fetch<'r, Arc<[u8]>> {
        not_recorded(format!("{at}@{digest}"))
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        not_recorded(format!("{at}@{subject}"))
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        not_recorded(format!("the tags of {at}"))
    }
}

fn not_recorded<'r, T: Send + 'r>(what: String) -> Fetch<'r, T> {
    Box::pin(std::future::ready(Err(RegistryFault::not_recorded(what))))
}
