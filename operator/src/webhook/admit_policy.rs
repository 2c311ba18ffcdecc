//! Policies themselves, when somebody writes one: what does not compile is refused, by the very compiler that the
//! controllers use, so that no policy is believed to be in force that is not; and what was not signed by those who must
//! have signed policies.

use common::dialect::{Compiled, compile};
use common::policy::{Operation, Policy};
use common::verdict::printable;

use super::admit::Engine;
use super::review::{Request, Response};
use super::{Deadline, respond};

/// The path that is served.
pub const PATH: &str = "/policies";

/// Whether a policy, an exception or a trust root may be written.
#[must_use]
pub async fn admit(request: &Request, deadline: Deadline, engine: &Engine) -> Response {
    if !matches!(request.operation, Operation::Create | Operation::Update) {
        return respond::exempted("only what is written is compiled");
    }
    match compile(&request.object) {
        Ok(compiled) => match engine.signers.refuse(request, deadline, engine).await {
            Some(refused) => refused,
            None => respond::warned(
                not_judged(&compiled).chain(compiled.warnings().iter().map(ToString::to_string)),
            ),
        },
        Err(errors) => {
            let called = respond::called(request);
            let mut text = format!("{} {} does not compile:\n", called.kind, called.name);
            errors
                .0
                .iter()
                .for_each(|error| text.push_str(&format!("  {}\n", printable(&error.to_string()))));
            respond::refused(text, "policy-invalid")
        }
    }
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
