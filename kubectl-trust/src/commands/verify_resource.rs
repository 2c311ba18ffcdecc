//! `kubectl trust verify-resource`: objects as a cluster holds them.

use anyhow::bail;
use common::object::{ObjectRef, Origin};
use common::policy::DefaultFields;
use common::verdict::{Subject, SubjectKind};

use super::judge::{self, Item, Lists, Reading};
use super::unmatched;
use crate::cli::{ResourceArgs, VerdictFormat};
use crate::cluster::{Live, World};
use crate::exit::ExitStatus;
use crate::manifests::Manifests;
use crate::output::{Printer, Progress};
use crate::report::Lines;
use crate::runtime;
use crate::{trust, trust_root};

/// Verifies live objects, or exported ones from files.
pub(crate) fn run(args: &ResourceArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    if args.files.is_empty() && args.resources.is_empty() {
        bail!("what shall be verified? Give KIND, KIND/NAME or -f FILE");
    }
    let demands = trust::demands(&args.trust, &args.matching, DefaultFields::Library)?;
    let trusted = trust_root::of(&args.trust)?;
    let domain = &args.matching.annotation_domain;
    let read = Manifests::read(&args.files)?;
    read.say(printer);
    let world = World::new(args.cluster.clone(), trusted.root.clone());
    let verdict = runtime::block_on(async {
        let live = match args.resources.as_slice() {
            [] => Vec::new(),
            named => world.objects(named, domain).await?,
        };
        // Exported objects; the command's name says that they lived in a cluster.
        let how = Reading { kind: SubjectKind::Resource, origin: Origin::Live, lists: Lists::Signed(domain) };
        let mut items = judge::items(&read.inputs, how);
        items.extend(live_items(&live));
        unmatched::say(&args.matching, &items, printer)?;
        let progress = Progress::new("objects verified", items.len());
        anyhow::Ok(judge::by_rule(&items, &demands.rule, &world, progress).await)
    })??;
    let lines = Lines::of(&read.inputs);
    judge::print(&verdict, &lines, &trusted, &args.output, printer);
    if args.output.format == VerdictFormat::Text {
        demands.weakened.iter().for_each(|what| printer.note_line(what));
    }
    Ok(ExitStatus::of(verdict.outcome()))
}

/// Live objects as items.
pub(crate) fn live_items(live: &[Live]) -> Vec<Item<'_>> {
    live.iter()
        .map(|live| {
            let object = &live.object;
            let subject = Subject {
                kind: SubjectKind::Resource,
                source: live.source.clone(),
                object: ObjectRef::of(object),
            };
            Item::Object { subject, object, origin: Origin::Live }
        })
        .collect()
}
