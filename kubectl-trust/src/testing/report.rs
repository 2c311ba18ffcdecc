//! Test results in every format.

use std::fmt::Write as _;
use std::path::Path;

use common::signer::short;
use common::verdict::{Outcome, decision_json, printable};
use serde_json::{Value, json};

use super::rows::Row;
use super::run::{Broken, Outcomes};
use crate::cli::TestFormat;
use crate::output::Printer;
use crate::report::junit::{self, Case, End, Suite};

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) format: TestFormat,
    pub(crate) fail_only: bool,
    pub(crate) detailed: bool,
}

/// The sum of all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) not_handled: usize,
}

impl Sum {
    pub(crate) fn of(all: &[Outcomes]) -> Self {
        let rows = || all.iter().flat_map(|outcomes| &outcomes.rows);
        let count = |passed| rows().filter(|row| row.passed == passed).count();
        Self { passed: count(Some(true)), failed: count(Some(false)), not_handled: count(None) }
    }

    /// Whether there was no case at all.
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// The last line is what scripts read, so nothing else stands in it.
    fn lines(self) -> Vec<String> {
        let Self { passed, failed, not_handled } = self;
        let rest = (not_handled > 0).then(|| format!("{not_handled} not handled by kubectl trust"));
        let summary = format!("Test Summary: {passed} tests passed and {failed} tests failed");
        rest.into_iter().chain([summary]).collect()
    }
}

/// Prints all results. In text, files that could not be run are for the caller to say.
pub(crate) fn print(all: &[Outcomes], broken: &[Broken], shown: Shown, printer: &mut Printer) {
    match shown.format {
        TestFormat::Text => text(all, shown, printer),
        TestFormat::Json => printer.json(&to_json(all, broken, shown)),
        TestFormat::Yaml => printer.yaml(&to_json(all, broken, shown)),
        TestFormat::Junit => printer.raw(junit(all, broken, shown).as_bytes()),
        TestFormat::Markdown => printer.raw(markdown(all, broken, shown).as_bytes()),
    }
}

fn rows(outcomes: &Outcomes, shown: Shown) -> impl Iterator<Item = &Row> {
    outcomes.rows.iter().filter(move |row| !shown.fail_only || row.passed == Some(false))
}

fn outcome(row: &Row) -> Outcome {
    match row.passed {
        Some(true) => Outcome::Pass,
        Some(false) => Outcome::Fail,
        None => Outcome::Skip,
    }
}

/// `pass`, or `want fail, got pass`.
fn result(row: &Row) -> String {
    let expected = row.expected.word();
    match (row.passed, row.got) {
        (None, _) => "not handled".to_owned(),
        (Some(true), _) => expected.to_owned(),
        (Some(false), Some(got)) => format!("want {expected}, got {}", got.word()),
        (Some(false), None) => format!("want {expected}, not found"),
    }
}

fn text(all: &[Outcomes], shown: Shown, printer: &mut Printer) {
    for outcomes in all {
        let rows: Vec<_> = rows(outcomes, shown).collect();
        if rows.is_empty() {
            continue;
        }
        printer.line(folder(&outcomes.path).display());
        let width = |text: fn(&Row) -> String| {
            rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0).min(72)
        };
        let (of_rule, of_resource) = (width(rule), width(|row| row.resource.clone()));
        for row in rows {
            let (rule, resource, result) = (rule(row), &row.resource, result(row));
            let message =
                if row.passed == Some(true) && !shown.detailed { brief(row) } else { String::new() };
            let cells = format!("{rule:of_rule$}  {resource:of_resource$}  {result}{message}");
            printer.marked(2, outcome(row), cells.trim_end());
            if row.passed != Some(true) || shown.detailed {
                printer.line(format_args!("      {}", row.message));
            }
            if row.passed == Some(false) {
                let (path, index) = (outcomes.path.display(), row.index);
                match row.line {
                    Some(line) => printer.line(format_args!("      {path}:{line}: results[{index}]")),
                    None => printer.line(format_args!("      {path}: results[{index}]")),
                }
            }
        }
    }
    Sum::of(all).lines().iter().for_each(|line| printer.line(line));
}

/// Characters of what a refusal says on its line.
const BRIEF: usize = 100;

/// What a refusal that was expected says, on its line: as much of it as fits; all of it with
/// `--detailed-results`.
fn brief(row: &Row) -> String {
    let refused = row.decision.as_ref().filter(|decision| decision.outcome() != Outcome::Pass);
    let Some(decision) = refused else { return String::new() };
    let text = short(&decision.headline().itself().to_string());
    match text.char_indices().nth(BRIEF) {
        Some((cut, _)) => format!("   {}…", text[..cut].trim_end()),
        None => format!("   {text}"),
    }
}

fn rule(row: &Row) -> String {
    format!("{}/{}", row.policy, row.rule)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn to_json(all: &[Outcomes], broken: &[Broken], shown: Shown) -> Value {
    let sum = Sum::of(all);
    let of_file = |outcomes: &Outcomes| {
        let results: Vec<_> = rows(outcomes, shown).map(row_json).collect();
        json!({"name": outcomes.name, "path": outcomes.path.display().to_string(), "results": results})
    };
    let of_broken = |Broken { path, error }: &Broken| json!({"name": "", "path": path.display().to_string(), "results": [], "error": format!("{error:#}")});
    let tests: Vec<_> = all.iter().map(of_file).chain(broken.iter().map(of_broken)).collect();
    json!({
        "apiVersion": "kubectl-trust.io/v1alpha1", "kind": "TestReport",
        "summary": {
            "passed": sum.passed, "failed": sum.failed, "notHandled": sum.not_handled, "errors": broken.len(),
        },
        "tests": tests,
    })
}

fn row_json(row: &Row) -> Value {
    let passed = row.passed.map_or(Value::Null, Value::from);
    let mut value = json!({
        "policy": row.policy, "rule": row.rule, "resource": row.resource, "expected": row.expected.word(),
        "line": row.line, "got": row.got.map(super::file::Expected::word), "passed": passed, "message": row.message,
    });
    if let Some(decision) = &row.decision {
        value["decision"] = decision_json(decision);
    }
    value
}

/// A suite a file, a case a row.
fn junit(all: &[Outcomes], broken: &[Broken], shown: Shown) -> String {
    let suites = all.iter().map(|outcomes| Suite {
        name: folder(&outcomes.path).display().to_string(),
        cases: rows(outcomes, shown).map(|row| case(row, &outcomes.path)).collect(),
    });
    let broken = broken.iter().map(|Broken { path, error }| {
        let (class, name) = ("load".to_owned(), "load".to_owned());
        let place = Some((path.display().to_string(), 1));
        let case = Case { class, name, place, end: End::Error(format!("{error:#}")) };
        Suite { name: folder(path).display().to_string(), cases: vec![case] }
    });
    junit::document(&suites.chain(broken).collect::<Vec<_>>())
}

fn case(row: &Row, path: &Path) -> Case {
    Case {
        class: rule(row),
        name: row.resource.clone(),
        place: row.line.map(|line| (path.display().to_string(), line)),
        end: match row.passed {
            Some(true) => End::Passed,
            Some(false) => End::Failed(result(row), row.message.clone()),
            None => End::Skipped(row.message.clone()),
        },
    }
}

fn markdown(all: &[Outcomes], broken: &[Broken], shown: Shown) -> String {
    let mut page =
        String::from("| ID | POLICY | RULE | RESOURCE | RESULT | REASON |\n|---|---|---|---|---|---|\n");
    let cell = |text: &str| printable(&text.replace('\n', " ")).replace('\\', r"\\").replace('|', r"\|");
    let mut id = 0;
    for row in all.iter().flat_map(|outcomes| rows(outcomes, shown)) {
        id += 1;
        let (pass, reason) = match row.passed {
            Some(true) => ("Pass", "Ok".to_owned()),
            Some(false) => ("Fail", result(row)),
            None => ("Skip", row.message.clone()),
        };
        let (policy, rule, resource) = (cell(&row.policy), cell(&row.rule), cell(&row.resource));
        let _ = writeln!(page, "| {id} | {policy} | {rule} | {resource} | {pass} | {} |", cell(&reason));
    }
    for Broken { path, error } in broken {
        id += 1;
        let (path, error) = (cell(&path.display().to_string()), cell(&format!("{error:#}")));
        let _ = writeln!(page, "| {id} |  |  | {path} | Error | {error} |");
    }
    Sum::of(all).lines().iter().for_each(|line| page.push_str(&format!("\n{line}\n")));
    page
}
