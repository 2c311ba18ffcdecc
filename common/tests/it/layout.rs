//! Images that cosign signed and saved, recorded and read again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::digest::Digest;
use common::image::{ImageRef, Repository, Version};
use common::registry::layout::Recorder;
use common::registry::{Layout, Layouts, Manifest, Memory, Registry};
use futures::executor::block_on;

use crate::judge::vectors;

fn image(typed: &str) -> ImageRef {
    ImageRef::parse(typed).unwrap()
}

/// The registry of a vector: `tag-…` and `by-digest-…` are its manifests, `blobs/` its blobs.
fn dump(folder: &Path, at: &Repository) -> (Memory, Vec<ImageRef>) {
    let (mut memory, mut names) = (Memory::default(), Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = file.strip_suffix(".manifest.json") else { continue };
        let manifest = Manifest::parse(fs::read(&path).unwrap().into(), None).unwrap();
        memory = match name.strip_prefix("tag-") {
            Some(tag) => {
                names.push(image(&format!("{at}:{tag}")));
                memory.with_manifest(&image(&format!("{at}:{tag}")), manifest)
            }
            None => memory.with_untagged(at, manifest),
        };
    }
    for entry in fs::read_dir(folder.join("blobs")).unwrap() {
        memory = memory.with_blob(at, fs::read(entry.unwrap().path()).unwrap());
    }
    (memory, names)
}

fn folders() -> Vec<PathBuf> {
    let Some(vectors) = vectors() else { return vec![] };
    let all = fs::read_dir(vectors.join("cosign")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = all.filter(|folder| folder.join("tag-v1.manifest.json").is_file()).collect();
    found.sort();
    found
}

/// Manifest, referrers and contents of one name, as a registry answers.
fn answers(registry: &dyn Registry, name: &ImageRef) -> (Arc<Manifest>, Vec<String>, usize) {
    let at = name.repository();
    let manifest = block_on(registry.manifest(at, &name.version())).unwrap().unwrap();
    let referrers = block_on(registry.referrers(at, &manifest.digest)).unwrap().unwrap();
    let mut referrers: Vec<_> = referrers.into_iter().map(|one| one.digest.to_string()).collect();
    referrers.sort();
    let mut bytes = 0;
    for referrer in &referrers {
        let version = Version::Digest(Digest::parse(referrer).unwrap());
        let manifest = block_on(registry.manifest(at, &version)).unwrap().unwrap();
        for layer in &manifest.image().unwrap().layers {
            bytes += block_on(registry.blob(at, &layer.digest, 1 << 20)).unwrap().unwrap().len();
        }
    }
    (manifest, referrers, bytes)
}

#[test]
fn what_cosign_wrote_to_a_registry_is_recorded_whole() {
    for folder in folders() {
        let name = image("127.0.0.1:5000/acme/app:v1");
        let (memory, names) = dump(&folder, name.repository());
        let target = tempfile::tempdir().unwrap();
        let recorded = block_on(Recorder::new(&memory, target.path()).record(&name, None));
        let recorded = recorded.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let found: Layouts = Layout::open(target.path()).unwrap().into();
        let about = |name: &&ImageRef| **name == image(&recorded.name) || derived(name);
        for name in names.iter().filter(about) {
            assert_eq!(answers(&found, name), answers(&memory, name), "{}: {name}", folder.display());
        }
    }
}

fn derived(name: &ImageRef) -> bool {
    name.tag().is_some_and(|tag| tag.derived_from().is_some())
}

#[test]
fn what_cosign_saved_is_read() {
    let Some(saved) = vectors().map(|folder| folder.join("cosign/07-save")) else { return };
    if !saved.is_dir() {
        eprintln!("NOTE: no folder {} with what cosign saved", saved.display());
        return;
    }
    let layout = find(&saved, "oci-layout").expect("a layout");
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let of = |kind: &str| {
        let entries = index["manifests"].as_array().unwrap().iter();
        let mut entries = entries
            .filter(|entry| entry["annotations"]["kind"] == format!("dev.cosignproject.cosign/{kind}"));
        entries.next().and_then(|entry| entry["digest"].as_str()).expect(kind).to_owned()
    };
    let found: Layouts = Layout::open(&layout).unwrap().into();
    let signature = Digest::parse(&of("image")).unwrap().tag();
    let signature = image(&format!("registry.k8s.io/anything:{signature}.sig"));
    let signature = block_on(found.manifest(signature.repository(), &signature.version())).unwrap().unwrap();
    assert_eq!(signature.digest.to_string(), of("sigs"));
}

/// The folder that holds a file.
fn find(folder: &Path, file: &str) -> Option<PathBuf> {
    if folder.join(file).is_file() {
        return Some(folder.to_owned());
    }
    let inside = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    inside.filter(|path| path.is_dir()).find_map(|path| find(&path, file))
}
