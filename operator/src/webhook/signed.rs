//! Whether a policy itself was signed by those who must have signed policies ([`crate::signers`]).

use common::object::ObjectRef;
use common::policy::{OnFault, Operation};
use common::verdict::{Decision, Outcome};
use serde_json::Value;
use tokio::time::Instant;

use super::admit::{self, Engine};
use super::review::{Request, Response};
use super::{Deadline, Phase, Route, respond};

const ROUTE: Route = Route::new(Phase::Validate, OnFault::Refuse);

/// The refusal of a policy that nobody signed who must have; `None` where nothing is demanded, or it was.
pub(super) async fn refuse(request: &Request, deadline: Deadline, engine: &Engine) -> Option<Response> {
    let rules = engine.signers.rules()?;
    let decisions = admit::decide((request, request.user.as_ref()), ROUTE, deadline, rules, engine).await;
    // A rule is about an update that it lets pass because the content stays.
    let is_about =
        |decision: &Decision| decision.outcome() != Outcome::Skip || decision.headline().is_update_passed();
    if !decisions.iter().any(is_about) {
        let ObjectRef { kind, name, .. } = respond::called(request);
        let message = format!(
            "{kind} {name} must be signed (--signed-policies), and no rule there is about it, so nobody can have signed it\n"
        );
        return Some(respond::refused(message, "policy-unsigned"));
    }
    let judged = respond::validated(request, &decisions, OnFault::Refuse);
    (!judged.allowed).then_some(judged)
}

/// Why a policy that is in the cluster already does not count; `None` where it does.
pub(crate) async fn problem(object: &Value, engine: &Engine) -> Option<String> {
    engine.signers.rules()?;
    let ObjectRef { namespace, name, .. } = ObjectRef::of(object);
    let request = Request {
        uid: String::new(),
        operation: Operation::Create,
        subresource: String::new(),
        namespace,
        name,
        user: None,
        dry_run: false,
        object: object.clone(),
        old_object: None,
    };
    let refused = refuse(&request, Deadline::new(Instant::now(), None), engine).await?;
    // One line of it: the object's status is no place for a page.
    let message = refused.message.unwrap_or_default();
    let lines: Vec<_> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Some(format!("it is not signed as --signed-policies demands: {}", lines.join("; ")))
}
