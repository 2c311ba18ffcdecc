//! Whether a file is what a rule demands.

use super::attestors::{self, Considered, Signatures};
use crate::gather::Attested;
use crate::policy::blob::{BlobRule, Said};
use crate::signature::{Claim, Found};
use crate::verdict::{Check, Outcome, Reason};

/// Judges one file by one rule. A key needs no log; an identity does, unless an option of it says otherwise.
///
/// 1. The signature says what is demanded (an attestation is no signature, nor the reverse).
/// 2. Those whom the rule names made it.
#[must_use]
pub fn blob(found: &Found, rule: &BlobRule, attested: &[Attested]) -> super::ManifestDecision<'static> {
    // (1)
    let said = match said_as_demanded(found, rule) {
        Ok(()) => None,
        Err(reason) => Some(Check::leaf("content", Outcome::Fail, reason)),
    };
    // (2)
    let Signatures { check, good, .. } = signatures(found, rule, attested);
    let mut warnings: Vec<_> = good.iter().flat_map(|signature| signature.warnings.iter().cloned()).collect();
    warnings.dedup();
    let check = Check::all("blob", said.into_iter().chain([check]).collect());
    super::ManifestDecision { check, signers: super::everyone(&good), warnings, compared: None }
}

fn said_as_demanded(found: &Found, rule: &BlobRule) -> Result<(), Reason> {
    let claim = found.claim.as_ref().map_err(Clone::clone)?;
    let (expected, matches) = match &rule.said {
        Said::Signature => ("a signature", claim.is_signature()),
        Said::Statement(wanted) => {
            let of_type =
                |claim: &Claim| claim.statement().is_some_and(|found| found.predicate_type == *wanted);
            (wanted.as_str(), of_type(claim))
        }
        Said::Anything => ("anything", true),
    };
    let received = claim.statement().map_or("a signature", |statement| &statement.predicate_type);
    let (expected, found) = (expected.to_owned(), received.to_owned());
    matches.then_some(()).ok_or(Reason::PredicateTypeMismatch { expected, found })
}

fn signatures<'e>(found: &Found, rule: &BlobRule, attested: &'e [Attested]) -> Signatures<'e> {
    let text = |key: &str| match found.claim.as_ref().ok()? {
        Claim::Statement(statement) => statement.annotations.get(key).cloned(),
        Claim::Image(_) | Claim::Bytes => None,
    };
    let considered = Considered {
        name: &|_, _| found.format.name().to_owned(),
        named: false,
        missing: &|| Reason::NothingChecked,
        sign_with: &super::signers::of_object,
        lacks: &|_, attestor, _, _| attestors::missing_annotation(attestor, text),
    };
    attestors::judge(&rule.requirement, attested.iter().map(|attested| &attested.evidence), &considered)
}
