//! One mistake in every leaf of policies that use all fields: an error when the policy is read, at that very place.

use common::dialect::CompileErrors;
use common::object::{FieldPath, Segment};
use common::policy::wildcard;
use serde_json::{Value, json};

use crate::dialect::{FIXTURES, errors, keys, parent_mut, read, walk};

/// Leaves where every text is legal, and why. A path matches where it ends like this; `[]` is any index, `*` any key.
const FREE: &[(&str, &str)] = &[
    ("metadata.name", "the API server checks names of objects"),
    ("metadata.namespace", "the API server checks names of objects"),
    ("metadata.labels.*", "the API server checks labels"),
    ("metadata.annotations.policies.kyverno.io/severity", "a word for reports"),
    ("metadata.annotations.policies.kyverno.io/category", "a word for reports"),
    ("metadata.annotations.pod-policies.kyverno.io/autogen-controllers", "what is no controller is none"),
    ("category", "a word for reports"),
    ("rules[].name", "a name, as long as it is short enough"),
    ("reportProperties.*", "texts for reports"),
    ("message", "a text for people"),
    ("matchConditions[].name", "a name"),
    ("matchConditions[].expression", "CEL, which the API server reads when the policy is written"),
    ("context[].name", "a name"),
    ("configMap.name", "looked up by nobody here"),
    ("configMap.namespace", "looked up by nobody here"),
    ("imageExtractors.*[].path", "steps of a path, which may be called anything"),
    ("imageExtractors.*[].value", "a key of a map, which may be called anything"),
    ("imageExtractors.*[].name", "a name"),
    ("imageExtractors.*[].key", "a key of a map, which may be called anything"),
    ("attestations[].name", "a name"),
    ("trustRoot", "a name; one that stands for nothing is told by name"),
    ("exceptions[].policyName", "names a policy that may come later"),
    ("exceptions[].ruleNames[]", "names rules that may come later"),
];

/// What is a mistake at some leaves, and would be read by something that only looks for expressions.
const MISTAKES: &[(&str, &str)] = &[
    ("repository", "https://ghcr.io/acme/signatures"),
    ("rekor.pubkey", "/etc/rekor.pub"),
    ("ctlog.pubkey", "/etc/ctlog.pub"),
    ("tsaCertChain", "/etc/tsa.pem"),
    ("url", "rekor.corp.example"),
    ("publicKeys", "cosign.pub"),
    ("verifyImages[].key", "cosign.pub"),
    ("cert", "not PEM"),
    ("certChain", "not PEM"),
    ("roots", "not PEM"),
    ("certificateAuthorities", "not PEM"),
    ("rekorKeys", "not PEM"),
    ("ctLogKeys", "not PEM"),
    ("timestampAuthority", "not PEM"),
    ("subjectRegExp", "("),
    ("issuerRegExp", "a)|(b"),
    ("secret.name", "Not a Name"),
    ("secret.namespace", "Not a Name"),
    ("dryRun.namespace", "Not a Name"),
    ("annotationDomain", "not a domain"),
    ("secrets[]", "a/b/c"),
    ("kms", "file:///key"),
    ("ignoreFields[].fields[]", "spec..replicas"),
    ("kinds[]", "a/v1/C/d/e"),
    ("platform", "amd64"),
    ("newestBy", "a b"),
    ("jmesPath", "a b"),
    ("allowFinalizers[]", "example.com/*"),
];

/// Beginning of an expression that does not end: where expressions are read it is none, elsewhere none may be.
const UNCLOSED: &str = "{{ unclosed";

fn ends_like(path: &FieldPath, pattern: &str) -> bool {
    let steps = keys(path);
    let mut shown = String::new();
    for step in &steps {
        if *step != "[]" && !shown.is_empty() {
            shown.push('.');
        }
        shown.push_str(step);
    }
    wildcard::matches(&format!("*.{pattern}"), &format!(".{shown}"))
}

fn leaf(value: &Value) -> bool {
    !value.is_object() && !value.is_array() && !value.is_null()
}

fn refused(document: &Value, path: &FieldPath, wrong: &Value) -> CompileErrors {
    let mut broken = document.clone();
    let (parent, last) = parent_mut(&mut broken, path);
    match last {
        Segment::Key(key) => parent[key.as_str()] = wrong.clone(),
        Segment::Index(index) => parent[index] = wrong.clone(),
    }
    errors(&broken)
}

fn material(pointer: &str) -> Value {
    let manifests = read(FIXTURES[0].1);
    let entries = "/spec/rules/0/validate/manifests/attestors/0/entries";
    manifests.pointer(&format!("{entries}{pointer}")).unwrap().clone()
}

/// Our own kinds, with every field.
fn own_kinds() -> Vec<Value> {
    let (keys, roots) = (material("/0/keys/publicKeys"), material("/2/attestor/entries/1/keyless/roots"));
    let log = material("/2/attestor/entries/1/keyless/rekor/pubkey");
    let attestors = json!([{"count": 1, "entries": [
        {"keys": {"publicKeys": keys, "trustRoot": "corp"}, "annotations": {"team": "platform"},
            "repository": "ghcr.io/acme/signatures"},
        {"keys": {"secret": {"name": "cosign", "namespace": "trust"}}},
        {"keys": {"kms": "awskms:///alias/k"}},
        {"certificates": {"cert": roots, "certChain": roots, "trustRoot": "corp"}},
        {"keyless": {"subject": "a@corp.example", "issuerRegExp": "https://.*[.]corp[.]example",
            "additionalExtensions": {"githubWorkflowTrigger": "push"}}},
    ]}]);
    let about = json!({"any": [{"resources": {"kinds": ["Pod"], "names": ["*"], "operations": ["CREATE"]}}]});
    let conditions = json!([{"all": [{"key": "{{ critical }}", "operator": "Equals", "value": "none",
        "message": "too many"}]}]);
    let images = json!({"name": "images", "match": about, "failureAction": "Enforce",
        "context": [{"name": "owner", "variable": {"value": "{{ request.name }}", "jmesPath": "a.b"}}],
        "verifyImages": [{"imageReferences": ["ghcr.io/acme/*"], "skipImageReferences": ["ghcr.io/acme/x/*"],
            "signatureFormat": "Any", "signedReference": "Exact", "platform": "linux/amd64",
            "newestBy": "metadata.time", "repository": "ghcr.io/acme/signatures",
            "imageRegistryCredentials": {"secrets": ["trust/pull"]}, "attestors": attestors,
            "attestations": [{"name": "scan", "type": "https://example.com/scan", "attestors": attestors,
                "conditions": conditions}],
            "validate": {"message": "no", "deny": {"conditions": {"any": [
                {"key": "{{ scan.high }}", "operator": "GreaterThan", "value": 5}]}}}}]});
    let manifests = json!({"name": "manifests", "match": about, "validate": {"manifests": {
        "attestors": attestors, "annotationDomain": "corp.example", "matching": "Strict",
        "allowNamespaces": ["prod"], "allowFinalizers": ["example.com/keep"],
        "ignoreFields": [{"objects": [{"kind": "Deployment"}], "fields": ["spec.replicas"]}]}}});
    let root = json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "TrustRoot", "metadata": {"name": "corp"},
        "spec": {"pem": {"certificateAuthorities": roots, "rekorKeys": log, "ctLogKeys": log,
            "timestampAuthority": roots}}});
    let policy = json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "ClusterTrustPolicy",
        "metadata": {"name": "own"}, "spec": {"background": false, "failurePolicy": "Fail", "severity": "high",
            "category": "c", "autogenControllers": ["Deployment"],
            "failureActionOverrides": [{"action": "Audit", "namespaces": ["dev-*"]}],
            "rules": [images, manifests]}});
    vec![policy, root]
}

/// What Kyverno's policies may say and none of the fixtures does.
fn more_of_kyverno() -> Value {
    let mut document = read(FIXTURES[1].1);
    let (roots, log) = (
        material("/2/attestor/entries/1/keyless/roots"),
        material("/2/attestor/entries/1/keyless/rekor/pubkey"),
    );
    let entry = document.pointer_mut("/spec/rules/0/verifyImages/0").unwrap();
    entry["mutateDigest"] = json!(false);
    entry["attestors"][0]["entries"] = json!([
        {"repository": "ghcr.io/acme/other", "certificates": {"cert": roots, "certChain": roots,
            "rekor": {"url": "https://rekor.corp.example", "pubkey": log},
            "ctlog": {"pubkey": log, "tsaCertChain": roots}}},
        {"keyless": {"subject": "a@corp.example", "issuer": "https://id.corp.example", "roots": roots,
            "rekor": {"pubkey": log}, "ctlog": {"pubkey": log, "tsaCertChain": roots}}},
    ]);
    document["spec"]["rules"][0]["imageExtractors"]["Workflow"][0]["jmesPath"] =
        json!("trim_prefix(@, 'docker://')");
    document
}

/// What is wrong in a leaf, and the rows above by which it is.
fn mistakes(path: &FieldPath, value: &Value, used: &mut Vec<&'static str>) -> Vec<Value> {
    if !value.is_string() {
        // The value of a condition is of any type.
        return if keys(path).last() == Some(&"value") { vec![] } else { vec![json!({"a": "map"})] };
    }
    let rows = |rows: &'static [(&'static str, &'static str)]| {
        rows.iter().filter(|(pattern, _)| ends_like(path, pattern)).collect::<Vec<_>>()
    };
    let (free, special) = (rows(FREE), rows(MISTAKES));
    used.extend(free.iter().chain(&special).map(|(pattern, _)| *pattern));
    let unclosed = free.is_empty().then(|| json!(UNCLOSED));
    special.into_iter().map(|(_, text)| json!(text)).chain(unclosed).collect()
}

/// Leaves that are read, with their values.
fn leaves(document: &Value) -> Vec<(FieldPath, Value)> {
    const UNREAD: [&str; 6] =
        ["context", "preconditions", "pattern", "mutate", "generate", "imageExtractors"];
    let other_rules = document["metadata"]["name"] == "other-rules";
    let mut leaves = Vec::new();
    walk(document, &FieldPath::root(), &mut |path, value| {
        let keys = keys(path);
        let what = keys.len() == 1 && ["apiVersion", "kind"].contains(&keys[0]);
        let unread = other_rules && keys.iter().any(|key| UNREAD.contains(key));
        if leaf(value) && !what && !unread {
            leaves.push((path.clone(), value.clone()));
        }
    });
    leaves
}

/// Of what is not supported only the form is read: nobody looks into it.
#[test]
fn certificates_for_notary_need_no_more_than_their_form() {
    let mut document = read(FIXTURES[1].1);
    let empty = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    let entry = document.pointer_mut("/spec/rules/0/verifyImages/0").unwrap();
    entry["type"] = json!("Notary");
    entry.as_object_mut().unwrap().remove("attestations");
    entry.as_object_mut().unwrap().remove("validate");
    for (text, refused) in [(empty, false), ("{{ certs.data.cert }}", false), ("not PEM", true)] {
        document["spec"]["rules"][0]["verifyImages"][0]["attestors"] =
            json!([{"entries": [{"certificates": {"cert": text}}]}]);
        assert_eq!(!errors(&document).0.is_empty(), refused, "{text}: {}", errors(&document));
    }
}

#[test]
fn every_mistake_in_a_leaf_is_an_error_at_its_path_when_the_policy_is_read() {
    let mut documents: Vec<_> = FIXTURES.iter().map(|(_, yaml)| read(yaml)).collect();
    documents.extend(own_kinds());
    documents.push(more_of_kyverno());
    let (mut used, mut made, mut unseen) = (Vec::new(), 0, Vec::new());
    for document in &documents {
        assert!(errors(document).0.is_empty(), "{}", errors(document));
        for (path, value) in leaves(document) {
            let wrong = mistakes(&path, &value, &mut used);
            made += wrong.len();
            let found = wrong.into_iter().map(|wrong| (refused(document, &path, &wrong), wrong));
            let missed = found.filter(|(found, _)| !found.0.iter().any(|error| error.path == path));
            unseen.extend(missed.map(|(found, wrong)| format!("{path} = {wrong} gives {found}")));
        }
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
    assert!(made > 250, "{made} mistakes");
    let known = FREE.iter().chain(MISTAKES).map(|(pattern, _)| *pattern);
    let unused: Vec<_> = known.filter(|pattern| !used.contains(pattern)).collect();
    assert!(unused.is_empty(), "nothing ends like {unused:?}");
    assert!(FREE.iter().all(|(_, why)| !why.is_empty()));
}
