//! What the judging commands share: documents to tasks, tasks to a verdict, a verdict to output.

use common::cache::Facts;
use common::evaluate::{self, Context, Task};
use common::object::{ObjectRef, Origin};
use common::policy::{ManifestRule, ReviewFacts};
use common::sources::Sources;
use common::verdict::{Check, Decision, Outcome, Reason, Subject, SubjectKind, Verdict, to_json};
use serde_json::Value;

use crate::cli::Format;
use crate::input::Input;
use crate::output::{Printer, Progress};
use crate::text;

/// One object to be judged, or why there is none.
pub(crate) enum Item<'i> {
    /// An object.
    Object {
        /// What it is called.
        subject: Subject,
        /// It.
        object: &'i Value,
    },
    /// No object: a fault with the name of what could not be read.
    Nothing {
        /// What it is called.
        subject: Subject,
        /// Why.
        reason: Reason,
    },
}

/// The objects of files. A List that carries a message is one object; of any other each item is judged.
/// A file without documents and a document that is no object are faults, never nothing.
pub(crate) fn items<'i>(inputs: &'i [Input], kind: SubjectKind, domain: &str) -> Vec<Item<'i>> {
    let mut items = Vec::new();
    for input in inputs {
        let nameless = |source: String| Subject { kind, source, object: ObjectRef::default() };
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
                    let source = format!("{}#{}", input.name, document.index);
                    push(&mut items, &document.value, source, kind, domain);
                }
            }
        }
    }
    items
}

fn push<'i>(items: &mut Vec<Item<'i>>, object: &'i Value, source: String, kind: SubjectKind, domain: &str) {
    let subject = Subject { kind, source, object: ObjectRef::of(object) };
    if !object.is_object() {
        let problem = "not an object: a Kubernetes manifest is a map with apiVersion and kind".to_owned();
        items.push(Item::Nothing { subject, reason: Reason::InputUnreadable { problem } });
        return;
    }
    let signed = common::manifest::Annotations::read(object, domain).message.is_some();
    match object.get("items").and_then(Value::as_array) {
        Some(list) if !signed && common::manifest::sign::is_list(object) => {
            if list.is_empty() {
                items.push(Item::Nothing { subject, reason: Reason::InputEmpty });
                return;
            }
            for (index, item) in list.iter().enumerate() {
                push(items, item, format!("{}.items[{index}]", subject.source), kind, domain);
            }
        }
        _ => items.push(Item::Object { subject, object }),
    }
}

/// Judges every item by one rule.
pub(crate) async fn by_rule(
    items: &[Item<'_>],
    origin: Origin,
    rule: &ManifestRule,
    sources: &dyn Sources,
    mut progress: Progress,
) -> Verdict {
    let known = Facts::default();
    let context = Context { sources, known: &known, now: now() };
    let mut decisions = Vec::with_capacity(items.len());
    for item in items {
        progress.step();
        decisions.push(match item {
            Item::Object { subject, object } => {
                let task = Task { subject: subject.clone(), facts: ReviewFacts::of(object), origin };
                evaluate::by_manifest_rule(&task, rule, None, context).await
            }
            Item::Nothing { subject, reason } => undecided(subject, reason),
        });
    }
    Verdict { decisions }
}

/// A decision about something that could not be read.
pub(crate) fn undecided(subject: &Subject, reason: &Reason) -> Decision {
    Decision {
        subject: subject.clone(),
        by: None,
        check: Check::leaf("input", Outcome::Fault, reason.clone()),
        signers: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The time of the judgement, read once a command.
#[expect(clippy::disallowed_methods, reason = "the one place where a command reads the clock")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Prints a verdict in the chosen format.
pub(crate) fn print(verdict: &Verdict, format: Format, printer: &mut Printer) {
    match format {
        Format::Text => text::verdict(printer, verdict),
        Format::Json => printer.json(&to_json(verdict)),
        Format::Yaml => printer.yaml(&to_json(verdict)),
    }
}
