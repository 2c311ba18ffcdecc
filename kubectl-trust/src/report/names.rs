//! What is trusted, a name a line, for other commands to go on with.

use common::object::ObjectRef;
use common::verdict::{Decision, Outcome, Reason, SubjectKind};

/// The names of what every decision about it trusts, in order: an image with the digest that was judged, an object as
/// `deployment.apps/web` (`kubectl -o name`), a file as it was given.
pub(crate) fn names(decisions: &[Decision]) -> Vec<String> {
    let mut names = Vec::new();
    for of_one in decisions.chunk_by(|a, b| a.subject == b.subject) {
        let outcome = Outcome::worst(of_one.iter().map(Decision::outcome));
        if outcome == Outcome::Pass && !of_one.iter().any(|one| one.headline().is_not_handled()) {
            names.extend(of_one.iter().find(|one| one.outcome() == Outcome::Pass).map(name));
        }
    }
    names
}

fn name(decision: &Decision) -> String {
    let subject = &decision.subject;
    match (subject.kind, decision.headline()) {
        (SubjectKind::Image, Reason::ImageVerified { digest, .. })
            if !subject.source.contains(digest.as_str()) =>
        {
            format!("{}@{digest}", subject.source)
        }
        (SubjectKind::Image | SubjectKind::Blob, _) => subject.source.clone(),
        (SubjectKind::Manifest | SubjectKind::Resource, _) => object_name(&subject.object),
    }
}

fn object_name(object: &ObjectRef) -> String {
    let kind = object.kind.to_ascii_lowercase();
    match object.group() {
        "" => format!("{kind}/{}", object.name),
        group => format!("{kind}.{group}/{}", object.name),
    }
}
