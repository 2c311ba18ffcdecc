//! What `diff` shows of many objects, and flags that leave fields out of the comparison.

use crate::bad_policies::policy;
use crate::support::{Place, RELEASE};

const MANY: usize = 40;

fn config_maps(changed: &[usize]) -> String {
    let one = |number: usize| {
        let value = if changed.contains(&number) { "two" } else { "one" };
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: app{number}, namespace: prod}}\ndata: {{a: {value}}}\n"
        )
    };
    (0..MANY).map(one).collect::<Vec<_>>().join("---\n")
}

#[test]
fn objects_that_are_as_they_were_signed_are_not_shown() {
    let place = Place::signed(&config_maps(&[]));
    place.run("diff -f signed.yaml --key cosign.pub").is("No difference.\nexit 0\n");
    // The objects as they were signed, but for two.
    let signed = place.read("signed.yaml");
    let changed = signed.split("---\n").enumerate().map(|(number, document)| match number {
        3 | 17 => document.replace("a: one", "a: two"),
        _ => document.to_owned(),
    });
    place.write("changed.yaml", changed.collect::<Vec<_>>().join("---\n"));
    let ran = place.run("diff -f changed.yaml --key cosign.pub");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let headers: Vec<_> = ran.stdout.lines().filter(|line| line.starts_with("ConfigMap ")).collect();
    assert!(
        headers.len() == 2
            && headers[0].starts_with("ConfigMap prod/app3 ")
            && headers[1].starts_with("ConfigMap prod/app17 "),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.stdout.lines().last(), Some("2 of 40 objects differ"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("No difference."), "{}", ran.stdout);
    // What the flag leaves out is no difference; with --all every object is shown.
    let ignoring = place.run("diff -f changed.yaml --key cosign.pub --ignore-fields configmap:data.a");
    ignoring.is("No difference.\nexit 0\n");
    let all = place.run("diff -f signed.yaml --key cosign.pub --all");
    assert_eq!(all.stdout.matches(" against what was signed ").count(), MANY, "{}", all.stdout);
}

#[test]
fn what_could_not_be_compared_is_in_the_sum() {
    let place = Place::signed(RELEASE);
    let signed = place.read("signed.yaml");
    // A signature that is not good is said of an object that is equal as well.
    let ran = place.run("diff -f signed.yaml --key other.pub");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ran.says(
        "other key",
        &["Service prod/web against what was signed (no signature by key ", "[signature-invalid]"],
    );
    assert_eq!(
        ran.stdout.lines().last(),
        Some("0 of 2 objects differ, 2 refused for another reason"),
        "{}",
        ran.stdout
    );
    let nothing = "---\nkind: Deployment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: unsigned}\n";
    place.write("several.yaml", format!("{}{nothing}", signed.replace("replicas: 2", "replicas: 5")));
    let ran = place.run("diff -f several.yaml --key cosign.pub");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        ran.stdout.lines().last(),
        Some("1 of 4 objects differs, 1 refused for another reason, 1 could not be checked"),
        "{}",
        ran.stdout
    );
}

#[test]
fn the_kind_of_a_field_is_written_in_any_case() {
    let place = Place::signed(RELEASE);
    place.write("scaled.yaml", place.read("signed.yaml").replace("replicas: 2", "replicas: 5"));
    for kind in ["Deployment", "deployment", "deployments", "DEPLOYMENT"] {
        let ran = place
            .run(&format!("verify -f scaled.yaml --key cosign.pub --ignore-fields {kind}:spec.replicas"));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{kind}: {ran:?}");
    }
    let ran = place.run("verify -f scaled.yaml --key cosign.pub --ignore-fields service:spec.replicas");
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn a_field_that_nothing_has_is_warned_of() {
    let place = Place::signed(RELEASE);
    let signed = place.read("signed.yaml");
    place.write(
        "policy.yaml",
        policy(&place.read("cosign.pub")).replace("[ConfigMap]", "[Deployment, Service]"),
    );
    // The field was signed, and is gone: no misspelling.
    place.write("gone.yaml", signed.replace("  replicas: 2\n", ""));
    for line in [
        "verify -f FILE --key cosign.pub",
        "verify-resource -f FILE --key cosign.pub",
        "diff -f FILE --key cosign.pub",
        "explain -f FILE --key cosign.pub",
        "explain -f FILE --policy policy.yaml",
    ] {
        for (file, field, is_there) in [
            ("signed.yaml", "spec.replicas", true),
            ("gone.yaml", "spec.replicas", true),
            ("signed.yaml", "Deployment:spec.replica", false),
            ("signed.yaml", "Service:spec.replicas", false),
            ("signed.yaml", "StatefulSet:spec.replicas", false),
            ("signed.yaml", "**.containers[name=web].image", true),
            ("signed.yaml", "**.containers[name=wbe].image", false),
        ] {
            let ran = place.run(&format!("{} --ignore-fields {field}", line.replace("FILE", file)));
            let warning = "nothing that was judged has such a field; is it misspelt?";
            assert_eq!(!ran.stderr.contains(warning), is_there, "{line} {file} {field}: {ran:?}");
            assert!(is_there || ran.stderr.contains(field), "{line} {field}: {ran:?}");
        }
    }
}
