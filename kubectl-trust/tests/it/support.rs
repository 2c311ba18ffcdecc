//! Runs the program in a folder of its own: no home, no kubeconfig, no terminal.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) const CONFIG_MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\n  namespace: prod\ndata:\n  a: one\n";

pub(crate) const RELEASE: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1.27.2'}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: prod}
spec: {ports: [{port: 80}], selector: {app: web}}
";

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A folder to run in.
pub(crate) struct Place {
    root: TempDir,
}

impl Place {
    /// A folder with `cosign.key`, `cosign.pub` and the keys of somebody else, `other.*`.
    pub(crate) fn new() -> Self {
        let place = Self::empty();
        for (name, bytes) in keys() {
            place.write(name, bytes);
        }
        place
    }

    pub(crate) fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("work")).unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        Self { root }
    }

    /// The same, with `signed.yaml` and its source `app.yaml`.
    pub(crate) fn signed(manifest: &str) -> Self {
        let place = Self::new();
        place.write("app.yaml", manifest);
        let ran = place.run("sign -f app.yaml --key cosign.key -o signed.yaml");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Everything in the folder and below, to see that nothing was written.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.path("."), &mut files);
        files.sort();
        files
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-trust"));
        command.env_clear().current_dir(self.path("."));
        command.env("HOME", self.root.path().join("home")).env("COSIGN_PASSWORD", PASSWORD);
        command.env("LC_ALL", "C.UTF-8").env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command
    }

    /// Runs a command line; words are parted by spaces, quotes are not looked at.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn run_words(&self, words: &[&str]) -> Ran {
        ran(self.command().args(words).output().unwrap())
    }

    pub(crate) fn run_env(&self, line: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command();
        ran(command.args(line.split_whitespace()).envs(variables.iter().copied()).output().unwrap())
    }

    pub(crate) fn run_input(&self, line: &str, input: &[u8]) -> Ran {
        let mut command = self.command();
        command.args(line.split_whitespace()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that refuses its arguments does not read.
        drop(child.stdin.take().unwrap().write_all(input));
        ran(child.wait_with_output().unwrap())
    }

    /// The run must end with 2, print nothing, write nothing, and say all of `fragments` on one screen.
    #[track_caller]
    pub(crate) fn refuses(&self, line: &str, fragments: &[&str]) {
        let before = self.files();
        let ran = self.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{line}: {ran:?}");
        ran.says(line, fragments);
        assert!(self.files() == before, "{line}: something was written");
    }

    /// The run must end with `code`; its result says all of `fragments`.
    #[track_caller]
    pub(crate) fn answers(&self, line: &str, code: i32, fragments: &[&str]) {
        let before = self.files();
        let ran = self.run(line);
        assert_eq!(ran.code, Some(code), "{line}: {ran:?}");
        ran.says(line, fragments);
        assert!(self.files() == before, "{line}: something was written");
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn says(&self, line: &str, fragments: &[&str]) {
        let all = format!("{}{}", self.stdout, self.stderr);
        for fragment in fragments {
            assert!(all.contains(fragment), "{line}: no `{fragment}` in\n{all}");
        }
        for never in ["panicked", "RUST_BACKTRACE", "os error", "Error(", "kubectl-trust-"] {
            assert!(!all.contains(never), "{line}: `{never}` in\n{all}");
        }
        assert!(self.stderr.lines().count() <= 24, "{line}: more than a screen\n{all}");
    }

    /// Code, stdout and stderr in one text, with digests and versions made equal.
    pub(crate) fn transcript(&self) -> String {
        let code = self.code.map_or("killed".to_owned(), |code| code.to_string());
        let mut text = hide_digests(&self.stdout);
        for line in hide_digests(&self.stderr).lines() {
            text.push_str(&format!("2> {line}\n"));
        }
        text + &format!("exit {code}\n")
    }

    #[track_caller]
    pub(crate) fn is(&self, expected: &str) {
        let found = self.transcript();
        assert!(found == expected, "expected:\n{expected}\nfound:\n{found}");
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// `sha256:` and hex digits become `sha256:<DIGEST>` or, shortened, `sha256:<12>…`.
fn hide_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len());
        let name = match digits {
            64 => "<DIGEST>".to_owned(),
            12 => "<12>".to_owned(),
            _ => part[..digits].to_owned(),
        };
        hidden.push_str(&format!("sha256:{name}{}", &part[digits..]));
    }
    hidden
}

pub(crate) fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let meta = fs::metadata(entry.path()).unwrap();
        if meta.is_dir() {
            collect(&entry.path(), files);
        } else if meta.len() < 4 * 1024 * 1024 {
            files.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
}

/// Made once by the program itself: deriving a key from a password is slow on purpose.
fn keys() -> &'static [(&'static str, Vec<u8>)] {
    static KEYS: OnceLock<Vec<(&'static str, Vec<u8>)>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let place = Place::empty();
        let make = |prefix: &str| {
            let ran = place.run(&format!("keygen --output-prefix {prefix}"));
            assert_eq!(ran.code, Some(0), "{ran:?}");
        };
        ["cosign", "other"].into_iter().for_each(make);
        ["cosign.key", "cosign.pub", "other.key", "other.pub"]
            .into_iter()
            .map(|name| (name, fs::read(place.path(name)).unwrap()))
            .collect()
    })
}
