//! The table of what the API server does to objects, against a real one: what was signed is let in as it arrives at the
//! webhook, in a CREATE and in an UPDATE, and nothing else is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use e2e::operator::Guarded;
use e2e::trust::Trust;
use serde_json::{Value, json};

use super::fixtures::eventually;

/// Objects as people write them, a file each.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/tests/fixtures/defaults");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path().join("applied.yaml")).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

/// Every object must be signed, but those that the cluster itself makes.
fn policy(key: &str) -> Value {
    json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
        "metadata": {"name": "all-signed", "annotations": {"kubectl-trust.io/allow-namespace": "*"}},
        "spec": {"background": false, "rules": [{"name": "signed",
            "match": {"any": [{"resources": {"kinds": ["*"]}, "subjects": [{"kind": "User", "name": "admin"}]}]},
            "exclude": {"any": [{"resources": {"kinds": ["ClusterPolicy"]}}]},
            "validate": {"failureAction": "Enforce", "manifests": {"attestors": [{"entries": [
                {"keys": {"publicKeys": key}}]}]}}}]}})
}

/// Kinds that the API server asks no webhook about, and one that we never ask to be asked about.
const UNASKED: [&str; 5] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "Lease",
];

#[test]
fn objects_of_every_kind_are_let_in_as_signed_and_not_otherwise() {
    let Some(guarded) = Guarded::start().unwrap() else { return };
    guarded.api.namespace("defaults").unwrap();
    let trust = Trust::new().unwrap();
    trust.keygen("k").unwrap();
    let key = trust.read("k.pub").unwrap();
    guarded.apply(&policy(&key).to_string(), &[]).unwrap().success().unwrap();
    let unsigned = "{apiVersion: v1, kind: ConfigMap, metadata: {name: unsigned}}";
    guarded.until(unsigned, "defaults", |run| run.stderr.contains("denied the request")).unwrap();
    let (mut kinds, mut wrong) = (BTreeSet::new(), Vec::new());
    for file in files() {
        let name = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let signed = trust.path("signed.yaml");
        let line = format!("sign -f {} --key k.key -o {}", file.display(), signed.display());
        trust.run(&line).unwrap().success().unwrap();
        let signed = std::fs::read_to_string(&signed).unwrap();
        let object = common::yaml::read(signed.as_bytes()).unwrap().remove(0).value;
        kinds.insert(object["kind"].as_str().unwrap().to_owned());
        let apply = |object: &Value| guarded.apply(&object.to_string(), &["-n", "defaults"]).unwrap();
        let created = apply(&object);
        if created.code != 0 {
            wrong.push(format!("{name}: not created: {}", created.stderr));
            continue;
        }
        // As it is stored now, written once more; controllers may be faster.
        let api_version = object["apiVersion"].as_str().unwrap();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = object["kind"].as_str().unwrap();
        // In the version that was signed.
        let names = [&format!("{kind}.{version}.{group}"), object["metadata"]["name"].as_str().unwrap()];
        let mut last = String::new();
        eventually(&name, || {
            let get = ["get", names[0], names[1], "-n", "defaults", "-o", "json"];
            let stored = guarded.api.kubectl(get).unwrap().success().unwrap();
            let all = ["replace", "-f", "-", "-n", "defaults"];
            let again = guarded.api.kubectl_with(all, stored.as_bytes()).unwrap();
            last.clone_from(&again.stderr);
            again.code == 0 || !again.stderr.contains("object has been modified")
        });
        if last.contains("denied the request") {
            wrong.push(format!("{name}: not updated: {last}"));
        }
        let label = ["label", names[0], names[1], "-n", "defaults", "nobody-signed=this"];
        let labelled = guarded.api.kubectl(label).unwrap();
        if UNASKED.contains(&kind) == labelled.stderr.contains("denied the request") {
            wrong.push(format!("{name}: a change: {labelled:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(kinds.len() >= 30, "{kinds:?}");
}
