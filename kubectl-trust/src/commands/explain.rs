//! `kubectl trust explain`: the whole tree of checks, with the nearest miss and what would pass.

mod images;

use std::path::Path;

use anyhow::{Context as _, bail};
use common::cache::Facts;
use common::evaluate::Context;
use common::object::Origin;
use common::policy::DefaultFields;
use common::verdict::{SubjectKind, Verdict, to_json};
use futures::stream::{self, StreamExt as _};

use super::judge::{self, Item, Lists, Reading};
use super::unmatched;
use super::verify;
use super::verify_resource::live_items;
use crate::cli::{ExplainArgs, Format};
use crate::clock;
use crate::cluster::{Live, World};
use crate::exit::ExitStatus;
use crate::manifests::Manifests;
use crate::output::{Printer, Progress};
use crate::policies;
use crate::runtime;
use crate::testing::values::ValuesFile;
use crate::trust_root::{self, Trusted};
use crate::warnings::Warnings;
use crate::{images as recorded, text, trust};

/// Explains objects by policies, or by the trust flags.
pub(crate) fn run(args: &ExplainArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    if let Some(path) = &args.test {
        return tests(path, args, printer);
    }
    if args.files.is_empty() && args.resources.is_empty() {
        bail!("what shall be explained? Give KIND/NAME, image IMAGE, -f FILE or --test PATH");
    }
    if args.trust.names_a_signer() && !args.policies.is_empty() {
        bail!("--policy says whom to trust, and so do --key and --certificate-identity; give one of them");
    }
    let domain = &args.matching.annotation_domain;
    let read = Manifests::read(&args.files)?;
    read.say(printer);
    let trusted = trust_root::of(&args.trust)?;
    let world = World::new(args.cluster.clone(), trusted.root.clone())
        .with_images(recorded::registries(&args.registry)?);
    let named = images::named(args);
    verify::images::names(named)?;
    let pods = images::pods(named, args.cluster.namespace.as_deref());
    let live = match args.resources.as_slice() {
        [] => Vec::new(),
        _ if !named.is_empty() => Vec::new(),
        named => runtime::block_on(world.objects(named, domain))??,
    };
    let by_rule = args.trust.names_a_signer();
    let origin = if args.live { Origin::Live } else { Origin::File };
    let lists = if by_rule { Lists::Signed(domain) } else { Lists::Items };
    let mut items = judge::items(&read.inputs, Reading { kind: SubjectKind::Manifest, origin, lists });
    items.extend(live_items(&live));
    unmatched::say(&args.matching, &items, printer)?;
    if !by_rule {
        items.extend(images::items(named, &pods));
        return by_policies(args, (&items, &live), &world, &trusted, printer);
    }
    let demands = trust::demands(&args.trust, &args.matching, DefaultFields::Library)?;
    let mut verdict = runtime::block_on(judge::by_rule(&items, &demands.rule, &world, Progress::none()))?;
    if !named.is_empty() {
        verdict.decisions.extend(images::by_flags(named, args, &world)?.decisions);
    }
    show(&verdict, &trusted, args.output, printer);
    Ok(ExitStatus::of(verdict.outcome()))
}

/// Explains objects by the policies that are given, else by those of the cluster.
fn by_policies(
    args: &ExplainArgs,
    (items, live): (&[Item<'_>], &[Live]),
    world: &World,
    trusted: &Trusted,
    printer: &mut Printer,
) -> anyhow::Result<ExitStatus> {
    let mut warnings = Warnings::default();
    let mut set = match args.policies.as_slice() {
        [] => runtime::block_on(world.policies())?.context(
            "no --policy and no --key or identity is given, and the cluster's policies cannot be read",
        )?,
        files => policies::read(files, &mut warnings)?,
    };
    warnings.extend(std::mem::take(&mut set.warnings));
    warnings.say(printer);
    trust::widen(&mut set.policies, &args.matching)?;
    let mut values = ValuesFile::default();
    let labels = runtime::block_on(world.namespace_labels(live))?;
    for (name, labels) in labels {
        values.add_namespace(&name, labels);
    }
    let request = judge::Request { operation: None, user: None, values: &values };
    let verdict = runtime::block_on(async {
        let known = Facts::default();
        let context = Context { sources: world, known: &known, now: clock::now() };
        let judged = stream::iter(items)
            .map(|item| judge::by_policies(item, &set, &request, context))
            .buffered(judge::AT_ONCE);
        let decisions: Vec<_> = judged.collect().await;
        Verdict { decisions: decisions.into_iter().flatten().collect() }
    })?;
    show(&verdict, trusted, args.output, printer);
    Ok(policies::at_best(&set, ExitStatus::of_decisions(&verdict.decisions)))
}

/// Explains the cases of a test file; positional arguments choose some, as `test -t` does.
fn tests(path: &Path, args: &ExplainArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let selector = args.resources.first().map(String::as_str);
    let decisions = super::test::decisions(path, selector)?;
    if decisions.is_empty() {
        bail!("{}: no such test case", path.display());
    }
    let verdict = Verdict { decisions };
    show(&verdict, &Trusted::default(), args.output, printer);
    Ok(ExitStatus::of(verdict.outcome()))
}

/// Prints the trees of a verdict.
pub(crate) fn show(verdict: &Verdict, trusted: &Trusted, format: Format, printer: &mut Printer) {
    match format {
        Format::Text => text::trees(printer, verdict),
        Format::Json => printer.json(&trusted.with_verdict(to_json(verdict))),
        Format::Yaml => printer.yaml(&trusted.with_verdict(to_json(verdict))),
    }
    trusted.say(format == Format::Text, printer);
}
