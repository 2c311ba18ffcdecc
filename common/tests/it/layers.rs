//! The structure that `docs/architecture.md` promises: layers, file lengths, paths that exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn architecture() -> String {
    fs::read_to_string(repository().join("docs/architecture.md")).unwrap()
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Module to layer, from the page's table: `| 2 | `key` `verdict` | … |`.
fn layers() -> BTreeMap<String, usize> {
    let mut layers = BTreeMap::new();
    for line in architecture().lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let (Some(Ok(layer)), Some(modules)) = (cells.get(1).map(|cell| cell.parse::<usize>()), cells.get(2))
        else {
            continue;
        };
        layers.extend(modules.split_whitespace().map(|module| (module.trim_matches('`').to_owned(), layer)));
    }
    layers
}

/// The code of a file before its tests; tests may look anywhere.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// The code without comments, which may point anywhere.
fn statements(path: &Path) -> String {
    code(path).lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
        || path.file_name().is_some_and(|name| name == "attacks.rs")
}

#[test]
fn a_module_uses_only_lower_layers() {
    let layers = layers();
    assert!(layers.len() >= 17, "the table of layers was not found: {layers:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&root).into_iter().filter(|path| !is_test(path)) {
        let inside = path.strip_prefix(&root).unwrap();
        let own = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if own == "lib" {
            continue;
        }
        let layer = layers.get(own).unwrap_or_else(|| panic!("{own} is in no layer"));
        let statements = statements(&path);
        for after in statements.split("crate::").skip(1) {
            let used: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(other) = layers.get(&used) {
                assert!(
                    *other < *layer || used == own,
                    "{}: {own} ({layer}) uses {used} ({other})",
                    inside.display()
                );
            }
        }
    }
}

#[test]
fn files_stay_below_four_hundred_lines_of_code() {
    for member in ["common/src", "kubectl-trust/src", "operator/src", "e2e/src"] {
        for path in sources(&repository().join(member)).into_iter().filter(|path| !is_test(path)) {
            let lines = code(&path).lines().count();
            assert!(lines <= 400, "{}: {lines} lines", path.display());
        }
    }
}

/// A path in a page of `docs/` that does not exist is a promise nobody keeps.
#[test]
fn paths_in_the_pages_exist() {
    let mut pages: Vec<_> =
        ["README.md", "CONTRIBUTING.md"].iter().map(|name| repository().join(name)).collect();
    for folder in ["docs", "docs/adr"] {
        let entries = fs::read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    let roots = ["common/", "kubectl-trust/", "operator/", "e2e/", "docs/", "examples/", "fuzz/", ".ci/"];
    for page in pages.iter().filter(|page| page.is_file()) {
        let text = fs::read_to_string(page).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        for path in quoted.filter(|path| {
            roots.iter().any(|root| path.starts_with(root)) && !path.contains([' ', '*', '…', '<'])
        }) {
            assert!(repository().join(path).exists(), "{}: no {path}", page.display());
        }
    }
}

/// The dependencies that a member names.
fn dependencies(member: &str) -> Vec<String> {
    let manifest = fs::read_to_string(repository().join(member).join("Cargo.toml")).unwrap();
    let section =
        manifest.split("[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
    let name = |line: &str| line.split(['.', '=', ' ']).next().unwrap_or_default().to_owned();
    section.lines().map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn crates_depend_downwards_and_the_verifier_reaches_registries_only() {
    let common = dependencies("common");
    for outward in ["kube", "k8s-openapi", "hyper", "clap", "kubectl-trust", "operator"] {
        assert!(!common.contains(&outward.to_owned()), "common depends on {outward}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&root).into_iter().filter(|path| !path.starts_with(root.join("registry"))) {
        assert!(!statements(&path).contains("reqwest::"), "{} reaches the network", path.display());
    }
    assert!(!dependencies("kubectl-trust").contains(&"operator".to_owned()));
    assert!(!dependencies("operator").contains(&"kubectl-trust".to_owned()));
    assert!(dependencies("operator").contains(&"common".to_owned()));
}

/// A threat whose test is gone is a threat nobody watches.
#[test]
fn tests_in_the_threat_model_exist() {
    let page = fs::read_to_string(repository().join("docs/threat-model.md")).unwrap();
    let tests = ["common/tests/it", "kubectl-trust/tests/it", "operator/tests/it", "e2e/tests/it"];
    let tests: Vec<_> = tests.iter().flat_map(|folder| sources(&repository().join(folder))).collect();
    let named: Vec<_> =
        page.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once("::")).collect();
    assert!(named.len() >= 15, "the table was not found");
    for (module, name) in named {
        let is_module = |path: &&PathBuf| path.file_stem().is_some_and(|stem| stem == module);
        let has = |path: &PathBuf| fs::read_to_string(path).unwrap().contains(&format!("fn {name}("));
        assert!(tests.iter().filter(is_module).any(has), "no test {module}::{name}");
    }
}
