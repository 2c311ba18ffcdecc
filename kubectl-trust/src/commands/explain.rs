//! `kubectl trust explain`: the whole tree of checks, with the nearest miss and what would pass.

use anyhow::bail;
use common::object::Origin;
use common::policy::DefaultFields;
use common::verdict::{SubjectKind, Verdict, to_json};

use super::judge;
use super::verify_resource::live_items;
use crate::cli::{ExplainArgs, Format};
use crate::cluster::World;
use crate::exit::ExitStatus;
use crate::input;
use crate::output::Printer;
use crate::{text, trust};

/// Explains objects by policies, or by the trust flags.
pub(crate) fn run(args: &ExplainArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    if args.files.files.is_empty() && args.resources.is_empty() {
        bail!("what shall be explained? Give KIND/NAME, -f FILE or --test PATH");
    }
    let domain = &args.matching.annotation_domain;
    let files = input::expand(&args.files.files, args.files.recursive)?;
    let inputs = input::documents(&files);
    let world = World::new(args.cluster.clone(), trust::trust_root(&args.trust)?);
    let live = match args.resources.as_slice() {
        [] => Vec::new(),
        named => world.block_on(world.objects(named, domain))??,
    };
    let from_files = if args.live { Origin::Live } else { Origin::File };
    let demands = trust::demands(&args.trust, &args.matching, DefaultFields::Library)?;
    let verdict = world.block_on(async {
        let items = judge::items(&inputs, SubjectKind::Manifest, domain);
        let mut verdict = judge::by_rule(&items, from_files, &demands.rule, &world).await;
        let live = judge::by_rule(&live_items(&live), Origin::Live, &demands.rule, &world).await;
        verdict.decisions.extend(live.decisions);
        verdict
    })?;
    show(&verdict, args.output, printer);
    Ok(ExitStatus::of(verdict.outcome()))
}

/// Prints the trees of a verdict.
pub(crate) fn show(verdict: &Verdict, format: Format, printer: &mut Printer) {
    match format {
        Format::Text => text::trees(printer, verdict),
        Format::Json => printer.json(&to_json(verdict)),
        Format::Yaml => printer.yaml(&to_json(verdict)),
    }
}
