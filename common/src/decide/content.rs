//! Whether the object is what its message says.

use serde_json::Value;

use crate::manifest::Message;
use crate::manifest::diff::{self, Allowance, Comparison, Expectations};
use crate::manifest::ignore::{self, IgnoreRules};
use crate::object::{FieldChange, FieldPath, ObjectRef, Origin, Segment};
use crate::policy::ManifestRule;
use crate::verdict::{Check, Outcome, Reason};

/// What was found about the content.
pub(super) struct Content {
    pub(super) check: Check,
    pub(super) warnings: Vec<String>,
}

/// Compares the object with the documents of its message that carry its identity; the one that differs
/// least speaks for them all, and one that does not differ is enough.
pub(super) fn judge(object: &Value, origin: Origin, rule: &ManifestRule, message: &Message) -> Content {
    let identity = ObjectRef::of(object);
    let rules = match IgnoreRules::compile(&rule.ignore_fields, &identity) {
        Ok(rules) => rules,
        Err(error) => return unusable(Reason::PolicyInvalid { problem: error.to_string() }),
    };
    let how = Expectations {
        origin,
        domain: &rule.annotation_domain,
        ignore: &rules,
        allow_namespace: &rule.allow_namespace,
        allow_finalizers: &rule.allow_finalizers,
    };
    let compared =
        message.candidates(&identity).into_iter().map(|signed| (signed, compare(signed, object, &how, rule)));
    match compared.min_by_key(|(_, found)| found.comparison.differences.len() + found.comparison.omitted) {
        None => {
            let signed = message.documents.iter().map(ObjectRef::of).collect();
            let reason = Reason::TargetMismatch { object: identity, signed };
            Content { check: Check::leaf("content", Outcome::Fail, reason), warnings: Vec::new() }
        }
        Some((_, found)) if found.comparison.is_match() => same(found),
        Some((signed, found)) => differs(signed, object, &identity, found),
    }
}

fn unusable(reason: Reason) -> Content {
    Content { check: Check::leaf("content", Outcome::Fault, reason), warnings: Vec::new() }
}

fn same(found: Compared) -> Content {
    let Compared { comparison, mut warnings } = found;
    let allowed = comparison.allowed.iter().map(|(_, allowance)| allowance_text(allowance)).collect();
    let reason = Reason::ManifestMatches {
        ignored: comparison.ignored.len(),
        effects: comparison.effects.len(),
        allowed,
    };
    warnings.extend(comparison.warnings.iter().map(|(path, warning)| format!("{path}: {warning}")));
    Content { check: Check::leaf("content", Outcome::Pass, reason), warnings }
}

fn differs(signed: &Value, object: &Value, identity: &ObjectRef, found: Compared) -> Content {
    let Comparison { differences, omitted, .. } = found.comparison;
    let suggested = ignore::shortest(&differences, signed, object);
    let names = differences.iter().map(|change| named(change, signed, object)).collect();
    let changes =
        if identity.kind == "Secret" { differences.into_iter().map(masked).collect() } else { differences };
    let reason = Reason::ManifestDiffers { kind: identity.kind.clone(), changes, omitted, names, suggested };
    Content { check: Check::leaf("content", Outcome::Fail, reason), warnings: found.warnings }
}

/// The path for people, with list elements by name; what is gone has its name in the signed object.
fn named(change: &FieldChange, signed: &Value, found: &Value) -> String {
    change.path.named(if change.found.is_some() { found } else { signed })
}

/// What a Secret holds never goes into a message, log or report; that it changed does.
fn masked(change: FieldChange) -> FieldChange {
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
    }
}

/// One comparison, and what a person should know about how it came out.
struct Compared {
    comparison: Comparison,
    warnings: Vec<String>,
}

fn compare(signed: &Value, object: &Value, how: &Expectations<'_>, _rule: &ManifestRule) -> Compared {
    Compared { comparison: diff::compare(signed, object, how), warnings: Vec::new() }
}
