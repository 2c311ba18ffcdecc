//! Everything about one file and one signature of it.

use std::sync::Arc;

use super::attest::Considered;
use super::{Attested, World};
use crate::policy::blob::BlobRule;
use crate::signature::{Found, Subject};

/// What the signature proves to every attestor of the rule, in written order.
pub async fn blob(
    found: &Arc<Found>,
    subject: Subject<'_>,
    rule: &BlobRule,
    world: World<'_>,
) -> Vec<Attested> {
    let signatures = vec![Arc::clone(found)];
    let considered = Considered { signatures: &signatures, subject, scope: None, options: true, world };
    let mut attested = Vec::new();
    for attestor in rule.requirement.attestors() {
        let evidence = considered.attest(attestor).await;
        attested.push(Attested { signatures: signatures.clone(), evidence });
    }
    attested
}
