//! What is recorded of a registry answers as the registry did.

use super::*;
use crate::registry::{Descriptor, Fetch};
use crate::verdict::RegistryFault;

/// An index of two platforms: the index is signed by a tag, one platform has attestations, and a bundle
/// refers to the index.
struct World {
    memory: Memory,
    all: Manifest,
    arm: Manifest,
    bundle: Manifest,
}

fn world(at: &str) -> World {
    let place = image(at).repository().clone();
    let (arm, amd) = (artifact(b"arm", &[b"layer"], None), artifact(b"amd", &[b"layer"], None));
    let all = index(&[&arm, &amd]);
    let signature = artifact(b"s", &[b"payload"], None);
    let attestation = artifact(b"a", &[b"envelope"], None);
    let bundle = artifact(b"{}", &[b"bundle"], Some(&all));
    let tag = |of: &Manifest, suffix: &str| image(&derived(&place.to_string(), of, suffix));
    let mut memory = Memory::default()
        .with_manifest(&image(at), all.clone())
        .with_untagged(&place, arm.clone())
        .with_untagged(&place, amd)
        .with_manifest(&tag(&all, ".sig"), signature)
        .with_manifest(&tag(&arm, ".att"), attestation)
        .with_untagged(&place, bundle.clone());
    for blob in ["arm", "amd", "s", "payload", "a", "envelope", "{}", "bundle"] {
        memory = memory.with_blob(&place, blob.as_bytes());
    }
    World { memory, all, arm, bundle }
}

fn record(world: &World, folder: &Path, name: &str, under: Option<&str>) -> Result<Recorded, RecordError> {
    let under = under.map(image);
    block_on(Recorder::new(&world.memory, folder).record(&image(name), under.as_ref()))
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    all
}

#[test]
fn a_recording_answers_as_the_registry_did() {
    let folder = tempfile::tempdir().unwrap();
    let (at, name) = ("ghcr.io/acme/app", "ghcr.io/acme/app:1");
    let world = world(name);
    let recorded = record(&world, folder.path(), name, None).unwrap();
    assert_eq!((recorded.name.as_str(), &recorded.digest), (name, &world.all.digest));
    assert_eq!((recorded.manifests, recorded.blobs, recorded.left_out), (6, 8, 0));
    let found = layouts(folder.path());
    let mut names = vec![name.to_owned()];
    for of in [&world.all, &world.arm, &world.bundle] {
        names.push(format!("{at}@{}", of.digest));
        names.extend(["", ".sig", ".att", ".sbom"].map(|suffix| derived(at, of, suffix)));
    }
    for name in &names {
        assert_eq!(manifest(&found, name), manifest(&world.memory, name), "{name}");
    }
    let place = image(at);
    let place = place.repository();
    for of in [&world.all, &world.arm, &world.bundle] {
        let referrers = |registry: &dyn Registry| block_on(registry.referrers(place, &of.digest));
        assert_eq!(referrers(&found), referrers(&world.memory));
    }
    for blob in ["arm", "payload", "envelope", "bundle"] {
        let digest = Digest::of(blob.as_bytes());
        let read = |registry: &dyn Registry| block_on(registry.blob(place, &digest, 100));
        assert_eq!(read(&found), read(&world.memory), "{blob}");
    }
    let layer = block_on(found.blob(place, &Digest::of(b"layer"), 100));
    assert_eq!(problem(layer), RegistryProblem::NotRecorded, "no layers of images");
}

#[test]
fn an_image_may_stand_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let name = "127.0.0.1:5000/etcd:3";
    let world = world(name);
    let digest = world.all.digest.clone();
    let pinned = format!("registry.k8s.io/etcd@{digest}");
    for (under, expected) in [
        ("registry.k8s.io/etcd", "registry.k8s.io/etcd:3"),
        ("registry.k8s.io/etcd:4", "registry.k8s.io/etcd:4"),
        (pinned.as_str(), pinned.as_str()),
    ] {
        let recorded = record(&world, folder.path(), name, Some(under)).unwrap();
        assert_eq!(recorded.name, expected);
        let found = layouts(folder.path());
        assert!(manifest(&found, expected).unwrap().is_some());
        assert!(manifest(&found, &derived("registry.k8s.io/etcd", &world.all, ".sig")).unwrap().is_some());
        assert_eq!(problem(manifest(&found, name)), RegistryProblem::NotRecorded);
    }
    let other = format!("registry.k8s.io/etcd@{}", world.arm.digest);
    let error = record(&world, folder.path(), name, Some(&other)).unwrap_err();
    assert_eq!(error, RecordError::OtherDigest { name: other, found: digest });
}

#[test]
fn recording_again_changes_nothing_and_other_images_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (world("ghcr.io/acme/app:1"), world("ghcr.io/acme/other:1"));
    record(&two, folder.path(), "ghcr.io/acme/other:1", None).unwrap();
    record(&one, folder.path(), "ghcr.io/acme/app:1", None).unwrap();
    let before = files(folder.path());
    record(&one, folder.path(), "ghcr.io/acme/app:1", None).unwrap();
    record(&two, folder.path(), "ghcr.io/acme/other:1", None).unwrap();
    assert!(files(folder.path()) == before);
    let found = layouts(folder.path());
    for name in ["ghcr.io/acme/app:1", "ghcr.io/acme/other:1"] {
        assert!(manifest(&found, name).unwrap().is_some());
    }
    let turned = tempfile::tempdir().unwrap();
    record(&one, turned.path(), "ghcr.io/acme/app:1", None).unwrap();
    record(&two, turned.path(), "ghcr.io/acme/other:1", None).unwrap();
    let index = |folder: &Path| fs::read(folder.join(INDEX_FILE)).unwrap();
    assert!(index(turned.path()) == index(folder.path()), "whatever was recorded first");
    // A broken blob is written again.
    let blob = folder.path().join("blobs/sha256").join(Digest::of(b"payload").hex());
    fs::write(&blob, b"broken").unwrap();
    record(&one, folder.path(), "ghcr.io/acme/app:1", None).unwrap();
    assert!(files(folder.path()) == before);
}

/// A signature that was taken back must not live on, as a tag or as a referrer.
#[test]
fn recording_again_forgets_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (at, name) = ("ghcr.io/acme/app", "ghcr.io/acme/app:1");
    let place = image(name);
    let bare = artifact(b"c", &[], None);
    let (signature, bundle) = (artifact(b"c", &[b"s"], None), artifact(b"c", &[b"b"], Some(&bare)));
    let unsigned = Memory::default().with_manifest(&place, bare.clone());
    let unsigned = unsigned.with_blob(place.repository(), b"c".as_slice());
    let signed = unsigned
        .clone()
        .with_manifest(&image(&derived(at, &bare, ".sig")), signature)
        .with_untagged(place.repository(), bundle)
        .with_blob(place.repository(), b"s".as_slice())
        .with_blob(place.repository(), b"b".as_slice());
    let evidence = |memory: &Memory| {
        block_on(Recorder::new(memory, folder.path()).record(&place, None)).unwrap();
        let found = layouts(folder.path());
        let referrers = block_on(found.referrers(place.repository(), &bare.digest)).unwrap().unwrap();
        (manifest(&found, &derived(at, &bare, ".sig")).unwrap().is_some(), referrers.len())
    };
    assert_eq!(evidence(&signed), (true, 1));
    assert_eq!(evidence(&unsigned), (false, 0));
    // A tag that moves leaves the image that it was recorded for.
    let moved = Memory::default().with_manifest(&place, artifact(b"c", &[b"new"], None));
    assert_eq!(evidence(&signed), (true, 1));
    block_on(Recorder::new(&moved, folder.path()).record(&place, None)).unwrap();
    assert_ne!(manifest(&layouts(folder.path()), name).unwrap().unwrap().digest, bare.digest);
}

/// Signatures in another repository, as policies name it.
#[test]
fn another_repository_answers_about_the_image_as_far_as_it_was_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let (at, name, elsewhere) = ("ghcr.io/acme/app", "ghcr.io/acme/app:1", "ghcr.io/acme/signatures");
    let World { memory, all, arm, .. } = world(name);
    let (signature, bundle) = (artifact(b"s", &[b"other"], None), artifact(b"s", &[b"third"], Some(&all)));
    let store = image(elsewhere).repository().clone();
    let empty = image("ghcr.io/acme/empty").repository().clone();
    let memory = memory
        .with_manifest(&image(&derived(elsewhere, &all, ".sig")), signature)
        .with_untagged(&store, bundle.clone())
        .with_blob(&store, b"s".as_slice())
        .with_blob(&store, b"other".as_slice())
        .with_blob(&store, b"third".as_slice());
    let record = |places: &[Repository]| {
        let recorder = Recorder::new(&memory, folder.path()).with_signatures_in(places.to_vec());
        block_on(recorder.record(&image(name), None)).unwrap()
    };
    let sig = derived(elsewhere, &all, ".sig");
    record(&[]);
    let found = layouts(folder.path());
    assert_eq!(problem(manifest(&found, &sig)), RegistryProblem::NotRecorded);
    let referrers = |found: &Layouts, at: &Repository| block_on(found.referrers(at, &all.digest));
    assert_eq!(problem(referrers(&found, &store)), RegistryProblem::NotRecorded);
    let before = files(folder.path());
    // One after the other, beside what is there.
    assert_eq!(record(std::slice::from_ref(&store)).nothing_in, []);
    assert_eq!(
        record(&[empty.clone(), image(at).repository().clone()]).nothing_in,
        std::slice::from_ref(&empty)
    );
    let found = layouts(folder.path());
    assert_eq!(manifest(&found, &sig), manifest(&memory, &sig));
    assert_eq!(referrers(&found, &store), Ok(Some(vec![bundle.descriptor()])));
    let third = block_on(found.blob(&store, &Digest::of(b"third"), 9)).unwrap().unwrap();
    assert_eq!(&*third, b"third");
    for absent in [
        derived(elsewhere, &all, ".att"),
        derived(elsewhere, &arm, ".sig"),
        derived("ghcr.io/acme/empty", &all, ".sig"),
        derived("ghcr.io/acme/empty", &arm, ".att"),
    ] {
        assert_eq!(manifest(&found, &absent), Ok(None), "{absent}");
    }
    assert_eq!(referrers(&found, &empty), Ok(Some(vec![])));
    // The image is not there because signatures of it are.
    let there = format!("{elsewhere}@{}", all.digest);
    assert_eq!(problem(manifest(&found, &there)), RegistryProblem::NotRecorded);
    assert_eq!(referrers(&found, image(at).repository()).unwrap().unwrap().len(), 1);
    // In whatever order, and what was signed there once does not live on.
    let index = fs::read(folder.path().join(INDEX_FILE)).unwrap();
    record(&[empty, store.clone()]);
    assert!(fs::read(folder.path().join(INDEX_FILE)).unwrap() == index);
    assert!(files(folder.path()).len() > before.len());
    let unsigned = world(name).memory;
    let recorder = Recorder::new(&unsigned, folder.path()).with_signatures_in(vec![store.clone()]);
    assert_eq!(
        block_on(recorder.record(&image(name), None)).unwrap().nothing_in,
        std::slice::from_ref(&store)
    );
    let found = layouts(folder.path());
    assert_eq!((manifest(&found, &sig), referrers(&found, &store)), (Ok(None), Ok(Some(vec![]))));
}

/// A registry that breaks at one request.
struct Broken<'r>(&'r Memory, Digest);

impl Registry for Broken<'_> {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        self.0.manifest(at, version)
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        if *digest == self.1 {
            let fault = RegistryFault::new("GET", RegistryProblem::Status(500));
            return Box::pin(std::future::ready(Err(fault)));
        }
        self.0.blob(at, digest, bound)
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        self.0.referrers(at, subject)
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        self.0.signed_digests(at)
    }
}

#[test]
fn nothing_is_written_of_an_image_that_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new");
    let name = "ghcr.io/acme/app:1";
    let world = world(name);
    let broken = Broken(&world.memory, Digest::of(b"bundle"));
    let error = block_on(Recorder::new(&broken, &target).record(&image(name), None)).unwrap_err();
    assert!(matches!(error, RecordError::Registry(_)), "{error}");
    let absent = record(&world, &target, "ghcr.io/acme/app:2", None).unwrap_err();
    assert_eq!(absent, RecordError::NotFound("ghcr.io/acme/app:2".to_owned()));
    let place = image(name);
    let holey = Memory::default().with_manifest(&place, artifact(b"", &[], None));
    let signature = image(&derived("ghcr.io/acme/app", &artifact(b"", &[], None), ".sig"));
    let holey = holey.with_manifest(&signature, artifact(b"", &[b"gone"], None));
    let error = block_on(Recorder::new(&holey, &target).record(&place, None)).unwrap_err();
    assert!(matches!(error, RecordError::Missing(_)), "{error}");
    assert!(!target.exists());
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "x").unwrap();
    let world = world("nginx:1");
    let error = record(&world, folder.path(), "nginx:1", None).unwrap_err();
    let problem = WriteProblem::NotALayout;
    assert_eq!(error, RecordError::Write(WriteError { path: folder.path().to_owned(), problem }));
    assert_eq!(files(folder.path()).len(), 1);
    fs::write(folder.path().join(INDEX_FILE), r#"{"manifests": 5}"#).unwrap();
    let error = record(&world, folder.path(), "nginx:1", None).unwrap_err();
    assert!(error.to_string().contains("its manifests are no list"), "{error}");
    assert_eq!(files(folder.path()).len(), 2);
}
