//! What a policy demands, whatever dialect it was written in.
//!
//! A [`Policy`] is the result of compiling a document (`dialect`): everything in it is valid, and
//! everything the document said is in it, so nobody after the compiler reads YAML again.

pub mod action;
pub mod blob;
pub mod condition;
pub mod exception;
pub mod expression;
mod extract;
mod functions;
pub mod identity;
pub mod ignore;
pub mod images;
pub mod manifest;
mod measure;
pub mod policy_value;
pub mod requirement;
pub mod selector;
mod substitute;
pub mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

pub use action::{Action, ActionOverride, ActionRules};
pub use condition::{
    Condition, ConditionFault, ConditionResult, Conditions, ContextEntry, RuleValues, Scope, Values,
};
pub use exception::{Exception, ExceptionTarget};
pub use identity::Matcher;
pub use ignore::IgnorePath;
pub use images::ImagesRule;
pub use manifest::{
    DefaultFields, DryRun, IgnoreField, ManifestRule, Matching, NamespaceAllowance, ObjectSelector,
};
pub use policy_value::PolicyValue;
pub use requirement::{
    Attestor, Authority, CertificateAuthority, KeyRef, KeySource, Keyless, LogOptions, NamedRoot, Requirement,
};
pub use selector::{Operation, ReviewFacts, Selector, UserInfo};

use crate::object::FieldPath;
use crate::trust::TrustRoot;
pub use crate::wildcard;

/// Trust roots by the names that policies call them.
pub type TrustRoots = BTreeMap<String, Arc<TrustRoot>>;

/// What a policy is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId {
    /// `ClusterPolicy`, `Policy`, …
    pub kind: String,
    /// Empty for cluster-wide policies.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl PolicyId {
    /// What decisions call it: as displayed.
    #[must_use]
    pub fn called(&self) -> Arc<str> {
        if self.namespace.is_empty() { self.name.as_str().into() } else { self.to_string().into() }
    }
}

impl fmt::Display for PolicyId {
    /// `name`, or `namespace/name` (the form of reports and exceptions, `spec/kyverno.md` 4.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// One compiled policy.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "one per option of the policy language")]
pub struct Policy {
    /// What it is called.
    pub id: PolicyId,
    /// Its rules in the order they were written, generated ones (autogen) after the rule they come from.
    pub rules: Vec<Rule>,
    /// What a fault (not a finding) means for a request.
    pub on_fault: OnFault,
    /// Stop after the first rule that applied.
    pub apply_one: bool,
    /// Whether the background scan evaluates the policy.
    pub background: bool,
    /// Whether admission requests are judged by the policy.
    pub admission: bool,
    /// Whether results that do not block are sent to the client as warnings.
    pub emit_warning: bool,
    /// Seconds the API server waits for the webhook, if the policy says so (1 to 30).
    pub timeout_seconds: Option<u32>,
    /// Conditions that the API server evaluates before it asks. Nobody else does: without an API server the policy
    /// applies to more, never to less.
    pub match_conditions: Vec<MatchCondition>,
    /// `critical`, `high`, … for reports; as written.
    pub severity: Option<String>,
    /// The category for reports; as written.
    pub category: Option<String>,
    /// Whether a failure counts in reports (`scored: false` makes it a warning).
    pub scored: bool,
    /// What the compiler accepted and its author should know about.
    pub warnings: Vec<PolicyWarning>,
}

impl Policy {
    /// Rules of types that are not ours to judge, as their author wrote them: name and type.
    pub fn not_handled(&self) -> impl Iterator<Item = (&str, &str)> {
        // Those that are generated from a rule follow it, and stand where it stands.
        let written = self.rules.chunk_by(|a, b| a.path == b.path).filter_map(<[Rule]>::first);
        written.filter_map(|rule| match &rule.body {
            Body::NotHandled { rule_type } => Some((&*rule.name, rule_type.as_str())),
            Body::Manifest(_) | Body::Images(_) => None,
        })
    }
}

impl Policy {
    /// Gives the policy the roots that it names, and takes those away that are gone. The answer is the names for
    /// which there is none: whatever needs one of them cannot be decided.
    pub fn name_roots(&mut self, roots: &TrustRoots) -> BTreeSet<String> {
        let mut missing = BTreeSet::new();
        let mut give = |attestor: &mut Attestor| {
            for named in attestor.named_roots_mut() {
                named.root = roots.get(&named.name).cloned();
                missing.extend(named.root.is_none().then(|| named.name.clone()));
            }
        };
        for rule in &mut self.rules {
            rule.body.requirements_mut(&mut |requirement| requirement.attestors_mut(&mut give));
        }
        missing
    }
}

impl Body {
    /// Everybody who must have signed something.
    pub(crate) fn requirements_mut(&mut self, each: &mut impl FnMut(&mut Requirement)) {
        match self {
            Self::Manifest(rule) => each(&mut rule.requirement),
            Self::Images(rule) => {
                for entry in &mut rule.entries {
                    let attestations = entry.attestations.iter_mut().flat_map(|one| &mut one.requirement);
                    entry.requirement.iter_mut().chain(attestations).for_each(&mut *each);
                }
            }
            Self::NotHandled { .. } => {}
        }
    }
}

/// A condition that the API server evaluates (`admissionregistration.k8s.io/v1` `MatchCondition`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchCondition {
    /// Its name, unique in its policy.
    pub name: String,
    /// The expression (CEL).
    pub expression: String,
}

/// What a fault means for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnFault {
    /// The request is refused.
    #[default]
    Refuse,
    /// The request is let through, with a warning.
    Allow,
}

/// Something in a policy that is accepted and does not do what its author may think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWarning {
    /// The field.
    pub path: FieldPath,
    /// What about it.
    pub message: String,
}

impl fmt::Display for PolicyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// One rule of a policy.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique in its policy.
    pub name: Arc<str>,
    /// Where it stands in the document; of a generated rule, where the rule it comes from stands.
    pub path: FieldPath,
    /// Which objects it is about.
    pub selector: Selector,
    /// Named values that its conditions may use.
    pub context: Vec<ContextEntry>,
    /// Conditions under which it applies to a selected object.
    pub preconditions: Option<Conditions>,
    /// Whether a failure blocks.
    pub action: ActionRules,
    /// Whether requests of Kyverno's own background account skip the rule. Kept for display; we never
    /// skip for it, because that account is not ours.
    pub skip_background: bool,
    /// Which updates it judges.
    pub judge_updates: JudgeUpdates,
    /// Properties copied to reports.
    pub report_properties: BTreeMap<String, String>,
    /// What it demands.
    pub body: Body,
}

/// Which updates a rule judges (ADR 0014).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JudgeUpdates {
    /// Those because of which something new can run.
    #[default]
    Starting,
    /// All. Then controllers cannot scale down, end or clean up what is not trusted and older than the policy.
    All,
}

/// What a rule demands.
#[derive(Clone, Debug)]
pub enum Body {
    /// The object must equal a signed manifest.
    Manifest(Box<ManifestRule>),
    /// The object's images must be signed.
    Images(Box<ImagesRule>),
    /// A rule of a type that is not ours to judge.
    NotHandled {
        /// `validate.pattern`, `mutate`, …
        rule_type: String,
    },
}
