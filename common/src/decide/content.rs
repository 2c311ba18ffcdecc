//! Whether the object is what its message says.

use serde_json::Value;

use super::Seen;
use crate::limits;
use crate::manifest::Message;
use crate::manifest::compat::{CompatRules, compare_compat};
use crate::manifest::diff::{self, Allowance, Comparison, Expectations};
use crate::manifest::ignore::{self, IgnoreRules};
use crate::object::{FieldChange, FieldPath, ObjectRef, Segment};
use crate::policy::{DefaultFields, ManifestRule, Matching};
use crate::verdict::{Check, MessageProblem, Outcome, Reason, injected_namespace, side};

/// What was found about the content.
pub(super) struct Content<'m> {
    pub(super) check: Check,
    pub(super) warnings: Vec<String>,
    /// The signed document that speaks for the message, and how the object compares with it.
    pub(super) compared: Option<(&'m Value, Comparison)>,
}

/// Compares the object with the documents of its message that carry its identity; the one that differs
/// least speaks for them all, and one that does not differ is enough.
pub(super) fn judge<'m>(
    object: &Value,
    seen: Seen<'_>,
    rule: &ManifestRule,
    message: &'m Message,
) -> Content<'m> {
    let identity = ObjectRef::of(object);
    let rules = IgnoreRules::of(&rule.ignore_fields, &identity);
    let how = Expectations {
        origin: seen.origin,
        stored: seen.stored,
        pinned: seen.pinned,
        domain: &rule.annotation_domain,
        ignore: &rules,
        allow_namespace: &rule.allow_namespace,
        allow_finalizers: &rule.allow_finalizers,
    };
    let candidates = message.candidates(&identity);
    if candidates.len() > limits::MESSAGE_CANDIDATES {
        let problem = MessageProblem::TooManyCandidates(candidates.len());
        return without(Outcome::Fail, Reason::MessageUnreadable { problem });
    }
    let compared = candidates.into_iter().map(|signed| (signed, compare(signed, object, &how, rule)));
    match compared.min_by_key(|(_, found)| found.comparison.differences.len() + found.comparison.omitted) {
        None => {
            let signed = message.documents.iter().map(ObjectRef::of).collect();
            without(Outcome::Fail, Reason::TargetMismatch { object: identity, signed })
        }
        Some((signed, found)) => {
            let Compared { comparison, mut warnings } = found;
            let check = if comparison.is_match() {
                let texts = comparison.warnings.iter().map(|(path, warning)| format!("{path}: {warning}"));
                warnings.extend(texts);
                Check::leaf("content", Outcome::Pass, same(&identity, &comparison))
            } else {
                Check::leaf("content", Outcome::Fail, differs(signed, object, &identity, &comparison))
            };
            Content { check, warnings, compared: Some((signed, comparison)) }
        }
    }
}

/// Nothing was compared.
fn without<'m>(outcome: Outcome, reason: Reason) -> Content<'m> {
    Content { check: Check::leaf("content", outcome, reason), warnings: Vec::new(), compared: None }
}

fn same(identity: &ObjectRef, comparison: &Comparison) -> Reason {
    let allowed = comparison.allowed.iter().map(|(_, allowance)| allowance_text(allowance)).collect();
    let ignored = comparison.ignored.iter().take(limits::IGNORED_LISTED);
    let except = ignored.map(|(change, _)| shown(identity, change)).collect();
    let (ignored, effects) = (comparison.ignored.len(), comparison.effects.len());
    Reason::ManifestMatches { ignored, except, effects, allowed }
}

/// A change as it may be shown.
fn shown(identity: &ObjectRef, change: &FieldChange) -> FieldChange {
    if identity.kind == "Secret" { masked(change.clone()) } else { change.clone() }
}

fn differs(signed: &Value, object: &Value, identity: &ObjectRef, comparison: &Comparison) -> Reason {
    let differences = &comparison.differences;
    Reason::ManifestDiffers {
        kind: identity.kind.clone(),
        changes: differences.iter().map(|change| shown(identity, change)).collect(),
        omitted: comparison.omitted,
        names: differences.iter().map(|change| named(change, signed, object)).collect(),
        suggested: suggested(differences, signed, object),
    }
}

/// The fields that a rule may ignore, where it may ignore every difference. A namespace that was not signed is allowed by
/// name; every other difference must be on the list of advice. The list's bound ([`limits::SUGGESTED_FIELDS`]) is far
/// below [`limits::DIFFERENCES`], so nothing is suggested where differences are omitted.
fn suggested(differences: &[FieldChange], signed: &Value, object: &Value) -> Vec<String> {
    let others = differences.iter().filter(|change| injected_namespace(change).is_none());
    ignore::suggested(&others.cloned().collect::<Vec<_>>(), signed, object)
}

/// The path for people, with list elements by name; what is gone has its name in the signed object.
fn named(change: &FieldChange, signed: &Value, found: &Value) -> String {
    change.path.named(if change.found.is_some() { found } else { signed })
}

/// What a Secret holds never goes into a message, log or report; that it changed does.
pub(crate) fn masked(change: FieldChange) -> FieldChange {
    let secret = |path: &FieldPath| {
        let first = path.segments().first();
        first.is_some_and(|first| {
            [Segment::Key("data".into()), Segment::Key("stringData".into())].contains(first)
        })
    };
    if !secret(&change.path) {
        return change;
    }
    let (signed, found) = (change.signed.map(mask), change.found.map(mask));
    FieldChange { path: change.path, signed, found }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every scalar and list is hidden alike")]
fn mask(value: Value) -> Value {
    match value {
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, mask(value))).collect(),
        Value::Null => Value::Null,
        _ => Value::from("***"),
    }
}

fn allowance_text(allowance: &Allowance) -> String {
    match allowance {
        Allowance::Namespace(namespace) => {
            format!("namespace {namespace} allowed although it was not signed")
        }
        Allowance::Finalizer(name) => format!("finalizer {name} allowed although it was not signed"),
        Allowance::Pinned(image) => format!("{image} is the signed image under its verified digest"),
    }
}

/// One comparison, and what a person should know about how it came out.
struct Compared {
    comparison: Comparison,
    warnings: Vec<String>,
}

fn compare(signed: &Value, object: &Value, how: &Expectations<'_>, rule: &ManifestRule) -> Compared {
    match rule.matching {
        Matching::Strict => Compared { comparison: diff::compare(signed, object, how), warnings: Vec::new() },
        Matching::Compat(defaults) => compatible(signed, object, how, rule, defaults),
    }
}

/// The strict comparison without the differences that the peers tolerate; each of those is a warning.
fn compatible(
    signed: &Value,
    object: &Value,
    how: &Expectations<'_>,
    rule: &ManifestRule,
    defaults: DefaultFields,
) -> Compared {
    let rules = CompatRules { defaults, fields: &rule.ignore_fields };
    let compat = compare_compat(signed, object, how, &rules);
    let mut comparison = compat.strict;
    comparison.differences.retain(|change| !compat.tolerated.contains(change));
    let secret = ObjectRef::of(object).kind == "Secret";
    let tolerated = compat.tolerated.into_iter().map(|change| if secret { masked(change) } else { change });
    let mut warnings: Vec<_> = tolerated
        .map(|change| {
            let (signed, found) = (side(change.signed.as_ref()), side(change.found.as_ref()));
            format!("only --match compat tolerates {}: signed {signed}, found {found}", change.path)
        })
        .collect();
    warnings.extend(compat.invalid.iter().map(|field| {
        format!("ignoreFields `{field}` is not a regular expression, so in compat it matches nothing")
    }));
    Compared { comparison, warnings }
}
