//! What policies, exceptions, values and users decide, in every format.

use crate::bad_policies::policy;
use crate::support::{CONFIG_MAP, Place};

/// Policies, resources and test files for sessions.
pub(crate) fn set_up(place: &Place) {
    let signed = policy(&place.read("cosign.pub"));
    place.write("policy.yaml", &signed);
    let audit = signed.replace("name: signed", "name: audited").replace("Enforce", "Audit");
    place.write("audit.yaml", audit);
    place.write("unsigned.yaml", CONFIG_MAP);
    place.write("other.yaml", policy(&place.read("other.pub")));
    let (head, _) = signed.split_once("          - keys:").unwrap();
    let identity = "          - keyless: {subject: a@example.com, issuer: 'https://example.com'}\n";
    place.write("keyless.yaml", format!("{head}{identity}"));
    place.write("void/kyverno-test.yaml", "policies: [../policy.yaml]\nresults: []\n");
    place.write("lost/kyverno-test.yaml", LOST);
    place.write("changed.yaml", place.read("signed.yaml").replace("a: one", "a: two"));
    place.write("mixed.yaml", MIXED);
    place.write("images.yaml", images(&place.read("cosign.pub")));
    place.write("pod.yaml", POD);
    place.write("exception.yaml", EXCEPTION);
    let values = signed.replace("name: signed", "name: of-team").replace(
        "    validate:\n",
        "    preconditions:\n      all:\n      - key: '{{ team }}'\n        operator: Equals\n        value: ours\n    validate:\n",
    );
    place.write("values.yaml", values);
    place.write(
        "values-file.yaml",
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: Values\nglobalValues: {team: others}\n",
    );
    let users = signed
        .replace("name: signed", "name: of-users")
        .replace("spec:\n", "spec:\n  background: false\n")
        .replace(
            "          kinds: [ConfigMap]\n",
            "          kinds: [ConfigMap]\n        subjects: [{kind: User, name: alice}]\n",
        );
    place.write("users.yaml", users);
    place.write("user.yaml", "userInfo: {username: alice}\n");
    for (folder, expected) in [("good", "fail"), ("bad", "pass")] {
        place.write(&format!("{folder}/policy.yaml"), format!("{signed}---\n{MIXED}"));
        place.write(&format!("{folder}/signed.yaml"), place.read("signed.yaml"));
        let other = place.read("changed.yaml").replace("name: app", "name: changed");
        place.write(&format!("{folder}/changed.yaml"), other.replace("namespace: prod", "namespace: test"));
        place.write(&format!("{folder}/kyverno-test.yaml"), test_file(expected));
    }
    std::fs::create_dir(place.path("nothing")).unwrap();
}

/// Expectations about what is not there.
const LOST: &str = "policies: [../policy.yaml]
resources: [../signed.yaml]
results:
- {policy: signed, rule: nope, resources: [app], result: pass}
- {policy: nope, rule: by-us, resources: [app], result: pass}
- policy: signed
  rule: by-us
  resources: [nope, app]
  result: pass
";

fn test_file(expected: &str) -> String {
    format!(
        "apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata:
  name: signatures
policies: [policy.yaml]
resources: [signed.yaml, changed.yaml]
results:
- policy: signed
  rule: by-us
  kind: ConfigMap
  resources: [prod/app]
  result: pass
- policy: signed
  rule: by-us
  kind: ConfigMap
  resources: [test/changed]
  result: {expected}
- policy: mixed
  rule: labels
  kind: ConfigMap
  resources: [prod/app]
  result: pass
"
    )
}

const MIXED: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: mixed
spec:
  rules:
  - name: labels
    match:
      any:
      - resources:
          kinds: [ConfigMap]
    validate:
      message: a label is needed
      pattern:
        metadata:
          labels:
            app: '?*'
";

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: app, namespace: prod}
spec:
  containers: [{name: app, image: '127.0.0.1:1/acme/app:1.4'}]
";

const EXCEPTION: &str = "apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: legacy, namespace: prod}
spec:
  exceptions:
  - policyName: signed
    ruleNames: [by-us]
  match:
    any:
    - resources:
        kinds: [ConfigMap]
        names: [app]
";

pub(crate) fn images(key: &str) -> String {
    let key: String = key.lines().map(|line| format!("              {line}\n")).collect();
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: images
spec:
  rules:
  - name: by-us
    match:
      any:
      - resources:
          kinds: [Pod]
    verifyImages:
    - imageReferences: ['127.0.0.1:1/acme/*']
      failureAction: Enforce
      attestors:
      - entries:
        - keys:
            publicKeys: |-
{key}"
    )
}

fn prepared() -> Place {
    let place = Place::signed(CONFIG_MAP);
    set_up(&place);
    place
}

#[test]
fn every_json_is_json_and_says_what_it_is() {
    let place = prepared();
    for (line, kind) in [
        ("verify -f signed.yaml --key cosign.pub", "Verdict"),
        ("verify-resource -f signed.yaml --key cosign.pub", "Verdict"),
        ("diff -f changed.yaml --key cosign.pub", "Verdict"),
        ("explain -f changed.yaml --key cosign.pub", "Verdict"),
        ("explain -f changed.yaml --policy policy.yaml", "Verdict"),
        ("apply policy.yaml -r changed.yaml", "Verdict"),
        ("test .", "TestReport"),
        ("test nothing", "TestReport"),
    ] {
        let json = place.run(&format!("{line} -o json"));
        let value = json.json();
        assert_eq!(value["apiVersion"], "kubectl-trust.io/v1alpha1", "{line}");
        assert_eq!(value["kind"], kind, "{line}");
        let yaml = place.run(&format!("{line} -o yaml"));
        assert_eq!(yaml.code, json.code, "{line}");
        assert_eq!(common::yaml::read(yaml.stdout.as_bytes()).unwrap()[0].value, value, "{line}");
    }
}

#[test]
fn the_last_line_counts() {
    let place = prepared();
    let end = |line: &str, count: usize| {
        let stdout = place.run(line).stdout;
        let lines: Vec<_> = stdout.lines().collect();
        lines[lines.len() - count..].join("\n")
    };
    let last = |line: &str| end(line, 1);
    for (line, summary) in [
        ("test good", "Test Summary: 2 tests passed and 0 tests failed"),
        ("test bad", "Test Summary: 1 tests passed and 1 tests failed"),
    ] {
        assert_eq!(end(line, 2), format!("1 not handled by kubectl trust\n{summary}"));
        assert_eq!(last(&format!("{line} -o markdown")), summary);
    }
    assert_eq!(last("apply policy.yaml -r changed.yaml"), "pass: 0, fail: 1, warn: 0, error: 0, skip: 0");
    assert_eq!(last("apply images.yaml -r pod.yaml"), "pass: 0, fail: 0, warn: 0, error: 1, skip: 0");
}

#[test]
fn exit_codes_are_the_contract() {
    let place = prepared();
    for (line, code) in [
        ("apply policy.yaml -r signed.yaml", 0),
        ("apply policy.yaml -r changed.yaml", 1),
        ("apply audit.yaml -r changed.yaml", 1),
        ("apply audit.yaml -r changed.yaml --audit-warn", 0),
        ("apply audit.yaml -r changed.yaml --audit-warn --warn-exit-code 7", 7),
        ("apply images.yaml -r pod.yaml", 2),
        ("apply mixed.yaml -r signed.yaml", 2),
        ("apply policy.yaml -r pod.yaml", 2),
        ("test good", 2),
        ("test good -t policy=signed", 0),
        ("test bad", 1),
        ("test nothing", 2),
    ] {
        assert_eq!(place.run(line).code, Some(code), "{line}");
    }
}

#[test]
fn junit_and_markdown_are_well_formed() {
    let place = prepared();
    let hostile = place.read("changed.yaml").replace("name: app", "name: 'a<b&\"|c'");
    place.write("good/changed.yaml", hostile.clone());
    let test = place.read("good/kyverno-test.yaml").replace("test/changed", "'*'");
    place.write("good/kyverno-test.yaml", test);
    let xml = place.run("test . -o junit").stdout;
    let (mut open, mut rest) = (Vec::new(), xml.as_str());
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        match tag {
            tag if tag.starts_with('/') => assert_eq!(open.pop(), Some(name)),
            tag if tag.ends_with('/') || tag.starts_with('?') => {}
            _ => open.push(name),
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<&str>::new(), "{xml}");
    let page = place.run("test . -o markdown").stdout;
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(columns(line), 7, "{line}");
    }
}

/// Nothing that was given is left out in silence: who gave it believes that it counts.
#[test]
fn what_is_given_is_judged_or_named() {
    let place = prepared();
    let other = "apiVersion: policies.kyverno.io/v1alpha1\nkind: ValidatingPolicy\nmetadata: {name: other}\n";
    place.write("mixed-kinds.yaml", format!("{}---\n{other}", place.read("policy.yaml")));
    for line in ["apply mixed-kinds.yaml -r signed.yaml", "explain --policy mixed-kinds.yaml -f signed.yaml"]
    {
        let ran = place.run(line);
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        assert!(ran.stderr.contains("ValidatingPolicy other is not judged"), "{line}: {ran:?}");
    }
    assert_eq!(place.run("apply mixed-kinds.yaml -r changed.yaml").code, Some(1));
    let ran = place.run("apply policy.yaml -r signed.yaml -e other.yaml");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("the policy signed stands among the exceptions"), "{ran:?}");
}

/// Where no rule is about an object, nothing says that it may be trusted.
#[test]
fn what_no_rule_is_about_is_undecided() {
    let place = prepared();
    for line in ["apply policy.yaml -r pod.yaml", "explain --policy policy.yaml -f pod.yaml"] {
        let ran = place.run(line);
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
    }
}
