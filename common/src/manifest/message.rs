//! The signed message: what it says, and how it is carried.
//!
//! Carried as base64(gzip(M)). M is YAML documents (plain) or, in the older form, itself a `.tar.gz` of
//! YAML files (tarball). The signature is over M, after exactly one decompression.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde_json::Value;

use super::annotations::gunzip;
use crate::digest::Digest;
use crate::limits;
use crate::object::ObjectRef;
use crate::verdict::MessageProblem;
use crate::yaml;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// How M holds its documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// YAML.
    Plain,
    /// A gzipped tar archive of YAML files; deprecated because nobody can reproduce or read it.
    Tarball,
}

/// A signed message, read once and searched many times.
#[derive(Debug)]
pub struct Message {
    /// M: the bytes that are signed.
    pub raw: Arc<[u8]>,
    /// Hex SHA-256 of M.
    pub digest: Digest,
    /// How M holds its documents.
    pub form: Form,
    /// Its documents that are objects with a `kind`.
    pub documents: Vec<Value>,
    /// (group, kind, name) to the documents of that identity.
    index: BTreeMap<(String, String, String), Vec<usize>>,
}

impl Message {
    /// Reads the text of a `message` annotation. Text that is base64 and not gzip is M itself, as
    /// k8s-manifest-sigstore accepts.
    ///
    /// # Errors
    /// [`MessageProblem`]; every bound is that of [`limits`].
    pub fn read(annotation: &str) -> Result<Self, MessageProblem> {
        if annotation.len() > limits::ANNOTATION_BYTES {
            return Err(MessageProblem::TooLarge);
        }
        let carried = STANDARD.decode(annotation).map_err(|_| MessageProblem::NotBase64)?;
        let raw = if carried.starts_with(GZIP_MAGIC) { decompress(&carried)? } else { carried };
        Self::of_raw(raw)
    }

    /// Reads M.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of_raw(raw: Vec<u8>) -> Result<Self, MessageProblem> {
        let (form, documents) = if raw.starts_with(GZIP_MAGIC) {
            (Form::Tarball, tarball(&decompress(&raw)?)?)
        } else {
            (Form::Plain, documents(&raw)?)
        };
        if documents.is_empty() {
            return Err(MessageProblem::Empty);
        }
        // A document without a kind is nobody's manifest and so no candidate for any object.
        let documents: Vec<_> = documents
            .into_iter()
            .filter(|document| document.get("kind").is_some_and(Value::is_string))
            .collect();
        let mut index = BTreeMap::<_, Vec<_>>::new();
        for (position, document) in documents.iter().enumerate() {
            index.entry(identity(&ObjectRef::of(document))).or_default().push(position);
        }
        let digest = Digest::of(&raw);
        Ok(Self { raw: raw.into(), digest, form, documents, index })
    }

    /// The documents that may be what `object` was signed as: same group, kind and name. Those of its
    /// own namespace come alone, else those without one, else the others (whose namespace then shows
    /// as the difference; at most `limits::MESSAGE_CANDIDATES`, since none can be it).
    #[must_use]
    pub fn candidates(&self, object: &ObjectRef) -> Vec<&Value> {
        let all: Vec<_> = self
            .index
            .get(&identity(object))
            .into_iter()
            .flatten()
            .filter_map(|position| self.documents.get(*position))
            .collect();
        let in_namespace = |wanted: &str| -> Vec<&Value> {
            all.iter().copied().filter(|document| ObjectRef::of(document).namespace == wanted).collect()
        };
        [in_namespace(&object.namespace), in_namespace("")]
            .into_iter()
            .find(|some| !some.is_empty())
            .unwrap_or_else(|| all.into_iter().take(limits::MESSAGE_CANDIDATES).collect())
    }
}

fn identity(object: &ObjectRef) -> (String, String, String) {
    (object.group().to_owned(), object.kind.clone(), object.name.clone())
}

/// The text of a `message` annotation for M: base64(gzip(M)), the same for the same bytes.
#[must_use]
pub fn encode(raw: &[u8]) -> String {
    STANDARD.encode(compress(raw))
}

/// M of a list of documents, as YAML: one document after the other, separated by `---`.
#[must_use]
pub fn plain(documents: &[Value]) -> Vec<u8> {
    // No empty line before the separator: it would belong to a text that keeps its last line ends (`|+`).
    documents.iter().map(yaml::to_yaml).collect::<Vec<_>>().join("---\n").into_bytes()
}

/// M of a list of documents in the older form: a `.tar.gz` of one file. No clock, no user and no
/// temporary folder goes into it, so the same documents give the same bytes.
///
/// # Errors
/// An archive that cannot be written, which memory never refuses.
pub fn as_tarball(documents: &[Value]) -> std::io::Result<Vec<u8>> {
    let content = plain(documents);
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::Regular);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "manifest.yaml", content.as_slice())?;
    Ok(compress(&archive.into_inner()?))
}

/// gzip without time or name, as Go's writer makes it (operating system 255).
fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    // Writing into a vector does not fail.
    written.unwrap_or_default()
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, MessageProblem> {
    match gunzip(bytes, limits::MESSAGE_BYTES) {
        Some(raw) => Ok(raw),
        // Told apart for the person, at the price of a second look at a damaged stream.
        None if is_whole(bytes) => Err(MessageProblem::TooLarge),
        None => Err(MessageProblem::BrokenGzip),
    }
}

/// Whether the stream yields more bytes than allowed before it breaks.
fn is_whole(bytes: &[u8]) -> bool {
    let limit = limits::MESSAGE_BYTES as u64;
    let decoded =
        std::io::copy(&mut flate2::read::MultiGzDecoder::new(bytes).take(limit + 1), &mut std::io::sink());
    decoded.is_ok_and(|count| count > limit)
}

fn documents(text: &[u8]) -> Result<Vec<Value>, MessageProblem> {
    let documents = yaml::read(text).map_err(|error| MessageProblem::NotYaml(error.to_string()))?;
    if documents.len() > limits::MESSAGE_DOCUMENTS {
        return Err(MessageProblem::TooManyDocuments);
    }
    Ok(documents.into_iter().map(|document| document.value).collect())
}

/// The documents of all YAML files of an archive. Names mean nothing, nothing is ever written; links
/// and devices make the archive unreadable.
fn tarball(bytes: &[u8]) -> Result<Vec<Value>, MessageProblem> {
    let mut archive = tar::Archive::new(bytes);
    let mut found = Vec::new();
    for (count, entry) in archive.entries().map_err(|_| MessageProblem::BrokenTar)?.enumerate() {
        let mut entry = entry.map_err(|_| MessageProblem::BrokenTar)?;
        let kind = entry.header().entry_type();
        if count >= limits::TARBALL_ENTRIES || !(kind.is_file() || kind.is_dir()) {
            return Err(MessageProblem::BrokenTar);
        }
        if kind.is_dir() || !is_yaml(&entry.path_bytes()) {
            continue;
        }
        let mut text = Vec::new();
        (&mut entry)
            .take(limits::TARBALL_BYTES as u64)
            .read_to_end(&mut text)
            .map_err(|_| MessageProblem::BrokenTar)?;
        found.extend(documents(&text)?);
        if found.len() > limits::MESSAGE_DOCUMENTS {
            return Err(MessageProblem::TooManyDocuments);
        }
    }
    Ok(found)
}

fn is_yaml(name: &[u8]) -> bool {
    name.ends_with(b".yaml") || name.ends_with(b".yml")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config_map(namespace: Option<&str>) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}})
    }

    #[test]
    fn both_forms_are_read_back() {
        let documents = [config_map(Some("x")), config_map(None)];
        for raw in [plain(&documents), as_tarball(&documents).unwrap()] {
            let message = Message::read(&encode(&raw)).unwrap();
            assert_eq!(*message.raw, *raw);
            assert_eq!(message.documents.len(), 2);
        }
        let unpacked = Message::read(&STANDARD.encode(plain(&documents))).unwrap();
        assert_eq!((unpacked.form, &*unpacked.raw), (Form::Plain, &*plain(&documents)));
    }

    #[test]
    fn a_text_that_ends_in_empty_lines_keeps_them() {
        let documents = [json!({"kind": "A", "text": "\n"}), json!({"kind": "B", "text": "x\n\n"})];
        assert_eq!(Message::of_raw(plain(&documents)).unwrap().documents, documents);
    }

    #[test]
    fn the_own_namespace_comes_first() {
        let message = Message::of_raw(plain(&[config_map(Some("x")), config_map(None)])).unwrap();
        let of = |namespace: &str| ObjectRef {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: namespace.into(),
            name: "a".into(),
        };
        assert_eq!(message.candidates(&of("x")), [&config_map(Some("x"))]);
        assert_eq!(message.candidates(&of("y")), [&config_map(None)]);
        assert!(message.candidates(&ObjectRef { name: "b".into(), ..of("x") }).is_empty());
    }

    #[test]
    fn hostile_messages_are_named() {
        let gzip = compress(&plain(&[config_map(None)]));
        for (raw, problem) in [
            (STANDARD.encode(&gzip[..gzip.len() - 5]), MessageProblem::BrokenGzip),
            (encode(b""), MessageProblem::Empty),
            (encode(b"# nothing\n"), MessageProblem::Empty),
            (encode(&vec![b' '; limits::MESSAGE_BYTES + 1]), MessageProblem::TooLarge),
            (encode(&compress(&vec![0; limits::MESSAGE_BYTES + 1])), MessageProblem::TooLarge),
            (
                encode(&compress(b"not tar, and long enough to be read as a header of an archive")),
                MessageProblem::BrokenTar,
            ),
            ("a".repeat(3), MessageProblem::NotBase64),
            ("a".repeat(limits::ANNOTATION_BYTES + 1), MessageProblem::TooLarge),
        ] {
            assert_eq!(Message::read(&raw).unwrap_err(), problem);
        }
        assert!(matches!(Message::read(&encode(b"a: [")).unwrap_err(), MessageProblem::NotYaml(_)));
        assert!(matches!(
            Message::read(&encode(b"kind: A\n---\nnull\n")).unwrap_err(),
            MessageProblem::NotYaml(_)
        ));
    }

    #[test]
    fn links_in_an_archive_make_it_unreadable() {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        let mut archive = tar::Builder::new(Vec::new());
        archive.append_link(&mut header, "a.yaml", "/etc/passwd").unwrap();
        let raw = compress(&archive.into_inner().unwrap());
        assert_eq!(Message::of_raw(raw).unwrap_err(), MessageProblem::BrokenTar);
    }
}
