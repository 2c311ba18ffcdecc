//! SARIF 2.1.0 (OASIS), as code scanning services show it beside the lines of a file.

use std::collections::BTreeMap;

use common::verdict::{Decision, Outcome, printable};
use serde_json::{Value, json};

use super::Lines;
use crate::text;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A log of what was refused (errors), could not be decided or is warned of (warnings), or is not judged here (notes). What
/// is trusted has no result.
/// A rule is a reason code, so that a service groups alike findings.
pub(crate) fn sarif(decisions: &[&Decision], lines: &Lines) -> Value {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    let mut results = Vec::new();
    for decision in decisions {
        let level = match decision.outcome() {
            Outcome::Skip if decision.headline().is_not_handled() => "note",
            Outcome::Pass | Outcome::Skip => continue,
            Outcome::Fail if decision.by.as_ref().is_none_or(|by| by.enforced) => "error",
            Outcome::Fail | Outcome::Fault => "warning",
        };
        let code = decision.headline().code();
        let index = rules.len();
        let index = *rules.entry(code).or_insert(index);
        results.push(result(decision, (code, index, level), lines));
    }
    let mut listed: Vec<_> = rules.into_iter().collect();
    listed.sort_by_key(|(_, index)| *index);
    let rules: Vec<_> = listed.iter().map(|(code, _)| json!({"id": code})).collect();
    json!({
        "$schema": SCHEMA, "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kubectl-trust", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules,
            }},
            "columnKind": "unicodeCodePoints", "results": results,
        }],
    })
}

fn result(decision: &Decision, (code, index, level): (&str, usize, &str), lines: &Lines) -> Value {
    let by = decision.by.as_ref().map(|by| format!(" ({}/{})", by.policy, by.rule)).unwrap_or_default();
    let message = format!("{}: {}{by}", text::subject(decision), text::said(decision));
    let mut result = json!({
        "ruleId": code, "ruleIndex": index, "level": level, "message": {"text": printable(&message)},
    });
    if let Some((file, line)) = lines.place(&decision.subject.source) {
        result["locations"] = json!([{"physicalLocation": {
            "artifactLocation": {"uri": uri(file)}, "region": {"startLine": line},
        }}]);
    }
    result
}

/// A path as a URI reference: relative ones stay relative, so that they belong to the repository that is scanned.
fn uri(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    let path = path.trim_start_matches("./");
    let root = if path.starts_with('/') { "file://" } else { "" };
    format!("{root}{}", utf8_percent_encode(path, KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri_reference() {
        for (path, expected) in [
            ("./a b/c.yaml", "a%20b/c.yaml"),
            ("/tmp/a#b.yaml", "file:///tmp/a%23b.yaml"),
            ("a:b.yaml", "a%3Ab.yaml"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
