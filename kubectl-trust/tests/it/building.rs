//! What packages are made of: the manual pages, and what the program says of its own build.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Place, ran};

/// Whether a program is there. In CI it has to be.
fn is_there(program: &str) -> bool {
    let there =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    let advice = format!("{program} is not installed (on Debian: apt-get install {program})");
    assert!(
        there || std::env::var_os("CI").is_none_or(|value| value != "true"),
        "{advice}, and CI must not skip"
    );
    if !there {
        // Past the test harness, which would keep it to itself when the test passes.
        let _closed = writeln!(std::io::stderr(), "SKIPPED: {advice}");
    }
    there
}

/// The pages that the program writes, by name.
fn pages(place: &Place) -> Vec<(String, PathBuf)> {
    let ran = place.run("man pages/man1");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let name = |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), path);
    let mut pages: Vec<_> =
        fs::read_dir(place.path("pages/man1")).unwrap().map(|entry| name(entry.unwrap().path())).collect();
    pages.sort();
    pages
}

#[test]
fn every_verb_has_a_manual_page() {
    let place = Place::empty();
    let pages = pages(&place);
    let help = place.run("--help").stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let named = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let verbs = named.map(|line| line.split_whitespace().next().unwrap()).filter(|verb| *verb != "help");
    let mut expected: Vec<_> = verbs.map(|verb| format!("kubectl-trust-{verb}.1")).collect();
    expected.push("kubectl-trust.1".to_owned());
    expected.sort();
    assert_eq!(pages.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), expected);
    assert!(!help.contains("manual pages"), "the verb is for packagers, and hidden: {help}");
    let again = place.files();
    place.run("man pages/man1");
    assert!(place.files() == again, "the same program must write the same bytes");
}

/// mandoc is what the BSDs, macOS and Alpine show pages with; errors are what it does not understand.
#[test]
fn manual_pages_can_be_shown() {
    if !is_there("mandoc") {
        return;
    }
    let place = Place::empty();
    for (name, page) in pages(&place) {
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(&page).output().unwrap();
        assert!(lint.status.success(), "{name}: {lint:?}");
        let shown = Command::new("mandoc").args(["-T", "ascii"]).arg(&page).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        // A letter, a backspace and the letter again is bold.
        let mut plain = String::new();
        for part in shown.split('\u{8}') {
            plain.pop();
            plain.push_str(part);
        }
        let footer = plain.lines().last().unwrap_or_default();
        assert!(footer.contains("kubectl-trust 0."), "{name}: the version is not where it belongs: {footer}");
        assert!(plain.contains("\nEXAMPLES\n"), "{name}: {plain}");
        if name == "kubectl-trust-sign.1" {
            // Wider than the page: filled, it would not be what can be pasted.
            let example =
                "kubectl trust sign --blob release.tar.gz --key cosign.key --bundle release.sigstore.json\n";
            assert!(plain.contains(example), "{plain}");
        }
    }
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let place = Place::empty();
    place.write("file", "");
    place.refuses("man file/pages", &["file/pages: cannot be made"]);
}

/// The same in text and in JSON, for the platform that this is.
#[test]
fn the_version_names_the_platform() {
    let place = Place::empty();
    let (version, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS.replace("macos", "darwin"));
    let json = place.run("version --client -o json").json();
    assert_eq!(json["clientVersion"]["version"], version, "{json}");
    let platform = json["clientVersion"]["platform"].as_str().unwrap();
    assert!(platform.starts_with(&format!("{os}/")), "{json}");
    let text = place.run("version").stdout;
    assert!(text.starts_with(&format!("kubectl-trust {version} (")), "{text}");
    assert!(text.ends_with(&format!("{platform})\n")), "{text}");
    assert_eq!(text.contains("commit "), !json["clientVersion"]["gitCommit"].is_null(), "{text}{json}");
}

/// The build script, compiled by itself and run as cargo runs it.
struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        fs::create_dir_all(folder.path().join("sources/kubectl-trust")).unwrap();
        fs::copy(&source, folder.path().join("sources/kubectl-trust/build.rs")).unwrap();
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut compile = Command::new(compiler);
        compile.args(["--edition=2024", "-o"]).arg(folder.path().join("script")).arg(&source);
        let compiled = compile.output().unwrap();
        assert!(compiled.status.success(), "{compiled:?}");
        Self { folder }
    }

    fn run(&self, profile: &str, variables: &[(&str, &str)]) -> Output {
        let mut run = Command::new(self.folder.path().join("script"));
        run.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("PROFILE", profile);
        run.env("CARGO_MANIFEST_DIR", self.folder.path().join("sources/kubectl-trust"));
        // git looks for a repository above, and there must be none.
        run.env("GIT_CEILING_DIRECTORIES", self.folder.path().parent().unwrap());
        run.envs(variables.iter().copied()).output().unwrap()
    }

    /// What the script tells of the build: `commit=…`, `epoch=…`.
    fn tells(&self, profile: &str, variables: &[(&str, &str)]) -> String {
        let ran = ran(self.run(profile, variables));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let told =
            ran.stdout.lines().filter_map(|line| line.strip_prefix("cargo::rustc-env=KUBECTL_TRUST_BUILD_"));
        told.collect::<Vec<_>>().join(" ").to_lowercase()
    }

    fn git(&self, folder: &str, line: &str) -> String {
        let mut git = Command::new("git");
        git.args(line.split(' ')).current_dir(self.folder.path().join(folder)).env_clear();
        git.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder.path());
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "a").env(format!("GIT_{who}_EMAIL"), "a@b.c");
        }
        let output = git.output().unwrap();
        assert!(output.status.success(), "git {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A tarball, and sources that were put into another repository, have no commit; a checkout of these sources has one.
#[test]
fn the_commit_is_that_of_these_sources_or_none() {
    if !is_there("git") || !is_there("rustc") {
        return;
    }
    let script = Script::new();
    assert_eq!(script.tells("release", &[]), "", "a tarball");
    script.git(".", "init -q");
    assert_eq!(script.tells("release", &[]), "", "unpacked within a repository");
    script.git(".", "add sources");
    script.git(".", "commit -q -m vendored");
    assert_eq!(script.tells("release", &[]), "", "vendored into a repository");
    script.git("sources", "init -q");
    assert_eq!(script.tells("release", &[]), "", "a repository without a commit");
    script.git("sources", "add .");
    script.git("sources", "commit -q -m first");
    let commit = script.git("sources", "rev-parse HEAD");
    assert_eq!(script.tells("release", &[]), format!("commit={commit}"));
    assert_eq!(script.tells("debug", &[]), "", "no build of a working tree is made anew for a commit");
    // What says that the commit changed: the branch, whose file the next commit writes.
    let ran = ran(script.run("release", &[]));
    let branch = script.git("sources", "symbolic-ref HEAD");
    let watched = ran.stdout.lines().filter_map(|line| line.strip_prefix("cargo::rerun-if-changed="));
    assert!(watched.clone().any(|path| path.ends_with(&branch)), "{ran:?}");
    let folder = script.folder.path().join("sources/kubectl-trust");
    assert!(watched.clone().all(|path| folder.join(path).exists()), "{ran:?}");
}

#[test]
fn packagers_say_the_commit_and_the_time() {
    if !is_there("rustc") {
        return;
    }
    let script = Script::new();
    let commit = "0123456789ABCDEF0123456789ABCDEF01234567";
    for profile in ["debug", "release"] {
        let said =
            script.tells(profile, &[("KUBECTL_TRUST_COMMIT", commit), ("SOURCE_DATE_EPOCH", "1700000000")]);
        assert_eq!(said, format!("commit={} epoch=1700000000", commit.to_lowercase()));
        assert_eq!(script.tells(profile, &[("KUBECTL_TRUST_COMMIT", ""), ("SOURCE_DATE_EPOCH", "")]), "");
    }
    for (variable, value) in
        [("KUBECTL_TRUST_COMMIT", "main"), ("KUBECTL_TRUST_COMMIT", "12"), ("SOURCE_DATE_EPOCH", "yesterday")]
    {
        let ran = ran(script.run("release", &[(variable, value)]));
        assert!(ran.code != Some(0) && ran.stderr.contains(variable), "{variable}={value}: {ran:?}");
    }
}
