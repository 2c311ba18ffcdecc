//! What signatures prove to the attestors of a rule: whose key made them, which identity their certificates
//! prove. The same for manifests, images and files.

use std::sync::Arc;

use serde_json::Value;

use super::World;
use crate::cache::{FactKey, SignatureFact};
use crate::key::PublicKey;
use crate::policy::condition::Scope;
use crate::policy::template::Template;
use crate::policy::{
    Attestor, Authority, CertificateAuthority, KeyRef, KeySource, Keyless, LogOptions, PolicyValue,
};
use crate::signature::{CertificateTrust, Found, LogDemands, Subject, VerifiedSignature};
use crate::sources::Sources;
use crate::trust::{Certificates, LogKeys, PieceKind, Pieces, TrustError, TrustRoot};
use crate::verdict::{Reason, Unavailable};

/// What the signatures of one thing prove to one attestor.
#[derive(Clone, Debug)]
pub enum AttestorEvidence {
    /// One fact for each signature, and the name of what was tried, for people.
    Facts {
        /// `key sha256:…`, `identity …`.
        tried: String,
        /// In the order of the signatures.
        facts: Vec<SignatureFact>,
    },
    /// It could not be tried: the key is not at hand, the trust root is missing.
    Fault(Reason),
}

/// Signatures, and what they must be about.
#[derive(Clone, Copy)]
pub(super) struct Considered<'c> {
    pub(super) signatures: &'c [Arc<Found>],
    pub(super) subject: Subject<'c>,
    /// Gives variables in key references their values; without one they have none.
    pub(super) scope: Option<&'c Scope>,
    /// Whether a log must have taken in what an identity or certificate signed, unless an option says
    /// otherwise. Of manifests it must, and no option is read: nothing else proves when they were signed.
    pub(super) options: bool,
    pub(super) world: World<'c>,
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

impl Considered<'_> {
    /// What the signatures prove to one attestor.
    pub(super) async fn attest(&self, attestor: &Attestor) -> AttestorEvidence {
        // Attack: roots that an expression was to give and did not, so that the configured ones stand in for them.
        if let Some(reason) = attestor.without_value() {
            return AttestorEvidence::Fault(reason);
        }
        match &attestor.authority {
            Authority::Key(KeySource::Inline(key)) => self.by_keys(std::slice::from_ref(key), &attestor.log),
            Authority::Key(KeySource::Reference(reference)) => {
                match resolve(reference, self.scope, self.world.sources).await {
                    Ok(keys) => self.by_keys(&keys, &attestor.log),
                    Err(problem) => {
                        let reference = reference_name(reference);
                        AttestorEvidence::Fault(Reason::KeyUnavailable { reference, problem })
                    }
                }
            }
            Authority::Certificate(authority) => self.by_certificate(authority, &attestor.authority),
            Authority::Keyless(keyless) => self.by_identity(keyless, &attestor.authority),
            Authority::Unsupported { what } => {
                AttestorEvidence::Fault(Reason::PolicyUnsupported { what: what.clone() })
            }
        }
    }

    fn each(&self, establish: impl Fn(&Found) -> SignatureFact) -> Vec<SignatureFact> {
        self.signatures.iter().map(|found| establish(found)).collect()
    }

    /// One fact a signature: the best that any of the keys gives.
    fn by_keys(&self, keys: &[PublicKey], log: &LogOptions) -> AttestorEvidence {
        let logs = if self.signatures.iter().any(|found| found.has_entry()) {
            match self.trust_root(None, log) {
                Ok(root) => Some(root),
                // A key needs none; that its entry was not checked is a warning then.
                Err(Reason::TrustRootMissing) => None,
                Err(reason) => return AttestorEvidence::Fault(reason),
            }
        } else {
            None
        };
        let establish = |found: &Found| {
            let one = |key: &PublicKey| {
                let id = self.key_of(found, ["key", key.fingerprint()], logs.as_deref());
                self.world.facts.signature(id, || found.by_key(key, self.subject, logs.as_deref()))
            };
            let mut facts = keys.iter().map(one);
            facts.find(Result::is_ok).or_else(|| keys.first().map(one)).unwrap_or(Err(Reason::NothingChecked))
        };
        let names: Vec<_> = keys.iter().map(PublicKey::fingerprint).collect();
        AttestorEvidence::Facts { tried: format!("key {}", names.join(" or ")), facts: self.each(establish) }
    }

    fn by_identity(&self, keyless: &Keyless, authority: &Authority) -> AttestorEvidence {
        let root = resolved(keyless.roots.as_ref())
            .and_then(|roots| self.trust_root(roots.map(Certificates::pem), &keyless.log));
        let root = match root {
            Ok(root) => root,
            Err(reason) => return AttestorEvidence::Fault(reason),
        };
        let facts = self.by_root(&root, &keyless.log, "keyless");
        AttestorEvidence::Facts { tried: name(authority), facts }
    }

    fn by_root(&self, root: &Arc<TrustRoot>, log: &LogOptions, kind: &str) -> Vec<SignatureFact> {
        let demands = LogDemands { sct: !log.ignore_sct, tlog: !(self.options && log.ignore_tlog) };
        let how = match (demands.sct, demands.tlog) {
            (true, true) => "with SCT and log",
            (true, false) => "with SCT",
            (false, true) => "with log",
            (false, false) => "without SCT and log",
        };
        self.each(|found| {
            let id = self.key_of(found, [kind, how], Some(root));
            self.world.facts.signature(id, || found.by_identity(self.subject, root, demands, self.world.now))
        })
    }

    /// A configured certificate or authority. Where a log proves when the signature was made, the
    /// certificate must have been valid then; where none does, now.
    fn by_certificate(&self, configured: &CertificateAuthority, authority: &Authority) -> AttestorEvidence {
        let tried = name(authority);
        if self.options && !configured.log.ignore_tlog {
            return match self.logged_certificate(configured) {
                Ok(facts) => AttestorEvidence::Facts { tried, facts },
                Err(reason) => AttestorEvidence::Fault(reason),
            };
        }
        let trust = match (resolved(configured.cert.as_ref()), resolved(configured.chain.as_ref())) {
            (Ok(certificate), Ok(chain)) => CertificateTrust {
                certificate: certificate.map(Certificates::pem),
                chain: chain.map(Certificates::pem),
            },
            (Err(reason), _) | (_, Err(reason)) => return AttestorEvidence::Fault(reason),
        };
        let facts = self.each(|found| found.by_certificate(self.subject, trust, self.world.now));
        AttestorEvidence::Facts { tried, facts }
    }

    fn logged_certificate(&self, configured: &CertificateAuthority) -> Result<Vec<SignatureFact>, Reason> {
        let Some(chain) = resolved(configured.chain.as_ref())? else {
            let what = "a certificate without its chain whose log entry is demanded; add certChain";
            return Err(Reason::PolicyUnsupported { what: what.to_owned() });
        };
        let root = self.trust_root(Some(chain.pem()), &configured.log)?;
        let facts = self.by_root(&root, &configured.log, "certificate");
        let Some(certificate) = resolved(configured.cert.as_ref())? else { return Ok(facts) };
        let same = |(found, fact): (&Arc<Found>, SignatureFact)| {
            let verified: VerifiedSignature = fact?;
            found.is_by_certificate(certificate.pem()).then_some(verified).ok_or(
                Reason::CertificateUntrusted {
                    subject: "the signer".to_owned(),
                    detail: "it is not the configured certificate".to_owned(),
                },
            )
        };
        Ok(self.signatures.iter().zip(facts).map(same).collect())
    }

    /// The trust root that a rule names, or the configured one, with the pieces that the rule names in place of its
    /// own.
    fn trust_root(&self, roots: Option<&str>, log: &LogOptions) -> Result<Arc<TrustRoot>, Reason> {
        let pieces = Pieces {
            ca_roots: roots,
            ca_intermediates: None,
            rekor_keys: resolved(log.rekor_key.as_ref())?.map(LogKeys::pem),
            ct_keys: resolved(log.ct_key.as_ref())?.map(LogKeys::pem),
            tsa_chain: resolved(log.tsa_chain.as_ref())?.map(Certificates::pem),
        };
        let configured = match &log.trust_root {
            // Attack: a root that is deleted must not leave its policies to those whom another one trusts.
            Some(named) => {
                let unknown = || Reason::TrustRootUnknown { name: named.name.clone() };
                named.root.clone().ok_or_else(unknown)?
            }
            None => self.world.sources.trust_root().ok_or(Reason::TrustRootMissing)?,
        };
        if pieces.is_empty() {
            return Ok(configured);
        }
        let of = |piece: Option<&'_ str>| piece.map(str::as_bytes).unwrap_or_default().to_vec();
        let parts = [roots, pieces.rekor_keys, pieces.ct_keys, pieces.tsa_chain].map(of);
        let parts = [configured.fingerprint().as_bytes(), &parts[0], &parts[1], &parts[2], &parts[3]];
        self.world.facts.trust_root(FactKey::of(&parts), || {
            let root = configured.with_pieces(&pieces);
            root.map(Arc::new).map_err(|error| Reason::PolicyInvalid { problem: in_policy(&error) })
        })
    }

    /// Everything the fact about a signature depends on.
    fn key_of(&self, found: &Found, how: [&str; 2], root: Option<&TrustRoot>) -> FactKey {
        let [kind, who] = how;
        FactKey::of(&[
            found.id(),
            self.subject.digest.algorithm().name().as_bytes(),
            self.subject.digest.hex().as_bytes(),
            kind.as_bytes(),
            who.as_bytes(),
            root.map_or("", TrustRoot::fingerprint).as_bytes(),
        ])
    }
}

/// What a policy gives; a fault where its expression has no value.
fn resolved<T>(value: Option<&PolicyValue<T>>) -> Result<Option<&T>, Reason> {
    let unresolved = |problem: &str| Reason::VariableUnresolved {
        variable: "attestor".to_owned(),
        problem: problem.to_owned(),
    };
    value.map(PolicyValue::value).transpose().map_err(unresolved)
}

/// An error about a piece of a trust root, where it stands in a policy.
fn in_policy(error: &TrustError) -> String {
    let TrustError::Piece { piece, problem } = error else { return error.to_string() };
    let field = match piece {
        PieceKind::CaRoots | PieceKind::CaIntermediates => "roots or certChain",
        PieceKind::RekorKeys => "rekor.pubkey",
        PieceKind::CtKeys => "ctlog.pubkey",
        PieceKind::TsaChain => "ctlog.tsaCertChain",
    };
    format!("{field}: {problem}")
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
