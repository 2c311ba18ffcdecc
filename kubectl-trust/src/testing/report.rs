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

/// `JUnit`'s XML as CI systems read it: a suite a file, a case a row.
fn junit(all: &[Outcomes], broken: &[Broken], shown: Shown) -> String {
    let counts = counts(Sum::of(all), broken.len());
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n");
    for outcomes in all {
        suite(&mut xml, outcomes, shown);
    }
    for Broken { path, error } in broken {
        let _ = writeln!(
            xml,
            "{}    <testcase name=\"load\"><error message=\"{}\"/></testcase>\n  </testsuite>",
            suite_head(path, Sum::default(), 1),
            escape(&format!("{error:#}"))
        );
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn counts(sum: Sum, errors: usize) -> String {
    let Sum { passed, failed, not_handled } = sum;
    let total = passed + failed + not_handled + errors;
    format!("tests=\"{total}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{not_handled}\"")
}

fn suite_head(path: &Path, sum: Sum, errors: usize) -> String {
    let name = escape(&folder(path).display().to_string());
    format!("  <testsuite name=\"{name}\" {}>\n", counts(sum, errors))
}

fn suite(xml: &mut String, outcomes: &Outcomes, shown: Shown) {
    xml.push_str(&suite_head(&outcomes.path, Sum::of(std::slice::from_ref(outcomes)), 0));
    for row in rows(outcomes, shown) {
        let (class, case) = (escape(&rule(row)), escape(&row.resource));
        let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{case}\"");
        let message = escape(&row.message);
        let _ = match row.passed {
            Some(true) => writeln!(xml, "/>"),
            Some(false) => {
                let result = escape(&result(row));
                writeln!(xml, "><failure message=\"{result}\">{message}</failure></testcase>")
            }
            None => writeln!(xml, "><skipped message=\"{message}\"/></testcase>"),
        };
    }
    xml.push_str("  </testsuite>\n");
}

/// XML 1.0: five entities, and no control characters but tab and line ends.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_holds_no_markup_of_others() {
        assert_eq!(escape("a<b>&\"'\u{1}"), "a&lt;b&gt;&amp;&quot;&apos;\u{fffd}");
    }
}
