//! `kubectl trust verify`: signed manifests in files.

use anyhow::bail;
use common::object::Origin;
use common::policy::DefaultFields;
use common::verdict::SubjectKind;

use super::judge::{self, Lists, Reading};
use crate::cli::{Format, VerifyArgs};
use crate::cluster::World;
use crate::exit::ExitStatus;
use crate::input;
use crate::output::{Printer, Progress};
use crate::trust;

/// Verifies every document of every file, whatever the others say.
pub(crate) fn run(args: &VerifyArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    super::refuse_images(&args.images)?;
    if args.files.files.is_empty() {
        bail!("what shall be verified? Give -f FILE");
    }
    let demands = trust::demands(&args.trust, &args.matching, DefaultFields::Signature)?;
    let files = input::expand(&args.files.files, args.files.recursive)?;
    let inputs = input::counted(&files);
    let lists = Lists::Signed(&args.matching.annotation_domain);
    let how = Reading { kind: SubjectKind::Manifest, origin: Origin::File, lists };
    let items = judge::items(&inputs, how);
    let world = World::new(args.cluster.clone(), demands.trust_root.clone());
    let progress = Progress::new("manifests verified", items.len());
    let verdict = world.block_on(judge::by_rule(&items, &demands.rule, &world, progress))?;
    judge::print(&verdict, args.output, printer);
    if args.output == Format::Text {
        demands.weakened.iter().for_each(|what| printer.note_line(what));
    }
    Ok(ExitStatus::of(verdict.outcome()))
}
