//! Keys of every supported kind, each with its own signature and with one of another kind.

use common::key::PrivateKey;
use common::manifest::DEFAULT_DOMAIN;
use common::manifest::message::Form;
use common::manifest::sign::{Earlier, Options, sign};
use rcgen::{KeyPair, RsaKeySize};

use super::*;
use crate::authority::key;

fn keys() -> Vec<(&'static str, PrivateKey)> {
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    vec![
        ("P-256", key(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("P-384", key(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("P-521", key(&rcgen::PKCS_ECDSA_P521_SHA512)),
        ("Ed25519", key(&rcgen::PKCS_ED25519)),
        ("RSA", PrivateKey::parse(&rsa.serialize_pem(), || None).unwrap()),
        ("another P-256", key(&rcgen::PKCS_ECDSA_P256_SHA256)),
    ]
}

fn signed_by(key: &PrivateKey) -> Value {
    let options = Options {
        domain: DEFAULT_DOMAIN,
        form: Form::Plain,
        earlier: Earlier::Replace,
        whole: false,
        annotations: &[],
    };
    sign(vec![config_map("settings")], key, &options).unwrap().swap_remove(0)
}

#[test]
fn every_kind_of_key_verifies_its_own_and_no_other() {
    let signed: Vec<_> = keys().into_iter().map(|(name, key)| (name, signed_by(&key), key)).collect();
    for (name, _, key) in &signed {
        let demand = Demand::keys(1, &[&key.public().to_pem()]);
        for (other, object, _) in &signed {
            if name == other {
                accepted(name, &demand, object);
            } else {
                let attack = format!("a signature by {other} for {name}");
                refused(&demand, "signature-invalid", [(attack.as_str(), object.clone())]);
            }
        }
    }
}
