//! Annotations of any object: read within the bounds, and gone once stripped.

#![no_main]

use common::limits;
use common::manifest::{Annotations, DEFAULT_DOMAIN, Message, annotations};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const BASES: [&str; 6] = ["message", "signature", "certificate", "bundle", "signature_1", "bundle_1"];

fuzz_target!(|texts: Vec<&str>| {
    let named = BASES.iter().map(|base| format!("{DEFAULT_DOMAIN}/{base}")).zip(&texts);
    let map: Map<String, Value> = named.map(|(name, text)| (name, json!(text))).collect();
    let mut object = json!({"metadata": {"annotations": map}});
    let read = Annotations::read(&object, DEFAULT_DOMAIN);
    assert!(read.signatures.len() <= limits::SIGNATURES);
    for signature in &read.signatures {
        let Ok(material) = signature.decode() else { continue };
        assert!(material.signature.len() <= limits::SIGNATURE_BYTES * 2);
        assert!(material.certificate.is_none_or(|text| text.len() <= limits::CERTIFICATE_BYTES));
        assert!(material.bundle.is_none_or(|text| text.len() <= limits::BUNDLE_BYTES));
    }
    if let Some(Ok(message)) = read.message.map(Message::read) {
        assert!(message.raw.len() <= limits::MESSAGE_BYTES);
    }
    annotations::strip(&mut object, DEFAULT_DOMAIN);
    assert_eq!(object, json!({"metadata": {}}));
});
