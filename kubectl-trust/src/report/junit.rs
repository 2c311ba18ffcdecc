//! `JUnit`'s XML as CI systems read it.

use std::fmt::Write as _;

use common::verdict::{Decision, Outcome};

use super::Lines;
use crate::text;

/// One suite of test cases.
pub(crate) struct Suite {
    /// What it is called.
    pub(crate) name: String,
    /// Its cases.
    pub(crate) cases: Vec<Case>,
}

/// One test case.
pub(crate) struct Case {
    /// What it belongs to: a policy and rule.
    pub(crate) class: String,
    /// What was judged.
    pub(crate) name: String,
    /// Where that stands: the file and the line, from 1.
    pub(crate) place: Option<(String, usize)>,
    /// How it ended.
    pub(crate) end: End,
}

/// How a test case ended.
pub(crate) enum End {
    Passed,
    /// A short message and the whole of it.
    Failed(String, String),
    Skipped(String),
    Error(String),
}

/// A document of these suites.
pub(crate) fn document(suites: &[Suite]) -> String {
    let all: Vec<_> = suites.iter().flat_map(|suite| &suite.cases).collect();
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {}>\n", counts(&all));
    for Suite { name, cases } in suites {
        let counts = counts(&cases.iter().collect::<Vec<_>>());
        let _ = writeln!(xml, "  <testsuite name=\"{}\" {counts}>", escape(name));
        for case in cases {
            write_case(&mut xml, case);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Decisions as one suite.
pub(crate) fn of_decisions(decisions: &[&Decision], lines: &Lines) -> String {
    let cases = decisions.iter().map(|decision| case(decision, lines)).collect();
    document(&[Suite { name: "kubectl trust".to_owned(), cases }])
}

fn case(decision: &Decision, lines: &Lines) -> Case {
    let said = text::said(decision);
    let code = decision.headline().code();
    Case {
        class: decision
            .by
            .as_ref()
            .map_or_else(|| "trust".to_owned(), |by| format!("{}/{}", by.policy, by.rule)),
        name: text::subject(decision),
        place: lines.place(&decision.subject.source).map(|(file, line)| (file.to_owned(), line)),
        end: match decision.outcome() {
            Outcome::Pass => End::Passed,
            Outcome::Fail => End::Failed(code.to_owned(), said),
            Outcome::Skip => End::Skipped(format!("{code}: {said}")),
            Outcome::Fault => End::Error(format!("{code}: {said}")),
        },
    }
}

fn counts(cases: &[&Case]) -> String {
    let count = |is: fn(&End) -> bool| cases.iter().filter(|case| is(&case.end)).count();
    let failures = count(|end| matches!(end, End::Failed(..)));
    let errors = count(|end| matches!(end, End::Error(_)));
    let skipped = count(|end| matches!(end, End::Skipped(_)));
    let total = cases.len();
    format!("tests=\"{total}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn write_case(xml: &mut String, Case { class, name, place, end }: &Case) {
    let _ = write!(xml, "    <testcase classname=\"{}\" name=\"{}\"", escape(class), escape(name));
    if let Some((file, line)) = place {
        let _ = write!(xml, " file=\"{}\" line=\"{line}\"", escape(file));
    }
    let _ = match end {
        End::Passed => writeln!(xml, "/>"),
        End::Failed(short, whole) => {
            writeln!(xml, "><failure message=\"{}\">{}</failure></testcase>", escape(short), escape(whole))
        }
        End::Skipped(why) => writeln!(xml, "><skipped message=\"{}\"/></testcase>", escape(why)),
        End::Error(why) => writeln!(xml, "><error message=\"{}\"/></testcase>", escape(why)),
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_holds_no_markup_of_others() {
        assert_eq!(escape("a<b>&\"'\u{1}"), "a&lt;b&gt;&amp;&quot;&apos;\u{fffd}");
    }
}
