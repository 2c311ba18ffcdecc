//! Objects judged by policies: what a file and its values say stands for an admission request.

use std::collections::BTreeSet;
use std::sync::Arc;

use common::dialect::PolicySet;
use common::evaluate::{self, Context, Rules, Task};
use common::object::{ObjectRef, Origin};
use common::policy::{Operation, Policy, ReviewFacts, Rule, RuleValues, UserInfo};
use common::verdict::{Decision, Subject};
use serde_json::Value;

use super::{Item, undecided};
use crate::testing::scope::namespace_of;
use crate::testing::values::{self, ValuesFile};

/// The request that an object of a file stands for.
pub(crate) struct Request<'a> {
    /// The operation; where none is given, the one that the values say, else CREATE.
    pub(crate) operation: Option<Operation>,
    /// Who asks, if that is known.
    pub(crate) user: Option<&'a UserInfo>,
    /// Values of variables, labels of namespaces.
    pub(crate) values: &'a ValuesFile,
}

/// Judges one item by every policy of a set: a decision for every rule, or the one that it could not be read.
pub(crate) async fn by_policies(
    item: &Item<'_>,
    set: &PolicySet,
    request: &Request<'_>,
    context: Context<'_>,
) -> Vec<Decision> {
    match item {
        Item::Object { subject, object, origin } => {
            judge(subject, (object, *origin), set, request, context).await
        }
        Item::Nothing { subject, reason } => vec![undecided(subject, reason)],
    }
}

/// Namespaces among the resources have the labels that they have there, unless the values say otherwise.
pub(crate) fn namespaces(items: &[Item<'_>], values: &mut ValuesFile) {
    for item in items {
        let Item::Object { object, .. } = item else { continue };
        if let Some((name, labels)) = values::namespace(object) {
            values.add_namespace(&name, labels);
        }
    }
}

async fn judge(
    subject: &Subject,
    (object, origin): (&Value, Origin),
    set: &PolicySet,
    request: &Request<'_>,
    context: Context<'_>,
) -> Vec<Decision> {
    // Of what is judged: an image has no namespace, and the Pod that stands for it has.
    let judged = ObjectRef::of(object);
    let namespace = namespace_of(&judged);
    let subject = Arc::new(subject.clone());
    let named = ObjectRef { namespace: namespace.to_owned(), ..judged.clone() };
    let facts = |operation| ReviewFacts {
        object: if operation == Operation::Delete { &Value::Null } else { object },
        old_object: (operation == Operation::Delete).then_some(object),
        operation,
        subresource: request.values.subresource(&judged),
        namespace,
        namespace_labels: request.values.namespace_labels(namespace),
        user: request.user,
    };
    let mut decisions = Vec::new();
    for policy in &set.policies {
        let values = request.values.of(&policy.id, &named);
        let operations = Operations::of(policy, request.operation, &values);
        let rules = Rules {
            policies: std::slice::from_ref(policy),
            exceptions: &set.exceptions,
            values: &values,
            background: false,
        };
        for operation in operations.each() {
            let task = Task { subject: Arc::clone(&subject), facts: facts(operation), origin };
            let all = evaluate::by_policies(&task, rules, context).await;
            let of_rule = policy.rules.iter().zip(all);
            decisions.extend(of_rule.filter(|(rule, _)| operations.is(rule, operation)).map(|(_, one)| one));
        }
    }
    decisions
}

/// The operation that each rule of a policy sees. They differ where values name one for a rule alone.
struct Operations<'a> {
    of_all: Operation,
    named: Option<Operation>,
    values: &'a RuleValues,
    rules: &'a [Rule],
}

impl<'a> Operations<'a> {
    fn of(policy: &'a Policy, named: Option<Operation>, values: &'a RuleValues) -> Self {
        let of_all = named.or_else(|| values::operation(&values.of_all)).unwrap_or_default();
        Self { of_all, named, values, rules: &policy.rules }
    }

    fn of_rule(&self, rule: &Rule) -> Operation {
        let own = || values::operation(self.values.of(&rule.name));
        self.named.or_else(own).unwrap_or(self.of_all)
    }

    fn each(&self) -> BTreeSet<Operation> {
        self.rules.iter().map(|rule| self.of_rule(rule)).collect()
    }

    fn is(&self, rule: &Rule, operation: Operation) -> bool {
        self.of_rule(rule) == operation
    }
}
