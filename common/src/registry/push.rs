//! The few writes that signing and attesting need. Nothing that verifies takes this trait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::digest::Digest;
use crate::image::{Repository, Version};
use crate::verdict::RegistryFault;

/// A boxed future of a write: the digest of what was written.
pub type Pushing<'p> = Pin<Box<dyn Future<Output = Result<Digest, RegistryFault>> + Send + 'p>>;

/// Writes to registries (OCI distribution specification, "Push").
pub trait Push: Send + Sync {
    /// Writes a blob, unless it is there.
    fn put_blob<'p>(&'p self, at: &'p Repository, bytes: Arc<[u8]>) -> Pushing<'p>;

    /// Writes a manifest whose blobs are there, under a tag or its own digest. One that has a `subject` is
    /// in the list of the subject's referrers afterwards, whether the registry keeps that list or not.
    fn put_manifest<'p>(
        &'p self,
        at: &'p Repository,
        version: &'p Version,
        media_type: &'p str,
        bytes: Arc<[u8]>,
    ) -> Pushing<'p>;
}
