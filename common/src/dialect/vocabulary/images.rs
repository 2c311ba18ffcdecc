//! What entries of `verifyImages` say in the same words (`spec/kyverno.md` 1.5).

use super::attestors;
use super::conditions;
use super::reading::{Reading, Words};
use super::texts::plain;
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::image::{ImagePattern, Platform};
use crate::policy::Conditions;
use crate::policy::images::{AttestationEntry, DenyRule};

/// Patterns of images.
pub(in crate::dialect) fn patterns(fields: &mut Fields<'_, '_>, name: &'static str) -> Vec<ImagePattern> {
    fields.list(name).iter().filter_map(pattern).collect()
}

/// Patterns of images that something is demanded of.
pub(in crate::dialect) fn demanded(fields: &mut Fields<'_, '_>, name: &'static str) -> Vec<ImagePattern> {
    let read = fields.list(name).into_iter().filter_map(|node| Some((pattern(&node)?, node)));
    let (patterns, nodes): (Vec<_>, Vec<_>) = read.unzip();
    for (pattern, node) in patterns.iter().zip(&nodes) {
        if let Some(message) = pattern.leaves_out_digests(&patterns) {
            node.warn(message);
        }
    }
    patterns
}

/// A pattern of images; one that is likely not what its author means is a warning.
pub(in crate::dialect) fn pattern(node: &Node<'_, '_>) -> Option<ImagePattern> {
    match ImagePattern::parse(plain(node)?) {
        Ok(pattern) => {
            if let Some(message) = pattern.warning() {
                node.warn(message);
            }
            Some(pattern)
        }
        Err(error) => {
            node.error(Problem::ImagePattern(error));
            None
        }
    }
}

/// An attestation that must be there.
pub(in crate::dialect) fn attestation(node: &Node<'_, '_>, reading: Reading) -> Option<AttestationEntry> {
    node.map(|fields| {
        let name = fields.text("name", "write a name or remove the field");
        let predicate_type = match reading.words {
            Words::Kyverno => either_type(fields),
            Words::Trust => fields.required("type", TYPE),
        };
        let predicate_type = predicate_type.and_then(|node| plain(&node).map(str::to_owned));
        let requirement = fields.get("attestors").and_then(|node| attestors::sets(&node, reading));
        if requirement.is_none() && reading.words == Words::Trust {
            fields.report.error(&fields.path.key("attestors"), Problem::NoAttestors);
        } else if requirement.is_none() {
            let message = "no attestors: any attestation of this type counts, whoever signed it";
            fields.report.warn(&fields.path, message);
        }
        let conditions = fields.list("conditions").iter().map(conditions::any_all).collect();
        let path = node.path.clone();
        Some(AttestationEntry { path, name, predicate_type: predicate_type?, requirement, conditions })
    })
    .flatten()
}

const TYPE: &str = "write the predicate type";

/// The type in its new or its old place.
fn either_type<'v, 'r>(fields: &mut Fields<'v, 'r>) -> Option<Node<'v, 'r>> {
    let (new, old) = (fields.get("type"), fields.get("predicateType"));
    if new.is_some() && old.is_some() {
        fields.error(Problem::Conflict { with: "predicateType", instead: "keep `type`" });
    }
    let found = new.or(old);
    if found.is_none() {
        fields.report.error(&fields.path.key("type"), Problem::Missing(TYPE));
    }
    found
}

/// The platform of all nodes.
///
/// # Errors
/// [`Problem::NotSupported`] for what is none.
pub(in crate::dialect) fn platform(text: &str) -> Result<Platform, Problem> {
    text.parse().map_err(|_| Problem::NotSupported("this platform; write OS/ARCHITECTURE, as linux/amd64"))
}

/// Conditions under which an image is refused.
pub(in crate::dialect) fn deny(node: &Node<'_, '_>) -> Option<DenyRule> {
    node.map(|fields| {
        let message = fields.string("message");
        let deny = fields.required("deny", "write the conditions under which the image is refused")?;
        let conditions = deny.map(|fields| {
            let node = fields.required("conditions", "write the conditions under which the image is refused");
            node.map(|node| conditions::conditions(&node))
        });
        let conditions: Conditions = conditions.flatten()?;
        Some(DenyRule { message, conditions })
    })
    .flatten()
}
