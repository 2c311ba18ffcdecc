//! What was signed is verified, however it was written down in between.

use std::sync::LazyLock;

use common::key::PrivateKey;
use common::manifest::DEFAULT_DOMAIN;
use common::manifest::message::Form;
use common::manifest::sign::{Earlier, Options, sign};
use common::verdict::Outcome;
use common::yaml;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::wild;
use crate::authority::key;
use crate::judge::Demand;

pub(super) static KEY: LazyLock<PrivateKey> = LazyLock::new(|| key(&rcgen::PKCS_ECDSA_P256_SHA256));

pub(super) fn demand() -> Demand {
    Demand::keys(1, &[&KEY.public().to_pem()])
}

pub(super) fn signed(object: Value) -> Value {
    sign(vec![object], &KEY, &PLAIN).unwrap().swap_remove(0)
}

pub(super) const PLAIN: Options<'static> = Options {
    domain: DEFAULT_DOMAIN,
    form: Form::Plain,
    earlier: Earlier::Replace,
    whole: false,
    annotations: &[],
};

/// In every form; each gives the documents of one file.
fn in_every_form(object: &Value) -> [Vec<Value>; 4] {
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}});
    let stranger = key(&rcgen::PKCS_ECDSA_P256_SHA256);
    let by = |documents: Vec<Value>, key: &PrivateKey, options| sign(documents, key, &options).unwrap();
    let both = || vec![object.clone(), other.clone()];
    [
        by(both(), &KEY, PLAIN),
        by(both(), &KEY, Options { form: Form::Tarball, ..PLAIN }),
        by(both(), &KEY, Options { whole: true, ..PLAIN }),
        by(by(both(), &stranger, PLAIN), &KEY, Options { earlier: Earlier::Append, ..PLAIN }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_is_verified_as_yaml_and_as_json(object in wild::custom_resource()) {
        for documents in in_every_form(&object) {
            let yaml: Vec<_> = documents.iter().map(yaml::to_yaml).collect();
            let json: Vec<_> = documents.iter().map(Value::to_string).collect();
            for text in [yaml.join("---\n"), json.join("\n")] {
                let (outcome, code) = demand().judge_text(text.as_bytes());
                prop_assert_eq!((outcome, code), (Outcome::Pass, "signature-valid"), "{}", text);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_written_is_read_back(value in wild::value()) {
        let text = yaml::to_yaml(&value);
        match yaml::read(text.as_bytes()) {
            Ok(documents) => {
                prop_assert_eq!(documents.len(), 1, "{}", text);
                prop_assert_eq!(&documents[0].value, &value, "{}", text);
            }
            Err(error) => prop_assert!(value.is_null(), "{}: {}", error, text),
        }
    }

    #[test]
    fn json_is_read_as_it_is(value in wild::value()) {
        let object = json!({"value": value});
        let documents = yaml::read(object.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&documents[0].value, &object);
    }
}
