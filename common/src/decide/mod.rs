//! The judgement: a pure function of rules and gathered facts. No waiting, no clock, no log, no memory.

mod attestors;
mod blob;
mod content;
mod image;
mod signers;
mod statements;
mod superseded;

pub use blob::blob;
pub use image::{Beside, ImageDecision, image, image_unasked};

use serde_json::Value;

use crate::gather::ManifestEvidence;
use crate::manifest::annotations;
use crate::manifest::diff::Comparison;
use crate::object::{FieldPath, Origin};
use crate::policy::ManifestRule;
use crate::signature::VerifiedSignature;
use crate::signer::Signer;
use crate::verdict::{Check, Outcome, Reason, Signers};

/// What was decided about one object and one manifest rule.
#[derive(Clone, Debug)]
pub struct ManifestDecision<'e> {
    /// The tree: signatures and content, always both.
    pub check: Check,
    /// Everyone whose good signature the rule asked for.
    pub signers: Vec<Signer>,
    /// What did not decide and should be known.
    pub warnings: Vec<String>,
    /// The signed document that was compared, and how; `None` where there was none.
    pub compared: Option<(&'e Value, Comparison)>,
}

/// Where an object was seen, and what is known of it beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where it comes from.
    pub origin: Origin,
    /// In the review of an update: the object before it.
    pub stored: Option<&'a Value>,
    /// Places of images that another rule found good under the digest that they name.
    pub pinned: &'a [FieldPath],
}

/// Judges one object by one manifest rule.
///
/// 1. There is a message, and it can be read (an unsigned object).
/// 2. The signers the rule asks for signed that message (a message of somebody else's making).
/// 3. The object is what the message says, up to what the rule allows (a signed object, changed).
///
/// 2 and 3 are always both reported: a bad signature does not hide a difference, nor the reverse.
#[must_use]
pub fn manifest<'e>(
    object: &Value,
    seen: Seen<'_>,
    rule: &ManifestRule,
    evidence: &'e ManifestEvidence,
) -> ManifestDecision<'e> {
    let mut warnings = evidence.leftovers.clone();
    let message = match &evidence.message {
        Ok(message) => message,
        // (1)
        Err(reason) => {
            let outcome = if reason.is_fault() { Outcome::Fault } else { Outcome::Fail };
            let check = Check::leaf("signature", outcome, reason.clone()).signed_by(|| signed_anew(rule));
            return ManifestDecision { check, signers: Vec::new(), warnings, compared: None };
        }
    };
    // (2)
    let signatures = signatures(object, rule, evidence);
    // (3)
    let mut content = content::judge(object, seen, rule, message);
    content.check = content.check.signed_by(|| signed_anew(rule));
    warnings.extend(signatures.good.iter().flat_map(|signature| signature.warnings.iter().cloned()));
    warnings.extend(content.warnings);
    warnings.dedup();
    let mut parts = vec![demanded(signatures.check), demanded(content.check)];
    if rule.dry_run.is_some() {
        // Strict matching knows the server's effects from its table; a dry run would ask the server itself.
        let reason =
            Reason::NeedsCluster { what: "the server-side dry run that the rule asks for".to_owned() };
        parts.push(Check::leaf("dry run", Outcome::Skip, reason));
    }
    let check = Check::all("manifest", parts);
    ManifestDecision { check, signers: everyone(&signatures.good), warnings, compared: content.compared }
}

/// The tree of the rule's attestors. What an attestor demands of annotations, the object itself must carry.
fn signatures<'e>(
    object: &Value,
    rule: &ManifestRule,
    evidence: &'e ManifestEvidence,
) -> attestors::Signatures<'e> {
    let called = |index| annotations::name(&rule.annotation_domain, "signature", index);
    let found = |key: &str| object.get("metadata")?.get("annotations")?.get(key)?.as_str().map(str::to_owned);
    let considered = attestors::Considered {
        name: &|_, at| called(at),
        named: false,
        missing: &|| Reason::SignatureMissing { looked_for: called(0) },
        sign_with: &signers::of_object,
        lacks: &|_, attestor, _, _| attestors::missing_annotation(attestor, found),
    };
    let mut signatures = attestors::judge(&rule.requirement, &evidence.attestors, &considered);
    if let Some(signers) = &mut signatures.check.sign_with {
        signers.domain = own_domain(rule);
    }
    signatures
}

/// The signers that an unsigned object needs.
fn signed_anew(rule: &ManifestRule) -> Signers {
    Signers { domain: own_domain(rule), ..signers::needed(&rule.requirement, &signers::of_object) }
}

/// The prefix of the annotations, where it is not the one that commands have anyway.
fn own_domain(rule: &ManifestRule) -> Option<String> {
    Some(rule.annotation_domain.clone()).filter(|domain| domain != annotations::DEFAULT_DOMAIN)
}

/// A part that must be there: were it skipped, nothing would have been verified.
fn demanded(check: Check) -> Check {
    match check.outcome {
        Outcome::Skip => Check { outcome: Outcome::Fault, reason: Reason::NothingChecked, ..check },
        Outcome::Pass | Outcome::Fail | Outcome::Fault => check,
    }
}

fn everyone(good: &[&VerifiedSignature]) -> Vec<Signer> {
    let mut signers: Vec<_> = good.iter().map(|signature| signature.signer.clone()).collect();
    signers.sort();
    signers.dedup();
    signers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack: a part that is skipped, so that nothing of it was verified and the whole passes.
    #[test]
    fn a_part_that_was_skipped_is_a_fault() {
        let skipped = demanded(Check::leaf("signature", Outcome::Skip, Reason::ConditionsHold));
        assert_eq!((skipped.outcome, skipped.reason), (Outcome::Fault, Reason::NothingChecked));
        let failed = Check::leaf("signature", Outcome::Fail, Reason::CertificateMissing);
        assert_eq!(demanded(failed.clone()), failed);
    }
}
