//! Layouts from somebody who means harm.

use super::*;
use crate::limits;

fn refused(folder: &Path) -> LayoutProblem {
    Layout::open(folder).unwrap_err().problem
}

/// A layout with one image, and the path of its blob.
fn valid(folder: &Path) -> (Manifest, PathBuf) {
    let app = artifact(b"c", &[], None);
    save(folder, &[&app.bytes], &[named(&app, "ghcr.io/acme/app:1")]);
    Layout::open(folder).unwrap();
    let blob = folder.join("blobs/sha256").join(app.digest.hex());
    (app, blob)
}

#[test]
fn a_folder_that_is_no_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(refused(folder.path()), LayoutProblem::Missing);
    assert!(matches!(refused(&folder.path().join("none")), LayoutProblem::File(FileError::Unreadable(_))));
    let (_, blob) = valid(folder.path());
    assert!(matches!(refused(&blob), LayoutProblem::File(FileError::Unreadable(_))), "a file");
    for (version, expected) in [
        (r#"{"imageLayoutVersion":"2.0.0"}"#, LayoutProblem::Version("2.0.0".to_owned())),
        (
            &" ".repeat(9_000),
            LayoutProblem::File(FileError::TooLarge { bound: limits::LAYOUT_VERSION_BYTES }),
        ),
    ] {
        fs::write(folder.path().join(VERSION_FILE), version).unwrap();
        assert_eq!(refused(folder.path()), expected);
    }
    fs::write(folder.path().join(VERSION_FILE), "{}").unwrap();
    assert!(matches!(refused(folder.path()), LayoutProblem::Json(_)));
    valid(folder.path());
    fs::write(folder.path().join(INDEX_FILE), "[1]").unwrap();
    assert!(matches!(refused(folder.path()), LayoutProblem::Json(_)));
    fs::remove_file(folder.path().join(INDEX_FILE)).unwrap();
    assert_eq!(refused(folder.path()), LayoutProblem::Missing);
}

/// Attack: a blob that is a link to a secret, or a pipe that nobody writes to.
#[cfg(unix)]
#[test]
fn links_out_of_the_folder_and_pipes_are_not_read() {
    use std::os::unix::fs::symlink;
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (app, blob) = valid(folder.path());
    let secret = outside.path().join("secret");
    fs::rename(&blob, &secret).unwrap();
    symlink(&secret, &blob).unwrap();
    assert_eq!(refused(folder.path()), LayoutProblem::File(FileError::Outside));
    fs::remove_file(&blob).unwrap();
    // A link inside is how tools share blobs.
    fs::write(folder.path().join("shared"), &app.bytes).unwrap();
    symlink("../../shared", &blob).unwrap();
    Layout::open(folder.path()).unwrap();
    fs::remove_file(&blob).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&blob).status().unwrap();
    assert!(made.success());
    assert_eq!(refused(folder.path()), LayoutProblem::File(FileError::NotRegular));
    fs::remove_file(&blob).unwrap();
    fs::create_dir(&blob).unwrap();
    assert_eq!(refused(folder.path()), LayoutProblem::File(FileError::NotRegular));
    fs::remove_dir(&blob).unwrap();
    symlink(&blob, &blob).unwrap();
    assert!(matches!(refused(folder.path()), LayoutProblem::File(FileError::Unreadable(_))), "a loop");
}

#[cfg(unix)]
#[test]
fn blobs_are_read_with_the_same_care() {
    use std::os::unix::fs::symlink;
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    valid(folder.path());
    let found = layouts(folder.path());
    let place = image("ghcr.io/acme/app");
    let digest = Digest::of(b"payload");
    let path = folder.path().join("blobs/sha256").join(digest.hex());
    let read = |bound: usize| block_on(found.blob(place.repository(), &digest, bound));
    assert_eq!(problem(read(10)), RegistryProblem::NotRecorded);
    fs::write(outside.path().join("secret"), b"payload").unwrap();
    symlink(outside.path().join("secret"), &path).unwrap();
    assert!(matches!(problem(read(10)), RegistryProblem::Malformed(_)));
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"payloae").unwrap();
    assert!(matches!(problem(read(10)), RegistryProblem::ContentMismatch { .. }));
    fs::write(&path, b"payload").unwrap();
    assert_eq!(problem(read(6)), RegistryProblem::TooLarge { bound: 6 });
    assert_eq!(&*read(7).unwrap().unwrap(), b"payload");
}

#[test]
fn what_the_index_says_must_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let (app, blob) = valid(folder.path());
    let other = artifact(b"other", &[], None);
    fs::write(&blob, &other.bytes).unwrap();
    assert_eq!(refused(folder.path()), LayoutProblem::Digest { found: other.digest.clone() });
    fs::write(&blob, b"no json").unwrap();
    assert!(matches!(refused(folder.path()), LayoutProblem::Digest { .. }));
    fs::remove_file(&blob).unwrap();
    assert_eq!(refused(folder.path()), LayoutProblem::Missing);
    let blobs: [&[u8]; 2] = [&app.bytes, &other.bytes];
    let name = "ghcr.io/acme/app:1";
    let (first, second) = (named(&app, name), named(&other, name));
    save(folder.path(), &blobs, &[first.clone(), second.clone()]);
    assert_eq!(refused(folder.path()), LayoutProblem::TwoOfOneName(name.to_owned()));
    save(folder.path(), &blobs, &[first.clone(), named(&other, "GHCR.io:443/acme/app:1")]);
    assert_eq!(refused(folder.path()), LayoutProblem::TwoOfOneName(name.to_owned()), "another spelling");
    save(folder.path(), &blobs, &[first.clone(), first.clone()]);
    Layout::open(folder.path()).unwrap();
    let wrong = format!("ghcr.io/acme/app@{}", other.digest);
    save(folder.path(), &blobs, &[named(&app, &wrong)]);
    assert_eq!(refused(folder.path()), LayoutProblem::OtherDigest(wrong));
    save(folder.path(), &blobs, &[named(&app, "ghcr.io/../x")]);
    assert!(matches!(refused(folder.path()), LayoutProblem::Name { .. }));
    let mut traversal = first;
    traversal["digest"] = json!("sha256:../../../etc/passwd");
    save(folder.path(), &blobs, &[traversal]);
    assert!(matches!(refused(folder.path()), LayoutProblem::Json(_)));
    let mut mistaken = second;
    mistaken["mediaType"] = json!(OCI_INDEX);
    save(folder.path(), &blobs, &[mistaken]);
    assert_eq!(refused(folder.path()), LayoutProblem::Manifest(ManifestError::Ambiguous));
}

/// Attack: signatures of one image offered as those of another.
#[test]
fn signatures_must_be_of_one_image() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (artifact(b"1", &[], None), artifact(b"2", &[], None));
    let (signature, more) = (artifact(b"s", &[], None), artifact(b"t", &[], None));
    let blobs: [&[u8]; 4] = [&one.bytes, &two.bytes, &signature.bytes, &more.bytes];
    for entries in [
        vec![kind(&signature, "sigs")],
        vec![kind(&one, "image"), kind(&two, "image"), kind(&signature, "sigs")],
    ] {
        save(folder.path(), &blobs, &entries);
        assert_eq!(refused(folder.path()), LayoutProblem::EvidenceOfNothing);
    }
    let twice = [kind(&one, "image"), kind(&signature, "sigs"), kind(&more, "sigs")];
    save(folder.path(), &blobs, &twice);
    assert!(matches!(refused(folder.path()), LayoutProblem::TwoOfOneName(_)));
    let tag = derived("ghcr.io/acme/app", &one, ".sig");
    let both = [kind(&one, "image"), kind(&signature, "sigs"), named(&more, &tag)];
    save(folder.path(), &blobs, &both);
    assert!(matches!(refused(folder.path()), LayoutProblem::TwoOfOneName(_)));
}

#[test]
fn huge_layouts_are_refused_before_they_cost_anything() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = valid(folder.path());
    let file = fs::File::create(folder.path().join(INDEX_FILE)).unwrap();
    file.set_len(limits::LAYOUT_INDEX_BYTES as u64 + 1).unwrap();
    let bound = limits::LAYOUT_INDEX_BYTES;
    assert_eq!(refused(folder.path()), LayoutProblem::File(FileError::TooLarge { bound }));
    let many = vec![of_manifest(&app); limits::LAYOUT_MANIFESTS + 1];
    save(folder.path(), &[&app.bytes], &many);
    assert_eq!(refused(folder.path()), LayoutProblem::TooManyManifests);
    // Each index lists the one below it a thousand times.
    let children = vec![&app; limits::MANIFEST_ENTRIES];
    let low = index(&children);
    let middle = index(&vec![&low; limits::MANIFEST_ENTRIES]);
    save(folder.path(), &[&app.bytes, &low.bytes, &middle.bytes], &[named(&middle, "ghcr.io/acme/app:1")]);
    assert_eq!(refused(folder.path()), LayoutProblem::TooManyManifests);
    let mut nested = index(&[&app]);
    let mut all = vec![Arc::clone(&app.bytes), Arc::clone(&nested.bytes)];
    for _ in 0..limits::INDEX_DEPTH {
        nested = index(&[&nested]);
        all.push(Arc::clone(&nested.bytes));
    }
    let blobs: Vec<&[u8]> = all.iter().map(|bytes| &**bytes).collect();
    save(folder.path(), &blobs, &[named(&nested, "ghcr.io/acme/app:1")]);
    assert_eq!(refused(folder.path()), LayoutProblem::TooDeep);
}
