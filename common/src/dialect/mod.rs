//! Policy dialects: YAML documents to [`crate::policy`].
//!
//! Parse, don't validate: what comes out is valid and complete. Nothing is ignored in silence: an
//! unknown field is an error with its path, an option without effect is a warning.

mod error;
mod kinds;
mod kyverno;
mod reader;
mod set;
mod trust;
mod vocabulary;

use std::sync::Arc;

use serde_json::Value;

pub use error::{CompileError, CompileErrors, Problem};
pub use kinds::{KINDS, PolicyKind, kind};
pub use reader::nearest;
pub use set::{PolicySet, SetError, SetWarning};

use crate::object::FieldPath;
use crate::policy::{Exception, Policy, PolicyWarning};
use crate::trust::TrustRoot;

/// What a document compiles to.
#[derive(Clone, Debug)]
pub enum Compiled {
    /// A policy.
    Policy(Policy),
    /// An exception from policies.
    Exception(Exception),
    /// A trust root that policies may name.
    TrustRoot(NamedTrustRoot),
}

/// A trust root, and what policies call it.
#[derive(Clone, Debug)]
pub struct NamedTrustRoot {
    /// Its name.
    pub name: String,
    /// The root.
    pub root: Arc<TrustRoot>,
}

impl Compiled {
    /// What its author should know about.
    #[must_use]
    pub fn warnings(&self) -> &[PolicyWarning] {
        match self {
            Self::Policy(policy) => &policy.warnings,
            Self::Exception(exception) => &exception.warnings,
            Self::TrustRoot(_) => &[],
        }
    }
}

/// Whether a document is a policy, an exception or a trust root, by its group and kind. A version that we do not know
/// still is one: [`compile`] then says so, instead of the document being taken for a resource.
#[must_use]
pub fn is_policy(document: &Value) -> bool {
    let (group, _, name) = names(document);
    kind(group, name).is_some()
}

/// Whether documents of a kind are policies, exceptions or trust roots that we read.
#[must_use]
pub fn reads(group: &str, version: &str, name: &str) -> bool {
    kind(group, name).is_some_and(|kind| kind.reads(version))
}

/// Whether a document is a policy of a kind that we do not judge: others may stand in the same files.
#[must_use]
pub fn is_other_policy(document: &Value) -> bool {
    let (group, _, kind) = names(document);
    match group {
        "policies.kyverno.io" => true,
        kyverno::GROUP => matches!(kind, "CleanupPolicy" | "ClusterCleanupPolicy"),
        "admissionregistration.k8s.io" => kind.contains("AdmissionPolicy"),
        _ => false,
    }
}

/// Whether a document was meant as a policy, judged by us or not: also one whose kind or group is misspelt. Its
/// author believes that it is enforced, so it is never passed over.
#[must_use]
pub fn is_meant_as_policy(document: &Value) -> bool {
    let (group, _, name) = names(document);
    let misspelt = |kind: &PolicyKind| {
        let near = |typed: &str, known: &str| nearest(typed, std::iter::once(known)).is_some();
        (kind.group == group && near(name, kind.kind)) || (kind.kind == name && near(group, kind.group))
    };
    // A list is no policy, and is refused where one is meant. Passed over, the policies in it would be missing.
    let items = document.get("items").and_then(Value::as_array);
    is_policy(document)
        || is_other_policy(document)
        || KINDS.iter().any(misspelt)
        || items.is_some_and(|items| items.iter().any(is_meant_as_policy))
}

/// Compiles a document.
///
/// # Errors
/// Every problem of the document, each with the path of its field.
pub fn compile(document: &Value) -> Result<Compiled, CompileErrors> {
    let report = reader::Report::default();
    let (group, version, name) = names(document);
    let Some(read) = kind(group, name).filter(|kind| kind.reads(version)) else {
        let (api_version, kind) = (text(document, "apiVersion").to_owned(), name.to_owned());
        report.error(&FieldPath::keys(["apiVersion"]), Problem::UnknownKind { api_version, kind });
        return report.finish(None);
    };
    let compiled = (read.compile)(document, &report);
    report.finish(compiled)
}

fn names(document: &Value) -> (&str, &str, &str) {
    let (group, version) = text(document, "apiVersion").split_once('/').unwrap_or_default();
    (group, version, text(document, "kind"))
}

fn text<'v>(document: &'v Value, field: &str) -> &'v str {
    document.get(field).and_then(Value::as_str).unwrap_or_default()
}
