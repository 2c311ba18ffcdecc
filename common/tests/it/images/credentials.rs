//! One tag, asked for with the credentials of several policies.

use std::sync::Arc;

use common::cache::Facts;
use common::evaluate::{Context, Rules, Task, by_policies};
use common::key::PrivateKey;
use common::object::{ObjectRef, Origin};
use common::policy::images::RegistryCredentials;
use common::policy::{KeyRef, Policy, ReviewFacts, RuleValues};
use common::registry::{Nowhere, Registry};
use common::sources::{Answer, Offline, Sources};
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome, Reason, RegistryProblem, Subject, SubjectKind, Unavailable};
use serde_json::json;

use super::shelf::*;
use crate::judge::now;

/// A registry for each Secret.
struct BySecret(Vec<(&'static str, Arc<Liar>)>);

impl Sources for BySecret {
    fn key<'s>(&'s self, reference: &'s KeyRef) -> Answer<'s, String> {
        let problem = Unavailable::Unreadable(format!("{reference:?}"));
        Box::pin(std::future::ready(Err(problem)))
    }

    fn registry<'s>(&'s self, credentials: &RegistryCredentials) -> &'s dyn Registry {
        let of = |(secret, _): &&(&str, Arc<Liar>)| credentials.secrets.iter().any(|name| name == secret);
        self.0.iter().find(of).map_or(&Nowhere, |(_, registry)| &**registry)
    }

    fn trust_root(&self) -> Option<Arc<TrustRoot>> {
        Offline::default().trust_root()
    }
}

/// Entries about every image, each with the credentials of one Secret.
fn policy_with(name: &str, key: &PrivateKey, secrets: &[&str]) -> Policy {
    let one = |secret: &&str| {
        demand(&attestors(&[key]), &json!({"imageRegistryCredentials": {"secrets": [secret]}}))
    };
    policy(name, &entries(&secrets.iter().map(one).collect::<Vec<_>>()))
}

fn review(policies: &[Policy], sources: &BySecret) -> Vec<Decision> {
    review_by(&pod(&[APP]), policies, sources, &Facts::default())
}

fn signed(key: &PrivateKey, what: &str) -> Shelf {
    let of = image(what);
    Shelf::of(&of).signed(&of, &[Layer::signature(key, REPOSITORY, &of.digest)])
}

fn unauthorized() -> RegistryProblem {
    RegistryProblem::Unauthorized { tried: "a".to_owned() }
}

#[test]
fn what_one_policy_may_not_read_is_no_fault_of_another() {
    let key = key();
    let policies = [policy_with("first", &key, &["a"]), policy_with("second", &key, &["b"])];
    let refusing = || failing(signed(&key, "x"), "manifest", unauthorized());
    let honest = || Liar::honest(signed(&key, "x"));
    let decisions = review(&policies, &BySecret(vec![("a", refusing()), ("b", honest())]));
    expect(&decisions[0], Outcome::Fault, "registry-unauthorized");
    passes(&decisions[1]);
    let decisions = review(&policies, &BySecret(vec![("a", honest()), ("b", refusing())]));
    passes(&decisions[0]);
    expect(&decisions[1], Outcome::Fault, "registry-unauthorized");
}

#[test]
fn the_same_credentials_ask_once_and_all_pins_are_the_same() {
    let key = key();
    let policies =
        ["1", "2", "3"].map(|name| policy_with(name, &key, &[if name == "2" { "b" } else { "a" }]));
    let (a, b) = (Liar::honest(signed(&key, "x")), Liar::honest(signed(&key, "x")));
    let decisions = review(&policies, &BySecret(vec![("a", Arc::clone(&a)), ("b", Arc::clone(&b))]));
    decisions.iter().for_each(passes);
    let asked =
        |registry: &Liar| registry.asked().iter().filter(|one| **one == format!("manifest {APP}")).count();
    assert_eq!((asked(&a), asked(&b)), (1, 1));
    assert_eq!(decisions[0].pins.len(), 1);
    assert!(decisions.iter().all(|decision| decision.pins == decisions[0].pins));
}

/// Attack: a registry that serves a signed image to the credentials of one policy, and another one, signed as
/// well, to those of the next. Neither is what both policies allowed.
#[test]
fn one_tag_that_is_two_images_is_refused() {
    let key = key();
    let two =
        || BySecret(vec![("a", Liar::honest(signed(&key, "x"))), ("b", Liar::honest(signed(&key, "y")))]);
    for secrets in [["a", "b"], ["b", "a"]] {
        let policies = secrets.map(|secret| policy_with(secret, &key, &[secret]));
        let decisions = review(&policies, &two());
        passes(&decisions[0]);
        // A finding: no failure mode of a policy lets it through.
        expect(&decisions[1], Outcome::Fail, "image-ambiguous");
        let Reason::ImageAmbiguous { first, second, .. } = decisions[1].headline().itself() else {
            panic!("{:?}", decisions[1].headline())
        };
        let digests = secrets.map(|secret| image(if secret == "a" { "x" } else { "y" }).digest.to_string());
        assert_eq!([first, second], [&digests[0], &digests[1]]);
        // Nothing is pinned to what was not judged by all.
        assert_eq!((decisions[0].pins.len(), decisions[1].pins.len()), (1, 0));
        assert!(decisions[0].pins[0].to.ends_with(&digests[0]));
        let one = review(&[policy_with("both", &key, &secrets)], &two());
        expect(&one[0], Outcome::Fail, "image-ambiguous");
        assert!(one[0].pins.is_empty());
    }
}

/// An evaluation may move between the threads of a server.
#[test]
fn an_evaluation_can_be_sent() {
    fn is_send<T: Send>(_: &T) {}
    let (pod, known, values) = (pod(&[APP]), Facts::default(), RuleValues::default());
    let sources = Offline::default();
    let subject =
        Subject { kind: SubjectKind::Resource, source: APP.to_owned(), object: ObjectRef::of(&pod) };
    let task = Task { subject: subject.into(), facts: ReviewFacts::of(&pod), origin: Origin::Review };
    let rules = Rules { policies: &[], exceptions: &[], values: &values, background: false };
    is_send(&by_policies(&task, rules, Context { sources: &sources, known: &known, now: now() }));
}

/// A digest is its own answer, whoever is asked.
#[test]
fn a_digest_is_never_ambiguous() {
    let key = key();
    let policies = [policy_with("first", &key, &["a"]), policy_with("second", &key, &["b"])];
    let sources =
        BySecret(vec![("a", Liar::honest(signed(&key, "x"))), ("b", Liar::honest(signed(&key, "x")))]);
    let pod = pod(&[&format!("{APP}@{}", image("x").digest)]);
    review_by(&pod, &policies, &sources, &Facts::default()).iter().for_each(passes);
}
