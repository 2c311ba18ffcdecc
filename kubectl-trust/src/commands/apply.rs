//! `kubectl trust apply`: policies against resources.

use anyhow::bail;
use common::cache::Facts;
use common::evaluate::Context;
use common::object::{ObjectRef, Origin};
use common::policy::Policy;
use common::verdict::{Decision, Outcome, SubjectKind, Verdict, denial, shell_word};
use futures::stream::{self, StreamExt as _};

use super::judge::{self, AT_ONCE, Lists, Reading};
use super::verify_resource::live_items;
use crate::cli::{ApplyArgs, VerdictFormat};
use crate::clock;
use crate::cluster::World;
use crate::exit::ExitStatus;
use crate::manifests::Manifests;
use crate::output::{Printer, Progress};
use crate::policies;
use crate::report::Lines;
use crate::runtime;
use crate::testing::user;
use crate::testing::values::ValuesFile;
use crate::trust_root::{self, Trusted};
use crate::warnings::Warnings;
use crate::{images, policy_report, text};

/// Judges every resource by every policy and prints what is not a pass, then the numbers.
pub(crate) fn run(args: &ApplyArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    if args.resources.is_empty() && !args.cluster {
        bail!("apply to what? Give -r FILE or --cluster");
    }
    let mut warnings = Warnings::default();
    let mut set = policies::read(&args.policies, &mut warnings)?;
    policies::add_exceptions(&mut set, &args.exceptions, &mut warnings)?;
    warnings.say(printer);
    let mut values = match &args.values_file {
        Some(path) => ValuesFile::read(path)?,
        None => ValuesFile::default(),
    };
    values.set(&args.set);
    let user = args.userinfo.as_deref().map(user::read).transpose()?;
    let read = Manifests::of(&args.resources, true)?;
    read.say(printer);
    let trusted = trust_root::whole(args.trusted_root.as_deref(), &args.tuf, args.offline)?;
    let world =
        World::new(args.kube.clone(), trusted.root.clone()).with_images(images::registries(&args.registry)?);
    let live = if args.cluster { runtime::block_on(world.matched(&set.policies))?? } else { Vec::new() };
    let decisions = runtime::block_on(async {
        let known = Facts::default();
        let context = Context { sources: &world, known: &known, now: clock::now() };
        let origin = if args.live { Origin::Live } else { Origin::File };
        let how = Reading { kind: SubjectKind::Manifest, origin, lists: Lists::Items };
        let mut items = judge::items(&read.inputs, how);
        items.extend(live_items(&live));
        judge::namespaces(&items, &mut values);
        let labels = world.namespace_labels(&live).await;
        for (name, labels) in labels {
            values.add_namespace(&name, labels);
        }
        let request = judge::Request { operation: None, user: user.as_ref(), values: &values };
        let mut progress = Progress::new("resources judged", items.len());
        let mut judged = stream::iter(&items)
            .map(|item| judge::by_policies(item, &set, &request, context))
            .buffered(AT_ONCE);
        let mut decisions = Vec::new();
        while let Some(of_one) = judged.next().await {
            progress.step();
            if args.output.format == VerdictFormat::Text && !args.policy_report {
                resource(&of_one.iter().collect::<Vec<_>>(), args, printer);
                printer.show();
            }
            decisions.extend(of_one);
        }
        decisions
    })?;
    let numbers = Numbers::of(&decisions, &set.policies, args.audit_warn);
    let lines = Lines::of(&read.inputs);
    show(args, &decisions, &set.policies, numbers, (&lines, &trusted), printer);
    trusted.say(args.output.format == VerdictFormat::Text && !args.output.quiet, printer);
    if let Some(nothing) = numbers.nothing().filter(|_| !args.output.quiet) {
        printer.note_line(nothing);
    }
    Ok(policies::at_best(&set, numbers.status(args.warn_exit_code)))
}

/// What is shown when everything was judged; resources themselves stand there already.
fn show(
    args: &ApplyArgs,
    decisions: &[Decision],
    policies: &[Policy],
    numbers: Numbers,
    (lines, trusted): (&Lines, &Trusted),
    printer: &mut Printer,
) {
    let verdict = || Verdict { decisions: decisions.to_vec() };
    if args.policy_report {
        // Reports are about objects that a policy judged.
        let judged: Vec<_> = decisions.iter().filter(|decision| decision.by.is_some()).cloned().collect();
        let report = policy_report::report(&judged, policies);
        match args.output.format {
            VerdictFormat::Json => printer.json(&report),
            VerdictFormat::Text
            | VerdictFormat::Yaml
            | VerdictFormat::Junit
            | VerdictFormat::Sarif
            | VerdictFormat::Name => printer.yaml(&report),
        }
        return;
    }
    match args.output.format {
        VerdictFormat::Text if args.output.quiet => {}
        VerdictFormat::Text => printer.line(numbers.line()),
        VerdictFormat::Json
        | VerdictFormat::Yaml
        | VerdictFormat::Junit
        | VerdictFormat::Sarif
        | VerdictFormat::Name => judge::print(&verdict(), lines, trusted, &args.output, printer),
    }
}

/// What one resource's rules say: the refusal that a cluster would give, then what only warns or is not
/// ours to judge, and the rest if it is asked for.
fn resource(decisions: &[&Decision], args: &ApplyArgs, printer: &mut Printer) {
    let Some(first) = decisions.first() else { return };
    if first.by.is_none() {
        let (name, code) = (text::nameless(&first.subject.source), first.headline().code());
        printer.marked(0, first.outcome(), format_args!("{name}: {}  [{code}]", text::said(first)));
        return;
    }
    let enforced = |decision: &&&Decision| decision.by.as_ref().is_some_and(|by| by.enforced);
    let refusing: Vec<_> = decisions
        .iter()
        .filter(enforced)
        .filter(|decision| matches!(decision.outcome(), Outcome::Fail | Outcome::Fault))
        .copied()
        .collect();
    let explain = explain(first, args);
    let text = denial(&first.subject.object, refusing.iter().copied(), Some(&explain));
    text.iter().flat_map(|text| text.lines()).for_each(|text| printer.line(text));
    let rest =
        decisions.iter().filter(|decision| !refusing.iter().any(|known| std::ptr::eq(*known, **decision)));
    rest.for_each(|decision| line(decision, args.detailed_results, printer));
    if text.is_some() {
        printer.line("");
    }
}

/// The command that shows the whole tree of a resource.
fn explain(decision: &Decision, args: &ApplyArgs) -> String {
    let source = &decision.subject.source;
    let object = &decision.subject.object;
    let mut command = match source.rsplit_once('#') {
        Some((file, _)) => format!("kubectl trust explain -f {}", shell_word(file)),
        None => format!("kubectl trust explain {} -n {}", shell_word(source), shell_word(&object.namespace)),
    };
    for policy in &args.policies {
        command.push_str(&format!(" --policy {}", shell_word(&policy.display().to_string())));
    }
    for folder in &args.registry.recordings {
        command.push_str(&format!(" --images {}", shell_word(&folder.display().to_string())));
    }
    if let Some(root) = &args.trusted_root {
        command.push_str(&format!(" --trusted-root {}", shell_word(&root.display().to_string())));
    }
    command.push_str(&tuf_flags(args));
    command
}

/// The same trust root for another command.
fn tuf_flags(args: &ApplyArgs) -> String {
    let tuf = &args.tuf;
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let values = [
        ("--tuf-mirror", tuf.tuf_mirror.clone()),
        ("--tuf-root", path(&tuf.tuf_root)),
        ("--tuf-cache", path(&tuf.tuf_cache)),
        ("--tuf-ca", path(&tuf.tuf_ca)),
    ];
    let mut flags = String::new();
    if tuf.tuf {
        flags.push_str(" --tuf");
    }
    for (flag, value) in values {
        flags.extend(value.map(|value| format!(" {flag} {}", shell_word(&value))));
    }
    for (given, flag) in
        [(args.offline, " --offline"), (tuf.insecure_ignore_tuf_expiry, " --insecure-ignore-tuf-expiry")]
    {
        flags.push_str(if given { flag } else { "" });
    }
    flags
}

/// Skips say something only about rules that are not ours to judge, unless all is asked for.
fn line(decision: &Decision, detailed: bool, printer: &mut Printer) {
    let Some(by) = &decision.by else { return };
    let not_handled = decision.headline().is_not_handled();
    let quiet = match decision.outcome() {
        // A pass with a warning is one that somebody should look at.
        Outcome::Pass => decision.warnings.is_empty(),
        Outcome::Skip => !not_handled,
        Outcome::Fail | Outcome::Fault => false,
    };
    if quiet && !detailed {
        return;
    }
    let audit = if by.enforced || decision.outcome() != Outcome::Fail { "" } else { " (audit)" };
    let ObjectRef { kind, namespace, name, .. } = &decision.subject.object;
    let (policy, rule) = (&by.policy, &by.rule);
    let text = format_args!("policy {policy}.{rule}{audit} -> {kind}/{namespace}/{name}").to_string();
    printer.marked(0, decision.outcome(), text);
    let (said, code) = (text::said(decision), decision.headline().code());
    printer.line(format_args!("    {said}  [{code}]"));
    decision.warnings.iter().for_each(|warning| printer.line(format_args!("    warning: {warning}")));
}

/// How many decisions ended how, in the words of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers {
    pass: usize,
    fail: usize,
    warn: usize,
    error: usize,
    skip: usize,
    /// Of the skipped ones, those that are not ours to judge.
    not_handled: usize,
    /// Of the skipped ones, those that their policy or an exception wants skipped.
    wanted: usize,
}

impl Numbers {
    fn of(decisions: &[Decision], policies: &[Policy], audit_warn: bool) -> Self {
        let mut numbers = Self::default();
        for decision in decisions.iter().filter(|decision| text::applies(decision)) {
            let warns = decision.by.as_ref().is_some_and(|by| {
                let policy = policies.iter().find(|policy| policy.id.to_string() == *by.policy);
                policy.is_some_and(|policy| !policy.scored) || (audit_warn && !by.enforced)
            });
            match decision.outcome() {
                Outcome::Pass => numbers.pass += 1,
                Outcome::Fail if warns => numbers.warn += 1,
                Outcome::Fail => numbers.fail += 1,
                Outcome::Fault => numbers.error += 1,
                Outcome::Skip => numbers.skip += 1,
            }
            numbers.not_handled += usize::from(decision.headline().is_not_handled());
            numbers.wanted +=
                usize::from(decision.outcome() == Outcome::Skip && decision.headline().is_wanted_skip());
        }
        numbers
    }

    /// What was not verified, where that has to be known.
    fn nothing(self) -> Option<String> {
        match self {
            Self { pass: 0, fail: 0, warn: 0, error: 0, skip: 0, .. } => {
                Some("nothing was verified: no rule is about these resources".to_owned())
            }
            Self { not_handled: count @ 1.., .. } => {
                let s = if count == 1 { " was" } else { "s were" };
                Some(format!(
                    "{count} rule{s} not handled by kubectl trust: what is demanded there was not checked"
                ))
            }
            Self { pass: 0, fail: 0, warn: 0, error: 0, wanted: 1.., .. } => {
                let why = "the policies and their exceptions skip every rule themselves";
                Some(format!("nothing was verified: {why} (--detailed-results says why)"))
            }
            Self { pass: 0, fail: 0, warn: 0, error: 0, .. } => {
                Some("nothing was verified: every rule was skipped (--detailed-results says why)".to_owned())
            }
            Self { .. } => None,
        }
    }

    fn line(self) -> String {
        let Self { pass, fail, warn, error, skip, .. } = self;
        format!("pass: {pass}, fail: {fail}, warn: {warn}, error: {error}, skip: {skip}")
    }

    fn status(self, warned: u8) -> ExitStatus {
        match self {
            Self { fail: 1.., .. } => ExitStatus::Refused,
            Self { error: 1.., .. }
            | Self { not_handled: 1.., .. }
            | Self { pass: 0, warn: 0, wanted: 0, .. } => ExitStatus::Undecided,
            Self { warn: 1.., .. } => ExitStatus::Warned(warned),
            Self { .. } => ExitStatus::Trusted,
        }
    }
}
