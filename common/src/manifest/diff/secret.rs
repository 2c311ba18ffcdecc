//! Secrets are signed with `stringData` and stored with `data`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// The signed Secret as the server stores it: `stringData` encoded and merged over `data`. `None` where
/// nothing is to be merged: no Secret, no `stringData`, or an object that still has it (a plain file),
/// which is then compared as it is.
pub(super) fn merged(signed: &Value, found: &Value) -> Option<Value> {
    let is_secret = |object: &Value| {
        object.get("kind").is_some_and(|kind| kind == "Secret")
            && object.get("apiVersion").is_some_and(|version| version == "v1")
    };
    let texts = signed.get("stringData")?.as_object()?;
    if !is_secret(signed) || found.get("stringData").is_some() {
        return None;
    }
    let mut data = match signed.get("data") {
        None | Some(Value::Null) => Map::new(),
        Some(data) => data.as_object()?.clone(),
    };
    for (key, text) in texts {
        data.insert(key.clone(), STANDARD.encode(text.as_str()?).into());
    }
    let mut secret = signed.as_object()?.clone();
    secret.remove("stringData");
    secret.insert("data".to_owned(), Value::Object(data));
    Some(Value::Object(secret))
}
