//! Many images and resources: judged and recorded several at a time, in the order asked, and whatever one of them is.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::registry::Registry;
use crate::support::Place;

const MANY: usize = 40;
const DELAY: Duration = Duration::from_millis(400);

fn policy(place: &Place, host: &str) -> String {
    let key = place.read("cosign.pub").replace('\n', "\n              ");
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: signed}}
spec:
  rules:
  - name: signed
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    verifyImages:
    - imageReferences: ['{host}/*']
      failureAction: Enforce
      attestors:
      - entries:
        - keys:
            rekor: {{ignoreTlog: true}}
            publicKeys: |
              {key}
"
    )
}

fn pod(number: usize, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: app{number}, namespace: default}}\n\
         spec: {{containers: [{{name: c, image: '{image}'}}]}}\n---\n"
    )
}

/// So many images, each with a Pod and a signature.
fn signed(count: usize) -> (Place, Registry, Vec<String>) {
    let (place, registry) = (Place::new(), Registry::new());
    let images: Vec<_> = (0..count).map(|number| registry.push(&format!("app{number}"), "1")).collect();
    let ran = place.run(&format!("sign {} --key cosign.key --format legacy", images.join(" ")));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    place.write("policy.yaml", policy(&place, &registry.host));
    place.write(
        "pods.yaml",
        images.iter().enumerate().map(|(number, image)| pod(number, image)).collect::<String>(),
    );
    (place, registry, images)
}

#[test]
fn many_resources_and_images_take_as_long_as_some_rounds_of_them() {
    let (place, registry, images) = signed(MANY);
    registry.slow_down(DELAY);
    let begin = Instant::now();
    place.answers("apply policy.yaml -r pods.yaml --detailed-results", 0, &["pass: 40, fail: 0"]);
    // One after the other they take 48 s.
    assert!(begin.elapsed() < Duration::from_secs(6), "apply took {:?}", begin.elapsed());
    let begin = Instant::now();
    place.answers("explain -f pods.yaml --policy policy.yaml", 0, &["app39"]);
    assert!(begin.elapsed() < Duration::from_secs(6), "explain took {:?}", begin.elapsed());
    let begin = Instant::now();
    let ran = place.run(&format!("record {} --to images", images.join(" ")));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    // Some 360 requests, sixteen at a time, are 9 s; one after the other they are more than two minutes.
    assert!(begin.elapsed() < Duration::from_secs(20), "record took {:?}", begin.elapsed());
    let lines: Vec<_> = ran.stdout.lines().collect();
    for (line, image) in lines.iter().zip(&images) {
        assert!(line.starts_with(&format!("images: {image} (")), "{line} is not about {image}");
    }
    assert_eq!(lines.last(), Some(&"40 of 40 images recorded"));
    assert_eq!(lines.len(), MANY + 1);
    place.answers("apply policy.yaml -r pods.yaml --images images", 0, &["pass: 40, fail: 0"]);
}

#[test]
fn recording_goes_on_after_an_image_that_fails() {
    let (place, registry, images) = signed(2);
    let (one, two) = (&images[0], &images[1]);
    let ran = place.run(&format!("record {one} {}/gone:1 {two} --to images", registry.host));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with(&format!("images: {one} (")), "{ran:?}");
    assert!(lines[1].starts_with(&format!("images: {two} (")), "{ran:?}");
    assert_eq!(lines[2..], ["2 of 3 images recorded"]);
    let told = format!("error: {0}/gone:1: {0}/gone:1 is not there; check the name\n", registry.host);
    assert_eq!(ran.stderr, told);
    place.answers("apply policy.yaml -r pods.yaml --images images", 0, &["pass: 2, fail: 0"]);
}

#[test]
fn an_unreadable_resource_is_an_error_and_the_others_are_judged() {
    let (place, registry, images) = signed(1);
    let unsigned = registry.push("unsigned", "1");
    place.write("broken.yaml", "a: [");
    place.write("pods.yaml", pod(0, &images[0]));
    let apply = "apply policy.yaml -r broken.yaml -r pods.yaml";
    let ran = place.run(apply);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), ""), "{ran:?}");
    ran.says(
        apply,
        &["! broken.yaml: ", "[input-unreadable]", "pass: 1, fail: 0, warn: 0, error: 1, skip: 0"],
    );
    let summary = &place.run(&format!("{apply} -o json")).json()["summary"];
    assert_eq!((&summary["pass"], &summary["fault"]), (&1.into(), &1.into()), "{summary}");
    let report = place.run(&format!("{apply} --policy-report -o json"));
    assert_eq!((report.code, report.json()["items"].as_array().unwrap().len()), (Some(2), 1));
    // A refusal is one, whatever else could not be read.
    place.write("pods.yaml", pod(0, &unsigned));
    place.answers(apply, 1, &["! broken.yaml: ", "pass: 0, fail: 1, warn: 0, error: 1, skip: 0"]);
}

#[test]
fn what_is_judged_is_shown_while_the_rest_is() {
    let (place, registry, images) = signed(1);
    place.write("pods.yaml", pod(0, &images[0]) + &pod(1, &format!("{}/hangs:1", registry.host)));
    registry.silence("/hangs/");
    let mut command = place.command();
    command.args(["apply", "policy.yaml", "-r", "pods.yaml", "--detailed-results"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let after = begin.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("Pod/default/app0"), "{line}");
    assert!(after < Duration::from_secs(10), "{after:?}");
}
