//! Policies and test files with mistakes: the place, the field, and what was meant.

use crate::support::{CONFIG_MAP, Place};

/// A policy about config maps, with this public key.
pub(crate) fn policy(key: &str) -> String {
    let key: String = key.lines().map(|line| format!("                {line}\n")).collect();
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: signed
spec:
  rules:
  - name: by-us
    match:
      any:
      - resources:
          kinds: [ConfigMap]
    validate:
      failureAction: Enforce
      manifests:
        attestors:
        - entries:
          - keys:
              publicKeys: |-
{key}"
    )
}

#[test]
fn every_mistake_has_a_place() {
    let place = Place::signed(CONFIG_MAP);
    let good = policy(&place.read("cosign.pub"));
    let changes = [
        (
            "        attestors:\n",
            "        attestor:\n",
            "policy.yaml:15:9: spec.rules[0].validate.manifests.attestor: unknown field, did you mean `attestors`?",
        ),
        (
            "          kinds: [ConfigMap]",
            "          kinds: ConfigMap",
            "policy.yaml:11:11: spec.rules[0].match.any[0].resources.kinds: must be a list, found a string",
        ),
        (
            "        - entries:\n",
            "        - count: 3\n          entries:\n",
            "spec.rules[0].validate.manifests.attestors[0].count: 3 signatures are required of 1 entries",
        ),
        (
            "-----END",
            "-----ENDE",
            "policy.yaml:18:15: spec.rules[0].validate.manifests.attestors[0].entries[0].keys.publicKeys: ",
        ),
        (
            "          - keys:\n",
            "          - repository: https://ghcr.io/acme\n            keys:\n",
            "policy.yaml:17:13: spec.rules[0].validate.manifests.attestors[0].entries[0].repository: `https:` is not the name of a registry",
        ),
        (
            "          - keys:\n",
            "          - keys:\n              rekor: {pubkey: /etc/rekor.pub}\n",
            "policy.yaml:18:23: spec.rules[0].validate.manifests.attestors[0].entries[0].keys.rekor.pubkey: not a key: no PEM block",
        ),
        (
            "        attestors:\n",
            "        ignoreFields:\n        - fields: [spec..replicas]\n        attestors:\n",
            "policy.yaml:16:20: spec.rules[0].validate.manifests.ignoreFields[0].fields[0]: cannot ignore \"spec..replicas\": a step of the path is empty",
        ),
        (
            "kyverno.io/v1",
            "kyverno.io/v9",
            "policy.yaml:1:1: apiVersion: `kyverno.io/v9` `ClusterPolicy` is not a policy",
        ),
    ];
    for (old, new, words) in changes {
        assert!(good.contains(old), "{old}");
        place.write("policy.yaml", good.replace(old, new));
        place.refuses("apply policy.yaml -r signed.yaml", &[words]);
        place.refuses("explain -f signed.yaml --policy policy.yaml", &[words]);
    }
    for (tail, words) in
        [("", "policy.yaml:5:1: spec.rules: "), ("\n  rules: []", "policy.yaml:6:3: spec.rules: ")]
    {
        let (head, _) = good.split_once("\n  rules:").unwrap();
        place.write("policy.yaml", format!("{head}{}{tail}\n", if tail.is_empty() { " {}" } else { "" }));
        place.refuses("apply policy.yaml -r signed.yaml", &[words]);
    }
    let (head, _) = good.split_once("        attestors:").unwrap();
    place.write("policy.yaml", head.to_owned() + "        attestors: []\n");
    place.refuses(
        "apply policy.yaml -r signed.yaml",
        &["policy.yaml:15:9: spec.rules[0].validate.manifests.attestors: "],
    );
}

#[test]
fn the_second_document_has_its_own_lines() {
    let place = Place::signed(CONFIG_MAP);
    let good = policy(&place.read("cosign.pub"));
    let bad = good.replace("name: signed", "name: second").replace("failureAction", "failureActoin");
    place.write("policies.yaml", format!("{good}---\n{bad}"));
    let line = good.lines().count() + 1 + 13;
    let words = format!(
        "policies.yaml:{line}:7: spec.rules[0].validate.failureActoin: unknown field, did you mean `failureAction`?"
    );
    place.refuses("apply policies.yaml -r signed.yaml", &[&words]);
    place.write("policies.yaml", format!("{good}---\n{good}"));
    place.refuses("apply policies.yaml -r signed.yaml", &["there are two policies of the name signed"]);
}

#[test]
fn mistakes_of_several_files_are_shown_together() {
    let place = Place::signed(CONFIG_MAP);
    let bad = policy(&place.read("cosign.pub")).replace("failureAction", "failureActoin");
    place.write("a.yaml", &bad);
    place.write("b.yaml", &bad);
    place.refuses("apply a.yaml b.yaml -r signed.yaml", &["error: a.yaml:13:7: ", "\n       b.yaml:13:7: "]);
}

#[test]
fn what_is_no_policy_is_not_taken_for_one() {
    let place = Place::signed(CONFIG_MAP);
    place.refuses(
        "apply signed.yaml -r signed.yaml",
        &["signed.yaml:1:1: apiVersion: `v1` `ConfigMap` is not a policy"],
    );
    place.write("empty.yaml", "# nothing\n");
    place.refuses("apply empty.yaml -r signed.yaml", &["empty.yaml: holds no policy"]);
    place.write("list.yaml", "- a\n");
    place.refuses("apply list.yaml -r signed.yaml", &["list.yaml:1:1: "]);
}

#[test]
fn a_test_file_names_what_is_wrong_with_it() {
    let place = Place::signed(CONFIG_MAP);
    place.write("policy.yaml", policy(&place.read("cosign.pub")));
    let good = "policies: [policy.yaml]\nresources: [signed.yaml]\nresults:\n- policy: signed\n  rule: by-us\n  resources: [app]\n  kind: ConfigMap\n  result: pass\n";
    for (old, new, words) in [
        ("[policy.yaml]", "[nope.yaml]", "kyverno-test.yaml:1:12: policies[0]: nope.yaml: no such file"),
        ("[signed.yaml]", "[nope.yaml]", "kyverno-test.yaml:2:13: resources[0]: nope.yaml: no such file"),
        ("[policy.yaml]", "[]", "kyverno-test.yaml:1:1: policies: a test names at least one"),
        ("[policy.yaml]", "policy.yaml", "kyverno-test.yaml:1:1: policies: expected a list"),
        ("results:", "reslts:", "kyverno-test.yaml:3:1: reslts: unknown field, did you mean `results`?"),
        (
            "result: pass",
            "reslt: pass",
            "kyverno-test.yaml:8:3: results[0].reslt: unknown field, did you mean `result`?",
        ),
        (
            "result: pass",
            "result: good",
            "kyverno-test.yaml:8:3: results[0].result: `good` is none of pass, fail, skip, warn, error",
        ),
        (
            "result: pass",
            "operation: EAT\n  result: pass",
            "kyverno-test.yaml:8:3: results[0].operation: `EAT` is none of",
        ),
        (
            "results:",
            "variables: nope.yaml\nresults:",
            "kyverno-test.yaml:3:1: variables: nope.yaml: no such file",
        ),
    ] {
        assert!(good.contains(old), "{old}");
        place.write("kyverno-test.yaml", good.replace(old, new));
        let ran = place.run("test .");
        assert_eq!(ran.code, Some(2), "{words}: {ran:?}");
        ran.says("test .", &[words, "error: "]);
    }
    place.write("kyverno-test.yaml", good);
    place.answers("test .", 0, &["Test Summary: 1 tests passed and 0 tests failed"]);
}

#[test]
fn no_tests_are_no_success() {
    let place = Place::empty();
    let ran = place.run("test .");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), "No test yamls available\n"), "{ran:?}");
    assert_eq!(place.run("test . --require-tests").code, Some(2));
    place.write("kyverno-test.yaml", "");
    assert_eq!(place.run("test .").code, Some(2));
}
