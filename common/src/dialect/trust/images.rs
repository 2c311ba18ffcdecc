//! `verifyImages` of our own policies.

use std::collections::BTreeMap;

use super::{PolicyContext, reading};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::dialect::vocabulary::attestors;
use crate::dialect::vocabulary::images::{attestation, deny, patterns, platform};
use crate::dialect::vocabulary::reading::Purpose;
use crate::dialect::vocabulary::secrets;
use crate::policy::expression::Expression;
use crate::policy::images::{
    ImageEntry, ImageExtractor, ImagesRule, RegistryCredentials, SignatureStorage, SignedReference,
};
use crate::policy::{Action, ActionRules};

const FORMATS: [(&str, SignatureStorage); 2] =
    [("Any", SignatureStorage::Cosign), ("Bundle", SignatureStorage::Bundle)];
const REFERENCES: [(&str, SignedReference); 3] = [
    ("Any", SignedReference::Any),
    ("Repository", SignedReference::Repository),
    ("Exact", SignedReference::Exact),
];

/// Compiles the body of an image rule.
pub(super) fn compile(
    node: &Node<'_, '_>,
    extractors: BTreeMap<String, Vec<ImageExtractor>>,
    action: &ActionRules,
    policy: &PolicyContext,
) -> ImagesRule {
    // A rule that only records must not rewrite, and a rewritten text has no place to write a digest back to.
    let rewrites = extractors.values().flatten().any(|extractor| extractor.rewrite.is_some());
    let may_pin = may_block(action) && !rewrites;
    let list = node.list();
    if list.is_empty() {
        node.error(Problem::Empty("add an entry with imageReferences"));
    }
    let entries = list.iter().filter_map(|node| node.map(|fields| entry(fields, may_pin, policy)));
    ImagesRule { entries: entries.collect(), extractors }
}

fn entry(fields: &mut Fields<'_, '_>, may_pin: bool, policy: &PolicyContext) -> ImageEntry {
    let reading = reading(Purpose::Image);
    let references = patterns(fields, "imageReferences");
    if references.is_empty() {
        let path = fields.path.key("imageReferences");
        fields.report.error(&path, Problem::Missing("an image reference is required"));
    }
    let mut requirement = fields.get("attestors").and_then(|node| attestors::sets(&node, reading));
    let mut attestations: Vec<_> =
        fields.list("attestations").iter().filter_map(|node| attestation(node, reading)).collect();
    somebody(fields);
    if let Some(namespace) = &policy.namespace {
        let attested = attestations.iter_mut().flat_map(|one| &mut one.requirement);
        requirement.iter_mut().chain(attested).for_each(|of| secrets::keep(of, namespace, fields.report));
    }
    let mutate_digest = fields.boolean("mutateDigest", may_pin);
    if mutate_digest && !may_pin {
        fields.report.error(&fields.path.key("mutateDigest"), Problem::MutateInAudit);
    }
    ImageEntry {
        path: fields.path.clone(),
        storage: fields.choice("signatureFormat", &FORMATS).unwrap_or_default(),
        references,
        skip: patterns(fields, "skipImageReferences"),
        requirement,
        attestations,
        repository: fields.text("repository", "write a repository or remove the field"),
        oci11: false,
        mutate_digest,
        verify_digest: fields.boolean("verifyDigest", true),
        required: true,
        use_cache: true,
        deny: fields.get("validate").and_then(|node| deny(&node)),
        context: Vec::new(),
        credentials: credentials(fields, policy),
        newest_by: fields.get("newestBy").and_then(|node| expression(&node)),
        signed_reference: fields.choice("signedReference", &REFERENCES).unwrap_or_default(),
        platform: fields
            .get("platform")
            .and_then(|node| platform(node.string()?).map_err(|problem| node.error(problem)).ok()),
    }
}

/// That somebody must have signed. Attack, or slip: a list that is there and names nobody, so that only a digest would
/// be asked for.
fn somebody(fields: &mut Fields<'_, '_>) {
    const LISTS: [&str; 2] = ["attestors", "attestations"];
    if fields.present(&LISTS).is_empty() {
        fields.report.error(&fields.path.key(LISTS[0]), Problem::NoAttestors);
    }
    for node in LISTS.into_iter().filter_map(|name| fields.get(name)) {
        if node.value.as_array().is_some_and(Vec::is_empty) {
            node.error(Problem::NoAttestors);
        }
    }
}

/// Whether a failure may block anywhere.
fn may_block(action: &ActionRules) -> bool {
    action.default == Action::Enforce || action.overrides.iter().any(|one| one.action == Action::Enforce)
}

fn expression(node: &Node<'_, '_>) -> Option<Expression> {
    let text = node.text("write an expression or remove the field")?;
    Expression::of_value(text).map_err(|error| node.error(Problem::Expression(error))).ok()
}

/// Secrets with logins: of a policy of one namespace, those of that namespace.
fn credentials(fields: &mut Fields<'_, '_>, policy: &PolicyContext) -> RegistryCredentials {
    let Some(node) = fields.get("imageRegistryCredentials") else { return RegistryCredentials::default() };
    let named = |node: &Node<'_, '_>| {
        let name = node.text("name the Secret")?;
        let Some(namespace) = &policy.namespace else { return Some(name.to_owned()) };
        if name.contains('/') {
            node.error(Problem::OtherNamespaces);
        }
        Some(format!("{namespace}/{name}"))
    };
    let read = |fields: &mut Fields<'_, '_>| fields.list("secrets").iter().filter_map(named).collect();
    RegistryCredentials { secrets: node.map(read).unwrap_or_default(), ..RegistryCredentials::default() }
}
