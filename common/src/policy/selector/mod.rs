//! Which objects and requests a rule is about.

mod facts;
mod kind;
mod labels;

use std::collections::BTreeMap;

pub(crate) use facts::Looked;
pub use facts::{LabelsUnknown, Operation, ReviewFacts, UserInfo};
pub use kind::KindPattern;
pub(crate) use kind::plural;
pub use labels::{LabelExpression, LabelOperator, LabelSelector};

use super::wildcard;
use crate::object::{FieldPath, ObjectRef};

/// Which objects and requests a rule is about.
#[derive(Clone, Debug)]
pub struct Selector {
    /// What it is about.
    pub matching: Clause,
    /// What of that is left out again.
    pub exclude: Option<Clause>,
}

/// Several filters.
#[derive(Clone, Debug)]
pub struct Clause {
    /// How they are combined.
    pub combine: Combine,
    /// The filters, at least one.
    pub filters: Vec<Filter>,
}

/// How filters are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// One must match.
    Any,
    /// All must match.
    All,
}

/// Attributes, all of which must match; an attribute that was not given matches everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Where in the policy.
    pub path: FieldPath,
    /// Kinds; one must match.
    pub kinds: Vec<KindPattern>,
    /// A pattern of the name.
    pub name: Option<String>,
    /// Patterns of names; one must match.
    pub names: Vec<String>,
    /// Patterns of namespaces; one must match. A Namespace is in the namespace of its own name.
    pub namespaces: Vec<String>,
    /// Patterns of annotation keys and values; all must match.
    pub annotations: BTreeMap<String, String>,
    /// The object's labels.
    pub selector: Option<LabelSelector>,
    /// The labels of the object's namespace.
    pub namespace_selector: Option<LabelSelector>,
    /// Operations; one must match.
    pub operations: Vec<Operation>,
    /// Patterns of roles (`namespace:name`); the user must have one.
    pub roles: Vec<String>,
    /// Patterns of cluster roles; the user must have one.
    pub cluster_roles: Vec<String>,
    /// Users; one must match.
    pub subjects: Vec<UserPattern>,
}

/// Whom a filter is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserPattern {
    /// A pattern of user names.
    User(String),
    /// A pattern of groups.
    Group(String),
    /// Patterns of a service account.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// Whether a rule is about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// It is.
    Match,
    /// It is not.
    NoMatch(Vec<FilterMismatch>),
    /// It would be, but for an exclusion.
    Excluded {
        /// The filters that excluded it.
        by: Vec<FieldPath>,
    },
}

/// Why a filter does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterMismatch {
    /// The filter.
    pub path: FieldPath,
    /// Its first attribute that does not match.
    pub why: Mismatch,
}

/// An attribute that does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mismatch {
    /// `operations`.
    Operation,
    /// `kinds`.
    Kind,
    /// `name` or `names`.
    Name,
    /// `namespaces`.
    Namespace,
    /// `annotations`.
    Annotations,
    /// `selector`.
    Labels,
    /// `namespaceSelector`.
    NamespaceLabels,
    /// `namespaceSelector`, which says nothing about a Namespace itself.
    NamespaceItself,
    /// `roles`, `clusterRoles` or `subjects`.
    User,
    /// The filter is about users only, and there is no request.
    NoRequest,
}

impl Mismatch {
    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Operation => "another operation",
            Self::Kind => "another kind",
            Self::Name => "another name",
            Self::Namespace => "another namespace",
            Self::Annotations => "other annotations",
            Self::Labels => "other labels",
            Self::NamespaceLabels => "a namespace with other labels",
            Self::NamespaceItself => "a namespaceSelector says nothing about a Namespace itself",
            Self::User => "another user",
            Self::NoRequest => "only about users, and there is no admission request",
        }
    }
}

impl Selector {
    /// Whether the rule is about the object.
    ///
    /// # Errors
    /// [`LabelsUnknown`] when the answer depends on namespace labels that nobody could read.
    pub fn select(&self, facts: &ReviewFacts<'_>) -> Result<Selection, LabelsUnknown> {
        self.select_looked(&Looked::at(facts))
    }

    /// The same for many rules and one object.
    pub(crate) fn select_looked(&self, object: &Looked<'_>) -> Result<Selection, LabelsUnknown> {
        let matched = self.matching.evaluate(object, Side::Match);
        if let Ok(Err(mismatches)) = matched {
            return Ok(Selection::NoMatch(mismatches));
        }
        // An exclusion decides even where the match is not known.
        if let Some(exclude) = &self.exclude
            && let Ok(by) = exclude.evaluate(object, Side::Exclude)?
        {
            return Ok(Selection::Excluded { by });
        }
        matched.map(|_| Selection::Match)
    }
}

/// Which side of a selector a clause is; they differ in what a missing user means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Match,
    Exclude,
}

impl Clause {
    /// Whether the clause matches, as [`Selector::select`] without exclusions.
    ///
    /// # Errors
    /// [`LabelsUnknown`] when the answer depends on them.
    pub fn matches(&self, facts: &ReviewFacts<'_>) -> Result<bool, LabelsUnknown> {
        self.matches_looked(&Looked::at(facts))
    }

    /// The same for many clauses and one object.
    pub(crate) fn matches_looked(&self, object: &Looked<'_>) -> Result<bool, LabelsUnknown> {
        Ok(self.evaluate(object, Side::Exclude)?.is_ok())
    }

    /// The filters that match (of an exclusion), or why those that do not do not. A filter whose answer is not known
    /// makes a fault only where no other filter decides.
    fn evaluate(
        &self,
        object: &Looked<'_>,
        side: Side,
    ) -> Result<Result<Vec<FieldPath>, Vec<FilterMismatch>>, LabelsUnknown> {
        let (mut matching, mut mismatches, mut unknown) = (0, Vec::new(), false);
        let mut by = Vec::new();
        for filter in &self.filters {
            match filter.mismatch(object, side) {
                // Only of what is left out is it told why.
                Ok(None) if side == Side::Match => matching += 1,
                Ok(None) => {
                    matching += 1;
                    by.push(filter.path.clone());
                }
                Ok(Some(why)) => mismatches.push(FilterMismatch { path: filter.path.clone(), why }),
                Err(LabelsUnknown) => unknown = true,
            }
        }
        let decided = match self.combine {
            Combine::Any => matching > 0,
            Combine::All => !mismatches.is_empty(),
        };
        match self.combine {
            Combine::Any if decided => Ok(Ok(by)),
            Combine::All if decided => Ok(Err(mismatches)),
            Combine::Any | Combine::All if unknown => Err(LabelsUnknown),
            Combine::Any => Ok(Err(mismatches)),
            // No filter at all selects nothing: for a match that is the compiler's error already, and
            // an exclusion that excluded everything would disarm the rule.
            Combine::All if matching == 0 => Ok(Err(mismatches)),
            Combine::All => Ok(Ok(by)),
        }
    }
}

impl Filter {
    /// The first attribute that does not match. Labels of the namespace are looked at last, so that
    /// they are needed only where everything else matches.
    fn mismatch(&self, looked: &Looked<'_>, side: Side) -> Result<Option<Mismatch>, LabelsUnknown> {
        let user = || self.user_mismatch(looked.facts, side);
        if let Some(why) = self.object_mismatch(looked).or_else(user) {
            return Ok(Some(why));
        }
        let Some(selector) = &self.namespace_selector else { return Ok(None) };
        if is_namespace(&looked.object) {
            return Ok(Some(Mismatch::NamespaceItself));
        }
        Ok((!selector.matches(looked.facts.namespace_labels()?)).then_some(Mismatch::NamespaceLabels))
    }

    fn object_mismatch(&self, looked: &Looked<'_>) -> Option<Mismatch> {
        let Looked { facts, object, labels, annotations } = looked;
        let namespace = if is_namespace(object) { &object.name } else { &object.namespace };
        let kind = |pattern: &KindPattern| pattern.matches(object, facts.subresource);
        let checks = [
            (self.operations.is_empty() || self.operations.contains(&facts.operation), Mismatch::Operation),
            (self.kinds.is_empty() || self.kinds.iter().any(kind), Mismatch::Kind),
            (self.name.as_ref().is_none_or(|name| wildcard::matches(name, &object.name)), Mismatch::Name),
            (one_of(&self.names, &object.name), Mismatch::Name),
            (one_of(&self.namespaces, namespace), Mismatch::Namespace),
            (self.annotations.iter().all(|(k, v)| labels::has(annotations, k, v)), Mismatch::Annotations),
            (self.selector.as_ref().is_none_or(|selector| selector.matches(labels)), Mismatch::Labels),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, why)| why)
    }

    /// Without a request a match ignores users (a scan judges objects, not who made them), and an
    /// exclusion of users excludes nobody.
    fn user_mismatch(&self, facts: &ReviewFacts<'_>, side: Side) -> Option<Mismatch> {
        if !self.names_users() {
            return None;
        }
        let Some(user) = facts.user else {
            let ignored = side == Side::Match && self.names_objects();
            return (!ignored).then_some(Mismatch::NoRequest);
        };
        let has = |patterns: &[String], held: &[String]| {
            patterns.is_empty() || held.iter().any(|role| one_of(patterns, role))
        };
        let matches = has(&self.roles, &user.roles)
            && has(&self.cluster_roles, &user.cluster_roles)
            && (self.subjects.is_empty() || self.subjects.iter().any(|subject| subject.matches(user)));
        (!matches).then_some(Mismatch::User)
    }

    /// Whether the filter has an attribute of users.
    #[must_use]
    pub fn names_users(&self) -> bool {
        !self.roles.is_empty() || !self.cluster_roles.is_empty() || !self.subjects.is_empty()
    }

    /// Whether the filter has an attribute of objects or operations.
    #[must_use]
    pub fn names_objects(&self) -> bool {
        !self.kinds.is_empty()
            || self.name.is_some()
            || !self.names.is_empty()
            || !self.namespaces.is_empty()
            || !self.annotations.is_empty()
            || self.selector.is_some()
            || self.namespace_selector.is_some()
            || !self.operations.is_empty()
    }
}

impl UserPattern {
    fn matches(&self, user: &UserInfo) -> bool {
        match self {
            Self::User(name) => wildcard::matches(name, &user.username),
            Self::Group(name) => user.groups.iter().any(|group| wildcard::matches(name, group)),
            Self::ServiceAccount { namespace, name } => {
                let account = user.username.strip_prefix("system:serviceaccount:");
                account.and_then(|account| account.split_once(':')).is_some_and(|(ns, account)| {
                    wildcard::matches(namespace, ns) && wildcard::matches(name, account)
                })
            }
        }
    }
}

/// Whether the object is a core Namespace.
fn is_namespace(object: &ObjectRef) -> bool {
    object.kind == "Namespace" && object.group().is_empty()
}

/// Whether there is no pattern or one matches.
fn one_of(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || wildcard::any_matches(patterns.iter().map(String::as_str), text)
}

#[cfg(test)]
mod tests;
