//! What the judging commands share: documents to tasks, tasks to a verdict, a verdict to output.

mod policies;

use std::sync::Arc;

use common::cache::Facts;
use common::evaluate::{self, Context, Task};
use common::object::{ObjectRef, Origin, items as items_of};
use common::policy::{ManifestRule, ReviewFacts};
use common::sources::Sources;
use common::verdict::{Check, Decision, Outcome, Reason, Subject, SubjectKind, Verdict, to_json};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;

pub(crate) use self::policies::{Request, by_policies, namespaces};
use crate::cli::{VerdictFormat, VerdictOutput};
use crate::clock;
use crate::input::Input;
use crate::output::{Printer, Progress};
use crate::report::{self, Lines};
use crate::text;
use crate::trust_root::Trusted;

/// One object to be judged, or why there is none.
pub(crate) enum Item<'i> {
    /// An object.
    Object {
        /// What it is called.
        subject: Subject,
        /// It.
        object: &'i Value,
        /// Where it came from; what it says of itself proves nothing.
        origin: Origin,
    },
    /// No object: a fault with the name of what could not be read.
    Nothing {
        /// What it is called.
        subject: Subject,
        /// Why.
        reason: Reason,
    },
}

/// What becomes of lists.
#[derive(Clone, Copy)]
pub(crate) enum Lists<'d> {
    /// Each item is an object of its own: so `kubectl apply` and the API server take them, whatever
    /// annotations the list has, and so do policies.
    Items,
    /// One object where the list itself carries a message of this annotation domain.
    Signed(&'d str),
}

/// How the documents of files are to be taken.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'d> {
    /// What the subjects are.
    pub(crate) kind: SubjectKind,
    /// Where the files say, or the user says, that they came from.
    pub(crate) origin: Origin,
    /// What becomes of lists.
    pub(crate) lists: Lists<'d>,
}

/// The objects of files. A file without documents and a document that is no object are faults, never
/// nothing.
pub(crate) fn items<'i>(inputs: &'i [Input], how: Reading<'_>) -> Vec<Item<'i>> {
    let mut items = Vec::new();
    for input in inputs {
        let nameless = |source: String| Subject { kind: how.kind, source, object: ObjectRef::default() };
        match &input.documents {
            Err(error) => {
                let reason = Reason::InputUnreadable { problem: error.to_string() };
                items.push(Item::Nothing { subject: nameless(input.name.clone()), reason });
            }
            Ok(documents) if documents.is_empty() => {
                items.push(Item::Nothing {
                    subject: nameless(input.name.clone()),
                    reason: Reason::InputEmpty,
                });
            }
            Ok(documents) => {
                for document in documents {
                    push(&mut items, &document.value, format!("{}#{}", input.name, document.index), how);
                }
            }
        }
    }
    items
}

fn push<'i>(items: &mut Vec<Item<'i>>, object: &'i Value, source: String, how: Reading<'_>) {
    let subject = Subject { kind: how.kind, source, object: ObjectRef::of(object) };
    let signed_by = |domain| common::manifest::Annotations::read(object, domain).message.is_some();
    let signed = matches!(how.lists, Lists::Signed(domain) if signed_by(domain));
    let unreadable = |problem: &str| Reason::InputUnreadable { problem: format!("not an object: {problem}") };
    let reason = match object {
        Value::Object(map) => match items_of(object) {
            _ if signed => None,
            Some(_) if map.keys().any(|key| !LIST_FIELDS.contains(&key.as_str())) => {
                Some(unreadable("a list holds apiVersion, kind, metadata and items, and nothing else"))
            }
            Some(list) if list.is_empty() => Some(Reason::InputEmpty),
            Some(list) => {
                for (index, item) in list.iter().enumerate() {
                    push(items, item, format!("{}.items[{index}]", subject.source), how);
                }
                return;
            }
            None if subject.object.kind.is_empty() || subject.object.api_version.is_empty() => {
                Some(unreadable("a Kubernetes manifest has apiVersion and kind"))
            }
            None => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Some(unreadable("a Kubernetes manifest is a map with apiVersion and kind"))
        }
    };
    items.push(match reason {
        Some(reason) => Item::Nothing { subject, reason },
        None => Item::Object { subject, object, origin: how.origin },
    });
}

/// All that a list may hold.
///
/// Attack: `Items` beside `items`, or a list with an annotation that makes it look like one signed object.
const LIST_FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "items"];

/// Objects and images that are judged at the same time. A registry answers as many requests at once
/// ([`common::limits::REGISTRY_REQUESTS`]).
pub(crate) const AT_ONCE: usize = 16;

/// Judges every item by one rule, some at the same time; the answers are in the order asked.
pub(crate) async fn by_rule(
    items: &[Item<'_>],
    rule: &ManifestRule,
    sources: &dyn Sources,
    mut progress: Progress,
) -> Verdict {
    let known = Facts::default();
    let context = Context { sources, known: &known, now: clock::now() };
    let judge = async |item: &Item<'_>| match item {
        Item::Object { subject, object, origin } => {
            let (subject, facts) = (Arc::new(subject.clone()), ReviewFacts::of(object));
            let task = Task { subject, facts, origin: *origin };
            evaluate::by_manifest_rule(&task, rule, None, context).await
        }
        Item::Nothing { subject, reason } => undecided(subject, reason),
    };
    let step = |decision: Decision| {
        progress.step();
        decision
    };
    Verdict { decisions: stream::iter(items).map(judge).buffered(AT_ONCE).map(step).collect().await }
}

/// A decision about something that could not be read.
pub(crate) fn undecided(subject: &Subject, reason: &Reason) -> Decision {
    let check = Check::leaf("input", Outcome::Fault, reason.clone());
    Decision::new(subject.clone(), None, check)
}

/// Prints a verdict in the chosen format.
pub(crate) fn print(
    verdict: &Verdict,
    lines: &Lines,
    trusted: &Trusted,
    output: &VerdictOutput,
    printer: &mut Printer,
) {
    let decisions: Vec<_> = verdict.decisions.iter().filter(|decision| text::applies(decision)).collect();
    match output.format {
        VerdictFormat::Text if output.quiet => text::refused(printer, verdict),
        VerdictFormat::Text => text::verdict(printer, verdict),
        VerdictFormat::Json => printer.json(&trusted.with_verdict(to_json(verdict))),
        VerdictFormat::Yaml => printer.yaml(&trusted.with_verdict(to_json(verdict))),
        VerdictFormat::Junit => printer.raw(report::junit::of_decisions(&decisions, lines).as_bytes()),
        VerdictFormat::Sarif => printer.json(&report::sarif(&decisions, lines)),
        VerdictFormat::Name => {
            for name in report::names(&verdict.decisions) {
                printer.whole_line(name);
            }
            for line in text::refused_lines(verdict) {
                printer.aside(line);
            }
        }
    }
    trusted.say(output.format == VerdictFormat::Text && !output.quiet, printer);
}
