//! What entries of a test file stand for, and what reports say of files that cannot be run.

use crate::bad_policies::policy;
use crate::policies::images;
use crate::support::{CONFIG_MAP, Place};

/// A folder with a signed `ConfigMap prod/app`, and `other.yaml`, which no policy is about.
fn prepared() -> Place {
    let place = Place::signed(CONFIG_MAP);
    place.write("policy.yaml", policy(&place.read("cosign.pub")));
    place.write("other.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: other, namespace: prod}\n");
    place
}

fn test_file(place: &Place, results: &str) {
    let files = "policies: [policy.yaml]\nresources: [signed.yaml, other.yaml]\n";
    place.write("kyverno-test.yaml", format!("{files}results:\n{results}"));
}

fn entry(fields: &str) -> String {
    format!("- {{policy: signed, rule: by-us, {fields}}}\n")
}

#[test]
fn an_entry_stands_for_the_resources_that_its_rule_is_about() {
    let place = prepared();
    for (fields, code, rows) in [
        ("result: pass", 0, &["ConfigMap prod/app"][..]),
        ("resources: [], result: pass", 0, &["ConfigMap prod/app"]),
        ("kind: ConfigMap, result: pass", 0, &["ConfigMap prod/app"]),
        ("namespace: prod, result: pass", 0, &["ConfigMap prod/app"]),
        ("resources: ['*'], result: pass", 0, &["ConfigMap prod/app"]),
        ("resources: ['pr*/a?p'], result: pass", 0, &["ConfigMap prod/app"]),
        ("resources: ['prod/o*'], result: skip", 0, &["Service prod/other"]),
        ("resources: [other], result: skip", 0, &["Service prod/other"]),
        ("resources: ['test/*'], result: pass", 1, &["test/*"]),
        ("kind: Service, result: pass", 1, &["*"]),
        ("kind: Service, result: skip", 1, &["*"]),
    ] {
        test_file(&place, &entry(fields));
        let ran = place.run("test . -o json");
        let json = ran.json();
        let results = json["tests"][0]["results"].as_array().unwrap();
        let found: Vec<_> = results.iter().map(|row| row["resource"].as_str().unwrap()).collect();
        assert_eq!((ran.code, found.as_slice()), (Some(code), rows), "{fields}: {json:#}");
    }
}

#[test]
fn a_selector_chooses_among_what_an_entry_stands_for() {
    let place = prepared();
    for fields in ["result: pass", "resources: ['prod/*'], result: pass"] {
        test_file(&place, &entry(fields));
        for (selector, code) in [("app", 0), ("prod/app", 0), ("a*", 0), ("nope", 2)] {
            let ran = place.run(&format!("test . -t resource={selector}"));
            assert_eq!(ran.code, Some(code), "{fields} {selector}: {ran:?}");
        }
    }
}

#[test]
fn a_plain_name_is_also_that_of_a_policy_in_a_namespace() {
    let place = prepared();
    let namespaced = place
        .read("policy.yaml")
        .replace("kind: ClusterPolicy", "kind: Policy")
        .replace("  name: signed\n", "  name: signed\n  namespace: prod\n");
    place.write("policy.yaml", namespaced);
    for (name, code) in [("signed", 0), ("prod/signed", 0), ("test/signed", 1), ("igned", 1)] {
        test_file(&place, &entry("resources: [app], result: pass").replace("signed", name));
        let ran = place.run("test .");
        assert_eq!(ran.code, Some(code), "{name}: {ran:?}");
    }
    test_file(&place, &entry("resources: [nope], result: pass"));
    place.answers("test .", 1, &["no resource nope in the test's resources"]);
}

#[test]
fn a_generated_rule_speaks_for_its_base_rule() {
    let place = prepared();
    place.write("policy.yaml", images(&place.read("cosign.pub")).replace("name: images", "name: signed"));
    place.write(
        "other.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: '127.0.0.1:1/acme/web:1'}]}
",
    );
    test_file(&place, &entry("resources: [web], result: error"));
    let json = place.run("test . -o json").json();
    let results = json["tests"][0]["results"].as_array().unwrap();
    let rules: Vec<_> = results.iter().map(|row| &row["rule"]).collect();
    assert_eq!(rules, ["autogen-by-us"], "{json:#}");
}

#[test]
fn a_uid_in_a_file_makes_no_live_object() {
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\n  namespace: prod\nspec:\n  ports: [{port: 80}]\n";
    let place = Place::signed(service);
    place.write("policy.yaml", policy(&place.read("cosign.pub")).replace("[ConfigMap]", "[Service]"));
    place.write("other.yaml", CONFIG_MAP);
    // Allocated by the cluster, so tolerated in objects that come from one.
    let exported = place
        .read("signed.yaml")
        .replace("\nmetadata:\n", "\nmetadata:\n  uid: 2f8ac4a4-0000-4000-8000-000000000000\n")
        .replace("\nspec:\n", "\nspec:\n  clusterIP: 10.0.0.7\n  clusterIPs: [10.0.0.7]\n");
    place.write("signed.yaml", exported);
    test_file(&place, &entry("kind: Service, resources: [app], result: fail"));
    place.answers("test .", 0, &["Test Summary: 1 tests passed and 0 tests failed"]);
    place.answers("apply policy.yaml -r signed.yaml --live", 0, &["pass: 1, fail: 0"]);
}

#[test]
fn namespaces_among_the_resources_have_labels() {
    let place = prepared();
    let selecting = place.read("policy.yaml").replace(
        "          kinds: [ConfigMap]\n",
        "          kinds: [ConfigMap]\n          namespaceSelector: {matchLabels: {tier: gold}}\n",
    );
    place.write("policy.yaml", selecting);
    let of = |api_version: &str, tier: &str| {
        format!(
            "apiVersion: {api_version}\nkind: Namespace\nmetadata: {{name: prod, labels: {{tier: {tier}}}}}\n"
        )
    };
    let values = "values: {namespaceSelector: [{name: prod, labels: {tier: lead}}]}\n";
    for (namespace, values, result) in [
        (of("v1", "gold"), "", "pass"),
        (of("v1", "lead"), "", "skip"),
        (of("v1", "gold"), values, "skip"),
        (of("x.example/v1", "gold"), "", "error"),
    ] {
        place.write("other.yaml", &namespace);
        test_file(&place, &format!("{}{values}", entry(&format!("resources: [app], result: {result}"))));
        let ran = place.run("test .");
        assert_eq!(ran.code, Some(0), "{namespace} {values}: {ran:?}");
    }
}

#[test]
fn a_field_without_effect_is_named_with_its_file() {
    let place = prepared();
    test_file(&place, &format!("{}checks: []\n", entry("result: pass")));
    let ran = place.run("test .");
    assert_eq!(ran.stderr, "warning: kyverno-test.yaml:5:1: checks has no effect here\n", "{ran:?}");
}

/// A library of tests is one screen of warnings, however many files repeat what is to be said.
#[test]
fn a_library_of_tests_says_each_kind_of_warning_once() {
    let place = prepared();
    let other = "apiVersion: policies.kyverno.io/v1\nkind: ValidatingPolicy\nmetadata: {name: other}\n";
    let mistaken = policy(&place.read("cosign.pub")).replace("[ConfigMap]", "[ConfigMap, pods]");
    let signed = place.read("signed.yaml");
    for index in 0..200 {
        place.write(&format!("{index}/policy.yaml"), format!("{mistaken}---\n{other}"));
        place.write(&format!("{index}/signed.yaml"), &signed);
        let results = entry("result: pass, isMutatingPolicy: false");
        let files = "policies: [policy.yaml]\nresources: [signed.yaml]\nchecks: []\n";
        place.write(&format!("{index}/kyverno-test.yaml"), format!("{files}results:\n{results}"));
    }
    let ran = place.run("test .");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines: Vec<_> = ran.stderr.lines().collect();
    let kinds = "spec.rules[0].match.any[0].resources.kinds[1]: `pods` matches nothing";
    for (begin, end) in [
        (&*format!("warning: 0/policy.yaml:11:30: {kinds}"), "(also 1/policy.yaml:11:30, 10/policy.yaml"),
        ("warning: 0/kyverno-test.yaml:3:1: checks has no effect here (also 1/kyverno-test.yaml:3:1, ", ""),
        ("warning: 0/kyverno-test.yaml:5:47: isMutatingPolicy has no effect here (also 1/", ""),
    ] {
        let line = lines.iter().find(|line| line.starts_with(begin));
        let line = line.unwrap_or_else(|| panic!("no `{begin}` in\n{}", ran.stderr));
        assert!(line.contains(end) && line.ends_with(" and 196 more places)"), "{line}");
    }
    assert!(
        lines.contains(
            &"warning: 200 policies are not judged by kubectl trust (200 ValidatingPolicy): other, other, other and \
              197 more; the first is in 0/policy.yaml:24"
        ),
        "{}",
        ran.stderr
    );
    assert!(lines.len() <= 6, "{}", ran.stderr);
}

#[test]
fn a_file_that_cannot_be_run_is_in_every_report() {
    let place = prepared();
    test_file(&place, &entry("result: pass"));
    place.write("bad/kyverno-test.yaml", "policies: [nope.yaml]\nresults: []\n");
    let why = "bad/kyverno-test.yaml:1:12: policies[0]: bad/nope.yaml: no such file or directory";
    let json = place.run("test . -o json").json();
    let broken = &json["tests"][1];
    assert_eq!(
        (&broken["path"], &broken["error"]),
        (&"bad/kyverno-test.yaml".into(), &why.into()),
        "{json:#}"
    );
    assert_eq!(json["summary"]["errors"], 1, "{json:#}");
    for (format, expected) in [
        (
            "junit",
            format!(
                "<testcase classname=\"load\" name=\"load\" file=\"bad/kyverno-test.yaml\" line=\"1\"><error message=\"{why}\"/></testcase>"
            ),
        ),
        ("junit", "<testsuites tests=\"2\" failures=\"0\" errors=\"1\" skipped=\"0\">".to_owned()),
        ("markdown", format!("| 2 |  |  | bad/kyverno-test.yaml | Error | {why} |")),
    ] {
        let ran = place.run(&format!("test . -o {format}"));
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stdout.contains(&expected), "{format}: {}", ran.stdout);
    }
}

/// Policies of other kinds may stand in the same files; what is expected of them is nobody's here.
#[test]
fn a_policy_of_another_kind_is_not_handled_and_fails_no_file() {
    let place = Place::signed(CONFIG_MAP);
    let other = "apiVersion: policies.kyverno.io/v1alpha1\nkind: ValidatingPolicy\nmetadata: {name: other}\n";
    place.write("policy.yaml", format!("{}---\n{other}", policy(&place.read("cosign.pub"))));
    place.write(
        "kyverno-test.yaml",
        "policies: [policy.yaml]\nresources: [signed.yaml]\nresults:\n\
         - {policy: signed, rule: by-us, resources: [app], kind: ConfigMap, result: pass}\n\
         - {policy: other, rule: any, resources: [app], kind: ConfigMap, result: pass}\n",
    );
    let ran = place.run("test .");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("ValidatingPolicy other is not judged"), "{ran:?}");
    assert!(
        ran.stdout
            .ends_with("1 not handled by kubectl trust\nTest Summary: 1 tests passed and 0 tests failed\n"),
        "{ran:?}"
    );
}
