//! What an image rule demands.

use std::collections::BTreeMap;

use super::condition::{Condition, Conditions, ContextEntry, OF_REQUEST, Values};
use super::expression::Expression;
use super::policy_value::PolicyValue;
use super::requirement::Requirement;
use crate::image::{ImagePattern, Names, Platform, Repository};
use crate::object::FieldPath;

/// The object's images must be signed.
#[derive(Clone, Debug)]
pub struct ImagesRule {
    /// What is demanded of which images.
    pub entries: Vec<ImageEntry>,
    /// Where images stand, by kind, for kinds that are not pod controllers or replace the built-in list.
    pub extractors: BTreeMap<String, Vec<ImageExtractor>>,
}

impl ImagesRule {
    /// Tells every entry which names the rule's context gives.
    pub(crate) fn name_context(&mut self, context: &[ContextEntry]) {
        let names: Vec<_> = context.iter().map(|entry| entry.name.clone()).collect();
        for entry in &mut self.entries {
            entry.context.clone_from(&names);
        }
    }

    /// Whether judging needs the values of variables: something of an attestor depends on one, or a condition over
    /// statements names what the request, the rule's context or `values` give.
    #[must_use]
    pub fn needs_scope(&self, values: &Values) -> bool {
        self.has_variables() || self.entries.iter().any(|entry| entry.conditions_need(values))
    }

    /// Whether something of an attestor depends on a variable.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        let attested = |entry: &ImageEntry| {
            let attestations = entry.attestations.iter().filter_map(|one| one.requirement.as_ref());
            entry.has_expressions()
                || entry.requirement.iter().chain(attestations).any(Requirement::has_variables)
        };
        self.entries.iter().any(attested)
    }
}

/// What is demanded of some images.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "one per option of the policy language")]
pub struct ImageEntry {
    /// Where in the policy.
    pub path: FieldPath,
    /// Where signatures are looked for.
    pub storage: SignatureStorage,
    /// Patterns of images, at least one; see [`Self::is_about`].
    pub references: Vec<ImagePattern>,
    /// Patterns of images that are left out again; see [`Self::skips`].
    pub skip: Vec<ImagePattern>,
    /// Who must have signed the image; `None` when only digests (or attestations) are asked for.
    pub requirement: Option<Requirement>,
    /// Attestations, each of which must be there.
    pub attestations: Vec<AttestationEntry>,
    /// Another place for signatures.
    pub repository: Option<PolicyValue<Repository>>,
    /// Look signatures up as OCI 1.1 referrers.
    pub oci11: bool,
    /// Replace tags by digests.
    pub mutate_digest: bool,
    /// Demand a digest.
    pub verify_digest: bool,
    /// Demand that every matching image is verified.
    pub required: bool,
    /// Remember verified images.
    pub use_cache: bool,
    /// Conditions over all attestations under which the image is refused.
    pub deny: Option<DenyRule>,
    /// Names of the rule's context, which conditions over statements see beside the predicate.
    pub context: Vec<String>,
    /// How registries are spoken to.
    pub credentials: RegistryCredentials,
    /// Where statements say when they were made; of those of one signer the newest counts. Without it, all do.
    pub newest_by: Option<Expression>,
    /// Whether a signature must say what the image is called here.
    pub signed_reference: SignedReference,
    /// The platform of all nodes, where they have only one: then what is signed of its manifest counts as
    /// well as what is signed of the index that lists it.
    pub platform: Option<Platform>,
}

/// Whether a signature must say what the image is called here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignedReference {
    /// No: a signature is good wherever the image was copied to.
    #[default]
    Any,
    /// It must name the same repository.
    Repository,
    /// And the same tag.
    Exact,
}

impl ImageEntry {
    /// Whether a condition over what is attested names what the request, the rule's context or `values` give.
    fn conditions_need(&self, values: &Values) -> bool {
        let is_given = |name: &str| {
            OF_REQUEST.contains(&name)
                || self.context.iter().any(|known| known == name)
                || values.keys().any(|path| path.split('.').next() == Some(name))
        };
        self.conditions().any(|condition| condition.names().any(is_given))
    }

    /// Every condition over what is attested.
    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let of_statements = self.attestations.iter().flat_map(|attestation| &attestation.conditions);
        of_statements.chain(self.deny.iter().map(|deny| &deny.conditions)).flat_map(Conditions::iter)
    }

    /// Whether the entry demands anything of an image, unless it [skips](Self::skips) it.
    #[must_use]
    pub fn is_about(&self, image: &Names) -> bool {
        self.references.iter().any(|pattern| pattern.covers(image))
    }

    /// Where signatures are looked for if not beside the image: what the entry and its attestors name, in written
    /// order.
    pub fn signature_repositories(&self) -> impl Iterator<Item = &PolicyValue<Repository>> {
        let attested = self.attestations.iter().filter_map(|attestation| attestation.requirement.as_ref());
        let attestors = self.requirement.iter().chain(attested).flat_map(Requirement::attestors);
        self.repository.iter().chain(attestors.filter_map(|attestor| attestor.repository.as_ref()))
    }

    /// The pattern by which the entry leaves an image out again, if one does.
    #[must_use]
    pub fn skips(&self, image: &Names) -> Option<&ImagePattern> {
        self.skip.iter().find(|pattern| pattern.covers_strictly(image))
    }
}

/// Where signatures are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureStorage {
    /// cosign's `.sig` and `.att` tags, then whatever refers to the image.
    #[default]
    Cosign,
    /// Those tags, and nothing else.
    Tags,
    /// Referrers that hold a Sigstore bundle, and nothing else.
    Bundle,
    /// Notary (Notation).
    Notary,
}

/// An attestation that must be there.
#[derive(Clone, Debug)]
pub struct AttestationEntry {
    /// Where in the policy.
    pub path: FieldPath,
    /// The name under which [`DenyRule`] reads it.
    pub name: Option<String>,
    /// The predicate type.
    pub predicate_type: String,
    /// Who must have signed it; `None` = nobody in particular.
    pub requirement: Option<Requirement>,
    /// Conditions over the predicate, all of which must hold.
    pub conditions: Vec<Conditions>,
}

/// Conditions under which an image is refused.
#[derive(Clone, Debug)]
pub struct DenyRule {
    /// The message.
    pub message: Option<String>,
    /// The conditions.
    pub conditions: Conditions,
}

/// How registries are spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryCredentials {
    /// Plain HTTP and unverified TLS are accepted.
    pub allow_insecure: bool,
    /// `default`, `amazon`, `azure`, `google`, `github`.
    pub providers: Vec<String>,
    /// `name` (the policy engine's namespace) or `namespace/name`.
    pub secrets: Vec<String>,
}

/// Where images stand in objects of one kind (`spec/kyverno.md` 1.6).
#[derive(Clone, Debug, PartialEq)]
pub struct ImageExtractor {
    /// Steps from the object's root to the maps that hold an image each; `*` for every element.
    pub path: Vec<String>,
    /// The field of those maps that holds the image.
    pub value: String,
    /// The extractor's name.
    pub name: String,
    /// The field of those maps that tells images apart; their place does where there is none.
    pub key: Option<String>,
    /// What makes an image of the text.
    pub rewrite: Option<Expression>,
}

/// The name of extractors that have none.
pub const CUSTOM_EXTRACTOR: &str = "custom";
