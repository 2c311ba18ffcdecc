//! Our own kinds, as the API server is told of them. The types here are the source of `operator/deploy/crd`: their
//! docs are what `kubectl explain` shows, and a test compares the two.
//!
//! What the schema of a kind cannot say (patterns, keys, unknown fields) the compiler of policies does, in the webhook
//! for policies and in the controllers; so fields that are unknown stay in what is stored, and are refused by name
//! instead of being dropped in silence.

mod attestor;
mod definition;
mod image;
mod policy;
mod root;
mod selector;

pub use attestor::{AttestorEntry, AttestorSet, Certificates, Keyless, Keys, SecretName};
pub use definition::definitions;
pub use image::{
    Attestation, Credentials, Deny, ImageDeny, ImageEntry, ImageExtractor, SignatureFormat, SignedReference,
};
pub use policy::{
    Action, ActionOverride, Condition, ContextEntry, Controller, FailurePolicy, IgnoreField, JudgeUpdates,
    ManifestRule, Matching, ObjectSelector, PolicySpec, Rule, Severity, Validate, Variable,
};
pub use root::{Pem, TrustRootSpec};
pub use selector::{
    Clause, Filter, LabelExpression, LabelOperator, LabelSelector, Operation, Resources, User, UserKind,
};

/// The API group of our kinds.
pub const GROUP: &str = "kubectl-trust.io";
/// Its version.
pub const VERSION: &str = "v1alpha1";
