//! Judging one file by one rule, as the front ends do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::cache::Facts;
use common::evaluate::{Context, Task, by_manifest_rule};
use common::key::PublicKey;
use common::manifest::DEFAULT_DOMAIN;
use common::object::{FieldPath, ObjectRef, Origin};
use common::policy::{
    Attestor, Authority, KeySource, Keyless, LogOptions, ManifestRule, Matcher, Matching, NamespaceAllowance,
    Requirement, ReviewFacts,
};
use common::sources::Offline;
use common::trust::{Pieces, TrustRoot};
use common::verdict::{Decision, Outcome, Reason, Subject, SubjectKind};
use common::yaml;
use serde_json::Value;

/// The folder of this crate's own fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The folder of shared vectors, where there is one. Absence is said loudly: the own fixtures suffice,
/// but whoever has the vectors wants to know that they were read.
pub(crate) fn vectors() -> Option<PathBuf> {
    let named = std::env::var_os("TRUST_VECTORS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("NOTE: no folder {} with further vectors; set TRUST_VECTORS to read some", folder.display());
    None
}

/// A fixed time after every fixture was made.
pub(crate) fn now() -> jiff::Timestamp {
    "2026-11-25T00:00:00Z".parse().unwrap()
}

/// What a test demands.
pub(crate) struct Demand {
    pub(crate) rule: ManifestRule,
    pub(crate) root: Option<Arc<TrustRoot>>,
    pub(crate) origin: Origin,
}

impl Demand {
    pub(crate) fn requirement(requirement: Requirement) -> Self {
        let rule = ManifestRule {
            requirement,
            annotation_domain: DEFAULT_DOMAIN.to_owned(),
            ignore_fields: Vec::new(),
            matching: Matching::Strict,
            allow_namespace: NamespaceAllowance::None,
            allow_finalizers: Vec::new(),
            dry_run: None,
            repository: None,
        };
        Self { rule, root: None, origin: Origin::File }
    }

    /// `count` of the keys in these texts.
    pub(crate) fn keys(count: usize, pems: &[&str]) -> Self {
        let keys = pems.iter().flat_map(|pem| PublicKey::parse_all(pem).unwrap());
        let of = keys.map(|key| attestor(Authority::Key(KeySource::Inline(key)))).collect();
        Self::requirement(Requirement::AtLeast { count, of, path: FieldPath::root() })
    }

    /// One identity.
    pub(crate) fn identity(subject: &str, issuer: &str) -> Self {
        let keyless = Keyless {
            subjects: vec![Matcher::exact(subject).unwrap()],
            issuers: vec![Matcher::exact(issuer).unwrap()],
            extensions: BTreeMap::new(),
            roots: None,
            log: LogOptions::default(),
        };
        Self::requirement(attestor(Authority::Keyless(Box::new(keyless))))
    }

    /// Against a private authority.
    pub(crate) fn private_root(mut self, ca_roots: &str, rekor_keys: &str) -> Self {
        let pieces = Pieces { ca_roots: Some(ca_roots), rekor_keys: Some(rekor_keys), ..Pieces::default() };
        self.root = Some(Arc::new(TrustRoot::from_pieces(&pieces).unwrap()));
        self
    }

    /// Judges one object.
    pub(crate) fn judge(&self, object: &Value) -> Decision {
        self.judge_knowing(object, &Facts::default())
    }

    /// Judges one object with facts that may be known already.
    pub(crate) fn judge_knowing(&self, object: &Value, known: &Facts) -> Decision {
        let subject = Subject {
            kind: SubjectKind::Manifest,
            source: "test.yaml#0".to_owned(),
            object: ObjectRef::of(object),
        };
        let task = Task { subject: subject.into(), facts: ReviewFacts::of(object), origin: self.origin };
        let sources = Offline { trust_root: self.root.clone(), images: None };
        let context = Context { sources: &sources, known, now: now() };
        futures::executor::block_on(by_manifest_rule(&task, &self.rule, None, context))
    }

    /// Judges every document of a text; the worst outcome and its code. A text without documents, or one
    /// that cannot be read, is a fault as in every front end.
    pub(crate) fn judge_text(&self, text: &[u8]) -> (Outcome, &'static str) {
        let documents = match yaml::read(text) {
            Ok(documents) if documents.is_empty() => return (Outcome::Fault, Reason::InputEmpty.code()),
            Ok(documents) => documents,
            Err(error) => {
                return (Outcome::Fault, Reason::InputUnreadable { problem: error.to_string() }.code());
            }
        };
        let decisions: Vec<_> = documents.iter().map(|document| self.judge(&document.value)).collect();
        let outcome = Outcome::worst(decisions.iter().map(Decision::outcome));
        let worst = decisions.iter().find(|decision| decision.outcome() == outcome).unwrap();
        (outcome, worst.headline().code())
    }
}

/// An entry that demands nothing but its authority.
pub(crate) fn attestor(authority: Authority) -> Requirement {
    let path = FieldPath::root();
    Requirement::Attestor(Box::new(Attestor {
        path,
        authority,
        annotations: BTreeMap::new(),
        repository: None,
        log: LogOptions::default(),
    }))
}
