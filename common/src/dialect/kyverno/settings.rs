//! A policy's name, and what its annotations say.

use crate::dialect::reader::{Fields, Node};
use crate::dialect::vocabulary::{images, metadata};
use crate::dialect::{Problem, reader};
use crate::image::Platform;
use crate::policy::expression::Expression;
use crate::policy::images::SignedReference;
use crate::policy::{DefaultFields, JudgeUpdates, Matching, NamespaceAllowance, PolicyId};

/// What a policy's annotations say.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) matching: Matching,
    pub(super) allow_namespace: NamespaceAllowance,
    pub(super) allow_finalizers: Vec<String>,
    pub(super) signed_reference: SignedReference,
    pub(super) platform: Option<Platform>,
    pub(super) newest_by: Option<Expression>,
    pub(super) judge_updates: JudgeUpdates,
    /// `pod-policies.kyverno.io/autogen-controllers`.
    pub(super) autogen: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) category: Option<String>,
    pub(super) scored: bool,
}

/// The prefix of our own annotations; every other one under it is a mistake.
const PREFIX: &str = "kubectl-trust.io/";
const OURS: [&str; 7] = [
    "match",
    "allow-namespace",
    "allow-finalizers",
    "signed-reference",
    "platform",
    "newest-by",
    "judge-updates",
];

/// Reads `metadata`.
pub(super) fn metadata(node: &Node<'_, '_>) -> Option<(PolicyId, Settings)> {
    let read = |fields: &mut Fields<'_, '_>| {
        let annotations = fields.get("annotations");
        let settings = annotations.map_or_else(Settings::unannotated, |node| settings(&node));
        Some((metadata::id(fields)?, settings))
    };
    node.map(read).flatten()
}

impl Settings {
    fn unannotated() -> Self {
        Self { scored: true, ..Self::default() }
    }
}

fn settings(node: &Node<'_, '_>) -> Settings {
    let mut settings = Settings::unannotated();
    for (key, value) in node.string_map() {
        let here = node.path.key(&key);
        match key.as_str() {
            "pod-policies.kyverno.io/autogen-controllers" => settings.autogen = Some(value),
            "policies.kyverno.io/severity" => settings.severity = Some(value),
            "policies.kyverno.io/category" => settings.category = Some(value),
            "policies.kyverno.io/scored" => settings.scored = value != "false",
            _ => {
                if let Some(Err(problem)) =
                    key.strip_prefix(PREFIX).map(|name| own(name, &value, &mut settings))
                {
                    node.report.error(&here, problem);
                }
            }
        }
    }
    settings
}

fn own(name: &str, value: &str, settings: &mut Settings) -> Result<(), Problem> {
    const KNOWN: [(&str, Matching); 2] =
        [("strict", Matching::Strict), ("compat", Matching::Compat(DefaultFields::Kyverno))];
    const REFERENCES: [(&str, SignedReference); 3] = [
        ("any", SignedReference::Any),
        ("repository", SignedReference::Repository),
        ("exact", SignedReference::Exact),
    ];
    const UPDATES: [(&str, JudgeUpdates); 2] =
        [("starting", JudgeUpdates::Starting), ("all", JudgeUpdates::All)];
    match name {
        "judge-updates" => settings.judge_updates = one_of(value, &UPDATES)?,
        "match" => settings.matching = one_of(value, &KNOWN)?,
        "signed-reference" => settings.signed_reference = one_of(value, &REFERENCES)?,
        "platform" => settings.platform = Some(images::platform(value)?),
        "newest-by" => settings.newest_by = Some(Expression::of_value(value).map_err(Problem::Expression)?),
        "allow-namespace" if value.trim() == "*" => settings.allow_namespace = NamespaceAllowance::Any,
        "allow-namespace" => settings.allow_namespace = NamespaceAllowance::Named(names(value)?),
        "allow-finalizers" => settings.allow_finalizers = names(value)?,
        _ => {
            let suggestion = reader::nearest(name, OURS.into_iter()).map(|name| format!("{PREFIX}{name}"));
            return Err(Problem::UnknownField { suggestion });
        }
    }
    Ok(())
}

fn one_of<T: Copy>(value: &str, known: &[(&'static str, T)]) -> Result<T, Problem> {
    let names = || known.iter().map(|(name, _)| *name);
    let found = known.iter().find(|(name, _)| *name == value).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| Problem::UnknownValue {
        found: value.to_owned(),
        known: names().collect(),
        suggestion: reader::nearest(value, names()),
    })
}

/// A comma list of names. A wildcard in it would look like one and match nothing.
fn names(list: &str) -> Result<Vec<String>, Problem> {
    const HINT: &str = "list names, separated by commas";
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err(Problem::Empty(HINT));
    }
    if names.iter().any(|name| crate::policy::wildcard::is_pattern(name)) {
        return Err(Problem::NotSupported(
            "wildcards in a list of names; list the names, or `*` alone for every namespace",
        ));
    }
    Ok(names)
}
