//! Compiling any document as a policy: an answer, never a panic, and the same answer twice.

#![no_main]

use common::{dialect, yaml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(documents) = yaml::read(text) else { return };
    for document in documents {
        let (first, second) = (dialect::compile(&document.value), dialect::compile(&document.value));
        match (first, second) {
            (Ok(_), Ok(_)) => assert!(dialect::is_policy(&document.value)),
            (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
            _ => panic!("two answers to one document"),
        }
    }
});
