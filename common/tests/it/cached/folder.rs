//! What outlives the process.

use std::fs;
use std::path::{Path, PathBuf};

use common::registry::cached::Options;
use common::registry::{Memory, Registry as _};
use tempfile::TempDir;

use super::*;

fn options(folder: &Path) -> Options {
    Options { folder: Some(folder.to_owned()), ..Options::default() }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Waits for finished files to be as expected; writing goes on after the answer.
async fn until(folder: &Path, expected: impl Fn(&[PathBuf]) -> bool) {
    for _ in 0..500 {
        let mut finished = files(folder);
        finished.retain(|path| path.extension().is_some());
        if expected(&finished) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("other files were to be expected: {:?}", files(folder));
}

async fn settled(folder: &Path, expected: usize) {
    until(folder, |files| files.len() == expected).await;
}

async fn holds(folder: &Path, digest: &Digest) {
    let name = digest.tag();
    until(folder, |files| files.iter().any(|path| path.file_stem().unwrap() == &*name)).await;
}

fn app() -> (Manifest, Arc<Counting>) {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    (image, inner)
}

/// Asks for the image and its blob until they are in the folder.
async fn fill(folder: &Path) -> (Manifest, Arc<Counting>) {
    let (image, inner) = app();
    let cached = cached(&inner, options(folder));
    ask(&cached, &image).await;
    settled(folder, 2).await;
    assert_eq!((inner.total(), cached.stats().unwritten), (4, 0));
    (image, inner)
}

async fn ask(cached: &Cached, image: &Manifest) {
    let place = at("app");
    assert_eq!(cached.manifest(&place, &by_digest(image)).await.unwrap().as_deref(), Some(image));
    let found = cached.blob(&place, &blob("app"), 99).await.unwrap();
    assert_eq!(found.as_deref(), Some(b"blob of app".as_slice()));
    cached.manifest(&place, &signatures(image)).await.unwrap().unwrap();
    cached.referrers(&place, &image.digest).await.unwrap().unwrap();
}

#[tokio::test]
async fn facts_outlive_the_process_and_lists_do_not() {
    let folder = TempDir::new().unwrap();
    let (image, inner) = fill(folder.path()).await;
    let again = cached(&inner, options(folder.path()));
    ask(&again, &image).await;
    assert_eq!(inner.total(), 6, "{:?}", inner.asked());
    assert_eq!((again.stats().hits, again.stats().misses), (2, 2));
}

/// Attack: whoever can write to the folder puts other bytes under a name that is trusted.
#[tokio::test]
async fn a_tampered_file_is_ignored_and_removed() {
    let folder = TempDir::new().unwrap();
    let (image, inner) = fill(folder.path()).await;
    let evil = manifest(666, None);
    for path in files(folder.path()) {
        fs::write(path, &evil.bytes).unwrap();
    }
    ask(&cached(&inner, options(folder.path())), &image).await;
    assert_eq!(inner.total(), 8, "{:?}", inner.asked());
    for path in files(folder.path()) {
        assert_ne!(fs::read(&path).unwrap_or_default(), *evil.bytes, "{}", path.display());
    }
}

/// Attack: a link to a secret, a file without end, half a file.
#[cfg(unix)]
#[tokio::test]
async fn links_and_halves_are_ignored() {
    let folder = TempDir::new().unwrap();
    let (image, inner) = fill(folder.path()).await;
    for path in files(folder.path()) {
        if path.extension().unwrap() == "blob" {
            let elsewhere = folder.path().join("elsewhere");
            fs::rename(&path, &elsewhere).unwrap();
            std::os::unix::fs::symlink(elsewhere, path).unwrap();
        } else {
            fs::write(path, &image.bytes[..10]).unwrap();
        }
    }
    ask(&cached(&inner, options(folder.path())), &image).await;
    assert_eq!(inner.total(), 8, "{:?}", inner.asked());
    assert!(folder.path().join("elsewhere").exists(), "the link is removed, not where it leads");
}

/// Attack A18 over a folder that tenants share.
#[tokio::test]
async fn a18_no_cross_hit_between_scopes_of_one_folder() {
    let folder = TempDir::new().unwrap();
    let (image, _) = fill(folder.path()).await;
    let nothing = Counting::holding(Memory::default());
    let theirs = cached(&nothing, Options { scope: "theirs".to_owned(), ..options(folder.path()) });
    assert_eq!(theirs.manifest(&at("app"), &by_digest(&image)).await.unwrap(), None);
    let ours = cached(&nothing, options(folder.path()));
    assert_eq!(ours.manifest(&at("other"), &by_digest(&image)).await.unwrap(), None);
    assert_eq!(ours.blob(&at("other"), &blob("app"), 99).await.unwrap(), None);
    assert!(ours.manifest(&at("app"), &by_digest(&image)).await.unwrap().is_some());
}

/// What is not ours is removed from our own folders and left alone beside them.
#[tokio::test]
async fn the_bound_of_the_folder_holds_also_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let place = at("app");
    let blobs: Vec<Vec<u8>> = (0..20_u8).map(|number| vec![number; 4_000]).collect();
    let memory = blobs.iter().fold(Memory::default(), |all, blob| all.with_blob(&place, blob.clone()));
    let inner = Counting::holding(memory);
    let bound = |folder_bytes| Options { folder_bytes, ..options(folder.path()) };
    let first = cached(&inner, bound(40_000));
    for (index, blob) in blobs.iter().enumerate() {
        let digest = Digest::of(blob);
        first.blob(&place, &digest, 9_999).await.unwrap().unwrap();
        holds(folder.path(), &digest).await;
        settled(folder.path(), 4.min(index + 1)).await;
    }
    assert_eq!(first.stats().unwritten, 0);
    let inside = files(folder.path()).swap_remove(0);
    fs::write(inside.with_file_name("notes.txt"), "foreign").unwrap();
    fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
    fs::create_dir(folder.path().join("photos")).unwrap();
    fs::write(folder.path().join("photos/notes.txt"), "not ours").unwrap();
    let more = vec![99; 4_000];
    let at_once = Counting::holding(Memory::default().with_blob(&place, more.clone()));
    cached(&at_once, bound(20_000)).blob(&place, &Digest::of(&more), 9_999).await.unwrap().unwrap();
    holds(folder.path(), &Digest::of(&more)).await;
    settled(folder.path(), 2 + 2).await;
    assert!(folder.path().join("photos/notes.txt").exists() && folder.path().join("notes.txt").exists());
}
