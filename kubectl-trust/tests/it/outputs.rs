//! Verdicts for other programs: `JUnit`, SARIF, names; in files, and quietly.

use serde_json::json;

use crate::bad_policies::policy;
use crate::support::{Place, RELEASE};

/// `signed.yaml` is good, and of `tampered.yaml` the first of two documents is not.
fn prepared() -> Place {
    let place = Place::signed(RELEASE);
    place.write("tampered.yaml", place.read("signed.yaml").replace("replicas: 2", "replicas: 5"));
    place.write("broken.yaml", "kind: Pod\n");
    place
}

const VERIFY: &str = "verify -f tampered.yaml -f broken.yaml --key cosign.pub";

#[test]
fn junit_has_a_case_a_document_with_its_file_and_line() {
    let place = prepared();
    let ran = place.run(&format!("{VERIFY} -o junit"));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let second = place.read("tampered.yaml").lines().position(|line| line == "---").unwrap() + 2;
    let lines: Vec<_> = ran.stdout.lines().map(str::trim).collect();
    assert_eq!(lines[0], r#"<?xml version="1.0" encoding="UTF-8"?>"#);
    assert_eq!(lines[1], r#"<testsuites tests="3" failures="1" errors="1" skipped="0">"#);
    let starts = [
        r#"<testcase classname="trust" name="tampered.yaml: Deployment prod/web" file="tampered.yaml" line="1"><failure message="manifest-differs">"#.to_owned(),
        format!(r#"<testcase classname="trust" name="tampered.yaml: Service prod/web" file="tampered.yaml" line="{second}"/>"#),
        r#"<testcase classname="trust" name="broken.yaml: Pod without a name" file="broken.yaml" line="1"><error message="input-unreadable: "#.to_owned(),
    ];
    for (line, start) in lines[3..].iter().zip(starts) {
        assert!(line.starts_with(&start), "{line}\n{start}");
    }
}

#[test]
fn sarif_has_a_result_for_whatever_is_not_trusted() {
    let place = prepared();
    let ran = place.run(&format!("{VERIFY} -o sarif"));
    let json = ran.json();
    assert_eq!((ran.code, &json["version"]), (Some(1), &json!("2.1.0")));
    let run = &json["runs"][0];
    assert_eq!(
        run["tool"]["driver"]["rules"],
        json!([{"id": "manifest-differs"}, {"id": "input-unreadable"}])
    );
    let results = run["results"].as_array().unwrap();
    let shown: Vec<_> = results
        .iter()
        .map(|result| json!([result["ruleId"], result["ruleIndex"], result["level"]]))
        .collect();
    assert_eq!(shown, [json!(["manifest-differs", 0, "error"]), json!(["input-unreadable", 1, "warning"])]);
    let place_of_first = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(
        place_of_first,
        &json!({"artifactLocation": {"uri": "tampered.yaml"}, "region": {"startLine": 1}})
    );
    // What is not judged here is no clean log either.
    place.write("other.yaml", "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec:\n  rules:\n  - name: r\n    match: {any: [{resources: {kinds: [Service]}}]}\n    validate: {message: m, pattern: {metadata: {labels: {a: '?*'}}}}\n");
    let other = place.run("apply other.yaml -r signed.yaml -o sarif");
    assert_eq!((other.code, &other.json()["runs"][0]["results"][0]["level"]), (Some(2), &json!("note")));
    let good = place.run("verify -f signed.yaml --key cosign.pub -o sarif").json();
    assert_eq!(good["runs"][0]["results"], json!([]), "a good run is a log without results");
}

#[test]
fn names_are_those_of_what_is_trusted() {
    let place = prepared();
    let ran = place.run(&format!("{VERIFY} -o name"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "service/web\n"), "{ran:?}");
    let refused = "tampered.yaml: Deployment prod/web  differs from what was signed  [manifest-differs]";
    assert!(ran.stderr.starts_with(refused), "{}", ran.stderr);
    let quiet = place.run(&format!("{VERIFY} -o name -q"));
    assert_eq!((&quiet.stdout, &quiet.stderr), (&ran.stdout, &ran.stderr), "what is refused is always said");
    let good = place.run("verify -f signed.yaml --key cosign.pub -o name");
    assert_eq!(
        (good.code, good.stdout.as_str(), good.stderr.as_str()),
        (Some(0), "deployment.apps/web\nservice/web\n", "")
    );
    // An object that one of its rules does not pass, or that a rule of another type is about, is not trusted.
    let ours =
        policy(&place.read("cosign.pub")).replace("kinds: [ConfigMap]", "kinds: [Service, Deployment]");
    let other = "  - name: labels\n    match: {any: [{resources: {kinds: [Service]}}]}\n    \
                 validate: {message: m, pattern: {metadata: {labels: {a: '?*'}}}}\n";
    place.write("policy.yaml", format!("{}\n{other}", ours.trim_end()));
    let ran = place.run("apply policy.yaml -r signed.yaml -o name");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), "deployment.apps/web\n"), "{ran:?}");
}

#[test]
fn a_quiet_run_says_only_what_is_not_trusted() {
    let place = prepared();
    let good = place.run("verify -f signed.yaml --key cosign.pub -q --insecure-ignore-sct");
    assert_eq!((good.code, good.stdout.as_str(), good.stderr.as_str()), (Some(0), "", ""));
    let ran = place.run(&format!("{VERIFY} -q"));
    assert_eq!(ran.code, Some(1));
    assert!(!ran.stdout.contains("Service") && !ran.stdout.contains("trusted"), "{}", ran.stdout);
    ran.says(VERIFY, &["[manifest-differs]", "[input-unreadable]"]);
    place.write(
        "policy.yaml",
        policy(&place.read("cosign.pub")).replace("kinds: [ConfigMap]", "kinds: [Service, Deployment]"),
    );
    let good = place.run("apply policy.yaml -r signed.yaml -q");
    assert_eq!((good.code, good.stdout.as_str(), good.stderr.as_str()), (Some(0), "", ""));
    let ran = place.run("apply policy.yaml -r tampered.yaml -q");
    assert!(
        ran.code == Some(1) && ran.stdout.contains("diff found") && !ran.stdout.contains("pass: 1"),
        "{ran:?}"
    );
    // What stops the command is always said.
    let none = place.run("verify -f nope.yaml --key cosign.pub -q");
    assert!(none.code == Some(2) && none.stderr.contains("nope.yaml"), "{none:?}");
}

#[test]
fn a_file_gets_the_whole_result_or_stays_as_it_was() {
    let place = prepared();
    for (format, start) in
        [("text", "✗ tampered.yaml"), ("junit", "<?xml"), ("json", "{\n"), ("name", "service/web")]
    {
        let ran = place.run(&format!("{VERIFY} -o {format} --output-file out --color always"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{format}");
        let written = place.read("out");
        assert!(written.starts_with(start) && !written.contains('\u{1b}'), "{format}: {written}");
    }
    place.write("out", "before");
    let ran = place.run("verify -f nope.yaml --key cosign.pub --output-file out");
    assert_eq!((ran.code, place.read("out").as_str()), (Some(2), "before"));
    let unwritable = place.run("verify -f signed.yaml --key cosign.pub --output-file none/out");
    assert_eq!(unwritable.code, Some(2), "{unwritable:?}");
    unwritable.says("unwritable", &["none/out: cannot be written"]);
    let refused = place.run(&format!("{VERIFY} --output-file none/out"));
    assert_eq!(refused.code, Some(1), "a refusal stays one");
    place.write("policy.yaml", policy(&place.read("cosign.pub")));
    place.write("kyverno-test.yaml", "policies: [policy.yaml]\nresources: [signed.yaml]\nresults:\n- {policy: signed, rule: by-us, kind: Service, result: pass}\n");
    let ran = place.run("test . -o junit --output-file report.xml");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(
        place.read("report.xml").contains(r#"file="./kyverno-test.yaml" line="4""#)
            || place.read("report.xml").contains(r#"file="kyverno-test.yaml" line="4""#),
        "{}",
        place.read("report.xml")
    );
}
