//! Signing manifests: what becomes of the files.

use std::process::Command;

use crate::support::{CONFIG_MAP, PASSWORD, Place, RELEASE, ran};

/// The lines of a text that are no signature annotations.
fn others(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').filter(|line| !line.contains("cosign.sigstore.dev/")).collect()
}

const COMMENTED: &str = "# The shop.\n---\nkind:   ConfigMap # first\napiVersion: 'v1'\nmetadata:\n    # ours\n    namespace: \"prod\"\n    \
    name: app\n    annotations:\n        team: shop  # who\ndata:\n    a: |\n        one\n    b:   two\n";

#[test]
fn a_file_is_signed_as_it_is_written() {
    let place = Place::new();
    for (name, text) in [
        ("lf.yaml", COMMENTED.to_owned()),
        ("crlf.yaml", COMMENTED.replace('\n', "\r\n")),
        ("mark.yaml", format!("\u{feff}{COMMENTED}")),
        ("cut.yaml", COMMENTED.trim_end().to_owned()),
        ("two.yaml", format!("{COMMENTED}...\n--- # the other\n{}", COMMENTED.replace("app", "other"))),
        (
            "list.yaml",
            format!(
                "# all\nkind: List\napiVersion: v1\nitems: # one\n- {}",
                CONFIG_MAP.trim_end().replace('\n', "\n  ")
            ),
        ),
    ] {
        place.write(name, &text);
        let ran = place.run(&format!("sign -f {name} --in-place --key cosign.key"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ran.stderr.contains("anew"), "{ran:?}");
        let signed = place.read(name);
        let new = |line: &&str| {
            !["metadata:\n", "  annotations:\n"].contains(line)
                || text.split_inclusive('\n').any(|old| old == *line)
        };
        let kept: String = others(&signed).into_iter().filter(new).collect();
        assert_eq!(kept, text, "{name}");
        assert_eq!(
            place.run(&format!("verify -f {name} --key cosign.pub")).code,
            Some(0),
            "{name}: {signed}"
        );
        // A second signer adds one line for each document.
        assert_eq!(place.run(&format!("sign -f {name} --in-place --append --key other.key")).code, Some(0));
        let both = place.read(name);
        let signatures = |text: &str| text.matches("cosign.sigstore.dev/signature").count();
        assert_eq!(both.lines().count() - signed.lines().count(), signatures(&signed), "{name}");
        assert_eq!(signatures(&both), 2 * signatures(&signed), "{name}");
        assert_eq!(place.run(&format!("verify -f {name} --key other.pub")).code, Some(0), "{name}: {both}");
    }
}

/// The same promise for `-o` and standard output, and where there are several files.
#[test]
fn what_goes_elsewhere_keeps_its_text_as_well() {
    let place = Place::new();
    place.write("a.yaml", COMMENTED.trim_end());
    place.write("b.yaml", format!("\u{feff}# b\n{RELEASE}"));
    let ran = place.run("sign -f a.yaml -f b.yaml --key cosign.key");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let kept: String = others(&ran.stdout).concat();
    assert_eq!(
        kept,
        format!(
            "{COMMENTED}---\n# b\n{}",
            RELEASE
                .lines()
                .filter(|line| !line.contains("metadata: {name"))
                .map(|line| format!("{line}\n"))
                .collect::<String>()
        )
    );
    assert_eq!(place.run("sign -f a.yaml -f b.yaml --key cosign.key -o all.yaml").code, Some(0));
    place.answers("verify -f all.yaml --key cosign.pub", 0, &["3 of 3 trusted"]);
    // A last line without its end would say something else once another document stands behind it.
    place.write("block.yaml", format!("{CONFIG_MAP}  b: |+\n    two"));
    assert_eq!(place.run("sign -f block.yaml -f b.yaml --key cosign.key -o all.yaml").code, Some(0));
    place.answers("verify -f all.yaml --key cosign.pub", 0, &["3 of 3 trusted"]);
    let ran = place.run_input("sign -f - --key cosign.key", COMMENTED.as_bytes());
    assert_eq!(others(&ran.stdout).concat(), COMMENTED);
}

#[test]
fn what_cannot_be_kept_is_written_anew_and_said() {
    let place = Place::new();
    let alias = format!("{CONFIG_MAP}---\nkind: A\napiVersion: v1\nm: &m {{name: a}}\nmetadata: *m\n");
    place.write("alias.yaml", alias);
    let ran = place.run("sign -f alias.yaml --in-place --key cosign.key");
    ran.is("2> warning: alias.yaml: document 2: its metadata is an alias (*) of what stands elsewhere; so the file is written anew, without its comments\n\
        2> alias.yaml: 2 documents signed\n2> to verify: kubectl trust verify -f alias.yaml --key cosign.pub\nexit 0\n");
    place.answers("verify -f alias.yaml --key cosign.pub", 0, &["2 of 2 trusted"]);
    place.write("a.json", r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}"#);
    place.write("json.yaml", place.read("a.json"));
    for name in ["a.json", "json.yaml"] {
        let ran = place.run(&format!("sign -f {name} --in-place --key cosign.key"));
        ran.is(&format!("2> warning: {name}: document 1: it is JSON; its lines are not kept\n2> {name}: 1 document signed\n2> to verify: kubectl trust verify -f {name} --key cosign.pub\nexit 0\n"));
        let value: serde_json::Value = serde_json::from_str(&place.read(name)).unwrap();
        assert_eq!(value["kind"], "ConfigMap");
        place.answers(&format!("verify -f {name} --key cosign.pub"), 0, &["1 of 1 trusted"]);
    }
}

/// One that has none yet does not end it for the others.
#[test]
fn append_signs_what_is_not_signed_yet() {
    let place = Place::signed(CONFIG_MAP);
    place.write("half.yaml", place.read("signed.yaml") + "---\n" + RELEASE);
    let ran = place.run("sign -f app.yaml -f half.yaml --append --key other.key --in-place");
    ran.is("2> app.yaml: 1 document signed\n2> half.yaml: 3 documents signed\n2> to verify: kubectl trust verify -f app.yaml -f half.yaml --key other.pub\nexit 0\n");
    place.answers("verify -f app.yaml -f half.yaml --key other.pub", 0, &["4 of 4 trusted"]);
    place.answers("verify -f half.yaml --key cosign.pub", 1, &["1 of 3 trusted"]);
    assert_eq!(
        place.run("sign -f app.yaml --append --whole-file --key other.key -o whole.yaml").code,
        Some(0)
    );
    place.answers("verify -f whole.yaml --key other.pub", 0, &["1 of 1 trusted"]);
}

fn mtime(place: &Place, name: &str) -> std::time::SystemTime {
    std::fs::metadata(place.path(name)).unwrap().modified().unwrap()
}

const ALREADY: &str = "already signed by this key, unchanged (--force signs again)";

#[test]
fn what_the_key_signed_and_nobody_changed_is_left_alone() {
    let place = Place::new();
    for (name, text, more) in [
        ("plain.yaml", COMMENTED.to_owned() + "---\n" + RELEASE, ""),
        ("whole.yaml", RELEASE.to_owned(), "--whole-file"),
        ("tarball.yaml", CONFIG_MAP.to_owned(), "--tarball"),
        ("annotated.yaml", CONFIG_MAP.to_owned(), "-a team=shop"),
        ("domain.yaml", CONFIG_MAP.to_owned(), "--annotation-domain example.com"),
        ("list.yaml", "apiVersion: v1\nkind: List\nitems: []\n".to_owned(), ""),
        (
            "plain.json",
            r#"{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a", "annotations": null}}"#.to_owned(),
            "",
        ),
    ] {
        place.write(name, text);
        let sign = |more: &str| place.run(&format!("sign -f {name} --in-place --key cosign.key {more}"));
        assert!(!sign(more).stderr.contains(ALREADY), "{name}");
        let (before, at) = (place.read(name), mtime(&place, name));
        let again = sign(more);
        assert!(again.code == Some(0) && again.stderr.contains(ALREADY), "{name}: {again:?}");
        assert_eq!((place.read(name), mtime(&place, name)), (before.clone(), at), "{name}");
        let elsewhere = place.run(&format!("sign -f {name} --key cosign.key {more}"));
        assert!(elsewhere.stderr.contains(ALREADY), "{name}: {elsewhere:?}");
        let forced = sign(&format!("{more} --force"));
        assert!(!forced.stderr.contains(ALREADY), "{name}: {forced:?}");
        assert_ne!(place.read(name), before, "{name}");
    }
}

/// Every way in which a file is not what signing it now would make of it.
#[test]
fn what_is_not_signed_just_so_is_signed() {
    let place = Place::signed(CONFIG_MAP);
    let signed = place.read("signed.yaml");
    let signature = signed.lines().find(|line| line.contains("/signature:")).unwrap();
    let forged = signature.replace(": ME", ": MEQ").trim_end_matches('=').to_owned() + "=";
    for (what, text, more) in [
        ("changed", signed.replace("a: one", "a: two"), ""),
        ("an empty field more", format!("{signed}binaryData: {{}}\n"), ""),
        ("another's", signed.clone(), "--key other.key"),
        ("a signature that is none", signed.replace(signature, &forged), ""),
        ("another form", signed.clone(), "--tarball"),
        ("another domain", signed.clone(), "--annotation-domain example.com"),
        ("an annotation more", signed.clone(), "-a team=shop"),
    ] {
        place.write("again.yaml", text);
        let key = if more.contains("--key") { "" } else { "--key cosign.key" };
        let ran = place.run(&format!("sign -f again.yaml --in-place {key} {more}"));
        assert!(ran.stderr.starts_with("again.yaml: 1 document signed\n"), "{what}: {ran:?}");
        assert!(ran.code == Some(0), "{what}");
    }
    place.write("half.yaml", format!("{signed}---\n{RELEASE}"));
    let ran = place.run("sign -f half.yaml --in-place --key cosign.key");
    assert!(ran.stderr.starts_with(&format!("half.yaml: 2 documents signed, 1 {ALREADY}\n")), "{ran:?}");
    assert!(place.read("half.yaml").starts_with(&signed), "the settled document is left alone");
    // One message for all binds all of them.
    let ran = place.run("sign -f half.yaml --in-place --whole-file --key cosign.key");
    assert!(ran.stderr.starts_with("half.yaml: 3 documents signed\n"), "{ran:?}");
    place.answers("verify -f half.yaml --key cosign.pub", 0, &["3 of 3 trusted"]);
}

/// A second signer's signature stays, unless it is to go.
#[test]
fn others_who_signed_are_not_dropped_by_the_way() {
    let place = Place::signed(CONFIG_MAP);
    let sign = |more: &str| place.run(&format!("sign -f signed.yaml --in-place {more}"));
    assert_eq!(sign("--key other.key --append").code, Some(0));
    let both = place.read("signed.yaml");
    for more in ["--key other.key --append", "--key cosign.key --append", "--key cosign.key"] {
        assert!(sign(more).stderr.contains(ALREADY), "{more}");
        assert_eq!(place.read("signed.yaml"), both, "{more}");
    }
    assert!(!sign("--key cosign.key --replace").stderr.contains(ALREADY));
    place.answers("verify -f signed.yaml --key other.pub", 1, &[]);
    place.answers("verify -f signed.yaml --key cosign.pub", 0, &[]);
}

/// What a run advises, as a shell runs it.
fn pasted(place: &Place, stderr: &str) -> (Option<i32>, String) {
    let command = stderr.lines().find_map(|line| line.strip_prefix("to verify: ")).unwrap_or_default();
    let program = env!("CARGO_BIN_EXE_kubectl-trust");
    let script = format!("kubectl() {{ shift; '{program}' \"$@\"; }}; {command}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(place.path(".")).env("COSIGN_PASSWORD", PASSWORD);
    let ran = ran(shell.output().unwrap());
    (ran.code, format!("{command}\n{}{}", ran.stdout, ran.stderr))
}

#[test]
fn the_command_that_is_printed_passes() {
    let place = Place::new();
    let odd = "it's $(odd).yaml";
    for name in ["a.yaml", "folder/below/b.yaml", odd] {
        place.write(name, CONFIG_MAP);
    }
    place.write("moved.key", place.read("cosign.key"));
    place.write("else.key", place.read("cosign.key"));
    place.write("else.pub", place.read("other.pub"));
    for words in [
        vec!["-f", "a.yaml", "-o", "signed.yaml"],
        vec!["-f", "a.yaml", "-f", odd, "--in-place", "-a", "who=the shop's"],
        vec!["-f", "folder", "-R", "--in-place", "--annotation-domain", "example.com"],
        vec!["-f", "a.yaml", "--in-place", "--key", "moved.key"],
        vec!["-f", "a.yaml", "--in-place", "--key", "else.key"],
        vec!["--blob", odd, "--bundle", "odd.bundle"],
        vec!["--blob", odd, "--output-signature", "odd.sig"],
    ] {
        let key = if words.contains(&"--key") { &[][..] } else { &["--key", "cosign.key"] };
        let signed = place.run_words(&[&["sign"], &words[..], key].concat());
        assert_eq!(signed.code, Some(0), "{words:?}: {signed:?}");
        let (code, said) = pasted(&place, &signed.stderr);
        assert!(code == Some(0) && said.contains("trusted"), "{words:?}: {said}");
    }
    assert_eq!(place.read("moved.pub"), place.read("cosign.pub"), "it was made on the way");
    assert_eq!(place.read("else.pub"), place.read("other.pub"), "what is there stays");
    assert_eq!(place.read("else-1.pub"), place.read("cosign.pub"));
}
