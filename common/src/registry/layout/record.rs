//! Recording an image: everything that verifying it reads, and no layers.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::write::{Contents, WriteError};
use crate::digest::Digest;
use crate::image::{ImageRef, Repository, Tag, Version};
use crate::limits;
use crate::registry::http::Observer;
use crate::registry::manifest::is_manifest;
use crate::registry::{Descriptor, Manifest, Registry};
use crate::verdict::RegistryFault;

/// Records images of a registry into one layout.
#[derive(Clone)]
pub struct Recorder<'r> {
    registry: &'r dyn Registry,
    folder: PathBuf,
    /// Other repositories in which signatures are looked for.
    signatures_in: Vec<Repository>,
    observer: Option<Arc<dyn Observer>>,
}

/// What was recorded of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The digest of the image.
    pub digest: Digest,
    /// The name under which it is in the layout.
    pub name: String,
    /// How many manifests, the image's own among them.
    pub manifests: usize,
    /// How many blobs (configurations, signatures, attestations).
    pub blobs: usize,
    /// Bytes of manifests and blobs.
    pub bytes: usize,
    /// What was listed and is not in the layout: platforms and configurations that the registry does
    /// not hold, blobs larger than any that would be read ([`limits::ATTESTATION_BYTES`]), manifests of
    /// unknown types. Whoever
    /// asks the layout for one of these gets a fault.
    pub left_out: usize,
    /// Other repositories that were looked into for signatures and hold nothing about the image. That is recorded,
    /// too: without a network the image counts as unsigned there.
    pub nothing_in: Vec<Repository>,
}

/// Why an image was not recorded. Then nothing was written of it, unless writing itself failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The registry says that it is not there.
    #[error("{0} is not there; check the name")]
    NotFound(String),
    /// A registry that lists what it does not hold.
    #[error("the registry lists {0} and does not hold it; push the image again")]
    Missing(String),
    /// No answer to work with.
    #[error("{0}")]
    Registry(RegistryFault),
    /// More than anybody would read.
    #[error("there are more than {} bytes or too many manifests about the image", limits::RECORDED_BYTES)]
    TooMuch,
    /// It was to be recorded under a name with a digest that it does not have.
    #[error("the image has the digest {found}, so it cannot stand for {name}")]
    OtherDigest {
        /// The name.
        name: String,
        /// Its digest.
        found: Digest,
    },
    /// The layout.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl<'r> Recorder<'r> {
    /// A recorder of what the registry answers; the folder is made when the first image is whole.
    #[must_use]
    pub fn new(registry: &'r dyn Registry, folder: impl Into<PathBuf>) -> Self {
        Self { registry, folder: folder.into(), signatures_in: Vec::new(), observer: None }
    }

    /// The same, and signatures and attestations are recorded of these repositories as well, under their own names:
    /// where a policy looks for them (`repository` of Kyverno's rules) if not beside the image.
    #[must_use]
    pub fn with_signatures_in(self, repositories: Vec<Repository>) -> Self {
        Self { signatures_in: repositories, ..self }
    }

    /// The same, and this is told when another process writes to the folder and is waited for.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Records an image:
    ///
    /// 1. Its manifest, under its own name or under `stands_for` (an image of `127.0.0.1:5000/x` can so
    ///    stand for one of `registry.k8s.io/x`); of an index, the manifests of its platforms as well.
    /// 2. Of each, its configuration, and its signatures and attestations: tags that are derived from its
    ///    digest, and referrers, each with its blobs; also those in [other repositories](Self::with_signatures_in).
    /// 3. When all is there, it is written into the layout, beside what that holds already.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn record(
        &self,
        image: &ImageRef,
        stands_for: Option<&ImageRef>,
    ) -> Result<Recorded, RecordError> {
        let from = image.repository();
        let to = stands_for.map_or(from, ImageRef::repository);
        let own = Place { from, to };
        let elsewhere = self.signatures_in.iter().filter(|at| *at != to).map(|at| Place { from: at, to: at });
        let elsewhere: Vec<_> = elsewhere.collect();
        let mut collector = Collector {
            registry: self.registry,
            contents: Contents::default(),
            left_out: 0,
            found_in: BTreeSet::new(),
        };
        let top = collector.fetch(own, &image.version()).await?;
        let top = top.ok_or_else(|| RecordError::NotFound(image.to_string()))?;
        let version = version(image, stands_for, &top)?;
        collector.keep(&top, own, &version)?;
        collector.image(Arc::clone(&top), own, &elsewhere).await?; // 1. and 2.
        collector.contents.write(&self.folder, self.observer.as_deref())?; // 3.
        let (names, all, bytes) = collector.contents.size();
        Ok(Recorded {
            digest: top.digest.clone(),
            name: format!("{to}{}", version.suffix()),
            manifests: names,
            blobs: all.saturating_sub(names),
            bytes,
            left_out: collector.left_out,
            nothing_in: elsewhere
                .iter()
                .map(|place| place.to)
                .filter(|at| !collector.found_in.contains(*at))
                .cloned()
                .collect(),
        })
    }
}

/// The version under which the image is recorded: that of the name it stands for, if that has one.
fn version(
    image: &ImageRef,
    stands_for: Option<&ImageRef>,
    found: &Manifest,
) -> Result<Version, RecordError> {
    let Some(name) = stands_for else { return Ok(image.version()) };
    match (name.digest(), name.tag()) {
        (Some(digest), _) if *digest != found.digest => {
            Err(RecordError::OtherDigest { name: name.to_string(), found: found.digest.clone() })
        }
        (Some(_), _) | (None, Some(_)) => Ok(name.version()),
        (None, None) => Ok(image.version()),
    }
}

/// A repository that is read, and that under whose name it is recorded.
#[derive(Clone, Copy)]
struct Place<'r> {
    from: &'r Repository,
    to: &'r Repository,
}

/// Reads everything about an image into memory.
struct Collector<'r> {
    registry: &'r dyn Registry,
    contents: Contents,
    left_out: usize,
    /// Repositories that hold something about the image.
    found_in: BTreeSet<Repository>,
}

impl Collector<'_> {
    async fn fetch(&self, place: Place<'_>, version: &Version) -> Result<Option<Arc<Manifest>>, RecordError> {
        self.registry.manifest(place.from, version).await.map_err(RecordError::Registry)
    }

    fn missing(place: Place<'_>, digest: &Digest) -> RecordError {
        RecordError::Missing(format!("{}@{digest}", place.from))
    }

    fn keep(&mut self, manifest: &Manifest, place: Place<'_>, version: &Version) -> Result<(), RecordError> {
        self.contents.manifest(manifest, place.to, version);
        self.check()
    }

    fn check(&self) -> Result<(), RecordError> {
        let (names, _, bytes) = self.contents.size();
        let fits = bytes <= limits::RECORDED_BYTES && names <= limits::LAYOUT_MANIFESTS;
        if fits { Ok(()) } else { Err(RecordError::TooMuch) }
    }

    /// An image or index with everything below it. Each is read once, however often it is listed.
    async fn image(
        &mut self,
        top: Arc<Manifest>,
        own: Place<'_>,
        elsewhere: &[Place<'_>],
    ) -> Result<(), RecordError> {
        let mut open = vec![(top, limits::INDEX_DEPTH)];
        while let Some((manifest, depth)) = open.pop() {
            if !self.contents.image(own.to, &manifest.digest) {
                continue;
            }
            if let Some(config) = manifest.image().and_then(|image| image.config.as_ref()) {
                self.blob(own, config, limits::IMAGE_CONFIG_BYTES, false).await?;
            }
            for platform in self.platforms(own, &manifest).await? {
                open.push((platform, depth.checked_sub(1).ok_or(RecordError::TooMuch)?));
            }
            self.evidence(own, &manifest.digest).await?;
            for place in elsewhere {
                self.evidence(*place, &manifest.digest).await?;
                self.contents.signatures_in(place.to, &manifest);
            }
        }
        Ok(())
    }

    /// What an index lists, as far as the registry holds it; mirrors often hold some platforms only.
    async fn platforms(
        &mut self,
        place: Place<'_>,
        index: &Manifest,
    ) -> Result<Vec<Arc<Manifest>>, RecordError> {
        let mut found = Vec::new();
        for child in index.index().map_or(&[][..], |index| &index.manifests) {
            let manifest =
                if is_manifest(&child.media_type) { self.by_digest(place, child).await? } else { None };
            self.left_out += usize::from(manifest.is_none());
            found.extend(manifest);
        }
        Ok(found)
    }

    async fn by_digest(
        &mut self,
        place: Place<'_>,
        listed: &Descriptor,
    ) -> Result<Option<Arc<Manifest>>, RecordError> {
        let version = Version::Digest(listed.digest.clone());
        let found = self.fetch(place, &version).await?;
        if let Some(manifest) = &found {
            self.keep(manifest, place, &version)?;
        }
        Ok(found)
    }

    /// Signatures and attestations of one manifest in one repository.
    async fn evidence(&mut self, place: Place<'_>, digest: &Digest) -> Result<(), RecordError> {
        // The bare tag is the list of referrers in registries without the API for it.
        for suffix in ["", ".sig", ".att"] {
            let version = Version::Tag(Tag::derived(digest, suffix));
            if let Some(manifest) = self.fetch(place, &version).await? {
                self.found_in.insert(place.to.clone());
                self.keep(&manifest, place, &version)?;
                self.blobs(place, &manifest).await?;
            }
        }
        let listed = self.registry.referrers(place.from, digest).await.map_err(RecordError::Registry)?;
        let listed = listed.unwrap_or_default();
        if listed.len() > limits::MANIFEST_ENTRIES {
            return Err(RecordError::TooMuch);
        }
        for referrer in &listed {
            if !is_manifest(&referrer.media_type) {
                self.left_out += 1;
                continue;
            }
            let found = self.by_digest(place, referrer).await?;
            let manifest = found.ok_or_else(|| Self::missing(place, &referrer.digest))?;
            self.found_in.insert(place.to.clone());
            self.blobs(place, &manifest).await?;
        }
        Ok(())
    }

    /// The contents and the configuration of a signature or attestation.
    async fn blobs(&mut self, place: Place<'_>, manifest: &Manifest) -> Result<(), RecordError> {
        let Some(image) = manifest.image() else { return Ok(()) };
        for layer in &image.layers {
            self.blob(place, layer, limits::ATTESTATION_BYTES, true).await?;
        }
        match &image.config {
            Some(config) => self.blob(place, config, limits::ATTESTATION_BYTES, false).await,
            None => Ok(()),
        }
    }

    /// A blob of at most `bound` bytes; `needed` if nobody could verify without it.
    async fn blob(
        &mut self,
        place: Place<'_>,
        blob: &Descriptor,
        bound: usize,
        needed: bool,
    ) -> Result<(), RecordError> {
        if self.contents.holds(&blob.digest) {
            return Ok(());
        }
        if blob.size > bound as u64 {
            self.left_out += 1;
            return Ok(());
        }
        let found = self.registry.blob(place.from, &blob.digest, bound).await;
        match found.map_err(RecordError::Registry)? {
            Some(bytes) => self.contents.blob(&blob.digest, bytes),
            None if needed => return Err(Self::missing(place, &blob.digest)),
            None => self.left_out += 1,
        }
        self.check()
    }
}
