//! Real programs, by name.
//!
//! In this order: the environment variable `TRUST_E2E_<NAME>` (a path, as `TRUST_E2E_COSIGN`), for the
//! programs of envtest the folder `KUBEBUILDER_ASSETS`, else a build of the module in `programs/<module>`,
//! which pins a published program or holds a small one of our own. Builds are kept in `$TRUST_E2E_CACHE`,
//! by default `$HOME/.cache/kubectl-trust-e2e`, under a name that holds a hash of the module's files: a
//! changed pin or source builds anew, an unchanged one costs nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};

/// A program that the tests can ask for.
struct Program {
    name: &'static str,
    /// The folder below `programs/` whose go.mod pins it, and which may hold its sources.
    module: &'static str,
    package: &'static str,
    /// Whether `KUBEBUILDER_ASSETS` holds it.
    envtest: bool,
}

const fn program(name: &'static str, module: &'static str, package: &'static str, envtest: bool) -> Program {
    Program { name, module, package, envtest }
}

const PROGRAMS: &[Program] = &[
    program(
        "kubectl-sigstore",
        "kubectl-sigstore",
        "github.com/sigstore/k8s-manifest-sigstore/cmd/kubectl-sigstore",
        false,
    ),
    program("cosign", "cosign", "github.com/sigstore/cosign/v3/cmd/cosign", false),
    program("cosign2", "cosign2", "github.com/sigstore/cosign/v2/cmd/cosign", false),
    program("kyverno", "kyverno", "github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno", false),
    program("kubectl", "kube", "k8s.io/kubernetes/cmd/kubectl", true),
    program("kube-apiserver", "kube", "k8s.io/kubernetes/cmd/kube-apiserver", true),
    program("kube-controller-manager", "kube", "k8s.io/kubernetes/cmd/kube-controller-manager", true),
    program("etcd", "etcd", "go.etcd.io/etcd/server/v3", true),
    // Registries.
    program("registry", "tools", "./registry", false),
    program("distribution", "distribution", ".", false),
    // A private Sigstore.
    program("oidc", "tools", "./oidc", false),
    program("pki", "tools", "./pki", false),
    program("trillian-mem", "trillian-mem", ".", false),
    program(
        "ct_server",
        "ct-log",
        "github.com/google/certificate-transparency-go/trillian/ctfe/ct_server",
        false,
    ),
    program("fulcio", "fulcio", "github.com/sigstore/fulcio", false),
    program("rekor-v1", "rekor-v1", "github.com/sigstore/rekor/cmd/rekor-server", false),
    program("rekor-v2", "rekor-v2", "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix", false),
    program("timestamp-server", "timestamp-server", ".", false),
];

/// The paths of several programs, in the order of their names; `None` where [`find`] says so of one.
///
/// # Errors
/// As [`find`].
pub fn find_all<const N: usize>(names: [&str; N]) -> anyhow::Result<Option<[PathBuf; N]>> {
    let mut paths = Vec::with_capacity(N);
    for name in names {
        let Some(path) = find(name)? else { return Ok(None) };
        paths.push(path);
    }
    Ok(paths.try_into().ok())
}

/// The path of a program, built now if it has to be. `None`, after a loud word on standard error, when
/// it would have to be built and there is no Go toolchain.
///
/// # Errors
/// No such program, a path in the environment that is no file, a build that fails; and in CI
/// (`CI=true`) also the missing toolchain.
pub fn find(name: &str) -> anyhow::Result<Option<PathBuf>> {
    let program = PROGRAMS.iter().find(|program| program.name == name);
    let program = program.with_context(|| format!("no program {name}"))?;
    if let Some(path) = named(program)? {
        return Ok(Some(path));
    }
    let built = cached(program)?;
    if built.is_file() {
        return Ok(Some(built));
    }
    if Command::new("go").arg("version").output().is_err() {
        let variable = variable(name);
        ensure!(!in_ci(), "{name} needs Go to be built (or {variable}=PATH), and CI must not skip");
        say(&format!("SKIPPED: {name} needs Go to be built; install it or set {variable}=PATH"));
        return Ok(None);
    }
    build(program, &built)?;
    Ok(Some(built))
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

fn variable(name: &str) -> String {
    format!("TRUST_E2E_{}", name.to_uppercase().replace('-', "_"))
}

/// The path that the environment gives.
fn named(program: &Program) -> anyhow::Result<Option<PathBuf>> {
    let variable = variable(program.name);
    if let Some(path) = std::env::var_os(&variable).map(PathBuf::from) {
        ensure!(path.is_file(), "{variable}={}: no such file", path.display());
        return Ok(Some(path));
    }
    let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|_| program.envtest) else {
        return Ok(None);
    };
    // envtest has no controller manager; that one is built all the same.
    Ok(Some(Path::new(&assets).join(program.name)).filter(|path| path.is_file()))
}

/// Past the test harness, which would keep it to itself when the test passes.
fn say(line: &str) {
    let _closed = writeln!(io::stderr(), "{line}");
}

fn cache() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("TRUST_E2E_CACHE") {
        return Ok(PathBuf::from(folder));
    }
    let home = std::env::var_os("HOME").context("neither TRUST_E2E_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/kubectl-trust-e2e"))
}

fn module_folder(program: &Program) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(program.module)
}

/// The files of a module, relative to it: the two that pin, then its own sources, sorted.
fn module_files(module: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = module.join(&folder);
        for entry in fs::read_dir(&path).with_context(|| path.display().to_string())? {
            let entry = entry?;
            let file = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|extension| extension == "go") {
                sources.push(file);
            }
        }
    }
    sources.sort();
    Ok([PathBuf::from("go.mod"), PathBuf::from("go.sum")].into_iter().chain(sources).collect())
}

/// Where the build of these files is, or will be.
fn cached(program: &Program) -> anyhow::Result<PathBuf> {
    let mut bytes = format!("{}\0{}\0", program.package, flags(program)?).into_bytes();
    let module = module_folder(program);
    for file in module_files(&module)? {
        let path = module.join(&file);
        // The name of a source decides which program it belongs to; the pins are named by their order.
        if file.extension().is_some_and(|extension| extension == "go") {
            bytes.extend(file.to_string_lossy().bytes().chain([0]));
        }
        bytes.extend(fs::read(&path).with_context(|| path.display().to_string())?);
        bytes.push(0);
    }
    let hash = hex::encode(&digest(&SHA256, &bytes).as_ref()[..8]);
    Ok(cache()?.join(format!("{}-{hash}", program.name)))
}

/// Linker flags. Kubernetes programs want to be told their version: kubectl cannot parse the empty one.
fn flags(program: &Program) -> anyhow::Result<String> {
    let stripped = "-s -w".to_owned();
    if program.module != "kube" {
        return Ok(stripped);
    }
    let path = module_folder(program).join("go.mod");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let version = text.lines().find_map(|line| line.strip_prefix("require k8s.io/kubernetes "));
    let version = version.context("kube/go.mod pins no k8s.io/kubernetes")?.trim();
    let mut numbers = version.trim_start_matches('v').split('.');
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
        bail!("kube/go.mod: {version} is no version");
    };
    let package = "-X k8s.io/component-base/version";
    Ok(format!(
        "{stripped} {package}.gitVersion={version} {package}.gitMajor={major} {package}.gitMinor={minor}"
    ))
}

/// Builds in a copy of the module, since the go command may write into it, and puts the result in its
/// place by renaming, so that nobody ever runs half a program.
fn build(program: &Program, built: &Path) -> anyhow::Result<()> {
    let cache = cache()?;
    fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
    // One build at a time, in whichever process: each takes all cores and gigabytes.
    let lock = File::create(cache.join("build.lock"))?;
    lock.lock()?;
    if built.is_file() {
        return Ok(());
    }
    say(&format!("building {} (once; a few minutes)", program.name));
    let copy = tempfile::Builder::new().prefix("build-").tempdir_in(&cache)?;
    let module = module_folder(program);
    for file in module_files(&module)? {
        let target = copy.path().join(&file);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(module.join(&file), &target).with_context(|| target.display().to_string())?;
    }
    let output = Command::new("go")
        .args(["build", "-trimpath", "-buildvcs=false", "-o", "built"])
        .arg(format!("-ldflags={}", flags(program)?))
        .arg(program.package)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("CGO_ENABLED", "0")
        .current_dir(copy.path())
        .output()
        .context("go build")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "building {} failed:\n{}", program.name, said.trim());
    fs::rename(copy.path().join("built"), built).with_context(|| built.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_pins_and_its_variable() {
        for program in PROGRAMS {
            let path = cached(program).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with(program.name) && name.len() == program.name.len() + 17, "{name}");
        }
        assert_eq!(variable("kube-apiserver"), "TRUST_E2E_KUBE_APISERVER");
    }

    #[test]
    fn kubernetes_programs_are_told_the_version_that_is_pinned() {
        let kubectl = PROGRAMS.iter().find(|program| program.name == "kubectl").unwrap();
        let flags = flags(kubectl).unwrap();
        assert!(flags.contains(".gitVersion=v1.") && flags.contains(".gitMajor=1 "), "{flags}");
    }

    #[test]
    fn a_module_is_its_pins_and_all_its_sources() {
        let module = tempfile::tempdir().unwrap();
        fs::create_dir_all(module.path().join("a/b")).unwrap();
        for file in ["go.sum", "go.mod", "main.go", "README.md", "a/b/x.go"] {
            fs::write(module.path().join(file), "").unwrap();
        }
        let files = module_files(module.path()).unwrap();
        assert_eq!(files, ["go.mod", "go.sum", "a/b/x.go", "main.go"].map(PathBuf::from));
    }

    #[test]
    fn an_unknown_program_is_an_error_not_a_skip() {
        assert_eq!(find("kubectl-typo").unwrap_err().to_string(), "no program kubectl-typo");
    }
}
