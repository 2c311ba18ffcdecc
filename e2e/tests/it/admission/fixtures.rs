//! Namespaces with policies, and images in a registry.

use std::time::{Duration, Instant};

use e2e::operator::{self, Guarded};
use e2e::process::Run;
use e2e::registry::Image;
use e2e::trust::Trust;

/// A namespace of its own on a guarded cluster, with a key.
pub(crate) struct Shop<'g> {
    pub(crate) guarded: &'g Guarded,
    pub(crate) trust: Trust,
    pub(crate) namespace: &'static str,
}

impl Shop<'static> {
    /// On the shared cluster. `None`, already said loudly, when a program cannot be had here.
    pub(crate) fn open(namespace: &'static str) -> Option<Self> {
        Some(Self::within(operator::shared().unwrap()?, namespace))
    }
}

impl<'g> Shop<'g> {
    pub(crate) fn within(guarded: &'g Guarded, namespace: &'static str) -> Self {
        guarded.api.namespace(namespace).unwrap();
        let trust = Trust::new().unwrap();
        trust.keygen("k").unwrap();
        Self { guarded, trust, namespace }
    }

    /// An image of this shop.
    pub(crate) fn push(&self, what: &str) -> Image {
        self.guarded.registry.push(&format!("{}/{what}", self.namespace), "1", what).unwrap()
    }

    /// The same, signed.
    pub(crate) fn signed(&self, what: &str) -> Image {
        let image = self.push(what);
        self.trust.run(&format!("sign {} --key k.key", image.by_tag())).unwrap().success().unwrap();
        image
    }

    /// Applies a policy and waits until it refuses what it should.
    pub(crate) fn enforce(&self, policy: &str, refused: &str) {
        self.guarded.apply(policy, &[]).unwrap().success().unwrap();
        self.guarded.until(refused, self.namespace, |run| run.stderr.contains("denied the request")).unwrap();
    }

    pub(crate) fn apply(&self, text: &str) -> Run {
        self.guarded.apply(text, &["-n", self.namespace]).unwrap()
    }

    /// Applies what must be let in.
    pub(crate) fn must(&self, text: &str) -> String {
        self.apply(text).success().unwrap_or_else(|error| panic!("{error}\n{}", self.guarded.said()))
    }

    /// Applies what must be refused, and gives what kubectl says.
    pub(crate) fn refused(&self, text: &str) -> String {
        let run = self.apply(text);
        assert!(
            run.code != 0 && run.stderr.contains("denied the request"),
            "{run:?}\n{}",
            self.guarded.said()
        );
        run.stderr
    }

    /// The shop's public key, indented for a policy.
    pub(crate) fn key(&self, indent: usize) -> String {
        let blanks = " ".repeat(indent);
        let key = self.trust.read("k.pub").unwrap();
        key.lines().fold(String::new(), |text, line| text + &blanks + line + "\n")
    }
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A policy for images of the shop in its namespace; `more` is its `webhookConfiguration`.
pub(crate) fn policy(name: &str, shop: &Shop<'_>, kinds: &str, more: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: {name}
spec:
  webhookConfiguration: {more}
  rules:
  - name: signed
    match:
      any:
      - resources:
          kinds: [{kinds}]
          namespaces: [{namespace}]
    verifyImages:
    - imageReferences: ['{host}/*']
      failureAction: Enforce
      attestors:
      - entries:
        - keys:
            rekor: {{ignoreTlog: true}}
            publicKeys: |
{key}",
        namespace = shop.namespace,
        host = shop.guarded.registry.host(),
        key = shop.key(14)
    )
}

/// A Pod that runs an image.
pub(crate) fn pod(image: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    image: {image}
"
    )
}
