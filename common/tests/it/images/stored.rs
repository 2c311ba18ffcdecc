//! Images of objects as they will be stored: they name a digest by now, or they slipped past the webhook that pins.

use common::cache::Facts;
use common::evaluate::{Context, Rules, Task, by_policies};
use common::object::{ObjectRef, Origin};
use common::policy::{Operation, Policy, ReviewFacts, RuleValues};
use common::sources::Offline;
use common::verdict::{Check, Decision, Outcome, Subject, SubjectKind};
use futures::executor::block_on;
use serde_json::{Value, json};

use super::shelf::*;
use crate::judge::now;

const SCAN: &str = "https://example.com/scan/v1";

/// The decision of a validating review: of a new object, or of an update.
fn stored(object: &Value, before: Option<&Value>, policy: &Policy, shelf: Shelf) -> Decision {
    let subject =
        Subject { kind: SubjectKind::Resource, source: "Pod/web".to_owned(), object: ObjectRef::of(object) };
    let operation = if before.is_some() { Operation::Update } else { Operation::Create };
    let facts = ReviewFacts { old_object: before, operation, ..ReviewFacts::of(object) };
    let task = Task { subject: subject.into(), facts, origin: Origin::Review };
    let policies = std::slice::from_ref(policy);
    let rules = Rules { policies, exceptions: &[], values: &RuleValues::default(), background: false };
    let sources = Offline { trust_root: None, images: Some(shelf.registry()) };
    let context = Context { sources: &sources, known: &Facts::default(), now: now() };
    let decisions = block_on(by_policies(&task, rules, context));
    decisions.into_iter().find(|one| one.by.as_ref().is_some_and(|by| &*by.rule == "images")).unwrap()
}

fn demanding(attestors: &Value, mutate: bool, verify: bool) -> Policy {
    let options = json!({"mutateDigest": mutate, "verifyDigest": verify});
    policy("p", &entries(&[demand(attestors, &options)]))
}

fn digests(check: &Check) -> usize {
    let mut count = 0;
    check.walk(&mut |check| count += usize::from(check.what == "digest"));
    count
}

/// Attack A1: an image that slipped past the webhook that pins. What did not pass is not pinned for that very reason,
/// which is the one to tell.
#[test]
fn a1_what_is_stored_names_a_digest_where_the_entry_says_so() {
    let (key, good) = (key(), image("good"));
    let pinned = format!("{APP}@{}", good.digest);
    let signed = || Shelf::of(&good).signed(&good, &[Layer::signature(&key, REPOSITORY, &good.digest)]);
    let unsigned = || Shelf::of(&good);
    let by = attestors(&[&key]);
    for (mutate, verify, of_signed, of_unsigned) in [
        (true, true, "digest-missing", "signature-missing"),
        (false, true, "digest-missing", "digest-missing"),
        (true, false, "image-verified", "signature-missing"),
        (false, false, "image-verified", "signature-missing"),
    ] {
        let policy = demanding(&by, mutate, verify);
        let code = |name: &str, shelf| {
            let decision = stored(&pod(&[name]), None, &policy, shelf);
            (decision.headline().code(), digests(&decision.check))
        };
        assert_eq!(code(APP, signed()).0, of_signed, "{mutate} {verify}");
        assert_eq!(code(APP, unsigned()).0, of_unsigned, "{mutate} {verify}");
        // By its digest it is what it is, and that is said once.
        assert_eq!(code(&pinned, signed()), ("image-verified", usize::from(verify)), "{mutate} {verify}");
    }
}

/// Where nothing but a digest is asked for, a digest is asked for.
#[test]
fn a_digest_alone_is_demanded_as_well() {
    let options = json!({"imageReferences": ["*"], "failureAction": "Enforce", "required": false});
    let policy = policy("p", &entries(&[options]));
    let of = |name: &str| stored(&pod(&[name]), None, &policy, Shelf::of(&image("good")));
    expect(&of(APP), Outcome::Fail, "digest-missing");
    let pinned = of(&format!("{APP}@{}", image("good").digest));
    assert_eq!(pinned.outcome(), Outcome::Pass, "{:#?}", pinned.check);
}

/// A running Pod needs no digest that it did not have: where something else of it changes, what stays is judged and not
/// started anew. What stands where it did not stand needs one.
#[test]
fn what_an_update_keeps_needs_no_digest() {
    let (key, good, more) = (key(), image("good"), image("more"));
    let shelf = || {
        let layer = |digest| [Layer::signature(&key, REPOSITORY, digest)];
        let shelf = Shelf::of(&good).signed(&good, &layer(&good.digest));
        shelf.image("ghcr.io/acme/app:more", &more).signed(&more, &layer(&more.digest))
    };
    let added = format!("ghcr.io/acme/app:more@{}", more.digest);
    for (mutate, verify) in [(true, true), (false, true)] {
        let policy = demanding(&attestors(&[&key]), mutate, verify);
        let update =
            |before: &[&str], after: &[&str]| stored(&pod(after), Some(&pod(before)), &policy, shelf());
        passes(&update(&[APP], &[APP, &added]));
        expect(&update(&[APP], &[APP, APP]), Outcome::Fail, "digest-missing");
        expect(&update(&[&added], &[APP]), Outcome::Fail, "digest-missing");
        let same = update(&[APP], &[APP]);
        expect(&same, Outcome::Skip, "update-starts-nothing");
    }
}

/// An attestation by nobody in particular: a statement must be there, and be readable.
#[test]
fn a_statement_by_nobody_in_particular_must_be_there() {
    let (key, good) = (key(), image("good"));
    let entry = |required: bool| {
        json!({"imageReferences": ["*"], "failureAction": "Enforce", "mutateDigest": false, "verifyDigest": false,
            "required": required, "attestations": [{"type": SCAN}]})
    };
    let said = common::signature::make::statement("app", &good.digest, SCAN, &json!({"failed": 0}));
    let with = |layers: &[Layer]| Shelf::of(&good).attested(&good, layers);
    for required in [true, false] {
        let policy = policy("p", &entries(&[entry(required)]));
        let judged = |shelf| stored(&pod(&[APP]), None, &policy, shelf);
        expect(&judged(Shelf::of(&good)), Outcome::Fail, "attestation-missing");
        passes(&judged(with(&[Layer::envelope(&key, &said)])));
    }
}
