//! What can be done, as the terminal says it. What that is, `common` decides.

use common::limits;
use common::verdict::{Advice, Check, Decision, Lead, Outcome, Reason, Voice, must_stay_signed, printable};

use crate::output::Printer;

/// What can be done, a line each.
fn advice(decision: &Decision) -> Vec<String> {
    let voice = Voice::of(decision);
    let lines = Advice::of(decision).lines(voice);
    let would_pass = voice == Voice::Policy && decision.outcome() == Outcome::Fail;
    let line = |(lead, text): (Lead, String)| match (lead, would_pass) {
        (Lead::First, true) => format!("would pass: {text}"),
        (Lead::And, true) => format!("       and: {text}"),
        (Lead::Or, true) => format!("        or: {text}"),
        (Lead::First | Lead::Or, false) => sentence(&text),
        (Lead::And, false) => format!("and: {text}"),
    };
    let kept = kept(decision).filter(|_| !would_pass);
    kept.into_iter().chain(lines.into_iter().map(line)).collect()
}

/// `To sign this version: …`; a command begins as it is typed.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) if !text.starts_with("kubectl") => first.to_uppercase().chain(characters).collect(),
        _ => text.to_owned(),
    }
}

/// Prints what can be done.
pub(crate) fn advised(decision: &Decision, printer: &mut Printer) {
    for advice in advice(decision) {
        printer.line(format_args!("  {advice}"));
    }
}

/// The reason that says how the object differs, where one does.
pub(crate) fn difference(decision: &Decision) -> Option<&Reason> {
    let mut problems = decision.check.children.iter().chain([&decision.check]);
    let differs = |check: &&Check| matches!(check.reason, Reason::ManifestDiffers { .. });
    problems.find(|check| differs(check) && check.children.is_empty()).map(|check| &check.reason)
}

/// Why no flag is offered, where something differs that nobody should be told to ignore.
fn kept(decision: &Decision) -> Option<String> {
    let names = must_stay_signed(difference(decision)?, &decision.subject);
    (!names.is_empty()).then(|| format!("Must stay signed, so no rule for it is offered: {}", listed(&names)))
}

/// The names, up to the bound, and how many more there are.
fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(limits::LISTED).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(limits::LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
