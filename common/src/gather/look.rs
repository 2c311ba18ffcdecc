//! Looking for signatures and attestations beside an image.

use std::sync::Arc;

use super::in_order;
use crate::cache::{FactKey, Facts};
use crate::digest::Digest;
use crate::image::{Repository, Tag, Version};
use crate::limits;
use crate::registry::{Descriptor, ImageManifest, Manifest, Registry};
use crate::signature::{Found, simple_signing};
use crate::verdict::{Reason, RegistryFault, RegistryProblem};

/// Media type of a layer that holds a DSSE envelope.
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// What the media types of Sigstore bundles begin with, in all versions.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// Manifests and blobs that are asked for at the same time.
const AT_ONCE: usize = 8;

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// cosign's tag for signatures, `sha256-….sig`.
    pub signature_tag: bool,
    /// cosign's tag for attestations, `sha256-….att`.
    pub attestation_tag: bool,
    /// Manifests that name the image as their subject.
    pub referrers: Referrers,
    /// Whether nothing is asked after this: before an image counts as unsigned, it must have been seen.
    pub last: bool,
}

/// Which manifests are read that name an image as their subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// None.
    None,
    /// What they hold in Sigstore bundles. Attack A39: the policy pins the format, so that a signature in an older
    /// one that proves less does not count, wherever it is attached.
    Bundles,
    /// Whatever they hold.
    All,
}

impl Reach {
    /// The same without cosign's tags.
    #[must_use]
    pub fn without_tags(self) -> Self {
        Self { signature_tag: false, attestation_tag: false, ..self }
    }

    /// Whether every referrer of the image is asked for.
    fn refers(self) -> bool {
        self.referrers != Referrers::None
    }
}

/// What was found in one repository.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) looked_for: Vec<String>,
    pub(super) found: Vec<Arc<Found>>,
    pub(super) faults: Vec<Reason>,
    pub(super) warnings: Vec<String>,
}

/// Looks for everything that is signed about `digest`.
pub(super) async fn look(
    at: &Repository,
    digest: &Digest,
    reach: Reach,
    registry: &dyn Registry,
    facts: &Facts,
) -> Place {
    let looking = Looking { at, digest, registry, facts, referrers: reach.referrers };
    let tag = |wanted: bool, suffix: &'static str| async move {
        if wanted { looking.tag(suffix).await } else { Place::default() }
    };
    let referrers = async { if reach.refers() { looking.referrers().await } else { Place::default() } };
    let (signatures, attestations, referrers) =
        futures::join!(tag(reach.signature_tag, ".sig"), tag(reach.attestation_tag, ".att"), referrers);
    let mut place = signatures;
    for other in [attestations, referrers] {
        place.looked_for.extend(other.looked_for);
        place.found.extend(other.found);
        place.faults.extend(other.faults);
        place.warnings.extend(other.warnings);
    }
    place
}

/// One artifact that was found, or why it was not.
type Piece = Result<Arc<Found>, Reason>;

#[derive(Clone, Copy)]
struct Looking<'l> {
    at: &'l Repository,
    digest: &'l Digest,
    registry: &'l dyn Registry,
    facts: &'l Facts,
    referrers: Referrers,
}

impl Looking<'_> {
    /// The layers of cosign's tag. Not there is an answer; anything that cannot be read is not.
    async fn tag(&self, suffix: &str) -> Place {
        let tag = Tag::derived(self.digest, suffix);
        let name = format!("{}:{tag}", self.at);
        let mut place = Place { looked_for: vec![name.clone()], ..Place::default() };
        match self.registry.manifest(self.at, &Version::Tag(tag.clone())).await {
            Ok(None) => {}
            Ok(Some(manifest)) => match manifest.image() {
                Some(image) => self.layers(&mut place, &manifest, (image, kind), tag.as_str()).await,
                None => place.faults.push(malformed(&name, "an index where a manifest must be")),
            },
            Err(fault) => place.faults.push(Reason::Registry(fault)),
        }
        place
    }

    /// The manifests that name the image as their subject.
    async fn referrers(&self) -> Place {
        let name = format!("referrers of {}@{}", self.at, self.digest);
        let mut place = Place { looked_for: vec![name.clone()], ..Place::default() };
        let listed = match self.registry.referrers(self.at, self.digest).await {
            Ok(listed) => listed.unwrap_or_default(),
            Err(fault) => {
                place.faults.push(Reason::Registry(fault));
                return place;
            }
        };
        let candidates: Vec<_> = listed.into_iter().filter(may_be_signature).collect();
        if candidates.len() > limits::IMAGE_SIGNATURES {
            place.faults.push(too_many(&name, candidates.len()));
        }
        let candidates = candidates.into_iter().take(limits::IMAGE_SIGNATURES);
        let read = candidates.map(|descriptor| self.referrer(descriptor));
        for part in in_order(read.collect(), AT_ONCE).await {
            place.found.extend(part.found);
            place.faults.extend(part.faults);
            place.warnings.extend(part.warnings);
        }
        place
    }

    /// One referrer. What the list says of it is not believed: its manifest must name the image itself.
    async fn referrer(&self, descriptor: Descriptor) -> Place {
        let mut place = Place::default();
        let name = format!("referrer {}", descriptor.digest);
        let manifest = match self.registry.manifest(self.at, &Version::Digest(descriptor.digest)).await {
            Ok(Some(manifest)) => manifest,
            Ok(None) => {
                place.faults.push(malformed(&name, "listed, and not there"));
                return place;
            }
            Err(fault) => {
                place.faults.push(Reason::Registry(fault));
                return place;
            }
        };
        if manifest.subject().is_none_or(|subject| subject.digest != *self.digest) {
            place.warnings.push(format!("{name} is listed for the image and is about something else"));
            return place;
        }
        if let Some(image) = manifest.image() {
            let of_interest = if self.referrers == Referrers::Bundles { bundle } else { kind };
            self.layers(&mut place, &manifest, (image, of_interest), &name).await;
        }
        place
    }

    /// The layers of one manifest that hold signatures or attestations.
    async fn layers(
        &self,
        place: &mut Place,
        manifest: &Manifest,
        (image, of_interest): (&ImageManifest, fn(&Descriptor) -> Option<Kind>),
        name: &str,
    ) {
        let wanted: Vec<_> =
            image.layers.iter().enumerate().filter(|(_, layer)| of_interest(layer).is_some()).collect();
        if wanted.len() > limits::IMAGE_SIGNATURES {
            place.faults.push(too_many(name, wanted.len()));
        }
        let several = wanted.len() > 1;
        let wanted: Vec<_> = wanted.into_iter().take(limits::IMAGE_SIGNATURES).collect();
        let bytes: u64 = wanted.iter().map(|(_, layer)| layer.size).sum();
        if bytes > limits::IMAGE_EVIDENCE_BYTES as u64 {
            let what = format!(
                "{name} holds {bytes} bytes; more than {} are not read",
                limits::IMAGE_EVIDENCE_BYTES
            );
            place.faults.push(Reason::TooMuchEvidence { what });
            return;
        }
        let read = wanted.into_iter().map(|(index, layer)| {
            let name = if several { format!("{name}#{index}") } else { name.to_owned() };
            self.layer(manifest, index, layer, name)
        });
        for piece in in_order(read.collect(), AT_ONCE).await {
            match piece {
                Ok(found) => place.found.push(found),
                Err(reason) => place.faults.push(reason),
            }
        }
    }

    async fn layer(&self, manifest: &Manifest, index: usize, layer: &Descriptor, name: String) -> Piece {
        let kind = kind(layer).ok_or(Reason::NothingChecked)?;
        let bound = match kind {
            Kind::SimpleSigning => limits::PAYLOAD_BYTES,
            Kind::Envelope | Kind::Bundle => limits::ATTESTATION_BYTES,
        };
        let blob = match self.registry.blob(self.at, &layer.digest, bound).await {
            Ok(Some(blob)) => blob,
            Ok(None) => return Err(malformed(&name, "its blob is not there")),
            Err(fault) => return Err(Reason::Registry(fault)),
        };
        // The manifest's digest covers the layer's annotations, and its place the rest.
        let index = index.to_be_bytes();
        let key = FactKey::of(&[b"layer", manifest.digest.hex().as_bytes(), &index, name.as_bytes()]);
        Ok(self.facts.found(key, || match kind {
            Kind::SimpleSigning => Found::simple_signing(name, blob, &layer.annotations),
            Kind::Envelope => Found::attestation(name, &blob, &layer.annotations),
            Kind::Bundle => Found::bundle(name, &blob),
        }))
    }
}

/// What a layer holds.
#[derive(Clone, Copy)]
enum Kind {
    SimpleSigning,
    Envelope,
    Bundle,
}

fn kind(layer: &Descriptor) -> Option<Kind> {
    match layer.media_type.as_str() {
        simple_signing::MEDIA_TYPE => Some(Kind::SimpleSigning),
        ENVELOPE => Some(Kind::Envelope),
        other if other.starts_with(BUNDLE) => Some(Kind::Bundle),
        _ => None,
    }
}

/// The same, of bundles alone.
fn bundle(layer: &Descriptor) -> Option<Kind> {
    kind(layer).filter(|kind| matches!(kind, Kind::Bundle))
}

/// Whether a listed manifest may hold signatures: not if the list names another kind of thing. Registries
/// that list the configuration's type, or that of an empty one, say nothing.
fn may_be_signature(descriptor: &Descriptor) -> bool {
    const SILENT: [&str; 3] =
        ["", "application/vnd.oci.empty.v1+json", "application/vnd.oci.image.config.v1+json"];
    let Some(named) = descriptor.artifact_type.as_deref() else { return true };
    SILENT.contains(&named)
        || ["sigstore", "cosign", "dsse", "in-toto"].iter().any(|word| named.contains(word))
}

fn too_many(name: &str, found: usize) -> Reason {
    let what =
        format!("{name} holds {found} signatures; more than {} are not read", limits::IMAGE_SIGNATURES);
    Reason::TooMuchEvidence { what }
}

fn malformed(name: &str, what: &str) -> Reason {
    Reason::Registry(RegistryFault::new(name, RegistryProblem::Malformed(what.to_owned())))
}
