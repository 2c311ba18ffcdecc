mod hostile;
mod recording;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use serde_json::{Value, json};

use super::*;
use crate::image::{ImageRef, Version};
use crate::registry::{Memory, Registry};
use crate::verdict::RegistryProblem;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn image(typed: &str) -> ImageRef {
    ImageRef::parse(typed).unwrap()
}

fn parsed(body: &Value) -> Manifest {
    Manifest::parse(body.to_string().into_bytes().into(), None).unwrap()
}

fn of_blob(bytes: &[u8]) -> Value {
    json!({"mediaType": "application/octet-stream", "digest": Digest::of(bytes).to_string(), "size": bytes.len()})
}

fn of_manifest(manifest: &Manifest) -> Value {
    json!({"mediaType": manifest.media_type, "digest": manifest.digest.to_string(), "size": manifest.bytes.len()})
}

/// A manifest with this configuration and these layers.
fn artifact(config: &[u8], layers: &[&[u8]], subject: Option<&Manifest>) -> Manifest {
    let layers: Vec<_> = layers.iter().map(|layer| of_blob(layer)).collect();
    let mut body = json!({"mediaType": OCI_MANIFEST, "config": of_blob(config), "layers": layers});
    if let Some(subject) = subject {
        body["subject"] = of_manifest(subject);
    }
    parsed(&body)
}

fn index(manifests: &[&Manifest]) -> Manifest {
    let manifests: Vec<_> = manifests.iter().map(|manifest| of_manifest(manifest)).collect();
    parsed(&json!({"mediaType": OCI_INDEX, "manifests": manifests}))
}

/// Writes a layout of blobs and entries of the index.
fn save(folder: &Path, blobs: &[&[u8]], entries: &[Value]) {
    let at = folder.join("blobs/sha256");
    fs::create_dir_all(&at).unwrap();
    for blob in blobs {
        fs::write(at.join(Digest::of(blob).hex()), blob).unwrap();
    }
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

fn entry(manifest: &Manifest, annotations: &Value) -> Value {
    let mut entry = of_manifest(manifest);
    entry["annotations"] = annotations.clone();
    entry
}

fn named(manifest: &Manifest, name: &str) -> Value {
    entry(manifest, &json!({REF_NAME: name}))
}

fn kind(manifest: &Manifest, kind: &str) -> Value {
    entry(manifest, &json!({COSIGN_KIND: format!("dev.cosignproject.cosign/{kind}")}))
}

fn layouts(folder: &Path) -> Layouts {
    Layout::open(folder).unwrap_or_else(|error| panic!("{error}")).into()
}

fn manifest(registry: &dyn Registry, name: &str) -> crate::registry::Fetched<Arc<Manifest>> {
    let image = image(name);
    block_on(registry.manifest(image.repository(), &image.version()))
}

fn problem<T: std::fmt::Debug>(answer: crate::registry::Fetched<T>) -> RegistryProblem {
    answer.unwrap_err().problem
}

fn derived(at: &str, of: &Manifest, suffix: &str) -> String {
    format!("{at}:{}{suffix}", of.digest.tag())
}

#[test]
fn what_an_image_has_not_is_known_and_of_others_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let (app, signature) = (artifact(b"c", &[], None), artifact(b"s", &[], None));
    let at = "ghcr.io/acme/app";
    let names = [named(&app, &format!("{at}:1")), named(&signature, &derived(at, &app, ".sig"))];
    save(folder.path(), &[&app.bytes, &signature.bytes], &names);
    let found = layouts(folder.path());
    for name in [format!("{at}:1"), format!("{at}@{}", app.digest), "GHCR.io:443/acme/app:1".to_owned()] {
        assert_eq!(manifest(&found, &name).unwrap().unwrap().digest, app.digest, "{name}");
    }
    assert_eq!(manifest(&found, &derived(at, &app, ".sig")).unwrap().unwrap().digest, signature.digest);
    for suffix in [".att", ".sbom", "", ".other"] {
        assert_eq!(manifest(&found, &derived(at, &app, suffix)), Ok(None), "{suffix}");
    }
    let other = artifact(b"o", &[], None);
    for name in [
        format!("{at}:2"),
        format!("{at}@{}", other.digest),
        derived(at, &other, ".sig"),
        "ghcr.io/acme/other:1".to_owned(),
        format!("ghcr.io/acme/other@{}", app.digest),
        derived("ghcr.io/acme/other", &app, ".sig"),
    ] {
        let fault = manifest(&found, &name).unwrap_err();
        assert_eq!(fault, crate::verdict::RegistryFault::not_recorded(image(&name).to_string()), "{name}");
    }
    let place = image(at);
    let referrers = |of: &Digest| block_on(found.referrers(place.repository(), of));
    assert_eq!(referrers(&app.digest), Ok(Some(vec![])));
    assert_eq!(problem(referrers(&other.digest)), RegistryProblem::NotRecorded);
    assert_eq!(problem(manifest(&Layouts::default(), "nginx")), RegistryProblem::NotRecorded);
}

#[test]
fn referrers_are_those_that_say_so_and_those_that_the_fallback_tag_lists() {
    let folder = tempfile::tempdir().unwrap();
    let app = artifact(b"c", &[], None);
    let (says, listed, elsewhere) =
        (artifact(b"1", &[], Some(&app)), artifact(b"2", &[], None), artifact(b"3", &[], Some(&app)));
    let fallback = index(&[&says, &listed]);
    let at = "ghcr.io/acme/app";
    let entries = [
        named(&app, &format!("{at}:1")),
        named(&says, &format!("{at}@{}", says.digest)),
        named(&elsewhere, &format!("ghcr.io/acme/other@{}", elsewhere.digest)),
        named(&fallback, &derived(at, &app, "")),
    ];
    let blobs: Vec<&[u8]> = [&app, &says, &listed, &elsewhere, &fallback].map(|one| &*one.bytes).to_vec();
    save(folder.path(), &blobs, &entries);
    let place = image(at);
    let found = block_on(layouts(folder.path()).referrers(place.repository(), &app.digest)).unwrap().unwrap();
    let mut digests: Vec<_> = found.into_iter().map(|one| one.digest).collect();
    digests.sort();
    let mut expected = vec![says.digest, listed.digest];
    expected.sort();
    assert_eq!(digests, expected);
}

/// `cosign save` writes no names of its own.
#[test]
fn what_cosign_saved_stands_for_its_digest_in_every_repository() {
    let folder = tempfile::tempdir().unwrap();
    let app = artifact(b"c", &[], None);
    let (signature, attestation) = (artifact(b"s", &[b"layer"], None), artifact(b"a", &[], None));
    let entries = [kind(&app, "image"), kind(&signature, "sigs"), kind(&attestation, "atts")];
    save(folder.path(), &[&app.bytes, &signature.bytes, &attestation.bytes, b"layer"], &entries);
    let found = layouts(folder.path());
    for at in ["ghcr.io/acme/app", "registry.k8s.io/other"] {
        assert!(manifest(&found, &format!("{at}@{}", app.digest)).unwrap().is_some());
        assert_eq!(manifest(&found, &derived(at, &app, ".sig")).unwrap().unwrap().digest, signature.digest);
        assert_eq!(manifest(&found, &derived(at, &app, ".att")).unwrap().unwrap().digest, attestation.digest);
        assert_eq!(manifest(&found, &derived(at, &app, ".sbom")), Ok(None));
        assert_eq!(problem(manifest(&found, &format!("{at}:1"))), RegistryProblem::NotRecorded);
        assert_eq!(
            problem(manifest(&found, &derived(at, &artifact(b"other", &[], None), ".sig"))),
            RegistryProblem::NotRecorded
        );
    }
    let place = image("nginx");
    let layer = block_on(found.blob(place.repository(), &Digest::of(b"layer"), 5)).unwrap().unwrap();
    assert_eq!(&*layer, b"layer");
    // Newer releases name the image, and the signatures by the image's name.
    let name = |manifest: &Manifest, which: &str| {
        let kind = format!("dev.cosignproject.cosign/{which}");
        entry(manifest, &json!({COSIGN_KIND: kind, REF_NAME: "ghcr.io/acme/app:1"}))
    };
    save(folder.path(), &[], &[name(&app, "imageIndex"), name(&signature, "sigs")]);
    let found = layouts(folder.path());
    assert_eq!(manifest(&found, "ghcr.io/acme/app:1").unwrap().unwrap().digest, app.digest);
    let tag = derived("ghcr.io/acme/app", &app, ".sig");
    assert_eq!(manifest(&found, &tag).unwrap().unwrap().digest, signature.digest);
    assert_eq!(problem(manifest(&found, &derived("nginx", &app, ".sig"))), RegistryProblem::NotRecorded);
}

#[test]
fn names_of_containerd_are_read_and_short_ones_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let app = artifact(b"c", &[], None);
    let both = json!({REF_NAME: "1", CONTAINERD_NAME: "docker.io/library/nginx:1"});
    save(folder.path(), &[&app.bytes], &[entry(&app, &both)]);
    let found = layouts(folder.path());
    assert!(manifest(&found, "nginx:1").unwrap().is_some());
    assert_eq!(problem(manifest(&found, "1")), RegistryProblem::NotRecorded);
    save(folder.path(), &[], &[named(&app, "latest")]);
    let found = layouts(folder.path());
    assert!(manifest(&found, &format!("ghcr.io/a/b@{}", app.digest)).unwrap().is_some(), "nameless");
    assert_eq!(problem(manifest(&found, "latest")), RegistryProblem::NotRecorded);
}

#[test]
fn platforms_are_reached_by_digest_as_far_as_they_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let (arm, amd) = (artifact(b"arm", &[], None), artifact(b"amd", &[], None));
    let all = index(&[&arm, &amd]);
    save(folder.path(), &[&all.bytes, &arm.bytes], &[named(&all, "ghcr.io/acme/app:1")]);
    let found = layouts(folder.path());
    let at = "ghcr.io/acme/app";
    assert!(manifest(&found, &format!("{at}@{}", arm.digest)).unwrap().is_some());
    assert_eq!(manifest(&found, &derived(at, &arm, ".sig")), Ok(None));
    assert_eq!(problem(manifest(&found, &format!("{at}@{}", amd.digest))), RegistryProblem::NotRecorded);
    assert_eq!(problem(manifest(&found, &derived(at, &amd, ".sig"))), RegistryProblem::NotRecorded);
}

#[test]
fn several_layouts_answer_together_and_must_not_contradict_each_other() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (app, other, signature) =
        (artifact(b"1", &[], None), artifact(b"2", &[], None), artifact(b"s", &[], None));
    let at = "ghcr.io/acme/app";
    save(one.path(), &[&app.bytes, b"first"], &[named(&app, &format!("{at}:1"))]);
    let late = [named(&signature, &derived(at, &app, ".sig")), named(&other, &format!("{at}:2"))];
    save(two.path(), &[&signature.bytes, &other.bytes], &late);
    let open = |folder: &tempfile::TempDir| Layout::open(folder.path()).unwrap();
    for both in [Layouts(vec![open(&one), open(&two)]), Layouts(vec![open(&two), open(&one)])] {
        assert!(manifest(&both, &derived(at, &app, ".sig")).unwrap().is_some());
        assert_eq!(manifest(&both, &derived(at, &app, ".att")), Ok(None));
        assert!(manifest(&both, &format!("{at}:2")).unwrap().is_some());
        let place = image(at);
        assert!(block_on(both.blob(place.repository(), &Digest::of(b"first"), 9)).unwrap().is_some());
    }
    save(two.path(), &[], &[named(&other, &format!("{at}:1"))]);
    for both in [Layouts(vec![open(&one), open(&two)]), Layouts(vec![open(&two), open(&one)])] {
        assert!(matches!(problem(manifest(&both, &format!("{at}:1"))), RegistryProblem::Malformed(_)));
    }
}
