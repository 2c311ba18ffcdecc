//! Secrets that a policy names.

use crate::dialect::Problem;
use crate::dialect::reader::Report;
use crate::policy::{Attestor, Authority, KeyRef, KeySource, Requirement};

/// Keeps the keys of a policy of one namespace in that namespace.
///
/// Attack: whoever may write policies in one namespace would have the Secrets of all others read for him.
pub(in crate::dialect) fn keep(requirement: &mut Requirement, namespace: &str, report: &Report) {
    requirement.attestors_mut(&mut |attestor: &mut Attestor| {
        let Authority::Key(KeySource::Reference(reference)) = &mut attestor.authority else { return };
        match reference {
            KeyRef::Secret { namespace: named, .. } if named.is_empty() => namespace.clone_into(named),
            KeyRef::Secret { namespace: named, .. } if named == namespace => {}
            KeyRef::Secret { .. } => report.error(&attestor.path, Problem::OtherNamespaces),
            KeyRef::Variable(_) => {
                let what =
                    "variables for keys of a policy of one namespace; write the key or name its Secret";
                report.error(&attestor.path, Problem::NotSupported(what));
            }
            KeyRef::Kms(_) => {}
        }
    });
}
