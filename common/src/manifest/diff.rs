//! The strict matcher: whether an object is the signed one and nothing else.
//!
//! Typed trees are compared, never flattened text: `null`, `{}`, `[]` and absence
//! are four things, the order of lists matters, integers are exact, a dot in a key is no step. Only what
//! the API server itself does to an object is tolerated (see [`Row`]), in its direction, and
//! each instance of it is reported.

mod record;
mod scalar;
mod secret;
mod walk;

use serde_json::Value;

pub use super::defaults::{Row, Warning};
use super::ignore::IgnoreRules;
use crate::object::{FieldChange, FieldPath, Origin};
pub use crate::policy::NamespaceAllowance;

/// How two objects are to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Expectations<'a> {
    /// Where the object that was found comes from; decides which server effects can show in it.
    pub origin: Origin,
    /// In the review of an update: the object before it. What controllers wrote of it since it was made may
    /// stay as it is; whoever asks may not write it himself.
    pub stored: Option<&'a Value>,
    /// Places of images that another rule of the same evaluation found good under the very digest that they
    /// name: there, a signed tag may have gained it.
    pub pinned: &'a [FieldPath],
    /// Domain of the signature annotations, such as `cosign.sigstore.dev`. Those annotations of the
    /// top-level metadata are left out on both sides.
    pub domain: &'a str,
    /// Ignore rules, compiled for this object.
    pub ignore: &'a IgnoreRules,
    /// Namespaces that an object may have whose manifest was signed without one.
    pub allow_namespace: &'a NamespaceAllowance,
    /// Finalizers that may be added to what was signed.
    pub allow_finalizers: &'a [String],
}

/// Why an addition that nobody signed was allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// The namespace was allowed for manifests signed without one.
    Namespace(String),
    /// The finalizer was allowed by name.
    Finalizer(String),
    /// The image is the signed one under the digest for which it was verified.
    Pinned(String),
}

/// What a comparison found. Lists are in document order; no list is longer than
/// `limits::DIFFERENCES`.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Differences that nothing explains. Empty: the object is the signed one.
    pub differences: Vec<FieldChange>,
    /// Differences beyond the bound: counted, not listed.
    pub omitted: usize,
    /// Differences that an ignore rule covers, with its text.
    pub ignored: Vec<(FieldChange, String)>,
    /// What the API server did, with the row of the table that says so.
    pub effects: Vec<(FieldChange, &'static Row)>,
    /// Additions that were allowed by name.
    pub allowed: Vec<(FieldChange, Allowance)>,
    /// What nobody vouches for although nothing differs.
    pub warnings: Vec<(FieldPath, Warning)>,
}

impl Comparison {
    /// Whether the object is the signed one.
    #[must_use]
    pub fn is_match(&self) -> bool {
        self.differences.is_empty() && self.omitted == 0
    }
}

/// Compares what was signed with what was found.
///
/// A pure function of its arguments that reads no clock, no file and no cluster. Trees deeper than
/// `limits::DEPTH` differ at that depth, whatever lies below.
#[must_use]
pub fn compare(signed: &Value, found: &Value, how: &Expectations<'_>) -> Comparison {
    match secret::merged(signed, found) {
        Some(merged) => walk::run(&merged, found, how, Some(signed)),
        None => walk::run(signed, found, how, None),
    }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "helpers take what `json!` makes")]
mod attacks;
#[cfg(test)]
mod large;
#[cfg(test)]
mod reviews;
#[cfg(test)]
mod rows;
#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "helpers take what `json!` makes")]
mod tests;
#[cfg(test)]
mod unseen;
