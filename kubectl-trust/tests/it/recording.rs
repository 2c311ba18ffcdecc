//! `record`: what it brings, and what commands find in it without a network.

use std::process::Stdio;

use crate::registry::Registry;
use crate::support::{Place, ran};

/// A policy whose signatures are in another repository.
fn policy(place: &Place, registry: &Registry, expression: &str) -> String {
    let key = place.read("cosign.pub").replace('\n', "\n              ");
    let host = &registry.host;
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: elsewhere}}
spec:
  rules:
  - name: elsewhere
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    verifyImages:
    - imageReferences: ['{host}/team/*']
      failureAction: Enforce
      repository: {expression}
      attestors:
      - entries:
        - keys:
            rekor: {{ignoreTlog: true}}
            publicKeys: |
              {key}
"
    )
}

fn pod(image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: app, namespace: default}}\nspec: {{containers: [{{name: c, image: '{image}'}}]}}\n"
    )
}

/// A signed image whose signature is in the repository `signatures`, a policy and a Pod.
fn signed_elsewhere() -> (Place, Registry, String) {
    let (place, registry) = (Place::new(), Registry::new());
    let image = registry.push("team/app", "1");
    let ran = place.run(&format!("sign {image} --key cosign.key --format legacy"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    registry.move_signatures("team/app", "signatures");
    place.write("policy.yaml", policy(&place, &registry, &format!("{}/signatures", registry.host)));
    place.write("pod.yaml", pod(&image));
    (place, registry, image)
}

#[test]
fn signatures_of_another_repository_are_recorded_where_a_flag_or_a_policy_names_it() {
    let (place, registry, image) = signed_elsewhere();
    let host = registry.host.clone();
    let apply = "apply policy.yaml -r pod.yaml --images images";
    place.answers("apply policy.yaml -r pod.yaml", 0, &["pass: 1, fail: 0"]);
    let ran = place.run(&format!("record {image} --to images"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // The signature is not known, and the advice says how to get it.
    let advice =
        format!("kubectl trust record {image} --to images/ --signature-repository {host}/signatures");
    place.answers(apply, 2, &["error: 1", "no recording holds", &advice]);
    let command = advice.trim_start_matches("kubectl trust ");
    let ran = place.run(command);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    place.answers(apply, 0, &["pass: 1, fail: 0"]);
    // Recorded again without it, what is known of the other repository stays.
    assert_eq!(place.run(&format!("record {image} --to images")).code, Some(0));
    place.answers(apply, 0, &["pass: 1, fail: 0"]);
    place.answers("explain -f pod.yaml --policy policy.yaml --images images", 0, &["signature"]);
    let verify = format!(
        "verify {image} --key cosign.pub --insecure-ignore-tlog --images images --signature-repository {host}/signatures"
    );
    place.answers(&verify, 0, &["1 of 1 trusted"]);
    let ran = place.run(&format!("record {image} --to other --policy policy.yaml"));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    place.answers("apply policy.yaml -r pod.yaml --images other", 0, &["pass: 1, fail: 0"]);
}

#[test]
fn another_repository_that_holds_nothing_is_known_to() {
    let (place, registry, _) = signed_elsewhere();
    let image = registry.push("team/bare", "1");
    place.write("pod.yaml", pod(&image));
    let ran = place.run(&format!("record {image} --to images --policy policy.yaml"));
    let nothing =
        format!("{}/signatures holds no signatures of it, which is recorded as well", registry.host);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains(&nothing), "{ran:?}");
    place.answers("apply policy.yaml -r pod.yaml --images images", 1, &["signature not found", "fail: 1"]);
}

#[test]
fn a_repository_that_depends_on_the_object_is_told_and_a_policy_about_other_images_is() {
    let (place, registry, image) = signed_elsewhere();
    place.write("policy.yaml", policy(&place, &registry, "'{{ request.object.metadata.labels.store }}'"));
    let ran = place.run(&format!("record {image} --to images --policy policy.yaml"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = "policy elsewhere: spec.rules[0].verifyImages[0]: the repository of signatures is not known: ";
    ran.says("record", &[told, "name the repository with --signature-repository"]);
    let other = registry.push("other", "1");
    let ran = place.run(&format!("record {other} --to images --policy policy.yaml"));
    ran.says("record", &[&format!("warning: {other}: no rule of the policies is about it")]);
}

#[test]
fn processes_that_record_into_one_folder_at_once_lose_nothing() {
    let (place, registry) = (Place::empty(), Registry::new());
    let images: Vec<_> = (0..8).map(|number| registry.push(&format!("app{number}"), "1")).collect();
    for round in 0..4 {
        let to = format!("images{round}");
        let record = |image: &String| {
            let mut command = place.command();
            command.args(["record", image, "--to", &to]).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let running: Vec<_> = images.iter().map(record).collect();
        for child in running {
            let ran = ran(child.wait_with_output().unwrap());
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
        let index = place.read(&format!("{to}/index.json"));
        let missing: Vec<_> = images.iter().filter(|image| !index.contains(image.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?} are not in\n{index}");
        assert!(!place.path(&format!("{to}/.lock")).exists());
    }
}
