//! Signing manifests so that every reader of the format accepts them.

use serde_json::{Map, Value, json};

use super::annotations::{self, Annotations};
use super::message::{self, Form, Message};
use crate::digest::Digest;
use crate::key::PrivateKey;
use crate::limits;
use crate::object::ObjectRef;
use crate::signature::Material;

/// What becomes of signatures that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// They are dropped, with certificates and bundles: a stale one would contradict the new signature.
    Replace,
    /// They stay, and the new one goes beside them, over the same message.
    Append,
}

/// How to sign.
#[derive(Clone, Debug)]
pub struct Options<'s> {
    /// The annotation domain.
    pub domain: &'s str,
    /// The form of the message.
    pub form: Form,
    /// What becomes of earlier signatures.
    pub earlier: Earlier,
    /// One message for all documents, which binds them together and makes every annotation as large as
    /// the whole; else each document carries its own.
    pub whole: bool,
    /// Annotations added to the documents before they are signed.
    pub annotations: &'s [(String, String)],
}

/// Why documents cannot be signed. The index is that of the document, from 0; the messages count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// No document.
    #[error("holds nothing to sign")]
    Empty,
    /// Not a Kubernetes object.
    #[error("document {}: {field} is missing, so this is not a Kubernetes object", .index + 1)]
    NotAnObject {
        /// Which document.
        index: usize,
        /// The field that makes an object one.
        field: &'static str,
    },
    /// `metadata.annotations` is no map.
    #[error("document {}: metadata.annotations: expected a map", .index + 1)]
    Annotations {
        /// Which document.
        index: usize,
    },
    /// Appending with one message for a file of which a part is signed already, with a message of its own.
    #[error(
        "document {} ({object}) is not signed yet, others of the file are: one message for all of them cannot be \
         appended to; leave out --whole-file, or --append", .index + 1
    )]
    PartlySigned {
        /// Which document.
        index: usize,
        /// What it is.
        object: Box<ObjectRef>,
    },
    /// Appending to something that changed since: the earlier signatures would stop to hold.
    #[error(
        "document {} ({object}) was changed after it was signed; --replace signs it afresh and drops the earlier signatures", .index + 1
    )]
    Changed {
        /// Which document.
        index: usize,
        /// What it is.
        object: Box<ObjectRef>,
    },
    /// Appending to signatures over different messages.
    #[error("document {} ({object}): its earlier signature cannot be extended: {problem}", .index + 1)]
    Earlier {
        /// Which document.
        index: usize,
        /// What it is.
        object: Box<ObjectRef>,
        /// What is wrong with it.
        problem: String,
    },
    /// Whoever signs failed.
    #[error(transparent)]
    Signer(SignerError),
    /// The archive could not be written.
    #[error("the tarball cannot be written: {0}")]
    Archive(#[from] std::io::Error),
}

/// Signs documents with a key, as [`sign_with`] does.
///
/// # Errors
/// [`SignError`]; either all documents are signed or none.
pub fn sign(documents: Vec<Value>, key: &PrivateKey, options: &Options<'_>) -> Result<Vec<Value>, SignError> {
    let mut signer = |message: &[u8]| Ok(Material { signature: key.sign(message)?, ..Material::default() });
    sign_with(documents, &mut signer, options)
}

/// Signs bytes: a key, or whoever asks a certificate authority for one. The pieces that come with the
/// signature go into the annotations with it; there is none for a timestamp.
pub type SignBytes<'s> = dyn FnMut(&[u8]) -> Result<Material, SignerError> + 's;

/// Why whoever signs did not.
pub type SignerError = Box<dyn std::error::Error + Send + Sync>;

/// Signs documents and returns them with their annotations.
///
/// Every document must be an object with `apiVersion`, `kind` and a name. A `kind: List` is signed as
/// one object, as the format has it; [`expand_lists`] makes documents of its items first.
///
/// # Errors
/// [`SignError`]; either all documents are signed or none.
pub fn sign_with(
    documents: Vec<Value>,
    signer: &mut SignBytes<'_>,
    options: &Options<'_>,
) -> Result<Vec<Value>, SignError> {
    sign_rest(documents, &[], signer, options)
}

/// The same, but for the documents that are settled: they are returned as they are. `settled` is in the order of
/// the documents; one that it does not reach is not settled. With one message for all, none may be.
///
/// # Errors
/// As [`sign_with`].
pub fn sign_rest(
    mut documents: Vec<Value>,
    settled: &[bool],
    signer: &mut SignBytes<'_>,
    options: &Options<'_>,
) -> Result<Vec<Value>, SignError> {
    if documents.is_empty() {
        return Err(SignError::Empty);
    }
    for (index, document) in documents.iter().enumerate() {
        check_object(index, document)?;
    }
    let unsigned = |document: &Value| Annotations::read(document, options.domain).signatures.is_empty();
    let afresh = options.earlier == Earlier::Replace || documents.iter().all(unsigned);
    if options.whole && afresh {
        return replace(documents, signer, options);
    }
    let mut signed = None;
    for (index, document) in documents.iter_mut().enumerate() {
        if settled.get(index) == Some(&true) {
            continue;
        }
        if options.earlier == Earlier::Append && !unsigned(document) {
            extend(document, index, &mut signed, signer, options)?;
        } else if options.whole {
            return Err(SignError::PartlySigned { index, object: Box::new(ObjectRef::of(document)) });
        } else {
            *document = replace(vec![document.take()], signer, options)?.swap_remove(0);
        }
    }
    Ok(documents)
}

/// Of every document, whether it carries already what would be signed of it now: the same message, and the
/// annotations to be added. Who signed that is another question.
#[must_use]
pub fn unchanged(documents: &[Value], options: &Options<'_>) -> Vec<bool> {
    let message = |document: &Value| Annotations::read(document, options.domain).message.map(str::to_owned);
    let annotated = |document: &Value| options.annotations.iter().all(|pair| has(document, pair));
    let same = |documents: &[Value]| {
        let Some(Ok(read)) = documents.first().and_then(message).map(|text| Message::read(&text)) else {
            return false;
        };
        let wanted = documents.iter().map(|document| bare(document, options.domain));
        read.form == options.form && read.documents.iter().map(without_empty_metadata).eq(wanted)
    };
    let one = |document: &Value| {
        annotated(document)
            && match options.earlier {
                Earlier::Replace => same(std::slice::from_ref(document)),
                Earlier::Append => message(document)
                    .and_then(|text| Message::read(&text).ok())
                    .is_some_and(|message| holds(&message, document, options.domain)),
            }
    };
    if options.whole && options.earlier == Earlier::Replace {
        let first = documents.first().and_then(message);
        let shared = documents.iter().all(|document| message(document) == first);
        let all = shared && documents.iter().all(annotated) && same(documents);
        return vec![all; documents.len()];
    }
    documents.iter().map(one).collect()
}

fn has(document: &Value, (key, value): &(String, String)) -> bool {
    let annotations = document.pointer("/metadata/annotations");
    annotations.and_then(|annotations| annotations.get(key)).and_then(Value::as_str) == Some(value)
}

fn check_object(index: usize, document: &Value) -> Result<(), SignError> {
    let object = ObjectRef::of(document);
    let named = !object.name.is_empty() || object.kind == "List";
    let fields = [
        ("apiVersion", !object.api_version.is_empty()),
        ("kind", !object.kind.is_empty()),
        ("metadata.name", named),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, present)| !present) {
        return Err(SignError::NotAnObject { index, field });
    }
    let annotations = document.pointer("/metadata/annotations");
    if annotations.is_some_and(|annotations| !(annotations.is_null() || annotations.is_object())) {
        return Err(SignError::Annotations { index });
    }
    Ok(())
}

fn replace(
    mut documents: Vec<Value>,
    signer: &mut SignBytes<'_>,
    options: &Options<'_>,
) -> Result<Vec<Value>, SignError> {
    for document in &mut documents {
        annotations::strip(document, options.domain);
        for (name, value) in options.annotations {
            annotate(document, name.clone(), value);
        }
    }
    let raw = |documents: &[Value]| match options.form {
        Form::Plain => Ok(message::plain(documents)),
        Form::Tarball => message::as_tarball(documents),
    };
    let shared = if options.whole { Some(carry(&raw(&documents)?, signer)?) } else { None };
    for document in &mut documents {
        let (message, signature) = match &shared {
            Some(shared) => shared.clone(),
            None => carry(&raw(std::slice::from_ref(document))?, signer)?,
        };
        annotate(document, annotations::name(options.domain, "message", 0), &message);
        attach(document, &signature, options.domain, 0);
    }
    Ok(documents)
}

/// The text of the message annotation for M, and its signature.
fn carry(raw: &[u8], signer: &mut SignBytes<'_>) -> Result<(String, Material), SignError> {
    Ok((message::encode(raw), signer(raw).map_err(SignError::Signer)?))
}

/// Puts the pieces of a signature into the annotations of the one with this index.
fn attach(document: &mut Value, signature: &Material, domain: &str, index: usize) {
    for (base, text) in annotations::pieces(signature) {
        annotate(document, annotations::name(domain, base, index), &text);
    }
}

/// Adds a signature over the message that is there; its bytes are kept, never made anew, because the
/// earlier signatures are over exactly them. `signed` is the last message that was signed: however many
/// documents share it, it is signed once.
fn extend(
    document: &mut Value,
    index: usize,
    signed: &mut Option<(Digest, Material)>,
    signer: &mut SignBytes<'_>,
    options: &Options<'_>,
) -> Result<(), SignError> {
    let object = Box::new(ObjectRef::of(document));
    let read = Annotations::read(document, options.domain);
    let (carried, count) = (read.message.unwrap_or_default().to_owned(), read.signatures.len());
    let problem = |problem: String| SignError::Earlier { index, object: object.clone(), problem };
    if count >= limits::SIGNATURES {
        return Err(problem(format!("it has {count} signatures already")));
    }
    let message = Message::read(&carried).map_err(|error| problem(error.to_string()))?;
    if !holds(&message, document, options.domain) {
        return Err(SignError::Changed { index, object });
    }
    if let Some((key, _)) = options.annotations.iter().find(|pair| !has(document, pair)) {
        return Err(problem(format!("the annotation {key} would change what it signed; use --replace")));
    }
    let signature = match signed.take() {
        Some((digest, signature)) if digest == message.digest => signature,
        Some(_) | None => signer(&message.raw).map_err(SignError::Signer)?,
    };
    attach(document, &signature, options.domain, count);
    *signed = Some((message.digest, signature));
    Ok(())
}

/// Whether a message holds a document just as it is, but for its signature annotations.
fn holds(message: &Message, document: &Value, domain: &str) -> bool {
    let bare = bare(document, domain);
    message
        .candidates(&ObjectRef::of(document))
        .into_iter()
        .any(|signed| without_empty_metadata(signed) == bare)
}

/// A document as it is signed.
fn bare(document: &Value, domain: &str) -> Value {
    let mut bare = document.clone();
    annotations::strip(&mut bare, domain);
    without_empty_metadata(&bare)
}

/// A List may have no metadata at all, and annotations may be there and empty (`annotations:`); what was signed has
/// both for its annotations.
fn without_empty_metadata(document: &Value) -> Value {
    let mut document = document.clone();
    let empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut)
        && metadata.get("annotations").is_some_and(Value::is_null)
    {
        metadata.remove("annotations");
    }
    if let Some(object) = document.as_object_mut()
        && object.get("metadata").is_some_and(empty)
    {
        object.remove("metadata");
    }
    document
}

fn annotate(document: &mut Value, name: String, value: &str) {
    let metadata = document.as_object_mut().and_then(|object| map_at(object, "metadata"));
    if let Some(annotations) = metadata.and_then(|metadata| map_at(metadata, "annotations")) {
        annotations.insert(name, json!(value));
    }
}

/// The map at a key, made where absent or `null`; [`check_object`] refused everything else.
fn map_at<'m>(map: &'m mut Map<String, Value>, key: &str) -> Option<&'m mut Map<String, Value>> {
    let entry = map.entry(key).or_insert(Value::Null);
    if entry.is_null() {
        *entry = json!({});
    }
    entry.as_object_mut()
}

/// The items of every list as documents of their own; other documents stay.
///
/// A signature on the list itself is gone once `kubectl` has applied the items one by one.
#[must_use]
pub fn expand_lists(documents: Vec<Value>) -> Vec<Value> {
    documents
        .into_iter()
        .flat_map(|mut document| match document.get_mut("items") {
            Some(Value::Array(items)) => expand_lists(std::mem::take(items)),
            Some(_) | None => vec![document],
        })
        .collect()
}
