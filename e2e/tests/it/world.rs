//! What the tests share: our binary with the programs that a test needs, and a few manifests.

use std::path::PathBuf;

use e2e::process::{Run, run};
use e2e::programs;
use e2e::trust::Trust;

/// Our binary in a home of its own, and real programs beside it.
pub(crate) struct World {
    pub(crate) trust: Trust,
    programs: Vec<(&'static str, PathBuf)>,
}

impl World {
    /// `None`, already said loudly, when a program cannot be had here.
    pub(crate) fn with(names: &[&'static str]) -> Option<Self> {
        let mut found = Vec::new();
        for name in names {
            found.push((*name, programs::find(name).unwrap()?));
        }
        Some(Self { trust: Trust::new().unwrap(), programs: found })
    }

    /// The path of a program that was asked for.
    pub(crate) fn program(&self, name: &str) -> &PathBuf {
        &self.programs.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Runs a program in the home; the arguments are separated by blanks.
    pub(crate) fn run(&self, name: &str, arguments: &str) -> Run {
        run(&mut self.trust.other(self.program(name), arguments.split_whitespace())).unwrap()
    }

    /// The same, and it must succeed.
    pub(crate) fn must(&self, name: &str, arguments: &str) -> String {
        self.run(name, arguments).success().unwrap_or_else(|error| panic!("{name} {arguments}: {error}"))
    }

    /// Our binary, which must succeed.
    pub(crate) fn trust(&self, arguments: &str) -> String {
        let run = self.trust.run(arguments).unwrap();
        run.success().unwrap_or_else(|error| panic!("kubectl-trust {arguments}: {error}"))
    }

    /// `kubectl sigstore verify`: whether it accepts, and what it said. It says "Verified OK" for the
    /// signature even of a changed manifest, so only its exit code counts.
    pub(crate) fn sigstore_accepts(&self, file: &str, key: &str) -> (bool, String) {
        let arguments = ["verify", "-f", file, "-k", key];
        let mut command = self.trust.other(self.program("kubectl-sigstore"), arguments);
        // It wants a key of the certificate log to be set, although a key signature has no certificate.
        let run = run(command.env("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", key)).unwrap();
        (run.code == 0, format!("{}{}", run.stdout, run.stderr))
    }
}

/// One small object.
pub(crate) const CONFIG_MAP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  mode: production
";

/// Two objects of different kinds.
pub(crate) const TWO_DOCUMENTS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  mode: production
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0
        args: [\"--verbose\"]
";

/// Values that readers and writers of YAML are known to disagree on.
pub(crate) const TRICKY: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: tricky
  labels: {"on": "yes"}
data:
  bare-words: "yes"
  "no": "on"
  "null": "~"
  "y": "n"
  octal: "0644"
  underscored: "1_000"
  float: "1e3"
  sexagesimal: "1:30"
  date: "2001-01-01"
  hex: "0x1F"
  infinity: ".inf"
  merge: "<<"
  equals: "="
  empty: ""
  emoji: "\U0001F600 \u00e9 \u200b"
  control: "bell \a tab\t"
  spaces-around: "  two  "
  lines: |
    first
      second, indented

    fourth
  lines-kept: |+
    ends in two line feeds

  lines-without-end: |-
    no line feed
  lines-trailing-blanks: "ends in blanks  \nnext\t\n"
  leading-line-feed: "\nfirst line is empty"
  carriage: "dos\r\nline"
  colon: "a: b"
  hash: "a #b"
  indicator: "- a"
  percent: "%YAML 1.1"
  document: "---\nx: y\n...\n"
  quotes: "'single' \"double\" \\ backslash"
  long: "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua"
"#;

/// YAML 1.1 breaks lines at these; we write them escaped.
pub(crate) const BREAKS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: breaks
data:
  next-line: "a\u0085b"
  line-separator: "a\u2028b"
  paragraph-separator: "a\u2029b"
"#;

/// Numbers as a custom resource may hold them.
pub(crate) const NUMBERS: &str = "\
apiVersion: example.com/v1
kind: Thing
metadata:
  name: numbers
spec:
  zero: 0
  octal: 0644
  underscored: 1_000
  negative: -7
  exact: 9007199254740992
  fraction: 0.1
  small: 0.000001
  yes: true
  nothing: null
  list: [1, 2.5, [true, null], {}]
";
