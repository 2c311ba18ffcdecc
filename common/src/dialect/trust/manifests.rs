//! `validate.manifests` of our own policies.

use serde_json::json;

use super::{PolicyContext, reading};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::dialect::vocabulary::attestors;
use crate::dialect::vocabulary::manifests::ignore_field;
use crate::dialect::vocabulary::reading::Purpose;
use crate::dialect::vocabulary::secrets;
use crate::dialect::vocabulary::texts::{object_name, plain_list};
use crate::policy::manifest::ANNOTATION_DOMAIN;
use crate::policy::{DefaultFields, ManifestRule, Matching, NamespaceAllowance, wildcard};

const MATCHING: [(&str, Matching); 2] =
    [("Strict", Matching::Strict), ("Compat", Matching::Compat(DefaultFields::Kyverno))];

/// Compiles the body of a manifest rule.
pub(super) fn compile(node: &Node<'_, '_>, policy: &PolicyContext) -> Option<ManifestRule> {
    node.map(|fields| {
        let attestors = fields.get("attestors");
        let absent = attestors.as_ref().is_none_or(|node| node.value.as_array().is_some_and(Vec::is_empty));
        if absent {
            fields.report.error(&fields.path.key("attestors"), Problem::NoAttestors);
        }
        let mut requirement = attestors.and_then(|node| attestors::sets(&node, reading(Purpose::Manifest)));
        if let (Some(requirement), Some(namespace)) = (&mut requirement, &policy.namespace) {
            secrets::keep(requirement, namespace, fields.report);
        }
        let domain = fields.get("annotationDomain");
        let domain = domain.and_then(|node| object_name(&node, "an annotation domain"));
        let matching = fields.choice("matching", &MATCHING).unwrap_or_default();
        let ignore_fields = fields.list("ignoreFields");
        Some(ManifestRule {
            annotation_domain: domain.unwrap_or_else(|| ANNOTATION_DOMAIN.to_owned()),
            ignore_fields: ignore_fields.iter().filter_map(|node| ignore_field(node, matching)).collect(),
            matching,
            allow_namespace: namespaces(fields),
            allow_finalizers: names(fields, "allowFinalizers"),
            dry_run: None,
            repository: None,
            requirement: requirement?,
        })
    })
    .flatten()
}

/// `["*"]` means any.
fn namespaces(fields: &mut Fields<'_, '_>) -> NamespaceAllowance {
    let list = fields.get("allowNamespaces");
    if list.is_some_and(|node| *node.value == json!(["*"])) {
        return NamespaceAllowance::Any;
    }
    match names(fields, "allowNamespaces") {
        names if names.is_empty() => NamespaceAllowance::None,
        names => NamespaceAllowance::Named(names),
    }
}

/// Names, not patterns: a wildcard would look like one and match nothing.
fn names(fields: &mut Fields<'_, '_>, name: &'static str) -> Vec<String> {
    let list = fields.list(name);
    for node in list.iter().filter(|node| node.value.as_str().is_some_and(wildcard::is_pattern)) {
        node.error(Problem::NotSupported("wildcards in a list of names; list the names"));
    }
    plain_list(fields, name)
}
