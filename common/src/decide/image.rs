//! Whether an image is what an entry of an image rule demands.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::attestors::{self, Considered, Signatures};
use super::superseded::{self, Signed};
use super::{signers, statements};
use crate::digest::Digest;
use crate::gather::{AttestationEvidence, Attested, AttestorEvidence, ImageEvidence};
use crate::image::ImageRef;
use crate::policy::condition::Scope;
use crate::policy::images::{AttestationEntry, ImageEntry, SignedReference};
use crate::policy::{Attestor, Authority, Requirement};
use crate::signature::{Claim, Found, VerifiedSignature};
use crate::signer::Signer;
use crate::verdict::{Check, Outcome, Payload, Reason, SignWith, Who};

/// What was decided about one image and one entry.
#[derive(Clone, Debug)]
pub struct ImageDecision {
    /// The tree.
    pub check: Check,
    /// Everyone whose good signature the entry asked for.
    pub signers: Vec<Signer>,
    /// What did not decide and should be known.
    pub warnings: Vec<String>,
    /// The manifest that all of it is about; `None` where there is none.
    pub digest: Option<Digest>,
    /// What the accepted signatures and attestations say.
    pub payloads: Vec<Arc<Payload>>,
}

/// What a decision depends on beside the image, the entry and the evidence.
#[derive(Clone, Copy)]
pub struct Beside<'b> {
    /// Whether the image must be named by its digest by now, where the entry asks for one.
    pub due: bool,
    /// What conditions over statements see beside them: the request and the rule's context, where there are any.
    pub scope: Option<&'b Scope>,
    /// The time of the judgement.
    pub now: Timestamp,
}

/// What was decided so far.
#[derive(Default)]
struct Parts<'e> {
    checks: Vec<Check>,
    good: Vec<&'e VerifiedSignature>,
    payloads: Vec<Arc<Payload>>,
}

/// Judges one image by one entry.
///
/// 1. The object names the image by digest, if the entry demands it and does not pin it itself.
/// 2. The image is there, and its registry answered (a fault is never "unsigned").
/// 3. Those whom the entry names signed this very manifest, and said so in a form that means it: a
///    statement about the image is no signature of it.
/// 4. Every attestation is there, by those whom it names, and all such statements are as demanded.
/// 5. The conditions under which the image is refused do not hold.
/// 6. Something was demanded at all, or the entry says that nothing needs to be.
/// 7. If the entry pins it itself and that is due: what passed so far is named by the digest that passed. Whatever
///    did not is not pinned for that very reason, which is the one to tell.
#[must_use]
pub fn image(
    image: &ImageRef,
    entry: &ImageEntry,
    evidence: &Result<ImageEvidence, Reason>,
    beside: Beside<'_>,
) -> ImageDecision {
    let Beside { due, scope, now } = beside;
    let mut parts = Parts::default();
    // (1)
    if entry.verify_digest {
        parts.checks.extend(digest_demanded(image, entry, due && !entry.mutate_digest));
    }
    // (2)
    let evidence = match evidence {
        Ok(evidence) => evidence,
        Err(reason) => {
            let outcome = if reason.is_fault() { Outcome::Fault } else { Outcome::Fail };
            parts.checks.push(Check::leaf("image", outcome, reason.clone()));
            return decided(image, parts, None, Vec::new());
        }
    };
    let judged = Judging { image, entry, evidence, scope };
    // (3)
    if let Some(requirement) = &entry.requirement {
        judged.signature(requirement, &mut parts);
    }
    // (4)
    let mut named = Vec::new();
    for (attestation, found) in entry.attestations.iter().zip(&evidence.attestations) {
        let trusted = judged.attestation(attestation, found, now, &mut parts);
        named.extend(attestation.name.iter().map(|name| (name.as_str(), trusted.clone())));
    }
    // (5)
    if let Some(deny) = &entry.deny {
        parts.checks.push(statements::denied(deny, &named, scope, now));
    }
    // (6)
    parts.checks.extend(nothing_demanded(image, entry));
    // (7)
    parts.checks.extend(digest_of_good(image, entry, due, &parts));
    decided(image, parts, Some(evidence.resolved.digest.clone()), evidence.warnings.clone())
}

/// What follows from the entry alone, by the same steps: of whom nothing is demanded is refused or left alone,
/// whatever its registry holds. `None` where the registry has to be asked, if only for the digest to pin.
#[must_use]
pub fn image_unasked(image: &ImageRef, entry: &ImageEntry, due: bool) -> Option<ImageDecision> {
    let settled = nothing_demanded(image, entry).filter(|_| entry.deny.is_none())?;
    if settled.outcome == Outcome::Skip && entry.mutate_digest && image.digest().is_none() {
        return None;
    }
    let mut parts = Parts::default();
    if entry.verify_digest {
        parts.checks.extend(digest_demanded(image, entry, due && !entry.mutate_digest));
    }
    parts.checks.push(settled);
    parts.checks.extend(digest_of_good(image, entry, due, &parts));
    Some(decided(image, parts, image.digest().cloned(), Vec::new()))
}

/// The check of an entry that asks who signed neither the image nor a statement.
fn nothing_demanded(image: &ImageRef, entry: &ImageEntry) -> Option<Check> {
    let (outcome, reason) = match (&entry.requirement, entry.attestations.as_slice()) {
        (None, []) if entry.required => {
            (Outcome::Fail, Reason::ImageUnverified { image: image.typed().to_owned() })
        }
        (None, []) => (Outcome::Skip, Reason::NothingChecked),
        (Some(_), _) | (None, [_, ..]) => return None,
    };
    Some(Check::leaf("signature", outcome, reason).at(&entry.path))
}

/// That an image which passed so far is named by its digest, where that is due.
fn digest_of_good(image: &ImageRef, entry: &ImageEntry, due: bool, parts: &Parts<'_>) -> Option<Check> {
    let so_far = Outcome::worst(parts.checks.iter().map(|check| check.outcome));
    let good = matches!(so_far, Outcome::Pass | Outcome::Skip);
    let asked = entry.verify_digest && due && image.digest().is_none() && good;
    asked.then(|| digest_demanded(image, entry, true)).flatten()
}

fn digest_demanded(image: &ImageRef, entry: &ImageEntry, due: bool) -> Option<Check> {
    let path = entry.path.key("verifyDigest");
    if let Some(digest) = image.digest() {
        let pinned = Reason::DigestPresent { digest: digest.to_string() };
        return Some(Check::leaf("digest", Outcome::Pass, pinned).at(&path));
    }
    let missing = Reason::DigestMissing { image: image.typed().to_owned() };
    due.then(|| Check::leaf("digest", Outcome::Fail, missing).at(&path))
}

/// The tree of one image, with the image in front of whatever went wrong.
fn decided(
    image: &ImageRef,
    parts: Parts<'_>,
    digest: Option<Digest>,
    mut warnings: Vec<String>,
) -> ImageDecision {
    let mut check = Check::all(image.typed().to_owned(), parts.checks);
    check.reason = match check.outcome {
        Outcome::Pass => Reason::ImageVerified {
            image: image.typed().to_owned(),
            digest: digest.as_ref().map(ToString::to_string).unwrap_or_default(),
        },
        Outcome::Fail | Outcome::Fault => Reason::ImageRefused {
            image: image.typed().to_owned(),
            digest: digest.as_ref().map(ToString::to_string),
            why: Box::new(check.reason),
        },
        Outcome::Skip => check.reason,
    };
    warnings.extend(parts.good.iter().flat_map(|signature| signature.warnings.iter().cloned()));
    warnings.sort();
    warnings.dedup();
    let signers = super::everyone(&parts.good);
    ImageDecision { check, signers, warnings, digest, payloads: parts.payloads }
}

struct Judging<'j> {
    image: &'j ImageRef,
    entry: &'j ImageEntry,
    evidence: &'j ImageEvidence,
    scope: Option<&'j Scope>,
}

impl<'j> Judging<'j> {
    fn signature(&self, requirement: &Requirement, parts: &mut Parts<'j>) {
        let missing = || Reason::ImageUnsigned {
            looked_for: self.evidence.looked_for.clone(),
            only: self.evidence.predicate_types.clone(),
            others_signed: self.others_signed(),
        };
        let attested = &self.evidence.signature;
        let judged = self.judge(requirement, attested, &missing);
        parts.payloads.extend(accepted(&judged, attested).into_iter().filter_map(|found| found.payload()));
        parts.good.extend(judged.good);
        parts.checks.push(self.unless_unseen("signature", judged.check));
    }

    /// One attestation. The statements that count are those by whom it names, without those that the entry
    /// takes for superseded; each of them must be as demanded, so that a good one cannot stand in front of a
    /// bad one. The answer is their predicates.
    fn attestation(
        &self,
        attestation: &AttestationEntry,
        found: &'j AttestationEvidence,
        now: Timestamp,
        parts: &mut Parts<'j>,
    ) -> Vec<Arc<Value>> {
        let what = format!("attestation {}", attestation.predicate_type);
        let missing = || Reason::AttestationMissing {
            predicate_type: attestation.predicate_type.clone(),
            found: self.evidence.predicate_types.clone(),
            others_signed: self.others_signed(),
        };
        let (mut checks, trusted) = match &attestation.requirement {
            Some(requirement) => {
                let judged = self.judge(requirement, &found.attestors, &missing);
                let signed = unique(signed(&judged, &found.attestors));
                let (trusted, superseded) = superseded::newest(signed, self.entry.newest_by.as_ref());
                parts.good.extend(judged.good);
                let mut checks = vec![judged.check];
                checks.extend(superseded);
                (checks, trusted)
            }
            None if found.statements.is_empty() => {
                (vec![Check::leaf("statement", Outcome::Fail, missing())], Vec::new())
            }
            None => {
                let types = Reason::AttestationFound { predicate_type: attestation.predicate_type.clone() };
                let statement = Check::leaf("statement", Outcome::Pass, types);
                (vec![statement], found.statements.iter().collect())
            }
        };
        let predicates: Vec<_> = trusted.iter().filter_map(|found| predicate(found)).collect();
        // Whoever is not trusted need not keep to the conditions, and cannot break them.
        if Outcome::worst(checks.iter().map(|check| check.outcome)) == Outcome::Pass {
            let (asked, beside) = (&attestation.conditions, self.scope);
            let conditions = |found: &&Arc<Found>| statements::conditions(found, asked, beside, now);
            checks.extend(trusted.iter().filter_map(conditions));
            parts.payloads.extend(trusted.iter().filter_map(|found| found.payload()));
            // Statements that could not be read may be ones that break the conditions.
            checks.extend(self.evidence.faults.iter().map(fault));
        }
        let check = Check::all(what.clone(), checks).at(&attestation.path);
        parts.checks.push(self.unless_unseen(&what, check));
        predicates
    }

    fn others_signed(&self) -> Vec<String> {
        self.evidence.others_signed.iter().map(ToString::to_string).collect()
    }

    fn judge(
        &self,
        requirement: &Requirement,
        attested: &'j [Attested],
        missing: &dyn Fn() -> Reason,
    ) -> Signatures<'j> {
        let found = |attestor: usize, at: usize| attested.get(attestor)?.signatures.get(at);
        let considered = Considered {
            name: &|attestor, at| found(attestor, at).map(|found| called(found)).unwrap_or_default(),
            named: true,
            missing,
            sign_with: &|attestor, called| self.sign_with(attestor, called),
            lacks: &|index, attestor, at, verified| {
                found(index, at).and_then(|found| self.lacks(attestor, found, verified))
            },
        };
        attestors::judge(requirement, attested.iter().map(|attested| &attested.evidence), &considered)
    }

    /// How the attestor's signature of this image is made. What a command cannot do is said instead.
    fn sign_with(&self, attestor: &Attestor, called: &str) -> SignWith {
        let made = signers::of_image(attestor, called);
        let what = match (
            attestor.repository.as_ref().or(self.entry.repository.as_ref()),
            self.entry.signed_reference,
        ) {
            (Some(place), _) => {
                let place =
                    place.value().map_or_else(|_| "that the rule names".to_owned(), ToString::to_string);
                format!("one in the repository {place}, by {}", made.name())
            }
            (None, SignedReference::Exact) => {
                format!("one that names {} with its tag, by {}", self.image.repository(), made.name())
            }
            (None, SignedReference::Repository) => return SignWith { legacy: true, ..made },
            (None, SignedReference::Any) => return made,
        };
        SignWith { who: Who::Other { what }, ..made }
    }

    /// What a good signature by the right signer still lacks.
    fn lacks(&self, attestor: &Attestor, found: &Found, verified: &VerifiedSignature) -> Option<Reason> {
        if matches!(attestor.authority, Authority::Key(_)) && !attestor.log.ignore_tlog && !verified.in_log {
            return Some(verified.log_problem.clone().unwrap_or(Reason::LogEntryMissing));
        }
        let claim = found.claim.as_ref().ok()?;
        attestors::missing_annotation(attestor, |key| annotation(claim, key))
            .or_else(|| self.other_reference(claim))
    }

    /// Attack A21: a signed image of one repository pushed under the name of another. Only some signatures
    /// say what the image was called; where the entry asks for it, the others do not count.
    fn other_reference(&self, claim: &Claim) -> Option<Reason> {
        let signed = match claim {
            Claim::Image(claim) => claim.reference.as_str(),
            Claim::Statement(_) | Claim::Bytes => "",
        };
        let same = match (self.entry.signed_reference, ImageRef::parse(signed)) {
            (SignedReference::Any, _) => true,
            (SignedReference::Repository, Ok(signed)) => signed.repository() == self.image.repository(),
            (SignedReference::Exact, Ok(signed)) => {
                signed.repository() == self.image.repository() && signed.tag() == self.image.tag()
            }
            (SignedReference::Repository | SignedReference::Exact, Err(_)) => false,
        };
        let found = if signed.is_empty() { "nothing" } else { signed };
        (!same).then(|| Reason::ReferenceMismatch {
            expected: self.image.repository().to_string(),
            found: found.to_owned(),
        })
    }

    /// A check that failed although a place gave no answer is not a finding: what would have passed may be
    /// there.
    fn unless_unseen(&self, what: &str, check: Check) -> Check {
        if check.outcome != Outcome::Fail || self.evidence.faults.is_empty() {
            return Check { what: what.to_owned().into(), ..check };
        }
        let path = check.path.clone();
        let mut children = vec![Check { outcome: Outcome::Skip, ..check }];
        children.extend(self.evidence.faults.iter().map(fault));
        Check { path, ..Check::all(what.to_owned(), children) }
    }
}

fn fault(reason: &Reason) -> Check {
    Check::leaf("registry", Outcome::Fault, reason.clone())
}

fn accepted<'a>(judged: &Signatures<'_>, attested: &'a [Attested]) -> Vec<&'a Arc<Found>> {
    let found = |(attestor, at): &attestors::Accepted| attested.get(*attestor)?.signatures.get(*at);
    judged.accepted.iter().filter_map(found).collect()
}

/// Where a signature was found, and in what form.
fn called(found: &Found) -> String {
    format!("{} ({})", found.place, found.format.name())
}

/// The same with those who signed.
fn signed<'a>(judged: &Signatures<'_>, attested: &'a [Attested]) -> Vec<Signed<'a>> {
    let signed = |(attestor, at): &attestors::Accepted| {
        let Attested { signatures, evidence } = attested.get(*attestor)?;
        let AttestorEvidence::Facts { facts, .. } = evidence else { return None };
        let signer = facts.get(*at)?.as_ref().ok()?.signer.id();
        Some(Signed { found: signatures.get(*at)?, signer })
    };
    judged.accepted.iter().filter_map(signed).collect()
}

fn unique(all: Vec<Signed<'_>>) -> Vec<Signed<'_>> {
    let mut unique: Vec<Signed<'_>> = Vec::new();
    for one in all {
        if !unique.iter().any(|known| known.found.id() == one.found.id()) {
            unique.push(one);
        }
    }
    unique
}

fn predicate(found: &Found) -> Option<Arc<Value>> {
    let statement = found.claim.as_ref().ok()?.statement()?;
    Some(Arc::clone(&statement.predicate))
}

fn annotation(claim: &Claim, key: &str) -> Option<String> {
    match claim {
        Claim::Image(claim) => claim.annotations.get(key).cloned(),
        Claim::Statement(statement) => statement.annotations.get(key).cloned(),
        Claim::Bytes => None,
    }
}
