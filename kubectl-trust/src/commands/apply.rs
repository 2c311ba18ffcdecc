//! `kubectl trust apply`: policies against resources.

use anyhow::bail;
use common::cache::Facts;
use common::evaluate::Context;
use common::manifest::DEFAULT_DOMAIN;
use common::object::ObjectRef;
use common::policy::{Operation, Policy};
use common::verdict::{Decision, Outcome, SubjectKind, Verdict, to_json};

use super::judge;
use super::verify_resource::live_items;
use crate::cli::{ApplyArgs, Format};
use crate::cluster::World;
use crate::exit::ExitStatus;
use crate::input;
use crate::output::Printer;
use crate::policies::PolicySet;
use crate::policy_report;
use crate::testing::run::{Asked, judge_item};
use crate::testing::values::{self, ValuesFile};

/// Judges every resource by every policy and prints what is not a pass, then the numbers.
pub(crate) fn run(args: &ApplyArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    if args.resources.is_empty() && !args.cluster {
        bail!("apply to what? Give -r FILE or --cluster");
    }
    let mut set = PolicySet::read(&input::expand(&args.policies, true)?)?;
    let exceptions = PolicySet::read(&input::expand(&args.exceptions, true)?)?;
    set.exceptions.extend(exceptions.exceptions);
    set.warnings.iter().for_each(|warning| printer.note_line(format_args!("warning: {warning}")));
    let mut values = match &args.values_file {
        Some(path) => ValuesFile::read(path)?,
        None => ValuesFile::default(),
    };
    values.set(&args.set);
    let user = args.userinfo.as_deref().map(values::user).transpose()?;
    let inputs = input::documents(&input::expand(&args.resources, true)?);
    let world = World::new(args.kube.clone(), None);
    let live = if args.cluster { world.block_on(world.matched(&set.policies))?? } else { Vec::new() };
    let asked = Asked { operation: Operation::Create, user: user.as_ref(), values: &values };
    let decisions = world.block_on(async {
        let known = Facts::default();
        let context = Context { sources: &world, known: &known, now: judge::now() };
        let mut items = judge::items(&inputs, SubjectKind::Manifest, DEFAULT_DOMAIN);
        items.extend(live_items(&live));
        let mut decisions = Vec::new();
        for item in &items {
            decisions.extend(judge_item(item, &set, &asked, context).await?);
        }
        anyhow::Ok(decisions)
    })??;
    let numbers = Numbers::of(&decisions, &set.policies, args.audit_warn);
    show(args, &decisions, &set.policies, numbers, printer);
    Ok(numbers.status())
}

fn show(
    args: &ApplyArgs,
    decisions: &[Decision],
    policies: &[Policy],
    numbers: Numbers,
    printer: &mut Printer,
) {
    let verdict = || Verdict { decisions: decisions.to_vec() };
    if args.policy_report {
        let report = policy_report::report(decisions, policies);
        match args.output {
            Format::Text | Format::Yaml => printer.yaml(&report),
            Format::Json => printer.json(&report),
        }
        return;
    }
    match args.output {
        Format::Json => printer.json(&to_json(&verdict())),
        Format::Yaml => printer.yaml(&to_json(&verdict())),
        Format::Text => {
            for decision in decisions {
                line(decision, args.detailed_results, printer);
            }
            printer.line(numbers.line());
        }
    }
}

/// Skips say something only about rules that are not ours to judge, unless all is asked for.
fn line(decision: &Decision, detailed: bool, printer: &mut Printer) {
    let Some(by) = &decision.by else { return };
    let not_handled = decision.headline().code() == "not-handled";
    let quiet = match decision.outcome() {
        Outcome::Pass => true,
        Outcome::Skip => !not_handled,
        Outcome::Fail | Outcome::Fault => false,
    };
    if quiet && !detailed {
        return;
    }
    let mark = printer.mark(decision.outcome());
    let audit = if by.enforced || decision.outcome() != Outcome::Fail { "" } else { " (audit)" };
    let ObjectRef { kind, namespace, name, .. } = &decision.subject.object;
    printer.line(format_args!("{mark} policy {}.{}{audit} -> {kind}/{namespace}/{name}", by.policy, by.rule));
    printer.line(format_args!("    {}  [{}]", decision.headline(), decision.headline().code()));
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
}

impl Numbers {
    fn of(decisions: &[Decision], policies: &[Policy], audit_warn: bool) -> Self {
        let mut numbers = Self::default();
        for decision in decisions {
            let warns = decision.by.as_ref().is_some_and(|by| {
                let policy = policies.iter().find(|policy| policy.id.to_string() == by.policy);
                policy.is_some_and(|policy| !policy.scored) || (audit_warn && !by.enforced)
            });
            match decision.outcome() {
                Outcome::Pass => numbers.pass += 1,
                Outcome::Fail if warns => numbers.warn += 1,
                Outcome::Fail => numbers.fail += 1,
                Outcome::Fault => numbers.error += 1,
                Outcome::Skip => numbers.skip += 1,
            }
        }
        numbers
    }

    fn line(self) -> String {
        let Self { pass, fail, warn, error, skip } = self;
        format!("\npass: {pass}, fail: {fail}, warn: {warn}, error: {error}, skip: {skip}")
    }

    fn status(self) -> ExitStatus {
        match self {
            Self { fail: 1.., .. } => ExitStatus::Refused,
            Self { error: 1.., .. } | Self { pass: 0, warn: 0, .. } => ExitStatus::Undecided,
            Self { .. } => ExitStatus::Trusted,
        }
    }
}
