//! A private Sigstore made at test time: an authority, a log, and whoever signs with them. Each part can
//! be asked for with one thing wrong.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::key::PrivateKey;
use common::manifest::{DEFAULT_DOMAIN, annotations, message};
use common::trust::{Pieces, TrustRoot};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType, SignatureAlgorithm, date_time_ymd,
};
use serde_json::{Value, json};

pub(crate) const SUBJECT: &str = "dev@example.com";
pub(crate) const ISSUER: &str = "https://accounts.example.com";

/// 2025-06-01T12:00:00Z, when the log of these tests takes everything in.
pub(crate) const INTEGRATED: i64 = 1_748_779_200;

/// What issues signing certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a signing certificate says.
pub(crate) struct Leaf {
    pub(crate) names: Vec<SanType>,
    /// Extension 1.3.6.1.4.1.57264.1.8: the issuer as a DER string.
    pub(crate) issuer: Option<String>,
    /// Extension 1.3.6.1.4.1.57264.1.1: the issuer as bare bytes.
    pub(crate) bare_issuer: Option<String>,
    pub(crate) usages: Vec<ExtendedKeyUsagePurpose>,
    /// First and last day of validity.
    pub(crate) days: [(i32, u8, u8); 2],
    /// Further extensions.
    pub(crate) more: Vec<CustomExtension>,
}

/// A signing certificate and its key.
pub(crate) struct Certified {
    pub(crate) pem: String,
    pub(crate) key: PrivateKey,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            names: vec![email(SUBJECT)],
            issuer: Some(ISSUER.to_owned()),
            bare_issuer: Some(ISSUER.to_owned()),
            usages: vec![ExtendedKeyUsagePurpose::CodeSigning],
            days: [(2025, 6, 1), (2025, 6, 2)],
            more: Vec::new(),
        }
    }
}

pub(crate) fn email(name: &str) -> SanType {
    SanType::Rfc822Name(name.try_into().unwrap())
}

pub(crate) fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// A key of any algorithm, made without the costly encryption of a key file.
pub(crate) fn key(algorithm: &'static SignatureAlgorithm) -> PrivateKey {
    private(&KeyPair::generate_for(algorithm).unwrap())
}

fn private(pair: &KeyPair) -> PrivateKey {
    PrivateKey::parse(&pair.serialize_pem(), || None).unwrap()
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(authority(name), key).unwrap())
    }

    /// An intermediate that this authority vouches for.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = authority(name);
        // As Fulcio's has it: what an intermediate may vouch for bounds what its leaves may do.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        Self(CertifiedIssuer::signed_by(params, key, &self.0).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn certify(&self, leaf: &Leaf) -> Certified {
        let pair = KeyPair::generate().unwrap();
        let pem = leaf.params().signed_by(&pair, &self.0).unwrap().pem();
        Certified { pem, key: private(&pair) }
    }
}

impl Leaf {
    /// A certificate that nobody vouches for but its own key.
    pub(crate) fn self_made(&self) -> Certified {
        let pair = KeyPair::generate().unwrap();
        Certified { pem: self.params().self_signed(&pair).unwrap().pem(), key: private(&pair) }
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        let [from, until] = self.days.map(|(year, month, day)| date_time_ymd(year, month, day));
        (params.not_before, params.not_after) = (from, until);
        params.subject_alt_names.clone_from(&self.names);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages.clone_from(&self.usages);
        let fulcio = |last: u64| [1, 3, 6, 1, 4, 1, 57264, 1, last];
        if let Some(issuer) = &self.bare_issuer {
            let content = issuer.as_bytes().to_vec();
            params.custom_extensions.push(CustomExtension::from_oid_content(&fulcio(1), content));
        }
        if let Some(issuer) = &self.issuer {
            let content = [&[0x0c, u8::try_from(issuer.len()).unwrap()], issuer.as_bytes()].concat();
            params.custom_extensions.push(CustomExtension::from_oid_content(&fulcio(8), content));
        }
        params.custom_extensions.extend(self.more.iter().cloned());
        params
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2040, 1, 1));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A transparency log.
pub(crate) struct Log(pub(crate) PrivateKey);

/// What a log took in.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) body: Value,
    pub(crate) time: i64,
    pub(crate) index: i64,
}

impl Entry {
    /// A `hashedrekord` of one signature; `verifier` is PEM of a certificate or a public key.
    pub(crate) fn of(raw: &[u8], signature: &[u8], verifier: &str) -> Self {
        let hash = hex::encode(digest(&SHA256, raw));
        let body = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hash}},
            "signature": {
                "content": STANDARD.encode(signature), "publicKey": {"content": STANDARD.encode(verifier)},
            },
        }});
        Self { body, time: INTEGRATED, index: 7 }
    }
}

impl Log {
    pub(crate) fn new() -> Self {
        Self(key(&rcgen::PKCS_ECDSA_P256_SHA256))
    }

    pub(crate) fn id(&self) -> String {
        hex::encode(digest(&SHA256, self.0.public().spki()))
    }

    /// cosign's `RekorBundle`: the entry and the log's promise over its canonical JSON.
    pub(crate) fn bundle(&self, entry: &Entry) -> Value {
        let body = STANDARD.encode(entry.body.to_string());
        let payload =
            json!({"body": body, "integratedTime": entry.time, "logID": self.id(), "logIndex": entry.index});
        let promise = self.0.sign(payload.to_string().as_bytes()).unwrap();
        json!({"SignedEntryTimestamp": STANDARD.encode(promise), "Payload": payload})
    }
}

/// The trust root of an authority and a log, and of a CT log where one is given.
pub(crate) fn root(authority: &Authority, log: &Log, ct: Option<&PrivateKey>) -> Arc<TrustRoot> {
    let (roots, rekor) = (authority.pem(), log.0.public().to_pem());
    let ct = ct.map(|key| key.public().to_pem());
    let pieces = Pieces {
        ca_roots: Some(&roots),
        rekor_keys: Some(&rekor),
        ct_keys: ct.as_deref(),
        ..Pieces::default()
    };
    Arc::new(TrustRoot::from_pieces(&pieces).unwrap())
}

/// One annotation of the signature format, written as it stands.
pub(crate) fn set(object: &mut Value, base: &str, text: impl Into<Value>) {
    let map = object["metadata"].as_object_mut().unwrap();
    map.entry("annotations").or_insert_with(|| json!({}))[annotations::name(DEFAULT_DOMAIN, base, 0)] =
        text.into();
}

/// An object with everything a keyless signature needs in its annotations.
pub(crate) fn carrying(
    object: &Value,
    raw: &[u8],
    signature: &[u8],
    certificate: &str,
    bundle: &Value,
) -> Value {
    let mut object = object.clone();
    set(&mut object, "message", message::encode(raw));
    set(&mut object, "signature", STANDARD.encode(signature));
    set(&mut object, "certificate", message::encode(certificate.as_bytes()));
    set(&mut object, "bundle", message::encode(bundle.to_string().as_bytes()));
    object
}
