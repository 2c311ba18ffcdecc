//! Signing images that are signed already, and such as are not there.

use e2e::registry::{Image, Kind, Registry};
use e2e::sigstore::Rekor;
use e2e::trust::Trust;

use super::fixtures::Stage;
use super::ours::By;

/// How many signatures lie beside an image: layers of the older tag, or referrers.
fn signatures(registry: &Registry, image: &Image) -> [usize; 2] {
    let tag = format!("{}.sig", image.digest.replace(':', "-"));
    let (repository, digest) = (image.repository.split_once('/').unwrap().1, &image.digest);
    let legacy = registry.manifest(repository, &tag).unwrap();
    let listed = registry.referrers(repository, digest).unwrap();
    let fallback = || registry.manifest(repository, &digest.replace(':', "-")).unwrap();
    let referrers = listed.or_else(fallback);
    let count = |manifest: Option<serde_json::Value>, list: &str| {
        manifest.map_or(0, |manifest| manifest[list].as_array().map_or(0, Vec::len))
    };
    [count(legacy, "layers"), count(referrers, "manifests")]
}

#[test]
fn what_the_key_signed_already_is_not_signed_again() {
    for kind in Kind::BOTH {
        let Some(registry) = Registry::start(kind).unwrap() else { return };
        let trust = Trust::new().unwrap();
        for key in ["k", "other"] {
            trust.keygen(key).unwrap();
        }
        let image = registry.push("again/app", "1", "again").unwrap();
        let sign = |more: &str| {
            let run = trust.run(&format!("sign {} {more}", image.by_tag())).unwrap();
            assert_eq!(run.code, 0, "{run:?}");
            (run.stderr.contains("already signed by this key"), signatures(&registry, &image))
        };
        for (more, known, there) in [
            ("--key k.key", false, [0, 1]),
            ("--key k.key", true, [0, 1]),
            // Another format, another key, an annotation that is not there yet, a wish.
            ("--key k.key --format legacy", false, [1, 1]),
            ("--key k.key --format legacy", true, [1, 1]),
            ("--key other.key", false, [1, 2]),
            ("--key k.key -a team=shop", false, [1, 3]),
            ("--key k.key -a team=shop", true, [1, 3]),
            ("--key k.key --force", false, [1, 4]),
            ("--key k.key --format legacy --force", false, [2, 4]),
        ] {
            assert_eq!(sign(more), (known, there), "{kind:?} {more}");
        }
    }
}

/// Attack, or bad luck: what cannot be read is taken for what is not there, and signed once more.
#[test]
fn a_registry_that_does_not_answer_is_no_answer() {
    let Some(registry) = Registry::start(Kind::BOTH[0]).unwrap() else { return };
    let trust = Trust::new().unwrap();
    trust.keygen("k").unwrap();
    let there = registry.push("again/there", "1", "there").unwrap();
    let missing = [there.by_tag().replace("there", "nowhere"), there.by_tag().replace(":1", ":2")];
    assert_ne!(missing[1], there.by_tag());
    let run =
        trust.run(&format!("sign {} {} {} --key k.key", missing[0], there.by_tag(), missing[1])).unwrap();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    for name in &missing {
        assert!(run.stderr.contains(&format!("{name}: the registry has no such image")), "{run:?}");
    }
    assert_eq!(signatures(&registry, &there), [0, 0], "one is missing, so none is signed");
}

/// The command that a run advises.
fn advised(stderr: &str) -> String {
    let line = stderr.lines().find_map(|line| line.strip_prefix("to verify: kubectl trust "));
    line.and_then(|line| line.split("   #").next()).unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

#[test]
fn the_command_that_is_printed_passes() {
    let Some(registry) = Registry::start(Kind::BOTH[0]).unwrap() else { return };
    let trust = Trust::new().unwrap();
    for key in ["k", "other"] {
        trust.keygen(key).unwrap();
    }
    trust.write("said.json", r#"{"tests": "passed"}"#).unwrap();
    let one = registry.push("again/one", "1", "one").unwrap().by_tag();
    let two = registry.push_index("again/two", "1", "two").unwrap().by_tag();
    for line in [
        format!("sign {one} {two} --key other.key"),
        format!("sign {one} {two} --key k.key --format legacy -a team=shop"),
        format!("sign {two} -R --key k.key -a team=shop"),
        format!("sign {two} --key k.key"),
        format!("attest {one} {two} --key k.key --predicate said.json --type https://example.com/tests/v1"),
        format!("attest {one} --key k.key --predicate said.json --type vuln"),
    ] {
        let run = trust.run(&line).unwrap();
        assert_eq!(run.code, 0, "{run:?}");
        let verify = advised(&run.stderr);
        let verified = trust.run(&verify).unwrap();
        assert_eq!(verified.code, 0, "{line}\n{verify}\n{verified:?}");
    }
}

/// A signer with a log or an identity is told the trust root's flags and the identity of the certificate.
#[test]
fn the_command_for_what_a_private_sigstore_signed_passes() {
    let Some(stage) = Stage::with(Kind::BOTH[0]) else { return };
    let trust = &stage.world.trust;
    let root = stage.sigstore.trusted_root().display().to_string();
    trust.write("m.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
    for log in [Rekor::V1, Rekor::V2] {
        for who in [By::Key(Some(log)), By::Identity(log)] {
            let image = stage.push("advised").by_tag();
            let whats = [image.as_str(), "-f m.yaml -o signed.yaml", "--blob m.yaml --bundle m.bundle"];
            for what in whats.into_iter().filter(|what| log == Rekor::V1 || !what.starts_with("-f")) {
                let run = trust.run(&format!("sign {what} {}", who.flags(&stage))).unwrap();
                assert_eq!(run.code, 0, "{run:?}");
                let verify = advised(&run.stderr);
                assert!(verify.contains("--trusted-root trusted_root.json"), "{verify}");
                let verified = trust.run(&verify.replace("trusted_root.json", &root)).unwrap();
                assert_eq!(verified.code, 0, "{what} {who:?}\n{verify}\n{verified:?}");
            }
        }
    }
}
