//! Our own signed objects, broken in one place at a time. Every row names the attack, and the test the
//! code that must stop it.

mod algorithms;
mod annotations;
mod certificate;
mod configured;
mod entry;
mod facts;
mod keyed_log;
mod threshold;
mod told;

use std::sync::LazyLock;

use common::key::PrivateKey;
use common::manifest::message;
use common::policy::{Authority as Signers, Requirement};
use common::verdict::{Decision, Outcome};
use serde_json::{Value, json};

use crate::authority::{Authority, Certified, Entry, ISSUER, Leaf, Log, SUBJECT, carrying, root};
use crate::judge::Demand;

/// An attack, and the one thing it changes.
type Row<T> = (&'static str, fn(&mut T));

/// A private Sigstore and one signature by it.
struct World {
    authority: Authority,
    /// Another authority of the same name, which nobody trusts.
    stranger: Authority,
    log: Log,
    other_log: Log,
    signer: Certified,
    /// Signed once, so that a row changes its one thing and nothing else.
    signed: Signed,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let authority = Authority::new("fulcio");
    let signer = authority.certify(&Leaf::default());
    let signed = Signed::by(&signer, "settings");
    let (log, other_log) = (Log::new(), Log::new());
    World { stranger: Authority::new("fulcio"), authority, log, other_log, signer, signed }
});

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "prod"},
        "data": {"mode": "strict"}})
}

/// An object signed with a certificate, and its entry.
struct Signed {
    object: Value,
    raw: Vec<u8>,
    signature: Vec<u8>,
    entry: Entry,
}

impl Signed {
    fn by(signer: &Certified, name: &str) -> Self {
        let object = config_map(name);
        let raw = message::plain(std::slice::from_ref(&object));
        let signature = signer.key.sign(&raw).unwrap();
        let entry = Entry::of(&raw, &signature, &signer.pem);
        Self { object, raw, signature, entry }
    }

    fn carrying(&self, certificate: &str, bundle: &Value) -> Value {
        carrying(&self.object, &self.raw, &self.signature, certificate, bundle)
    }
}

/// The keyless object that is in order.
fn good() -> Value {
    WORLD.signed.carrying(&WORLD.signer.pem, &WORLD.log.bundle(&WORLD.signed.entry))
}

/// An object signed with a certificate and taken in by the log.
fn signed_with(signer: &Certified) -> Value {
    let signed = Signed::by(signer, "settings");
    signed.carrying(&signer.pem, &WORLD.log.bundle(&signed.entry))
}

fn identity(subject: &str, issuer: &str) -> Demand {
    let mut demand = Demand::identity(subject, issuer);
    demand.root = Some(root(&WORLD.authority, &WORLD.log, None));
    demand
}

fn demand() -> Demand {
    identity(SUBJECT, ISSUER)
}

/// A trust root that names a certificate log, whose proof may be waived.
fn demand_with_sct(ct: &PrivateKey, ignore: bool) -> Demand {
    let mut demand = Demand { root: Some(root(&WORLD.authority, &WORLD.log, Some(ct))), ..demand() };
    let Requirement::Attestor(attestor) = &mut demand.rule.requirement else { panic!("one attestor") };
    let Signers::Keyless(keyless) = &mut attestor.authority else { panic!("an identity") };
    keyless.log.ignore_sct = ignore;
    demand
}

/// Judges every broken object and reports all rows that another code stopped, or none did.
#[track_caller]
fn refused<'r>(demand: &Demand, code: &str, rows: impl IntoIterator<Item = (&'r str, Value)>) {
    let mut wrong = Vec::new();
    for (attack, object) in rows {
        let decision = demand.judge(&object);
        let found = (decision.outcome(), decision.headline().code());
        if found != (Outcome::Fail, code) {
            wrong.push(format!("{attack}: {found:?} instead of {code}: {}", decision.headline()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[track_caller]
fn accepted(what: &str, demand: &Demand, object: &Value) -> Decision {
    let decision = demand.judge(object);
    assert_eq!(decision.outcome(), Outcome::Pass, "{what}: {}", decision.headline());
    decision
}
