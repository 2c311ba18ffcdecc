//! Indexes: what is signed of them, and of their manifests.

use common::image::{Platform, Repository};
use common::policy::images::ImageEntry;
use common::registry::Manifest;
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use super::shelf::*;

fn listed(image: &Manifest, platform: &Value) -> Value {
    json!({"mediaType": image.media_type, "digest": image.digest.to_string(), "size": image.bytes.len(),
        "platform": platform})
}

fn index(list: &[(&Manifest, Value)]) -> Manifest {
    let manifests: Vec<_> = list.iter().map(|(image, platform)| listed(image, platform)).collect();
    manifest(&json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests}))
}

fn platform(architecture: &str) -> Value {
    json!({"os": "linux", "architecture": architecture})
}

/// Everything of an index, with a signature of one manifest.
fn shelf(index: &Manifest, images: &[&Manifest], signed: &Manifest, key: &common::key::PrivateKey) -> Shelf {
    let at = Repository::parse(REPOSITORY).unwrap();
    let Shelf(memory) = Shelf::of(index);
    let memory = images.iter().fold(memory, |memory, image| memory.with_untagged(&at, (*image).clone()));
    Shelf(memory).signed(signed, &[Layer::signature(key, REPOSITORY, &signed.digest)])
}

fn on(platform: &str, key: &common::key::PrivateKey) -> ImageEntry {
    let platform: Option<Platform> = Some(platform.parse().unwrap());
    ImageEntry { platform, ..signed_by(key) }
}

fn digest_of(decision: &Decision) -> String {
    decision.headline().to_string()
}

#[test]
fn a_manifest_of_an_index_stands_for_it_on_one_platform_only() {
    let (key, amd, arm) = (key(), image("amd64"), image("arm64"));
    let both = index(&[(&amd, platform("amd64")), (&arm, platform("arm64"))]);
    let by = |signed: &Manifest| shelf(&both, &[&amd, &arm], signed, &key).registry();
    passes(&judge(APP, &signed_by(&key), by(&both)));
    passes(&judge(APP, &on("linux/amd64", &key), by(&both)));
    let of_platform = judge(APP, &on("linux/amd64", &key), by(&amd));
    passes(&of_platform);
    assert!(digest_of(&of_platform).contains(amd.digest.hex()), "the verdict names what was signed");
    expect(&judge(APP, &on("linux/arm64", &key), by(&amd)), Outcome::Fail, "signature-missing");
    expect(&judge(APP, &on("windows/amd64", &key), by(&amd)), Outcome::Fail, "signature-missing");
    expect(&judge(APP, &signed_by(&key), by(&amd)), Outcome::Fail, "signature-missing");
}

/// Which of them a node takes is not ours to know.
#[test]
fn two_manifests_for_one_platform_stand_for_nothing() {
    let (key, good, evil) = (key(), image("good"), image("evil"));
    let variant = |variant: &str| json!({"os": "linux", "architecture": "arm64", "variant": variant});
    let twins = [
        platform("arm64"),
        variant("v8"),
        variant("8"),
        variant("V8"),
        platform("aarch64"),
        platform("ARM64"),
        json!({"os": "Linux", "architecture": "arm64"}),
    ];
    for twin in twins {
        let lists = [
            index(&[(&good, platform("arm64")), (&evil, twin.clone())]),
            index(&[(&evil, twin), (&good, platform("arm64"))]),
        ];
        for list in lists {
            let registry = shelf(&list, &[&good, &evil], &good, &key).registry();
            let by_digest = format!("{REPOSITORY}@{}", list.digest);
            for name in [APP, &by_digest] {
                let decision = judge(name, &on("linux/arm64", &key), registry.clone());
                expect(&decision, Outcome::Fail, "signature-missing");
            }
        }
    }
    // The same manifest twice is one.
    let list = index(&[(&good, platform("arm64")), (&good, variant("v8"))]);
    passes(&judge(APP, &on("linux/arm64", &key), shelf(&list, &[&good], &good, &key).registry()));
    // Another variant is another platform.
    let older = json!({"os": "linux", "architecture": "arm", "variant": "v6"});
    let newer = json!({"os": "linux", "architecture": "arm", "variant": "v7"});
    let list = index(&[(&evil, older), (&good, newer)]);
    passes(&judge(APP, &on("linux/arm/v7", &key), shelf(&list, &[&good], &good, &key).registry()));
}
