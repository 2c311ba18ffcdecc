//! Whether the signers are those the rule asks for.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::gather::{AttestorEvidence, ManifestEvidence, name};
use crate::manifest::annotations;
use crate::policy::requirement::Node;
use crate::policy::{Attestor, Authority, Keyless, ManifestRule};
use crate::signature::VerifiedSignature;
use crate::signer::Signer;
use crate::verdict::{Check, Outcome, Reason, SignatureProblem};

/// The tree of the rule's attestors.
pub(super) struct Signatures {
    pub(super) check: Check,
    /// The signatures that an attestor asked for and found good.
    pub(super) good: Vec<VerifiedSignature>,
}

/// A node on the way up.
struct Judged {
    check: Check,
    good: Vec<VerifiedSignature>,
    /// Who satisfied it; `None` where it is not satisfied.
    signers: Option<BTreeSet<String>>,
}

pub(super) fn judge(object: &Value, rule: &ManifestRule, evidence: &ManifestEvidence) -> Signatures {
    let mut facts = evidence.attestors.iter();
    let mut leaf = |attestor: &Attestor| match facts.next() {
        Some(AttestorEvidence::Facts { tried, facts }) => {
            judge_attestor(object, attestor, tried, facts, &rule.annotation_domain)
        }
        Some(AttestorEvidence::Fault(reason)) => {
            unsatisfied(Check::leaf(name(&attestor.authority), Outcome::Fault, reason.clone()))
        }
        // Gathered for another rule: nothing is known, so nothing is trusted.
        None => unsatisfied(Check::leaf(name(&attestor.authority), Outcome::Fault, Reason::NothingChecked)),
    };
    let judged = rule.requirement.fold(&mut leaf, &mut |node, parts| join(node, parts));
    Signatures { check: judged.check, good: judged.good }
}

fn unsatisfied(check: Check) -> Judged {
    Judged { check, good: Vec::new(), signers: None }
}

/// An inner node. It passes when enough children do, by different signers; it is a fault when the
/// faulty children could still have made it pass; else it fails.
fn join(node: Node<'_>, mut parts: Vec<Judged>) -> Judged {
    let signers = node.join(parts.iter().map(|part| part.signers.clone()).collect());
    // A set of one says what its one entry says; unless it asks for more than that entry can give.
    let agrees = |only: &Judged| signers.is_some() == (only.check.outcome == Outcome::Pass);
    if parts.len() == 1
        && let Some(only) = parts.pop_if(|only| agrees(only))
    {
        return Judged { signers, ..only };
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
    let good = parts.iter().flat_map(|part| part.good.iter().cloned()).collect();
    let children = parts.into_iter().map(|part| part.check).collect();
    let what = format!("{needed} of these signers");
    let mut check = Check { what, path: None, outcome, reason, children };
    if let Node::AtLeast { path, .. } = node {
        check = check.at(path);
    }
    Judged { check, good, signers }
}

/// Where nobody signed at all, or one signer would be enough, the nearest miss says more than a number.
fn reason(outcome: Outcome, needed: usize, passed: usize, parts: &[Judged]) -> Reason {
    let nearest = |outcome: Outcome| {
        let such = parts.iter().filter(|part| part.check.outcome == outcome);
        such.max_by_key(|part| part.check.reason.rank()).map(|part| part.check.reason.clone())
    };
    let found = parts.iter().flat_map(|part| part.signers.iter().flatten()).collect::<BTreeSet<_>>().len();
    let same_signer = passed.saturating_sub(found);
    match outcome {
        Outcome::Pass if needed == 1 => {
            nearest(Outcome::Pass).unwrap_or(Reason::ThresholdMet { needed, found: passed })
        }
        Outcome::Pass => Reason::ThresholdMet { needed, found: passed },
        Outcome::Fault => nearest(Outcome::Fault).unwrap_or(Reason::NothingChecked),
        Outcome::Fail | Outcome::Skip if passed == 0 => {
            nearest(Outcome::Fail).unwrap_or(Reason::ThresholdNotMet { needed, found, same_signer })
        }
        Outcome::Fail | Outcome::Skip => Reason::ThresholdNotMet { needed, found, same_signer },
    }
}

/// One attestor: any of the object's signatures may be its own.
fn judge_attestor(
    object: &Value,
    attestor: &Attestor,
    tried: &str,
    facts: &[Result<VerifiedSignature, Reason>],
    domain: &str,
) -> Judged {
    let judged: Vec<_> = facts
        .iter()
        .map(|fact| fact.clone().and_then(|verified| accept(&attestor.authority, verified)))
        .collect();
    let good: Vec<_> = judged.iter().filter_map(|fact| fact.as_ref().ok().cloned()).collect();
    let mut check = match good.first() {
        Some(first) => Check::leaf(tried, Outcome::Pass, valid(first)),
        None => Check::leaf(tried, Outcome::Fail, nearest_miss(&judged, &attestor.authority, tried, domain)),
    };
    if judged.len() > 1 {
        check.children = each(&judged, domain);
    }
    let signature_good = check.outcome == Outcome::Pass;
    if let Some(annotation) = missing_annotation(object, attestor) {
        let reason = annotation.clone();
        check.children.push(Check::leaf("annotations", Outcome::Fail, annotation));
        check = if signature_good { Check { outcome: Outcome::Fail, reason, ..check } } else { check };
    }
    let signers: BTreeSet<_> = good.iter().map(|signature| signature.signer.id()).collect();
    let satisfied = check.outcome == Outcome::Pass && !signers.is_empty();
    Judged { check: check.at(&attestor.path), good, signers: satisfied.then_some(signers) }
}

fn valid(signature: &VerifiedSignature) -> Reason {
    Reason::SignatureValid { signer: signature.signer.to_string(), logged: signature.logged }
}

/// Every signature for itself. One that is somebody else's is no failure where another is good.
fn each(judged: &[Result<VerifiedSignature, Reason>], domain: &str) -> Vec<Check> {
    let found = judged.iter().any(Result::is_ok);
    let check = |(index, fact): (usize, &Result<VerifiedSignature, Reason>)| {
        let what = annotations::name(domain, "signature", index);
        match fact {
            Ok(signature) => Check::leaf(what, Outcome::Pass, valid(signature)),
            Err(reason) => {
                let outcome = if found { Outcome::Skip } else { Outcome::Fail };
                Check::leaf(what, outcome, reason.clone())
            }
        }
    };
    judged.iter().enumerate().map(check).collect()
}

/// The reason that comes closest to a good signature: of several by the wrong people the one that the right
/// authority vouches for, and of those that are equal the first.
fn nearest_miss(
    judged: &[Result<VerifiedSignature, Reason>],
    authority: &Authority,
    tried: &str,
    domain: &str,
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
        None => Reason::SignatureMissing { looked_for: annotations::name(domain, "signature", 0) },
        Some(Reason::SignatureInvalid { problem: SignatureProblem::NotByKey { .. } }) => {
            let problem = SignatureProblem::NotByKey { key: tried.to_owned(), signatures: judged.len() };
            Reason::SignatureInvalid { problem }
        }
        Some(reason) => reason.clone(),
    }
}

/// Whether a verified signature is by whom the policy names.
fn accept(authority: &Authority, verified: VerifiedSignature) -> Result<VerifiedSignature, Reason> {
    match authority {
        Authority::Keyless(keyless) => accept_identity(keyless, verified),
        // The key or certificate was the demand.
        Authority::Key(_) | Authority::Certificate(_) => Ok(verified),
        Authority::Unsupported { what } => Err(Reason::PolicyUnsupported { what: what.clone() }),
    }
}

fn accept_identity(keyless: &Keyless, verified: VerifiedSignature) -> Result<VerifiedSignature, Reason> {
    let Signer::Keyless { subject, issuer, claims } = &verified.signer else {
        return Err(Reason::CertificateMissing);
    };
    let shown = issuer.clone().unwrap_or_else(|| "none".to_owned());
    let list = |matchers: &[crate::policy::Matcher]| {
        matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
    };
    if !keyless.accepts_subject(subject) {
        let expected = list(&keyless.subjects);
        return Err(Reason::IdentityMismatch { expected, found: subject.clone(), issuer: shown });
    }
    if !issuer.as_deref().is_some_and(|issuer| keyless.accepts_issuer(issuer)) {
        let expected = list(&keyless.issuers);
        return Err(Reason::IssuerMismatch { expected, found: shown, subject: subject.clone() });
    }
    for (claim, expected) in &keyless.extensions {
        let found = claims.get(claim.as_str()).cloned();
        if found.as_ref() != Some(expected) {
            return Err(Reason::ClaimMismatch { claim: claim.clone(), expected: expected.clone(), found });
        }
    }
    Ok(verified)
}

/// The first annotation that the attestor demands of the object and that is not so.
fn missing_annotation(object: &Value, attestor: &Attestor) -> Option<Reason> {
    let found = |key: &str| object.get("metadata")?.get("annotations")?.get(key)?.as_str().map(str::to_owned);
    attestor.annotations.iter().find_map(|(key, expected)| {
        let found = found(key);
        (found.as_ref() != Some(expected)).then(|| Reason::AnnotationMismatch {
            key: key.clone(),
            expected: expected.clone(),
            found,
        })
    })
}
