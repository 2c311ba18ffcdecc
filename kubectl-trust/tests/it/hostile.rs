//! Manifests made to deceive whoever reads the output or pastes from it.

use crate::support::{CONFIG_MAP, Place};

#[test]
fn a_name_writes_no_lines_and_no_colours() {
    let place = Place::signed(CONFIG_MAP);
    let forged =
        CONFIG_MAP.replace("name: app", "name: \"x\\n✓ app.yaml: ConfigMap prod/app  signed\\e[2K\\u202e\"");
    place.write("forged.yaml", forged);
    for line in [
        "verify -f forged.yaml --key cosign.pub",
        "verify -f forged.yaml --key cosign.pub --color always",
        "explain -f forged.yaml --key cosign.pub",
        "diff -f forged.yaml --key cosign.pub",
        "verify -f forged.yaml --key cosign.pub -o json",
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, Some(1), "{line}: {ran:?}");
        let text = ran.stdout + &ran.stderr;
        assert!(!text.contains("\u{1b}[2K") && !text.contains('\u{202e}'), "{line}: {text}");
        assert!(!text.lines().any(|line| line.starts_with("✓ app.yaml")), "{line}: {text}");
    }
}

/// Every command that is offered is one that a shell reads as it was meant.
#[test]
fn what_is_offered_can_be_pasted() {
    let place = Place::signed(CONFIG_MAP);
    let hostile = place.read("signed.yaml").replace("a: one", "a: one\n  \"b'; touch owned; '\": two");
    place.write("it's $(touch owned).yaml", hostile);
    let ran = place.run_words(&["verify", "-f", "it's $(touch owned).yaml", "--key", "cosign.pub"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let offered = ran.stdout.lines().filter_map(|line| line.split_once(": ")).map(|(_, rest)| rest.trim());
    let commands = offered.filter(|rest| rest.starts_with("--ignore") || rest.starts_with("kubectl trust"));
    let commands: Vec<_> = commands.collect();
    assert_eq!(commands.len(), 1, "{ran:?}");
    for command in commands {
        let line = command.replace("kubectl trust", "true");
        let line = if line.starts_with("--") { format!("true {line}") } else { line };
        let status =
            std::process::Command::new("sh").args(["-c", &line]).current_dir(place.path(".")).status();
        assert!(status.unwrap().success(), "{line}");
    }
    assert!(!place.path("owned").exists());
}

/// Attack: names that bury what is said about them.
#[test]
fn a_name_of_any_length_is_shown_at_its_beginning() {
    let long = "n".repeat(100_000);
    let manifest = CONFIG_MAP.replace("name: app", &format!("name: {long}"));
    let place = Place::signed(&manifest);
    place.write("kind.yaml", manifest.replace("kind: ConfigMap", &format!("kind: K{long}")));
    place.write("changed.yaml", place.read("signed.yaml").replace("a: one", &format!("a: {long}")));
    let policy = crate::bad_policies::policy(&place.read("cosign.pub"));
    place.write("policy.yaml", policy.replace("[ConfigMap]", &format!("[ConfigMap, K{long}]")));
    place.write("other.yaml", policy.replace("name: signed", &format!("name: {long}")));
    for line in [
        "verify -f FILE --key cosign.pub",
        "explain -f FILE --key cosign.pub",
        "explain -f FILE --policy other.yaml",
        "diff -f FILE --key cosign.pub",
        "diff -f FILE --key cosign.pub --all",
        "apply policy.yaml -r FILE --detailed-results",
        "apply other.yaml -r FILE",
        "sign -f FILE --key cosign.key -o again.yaml",
    ] {
        for file in ["signed.yaml", "changed.yaml", "kind.yaml"] {
            let begin = std::time::Instant::now();
            let ran = place.run(&line.replace("FILE", file));
            let took = begin.elapsed();
            assert!(took < std::time::Duration::from_secs(10), "{line} {file}: {took:?}");
            assert!(matches!(ran.code, Some(0..=2)), "{line} {file}: {:?}", ran.code);
            let text = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!text.contains("panicked"), "{line} {file}");
            let longest = text.lines().max_by_key(|line| line.len()).unwrap_or_default();
            assert!(longest.len() <= 8 * 1024, "{line} {file}: {} bytes: {longest:.300}", longest.len());
        }
    }
    let ran = place.run("verify -f signed.yaml --key cosign.pub");
    assert!(ran.code == Some(0) && ran.stdout.contains("nnn… (1000"), "{ran:.300?}");
    // What other commands read is whole.
    let names = place.run("verify -f signed.yaml --key cosign.pub -o name");
    assert_eq!(names.stdout, format!("configmap/{long}\n"));
    let json = place.run("verify -f signed.yaml --key cosign.pub -o json").json();
    assert_eq!(json["results"][0]["subject"]["name"], long);
}

#[test]
fn a_secret_stays_one() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n";
    let place = Place::signed(secret);
    place.write("changed.yaml", place.read("signed.yaml").replace("hunter2", "hunter3"));
    place.write(
        "policy.yaml",
        crate::bad_policies::policy(&place.read("cosign.pub")).replace("ConfigMap", "Secret"),
    );
    for line in [
        "verify -f changed.yaml --key cosign.pub",
        "verify -f changed.yaml --key cosign.pub -o json",
        "diff -f changed.yaml --key cosign.pub",
        "diff -f changed.yaml --key cosign.pub --all",
        "explain -f changed.yaml --key cosign.pub",
        "apply policy.yaml -r changed.yaml",
        "apply policy.yaml -r changed.yaml --policy-report",
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, Some(1), "{line}: {ran:?}");
        assert!(!ran.stdout.contains("hunter") && !ran.stderr.contains("hunter"), "{line}: {ran:?}");
    }
}

#[test]
fn nothing_is_read_that_was_not_named() {
    let place = Place::signed(CONFIG_MAP);
    let mut command = place.command();
    command.args(["verify", "-f", "signed.yaml", "--key", "cosign.pub"]).env_remove("HOME");
    command.env("KUBECONFIG", "/nonexistent/kubeconfig");
    assert_eq!(command.status().unwrap().code(), Some(0));
}

/// `kubectl` takes every object with `items` for a list and applies each item, whatever the list's kind,
/// annotations or other keys are.
#[test]
fn no_list_hides_its_items_from_a_policy() {
    let place = Place::signed(CONFIG_MAP);
    place.write("policy.yaml", crate::bad_policies::policy(&place.read("cosign.pub")));
    let evil = "{apiVersion: v1, kind: ConfigMap, metadata: {name: evil, namespace: prod}}";
    let annotated = format!(
        "{{apiVersion: v1, kind: List, metadata: {{annotations: {{cosign.sigstore.dev/message: x}}}}, items: [{evil}]}}"
    );
    let bare = evil.replace("apiVersion: v1, kind: ConfigMap, ", "");
    for (list, code) in [
        (annotated, 1),
        (format!("{{apiVersion: v1, kind: ConfigMapList, items: [{evil}]}}"), 1),
        (format!("{{apiVersion: v1, kind: ConfigMapList, items: [{bare}]}}"), 2),
        (format!("{{apiVersion: v1, kind: List, items: [], Items: [{evil}]}}"), 2),
        ("{apiVersion: v1, kind: List, items: []}".to_owned(), 2),
    ] {
        place.write("list.yaml", &list);
        for line in [
            "apply policy.yaml -r signed.yaml -r list.yaml",
            "explain --policy policy.yaml -f signed.yaml -f list.yaml",
        ] {
            let ran = place.run(line);
            assert_eq!(ran.code, Some(code), "{line}: {list}: {ran:?}");
        }
        let ran = place.run("verify -f signed.yaml -f list.yaml --key cosign.pub");
        assert!(matches!(ran.code, Some(1 | 2)), "{list}: {ran:?}");
    }
}

/// What the API server adds is expected of live objects only; a `uid` makes none live.
#[test]
fn an_object_does_not_say_where_it_comes_from() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: app\n  namespace: prod\nspec:\n  containers: [{name: c, image: a}]\n";
    let place = Place::signed(pod);
    let policy = crate::bad_policies::policy(&place.read("cosign.pub")).replace("[ConfigMap]", "[Pod]");
    place.write("policy.yaml", policy);
    assert_eq!(place.run("apply policy.yaml -r signed.yaml").code, Some(0));
    let signed = place.read("signed.yaml");
    let placed = signed.replace("  name: app\n", "  name: app\n  uid: x\n");
    place.write("placed.yaml", placed.replace("spec:\n", "spec:\n  nodeName: evil\n"));
    for line in ["apply policy.yaml -r placed.yaml", "explain --policy policy.yaml -f placed.yaml"] {
        assert_eq!(place.run(line).code, Some(1), "{line}");
        let live = place.run(&format!("{line} --live"));
        assert_eq!(live.code, Some(0), "{line}: {live:?}");
    }
}

/// A comment ends where `kubectl` says, and an alias is no merge key.
#[test]
fn what_only_kubectl_would_see_is_seen() {
    let place = Place::signed(CONFIG_MAP);
    let signed = place.read("signed.yaml");
    for end in ["\r", "\u{85}", "\u{2028}", "\u{2029}"] {
        place.write(
            "hidden.yaml",
            format!("{signed}---\n# c{end}apiVersion: v1{end}kind: Pod{end}metadata: {{name: evil}}{end}"),
        );
        place.write("behind.yaml", format!("--- # c{end}kind: Pod\n---\n{signed}"));
        for file in ["hidden.yaml", "behind.yaml"] {
            let ran = place.run(&format!("verify -f {file} --key cosign.pub"));
            assert!(matches!(ran.code, Some(1 | 2)), "{end:?}: {ran:?}");
        }
    }
}
