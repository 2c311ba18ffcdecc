//! Everything about one image: which manifest it is now, and what is signed about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;

use super::World;
use super::attest::{AttestorEvidence, Considered};
use super::look::{Place, Reach, Referrers, look};
use crate::digest::Digest;
use crate::image::{ImageRef, Platform, Repository, Version};
use crate::policy::condition::Scope;
use crate::policy::images::{ImageEntry, SignatureStorage};
use crate::policy::{Attestor, PolicyValue, Requirement};
use crate::registry::{Descriptor, Manifest, Registry};
use crate::signature::{Claim, Found, Subject};
use crate::verdict::{Reason, RegistryProblem};

/// The manifest that an image is at the moment.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Its digest: what is verified, and what an object is pinned to.
    pub digest: Digest,
    /// The manifest, where it was read: always for a tag, for a digest only when something needs it.
    pub manifest: Option<Arc<Manifest>>,
}

/// The facts about one image and one entry of an image rule.
#[derive(Clone, Debug)]
pub struct ImageEvidence {
    /// The manifest that all of it is about.
    pub resolved: Resolved,
    /// For every attestor of the entry, in written order.
    pub signature: Vec<Attested>,
    /// For every attestation of the entry, in written order.
    pub attestations: Vec<AttestationEvidence>,
    /// Where signatures were looked for, for people.
    pub looked_for: Vec<String>,
    /// Predicate types of all statements about the image, whoever signed them.
    pub predicate_types: Vec<String>,
    /// Other images of the same repositories that something is signed about, where the image was named by a tag and
    /// nothing is about it: the tag may have been moved. For people; it decides nothing and may be incomplete.
    pub others_signed: Vec<Digest>,
    /// Places that gave no answer. What they hold is not known.
    pub faults: Vec<Reason>,
    /// What a person should know although it decides nothing.
    pub warnings: Vec<String>,
}

impl ImageEvidence {
    /// Whether every place answered, and nothing was in any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let none = |attested: &Attested| attested.signatures.is_empty();
        self.faults.is_empty() && self.signature.iter().all(none) && self.attestations.is_empty()
    }
}

/// What is known for one attestor.
#[derive(Clone, Debug)]
pub struct Attested {
    /// The signatures that it was tried on.
    pub signatures: Vec<Arc<Found>>,
    /// What they prove to it.
    pub evidence: AttestorEvidence,
}

/// The facts about one attestation of an entry.
#[derive(Clone, Debug)]
pub struct AttestationEvidence {
    /// Every statement of its type about the image.
    pub statements: Vec<Arc<Found>>,
    /// For every attestor, in written order.
    pub attestors: Vec<Attested>,
}

/// Finds out which manifest an image is now. Asked once for each image of a request, so that the verdict
/// and the digest that an object is pinned to speak of the same manifest.
///
/// Attack A1: a registry that serves a signed image to the first request and another one to the next.
///
/// # Errors
/// [`Reason::ImageNotFound`], or the fault of the registry.
pub async fn resolve(image: &ImageRef, registry: &dyn Registry) -> Result<Resolved, Reason> {
    if let Some(digest) = image.digest() {
        return Ok(Resolved { digest: digest.clone(), manifest: None });
    }
    let manifest = read(image, &image.version(), registry).await?;
    Ok(Resolved { digest: manifest.digest.clone(), manifest: Some(manifest) })
}

/// The manifest of one platform of an index; `None` where the image is no index or has no such platform.
///
/// Attack: an index that lists a signed manifest and another one for the same platform, perhaps under
/// another of its names. Which of them a node takes is not known, so it has no such platform either.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_platform(
    image: &ImageRef,
    resolved: &Resolved,
    platform: &Platform,
    registry: &dyn Registry,
) -> Result<Option<Resolved>, Reason> {
    let manifest = match &resolved.manifest {
        Some(manifest) => Arc::clone(manifest),
        None => read(image, &Version::Digest(resolved.digest.clone()), registry).await?,
    };
    let listed = manifest.index().map(|index| index.manifests.as_slice()).unwrap_or_default();
    let of_platform = |one: &&Descriptor| one.platform.as_ref().is_some_and(|of| of.is_same(platform));
    let mut digests: Vec<_> = listed.iter().filter(of_platform).map(|one| &one.digest).collect();
    digests.dedup();
    let [digest] = digests[..] else { return Ok(None) };
    Ok(Some(Resolved { digest: digest.clone(), manifest: None }))
}

async fn read(image: &ImageRef, version: &Version, registry: &dyn Registry) -> Result<Arc<Manifest>, Reason> {
    match registry.manifest(image.repository(), version).await {
        Ok(Some(manifest)) => Ok(manifest),
        Ok(None) => Err(Reason::ImageNotFound { image: image.typed().to_owned() }),
        Err(fault) => Err(Reason::Registry(fault)),
    }
}

/// Gathers the facts for one entry. `reach` says how far to look: most images are signed in one place, and
/// the others need not be asked once that is enough.
///
/// # Errors
/// A place named by the policy that is none, or an image that is not there.
pub async fn image(
    image: &ImageRef,
    resolved: &Resolved,
    entry: &ImageEntry,
    reach: Reach,
    scope: Option<&Scope>,
    world: World<'_>,
) -> Result<ImageEvidence, Reason> {
    if entry.storage == SignatureStorage::Notary {
        return Err(Reason::PolicyUnsupported { what: "signatures of type Notary".to_owned() });
    }
    let registry = world.sources.registry(&entry.credentials);
    let places = Places::of(image, resolved, entry, reach, registry, world).await?;
    let mut resolved = resolved.clone();
    // Before an image counts as unsigned, the registry must have shown that it lets us see the image.
    let unseen = resolved.manifest.is_none() && (places.needs_bytes() || places.is_empty());
    if unseen && reach.last {
        let version = Version::Digest(resolved.digest.clone());
        resolved.manifest = Some(read(image, &version, registry).await?);
    }
    let unsigned_tag = reach.last && image.digest().is_none() && places.is_empty() && !places.have_faults();
    let others_signed =
        if unsigned_tag { places.others_signed(&resolved.digest, registry).await } else { Vec::new() };
    let bytes = resolved.manifest.as_ref().map(|manifest| &*manifest.bytes);
    let subject = Subject { digest: &resolved.digest, bytes };
    let asked = Asked { places: &places, subject, scope, world };
    let signature = match &entry.requirement {
        Some(requirement) => asked.attest(requirement, entry, is_signature).await,
        None => Vec::new(),
    };
    let mut attestations = Vec::new();
    for attestation in &entry.attestations {
        let of_type = |found: &Found| has_type(found, &attestation.predicate_type);
        let attestors = match &attestation.requirement {
            Some(requirement) => asked.attest(requirement, entry, of_type).await,
            None => Vec::new(),
        };
        let statements = places.all().filter(|found| of_type(found) && is_about(found, &resolved.digest));
        attestations.push(AttestationEvidence { statements: statements.cloned().collect(), attestors });
    }
    Ok(ImageEvidence {
        looked_for: places.looked_for(),
        predicate_types: places.predicate_types(&resolved.digest),
        others_signed,
        faults: places.by_name.values().flat_map(|place| place.faults.iter().cloned()).collect(),
        warnings: places.by_name.values().flat_map(|place| place.warnings.iter().cloned()).collect(),
        resolved,
        signature,
        attestations,
    })
}

fn is_signature(found: &Found) -> bool {
    // What cannot be read may have been one, and says why it is none.
    found.claim.as_ref().map_or(found.format.holds_signatures(), Claim::is_signature)
}

fn has_type(found: &Found, predicate_type: &str) -> bool {
    let statement = found.claim.as_ref().ok().and_then(|claim| claim.statement());
    statement.is_some_and(|statement| statement.predicate_type == predicate_type)
}

fn is_about(found: &Found, digest: &Digest) -> bool {
    found.claim.as_ref().is_ok_and(|claim| claim.contradicts(digest).is_none())
}

/// Every place where an entry has signatures looked for, by repository.
struct Places {
    by_name: BTreeMap<Repository, Place>,
}

impl Places {
    async fn of(
        image: &ImageRef,
        resolved: &Resolved,
        entry: &ImageEntry,
        reach: Reach,
        registry: &dyn Registry,
        world: World<'_>,
    ) -> Result<Self, Reason> {
        let mut repositories: Vec<Repository> = Vec::new();
        let attested = entry.attestations.iter().filter_map(|attestation| attestation.requirement.as_ref());
        let attestors = entry.requirement.iter().chain(attested).flat_map(Requirement::attestors);
        for attestor in attestors.map(Some).chain([None]) {
            let repository = repository(image, entry, attestor)?;
            if !repositories.contains(&repository) {
                repositories.push(repository);
            }
        }
        let looks = repositories.iter().map(|at| look(at, &resolved.digest, reach, registry, world.facts));
        let found = join_all(looks).await;
        let mut by_name: BTreeMap<_, _> = repositories.into_iter().zip(found).collect();
        let elsewhere = by_name.iter_mut().filter(|(at, _)| *at != image.repository());
        elsewhere.for_each(|(at, place)| not_recorded_elsewhere(at, &mut place.faults));
        Ok(Self { by_name })
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Found>> {
        self.by_name.values().flat_map(|place| &place.found)
    }

    fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    fn have_faults(&self) -> bool {
        self.by_name.values().any(|place| !place.faults.is_empty())
    }

    /// Other images that something is signed about. A registry that does not answer tells nothing more.
    async fn others_signed(&self, digest: &Digest, registry: &dyn Registry) -> Vec<Digest> {
        let listed = join_all(self.by_name.keys().map(|at| registry.signed_digests(at))).await;
        let mut others: Vec<_> =
            listed.into_iter().filter_map(|listed| listed.ok().flatten()).flatten().collect();
        others.retain(|other| other != digest);
        others.sort();
        others.dedup();
        others
    }

    fn needs_bytes(&self) -> bool {
        self.all().any(|found| found.needs_bytes())
    }

    fn looked_for(&self) -> Vec<String> {
        self.by_name.values().flat_map(|place| place.looked_for.iter().cloned()).collect()
    }

    fn predicate_types(&self, digest: &Digest) -> Vec<String> {
        let about = self.all().filter(|found| is_about(found, digest));
        let statements = about.filter_map(|found| found.claim.as_ref().ok()?.statement());
        let mut types: Vec<_> = statements.map(|statement| statement.predicate_type.clone()).collect();
        types.sort();
        types.dedup();
        types
    }
}

/// Recording the image again brings its own repository only, so the advice must name the other.
fn not_recorded_elsewhere(at: &Repository, faults: &mut [Reason]) {
    for fault in faults {
        if let Reason::Registry(fault) = fault
            && fault.problem == RegistryProblem::NotRecorded
        {
            fault.problem = RegistryProblem::SignaturesNotRecorded { repository: at.to_string() };
        }
    }
}

/// Where the signatures for an attestor are: where it says, else where the entry says, else beside the image.
fn repository(
    image: &ImageRef,
    entry: &ImageEntry,
    attestor: Option<&Attestor>,
) -> Result<Repository, Reason> {
    let named = attestor.and_then(|attestor| attestor.repository.as_ref()).or(entry.repository.as_ref());
    match named.map(PolicyValue::value) {
        None => Ok(image.repository().clone()),
        Some(Ok(named)) => Ok(named.clone()),
        Some(Err(problem)) => {
            let own = attestor.filter(|attestor| attestor.repository.is_some());
            let at = own.map_or_else(|| entry.path.clone(), Attestor::entry);
            let variable = at.key("repository").to_string();
            Err(Reason::VariableUnresolved { variable, problem: problem.to_owned() })
        }
    }
}

/// What attestors are tried on.
struct Asked<'a> {
    places: &'a Places,
    subject: Subject<'a>,
    scope: Option<&'a Scope>,
    world: World<'a>,
}

impl Asked<'_> {
    async fn attest(
        &self,
        requirement: &Requirement,
        entry: &ImageEntry,
        wanted: impl Fn(&Found) -> bool,
    ) -> Vec<Attested> {
        let mut attested = Vec::new();
        for attestor in requirement.attestors() {
            let own = attestor.repository.as_ref().or(entry.repository.as_ref());
            let place = |(at, _): &(&Repository, &Place)| match own {
                Some(named) => named.value().is_ok_and(|named| named == *at),
                None => true,
            };
            let places = self.places.by_name.iter().filter(place);
            let found = places.flat_map(|(_, place)| &place.found).filter(|found| wanted(found));
            let signatures: Vec<_> = found.cloned().collect();
            let considered = Considered {
                signatures: &signatures,
                subject: self.subject,
                scope: self.scope,
                options: true,
                world: self.world,
            };
            let evidence = considered.attest(attestor).await;
            attested.push(Attested { signatures, evidence });
        }
        attested
    }
}

/// How far to look for an entry, first and last.
#[must_use]
pub fn reaches(entry: &ImageEntry) -> Vec<Reach> {
    let (signatures, attestations) = (entry.requirement.is_some(), !entry.attestations.is_empty());
    let tags =
        |referrers, last| Reach { signature_tag: signatures, attestation_tag: attestations, referrers, last };
    if !signatures && !attestations {
        return vec![tags(Referrers::None, false)];
    }
    match entry.storage {
        SignatureStorage::Bundle => vec![tags(Referrers::Bundles, true).without_tags()],
        SignatureStorage::Tags => vec![tags(Referrers::None, true)],
        // Every statement of a type counts, wherever it is, so nothing may be left out.
        SignatureStorage::Cosign | SignatureStorage::Notary if attestations || entry.oci11 => {
            vec![tags(Referrers::All, true)]
        }
        SignatureStorage::Cosign | SignatureStorage::Notary => {
            vec![tags(Referrers::None, false), tags(Referrers::All, true)]
        }
    }
}
