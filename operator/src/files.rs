//! Policies and other input from files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use common::dialect::PolicySet;
use common::limits;

/// Levels of folders that are searched for policies.
const DEPTH: usize = 16;

/// The policies and exceptions of files and folders. Of a folder, every file whose name ends like YAML or JSON,
/// and those below; links into other folders as well, which is how Kubernetes mounts a `ConfigMap`.
///
/// # Errors
/// Every problem of every file. No policy at all is one: somebody believed that something would be enforced.
pub(crate) fn policies(paths: &[PathBuf]) -> anyhow::Result<PolicySet> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            find(path, DEPTH, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    let (mut set, mut problems) = (PolicySet::default(), Vec::new());
    for file in &files {
        let content = bytes(file, limits::INPUT_BYTES)?;
        let errors = set.add_file(&file.display().to_string(), &content).err().into_iter().flatten();
        problems.extend(errors.map(|error| error.to_string()));
    }
    if !problems.is_empty() {
        bail!(problems.join("\n"));
    }
    ensure!(!set.policies.is_empty(), "no policy in {}", names(paths));
    set.name_roots();
    Ok(set)
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn find(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let name = || folder.display().to_string();
    ensure!(depth > 0, "{}: more than {DEPTH} folders inside each other", name());
    let entries = std::fs::read_dir(folder).with_context(name)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(name)?;
    paths.sort();
    for path in paths {
        // `..data` of a mounted ConfigMap holds the same files once more. Nothing else is left out.
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".."));
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
        match path.is_dir() {
            _ if hidden => {}
            true => find(&path, depth - 1, files)?,
            false if ["yaml", "yml", "json"].contains(&suffix) => files.push(path),
            false => {}
        }
    }
    Ok(())
}

/// The content of a file of at most so many bytes.
///
/// # Errors
/// It cannot be read, or is larger.
pub(crate) fn bytes(path: &Path, bound: usize) -> anyhow::Result<Vec<u8>> {
    let name = || path.display().to_string();
    let file = File::open(path).with_context(name)?;
    let mut content = Vec::new();
    file.take(bound as u64 + 1).read_to_end(&mut content).with_context(name)?;
    ensure!(content.len() <= bound, "{}: larger than {bound} bytes", name());
    Ok(content)
}

/// The same as text.
///
/// # Errors
/// As [`bytes`], and what is no UTF-8.
pub(crate) fn text(path: &Path, bound: usize) -> anyhow::Result<String> {
    String::from_utf8(bytes(path, bound)?).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const POLICY: &str =
        "{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: a}, spec: {rules: [
        {name: r, match: {any: [{resources: {kinds: [Pod]}}]}, verifyImages: [{imageReferences: ['*'],
        failureAction: Enforce, required: true}]}]}}";

    #[test]
    fn a_folder_is_searched_and_an_empty_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_path_buf()];
        assert!(policies(&paths).unwrap_err().to_string().starts_with("no policy in "));
        fs::create_dir_all(folder.path().join("team/..data")).unwrap();
        fs::write(folder.path().join("team/a.yaml"), POLICY).unwrap();
        fs::write(folder.path().join("team/..data/a.yaml"), POLICY).unwrap();
        fs::write(folder.path().join("team/notes.txt"), "not a policy").unwrap();
        assert_eq!(policies(&paths).unwrap().policies.len(), 1);
        fs::write(folder.path().join(".hidden.yaml"), POLICY.replace("name: a", "name: h")).unwrap();
        assert_eq!(policies(&paths).unwrap().policies.len(), 2);
        fs::write(folder.path().join("b.yml"), POLICY).unwrap();
        assert!(policies(&paths).unwrap_err().to_string().contains("two policies of the name a"));
    }

    #[test]
    fn every_problem_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("a.yaml", "kind: Pod\napiVersion: v1\n"), ("b.yaml", ""), ("c.yaml", "{")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let error = policies(&[folder.path().to_path_buf()]).unwrap_err().to_string();
        for name in ["a.yaml:2:1", "b.yaml: holds no policy", "c.yaml"] {
            assert!(error.contains(name), "{error}");
        }
        assert!(policies(&[folder.path().join("none")]).is_err());
        fs::write(folder.path().join("big"), "12345").unwrap();
        assert!(bytes(&folder.path().join("big"), 4).is_err());
    }
}
