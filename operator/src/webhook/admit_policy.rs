//! Policies themselves, when somebody writes one: what does not compile is refused, by the very compiler that the
//! controllers use, so that no policy is believed to be in force that is not; and what was not signed by those who must
//! have signed policies.

use common::dialect::{Compiled, compile};
use common::object::ObjectRef;
use common::policy::{MatchCondition, Operation, Policy};
use common::verdict::printable;

use super::admit::Engine;
use super::review::{Request, Response};
use super::{Deadline, respond, signed};
use crate::conditions::Said;
use crate::{clock, expiry};

/// The path that is served.
pub const PATH: &str = "/policies";

/// Whether a policy, an exception or a trust root may be written.
#[must_use]
pub async fn admit(request: &Request, deadline: Deadline, engine: &Engine) -> Response {
    if !matches!(request.operation, Operation::Create | Operation::Update) {
        return respond::exempted("only what is written is compiled");
    }
    let compiled = match compile(&request.object) {
        Ok(compiled) => compiled,
        Err(errors) => {
            let errors: Vec<_> = errors.0.iter().map(ToString::to_string).collect();
            let group = ObjectRef::of(&request.object).group().to_owned();
            // It may be meant for its own engine, which reads more than we do. Where policies must be signed it must be,
            // too. Attack: an edit that nobody signed makes a policy unreadable, and it is gone at our next start.
            if engine.engines.may_write_unreadable(&group) {
                if let Some(refused) = signed::refuse(request, deadline, engine).await {
                    return refused;
                }
                return respond::warned(
                    errors.iter().map(|error| format!("trust-operator does not read this policy: {error}")),
                );
            }
            return wrong(request, "does not compile", &errors);
        }
    };
    let unchecked = match engine.conditions.check(conditions(&compiled), deadline.questions).await {
        Said::Nothing => None,
        Said::Wrong(lines) => {
            return wrong(request, "has conditions that the API server does not take", &lines);
        }
        Said::Unknown(why) => Some(format!("matchConditions could not be checked: {why}")),
    };
    if let Some(refused) = signed::refuse(request, deadline, engine).await {
        return refused;
    }
    let ending = match &compiled {
        Compiled::Policy(policy) => expiry::warnings(policy, clock::now()),
        Compiled::Exception(_) | Compiled::TrustRoot(_) => Vec::new(),
    };
    let warnings = compiled.warnings().iter().map(ToString::to_string);
    respond::warned(not_judged(&compiled).chain(unchecked).chain(ending).chain(warnings))
}

fn conditions(compiled: &Compiled) -> &[MatchCondition] {
    match compiled {
        Compiled::Policy(policy) => &policy.match_conditions,
        Compiled::Exception(_) | Compiled::TrustRoot(_) => &[],
    }
}

/// A refusal with a line for each problem.
fn wrong(request: &Request, what: &str, problems: &[String]) -> Response {
    let ObjectRef { kind, name, .. } = respond::called(request);
    let mut text = format!("{kind} {name} {what}:\n");
    for problem in problems {
        text.push_str(&format!("  {}\n", printable(problem)));
    }
    respond::refused(text, "policy-invalid")
}

/// A rule that nobody here judges is accepted, for others may, and said to be none of ours.
fn not_judged(compiled: &Compiled) -> impl Iterator<Item = String> {
    let policy = match compiled {
        Compiled::Policy(policy) => Some(policy),
        Compiled::Exception(_) | Compiled::TrustRoot(_) => None,
    };
    let said = |(rule, of)| format!("rule {rule} is not judged by trust-operator: {of} is not handled");
    policy.into_iter().flat_map(Policy::not_handled).map(said)
}
