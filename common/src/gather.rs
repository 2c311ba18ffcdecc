//! Everything a judgement needs, before anything is judged: the only place that waits.
//!
//! What is gathered are facts: what a message says, whether a signature is a key's, which identity a
//! certificate proves. Whether that is who the policy asked for is for [`crate::decide`].

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::cache::{FactKey, Facts, SignatureFact};
use crate::key::PublicKey;
use crate::manifest::Message;
use crate::manifest::annotations::{self, Annotations};
use crate::policy::condition::Scope;
use crate::policy::template::Template;
use crate::policy::{Attestor, Authority, KeyRef, KeySource, Keyless, ManifestRule};
use crate::signature::{self, CertificateTrust, LogDemands, Material, Piece};
use crate::sources::Sources;
use crate::trust::{Pieces, TrustRoot};
use crate::verdict::{Reason, Unavailable};

/// The facts about one object and one manifest rule.
#[derive(Clone, Debug)]
pub struct ManifestEvidence {
    /// What the object's message says, or why it says nothing.
    pub message: Result<Arc<Message>, Reason>,
    /// How many signatures the object carries.
    pub signatures: usize,
    /// For every attestor of the rule, in written order, what each signature proves to it.
    pub attestors: Vec<AttestorEvidence>,
    /// Signature annotations that nobody reads.
    pub leftovers: Vec<String>,
}

/// What the signatures of an object prove to one attestor.
#[derive(Clone, Debug)]
pub enum AttestorEvidence {
    /// One fact for each signature, and the name of what was tried, for people.
    Facts {
        /// `key sha256:…`, `identity …`.
        tried: String,
        /// In the order of the annotations.
        facts: Vec<SignatureFact>,
    },
    /// It could not be tried: the key is not at hand, the trust root is missing.
    Fault(Reason),
}

/// Gathers the facts for one manifest rule. `scope` gives variables in key references their values;
/// without one they have none.
///
/// `now` is used for certificates without a proven time of signing, and for nothing else.
pub async fn manifest(
    object: &Value,
    rule: &ManifestRule,
    scope: Option<&Scope>,
    world: World<'_>,
) -> ManifestEvidence {
    let read = Annotations::read(object, &rule.annotation_domain);
    let message = message(&read, rule, world.facts);
    let signed: Vec<_> = read.signatures.iter().map(annotations::RawSignature::decode).collect();
    let mut attestors = Vec::new();
    for attestor in rule.requirement.attestors() {
        let evidence = match &message {
            Ok(message) => attest(attestor, message, &signed, scope, world).await,
            Err(_) => AttestorEvidence::Facts { tried: name(&attestor.authority), facts: Vec::new() },
        };
        attestors.push(evidence);
    }
    let unread = signed.iter().flatten().flat_map(Material::leftovers);
    let broken = signed.iter().enumerate().filter(|(_, signature)| signature.is_err());
    let broken = broken.map(|(index, _)| annotations::name(&rule.annotation_domain, "signature", index));
    let leftovers = read.leftovers.into_iter().chain(unread).chain(broken).collect();
    ManifestEvidence { message, signatures: signed.len(), attestors, leftovers }
}

/// What gathering may ask.
#[derive(Clone, Copy)]
pub struct World<'w> {
    /// Keys and trust roots.
    pub sources: &'w dyn Sources,
    /// Facts known already.
    pub facts: &'w Facts,
    /// The time of the judgement.
    pub now: Timestamp,
}

fn message(read: &Annotations<'_>, rule: &ManifestRule, facts: &Facts) -> Result<Arc<Message>, Reason> {
    let name = |base| annotations::name(&rule.annotation_domain, base, 0);
    if let Some(repository) = &rule.repository {
        let what = format!("a manifest's message in the repository {repository}");
        return Err(Reason::PolicyUnsupported { what });
    }
    match read.message {
        Some(text) => facts.message(text).map_err(|problem| Reason::MessageUnreadable { problem }),
        None if read.signatures.is_empty() => Err(Reason::SignatureMissing { looked_for: name("signature") }),
        None => Err(Reason::MessageMissing { looked_for: name("message") }),
    }
}

/// What an authority is called in results.
#[must_use]
pub fn name(authority: &Authority) -> String {
    match authority {
        Authority::Key(KeySource::Inline(key)) => format!("key {}", key.fingerprint()),
        Authority::Key(KeySource::Reference(reference)) => format!("key {}", reference_name(reference)),
        Authority::Certificate(_) => "certificate".to_owned(),
        Authority::Keyless(keyless) => {
            let names: Vec<_> = keyless.subjects.iter().map(ToString::to_string).collect();
            format!("identity {}", names.join(" or "))
        }
        Authority::Unsupported { what } => what.clone(),
    }
}

fn reference_name(reference: &KeyRef) -> String {
    match reference {
        KeyRef::Secret { namespace, name } => format!("k8s://{namespace}/{name}"),
        KeyRef::Kms(uri) | KeyRef::Variable(uri) => uri.clone(),
    }
}

async fn attest(
    attestor: &Attestor,
    message: &Message,
    signed: &[Result<Material, Reason>],
    scope: Option<&Scope>,
    with: World<'_>,
) -> AttestorEvidence {
    if let Some(repository) = &attestor.repository {
        let what = format!("signatures in the repository {repository}");
        return AttestorEvidence::Fault(Reason::PolicyUnsupported { what });
    }
    match &attestor.authority {
        Authority::Key(KeySource::Inline(key)) => by_keys(std::slice::from_ref(key), message, signed, with),
        Authority::Key(KeySource::Reference(reference)) => {
            match resolve(reference, scope, with.sources).await {
                Ok(keys) => by_keys(&keys, message, signed, with),
                Err(problem) => {
                    let reference = reference_name(reference);
                    AttestorEvidence::Fault(Reason::KeyUnavailable { reference, problem })
                }
            }
        }
        Authority::Certificate(authority) => {
            let (certificate, chain) = (authority.cert.as_deref(), authority.chain.as_deref());
            let trust = CertificateTrust { certificate, chain };
            let establish =
                |material: &Material| signature::by_certificate(&message.raw, material, trust, with.now);
            let facts = each(signed, establish);
            AttestorEvidence::Facts { tried: name(&attestor.authority), facts }
        }
        Authority::Keyless(keyless) => by_identity(keyless, &attestor.authority, message, signed, with),
        Authority::Unsupported { what } => {
            AttestorEvidence::Fault(Reason::PolicyUnsupported { what: what.clone() })
        }
    }
}

fn each(
    signed: &[Result<Material, Reason>],
    establish: impl Fn(&Material) -> SignatureFact,
) -> Vec<SignatureFact> {
    signed.iter().map(|material| material.as_ref().map_err(Clone::clone).and_then(&establish)).collect()
}

/// The keys that a reference names. A variable may hold PEM or one more reference, but no variable.
async fn resolve(
    reference: &KeyRef,
    scope: Option<&Scope>,
    sources: &dyn Sources,
) -> Result<Vec<PublicKey>, Unavailable> {
    let text = match reference {
        KeyRef::Secret { .. } | KeyRef::Kms(_) => sources.key(reference).await?,
        KeyRef::Variable(text) => {
            let value = render(text, scope)?;
            match secret_of(&value) {
                Some(secret) => sources.key(&secret).await?,
                None => value,
            }
        }
    };
    PublicKey::parse_all(&text).map_err(|error| Unavailable::Unreadable(error.to_string()))
}

fn render(text: &str, scope: Option<&Scope>) -> Result<String, Unavailable> {
    let unreadable = |problem: String| Unavailable::Unreadable(problem);
    let template = Template::parse_text(text).map_err(|error| unreadable(error.to_string()))?;
    let scope = scope.ok_or_else(|| unreadable("variables have no values here".to_owned()))?;
    match scope.render(&template).map_err(|fault| unreadable(fault.to_string()))? {
        Value::String(value) => Ok(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(unreadable("its value is not text".to_owned()))
        }
    }
}

/// `k8s://namespace/name`.
fn secret_of(text: &str) -> Option<KeyRef> {
    let (namespace, name) = text.trim().strip_prefix("k8s://")?.split_once('/')?;
    Some(KeyRef::Secret { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// One fact a signature: the best that any of the keys gives.
fn by_keys(
    keys: &[PublicKey],
    message: &Message,
    signed: &[Result<Material, Reason>],
    with: World<'_>,
) -> AttestorEvidence {
    let logs = signed
        .iter()
        .any(|material| material.as_ref().is_ok_and(|material| material.bundle.is_some()))
        .then(|| with.sources.trust_root())
        .flatten();
    let establish = |material: &Material| {
        let one = |key: &PublicKey| {
            let id = key_of(message, material, ["key", key.fingerprint()], logs.as_deref());
            let verify = || signature::by_key(key, &message.raw, material, logs.as_deref());
            with.facts.signature(id, verify)
        };
        let mut facts = keys.iter().map(one);
        facts.find(Result::is_ok).or_else(|| keys.first().map(one)).unwrap_or(Err(Reason::NothingChecked))
    };
    let names: Vec<_> = keys.iter().map(PublicKey::fingerprint).collect();
    AttestorEvidence::Facts { tried: format!("key {}", names.join(" or ")), facts: each(signed, establish) }
}

fn by_identity(
    keyless: &Keyless,
    authority: &Authority,
    message: &Message,
    signed: &[Result<Material, Reason>],
    with: World<'_>,
) -> AttestorEvidence {
    let root = match trust_root(keyless, with.sources) {
        Ok(root) => root,
        Err(reason) => return AttestorEvidence::Fault(reason),
    };
    let demands = LogDemands { sct: !keyless.log.ignore_sct, tlog: true };
    let how = if demands.sct { "with SCT" } else { "without SCT" };
    let establish = |material: &Material| {
        let id = key_of(message, material, ["keyless", how], Some(&root));
        with.facts.signature(id, || signature::by_identity(&message.raw, material, &root, demands))
    };
    AttestorEvidence::Facts { tried: name(authority), facts: each(signed, establish) }
}

/// The configured trust root, with the pieces that an entry names in place of its own.
fn trust_root(keyless: &Keyless, sources: &dyn Sources) -> Result<Arc<TrustRoot>, Reason> {
    let log = &keyless.log;
    let pieces = Pieces {
        ca_roots: keyless.roots.as_deref(),
        ca_intermediates: None,
        rekor_keys: log.rekor_key.as_deref(),
        ct_keys: log.ct_key.as_deref(),
        tsa_chain: log.tsa_chain.as_deref(),
    };
    let configured = sources.trust_root().ok_or(Reason::TrustRootMissing)?;
    if pieces.is_empty() {
        return Ok(configured);
    }
    let root = configured
        .with_pieces(&pieces)
        .map_err(|error| Reason::PolicyInvalid { problem: error.to_string() })?;
    Ok(Arc::new(root))
}

/// Everything the fact about a signature depends on. A piece that is absent, one that is empty and one
/// that cannot be read are three things.
fn key_of(message: &Message, material: &Material, how: [&str; 2], root: Option<&TrustRoot>) -> FactKey {
    let piece = |text: &Option<String>, piece| match text {
        Some(_) => "read",
        None if material.unread.contains(&piece) => "unread",
        None => "absent",
    };
    let [kind, who] = how;
    FactKey::of(&[
        message.digest.as_bytes(),
        &material.signature,
        piece(&material.certificate, Piece::Certificate).as_bytes(),
        material.certificate.as_deref().unwrap_or_default().as_bytes(),
        piece(&material.bundle, Piece::Bundle).as_bytes(),
        material.bundle.as_deref().unwrap_or_default().as_bytes(),
        kind.as_bytes(),
        who.as_bytes(),
        root.map_or("", TrustRoot::fingerprint).as_bytes(),
    ])
}
