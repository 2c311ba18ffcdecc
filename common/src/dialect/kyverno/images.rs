//! `verifyImages` (`spec/kyverno.md` 1.5 and 1.6).

use std::collections::BTreeMap;

use super::{ACTIONS, PolicyContext, reading};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::dialect::vocabulary::attestors;
use crate::dialect::vocabulary::images::{attestation, deny, pattern, patterns};
use crate::dialect::vocabulary::reading::{Purpose, Words};
use crate::dialect::vocabulary::texts::plain_map;
use crate::image::ImagePattern;
use crate::object::FieldPath;
use crate::policy::images::{ImageEntry, ImageExtractor, ImagesRule, RegistryCredentials, SignatureStorage};
use crate::policy::{Action, Attestor, Authority, LogOptions, Requirement};

/// Compiles the body of an image rule, and the action its entries ask for: Enforce if any does, else
/// what the first one says that says anything.
pub(super) fn compile(
    node: &Node<'_, '_>,
    extractors: BTreeMap<String, Vec<ImageExtractor>>,
    policy: &PolicyContext,
) -> (ImagesRule, Option<Action>) {
    let rewrites = extractors.values().flatten().any(|extractor| extractor.rewrite.is_some());
    let mut actions = Vec::new();
    let mut entries = Vec::new();
    let list = node.list();
    if list.is_empty() {
        node.error(Problem::Empty("add an entry with imageReferences"));
    }
    for node in &list {
        let read = node.map(|fields| {
            let action = fields.choice("failureAction", &ACTIONS);
            let entry = entry(fields, policy);
            check_mutation(fields, &entry, action.or(policy.action), rewrites);
            (entry, action)
        });
        if let Some((entry, action)) = read {
            entries.push(entry);
            actions.extend(action);
        }
    }
    let action = actions.iter().copied().find(|action| *action == Action::Enforce);
    (ImagesRule { entries, extractors }, action.or(actions.first().copied()))
}

/// A rule that only records must not rewrite; a rewritten text has no place to write a digest back to.
fn check_mutation(fields: &Fields<'_, '_>, entry: &ImageEntry, action: Option<Action>, rewrites: bool) {
    let path = fields.path.key("mutateDigest");
    if entry.mutate_digest && action.unwrap_or_default() == Action::Audit {
        fields.report.error(&path, Problem::MutateInAudit);
    }
    if entry.mutate_digest && rewrites {
        let instead = "set mutateDigest: false";
        fields.report.error(&path, Problem::Conflict { with: "jmesPath in imageExtractors", instead });
    }
}

fn entry(fields: &mut Fields<'_, '_>, policy: &PolicyContext) -> ImageEntry {
    const STORAGE: [(&str, SignatureStorage); 3] = [
        ("Cosign", SignatureStorage::Cosign),
        ("SigstoreBundle", SignatureStorage::Bundle),
        ("Notary", SignatureStorage::Notary),
    ];
    let storage = fields.choice("type", &STORAGE).unwrap_or_default();
    let reading = reading(if storage == SignatureStorage::Notary { Purpose::Notary } else { Purpose::Image });
    let mut references = patterns(fields, "imageReferences");
    let attestors = fields.get("attestors");
    let mut requirement = attestors.as_ref().and_then(|node| attestors::sets(node, reading));
    let attestations: Vec<_> =
        fields.list("attestations").iter().filter_map(|node| attestation(node, reading)).collect();
    if let Some((image, signer)) = legacy(fields, policy.legacy, attestors.is_some()) {
        references.extend(image);
        requirement = requirement.or(signer);
    }
    if references.is_empty() {
        fields
            .report
            .error(&fields.path.key("imageReferences"), Problem::Missing("an image reference is required"));
    }
    if requirement.is_none() && attestations.is_empty() {
        fields.report.warn(&fields.path, "no attestors and no attestations: no signature is looked for");
    }
    ImageEntry {
        path: fields.path.clone(),
        storage,
        references,
        skip: patterns(fields, "skipImageReferences"),
        requirement,
        attestations,
        repository: fields.text("repository", "write a repository or remove the field"),
        oci11: oci11(fields, policy.legacy),
        mutate_digest: fields.boolean("mutateDigest", true),
        verify_digest: fields.boolean("verifyDigest", true),
        required: fields.boolean("required", true),
        use_cache: fields.boolean("useCache", true),
        deny: fields.get("validate").and_then(|node| deny(&node)),
        context: Vec::new(),
        credentials: fields
            .get("imageRegistryCredentials")
            .map(|node| credentials(&node))
            .unwrap_or_default(),
        signed_reference: policy.settings.signed_reference,
        platform: policy.settings.platform.clone(),
        newest_by: policy.settings.newest_by.clone(),
    }
}

fn oci11(fields: &mut Fields<'_, '_>, legacy: bool) -> bool {
    let Some(node) = fields.get("cosignOCI11") else { return false };
    if !legacy {
        node.error(Problem::NotInVersion { instead: "use kyverno.io/v1" });
    }
    node.boolean().unwrap_or(false)
}

/// The fields of the first releases (v1 only): one image, and one key or identity.
fn legacy(
    fields: &mut Fields<'_, '_>,
    allowed: bool,
    has_attestors: bool,
) -> Option<(Option<ImagePattern>, Option<Requirement>)> {
    const SIGNER: [&str; 5] = ["key", "roots", "subject", "issuer", "additionalExtensions"];
    let signer = fields.present(&SIGNER);
    let present = [fields.present(&["image", "annotations"]), signer.clone()].concat();
    fields.skip(&["image", "annotations"]);
    fields.skip(&SIGNER);
    let first = present.first()?;
    if !allowed {
        let problem = Problem::NotInVersion { instead: "write imageReferences and attestors" };
        fields.report.error(&fields.path.key(*first), problem);
        return None;
    }
    fields.report.warn(&fields.path, "image, key, subject, issuer and roots are deprecated; write attestors");
    let image = fields.get("image").and_then(|node| pattern(&node));
    let annotations = fields.get("annotations").map(|node| plain_map(&node)).unwrap_or_default();
    if has_attestors && !(signer.is_empty() && annotations.is_empty()) {
        fields.error(Problem::Conflict {
            with: "attestors",
            instead: "move key, subject and issuer into an entry",
        });
    }
    let attestor = |(path, authority): (FieldPath, Authority)| {
        let annotations = annotations.clone();
        let log = LogOptions::default();
        Requirement::Attestor(Box::new(Attestor { path, authority, annotations, repository: None, log }))
    };
    let authorities = match (fields.get("key"), signer.is_empty()) {
        (Some(node), _) => legacy_key(fields, &node, &signer),
        (None, true) => vec![],
        (None, false) => {
            let path = fields.path.clone();
            attestors::identity(fields, LogOptions::default(), Words::Kyverno)
                .into_iter()
                .map(|one| (path.clone(), one))
                .collect()
        }
    };
    let of: Vec<Requirement> = authorities.into_iter().map(attestor).collect();
    Some((image, (!of.is_empty()).then_some(Requirement::All(of))))
}

fn legacy_key(
    fields: &Fields<'_, '_>,
    node: &Node<'_, '_>,
    signer: &[&'static str],
) -> Vec<(FieldPath, Authority)> {
    if signer.len() > 1 {
        fields
            .error(Problem::NotExactlyOne { of: vec!["key", "subject and issuer"], found: signer.to_vec() });
    }
    let keys = attestors::public_keys(node);
    keys.into_iter().map(|source| (node.path.clone(), Authority::Key(source))).collect()
}

fn credentials(node: &Node<'_, '_>) -> RegistryCredentials {
    const PROVIDERS: [(&str, &str); 5] = [
        ("default", "default"),
        ("amazon", "amazon"),
        ("azure", "azure"),
        ("google", "google"),
        ("github", "github"),
    ];
    let read = |fields: &mut Fields<'_, '_>| {
        let allow_insecure = fields.boolean("allowInsecureRegistry", false);
        if allow_insecure {
            let message = "not used: registries of plain HTTP are those of --insecure-registry";
            fields.report.warn(&fields.path.key("allowInsecureRegistry"), message);
        }
        let providers = fields.list("providers");
        let chosen: Vec<_> = providers.iter().filter_map(|node| node.choice(&PROVIDERS)).collect();
        if chosen.iter().any(|name| *name != "default") {
            let message = "not used: logins are those of `secrets`, of the Pod and of --registry-config";
            fields.report.warn(&fields.path.key("providers"), message);
        }
        let providers = chosen.into_iter().map(str::to_owned).collect();
        RegistryCredentials { allow_insecure, providers, secrets: fields.strings("secrets") }
    };
    node.map(read).unwrap_or_default()
}
