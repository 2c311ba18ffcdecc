//! Verdicts as people read them: the first line answers, then what differs, then what to do.

mod advice;

use common::limits;
use common::object::FieldChange;
use common::signer::short;
use common::verdict::{
    Check, DecidedBy, Decision, Outcome, Problem, Reason, SubjectKind, Verdict, readable, side,
};

pub(crate) use self::advice::{advised, difference};
use crate::output::Printer;

/// How many differences of one object are listed; the rest is counted.
const SHOWN: usize = 8;

/// The whole verdict: a block for each decision, then the sum.
pub(crate) fn verdict(printer: &mut Printer, verdict: &Verdict) {
    let width = verdict.decisions.iter().map(|decision| subject(decision).chars().count()).max().unwrap_or(0);
    for decision in &verdict.decisions {
        block(printer, decision, width.min(60));
    }
    printer.line(sum(verdict));
}

/// The blocks of what is refused or could not be decided.
pub(crate) fn refused(printer: &mut Printer, verdict: &Verdict) {
    let not_trusted = |decision: &&Decision| matches!(decision.outcome(), Outcome::Fail | Outcome::Fault);
    verdict.decisions.iter().filter(not_trusted).for_each(|decision| block(printer, decision, 0));
}

/// The same, a line each.
pub(crate) fn refused_lines(verdict: &Verdict) -> Vec<String> {
    let not_trusted = |decision: &&Decision| matches!(decision.outcome(), Outcome::Fail | Outcome::Fault);
    let line = |decision: &Decision| {
        let reason = decision.headline().itself();
        format!("{}  {}  [{}]", subject(decision), head(reason), reason.code())
    };
    verdict.decisions.iter().filter(not_trusted).map(line).collect()
}

/// `2 of 3 trusted, 1 refused`.
fn sum(verdict: &Verdict) -> String {
    let count = |outcome| verdict.count(outcome);
    let mut text = format!("{} of {} trusted", count(Outcome::Pass), verdict.decisions.len());
    for (outcome, word) in
        [(Outcome::Fail, "refused"), (Outcome::Fault, "could not be checked"), (Outcome::Skip, "skipped")]
    {
        if count(outcome) > 0 {
            text.push_str(&format!(", {} {word}", count(outcome)));
        }
    }
    text
}

/// `release.yaml: Deployment prod/web`.
pub(crate) fn subject(decision: &Decision) -> String {
    let source = &decision.subject.source;
    let file = source.rsplit_once('#').map_or(source.as_str(), |(file, _)| file);
    let object = &decision.subject.object;
    match (object.kind.as_str(), object.name.as_str()) {
        _ if decision.subject.kind == SubjectKind::Image => image(decision),
        ("", _) => nameless(source),
        (kind, "") => format!("{file}: {kind} without a name"),
        _ => format!("{file}: {object}"),
    }
}

/// `ghcr.io/acme/app:1 (sha256:9f1c2ab01f0a)`: the image as typed, and which manifest it was found to be.
fn image(decision: &Decision) -> String {
    let source = &decision.subject.source;
    let (Reason::ImageVerified { digest, .. } | Reason::ImageRefused { digest: Some(digest), .. }) =
        decision.headline()
    else {
        return source.clone();
    };
    if source.contains(digest.as_str()) {
        return source.clone();
    }
    format!("{source} ({})", short(digest).trim_end_matches('…'))
}

/// `a.yaml`, or `a.yaml: document 2`: people count from 1.
pub(crate) fn nameless(source: &str) -> String {
    let document = source.rsplit_once('#').and_then(|(file, rest)| {
        let (index, item) = rest.split_once('.').map_or((rest, ""), |(index, item)| (index, item));
        let item = if item.is_empty() { String::new() } else { format!(", {item}") };
        Some(format!("{file}: document {}{item}", index.parse::<usize>().ok()? + 1))
    });
    document.unwrap_or_else(|| source.to_owned())
}

fn block(printer: &mut Printer, decision: &Decision, width: usize) {
    let (outcome, subject) = (decision.outcome(), subject(decision));
    match outcome {
        Outcome::Pass => {
            printer.marked(0, outcome, format_args!("{subject:width$}  {}", good(decision)));
            if decision.subject.kind == SubjectKind::Image {
                decision.check.children.iter().for_each(|check| node(printer, check, 2, None));
            }
        }
        Outcome::Fail | Outcome::Fault | Outcome::Skip => {
            let reason = decision.headline().itself();
            printer.marked(0, outcome, format_args!("{subject}  {}  [{}]", head(reason), reason.code()));
            details(printer, decision);
        }
    }
    for warning in &decision.warnings {
        printer.line(format_args!("    warning: {warning}"));
    }
}

/// `signed by key sha256:…, unchanged`, or what is not: `as signed, except spec.replicas 2→5 (ignored)`.
pub(crate) fn good(decision: &Decision) -> String {
    let mut parts: Vec<_> = decision.signers.iter().map(|signer| format!("signed by {signer}")).collect();
    decision.check.walk(&mut |check| {
        if let Reason::ManifestMatches { ignored, except, allowed, .. } = &check.reason {
            // Without the server's own changes, which nobody has to know of what is good.
            let (ignored, except, allowed) = (*ignored, except.clone(), allowed.clone());
            let unchanged = ignored == 0 && allowed.is_empty();
            let said = Reason::ManifestMatches { ignored, except, effects: 0, allowed };
            parts.push(if unchanged { "unchanged".to_owned() } else { said.to_string() });
        }
    });
    parts.join(", ")
}

/// What a decision says in one line: a pass, what was ignored as well.
pub(crate) fn said(decision: &Decision) -> String {
    let is_signature =
        matches!(decision.headline(), Reason::SignatureValid { .. } | Reason::ThresholdMet { .. });
    if decision.outcome() == Outcome::Pass && is_signature {
        good(decision)
    } else {
        decision.headline().to_string()
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most reasons speak for themselves")]
fn head(reason: &Reason) -> String {
    match reason {
        Reason::ManifestDiffers { .. } => "differs from what was signed".to_owned(),
        Reason::IdentityMismatch { .. } => "signed, but by someone else".to_owned(),
        Reason::IssuerMismatch { .. } => "signed, but another issuer vouches for the signer".to_owned(),
        Reason::InputUnreadable { .. } | Reason::InputEmpty => reason.to_string(),
        other if other.is_fault() => format!("could not be checked: {other}"),
        other => other.to_string(),
    }
}

fn details(printer: &mut Printer, decision: &Decision) {
    let problems = decision.problems();
    if let Some(problem) = problems.first() {
        found(printer, problem, decision);
    }
    // Whatever else is wrong: a bad signature does not hide a difference, nor one image another.
    for problem in problems.iter().take(limits::LISTED).skip(1) {
        let reason = &problem.reason;
        printer.line(format_args!("  Also: {}  [{}]", shortened(&reason.to_string()), reason.code()));
        if let Reason::ManifestDiffers { changes, names, omitted, .. } = &**reason {
            differences(printer, 4, changes, names, *omitted);
        }
    }
    let more = problems.len().saturating_sub(limits::LISTED);
    if more > 0 {
        printer.line(format_args!("  Also: {more} more (all of them: -o json)"));
    }
    advised(decision, printer);
}

/// What was expected of the first problem, and what was found.
#[expect(clippy::wildcard_enum_match_arm, reason = "most reasons show expected and found")]
fn found(printer: &mut Printer, problem: &Problem<'_>, decision: &Decision) {
    match problem.reason.itself() {
        Reason::ManifestDiffers { changes, names, omitted, .. } => {
            differences(printer, 4, changes, names, *omitted);
            if let Some(signer) = decision.signers.first() {
                printer.line(format_args!("  The signature itself is good ({signer})."));
            }
        }
        Reason::IdentityMismatch { expected, found, issuer, issuer_expected } => {
            printer.line(format_args!("    expected: {expected}"));
            if let Some(expected) = issuer_expected {
                printer.line(format_args!("              issuer {expected}"));
            }
            printer.line(format_args!("    found:    {found}"));
            printer.line(format_args!("              issuer {issuer}"));
        }
        Reason::IssuerMismatch { expected, found, subject } => {
            printer.line(format_args!("    expected: issuer {expected}"));
            printer.line(format_args!("    found:    issuer {found}"));
            printer.line(format_args!("              subject {subject}"));
        }
        other => {
            let said = shortened(&other.to_string());
            for (label, text) in [("expected", other.expected()), ("found", other.found())] {
                // Not what the line above has said.
                let more = |text: &String| !said.contains(shortened(text).trim_start_matches("a signature "));
                if let Some(text) = text.filter(more) {
                    let text = shortened(&readable(&text));
                    printer.line(format_args!("    {:10}{text}", format!("{label}:")));
                }
            }
        }
    }
    if let Some(signers) = problem.signers.filter(|signers| signers.are_several()) {
        printer.line(format_args!("    signers:  {}", signers.names()));
    }
}

fn differences(
    printer: &mut Printer,
    indent: usize,
    changes: &[FieldChange],
    names: &[String],
    omitted: usize,
) {
    let indent = " ".repeat(indent);
    for (change, name) in changes.iter().zip(names).take(SHOWN) {
        printer.line(format_args!("{indent}{name}"));
        printer.line(format_args!("{indent}  signed: {}", side(change.signed.as_ref())));
        printer.line(format_args!("{indent}  found:  {}", side(change.found.as_ref())));
    }
    let rest = changes.len().saturating_sub(SHOWN) + omitted;
    if rest > 0 {
        printer.line(format_args!("{indent}… and {rest} more (all of them: -o json)"));
    }
}

/// Digests are shortened for people; JSON has them whole.
fn shortened(text: &str) -> String {
    short(text)
}

/// Every decision with its whole tree, object by object.
pub(crate) fn trees(printer: &mut Printer, verdict: &Verdict) {
    let mut objects: Vec<(String, Vec<&Decision>)> = Vec::new();
    for decision in verdict.decisions.iter().filter(|decision| !is_other_form(decision)) {
        let name = subject(decision);
        match objects.iter_mut().find(|(known, _)| *known == name) {
            Some((_, of)) => of.push(decision),
            None => objects.push((name, vec![decision])),
        }
    }
    for (name, decisions) in objects {
        printer.line(summary(&name, &decisions));
        for decision in decisions {
            tree(printer, decision);
        }
    }
}

/// A rule that was generated for another kind; the rule it was generated from speaks for it.
fn is_other_form(decision: &Decision) -> bool {
    let generated = decision.by.as_ref().is_some_and(|by| by.rule.starts_with("autogen-"));
    generated && !applies(decision)
}

/// Whether the rule is about the object at all; one that is not is no result.
pub(crate) fn applies(decision: &Decision) -> bool {
    !matches!(decision.headline(), Reason::NotMatched { .. })
}

/// `release.yaml: Pod default/app: refused by 1 of 3 rules`.
fn summary(name: &str, of: &[&Decision]) -> String {
    let count = |outcome| of.iter().filter(|decision| decision.outcome() == outcome).count();
    let by_policies = of.iter().any(|decision| decision.by.is_some());
    let enforced = |decision: &&&Decision| decision.by.as_ref().is_none_or(|by| by.enforced);
    let failed = |decision: &&&Decision| decision.outcome() == Outcome::Fail;
    let refusing = of.iter().filter(failed).filter(enforced).count();
    let rules = if of.len() == 1 { "rule" } else { "rules" };
    match Outcome::worst(of.iter().map(|decision| decision.outcome())) {
        Outcome::Pass if !by_policies => format!("{name}: trusted"),
        Outcome::Fail if !by_policies => format!("{name}: refused"),
        Outcome::Pass => format!("{name}: passes {} of {} {rules}", count(Outcome::Pass), of.len()),
        Outcome::Fail if refusing > 0 => format!("{name}: refused by {refusing} of {} {rules}", of.len()),
        Outcome::Fail => {
            format!("{name}: fails {} of {} {rules}, refused by none (audit)", count(Outcome::Fail), of.len())
        }
        Outcome::Fault => format!("{name}: could not be checked"),
        Outcome::Skip => format!("{name}: no rule applies"),
    }
}

/// The rule and what it rests on; a check without parts is said with its rule, in one line.
fn tree(printer: &mut Printer, decision: &Decision) {
    let (check, outcome) = (&decision.check, decision.outcome());
    let nearest = nearest_miss(check);
    let (reason, code) = (decision.headline(), decision.headline().code());
    match &decision.by {
        Some(DecidedBy { policy, rule, enforced }) => {
            let audit = if *enforced || outcome != Outcome::Fail { "" } else { " (audit)" };
            let said = if check.children.is_empty() { format!("  {reason}") } else { String::new() };
            printer.marked(0, outcome, format_args!("{policy}/{rule}{audit}{said}  [{code}]"));
        }
        None if check.children.is_empty() => node(printer, check, 1, nearest),
        None => {}
    }
    check.children.iter().for_each(|child| node(printer, child, 1, nearest));
    for warning in &decision.warnings {
        printer.line(format_args!("  warning: {warning}"));
    }
    if matches!(outcome, Outcome::Fail | Outcome::Fault) {
        advised(decision, printer);
    }
}

/// The failing leaf that explains most, when there are several to choose from.
fn nearest_miss(root: &Check) -> Option<&Check> {
    let mut leaves = Vec::new();
    root.walk(&mut |check| {
        if check.children.is_empty() && check.outcome == Outcome::Fail {
            leaves.push(check);
        }
    });
    // The one that the headline speaks of, so that there is one story.
    let rank = |check: &&Check| (check.reason.rank(), check.reason == root.reason);
    (leaves.len() > 1).then(|| leaves.into_iter().max_by_key(rank)).flatten()
}

fn node(printer: &mut Printer, check: &Check, depth: usize, nearest: Option<&Check>) {
    let what = shortened(&check.what);
    // Where a policy demands it; a flag is on the command line for all to see.
    let path = check
        .path
        .as_ref()
        .map(ToString::to_string)
        .filter(|path| !path.is_empty() && !path.starts_with("--"));
    let path = path.map(|path| format!("  ({path})")).unwrap_or_default();
    let miss = nearest.is_some_and(|nearest| std::ptr::eq(nearest, check));
    let miss = if miss { "  ← nearest miss" } else { "" };
    let reason = reason(check, &what);
    printer.marked(2 * depth, check.outcome, format_args!("{what}{reason}{path}{miss}"));
    if let Reason::ManifestDiffers { changes, names, omitted, .. } = &check.reason
        && check.children.is_empty()
    {
        differences(printer, 2 * depth + 4, changes, names, *omitted);
    }
    if let (Reason::ImageUnsigned { .. } | Reason::AttestationMissing { .. }, []) =
        (check.reason.itself(), check.children.as_slice())
    {
        sought(printer, 2 * depth + 4, &check.reason);
    }
    for child in &check.children {
        node(printer, child, depth + 1, nearest);
    }
}

/// Where nothing was, and what was there instead.
fn sought(printer: &mut Printer, indent: usize, reason: &Reason) {
    for (what, value) in [("looked for", reason.expected()), ("found", reason.found())] {
        if let Some(value) = value {
            printer.line(format_args!("{:indent$}{what}: {}", "", shortened(&value)));
        }
    }
}

/// What a node says for itself; what a child says below is not said twice, nor is a name.
fn reason(check: &Check, what: &str) -> String {
    if check.children.iter().any(|child| child.reason == *check.reason.itself()) {
        return String::new();
    }
    // The image is what the node is called.
    if let Reason::ImageVerified { digest, .. } = &check.reason {
        return format!("  {}  [{}]", short(digest), check.reason.code());
    }
    let (text, code) = (check.reason.itself().to_string(), check.reason.code());
    if let Some(rest) = text.strip_prefix(&format!("signed by {what}")) {
        return format!("  signed it{rest}  [{code}]");
    }
    match text.strip_prefix(&format!("no signature by {what}: ")) {
        Some(rest) => format!("  did not sign it: {rest}  [{code}]"),
        None => format!("  {text}  [{code}]"),
    }
}
