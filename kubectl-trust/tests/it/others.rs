//! Policies, values and tests as other projects write them.

use std::time::{Duration, Instant};

use crate::bad_policies::policy;
use crate::support::{CONFIG_MAP, Place};

/// Rules for Pods: one that is not ours, with a name that its test expects also of what is generated from it.
const NO_LATEST: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-latest}
spec:
  rules:
  - name: tag
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {message: no latest, pattern: {spec: {containers: [{image: '!*:latest'}]}}}
";

const WORKLOADS: &str = "apiVersion: v1
kind: Pod
metadata: {name: p, namespace: d}
spec: {containers: [{name: c, image: 'nginx:latest'}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dep, namespace: d}
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'nginx:latest'}]}}
";

/// A rule of ours about `ConfigMap`s under a precondition, which nothing keeps.
fn on_condition(kind: &str, key: &str, value: &str) -> String {
    let metadata = if kind == "Policy" { "{name: p, namespace: prod}" } else { "{name: p}" };
    format!(
        "apiVersion: kyverno.io/v1\nkind: {kind}\nmetadata: {metadata}\nspec:\n  background: false\n  \
         validationFailureAction: Enforce\n  rules:\n  - name: a\n    match: {{any: [{{resources: {{kinds: [ConfigMap]}}}}]}}\n    \
         preconditions: {{all: [{{key: '{{{{ {key} }}}}', operator: Equals, value: '{value}'}}]}}\n    \
         validate: {{manifests: {{attestors: [{{entries: [{{keys: {{publicKeys: 'k8s://a/b'}}}}]}}]}}}}\n"
    )
}

fn case(rule: &str, kind: &str, resource: &str) -> String {
    format!("- {{policy: no-latest, rule: {rule}, kind: {kind}, resources: ['{resource}'], result: fail}}\n")
}

#[test]
fn rules_of_other_types_are_known_for_controllers_and_never_fail() {
    let place = Place::empty();
    place.write("policy.yaml", NO_LATEST);
    place.write("res.yaml", WORKLOADS);
    let cases = [
        case("tag", "Pod", "d/p"),
        case("tag", "Deployment", "d/dep"),
        case("autogen-tag", "Deployment", "d/dep"),
        // Neither is judged, so neither is wrong.
        case("autogen-cronjob-tag", "Deployment", "d/dep"),
        case("other", "Pod", "d/p"),
    ];
    let test = |cases: &[String]| {
        format!("policies: [policy.yaml]\nresources: [res.yaml]\nresults:\n{}", cases.concat())
    };
    place.write("kyverno-test.yaml", test(&cases));
    let said = "5 not handled by kubectl trust\nTest Summary: 0 tests passed and 0 tests failed\n";
    place.answers("test .", 2, &["no-latest/autogen-tag", said]);
    // Several documents are several tests, and a wrong one does not hide the others.
    place.write(
        "kyverno-test.yaml",
        [test(&cases), test(&cases[..1]), "results: []\n".to_owned()].join("---\n"),
    );
    let six = "6 not handled by kubectl trust";
    place.answers("test .", 2, &[six, "kyverno-test.yaml:15:1: policies: a test names at least one"]);
}

#[test]
fn what_was_not_handled_is_never_trusted_in_silence() {
    let place = Place::signed(CONFIG_MAP);
    let ours = policy(&place.read("cosign.pub"));
    let other = "  - name: labels\n    match: {any: [{resources: {kinds: [ConfigMap]}}]}\n    \
                 validate: {message: m, pattern: {metadata: {labels: {a: '?*'}}}}\n";
    place.write("policy.yaml", &ours);
    place.write("mixed.yaml", format!("{}\n{other}", ours.trim_end()));
    place.answers("apply policy.yaml -r signed.yaml", 0, &["pass: 1, fail: 0, warn: 0, error: 0, skip: 0"]);
    let not_handled = [
        "rule type `validate.pattern` is not handled",
        "pass: 1, fail: 0, warn: 0, error: 0, skip: 1",
        "1 rule was not handled by kubectl trust",
    ];
    place.answers("apply mixed.yaml -r signed.yaml", 2, &not_handled);
    place.answers("apply mixed.yaml -r app.yaml", 1, &["fail: 1"]);
    place.answers("explain -f signed.yaml --policy mixed.yaml", 2, &["not handled"]);
}

#[test]
fn what_the_policies_want_skipped_is_no_failure() {
    let place = Place::empty();
    place.write("app.yaml", CONFIG_MAP);
    place.write("policy.yaml", on_condition("ClusterPolicy", "who", "bob"));
    place.answers(
        "apply policy.yaml -r app.yaml -s who=alice",
        0,
        &["skip: 1", "skip every rule themselves"],
    );
    place.answers("apply policy.yaml -r app.yaml -s who=bob", 1, &["fail: 1"]);
    place.write("exception.yaml", "apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {name: e, namespace: prod}\n\
        spec: {exceptions: [{policyName: p, ruleNames: [a]}], match: {any: [{resources: {kinds: [ConfigMap]}}]}}\n");
    place.answers("apply policy.yaml -r app.yaml -s who=bob -e exception.yaml", 0, &["skip: 1"]);
    // That no rule is about it is nobody's wish.
    place.write("pod.yaml", WORKLOADS);
    place.answers("apply policy.yaml -r pod.yaml", 2, &["no rule is about these resources"]);
}

#[test]
fn values_of_files_count_where_they_belong() {
    let place = Place::empty();
    place.write("app.yaml", CONFIG_MAP);
    place.write("policy.yaml", on_condition("ClusterPolicy", "who", "bob"));
    let values = |name: &str, fields: &str| format!("policies: [{{name: {name}, {fields}}}]\n");
    let of_object = "resources: [{name: app, values: {who: bob}}]";
    for (file, code) in [
        (values("p", of_object), 1),
        (values("p", "rules: [{name: a, values: {who: bob}}]"), 1),
        (values("p", "rules: [{name: b, values: {who: bob}}, {name: a, values: {who: alice}}]"), 0),
        (values("q", of_object), 2),
        ("globalValues: {who: bob}\nnamespaces: null\nsubresources: []\n".to_owned(), 1),
    ] {
        place.write("values.yaml", &file);
        place.answers("apply policy.yaml -r app.yaml -f values.yaml", code, &[]);
        place.answers("apply policy.yaml -r app.yaml -f values.yaml -s who=alice", 0, &["skip: 1"]);
    }
    place.write("policy.yaml", on_condition("Policy", "who", "bob"));
    for name in ["p", "prod/p"] {
        place.write("values.yaml", values(name, of_object));
        place.answers("apply policy.yaml -r app.yaml -f values.yaml", 1, &["fail: 1"]);
    }
}

#[test]
fn the_operation_of_values_is_that_of_the_request() {
    let place = Place::empty();
    place.write("app.yaml", CONFIG_MAP);
    let policy = on_condition("ClusterPolicy", "request.operation", "UPDATE");
    place.write(
        "policy.yaml",
        policy.replace("kinds: [ConfigMap]", "kinds: [ConfigMap], operations: [UPDATE]"),
    );
    place.answers("apply policy.yaml -r app.yaml", 2, &["no rule is about these resources"]);
    place.answers("apply policy.yaml -r app.yaml -s request.operation=UPDATE", 1, &["fail: 1"]);
    place.write(
        "values.yaml",
        "policies: [{name: p, rules: [{name: a, values: {request.operation: UPDATE}}]}]\n",
    );
    place.answers("apply policy.yaml -r app.yaml -f values.yaml", 1, &["fail: 1"]);
    // What a case says of its own request wins.
    let case = "- {policy: p, rule: a, resources: [app], result: skip, operation: CREATE}\n";
    let test = "policies: [policy.yaml]\nresources: [app.yaml]\nvariables: values.yaml\nresults:\n";
    place.write(
        "kyverno-test.yaml",
        format!("{test}{case}{}", case.replace("skip, operation: CREATE", "fail")),
    );
    place.answers("test .", 0, &["2 tests passed"]);
}

#[test]
fn labels_of_namespaces_come_from_values_and_from_resources() {
    let place = Place::empty();
    place.write("app.yaml", CONFIG_MAP);
    let rule = on_condition("ClusterPolicy", "request.namespace", "prod");
    let selected = "kinds: [ConfigMap], namespaceSelector: {matchLabels: {team: a}}";
    place.write("policy.yaml", rule.replace("kinds: [ConfigMap]", selected));
    let namespace = |team: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: prod, labels: {{team: {team}}}}}\n")
    };
    place.answers("apply policy.yaml -r app.yaml", 2, &["and those of `prod` are not known", "error: 1"]);
    for (team, code) in [("a", 1), ("b", 2)] {
        place.write("ns.yaml", namespace(team));
        place.answers("apply policy.yaml -r app.yaml -r ns.yaml", code, &[]);
        let values = format!("namespaces:\n- {}", namespace(team).trim_end().replace('\n', "\n  "));
        place.write("values.yaml", values);
        place.answers("apply policy.yaml -r app.yaml -f values.yaml", code, &[]);
    }
    // Of a rule that is not ours nothing depends on them.
    place.write("other.yaml", NO_LATEST.replace("kinds: [Pod]", selected));
    place.answers("apply other.yaml -r app.yaml", 2, &["not-handled", "error: 0, skip: 1"]);
}

#[test]
fn a_folder_may_hold_more_than_policies_and_manifests() {
    let place = Place::signed(CONFIG_MAP);
    place.write("lib/a/policy.yaml", policy(&place.read("cosign.pub")));
    place.write("lib/a/kustomization.yaml", "resources: [policy.yaml]\n");
    place.write("lib/a/values.yaml", "image: {tag: 1}\n");
    place.write("lib/a/pod.yaml", WORKLOADS);
    place.write("lib/a/empty.yaml", "# nothing\n");
    let passed_over = "4 documents passed over, of other kinds: lib/a/kustomization.yaml, lib/a/pod.yaml, lib/a/values.yaml";
    place.answers("apply lib -r signed.yaml", 0, &["pass: 1", passed_over]);
    // One that was named itself was meant.
    for file in ["kustomization.yaml", "pod.yaml", "values.yaml", "empty.yaml"] {
        place.refuses(
            &format!("apply lib/a/policy.yaml lib/a/{file} -r signed.yaml"),
            &[&format!("lib/a/{file}")],
        );
    }
    // So was one that is only misspelt.
    place.write("lib/b/typo.yaml", "apiVersion: kyverno.io/v1\nkind: ClusterPolcy\nmetadata: {name: a}\n");
    place.refuses("apply lib -r signed.yaml", &["lib/b/typo.yaml:1:1", "`ClusterPolcy` is not a policy"]);
    // And so were those in a list, which is no policy: passed over, they would be missing.
    let listed = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: a}}\n";
    place.write("lib/b/typo.yaml", listed);
    place.refuses("apply lib -r signed.yaml", &["lib/b/typo.yaml:1:1", "`List` is not a policy"]);
    place.write("lib/b/typo.yaml", "kind: Deployment\nreplicas: 1\n");
    place.write("none/values.yaml", "image: {tag: 1}\n");
    place.refuses("apply none -r signed.yaml", &["none: no policy in this folder"]);
    place.refuses("verify -f none --key cosign.pub", &["none: no Kubernetes object in this folder"]);
    place.write("app/signed.yaml", place.read("signed.yaml"));
    place.write(
        "app/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    );
    place.write("app/values.yaml", "kind: Deployment\nreplicas: 1\n");
    place.answers("verify -f app --key cosign.pub", 0, &["1 of 1 trusted", "2 documents passed over"]);
    let before = place.read("app/values.yaml");
    let ran = place.run("sign -f app --key cosign.key --in-place");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.says("sign", &["app/signed.yaml: 1 document already signed by this key", "2 documents passed over"]);
    assert_eq!(place.read("app/values.yaml"), before);
    let nothing = "no Kubernetes object in these folders; nothing was signed";
    place.refuses("sign -f none --key cosign.key", &[nothing]);
    place.answers(
        "verify -f app -f app/values.yaml --key cosign.pub",
        2,
        &["a Kubernetes manifest has apiVersion"],
    );
    // What was meant as an object and is none is no reason to trust the folder.
    place.write("app/typo.yaml", "apiVersoin: v1\nkind: Pod\nmetadata: {name: a}\n");
    place.answers("verify -f app --key cosign.pub", 2, &["app/typo.yaml", "1 could not be checked"]);
}

#[test]
fn exceptions_from_policies_of_other_kinds_are_not_judged() {
    let place = Place::empty();
    place.write("policy.yaml", NO_LATEST);
    place.write("res.yaml", WORKLOADS);
    place.write("exception.yaml", "apiVersion: policies.kyverno.io/v1\nkind: PolicyException\nmetadata: {name: legacy, namespace: ops}\n\
        spec: {policyRefs: [{name: check-images, kind: ImageValidatingPolicy}]}\n");
    let test = "policies: [policy.yaml]\nexceptions: [exception.yaml]\nresources: [res.yaml]\nresults:\n";
    place.write("kyverno-test.yaml", format!("{test}{}", case("tag", "Pod", "d/p")));
    place.answers("test .", 2, &["PolicyException legacy is not judged by kubectl trust", "1 not handled"]);
    place.write(
        "exception.yaml",
        "apiVersion: policies.kyverno.io/v1\nkind: ValidatingPolicy\nmetadata: {name: vp}\n",
    );
    place.answers("test .", 2, &["the policy vp stands among the exceptions"]);
}

/// An API server makes `data` of `stringData`, which wins.
#[test]
fn a_secret_gives_its_key_however_it_is_written() {
    let place = Place::signed(CONFIG_MAP);
    let (key, other) = (place.read("cosign.pub"), place.read("other.pub"));
    let indented = |key: &str| format!("    {}\n", key.trim_end().replace('\n', "\n    "));
    let encoded = |key: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key);
    let secret =
        |fields: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: b, namespace: a}}\n{fields}");
    let text = |key: &str| format!("stringData:\n  cosign.pub: |\n{}", indented(key));
    let data = |key: &str| format!("data: {{cosign.pub: {}}}\n", encoded(key));
    place.write("policy.yaml", on_condition("ClusterPolicy", "request.namespace", "prod"));
    place.write(
        "kyverno-test.yaml",
        "policies: [policy.yaml]\nresources: [signed.yaml, secret.yaml]\nresults:\n\
        - {policy: p, rule: a, resources: [app], result: pass}\n",
    );
    for (fields, code) in [
        (data(&key), 0),
        (text(&key), 0),
        (data(&other) + &text(&key), 0),
        (data(&key) + &text(&other), 1),
        ("data: {}\n".to_owned(), 1),
    ] {
        place.write("secret.yaml", secret(&fields));
        assert_eq!(place.run("test .").code, Some(code), "{fields}");
    }
}

/// Git leaves a link as a file with its path where there are no links.
#[test]
fn images_may_be_a_file_that_names_the_folder() {
    let place = Place::empty();
    place.write("policy.yaml", NO_LATEST);
    place.write("res.yaml", WORKLOADS);
    place.write(
        "kyverno-test.yaml",
        format!("policies: [policy.yaml]\nresources: [res.yaml]\nresults:\n{}", case("tag", "Pod", "d/p")),
    );
    place.write("images", "../nowhere");
    place.answers("test .", 2, &["images: names no folder: ../nowhere"]);
    place.write("recorded/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
    place.write("recorded/index.json", "{\"schemaVersion\": 2, \"manifests\": []}");
    place.write("images", "recorded\n");
    place.answers("test .", 2, &["1 not handled"]);
}

#[test]
fn thousands_of_cases_that_are_not_ours_take_no_time() {
    let place = Place::empty();
    let cases: String = (0..20).map(|n| case("tag", "Pod", &format!("d/p{n}"))).collect();
    let pods: Vec<_> = (0..20)
        .map(|n| WORKLOADS.split("---\n").next().unwrap().replace("name: p,", &format!("name: p{n},")))
        .collect();
    for folder in 0..242 {
        place.write(&format!("{folder}/policy.yaml"), NO_LATEST);
        place.write(&format!("{folder}/res.yaml"), pods.join("---\n"));
        place.write(
            &format!("{folder}/kyverno-test.yaml"),
            format!("policies: [policy.yaml]\nresources: [res.yaml]\nresults:\n{cases}"),
        );
    }
    let start = Instant::now();
    let ran = place.run("test .");
    let took = start.elapsed();
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stdout.ends_with(
            "4840 not handled by kubectl trust\nTest Summary: 0 tests passed and 0 tests failed\n"
        )
    );
    // Unoptimised, beside other tests.
    assert!(took < Duration::from_secs(15), "{took:?}");
}
