//! Whatever the reader accepts, the writer writes so that it is read back as the same.

#![no_main]

use common::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(documents) = yaml::read(text) else { return };
    for document in documents {
        let written = yaml::to_yaml(&document.value);
        let again = yaml::read(written.as_bytes()).expect("what is written can be read");
        assert_eq!(again.len(), 1, "{written}");
        assert_eq!(again[0].value, document.value, "{written}");
    }
});
