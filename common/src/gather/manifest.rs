//! Everything about a signed manifest.

use std::sync::Arc;

use serde_json::Value;

use super::World;
use super::attest::{AttestorEvidence, Considered, name};
use crate::cache::Facts;
use crate::manifest::Message;
use crate::manifest::annotations::{self, Annotations};
use crate::policy::condition::Scope;
use crate::policy::{Attestor, ManifestRule};
use crate::signature::{Found, Material, Subject};
use crate::verdict::Reason;

/// The facts about one object and one manifest rule.
#[derive(Clone, Debug)]
pub struct ManifestEvidence {
    /// What the object's message says, or why it says nothing.
    pub message: Result<Arc<Message>, Reason>,
    /// How many signatures the object carries.
    pub signatures: usize,
    /// For every attestor of the rule, in written order, what each signature proves to it.
    pub attestors: Vec<AttestorEvidence>,
    /// Signature annotations that nobody reads.
    pub leftovers: Vec<String>,
}

/// Gathers the facts for one manifest rule. `scope` gives variables in key references their values;
/// without one they have none.
///
/// `now` is used for certificates without a proven time of signing, and for nothing else.
pub async fn manifest(
    object: &Value,
    rule: &ManifestRule,
    scope: Option<&Scope>,
    world: World<'_>,
) -> ManifestEvidence {
    let read = Annotations::read(object, &rule.annotation_domain);
    let message = message(&read, rule, world.facts);
    let signed: Vec<_> = read.signatures.iter().map(annotations::RawSignature::decode).collect();
    let unread = signed.iter().flatten().flat_map(Material::leftovers);
    let name_of = |index| annotations::name(&rule.annotation_domain, "signature", index);
    let broken = signed.iter().enumerate().filter(|(_, signature)| signature.is_err());
    let broken = broken.map(|(index, _)| name_of(index));
    let leftovers = read.leftovers.into_iter().chain(unread).chain(broken).collect();
    let signatures = signed.len();
    let attestors = if let Ok(message) = &message {
        attest(message, signed, rule, scope, world).await
    } else {
        let tried = |attestor: &Attestor| name(&attestor.authority);
        let nothing =
            |attestor: &Attestor| AttestorEvidence::Facts { tried: tried(attestor), facts: Vec::new() };
        rule.requirement.attestors().into_iter().map(nothing).collect()
    };
    ManifestEvidence { message, signatures, attestors, leftovers }
}

async fn attest(
    message: &Message,
    signed: Vec<Result<Material, Reason>>,
    rule: &ManifestRule,
    scope: Option<&Scope>,
    world: World<'_>,
) -> Vec<AttestorEvidence> {
    let found = |material| Arc::new(Found::of_message(&message.raw, &message.digest, material));
    let signatures: Vec<_> = signed.into_iter().map(found).collect();
    let subject = Subject { digest: &message.digest, bytes: Some(&message.raw) };
    let considered = Considered { signatures: &signatures, subject, scope, options: false, world };
    let mut attestors = Vec::new();
    for attestor in rule.requirement.attestors() {
        attestors.push(match &attestor.repository {
            None => considered.attest(attestor).await,
            Some(repository) => {
                let name =
                    repository.value().map_or_else(|_| "of an expression".to_owned(), ToString::to_string);
                let what = format!("signatures in the repository {name}");
                AttestorEvidence::Fault(Reason::PolicyUnsupported { what })
            }
        });
    }
    attestors
}

fn message(read: &Annotations<'_>, rule: &ManifestRule, facts: &Facts) -> Result<Arc<Message>, Reason> {
    let name = |base| annotations::name(&rule.annotation_domain, base, 0);
    if let Some(repository) = &rule.repository {
        let what = format!("a manifest's message in the repository {repository}");
        return Err(Reason::PolicyUnsupported { what });
    }
    match read.message {
        Some(text) => facts.message(text).map_err(|problem| Reason::MessageUnreadable { problem }),
        None if read.signatures.is_empty() => Err(Reason::SignatureMissing { looked_for: name("signature") }),
        None => Err(Reason::MessageMissing { looked_for: name("message") }),
    }
}
