//! `kubectl trust diff`: what was signed against what is there.

use std::sync::Arc;

use anyhow::bail;
use common::cache::Facts;
use common::evaluate::{self, Context, Task};
use common::manifest::diff::Comparison;
use common::object::{FieldChange, FieldPath, ObjectRef, Origin, Segment};
use common::policy::{DefaultFields, ReviewFacts};
use common::verdict::{Decision, Outcome, Reason, SubjectKind, Verdict, injected_namespace, to_json};
use common::{manifest, yaml};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::judge::{self, Item, Lists, Reading};
use super::unmatched;
use super::verify_resource::live_items;
use crate::cli::{DiffArgs, Format};
use crate::clock;
use crate::cluster::World;
use crate::exit::ExitStatus;
use crate::manifests::Manifests;
use crate::output::Printer;
use crate::runtime;
use crate::text;
use crate::trust::{self, Demands};
use crate::trust_root;

/// One object, judged and compared.
struct Compared<'i> {
    decision: Decision,
    object: Option<&'i Value>,
    with: Option<(Value, Comparison)>,
}

impl Compared<'_> {
    /// How many fields differ; none where there was nothing to compare.
    fn differences(&self) -> usize {
        self.with.as_ref().map_or(0, |(_, comparison)| comparison.differences.len() + comparison.omitted)
    }

    /// Whether the signature is good and nothing differs.
    fn is_as_signed(&self) -> bool {
        self.decision.outcome() == Outcome::Pass && self.differences() == 0
    }
}

/// Shows every object that is not as it was signed. The signature is judged as well, and said first.
pub(crate) fn run(args: &DiffArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    if args.files.is_empty() && args.resources.is_empty() {
        bail!("what shall be compared? Give KIND/NAME or -f FILE");
    }
    let demands = trust::demands(&args.trust, &args.matching, DefaultFields::Library)?;
    let trusted = trust_root::of(&args.trust)?;
    let domain = &args.matching.annotation_domain;
    let read = Manifests::read(&args.files)?;
    read.say(printer);
    let world = World::new(args.cluster.clone(), trusted.root.clone());
    let live = match args.resources.as_slice() {
        [] => Vec::new(),
        named => runtime::block_on(world.objects(named, domain))??,
    };
    let origin = if args.live { Origin::Live } else { Origin::File };
    let how = Reading { kind: SubjectKind::Manifest, origin, lists: Lists::Signed(domain) };
    let mut items = judge::items(&read.inputs, how);
    items.extend(live_items(&live));
    unmatched::say(&args.matching, &items, printer)?;
    let all = runtime::block_on(compare(&items, &demands, &world))?;
    let verdict = Verdict { decisions: all.iter().map(|one| one.decision.clone()).collect() };
    match args.output {
        Format::Text => show_all(&all, args, printer),
        Format::Json => printer.json(&trusted.with_verdict(to_json(&verdict))),
        Format::Yaml => printer.yaml(&trusted.with_verdict(to_json(&verdict))),
    }
    trusted.say(args.output == Format::Text, printer);
    Ok(ExitStatus::of(verdict.outcome()))
}

async fn compare<'i>(items: &[Item<'i>], demands: &Demands, world: &World) -> Vec<Compared<'i>> {
    let known = Facts::default();
    let context = Context { sources: world, known: &known, now: clock::now() };
    let mut all = Vec::new();
    for item in items {
        all.push(match item {
            Item::Object { subject, object, origin } => {
                let task = Task {
                    subject: Arc::new(subject.clone()),
                    facts: ReviewFacts::of(object),
                    origin: *origin,
                };
                let (decision, with) = evaluate::compared(&task, &demands.rule, None, context).await;
                Compared { decision, object: Some(object), with }
            }
            Item::Nothing { subject, reason } => {
                Compared { decision: judge::undecided(subject, reason), object: None, with: None }
            }
        });
    }
    all
}

/// Of an object that is as it was signed there is nothing to show, but what was left out where that is asked for; then
/// the sum. One object that is shown is its own sum.
fn show_all(all: &[Compared<'_>], args: &DiffArgs, printer: &mut Printer) {
    let shown: Vec<_> = all.iter().filter(|one| args.all || !one.is_as_signed()).collect();
    for one in &shown {
        show(one, args, printer);
    }
    if shown.is_empty() || all.len() > 1 {
        printer.line(sum(all));
    }
}

/// `No difference.`, or `2 of 40 objects differ, 1 could not be checked`.
fn sum(all: &[Compared<'_>]) -> String {
    if all.iter().all(Compared::is_as_signed) {
        return "No difference.".to_owned();
    }
    let differing = all.iter().filter(|one| one.differences() > 0).count();
    let equal = || all.iter().filter(|one| one.differences() == 0);
    let count = |outcome| equal().filter(|one| one.decision.outcome() == outcome).count();
    let (refused, unchecked) = (count(Outcome::Fail), count(Outcome::Fault));
    let verb = if differing == 1 { "differs" } else { "differ" };
    let mut text = format!("{differing} of {} objects {verb}", all.len());
    if refused > 0 {
        text.push_str(&format!(", {refused} refused for another reason"));
    }
    if unchecked > 0 {
        text.push_str(&format!(", {unchecked} could not be checked"));
    }
    text
}

fn show(one: &Compared<'_>, args: &DiffArgs, printer: &mut Printer) {
    let (Some(object), Some((signed, comparison))) = (one.object, &one.with) else {
        let (outcome, reason) = (one.decision.outcome(), one.decision.headline());
        let name = text::subject(&one.decision);
        printer.marked(0, outcome, format_args!("{name}  {reason}  [{}]", reason.code()));
        text::advised(&one.decision, printer);
        return;
    };
    printer.line(format_args!(
        "{} against what was signed ({})",
        one.decision.subject.object,
        signature(&one.decision)
    ));
    let domain = &args.matching.annotation_domain;
    unified(signed, object, comparison, domain, args.all, printer);
    left_out(comparison, args.all, printer);
    suggestion(one, printer);
}

/// What is to be said of the signature before anybody reads a difference to it.
fn signature(decision: &Decision) -> String {
    if let Some(signer) = decision.signers.first() {
        return signer.to_string();
    }
    let mut why = "not signed by whom you named".to_owned();
    decision.check.walk(&mut |check| {
        let about_content = matches!(check.reason, Reason::ManifestDiffers { .. });
        if check.children.is_empty() && check.outcome != Outcome::Pass && !about_content {
            why = format!("{} [{}]", check.reason, check.reason.code());
        }
    });
    why
}

/// A unified diff of the two as YAML. What a rule or the server explains is put back first, so that only
/// differences show.
fn unified(
    signed: &Value,
    found: &Value,
    comparison: &Comparison,
    domain: &str,
    all: bool,
    printer: &mut Printer,
) {
    let (mut before, mut after) = (signed.clone(), found.clone());
    for object in [&mut before, &mut after] {
        manifest::annotations::strip(object, domain);
    }
    if !all {
        let explained = comparison.effects.iter().map(|(change, _)| change);
        let explained = explained.chain(comparison.ignored.iter().map(|(change, _)| change));
        let explained = explained.chain(comparison.allowed.iter().map(|(change, _)| change));
        let mut explained: Vec<_> = explained.collect();
        // From the last to the first, so that taking out a list's element moves no other one to come.
        explained.sort_by(|a, b| b.path.cmp(&a.path));
        for change in explained {
            put_back(&mut after, change);
            drop_empty_parent(&before, &mut after, &change.path);
        }
        bookkeeping(&mut before);
        bookkeeping(&mut after);
    }
    if before.get("kind").is_some_and(|kind| kind == "Secret") {
        [&mut before, &mut after]
            .into_iter()
            .zip(["signed", "found"])
            .for_each(|(object, side)| mask(object, side, comparison));
    }
    let (before, after) = (yaml::to_yaml(&before), yaml::to_yaml(&after));
    let lines = TextDiff::from_lines(&before, &after);
    for change in lines.grouped_ops(1).iter().flatten().flat_map(|op| lines.iter_changes(op)) {
        let sign = match change.tag() {
            ChangeTag::Delete => "-",
            ChangeTag::Insert => "+",
            ChangeTag::Equal => " ",
        };
        printer.line(format_args!("{sign} {}", change.value().trim_end_matches('\n')));
    }
}

/// Fields that the server keeps and nobody signs.
fn bookkeeping(object: &mut Value) {
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in
            ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"]
        {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
}

/// Makes the place of a change hold what was signed.
fn put_back(found: &mut Value, change: &FieldChange) {
    let Some((last, parents)) = change.path.segments().split_last() else { return };
    let parent = parents.iter().try_fold(found, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    });
    match (parent, last, &change.signed) {
        (Some(Value::Object(map)), Segment::Key(key), Some(signed)) => {
            map.insert(key.clone(), signed.clone());
        }
        (Some(Value::Object(map)), Segment::Key(key), None) => {
            map.remove(key);
        }
        (Some(Value::Array(list)), Segment::Index(index), None) if *index < list.len() => {
            list.remove(*index);
        }
        (Some(Value::Array(list)), Segment::Index(index), Some(signed)) if *index < list.len() => {
            list[*index] = signed.clone();
        }
        (Some(Value::Array(list)), Segment::Index(_), Some(signed)) => list.push(signed.clone()),
        _ => {}
    }
}

/// Takes out a map or list that was only there for what was put back.
fn drop_empty_parent(signed: &Value, found: &mut Value, path: &FieldPath) {
    let Some((_, parents)) = path.segments().split_last() else { return };
    let mut parent = FieldPath::root();
    parents.iter().cloned().for_each(|segment| parent.push(segment));
    let is_empty = |value: &Value| {
        value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(serde_json::Map::is_empty)
    };
    if parent.find(found).is_some_and(is_empty) && parent.find(signed).is_none() {
        put_back(found, &FieldChange { path: parent, signed: None, found: None });
    }
}

/// Values of a Secret are shown as changed or not, never as they are.
fn mask(object: &mut Value, side: &str, comparison: &Comparison) {
    for field in ["data", "stringData"] {
        let Some(map) = object.get_mut(field).and_then(Value::as_object_mut) else { continue };
        for (key, value) in map.iter_mut() {
            let path = FieldPath::keys([field, key.as_str()]);
            let changed = comparison.differences.iter().any(|change| change.path == path);
            *value = json!(if changed { format!("*** ({side})") } else { "***".to_owned() });
        }
    }
}

fn left_out(comparison: &Comparison, all: bool, printer: &mut Printer) {
    let (effects, ignored) = (comparison.effects.len(), comparison.ignored.len());
    if all {
        for (change, row) in &comparison.effects {
            printer.line(format_args!("  server ({}): {}", row.effect(), change.path));
        }
        for (change, rule) in &comparison.ignored {
            printer.line(format_args!("  ignored by `{rule}`: {}", change.path));
        }
    } else if effects + ignored > 0 {
        printer.line(format_args!(
            "{effects} change{} of the server's own and {ignored} ignored field{} left out (--all shows them)",
            plural(effects),
            plural(ignored)
        ));
    }
}

/// The shortest rule that accepts the differences, where one may be offered; else why not, and what to do.
fn suggestion(one: &Compared<'_>, printer: &mut Printer) {
    let count = one.differences();
    if count == 0 {
        printer.line("No difference.");
        return;
    }
    let it = if count == 1 { "it" } else { "them" };
    if let Some(fields) = allowed(&one.decision) {
        let total = format_args!("{count} difference{}. Shortest rule that accepts {it}:", plural(count));
        printer.line(total);
        rule(&one.decision.subject.object, fields, printer);
    } else {
        printer.line(format_args!("{count} difference{}.", plural(count)));
        text::advised(&one.decision, printer);
    }
}

/// The fields that a rule may ignore, where that is all that it takes.
fn allowed(decision: &Decision) -> Option<&[String]> {
    let reason = text::difference(decision)?;
    let Reason::ManifestDiffers { suggested, changes, .. } = reason else { return None };
    let enough = !suggested.is_empty() && !changes.iter().any(|change| injected_namespace(change).is_some());
    enough.then_some(suggested)
}

/// For this object alone.
fn rule(object: &ObjectRef, fields: &[String], printer: &mut Printer) {
    let quoted = |text: &str| yaml::to_yaml(&json!(text)).trim_end().to_owned();
    let namespace = match object.namespace.as_str() {
        "" => String::new(),
        namespace => format!(", namespace: {}", quoted(namespace)),
    };
    let (kind, name) = (quoted(&object.kind), quoted(&object.name));
    printer.line("  ignoreFields:");
    printer.line(format_args!("  - objects: [{{kind: {kind}, name: {name}{namespace}}}]"));
    printer.line("    fields:");
    for path in fields {
        printer.line(format_args!("    - {}", quoted(path)));
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
