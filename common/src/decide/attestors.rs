//! Whether the signers are those the rule asks for.

use std::collections::BTreeSet;

use super::signers;
use crate::gather::{AttestorEvidence, name};
use crate::policy::requirement::Node;
use crate::policy::{Attestor, Authority, Keyless, Requirement};
use crate::signature::VerifiedSignature;
use crate::signer::Signer;
use crate::verdict::{Check, Needs, Outcome, Reason, SignWith, SignatureProblem, Signers};

/// The tree of the rule's attestors.
pub(super) struct Signatures<'e> {
    pub(super) check: Check,
    /// The signatures that an attestor asked for and found good.
    pub(super) good: Vec<&'e VerifiedSignature>,
    /// Those of them that have all that the attestor asks for.
    pub(super) accepted: Vec<Accepted>,
}

/// A node on the way up.
struct Judged<'e> {
    check: Check,
    good: Vec<&'e VerifiedSignature>,
    accepted: Vec<Accepted>,
    /// Who satisfied it; `None` where it is not satisfied.
    signers: Option<BTreeSet<String>>,
    /// The signers that are still missing; none where the node is satisfied.
    missing: Signers,
}

/// What is judged: the signatures by their names, and what a rule asks of each besides its signer.
pub(super) struct Considered<'c> {
    /// What the signature of that index is called, of those that were tried for the attestor of that index.
    pub(super) name: &'c dyn Fn(usize, usize) -> String,
    /// The reason where there is none at all.
    pub(super) missing: &'c dyn Fn() -> Reason,
    /// Whether a single signature is named as well: those of an image are in many places.
    pub(super) named: bool,
    /// How a signature is made that the attestor of that name takes.
    pub(super) sign_with: &'c dyn Fn(&Attestor, &str) -> SignWith,
    /// What a good signature of that index lacks for the attestor.
    pub(super) lacks: &'c dyn Fn(usize, &Attestor, usize, &VerifiedSignature) -> Option<Reason>,
}

/// A good signature that an attestor asked for: the attestor's index, and its own among those tried.
pub(super) type Accepted = (usize, usize);

pub(super) fn judge<'e>(
    requirement: &Requirement,
    evidence: impl IntoIterator<Item = &'e AttestorEvidence>,
    considered: &Considered<'_>,
) -> Signatures<'e> {
    let mut facts = evidence.into_iter().enumerate();
    let mut leaf = |attestor: &Attestor| match facts.next() {
        Some((index, AttestorEvidence::Facts { tried, facts })) => {
            considered.judge_attestor(attestor, index, tried, facts)
        }
        Some((_, AttestorEvidence::Fault(reason))) => considered.undecided(attestor, reason.clone()),
        // Gathered for another rule: nothing is known, so nothing is trusted.
        None => considered.undecided(attestor, Reason::NothingChecked),
    };
    let judged = requirement.fold(&mut leaf, &mut |node, parts| join(node, parts));
    let Judged { check, good, accepted, missing, .. } = judged;
    Signatures { check: check.signed_by(|| missing), good, accepted }
}

/// An inner node. It passes when enough children do, by different signers; it is a fault when the
/// faulty children could still have made it pass; else it fails.
fn join<'e>(node: Node<'_>, mut parts: Vec<Judged<'e>>) -> Judged<'e> {
    let signers = node.join(parts.iter().map(|part| part.signers.clone()).collect());
    // A set of one says what its one entry says; unless it asks for more than that entry can give.
    if parts.len() == 1
        && let Some(only) = parts.pop_if(|only| only.signers == signers)
    {
        return only;
    }
    let needed = match node {
        Node::All => parts.len(),
        Node::AtLeast { count, .. } => count,
    };
    let count = |outcome: Outcome| parts.iter().filter(|part| part.check.outcome == outcome).count();
    let (passed, faults) = (count(Outcome::Pass), count(Outcome::Fault));
    let outcome = match &signers {
        Some(_) => Outcome::Pass,
        None if faults > 0 && passed + faults >= needed => Outcome::Fault,
        None => Outcome::Fail,
    };
    let reason = reason(outcome, needed, passed, &parts);
    let missing = match &signers {
        Some(_) => Signers::default(),
        None => {
            signers::joined(node, parts.iter().map(|part| (part.signers.is_some(), part.missing.clone())))
        }
    };
    let good = parts.iter().flat_map(|part| part.good.iter().copied()).collect();
    let accepted = parts.iter().flat_map(|part| part.accepted.iter().copied()).collect();
    let children = parts.into_iter().map(|part| part.check).collect();
    let what = format!("{needed} of these signers");
    let mut check = Check { children, needs: Needs::Enough, ..Check::leaf(what, outcome, reason) };
    if let Node::AtLeast { path, .. } = node {
        check = check.at(path);
    }
    Judged { check, good, accepted, signers, missing }
}

/// Where nobody signed at all, or one signer would be enough, the nearest miss says more than a number.
fn reason(outcome: Outcome, needed: usize, passed: usize, parts: &[Judged<'_>]) -> Reason {
    let nearest = |outcome: Outcome| {
        let such = parts.iter().filter(|part| part.check.outcome == outcome);
        such.max_by_key(|part| part.check.reason.rank()).map(|part| part.check.reason.clone())
    };
    let found = parts.iter().flat_map(|part| part.signers.iter().flatten()).collect::<BTreeSet<_>>().len();
    let same_signer = passed.saturating_sub(found);
    let threshold = || {
        let unsigned = parts.iter().filter(|part| part.signers.is_none());
        let missing = unsigned.map(|part| part.check.what.to_string()).collect();
        Reason::ThresholdNotMet { needed, found, same_signer, missing }
    };
    match outcome {
        Outcome::Pass if needed == 1 => {
            nearest(Outcome::Pass).unwrap_or(Reason::ThresholdMet { needed, found: passed })
        }
        Outcome::Pass => Reason::ThresholdMet { needed, found: passed },
        Outcome::Fault => nearest(Outcome::Fault).unwrap_or(Reason::NothingChecked),
        Outcome::Fail | Outcome::Skip if passed == 0 => nearest(Outcome::Fail).unwrap_or_else(threshold),
        Outcome::Fail | Outcome::Skip => threshold(),
    }
}

impl Considered<'_> {
    /// One attestor: any of the signatures may be its own.
    fn judge_attestor<'e>(
        &self,
        attestor: &Attestor,
        index: usize,
        tried: &str,
        facts: &'e [Result<VerifiedSignature, Reason>],
    ) -> Judged<'e> {
        let accept = |fact: &'e Result<VerifiedSignature, Reason>| match fact {
            Ok(verified) => accept(&attestor.authority, verified).map(|()| verified),
            Err(reason) => Err(reason.clone()),
        };
        let mut judged: Vec<_> = facts.iter().map(accept).collect();
        // Who signed is told even where something else is missing.
        let good: Vec<_> = judged.iter().filter_map(|fact| fact.as_ref().ok().copied()).collect();
        for (at, fact) in judged.iter_mut().enumerate() {
            let lacking = fact.as_ref().ok().and_then(|found| (self.lacks)(index, attestor, at, found));
            if let Some(reason) = lacking {
                *fact = Err(reason);
            }
        }
        let accepted: Vec<_> =
            judged.iter().enumerate().filter(|(_, fact)| fact.is_ok()).map(|(at, _)| (index, at)).collect();
        let named = self.named || judged.len() > 1;
        let children = if named { each(&judged, |at| (self.name)(index, at)) } else { Vec::new() };
        let (outcome, reason) = match judged.iter().find_map(|fact| fact.as_ref().ok()) {
            Some(first) => (Outcome::Pass, valid(first)),
            None => (Outcome::Fail, self.nearest_miss(&judged, &attestor.authority, tried)),
        };
        let needs = Needs::Enough;
        let check = Check { children, needs, ..Check::leaf(tried.to_owned(), outcome, reason) };
        let sign_with = || Signers::one((self.sign_with)(attestor, tried));
        let signers: BTreeSet<_> =
            judged.iter().filter_map(|fact| fact.as_ref().ok()).map(|found| found.signer.id()).collect();
        let signers = (!signers.is_empty()).then_some(signers);
        let missing = if signers.is_some() { Signers::default() } else { sign_with() };
        let check = check.at(&attestor.path).signed_by(sign_with);
        Judged { check, good, accepted, signers, missing }
    }

    /// An attestor that could not be tried.
    fn undecided<'e>(&self, attestor: &Attestor, reason: Reason) -> Judged<'e> {
        let name = name(&attestor.authority);
        let missing = Signers::one((self.sign_with)(attestor, &name));
        let check = Check::leaf(name, Outcome::Fault, reason).at(&attestor.path);
        Judged { check, good: Vec::new(), accepted: Vec::new(), signers: None, missing }
    }

    /// The reason that comes closest to a good signature: of several by the wrong people the one that the
    /// right authority vouches for, and of those that are equal the first.
    fn nearest_miss(
        &self,
        judged: &[Result<&VerifiedSignature, Reason>],
        authority: &Authority,
        tried: &str,
    ) -> Reason {
        let vouched = |reason: &Reason| match (reason, authority) {
            (Reason::IdentityMismatch { issuer, .. }, Authority::Keyless(keyless)) => {
                keyless.accepts_issuer(issuer)
            }
            _ => false,
        };
        let reasons = judged.iter().filter_map(|fact| fact.as_ref().err());
        let nearest = reasons.rev().max_by_key(|reason| (reason.rank(), vouched(reason)));
        match nearest {
            None => (self.missing)(),
            Some(Reason::SignatureInvalid { problem: SignatureProblem::NotByKey { .. } }) => {
                let problem = SignatureProblem::NotByKey { key: tried.to_owned(), signatures: judged.len() };
                Reason::SignatureInvalid { problem }
            }
            Some(reason) => reason.clone(),
        }
    }
}

fn valid(signature: &VerifiedSignature) -> Reason {
    let VerifiedSignature { signer, logged, timestamped, .. } = signature;
    Reason::SignatureValid { signer: signer.to_string(), logged: *logged, timestamped: *timestamped }
}

/// Every signature for itself. One that is somebody else's is no failure where another is good.
fn each(judged: &[Result<&VerifiedSignature, Reason>], name: impl Fn(usize) -> String) -> Vec<Check> {
    let found = judged.iter().any(Result::is_ok);
    let check = |(index, fact): (usize, &Result<&VerifiedSignature, Reason>)| match fact {
        Ok(signature) => Check::leaf(name(index), Outcome::Pass, valid(signature)),
        Err(reason) => {
            let outcome = if found { Outcome::Skip } else { Outcome::Fail };
            Check::leaf(name(index), outcome, reason.clone())
        }
    };
    judged.iter().enumerate().map(check).collect()
}

/// Whether a verified signature is by whom the policy names.
fn accept(authority: &Authority, verified: &VerifiedSignature) -> Result<(), Reason> {
    match authority {
        Authority::Keyless(keyless) => accept_identity(keyless, verified),
        // The key or certificate was the demand.
        Authority::Key(_) | Authority::Certificate(_) => Ok(()),
        Authority::Unsupported { what } => Err(Reason::PolicyUnsupported { what: what.clone() }),
    }
}

fn accept_identity(keyless: &Keyless, verified: &VerifiedSignature) -> Result<(), Reason> {
    let Signer::Keyless { subject, issuer, .. } = &verified.signer else {
        return Err(Reason::CertificateMissing);
    };
    let shown = issuer.clone().unwrap_or_else(|| "none".to_owned());
    let accepted = issuer.as_deref().is_some_and(|issuer| keyless.accepts_issuer(issuer));
    if !keyless.accepts_subject(subject) {
        let (expected, found) = (signers::any(&keyless.subjects), subject.clone());
        let issuer_expected = (!accepted).then(|| signers::every(&keyless.issuers));
        return Err(Reason::IdentityMismatch { expected, found, issuer: shown, issuer_expected });
    }
    if !accepted {
        let expected = signers::every(&keyless.issuers);
        return Err(Reason::IssuerMismatch { expected, found: shown, subject: subject.clone() });
    }
    for (claim, expected) in &keyless.extensions {
        let found = verified.signer.claim(claim).map(str::to_owned);
        if found.as_ref() != Some(expected) {
            return Err(Reason::ClaimMismatch { claim: claim.clone(), expected: expected.clone(), found });
        }
    }
    Ok(())
}

/// The first annotation that the attestor demands and that is not so; `found` looks one up.
pub(super) fn missing_annotation(
    attestor: &Attestor,
    found: impl Fn(&str) -> Option<String>,
) -> Option<Reason> {
    attestor.annotations.iter().find_map(|(key, expected)| {
        let found = found(key);
        (found.as_ref() != Some(expected)).then(|| Reason::AnnotationMismatch {
            key: key.clone(),
            expected: expected.clone(),
            found,
        })
    })
}
