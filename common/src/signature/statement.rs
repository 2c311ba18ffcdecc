//! in-toto statements: what an attestation says, and of what (in-toto attestation framework,
//! `spec/v1/statement.md`; version 0.1 has the same shape).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::limits;

/// The payload type of a DSSE envelope that holds a statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The predicate type by which cosign signs an image in its second format.
pub const IMAGE_SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

const STATEMENT_TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// What a statement says.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Of what: every digest of every subject that is one of ours.
    pub subjects: Vec<Digest>,
    /// In whose terms.
    pub predicate_type: String,
    /// The statement itself; `null` where there is none.
    pub predicate: Arc<Value>,
    /// What the signer says of the image besides (annotations of the subjects).
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, Value>,
}

impl Statement {
    /// Reads a statement.
    ///
    /// # Errors
    /// What is wrong with it, in a few words: not JSON of a statement, another type, no subject, more
    /// subjects than [`limits::STATEMENT_SUBJECTS`], no predicate type.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is not an in-toto statement ({error})"))?;
        if !STATEMENT_TYPES.contains(&wire.kind.as_str()) {
            return Err(format!("its type `{}` is not that of an in-toto statement", wire.kind));
        }
        if wire.predicate_type.is_empty() {
            return Err("its predicate type is empty".to_owned());
        }
        let named: usize = wire.subject.iter().map(|subject| subject.digest.len().max(1)).sum();
        if named == 0 || named > limits::STATEMENT_SUBJECTS {
            return Err(format!("it names {named} subjects (1 to {})", limits::STATEMENT_SUBJECTS));
        }
        // An algorithm that we do not know names nothing here; a malformed digest of one that we do is
        // refused with the whole statement.
        let mut subjects = Vec::new();
        let mut annotations = BTreeMap::new();
        for subject in wire.subject {
            subjects.extend(digests(&subject.digest)?);
            let texts = subject.annotations.into_iter();
            annotations.extend(texts.filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))));
        }
        let predicate = Arc::new(wire.predicate);
        Ok(Self { subjects, predicate_type: wire.predicate_type, predicate, annotations })
    }

    /// Whether it speaks of the thing with this digest.
    #[must_use]
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.subjects.contains(digest)
    }

    /// Whether it says nothing but "this image is signed".
    #[must_use]
    pub fn is_image_signature(&self) -> bool {
        self.predicate_type == IMAGE_SIGNATURE
    }
}

/// The digests of one subject that are of our algorithms.
fn digests(named: &BTreeMap<String, String>) -> Result<Vec<Digest>, String> {
    let ours =
        named.iter().filter(|(algorithm, _)| matches!(algorithm.as_str(), "sha256" | "sha384" | "sha512"));
    let digest = |(algorithm, hex): (&String, &String)| Digest::parse(&format!("{algorithm}:{hex}"));
    ours.map(digest).collect::<Result<_, _>>().map_err(|error| format!("of a subject, {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statement() -> Value {
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": Digest::of(b"x").hex(), "gitCommit": "abc"}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {"buildDefinition": {}},
        })
    }

    #[test]
    fn a_statement_speaks_of_its_subjects_only() {
        let read = Statement::parse(statement().to_string().as_bytes()).unwrap();
        assert!(read.is_about(&Digest::of(b"x")) && !read.is_about(&Digest::of(b"y")));
        assert_eq!(read.subjects.len(), 1, "a commit is no image");
        assert!(!read.is_image_signature());
    }

    #[test]
    fn what_is_no_statement_says_why() {
        type Break = fn(&mut Value);
        let breaks: [Break; 6] = [
            |v| v["_type"] = json!("https://in-toto.io/Statement/v9"),
            |v| v["subject"] = json!([]),
            |v| v["subject"] = json!({}),
            |v| v["predicateType"] = json!(""),
            |v| v["subject"][0]["digest"]["sha256"] = json!("ABC"),
            |v| {
                v["subject"] =
                    json!(vec![json!({"digest": {"sha256": "a"}}); limits::STATEMENT_SUBJECTS + 1]);
            },
        ];
        for (index, change) in breaks.iter().enumerate() {
            let mut broken = statement();
            change(&mut broken);
            assert!(Statement::parse(broken.to_string().as_bytes()).is_err(), "break {index}");
        }
        let twice = statement()
            .to_string()
            .replace("\"predicateType\":", "\"predicateType\":\"a\",\"predicateType\":");
        assert!(Statement::parse(twice.as_bytes()).is_err(), "one field twice");
    }
}
