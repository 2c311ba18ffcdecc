//! A registry in memory, for tests and benches.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Descriptor, Fetch, Fetched, Manifest, Registry, derived_from};
use crate::digest::Digest;
use crate::image::{ImageRef, Repository, Tag, Version};
use crate::verdict::{RegistryFault, RegistryProblem};

/// All registries there are, and all that they hold: what is not in it is not there.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    repositories: BTreeMap<Repository, Contents>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    manifests: BTreeMap<Digest, Arc<Manifest>>,
    tags: BTreeMap<Tag, Digest>,
    blobs: BTreeMap<Digest, Arc<[u8]>>,
}

impl Memory {
    /// And this manifest under this name. A tag that was there before points to the new one; a reference
    /// with a digest names the place only, because a manifest's digest is its own.
    #[must_use]
    pub fn with_manifest(mut self, at: &ImageRef, manifest: impl Into<Arc<Manifest>>) -> Self {
        let manifest = manifest.into();
        let contents = self.repositories.entry(at.repository().clone()).or_default();
        if let Version::Tag(tag) = at.version() {
            contents.tags.insert(tag, manifest.digest.clone());
        }
        contents.manifests.insert(manifest.digest.clone(), manifest);
        self
    }

    /// And this manifest without a tag: a platform's, or a referrer.
    #[must_use]
    pub fn with_untagged(mut self, at: &Repository, manifest: impl Into<Arc<Manifest>>) -> Self {
        let manifest = manifest.into();
        let contents = self.repositories.entry(at.clone()).or_default();
        contents.manifests.insert(manifest.digest.clone(), manifest);
        self
    }

    /// And this blob.
    #[must_use]
    pub fn with_blob(mut self, at: &Repository, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let contents = self.repositories.entry(at.clone()).or_default();
        contents.blobs.insert(Digest::of(&bytes), bytes);
        self
    }

    fn find_manifest(&self, at: &Repository, version: &Version) -> Option<Arc<Manifest>> {
        let contents = self.repositories.get(at)?;
        let digest = match version {
            Version::Tag(tag) => contents.tags.get(tag)?,
            Version::Digest(digest) => digest,
        };
        contents.manifests.get(digest).cloned()
    }

    fn find_blob(&self, at: &Repository, digest: &Digest, bound: usize) -> Fetched<Arc<[u8]>> {
        let blob = self.repositories.get(at).and_then(|contents| contents.blobs.get(digest));
        match blob {
            Some(bytes) if bytes.len() > bound => {
                Err(RegistryFault::new(format!("{at}@{digest}"), RegistryProblem::TooLarge { bound }))
            }
            found => Ok(found.cloned()),
        }
    }

    fn find_referrers(&self, at: &Repository, subject: &Digest) -> Vec<Descriptor> {
        let manifests =
            self.repositories.get(at).into_iter().flat_map(|contents| contents.manifests.values());
        let about = manifests.filter(|manifest| manifest.subject().is_some_and(|of| of.digest == *subject));
        about.map(|manifest| manifest.descriptor()).collect()
    }
}

impl Registry for Memory {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        Box::pin(std::future::ready(Ok(self.find_manifest(at, version))))
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        Box::pin(std::future::ready(self.find_blob(at, digest, bound)))
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        Box::pin(std::future::ready(Ok(Some(self.find_referrers(at, subject)))))
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        let tags = self.repositories.get(at).into_iter().flat_map(|contents| contents.tags.keys());
        Box::pin(std::future::ready(Ok(Some(derived_from(tags)))))
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use serde_json::json;

    use super::*;

    fn manifest(subject: Option<&Manifest>) -> Manifest {
        let of = subject.map(
            |of| json!({"mediaType": of.media_type, "digest": of.digest.to_string(), "size": of.bytes.len()}),
        );
        let body = json!({"artifactType": "application/x", "layers": [], "subject": of});
        Manifest::parse(body.to_string().into_bytes().into(), None).unwrap()
    }

    #[test]
    fn it_answers_what_it_holds_and_nothing_else() {
        let at = ImageRef::parse("ghcr.io/acme/app:1").unwrap();
        let (image, place) = (manifest(None), at.repository());
        let referrer = manifest(Some(&image));
        let memory = Memory::default()
            .with_manifest(&at, image.clone())
            .with_untagged(place, referrer.clone())
            .with_blob(place, b"blob".as_slice());
        let tagged = block_on(memory.manifest(place, &at.version())).unwrap().unwrap();
        assert_eq!(*tagged, image);
        let by_digest = Version::Digest(referrer.digest.clone());
        assert_eq!(*block_on(memory.manifest(place, &by_digest)).unwrap().unwrap(), referrer);
        let listed = block_on(memory.referrers(place, &image.digest)).unwrap().unwrap();
        assert_eq!(listed, [referrer.descriptor()]);
        assert_eq!(listed[0].artifact_type.as_deref(), Some("application/x"));
        let blob =
            |bound| block_on(memory.blob(place, &Digest::of(b"blob"), bound)).map(|found| found.is_some());
        assert_eq!(blob(4), Ok(true));
        assert_eq!(blob(3).unwrap_err().problem, RegistryProblem::TooLarge { bound: 3 });
        let other = ImageRef::parse("ghcr.io/acme/other:1").unwrap();
        assert_eq!(block_on(memory.manifest(other.repository(), &by_digest)), Ok(None));
        assert_eq!(block_on(memory.referrers(other.repository(), &image.digest)), Ok(Some(vec![])));
        assert_eq!(block_on(memory.signed_digests(place)), Ok(Some(vec![])));
        let signatures =
            ImageRef::parse(&format!("{place}:{}", Tag::derived(&image.digest, ".sig"))).unwrap();
        let signed = memory.with_manifest(&signatures, referrer);
        assert_eq!(block_on(signed.signed_digests(place)), Ok(Some(vec![image.digest])));
    }
}
