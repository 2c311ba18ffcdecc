//! `validate.manifests` (`spec/kyverno.md` 1.7 and 3).

use super::reading;
use super::settings::Settings;
use crate::dialect::Problem;
use crate::dialect::reader::Node;
use crate::dialect::vocabulary::attestors;
use crate::dialect::vocabulary::manifests::ignore_field;
use crate::dialect::vocabulary::reading::Purpose;
use crate::dialect::vocabulary::texts::{object_name, plain};
use crate::image::ImageRef;
use crate::policy::manifest::ANNOTATION_DOMAIN;
use crate::policy::{DryRun, ManifestRule};

/// Compiles the body of a manifest rule.
pub(super) fn compile(node: &Node<'_, '_>, settings: &Settings) -> Option<ManifestRule> {
    node.map(|fields| {
        let attestors = fields.get("attestors");
        let requirement =
            attestors.as_ref().and_then(|node| attestors::sets(node, reading(Purpose::Manifest)));
        // Kyverno takes a rule without attestors for a rule without a body; it demands nothing.
        let absent = attestors.is_none_or(|node| node.value.as_array().is_some_and(Vec::is_empty));
        if absent {
            fields.report.error(&fields.path.key("attestors"), Problem::NoAttestors);
        }
        let domain = fields.get("annotationDomain");
        let domain = domain.and_then(|node| object_name(&node, "an annotation domain"));
        let ignore_fields = fields.list("ignoreFields");
        let ignore_fields =
            ignore_fields.iter().filter_map(|node| ignore_field(node, settings.matching)).collect();
        let dry_run = fields.get("dryRun").and_then(|node| read_dry_run(&node));
        let repository = fields.get("repository").and_then(|node| {
            let text = plain(&node)?;
            ImageRef::parse(text).map_err(|error| node.error(Problem::Image(error))).ok()
        });
        Some(ManifestRule {
            requirement: requirement?,
            annotation_domain: domain.unwrap_or_else(|| ANNOTATION_DOMAIN.to_owned()),
            ignore_fields,
            matching: settings.matching,
            allow_namespace: settings.allow_namespace.clone(),
            allow_finalizers: settings.allow_finalizers.clone(),
            dry_run,
            repository,
        })
    })
    .flatten()
}

fn read_dry_run(node: &Node<'_, '_>) -> Option<DryRun> {
    node.map(|fields| {
        let enabled = fields.boolean("enable", false);
        let namespace = fields.get("namespace");
        let namespace = namespace.and_then(|node| object_name(&node, "the name of a namespace"));
        if !enabled && namespace.is_some() {
            fields.report.warn(&fields.path, "has no effect without `enable: true`");
        }
        enabled.then_some(DryRun { namespace })
    })
    .flatten()
}
