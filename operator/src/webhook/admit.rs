//! One admission request, from the first line to the last. Whoever is new here reads this page first.
//!
//! 1. Is the request one that no policy is asked about? Then that is the answer.
//! 2. One immutable set of policies for the whole request. Attack: policies that change in between, so that
//!    neither the old nor the new ones were asked.
//! 3. `common::evaluate`: which rules apply, everything that must be read for them, the judgement. Mutating, only
//!    rules that name images by their digest are asked; validating, all are. What the mutating webhook found out
//!    counts for nothing here: what will be stored is judged anew, from facts that are remembered.
//! 4. The decisions become the answer, and are counted.
//!
//! Nothing here waits for longer than the deadline: who is asked then has not answered, and the rule that asked
//! says so.

use std::sync::Arc;

use common::cache::Facts;
use common::evaluate::{self, Context, Rules, Task};
use common::object::Origin;
use common::policy::{ReviewFacts, UserInfo};
use common::verdict::{Decision, Subject, SubjectKind};

use super::respond::{self, Unjudged};
use super::review::{Request, Response};
use super::{Deadline, Phase, Route, exempt};
use crate::clock;
use crate::conditions::Conditions;
use crate::engines::OtherEngines;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::roles::Roles;
use crate::signers::Signers;
use crate::snapshot::{Snapshot, Snapshots};
use crate::world::World;

/// Everything that requests share.
pub struct Engine {
    /// The policies.
    pub snapshots: Snapshots,
    /// The labels of namespaces.
    pub namespaces: Namespaces,
    /// The roles of users.
    pub roles: Roles,
    /// Who must have signed policies themselves.
    pub signers: Signers,
    /// Who knows whether conditions of policies can be evaluated.
    pub conditions: Conditions,
    /// Other engines in the cluster.
    pub engines: OtherEngines,
    /// Registries, keys, trust roots.
    pub world: World,
    /// Facts that never change.
    pub facts: Facts,
    /// What is counted.
    pub metrics: Metrics,
}

/// Judges one request.
pub async fn admit(request: &Request, route: Route, deadline: Deadline, engine: &Engine) -> Response {
    // (1)
    if let Some(why) = exempt::why(request) {
        return respond::exempted(why);
    }
    // (2)
    match engine.snapshots.current() {
        Some(snapshot) => judge(request, route, deadline, &snapshot, engine).await,
        None => respond::unjudged(request, Unjudged::NotReady, route.on_fault),
    }
}

/// Judges one request by one set of policies.
async fn judge(
    request: &Request,
    route: Route,
    deadline: Deadline,
    snapshot: &Snapshot,
    engine: &Engine,
) -> Response {
    // Attack: a user whose roles nobody knows must not be taken for one who has none.
    let user = match &request.user {
        Some(user) if snapshot.selects_roles => match engine.roles.of(user) {
            Some(user) => Some(user),
            None => return respond::unjudged(request, Unjudged::NotReady, route.on_fault),
        },
        user => user.clone(),
    };
    // (3)
    let decisions = decide((request, user.as_ref()), route, deadline, snapshot, engine).await;
    // (4)
    engine.metrics.decided(&decisions);
    match route.phase {
        Phase::Mutate => respond::pinned(&decisions),
        Phase::Validate => respond::validated(request, &decisions, route.on_fault),
    }
}

/// What the policies of a snapshot say of a request.
pub(super) async fn decide(
    (request, user): (&Request, Option<&UserInfo>),
    route: Route,
    deadline: Deadline,
    snapshot: &Snapshot,
    engine: &Engine,
) -> Vec<Decision> {
    // Asked for only where it matters: of a namespace that was made just now, it may take a moment.
    let needed = snapshot.selects_namespaces && !request.namespace.is_empty();
    let labels =
        if needed { engine.namespaces.labels(&request.namespace, deadline.questions).await } else { None };
    let object = respond::called(request);
    let source = format!("{}/{}/{}", object.kind, object.namespace, object.name);
    let task = Task {
        subject: Arc::new(Subject { kind: SubjectKind::Resource, source, object }),
        facts: ReviewFacts {
            object: &request.object,
            old_object: request.old_object.as_ref(),
            operation: request.operation,
            subresource: &request.subresource,
            namespace: &request.namespace,
            namespace_labels: labels.as_deref(),
            user,
        },
        origin: Origin::Review,
    };
    let seen = (task.facts.subject(), request.namespace.as_str());
    let sources = engine.world.until(deadline.questions, seen, snapshot);
    let context = Context { sources: &sources, known: &engine.facts, now: clock::now() };
    let mut decisions = Vec::new();
    let here = snapshot.policies(route.together());
    for policies in std::iter::once(here).chain(snapshot.moved_here(route.together())) {
        let (exceptions, values) = (&snapshot.exceptions[..], &snapshot.values);
        let rules = Rules { policies, exceptions, values, background: false };
        decisions.extend(match route.phase {
            Phase::Mutate => evaluate::pins(&task, rules, context).await,
            Phase::Validate => evaluate::by_policies(&task, rules, context).await,
        });
    }
    decisions
}
