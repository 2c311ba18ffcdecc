//! `kubectl trust test` beside the real `kyverno test`, on the same folders.
//!
//! Every case must come out alike, or its difference be in `fixtures/kyverno-differences.json` with the
//! reason why it is meant. An entry there that no longer differs fails as well.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use e2e::process::run;
use serde_json::{Value, json};

use crate::world::World;

/// Folders that kyverno cannot judge without the public-good trust root.
const NEEDS_NETWORK: &[&str] = &["keyless-release"];
/// Folders with policies of our own kinds.
const OURS_ALONE: &[&str] = &["private-sigstore"];

/// Policy, rule and `Kind namespace/name`.
type Case = (String, String, String);
/// What became of each case.
type Outcomes = BTreeMap<Case, String>;

fn manifest_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders with a test file, by name.
fn folders() -> Vec<PathBuf> {
    let below = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = below(manifest_folder().join("fixtures/kyverno-tests"))
        .chain(below(manifest_folder().join("../examples")))
        .filter(|folder| folder.join("kyverno-test.yaml").is_file())
        .filter(|folder| !NEEDS_NETWORK.contains(&name(folder).as_str()))
        .filter(|folder| !OURS_ALONE.contains(&name(folder).as_str()))
        // It asks the registry for images, and knows no recordings.
        .filter(|folder| !folder.join("images").is_dir())
        .collect();
    all.sort();
    all
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_else(|| panic!("no {field} in {row}")).to_owned()
}

/// What we make of a folder, and what its author expects.
fn ours(world: &World, folder: &Path) -> BTreeMap<Case, (String, String)> {
    let run = run(world.trust.command(["test", "-o", "json"]).arg(folder)).unwrap();
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{}: {error}: {}{}", folder.display(), run.stdout, run.stderr));
    let rows = report["tests"][0]["results"].as_array().unwrap();
    let case = |row: &Value| (text(row, "policy"), text(row, "rule"), text(row, "resource"));
    let got = |row: &Value| row["got"].as_str().unwrap_or("absent").to_owned();
    rows.iter().map(|row| (case(row), (got(row), text(row, "expected")))).collect()
}

/// What kyverno makes of it. Its report says only whether a case came out as expected, and what it got
/// where not.
fn theirs(world: &World, folder: &Path, ours: &BTreeMap<Case, (String, String)>) -> Outcomes {
    let mut command = world.trust.other(world.program("kyverno"), ["test", "-o", "json", "--remove-color"]);
    let run = run(command.arg(folder)).unwrap();
    // The report follows upon lines of progress.
    let report = run.stdout.find("\n[\n").map(|start| &run.stdout[start..]);
    let report = report.unwrap_or_else(|| panic!("{}: {}{}", folder.display(), run.stdout, run.stderr));
    let mut values = serde_json::Deserializer::from_str(report).into_iter::<Value>();
    let rows = values.next().unwrap().unwrap();
    let mut outcomes = Outcomes::new();
    for row in rows.as_array().unwrap() {
        let case = (text(row, "POLICY"), text(row, "RULE"), resource(&text(row, "RESOURCE")));
        // It gives rows for objects that merely share a name with the one that a case is about.
        let Some((_, expected)) = ours.get(&case) else { continue };
        let reason = text(row, "REASON");
        let got = if reason == "Ok" {
            expected.clone()
        } else {
            reason.split_once(", got ").map_or(reason.clone(), |(_, got)| got.to_owned())
        };
        outcomes.insert(case, got);
    }
    outcomes
}

/// `apps/v1/Deployment/shop/web` as we write it: `Deployment shop/web`.
fn resource(path: &str) -> String {
    let parts: Vec<_> = path.rsplitn(4, '/').collect();
    match parts.as_slice() {
        [name, "", kind, ..] => format!("{kind} {name}"),
        [name, namespace, kind, ..] => format!("{kind} {namespace}/{name}"),
        other => panic!("{path}: {other:?}"),
    }
}

/// A difference as the ledger writes it, without the reason why.
fn difference(folder: &str, case: &Case, kyverno: &str, trust: &str) -> Value {
    let (policy, rule, resource) = case;
    json!({"folder": folder, "policy": policy, "rule": rule, "resource": resource, "kyverno": kyverno, "trust": trust})
}

#[test]
fn every_case_comes_out_as_with_kyverno_or_is_on_the_ledger() {
    let Some(world) = World::with(&["kyverno"]) else { return };
    let folders = folders();
    assert!(folders.len() >= 4, "{folders:?}");
    let mut found = Vec::new();
    for folder in &folders {
        let ours = ours(&world, folder);
        assert!(!ours.is_empty(), "{} has no cases", folder.display());
        let theirs = theirs(&world, folder, &ours);
        for (case, (trust, _)) in &ours {
            let kyverno = theirs.get(case).map_or("absent", String::as_str);
            if kyverno != trust {
                found.push(difference(&name(folder), case, kyverno, trust));
            }
        }
    }
    let ledger = std::fs::read(manifest_folder().join("fixtures/kyverno-differences.json")).unwrap();
    let mut ledger: Vec<Value> = serde_json::from_slice(&ledger).unwrap();
    for entry in &mut ledger {
        let why = entry.as_object_mut().unwrap().remove("why");
        assert!(why.is_some_and(|why| why.as_str().is_some_and(|why| !why.is_empty())), "no reason: {entry}");
    }
    let lines = |values: Vec<&Value>| values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let unexpected = lines(found.iter().filter(|entry| !ledger.contains(entry)).collect());
    let stale = lines(ledger.iter().filter(|entry| !found.contains(entry)).collect());
    assert!(unexpected.is_empty() && stale.is_empty(), "unexpected:\n{unexpected}\nno longer so:\n{stale}");
}

/// The author's expectations are ours: each case of the folders comes out as its file says.
#[test]
fn our_own_folders_come_out_as_their_files_say() {
    let trust = e2e::trust::Trust::new().unwrap();
    let folder = manifest_folder().join("fixtures/kyverno-tests");
    let run = run(trust.command(["test"]).arg(folder)).unwrap();
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.trim_end().ends_with("Test Summary: 24 tests passed and 0 tests failed"),
        "{}",
        run.stdout
    );
}
