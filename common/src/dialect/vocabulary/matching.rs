//! `match` and `exclude` (`spec/kyverno.md` 1.4).

use std::collections::BTreeMap;

use super::texts::{plain, plain_field, plain_list, plain_map};
use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
pub(in crate::dialect) use crate::policy::selector::Clause;
use crate::policy::selector::{
    Combine, Filter, KindPattern, LabelExpression, LabelOperator, LabelSelector, Operation, UserPattern,
};
use crate::policy::{Action, ActionOverride};

const LEGACY: [&str; 4] = ["resources", "roles", "clusterRoles", "subjects"];
const OPERATIONS: [(&str, Operation); 4] = [
    ("CREATE", Operation::Create),
    ("UPDATE", Operation::Update),
    ("DELETE", Operation::Delete),
    ("CONNECT", Operation::Connect),
];

/// What a clause may say.
#[derive(Clone, Copy)]
pub(in crate::dialect) struct Allowed {
    /// Attributes directly under the clause (before `any` and `all`).
    pub(in crate::dialect) legacy: bool,
    /// `namespaces`.
    pub(in crate::dialect) namespaces: bool,
    /// Users: there are none in background scans.
    pub(in crate::dialect) users: bool,
}

/// A clause; `None` when it says nothing (an error for `match`, no exclusion for `exclude`).
pub(in crate::dialect) fn clause(node: &Node<'_, '_>, allowed: Allowed) -> Option<Clause> {
    node.map(|fields| {
        let given = fields.present(&["any", "all"]);
        let old = fields.present(&LEGACY);
        if given.len() == 2 {
            fields.error(Problem::Conflict {
                with: "any and all",
                instead: "write one of `any` and `all`, not both",
            });
        }
        if !given.is_empty() && !old.is_empty() {
            fields.error(Problem::Conflict {
                with: "any or all",
                instead: "move the attributes into an entry of it",
            });
        }
        if !old.is_empty() && !allowed.legacy {
            fields.error(Problem::NotInVersion { instead: "write `any: [{resources: …}]`" });
        }
        let any = filters(fields, "any", allowed);
        let all = filters(fields, "all", allowed);
        let (combine, filters) = match (any.is_empty(), old.is_empty()) {
            (false, _) => (Combine::Any, any),
            (true, true) => (Combine::All, all),
            (true, false) => (Combine::Any, filter(fields, allowed).into_iter().collect()),
        };
        fields.skip(&LEGACY);
        (!filters.is_empty()).then_some(Clause { combine, filters })
    })
    .flatten()
}

fn filters(fields: &mut Fields<'_, '_>, name: &'static str, allowed: Allowed) -> Vec<Filter> {
    let entry = |node: &Node<'_, '_>| node.map(|fields| filter(fields, allowed)).flatten();
    fields.list(name).iter().filter_map(entry).collect()
}

fn filter(fields: &mut Fields<'_, '_>, allowed: Allowed) -> Option<Filter> {
    let mut filter = Filter { path: fields.path.clone(), ..Filter::default() };
    if let Some(resources) = fields.get("resources") {
        resources.map(|fields| resource_attributes(fields, allowed, &mut filter));
    }
    filter.roles = plain_list(fields, "roles");
    filter.cluster_roles = plain_list(fields, "clusterRoles");
    filter.subjects = fields.list("subjects").iter().filter_map(subject).collect();
    if !filter.names_users() && !filter.names_objects() {
        fields.error(Problem::Empty("name at least kinds"));
        return None;
    }
    if filter.names_users() && !allowed.users {
        fields.error(Problem::UsersInBackground);
    }
    Some(filter)
}

fn resource_attributes(fields: &mut Fields<'_, '_>, allowed: Allowed, filter: &mut Filter) {
    filter.kinds = fields.list("kinds").iter().filter_map(kind).collect();
    filter.name = plain_field(fields, "name");
    filter.names = plain_list(fields, "names");
    if let Some(node) = fields.get("namespaces").filter(|_| !allowed.namespaces) {
        node.error(Problem::OtherNamespaces);
    }
    filter.namespaces = plain_list(fields, "namespaces");
    filter.annotations = fields.get("annotations").map(|node| plain_map(&node)).unwrap_or_default();
    filter.selector = fields.get("selector").map(|node| label_selector(&node));
    filter.namespace_selector = fields.get("namespaceSelector").map(|node| label_selector(&node));
    filter.operations =
        fields.list("operations").iter().filter_map(|node| node.choice(&OPERATIONS)).collect();
}

fn kind(node: &Node<'_, '_>) -> Option<KindPattern> {
    let text = node.text("write a kind")?;
    let pattern = KindPattern::parse(text);
    if pattern.is_none() {
        node.error(Problem::Kind(text.to_owned()));
    }
    if let Some(message) = pattern.as_ref().and_then(KindPattern::warning) {
        node.warn(message);
    }
    pattern
}

fn subject(node: &Node<'_, '_>) -> Option<UserPattern> {
    #[derive(Clone, Copy)]
    enum Kind {
        User,
        Group,
        ServiceAccount,
    }
    const KINDS: [(&str, Kind); 3] =
        [("User", Kind::User), ("Group", Kind::Group), ("ServiceAccount", Kind::ServiceAccount)];
    node.map(|fields| {
        fields.skip(&["apiGroup"]);
        let kind = fields.required("kind", "write User, Group or ServiceAccount");
        let kind = kind.and_then(|node| node.choice(&KINDS));
        let name = fields.required("name", "write a name").and_then(|node| plain(&node).map(str::to_owned));
        let namespace = plain_field(fields, "namespace");
        match (kind?, namespace) {
            (Kind::User, _) => Some(UserPattern::User(name?)),
            (Kind::Group, _) => Some(UserPattern::Group(name?)),
            (Kind::ServiceAccount, Some(namespace)) => {
                Some(UserPattern::ServiceAccount { namespace, name: name? })
            }
            (Kind::ServiceAccount, None) => {
                fields.error(Problem::Missing("a ServiceAccount needs its namespace"));
                None
            }
        }
    })
    .flatten()
}

/// `[{action, namespaces, namespaceSelector}]`, with the actions that the dialect knows.
pub(in crate::dialect) fn action_overrides(
    node: &Node<'_, '_>,
    actions: &[(&'static str, Action)],
) -> Vec<ActionOverride> {
    let entry = |node: &Node<'_, '_>| {
        node.map(|fields| {
            let action = fields.required("action", "write Audit or Enforce");
            let namespaces = plain_list(fields, "namespaces");
            let selector = fields.get("namespaceSelector");
            if namespaces.is_empty() && selector.is_none() {
                fields.error(Problem::Empty("name namespaces or a namespaceSelector"));
            }
            let namespace_selector = selector.map(|node| label_selector(&node));
            Some(ActionOverride { action: action?.choice(actions)?, namespaces, namespace_selector })
        })
    };
    node.list().iter().filter_map(|node| entry(node).flatten()).collect()
}

/// A label selector.
pub(in crate::dialect) fn label_selector(node: &Node<'_, '_>) -> LabelSelector {
    let read = |fields: &mut Fields<'_, '_>| LabelSelector {
        labels: fields.get("matchLabels").map(|node| plain_map(&node)).unwrap_or_default(),
        expressions: fields.list("matchExpressions").iter().filter_map(label_expression).collect(),
    };
    node.map(read).unwrap_or(LabelSelector { labels: BTreeMap::new(), expressions: vec![] })
}

/// A label's value, which may be empty.
fn label_value(node: &Node<'_, '_>) -> Option<String> {
    if node.value == "" { Some(String::new()) } else { plain(node).map(str::to_owned) }
}

fn label_expression(node: &Node<'_, '_>) -> Option<LabelExpression> {
    const OPERATORS: [(&str, LabelOperator); 4] = [
        ("In", LabelOperator::In),
        ("NotIn", LabelOperator::NotIn),
        ("Exists", LabelOperator::Exists),
        ("DoesNotExist", LabelOperator::DoesNotExist),
    ];
    node.map(|fields| {
        let key = fields.required("key", "write the label's key").and_then(|node| plain(&node));
        let operator = fields.required("operator", "write In, NotIn, Exists or DoesNotExist");
        let operator = operator.and_then(|node| node.choice(&OPERATORS));
        // An empty value is a label's legal value, so only the types are checked.
        let values = fields.list("values");
        let values: Vec<String> = values.iter().filter_map(label_value).collect();
        let needs_values = matches!(operator, Some(LabelOperator::In | LabelOperator::NotIn));
        if needs_values && values.is_empty() {
            fields.error(Problem::Empty("In and NotIn need values"));
        }
        if !needs_values && operator.is_some() && !values.is_empty() {
            fields.error(Problem::Conflict { with: "values", instead: "Exists and DoesNotExist take none" });
        }
        Some(LabelExpression { key: key?.to_owned(), operator: operator?, values })
    })
    .flatten()
}
