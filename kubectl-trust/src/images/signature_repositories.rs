//! Where policies look for the signatures of an image, if not beside it.

use std::path::PathBuf;

use common::dialect::PolicySet;
use common::image::{ImageRef, Names, Repository};
use common::policy::condition::Scope;
use common::policy::images::ImageEntry;
use common::policy::{Body, Policy, PolicyValue, ReviewFacts, Rule, Values};
use serde_json::Value;

use crate::clock;
use crate::input;
use crate::policies;
use crate::warnings::Warnings;

/// Policies that say where the signatures of images are.
pub(crate) struct SignaturePolicies(PolicySet);

/// What policies say of one image.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SignaturePlaces {
    /// The repositories that their rules about it name, each once.
    pub(crate) repositories: Vec<Repository>,
    /// Rules whose repository depends on the object that names the image, and why it is not known.
    pub(crate) unknown: Vec<String>,
    /// Whether any rule is about the image.
    pub(crate) is_named: bool,
}

impl SignaturePolicies {
    /// Reads policy files and folders; none is no policies. What their authors should know is not said where nothing is
    /// judged by them.
    ///
    /// # Errors
    /// As [`policies::read`].
    pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
        Ok(Self(policies::read(&input::expand(files, true)?, &mut Warnings::default())?))
    }

    /// The repositories of every rule about an image.
    ///
    /// No object names the image here, so an expression has a value only where the rule's own context gives it.
    pub(crate) fn of(&self, image: &ImageRef) -> SignaturePlaces {
        let names = Names::of(image);
        let mut places = SignaturePlaces::default();
        for policy in &self.0.policies {
            for rule in &policy.rules {
                places.add(policy, rule, &names);
            }
        }
        places
    }
}

impl SignaturePlaces {
    fn add(&mut self, policy: &Policy, rule: &Rule, names: &Names) {
        let Body::Images(images) = &rule.body else { return };
        let no_object = Value::Null;
        let scope = images.has_variables().then(|| {
            Scope::new(&ReviewFacts::of(&no_object), &rule.context, &Values::default(), clock::now())
        });
        let images = images.put(scope.as_ref());
        let about = |entry: &&ImageEntry| entry.is_about(names) && entry.skips(names).is_none();
        self.is_named |= images.entries.iter().any(|entry| about(&entry));
        for entry in images.entries.iter().filter(about) {
            for repository in entry.signature_repositories().map(PolicyValue::value) {
                self.add_repository(repository, || format!("policy {}: {}", policy.id, entry.path));
            }
        }
    }

    /// A rule and those that are generated from it for controllers name the same.
    fn add_repository(&mut self, repository: Result<&Repository, &str>, place: impl Fn() -> String) {
        match repository {
            Ok(repository) if self.repositories.contains(repository) => {}
            Ok(repository) => self.repositories.push(repository.clone()),
            Err(why) => {
                let unknown = format!("{}: the repository of signatures is not known: {why}", place());
                if !self.unknown.contains(&unknown) {
                    self.unknown.push(unknown);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: elsewhere}
spec:
  rules:
  - name: app
    match: {any: [{resources: {kinds: [Pod]}}]}
    context:
    - {name: store, variable: {value: ghcr.io/acme/store}}
    verifyImages:
    - imageReferences: ['ghcr.io/acme/*']
      failureAction: Enforce
      skipImageReferences: ['ghcr.io/acme/skipped*']
      repository: ghcr.io/acme/signatures
      attestors:
      - entries:
        - {repository: '{{ store }}', keyless: {subject: a, issuer: https://b}}
        - {repository: '{{ request.object.metadata.annotations.store }}', keyless: {subject: a, issuer: https://b}}
      attestations:
      - type: https://slsa.dev/provenance/v1
        attestors:
        - entries:
          - {repository: ghcr.io/acme/attestations, keyless: {subject: a, issuer: https://b}}
";

    fn places(image: &str) -> SignaturePlaces {
        let mut set = PolicySet::default();
        set.add_file("policy.yaml", POLICY.as_bytes()).unwrap();
        SignaturePolicies(set).of(&ImageRef::parse(image).unwrap())
    }

    #[test]
    fn every_repository_of_a_rule_about_the_image_is_named_as_far_as_it_is_known() {
        let found = places("ghcr.io/acme/app:1");
        let repositories: Vec<_> = found.repositories.iter().map(ToString::to_string).collect();
        assert_eq!(
            repositories,
            ["ghcr.io/acme/signatures", "ghcr.io/acme/store", "ghcr.io/acme/attestations"]
        );
        let [unknown] = &found.unknown[..] else { panic!("{found:?}") };
        assert!(
            unknown.starts_with("policy elsewhere: spec.rules[0].verifyImages[0]: the repository "),
            "{unknown}"
        );
        for other in ["ghcr.io/acme/skipped:1", "ghcr.io/other/app:1"] {
            assert_eq!(places(other), SignaturePlaces::default(), "{other}");
        }
    }
}
