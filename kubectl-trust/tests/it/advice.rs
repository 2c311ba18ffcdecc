//! Advice, taken literally: what is printed is run as it stands, and then the object passes; and what would
//! let something else run is never printed.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::support::{PASSWORD, Place, Ran};

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: prod
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
";

/// Changes of the Deployment that decide nothing about what runs: what is replaced, and by what.
const HARMLESS: [(&str, &str); 6] = [
    ("replicas: 2", "replicas: 5"),
    ("  namespace: prod\n", "  namespace: prod\n  labels: {team: shop}\n"),
    ("  namespace: prod\n", "  namespace: prod\n  labels: {helm.sh/chart: web-1, tier: front}\n"),
    ("    cosign.sigstore.dev/message", "    note: by hand\n    cosign.sigstore.dev/message"),
    (
        "    metadata:\n",
        "    metadata:\n      annotations: {kubectl.kubernetes.io/restartedAt: '2026-11-01T00:00:00Z'}\n",
    ),
    ("replicas: 2", "paused: false\n  replicas: 3"),
];

/// Changes that let something else run, or let it do more.
const ATTACKS: [(&str, &str); 9] = [
    ("registry.example.com/web:1", "registry.example.com/web:evil"),
    (
        "        image: registry.example.com/web:1\n",
        "        image: registry.example.com/web:1\n      - {name: sidecar, image: evil}\n",
    ),
    (
        "        image: registry.example.com/web:1\n",
        "        image: registry.example.com/web:1\n        securityContext: {privileged: true}\n",
    ),
    (
        "        image: registry.example.com/web:1\n",
        "        image: registry.example.com/web:1\n        env: [{name: LD_PRELOAD, value: /x.so}]\n",
    ),
    ("      containers:\n", "      volumes: [{name: a, hostPath: {path: /}}]\n      containers:\n"),
    ("      containers:\n", "      serviceAccountName: admin\n      containers:\n"),
    ("    metadata:\n", "    metadata:\n      annotations: {sidecar.istio.io/inject: 'true'}\n"),
    (
        "    metadata:\n",
        "    metadata:\n      annotations: {kubectl.kubernetes.io/restartedAt: now, vault.hashicorp.com/agent-inject: 'true'}\n",
    ),
    ("    cosign.sigstore.dev/message", "    keel.sh/policy: force\n    cosign.sigstore.dev/message"),
];

fn replaced(text: &str, (old, new): (&str, &str)) -> String {
    assert!(text.contains(old), "no `{old}` in\n{text}");
    text.replacen(old, new, 1)
}

/// A policy about Deployments, by `count` of the keys.
fn policy(place: &Place, count: usize, keys: &[&str]) -> String {
    let entry = |key: &&str| {
        let pem = place.read(&format!("{key}.pub"));
        let pem: String = pem.lines().map(|line| format!("                {line}\n")).collect();
        format!("          - keys:\n              publicKeys: |-\n{pem}")
    };
    let entries: String = keys.iter().map(entry).collect();
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: signed}}\nspec:\n  rules:\n  - name: by-us\n    match: {{any: [{{resources: {{kinds: [Deployment]}}}}]}}\n    validate:\n      failureAction: Enforce\n      manifests:\n        attestors:\n        - count: {count}\n          entries:\n{entries}"
    )
}

/// Every line of advice, without what leads to it.
fn advice(ran: &Ran) -> Vec<String> {
    let leads = [
        "would pass: ",
        "and: ",
        "or: ",
        "To allow such changes: ",
        "To sign this version: ",
        "To sign this object: ",
        "To sign it again: ",
        "If it was signed for any namespace: ",
        "if it was signed for any namespace: ",
        "if you made or checked the change: ",
    ];
    let mut all = Vec::new();
    for line in ran.stdout.lines() {
        let mut line = line.trim();
        let mut led = line.starts_with("kubectl trust");
        while let Some(rest) = leads.iter().find_map(|lead| line.strip_prefix(lead)) {
            (line, led) = (rest, true);
        }
        if led {
            all.push(line.to_owned());
        }
    }
    all
}

/// Runs a line in the place's own shell, as a person who pastes it does.
fn paste(place: &Place, line: &str, input: Option<&str>) {
    let bin = place.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let script = format!("#!/bin/sh\nshift\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_kubectl-trust"));
    std::fs::write(bin.join("kubectl"), script).unwrap();
    Command::new("chmod").arg("+x").arg(bin.join("kubectl")).status().unwrap();
    let stdin = match input {
        Some(file) => Stdio::from(std::fs::File::open(place.path(file)).unwrap()),
        None => Stdio::null(),
    };
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(place.path("."))
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("COSIGN_PASSWORD", PASSWORD)
        .stdin(stdin)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

fn commands(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.starts_with("kubectl trust")).collect()
}

/// The flags among the lines, as words.
fn flags(lines: &[String]) -> Vec<String> {
    let line =
        lines.iter().find(|line| line.starts_with("--")).unwrap_or_else(|| panic!("no flags in {lines:?}"));
    line.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect()
}

fn with_flags(place: &Place, line: &str, flags: &[String]) -> Ran {
    let words: Vec<_> = line.split(' ').chain(flags.iter().map(String::as_str)).collect();
    place.run_words(&words)
}

/// For every harmless change, and every pair of them: the flags that are offered accept it, in flags and in a
/// policy; they accept no attack beside it; and so does signing anew.
#[test]
fn what_is_offered_for_harmless_changes_works_and_accepts_no_attack() {
    let place = Place::signed(WEB);
    let signed = place.read("signed.yaml");
    place.write("policy.yaml", policy(&place, 1, &["cosign"]));
    let mut changed: Vec<_> = HARMLESS.iter().take(5).map(|change| replaced(&signed, *change)).collect();
    changed.push(replaced(&replaced(&signed, HARMLESS[0]), HARMLESS[4]));
    changed.push(replaced(&replaced(&signed, HARMLESS[1]), HARMLESS[3]));
    for text in changed {
        place.write("changed.yaml", &text);
        let ran = place.run("verify -f changed.yaml --key cosign.pub");
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let flags = flags(&advice(&ran));
        let again = with_flags(&place, "verify -f changed.yaml --key cosign.pub", &flags);
        assert_eq!(again.code, Some(0), "{flags:?}: {again:?}");
        assert!(
            again.stdout.contains("as signed, except ") && again.stdout.contains("(ignored)"),
            "{again:?}"
        );
        // In a policy, for this object alone.
        let refused = place.run("apply policy.yaml -r changed.yaml");
        let line = advice(&refused)
            .into_iter()
            .find_map(|line| line.strip_prefix("in the rule ").map(str::to_owned));
        let rule = line.unwrap_or_else(|| panic!("{refused:?}"));
        place.write(
            "wider.yaml",
            policy(&place, 1, &["cosign"])
                .replace("        attestors:\n", &format!("        {rule}\n        attestors:\n")),
        );
        assert_eq!(place.run("apply wider.yaml -r changed.yaml").code, Some(0), "{rule}");
        // What `diff` prints is the same rule.
        let shown = place.run("diff -f changed.yaml --key cosign.pub");
        let rule = shown.stdout.split_once("ignoreFields:\n").unwrap_or_else(|| panic!("{shown:?}")).1;
        let rule: String = rule.lines().map(|line| format!("        {line}\n")).collect();
        place.write(
            "diff.yaml",
            policy(&place, 1, &["cosign"]).replace(
                "        attestors:\n",
                &format!("        ignoreFields:\n{rule}        attestors:\n"),
            ),
        );
        assert_eq!(place.run("apply diff.yaml -r changed.yaml").code, Some(0), "{}", place.read("diff.yaml"));
        for attack in ATTACKS {
            if !text.contains(attack.0)
                || (attack.1.contains("annotations:") && text.contains("      annotations:"))
            {
                continue;
            }
            place.write("attacked.yaml", replaced(&text, attack));
            let ran = with_flags(&place, "verify -f attacked.yaml --key cosign.pub", &flags);
            assert_eq!(ran.code, Some(1), "{flags:?} {attack:?}: {ran:?}");
            assert_eq!(place.run("apply wider.yaml -r attacked.yaml").code, Some(1), "{attack:?}");
        }
        paste(&place, commands(&advice(&ran))[0], None);
        assert_eq!(place.run("verify -f changed.yaml --key cosign.pub").code, Some(0));
    }
}

/// Attack: the attacker injects a sidecar, and the refusal tells its owner how to let it in.
#[test]
fn no_attack_is_offered_to_be_ignored() {
    let place = Place::signed(WEB);
    let signed = place.read("signed.yaml");
    place.write("policy.yaml", policy(&place, 1, &["cosign"]));
    for attack in ATTACKS {
        // Also beside something harmless.
        for text in [signed.clone(), replaced(&signed, HARMLESS[0])] {
            place.write("changed.yaml", replaced(&text, attack));
            for line in [
                "verify -f changed.yaml --key cosign.pub",
                "diff -f changed.yaml --key cosign.pub",
                "explain -f changed.yaml --key cosign.pub",
                "explain -f changed.yaml --policy policy.yaml",
                "apply policy.yaml -r changed.yaml",
                "verify -f changed.yaml --key cosign.pub -o yaml",
            ] {
                let ran = place.run(line);
                assert_eq!(ran.code, Some(1), "{line}: {ran:?}");
                assert!(!ran.stdout.contains("--ignore-fields"), "{attack:?} {line}\n{}", ran.stdout);
                let rules = ran.stdout.replace("ignoreFields: []", "");
                assert!(!rules.contains("ignoreFields"), "{attack:?} {line}\n{}", ran.stdout);
            }
            let ran = place.run("verify -f changed.yaml --key cosign.pub");
            assert!(ran.stdout.contains("Must stay signed, so no rule for it is offered: "), "{ran:?}");
            paste(&place, commands(&advice(&ran))[0], None);
            assert_eq!(place.run("verify -f changed.yaml --key cosign.pub").code, Some(0), "{attack:?}");
        }
    }
}

/// The same for kinds that are no workloads: what they hold is what they are signed for.
#[test]
fn what_other_kinds_hold_is_never_offered_to_be_ignored() {
    for (manifest, change) in [
        (
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\nrules:\n- {apiGroups: ['x'], resources: [pods], verbs: [get]}\n",
            ("[get]", "[get, escalate]"),
        ),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: one}\n", ("a: one", "a: two")),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {pod-security.kubernetes.io/enforce: restricted}}\n",
            ("restricted", "privileged"),
        ),
        (
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: b}\nspec: {podSelector: {}, ingress: [{ports: [{port: 1}]}]}\n",
            ("port: 1", "port: 2"),
        ),
    ] {
        let place = Place::signed(manifest);
        place.write("changed.yaml", replaced(&place.read("signed.yaml"), change));
        for line in ["verify -f changed.yaml --key cosign.pub", "diff -f changed.yaml --key cosign.pub"] {
            let ran = place.run(line);
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(!ran.stdout.contains("ignore"), "{ran:?}");
        }
    }
}

/// Each kind of denial by flags has a command; run as it is printed, the object passes.
#[test]
fn commands_work_as_they_are_printed() {
    let cases: [(&str, &str, &str); 7] = [
        ("unsigned", "verify -f app.yaml --key cosign.pub", ""),
        ("of another key", "verify -f signed.yaml --key other.pub", "other"),
        ("without what it must carry", "verify -f signed.yaml --key cosign.pub -a team=shop", ""),
        ("in a list", "verify -f list.yaml --key cosign.pub", ""),
        ("of another object", "verify -f moved.yaml --key cosign.pub", ""),
        ("without its message", "verify -f cut.yaml --key cosign.pub", ""),
        ("with a name to quote", "verify -f it's.yaml --key cosign.pub", ""),
    ];
    for (what, line, key) in cases {
        let place = Place::signed(WEB);
        let signed = place.read("signed.yaml");
        place.write("it's.yaml", WEB);
        place.write(
            "list.yaml",
            format!("apiVersion: v1\nkind: List\nitems:\n- {}", WEB.trim_end().replace('\n', "\n  ")),
        );
        place.write("moved.yaml", replaced(&signed, ("  name: web\n", "  name: api\n")));
        let cut: String = signed
            .lines()
            .filter(|line| !line.contains("/message"))
            .map(|line| format!("{line}\n"))
            .collect();
        place.write("cut.yaml", cut);
        let ran = place.run(line);
        assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
        let advice = advice(&ran);
        let command = commands(&advice).into_iter().next().unwrap_or_else(|| panic!("{what}: {ran:?}"));
        // The file of the key is the reader's own.
        let command = if key.is_empty() {
            command.clone()
        } else {
            command.replace("cosign.key", &format!("{key}.key"))
        };
        paste(&place, &command, None);
        let again = place.run(line);
        assert_eq!(again.code, Some(0), "{what}: {command}: {again:?}");
    }
}

#[test]
fn standard_input_and_files_of_any_content_get_commands_of_their_own() {
    let place = Place::signed(WEB);
    let ran = place.run_input("verify -f - --key cosign.pub", WEB.as_bytes());
    let command = commands(&advice(&ran)).remove(0).clone();
    assert_eq!(command, "kubectl trust sign -f - --key cosign.key -o signed.yaml");
    paste(&place, &command, Some("app.yaml"));
    assert_eq!(place.run("verify -f signed.yaml --key cosign.pub").code, Some(0));
    place.write("tool", "bytes");
    assert_eq!(place.run("sign --blob tool --key other.key --bundle tool.bundle").code, Some(0));
    let ran = place.run("verify --blob tool --bundle tool.bundle --key cosign.pub");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let command = commands(&advice(&ran)).remove(0).clone();
    assert_eq!(command, "kubectl trust sign --blob tool --key cosign.key --bundle tool.bundle");
    paste(&place, &command, None);
    assert_eq!(place.run("verify --blob tool --bundle tool.bundle --key cosign.pub").code, Some(0));
}

/// A namespace that nobody signed is allowed by name, and beside it only what may be ignored.
#[test]
fn a_namespace_is_allowed_by_name() {
    let place = Place::signed(&WEB.replace("  namespace: prod\n", ""));
    let moved = place.read("signed.yaml").replacen("  name: web\n", "  name: web\n  namespace: test\n", 1);
    place.write("moved.yaml", &moved);
    let ran = place.run("verify -f moved.yaml --key cosign.pub");
    assert!(ran.stdout.contains("If it was signed for any namespace: --allow-namespace test"), "{ran:?}");
    let flags = flags(&advice(&ran));
    assert_eq!(with_flags(&place, "verify -f moved.yaml --key cosign.pub", &flags).code, Some(0));
    place.write("moved.yaml", replaced(&moved, ATTACKS[0]));
    let ran = place.run("verify -f moved.yaml --key cosign.pub");
    assert!(!ran.stdout.contains("--allow-namespace"), "{ran:?}");
}

/// A policy that asks for two of three: every command is by whom its comment names, and all of them are enough.
#[test]
fn what_a_threshold_lacks_is_signed_command_by_command() {
    let place = Place::signed(WEB);
    assert_eq!(place.run("keygen --output-prefix third").code, Some(0));
    place.write("policy.yaml", policy(&place, 2, &["other", "third", "cosign"]));
    let fingerprints: BTreeMap<_, _> = ["other", "third", "cosign"]
        .map(|key| {
            let ran = place.run(&format!("verify -f app.yaml --key {key}.pub -o json"));
            let what = ran.json()["results"][0]["checks"][0].to_string();
            (key, what)
        })
        .into_iter()
        .collect();
    assert_eq!(fingerprints.len(), 3);
    for (file, needed) in [("app.yaml", 2), ("signed.yaml", 1)] {
        let ran = place.run(&format!("apply policy.yaml -r {file}"));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let advice = advice(&ran);
        let commands = commands(&advice);
        assert_eq!(commands.len(), needed, "{ran:?}");
        assert!(ran.stdout.contains("or another whom the rule names: "), "{ran:?}");
        for (command, key) in commands.iter().zip(["other", "third"]) {
            assert!(command.contains("   # with key sha256:"), "{command}");
            paste(&place, &command.replace("--key FILE", &format!("--key {key}.key")), None);
        }
        assert_eq!(place.run(&format!("apply policy.yaml -r {file}")).code, Some(0), "{commands:?}");
    }
}

/// A changed object that lacks a signature as well: a field that may be ignored does not make it pass.
#[test]
fn several_problems_have_one_fix_for_all() {
    let place = Place::signed(WEB);
    place.write("changed.yaml", replaced(&place.read("signed.yaml"), HARMLESS[0]));
    let ran = place.run("verify -f changed.yaml --key other.pub");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(!ran.stdout.contains("--ignore-fields"), "{ran:?}");
    let command = commands(&advice(&ran)).remove(0).replace("cosign.key", "other.key");
    paste(&place, &command, None);
    assert_eq!(place.run("verify -f changed.yaml --key other.pub").code, Some(0), "{command}");
}

#[test]
fn a_pass_says_what_it_ignored() {
    let place = Place::signed(WEB);
    place.write("changed.yaml", replaced(&place.read("signed.yaml"), HARMLESS[0]));
    let line = "verify -f changed.yaml --key cosign.pub --ignore-fields Deployment:spec.replicas";
    place.answers(line, 0, &[", as signed, except spec.replicas 2→5 (ignored)"]);
    let ran = place.run(&format!("{line} -o json"));
    let content = &ran.json()["results"][0]["checks"][0]["children"][1]["reason"];
    assert_eq!(content["ignored"], serde_json::json!([{"path": "spec.replicas", "signed": 2, "found": 5}]));
}
