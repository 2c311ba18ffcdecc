//! Manifests signed by us and read by `kubectl sigstore`, and the other way round.

use crate::world::{BREAKS, CONFIG_MAP, NUMBERS, TRICKY, TWO_DOCUMENTS, World};

fn world() -> Option<World> {
    let world = World::with(&["kubectl-sigstore"])?;
    world.trust.keygen("k").unwrap();
    Some(world)
}

/// Signs with the real plugin, without a transparency log.
fn sigstore_sign(world: &World, file: &str, key: &str, output: &str, more: &str) {
    let arguments = format!("sign -f {file} -k {key} --no-tlog-upload --force -o {output} {more}");
    world.must("kubectl-sigstore", &arguments);
}

#[test]
fn we_accept_what_the_plugin_signed() {
    let Some(world) = world() else { return };
    for (name, manifest, more) in [
        ("plain", CONFIG_MAP, ""),
        ("tarball", CONFIG_MAP, "--tarball=true"),
        ("documents", TWO_DOCUMENTS, ""),
        ("documents-tarball", TWO_DOCUMENTS, "--tarball=true"),
        ("tricky", TRICKY, ""),
        ("tricky-tarball", TRICKY, "--tarball=true"),
        ("numbers", NUMBERS, ""),
        ("annotated", CONFIG_MAP, "-a owner=team"),
    ] {
        world.trust.write(&format!("{name}.yaml"), manifest).unwrap();
        sigstore_sign(&world, &format!("{name}.yaml"), "k.key", &format!("{name}.signed.yaml"), more);
        let verdict = world.trust.verdict(&format!("verify -f {name}.signed.yaml --key k.pub")).unwrap();
        let expected = vec!["signature-valid"; manifest.matches("kind:").count()];
        assert_eq!(verdict.codes(), (0, expected), "{name}: {}", verdict.json);
    }
}

#[test]
fn we_refuse_what_was_changed_after_the_plugin_signed_it() {
    let Some(world) = world() else { return };
    world.trust.write("m.yaml", TWO_DOCUMENTS).unwrap();
    for (more, from, to, path) in [
        ("", "mode: production", "mode: test", "data.mode"),
        ("--tarball=true", "mode: production", "mode: test", "data.mode"),
        ("", "replicas: 2", "replicas: 3", "spec.replicas"),
        ("", "web:1.0", "web:1.1", "spec.template.spec.containers[0].image"),
    ] {
        sigstore_sign(&world, "m.yaml", "k.key", "signed.yaml", more);
        let signed = world.trust.read("signed.yaml").unwrap();
        assert_eq!(signed.matches(from).count(), 1, "{from} in {signed}");
        world.trust.write("changed.yaml", signed.replace(from, to)).unwrap();
        let verdict = world.trust.verdict("verify -f changed.yaml --key k.pub").unwrap();
        let (code, codes) = verdict.codes();
        assert_eq!(code, 1, "{from}: {}", verdict.json);
        assert!(codes.contains(&"manifest-differs") && codes.contains(&"signature-valid"), "{codes:?}");
        assert_eq!(verdict.paths(), [path]);
    }
}

#[test]
fn we_accept_each_signer_that_the_plugin_appended() {
    let Some(world) = world() else { return };
    world.trust.keygen("second").unwrap();
    world.trust.keygen("stranger").unwrap();
    world.trust.write("m.yaml", CONFIG_MAP).unwrap();
    sigstore_sign(&world, "m.yaml", "k.key", "one.yaml", "");
    sigstore_sign(&world, "one.yaml", "second.key", "two.yaml", "-A");
    for (key, expected) in
        [("k", "signature-valid"), ("second", "signature-valid"), ("stranger", "signature-invalid")]
    {
        let verdict = world.trust.verdict(&format!("verify -f two.yaml --key {key}.pub")).unwrap();
        let code = i32::from(expected != "signature-valid");
        assert_eq!(verdict.codes(), (code, vec![expected]), "{key}: {}", verdict.json);
    }
}

#[test]
fn the_plugin_accepts_what_we_signed() {
    let Some(world) = world() else { return };
    for (name, manifest, more) in [
        ("plain", CONFIG_MAP, ""),
        ("tarball", CONFIG_MAP, "--tarball"),
        ("whole", TWO_DOCUMENTS, "--whole-file"),
        ("whole-tarball", TWO_DOCUMENTS, "--whole-file --tarball"),
        ("tricky", TRICKY, ""),
        ("tricky-tarball", TRICKY, "--tarball"),
        ("breaks", BREAKS, ""),
        ("breaks-tarball", BREAKS, "--tarball"),
        ("numbers", NUMBERS, ""),
        ("numbers-tarball", NUMBERS, "--tarball"),
        ("annotated", CONFIG_MAP, "-a owner=team"),
    ] {
        world.trust.write(&format!("{name}.yaml"), manifest).unwrap();
        world.trust(&format!("sign -f {name}.yaml --key k.key -o {name}.signed.yaml {more}"));
        let (accepted, said) = world.sigstore_accepts(&format!("{name}.signed.yaml"), "k.pub");
        assert!(accepted, "{name}: {said}");
    }
}

/// The plugin reads one document of a file only, so each of ours goes there alone.
#[test]
fn the_plugin_accepts_each_document_that_we_signed_by_itself() {
    let Some(world) = world() else { return };
    world.trust.write("m.yaml", TWO_DOCUMENTS).unwrap();
    world.trust("sign -f m.yaml --key k.key -o signed.yaml");
    let signed = world.trust.read("signed.yaml").unwrap();
    let documents: Vec<_> = signed.split("---\n").collect();
    assert_eq!(documents.len(), 2, "{signed}");
    for document in documents {
        world.trust.write("one.yaml", document).unwrap();
        let (accepted, said) = world.sigstore_accepts("one.yaml", "k.pub");
        assert!(accepted, "{said}\n{document}");
    }
}

#[test]
fn the_plugin_accepts_each_signer_that_we_appended() {
    let Some(world) = world() else { return };
    world.trust.keygen("second").unwrap();
    world.trust.write("m.yaml", TRICKY).unwrap();
    world.trust("sign -f m.yaml --key k.key -o one.yaml");
    world.trust("sign -f one.yaml --key second.key --append -o two.yaml");
    for key in ["k.pub", "second.pub"] {
        let (accepted, said) = world.sigstore_accepts("two.yaml", key);
        assert!(accepted, "{key}: {said}");
    }
}

/// Whether both signatures of a file hold, for us and for the plugin; the two always agree.
fn hold(world: &World, file: &str) -> [bool; 2] {
    ["k.pub", "second.pub"].map(|key| {
        let verdict = world.trust.verdict(&format!("verify -f {file} --key {key}")).unwrap();
        let (code, codes) = verdict.codes();
        let expected = if code == 0 { "signature-valid" } else { "signature-invalid" };
        assert!(code < 2 && codes.iter().all(|code| *code == expected), "{file} {key}: {}", verdict.json);
        let (accepted, said) = world.sigstore_accepts(file, key);
        assert_eq!(accepted, code == 0, "{file} {key}: {said}");
        accepted
    })
}

/// We keep the message that is there, so what others signed holds on.
#[test]
fn we_append_to_what_the_plugin_signed() {
    let Some(world) = world() else { return };
    world.trust.keygen("second").unwrap();
    for manifest in [CONFIG_MAP, TRICKY, NUMBERS] {
        world.trust.write("m.yaml", manifest).unwrap();
        sigstore_sign(&world, "m.yaml", "k.key", "theirs.yaml", "");
        world.trust("sign -f theirs.yaml --key second.key --append -o both.yaml");
        assert_eq!(hold(&world, "both.yaml"), [true, true], "{manifest}");
    }
}

/// The plugin writes the message anew when it appends, so ours holds on only where both write the same
/// bytes: not for strings that we quote or fold differently. Then our signature is refused, by both.
#[test]
fn the_plugin_appends_to_what_we_signed() {
    let Some(world) = world() else { return };
    world.trust.keygen("second").unwrap();
    let deployment = TWO_DOCUMENTS.split("---\n").nth(1).unwrap();
    for (manifest, same_bytes) in [(CONFIG_MAP, true), (deployment, true), (NUMBERS, false), (TRICKY, false)]
    {
        world.trust.write("m.yaml", manifest).unwrap();
        world.trust("sign -f m.yaml --key k.key -o ours.yaml");
        sigstore_sign(&world, "ours.yaml", "second.key", "both.yaml", "-A");
        assert_eq!(hold(&world, "both.yaml"), [same_bytes, true], "{manifest}");
    }
}

#[test]
fn the_plugin_refuses_what_was_changed_after_we_signed_it() {
    let Some(world) = world() else { return };
    world.trust.keygen("stranger").unwrap();
    world.trust.write("m.yaml", CONFIG_MAP).unwrap();
    for more in ["", "--tarball", "--whole-file"] {
        world.trust(&format!("sign -f m.yaml --key k.key -o signed.yaml {more}"));
        let signed = world.trust.read("signed.yaml").unwrap();
        world.trust.write("changed.yaml", signed.replace("production", "test")).unwrap();
        let (accepted, said) = world.sigstore_accepts("changed.yaml", "k.pub");
        assert!(!accepted && said.contains("Diff found in ConfigMap settings"), "{said}");
        let (accepted, said) = world.sigstore_accepts("signed.yaml", "stranger.pub");
        assert!(!accepted && said.contains("invalid signature"), "{said}");
    }
}
