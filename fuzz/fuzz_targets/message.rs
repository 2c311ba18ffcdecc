//! A message carried once more is the same message, and every document with a name is found again.

#![no_main]

use common::manifest::message::{self, Message};
use common::object::ObjectRef;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let Ok(message) = Message::of_raw(raw.to_vec()) else { return };
    let carried = message::encode(&message.raw);
    let again = Message::read(&carried).expect("what was read can be carried");
    assert_eq!((&again.raw, &again.digest, again.form), (&message.raw, &message.digest, message.form));
    assert_eq!(again.documents, message.documents);
    for document in &message.documents {
        assert!(message.candidates(&ObjectRef::of(document)).contains(&document));
    }
});
