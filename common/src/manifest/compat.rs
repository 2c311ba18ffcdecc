//! The comparison that policies for k8s-manifest-sigstore and Kyverno were written against: flattened text,
//! numbers as floats, list items that moved, ignored fields as regular expressions, lists of fields that
//! are ignored anyway.
//!
//! Our strict matcher runs as well, and every difference that only this comparison tolerates is handed
//! back: the caller warns about each.
//!
//! Source of the rules: `pkg/util/mapnode` and `matchResourceWithManifest` of k8s-manifest-sigstore (the
//! direct comparison), and the default lists of both projects.

mod fields;
mod flat;

use serde_json::Value;

use super::diff::{Comparison, Expectations, compare};
use super::ignore::IgnoreField;
use crate::limits;
use crate::object::{FieldChange, FieldPath, ObjectRef, Segment};
pub use crate::policy::DefaultFields;

/// What is ignored, by whose rules.
#[derive(Clone, Copy, Debug)]
pub struct CompatRules<'a> {
    /// The defaults.
    pub defaults: DefaultFields,
    /// The policy's own fields, which are added to the defaults and read as regular expressions.
    pub fields: &'a [IgnoreField],
}

/// A difference as the peers report it: a flattened path and the values of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct CompatItem {
    /// `spec.ports.0.port`; dots in keys are not escaped.
    pub key: String,
    /// Signed.
    pub before: Option<Value>,
    /// Found.
    pub after: Option<Value>,
}

/// What both matchers say.
#[derive(Clone, Debug)]
pub struct CompatComparison {
    /// Differences that remain even here, at most `limits::DIFFERENCES`. Empty: accepted.
    pub differences: Vec<CompatItem>,
    /// Differences beyond the bound.
    pub omitted: usize,
    /// Strict differences that only this matcher tolerated. Warn about each.
    pub tolerated: Vec<FieldChange>,
    /// What the strict matcher says.
    pub strict: Comparison,
    /// Ignored fields that are no regular expression: they match nothing.
    pub invalid: Vec<String>,
}

impl CompatComparison {
    /// Whether the peers would accept the object.
    #[must_use]
    pub fn is_match(&self) -> bool {
        self.differences.is_empty() && self.omitted == 0
    }
}

/// Compares as the peers do, and strictly.
#[must_use]
pub fn compare_compat(
    signed: &Value,
    found: &Value,
    how: &Expectations<'_>,
    rules: &CompatRules<'_>,
) -> CompatComparison {
    let (ignored, invalid) = fields::compile(rules, how.domain, &ObjectRef::of(found));
    let mut differences = flat::differences(signed, found);
    differences.retain(|item| !is_same_image(item));
    differences.retain(|item| !ignored.iter().any(|field| field.matches(&item.key)));
    differences.retain(|item| item.key != "metadata.namespace" || item.before.is_some());
    let omitted = differences.len().saturating_sub(limits::DIFFERENCES);
    differences.truncate(limits::DIFFERENCES);
    let strict = compare(signed, found, how);
    // Attack: a thousand harmless differences push the one that matters off the list. What is not among
    // the listed ones is tolerated only where all are listed.
    let only_here = |change: &&FieldChange| omitted == 0 && !is_among(&differences, &change.path);
    let tolerated = strict.differences.iter().filter(only_here).cloned().collect();
    CompatComparison { differences, omitted, tolerated, strict, invalid }
}

/// `web` = `docker.io/web` = `web:latest`, for every path that ends with `image`.
fn is_same_image(item: &CompatItem) -> bool {
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let (Some(before), Some(after)) = (text(&item.before), text(&item.after)) else { return false };
    let named =
        after.strip_prefix("docker.io/") == Some(&before) || after.strip_suffix(":latest") == Some(&before);
    item.key.ends_with("image") && named
}

/// Whether an item speaks about the place of a strict difference, or about something inside it or around
/// it.
fn is_among(items: &[CompatItem], path: &FieldPath) -> bool {
    let steps = path.segments().iter().map(|segment| match segment {
        Segment::Key(key) => key.clone(),
        Segment::Index(index) => index.to_string(),
    });
    let key = steps.collect::<Vec<_>>().join(".");
    let inside =
        |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    items.iter().any(|item| item.key == key || inside(&key, &item.key) || inside(&item.key, &key))
}

#[cfg(test)]
mod tests;
