//! How the API server is to ask about a policy.

use std::collections::BTreeSet;

use crate::dialect::Problem;
use crate::dialect::reader::Fields;
use crate::limits;
use crate::policy::MatchCondition;

/// `matchConditions`: CEL that narrows what the API server asks about. It is not evaluated here, which can only make
/// the policy apply to more.
pub(in crate::dialect) fn match_conditions(fields: &mut Fields<'_, '_>) -> Vec<MatchCondition> {
    const HINT: &str = "give the condition a name";
    let (mut conditions, mut names) = (Vec::new(), BTreeSet::new());
    let list = fields.list("matchConditions");
    if list.len() > limits::MATCH_CONDITIONS {
        let path = fields.path.key("matchConditions");
        fields.report.error(&path, Problem::TooMany { max: limits::MATCH_CONDITIONS });
    }
    for node in &list {
        let read = node.map(|fields| {
            let name = fields.required("name", HINT).and_then(|node| node.text(HINT));
            let expression = fields.required("expression", "write a CEL expression");
            let expression = expression.and_then(|node| node.text("write a CEL expression"));
            Some(MatchCondition { name: name?.to_owned(), expression: expression?.to_owned() })
        });
        let Some(condition) = read.flatten() else { continue };
        if !names.insert(condition.name.clone()) {
            node.error(Problem::Duplicate(condition.name.clone()));
        }
        node.warn("evaluated by the API server alone; elsewhere the policy applies to every request that its rules match");
        conditions.push(condition);
    }
    conditions
}
