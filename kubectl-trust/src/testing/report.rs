//! Test results in every format.

use std::fmt::Write as _;
use std::path::Path;

use common::verdict::{Outcome, decision_json, printable};
use serde_json::{Value, json};

use super::run::{Outcomes, Row};
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

    fn line(self) -> String {
        let Self { passed, failed, not_handled } = self;
        let rest = if not_handled == 0 {
            String::new()
        } else {
            format!(" ({not_handled} not handled by kubectl trust)")
        };
        format!("Test Summary: {passed} tests passed and {failed} tests failed{rest}")
    }
}

/// Prints all results.
pub(crate) fn print(all: &[Outcomes], shown: Shown, printer: &mut Printer) {
    match shown.format {
        TestFormat::Text => text(all, shown, printer),
        TestFormat::Json => printer.json(&to_json(all, shown)),
        TestFormat::Yaml => printer.yaml(&to_json(all, shown)),
        TestFormat::Junit => printer.raw(junit(all, shown).as_bytes()),
        TestFormat::Markdown => printer.raw(markdown(all, shown).as_bytes()),
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
    printer.line(Sum::of(all).line());
}

/// What a refusal that was expected says, on its line; the rest of it with `--detailed-results`.
fn brief(row: &Row) -> String {
    let refused = row.decision.as_ref().filter(|decision| decision.outcome() != Outcome::Pass);
    let first = |text: String| text.split(": ").next().unwrap_or_default().to_owned();
    refused.map(|decision| format!("   {}", first(decision.headline().to_string()))).unwrap_or_default()
}

fn rule(row: &Row) -> String {
    format!("{}/{}", row.policy, row.rule)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn to_json(all: &[Outcomes], shown: Shown) -> Value {
    let sum = Sum::of(all);
    let tests: Vec<_> = all
        .iter()
        .map(|outcomes| {
            let results: Vec<_> = rows(outcomes, shown).map(row_json).collect();
            json!({"name": outcomes.name, "path": outcomes.path.display().to_string(), "results": results})
        })
        .collect();
    json!({
        "apiVersion": "kubectl-trust.io/v1alpha1", "kind": "TestReport",
        "summary": {"passed": sum.passed, "failed": sum.failed, "notHandled": sum.not_handled},
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
fn junit(all: &[Outcomes], shown: Shown) -> String {
    let sum = Sum::of(all);
    let total = sum.passed + sum.failed + sum.not_handled;
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites tests=\"{total}\" failures=\"{}\" skipped=\"{}\">",
        sum.failed, sum.not_handled
    );
    for outcomes in all {
        let own = Sum::of(std::slice::from_ref(outcomes));
        let name = escape(&folder(&outcomes.path).display().to_string());
        let count = own.passed + own.failed + own.not_handled;
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{}\" skipped=\"{}\">",
            own.failed, own.not_handled
        );
        for row in rows(outcomes, shown) {
            let (class, case) = (escape(&rule(row)), escape(&row.resource));
            let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{case}\"");
            let _ = match row.passed {
                Some(true) => writeln!(xml, "/>"),
                Some(false) => writeln!(
                    xml,
                    "><failure message=\"{}\">{}</failure></testcase>",
                    escape(&result(row)),
                    escape(&row.message)
                ),
                None => writeln!(xml, "><skipped message=\"{}\"/></testcase>", escape(&row.message)),
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
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

fn markdown(all: &[Outcomes], shown: Shown) -> String {
    let mut page =
        String::from("| ID | POLICY | RULE | RESOURCE | RESULT | REASON |\n|---|---|---|---|---|---|\n");
    let cell = |text: &str| printable(text).replace('\\', r"\\").replace('|', r"\|");
    for (id, row) in all.iter().flat_map(|outcomes| rows(outcomes, shown)).enumerate() {
        let (pass, reason) = match row.passed {
            Some(true) => ("Pass", "Ok".to_owned()),
            Some(false) => ("Fail", result(row)),
            None => ("Skip", row.message.clone()),
        };
        let (policy, rule, resource) = (cell(&row.policy), cell(&row.rule), cell(&row.resource));
        let _ =
            writeln!(page, "| {} | {policy} | {rule} | {resource} | {pass} | {} |", id + 1, cell(&reason));
    }
    let _ = writeln!(page, "\n{}", Sum::of(all).line());
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
