//! `kubectl trust test`: policy tests below folders, offline.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;
use common::policy::wildcard;
use common::verdict::Decision;

use crate::cli::{TestArgs, TestFormat};
use crate::exit::ExitStatus;
use crate::input;
use crate::output::{Printer, Progress};
use crate::runtime;
use crate::testing::file::{self, Case, TestFile};
use crate::testing::report::{self, Shown, Sum};
use crate::testing::rows::Row;
use crate::testing::run;
use crate::testing::scope::namespace_of;
use crate::warnings::Warnings;

/// Folders below a folder that are still searched.
const FOLDER_DEPTH: usize = 32;

/// Runs every test file below the paths. A file that cannot be run is said, and the others run.
pub(crate) fn run(args: &TestArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let TestArgs {
        paths,
        file_name,
        test_case_selector,
        require_tests,
        registry,
        remove_color: _,
        output_file: _,
        ..
    } = args;
    let selector = test_case_selector.as_deref().map(Selector::parse).transpose()?;
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut files = Vec::new();
    for path in paths {
        find(path, file_name, FOLDER_DEPTH, &mut files)?;
    }
    if files.is_empty() {
        if args.output == TestFormat::Text {
            printer.line("No test yamls available");
        } else {
            report::print(&[], &[], shown(args), printer);
        }
        let nothing = format!("no file {file_name} below {}", shown_paths(paths));
        return if *require_tests {
            bail!(nothing)
        } else {
            printer.note_line(nothing);
            Ok(ExitStatus::Undecided)
        };
    }
    let mut warnings = Warnings::default();
    let (all, broken) = run_all(&files, selector.as_ref(), *registry, &mut warnings);
    warnings.say(printer);
    for run::Broken { error, .. } in &broken {
        printer.error(error);
    }
    report::print(&all, &broken, shown(args), printer);
    let sum = Sum::of(&all);
    if broken.is_empty() && sum.is_nothing() {
        let by = test_case_selector.as_ref().map(|selector| format!(" is chosen by -t '{selector}'"));
        printer.note_line(format_args!("no test case{}", by.as_deref().unwrap_or(" in these files")));
    }
    Ok(status(sum, broken.len()))
}

/// The outcomes of all files that could be run, and why the others could not. What people should know goes to
/// `warnings`.
fn run_all(
    files: &[PathBuf],
    selector: Option<&Selector>,
    registry: bool,
    warnings: &mut Warnings,
) -> (Vec<run::Outcomes>, Vec<run::Broken>) {
    let (mut all, mut broken) = (Vec::new(), Vec::new());
    let mut progress = Progress::new("test files run", files.len());
    for path in files {
        progress.step();
        let tests = match file::read(path) {
            Ok(tests) => tests,
            Err(error) => vec![Err(error)],
        };
        for test in tests {
            match test.and_then(|test| run_test(test, selector, registry, warnings)) {
                Ok(outcomes) => all.push(outcomes),
                Err(error) => broken.push(run::Broken { path: path.clone(), error }),
            }
        }
    }
    (all, broken)
}

fn shown(args: &TestArgs) -> Shown {
    Shown { format: args.output, fail_only: args.fail_only, detailed: args.detailed_results }
}

/// The decisions behind the cases of every test file below a path, for `explain`.
///
/// # Errors
/// No test file, or one that cannot be run.
pub(crate) fn decisions(path: &Path, selector: Option<&str>) -> anyhow::Result<Vec<Decision>> {
    let selector = selector.map(Selector::parse).transpose()?;
    let mut files = Vec::new();
    find(path, "kyverno-test.yaml", FOLDER_DEPTH, &mut files)?;
    let mut decisions = Vec::new();
    for path in files {
        for test in file::read(&path)? {
            let rows = run_test(test?, selector.as_ref(), false, &mut Warnings::default())?.rows;
            decisions.extend(rows.into_iter().filter_map(|row| row.decision));
        }
    }
    Ok(decisions)
}

/// A failed case is a refusal; a file that could not be run, a case that is not ours to judge, or no case
/// at all is undecided.
fn status(sum: Sum, broken: usize) -> ExitStatus {
    match (sum.failed, broken + sum.not_handled, sum.passed) {
        (1.., _, _) => ExitStatus::Refused,
        (0, 0, 1..) => ExitStatus::Trusted,
        (0, _, _) => ExitStatus::Undecided,
    }
}

fn run_test(
    mut file: TestFile,
    selector: Option<&Selector>,
    registry: bool,
    warnings: &mut Warnings,
) -> anyhow::Result<run::Outcomes> {
    if let Some(selector) = selector {
        selector.keep(&mut file);
    }
    // What it reads has names of its own.
    let mut outcomes = runtime::block_on(run::run(&file, registry, warnings))??;
    if let Some(selector) = selector {
        selector.keep_rows(&file, &mut outcomes.rows);
    }
    Ok(outcomes)
}

fn find(path: &Path, name: &str, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let meta = fs::metadata(path).map_err(|error| input::unreadable(path, &error))?;
    if !meta.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    if depth == 0 {
        bail!("{}: folders nest deeper than {FOLDER_DEPTH}", path.display());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.map_err(|error| input::unreadable(path, &error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = if path == Path::new(".") { PathBuf::from(entry.file_name()) } else { entry.path() };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            find(&path, name, depth - 1, files)?;
        } else if entry.file_name() == name {
            files.push(path);
        }
    }
    Ok(())
}

fn shown_paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// `policy=p,rule=r,resource=x`, each with wildcards; what is not named is any.
#[derive(Debug)]
struct Selector {
    policy: String,
    rule: String,
    resource: String,
}

impl Selector {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let any = || "*".to_owned();
        let mut selector = Self { policy: any(), rule: any(), resource: any() };
        for part in text.split(',') {
            match part.trim().split_once('=') {
                Some(("policy", pattern)) => pattern.clone_into(&mut selector.policy),
                Some(("rule", pattern)) => pattern.clone_into(&mut selector.rule),
                Some(("resource", pattern)) => pattern.clone_into(&mut selector.resource),
                _ => bail!("--test-case-selector: `{part}` is none of policy=…, rule=…, resource=…"),
            }
        }
        Ok(selector)
    }

    /// `prod/app` is chosen by its whole name and by `app`.
    fn chooses(&self, name: &str) -> bool {
        let bare = name.rsplit('/').next().unwrap_or_default();
        wildcard::matches(&self.resource, name) || wildcard::matches(&self.resource, bare)
    }

    /// Which resources a wildcard stands for is known after the run, so these names are kept.
    fn keep(&self, file: &mut TestFile) {
        file.cases.retain_mut(|case| {
            let all = case.resources.is_empty();
            case.resources.retain(|name| wildcard::is_pattern(name) || self.chooses(name));
            wildcard::matches(&self.policy, &case.policy)
                && wildcard::matches(&self.rule, &case.rule)
                && (all || !case.resources.is_empty())
        });
    }

    /// Of what wildcards stood for, only what is chosen.
    fn keep_rows(&self, file: &TestFile, rows: &mut Vec<Row>) {
        let wide = |case: &&Case| {
            case.resources.is_empty() || case.resources.iter().any(|name| wildcard::is_pattern(name))
        };
        let wide: BTreeSet<_> = file.cases.iter().filter(wide).map(|case| case.index).collect();
        rows.retain(|row| {
            let chosen = || match row.decision.as_ref().map(|decision| &decision.subject.object) {
                Some(object) => self.chooses(&format!("{}/{}", namespace_of(object), object.name)),
                None => self.chooses(&row.resource),
            };
            !wide.contains(&row.index) || chosen()
        });
    }
}
