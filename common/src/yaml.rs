//! The one reader of YAML and JSON: it sees what `kubectl` sends, or says why it cannot.
//!
//! A document that reads differently here and in `kubectl` would be verified as one thing and applied
//! as another. So documents are split by the rule of apimachinery's reader, scalars resolve as in
//! YAML 1.1, keys become strings as in sigs.k8s.io/yaml, merge keys are expanded; duplicate keys and
//! whatever those readers would drop in silence are errors.

mod ambiguous;
mod breaks;
mod edit;
mod locate;
mod split;
mod tree;
mod write;

use serde_json::Value;

pub use ambiguous::Ambiguity;
pub use edit::{Obstacle, Uneditable, edit};
pub use locate::{DocumentTexts, Place, Places, locate};
pub use write::to_yaml;

use crate::limits;

/// One document of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its number in the stream, from 0; documents that hold only comments do not count.
    pub index: usize,
    /// The line it begins at, from 1.
    pub line: usize,
    /// Its content; never `null`.
    pub value: Value,
}

/// Why a text is not a stream of YAML or JSON documents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum YamlError {
    /// Not UTF-8.
    #[error("not UTF-8 text (byte {0})")]
    NotText(usize),
    /// More than [`limits::INPUT_BYTES`].
    #[error("larger than {} MiB", limits::INPUT_BYTES / 1024 / 1024)]
    TooLarge,
    /// More than [`limits::YAML_DOCUMENTS`].
    #[error("more than {} documents", limits::YAML_DOCUMENTS)]
    TooManyDocuments,
    /// A line that begins with `---` and goes on; `kubectl` refuses it, other readers do not.
    #[error("line {line}: `---` must stand alone on its line")]
    Separator {
        /// From 1.
        line: usize,
    },
    /// Not readable: syntax, a duplicate key, an alias bomb, nesting too deep.
    #[error("line {line}: {problem}")]
    Syntax {
        /// From 1.
        line: usize,
        /// The reader's words; for people only.
        problem: String,
    },
    /// Written so that kubectl would read another value.
    #[error("line {line}: {what}")]
    Ambiguous {
        /// From 1.
        line: usize,
        /// What it is.
        what: Ambiguity,
    },
    /// A document that says `null`; `kubectl` would skip it in silence.
    #[error("document {} (line {line}) is empty: it says `null`", .index + 1)]
    Null {
        /// From 0.
        index: usize,
        /// From 1.
        line: usize,
    },
}

/// Reads every document of a text, YAML or JSON.
///
/// Documents that hold nothing but comments are left out, as `kubectl` does; a text without any
/// document gives an empty list, and it is for the caller to refuse that.
///
/// # Errors
/// [`YamlError`]; one unreadable document fails the whole text, so none can hide behind another.
pub fn read(bytes: &[u8]) -> Result<Vec<Document>, YamlError> {
    if bytes.len() > limits::INPUT_BYTES {
        return Err(YamlError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| YamlError::NotText(error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{')
        && let Some(documents) = json_stream(text)?
    {
        return Ok(documents);
    }
    yaml_stream(text)
}

/// Reads a text that holds exactly one JSON document, as a server sends it.
///
/// # Errors
/// [`YamlError::Syntax`]: not JSON, a duplicate key, trailing text, nesting too deep.
pub fn read_json(bytes: &[u8]) -> Result<Value, YamlError> {
    serde_json::from_slice::<tree::Tree>(bytes).map(|tree| tree.0).map_err(|error| json_error(&error))
}

/// A stream of JSON objects, `{…}{…}`, each of which `kubectl` applies. `None` when the text is not
/// JSON: a YAML flow mapping begins with a brace as well, and `kubectl` falls back just so.
fn json_stream(text: &str) -> Result<Option<Vec<Document>>, YamlError> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<tree::Tree>();
    let (mut start, mut line) = (0, 1);
    while let Some(next) = stream.next() {
        let value = match next {
            Ok(tree) => tree.0,
            Err(error) if error.is_data() => return Err(json_error(&error)),
            Err(_) => return Ok(None),
        };
        // Counted from the last document on: from the beginning, a stream of many documents and line ends
        // would cost their product (a message of 8 MiB in a request: minutes).
        let before = &text[start..stream.byte_offset()];
        let inside = before.trim_start();
        line += lines(&before[..before.len() - inside.len()]);
        push(&mut documents, line, value)?;
        line += lines(inside);
        start = stream.byte_offset();
    }
    Ok(Some(documents))
}

fn lines(text: &str) -> usize {
    text.matches('\n').count()
}

fn json_error(error: &serde_json::Error) -> YamlError {
    YamlError::Syntax { line: error.line(), problem: error.to_string() }
}

fn yaml_stream(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut documents = Vec::new();
    for chunk in split::chunks(text) {
        let chunk = chunk?;
        if split::is_blank(chunk.text) {
            continue;
        }
        let refused = |(line, what)| YamlError::Ambiguous { line: chunk.line + line, what };
        let text = breaks::settle(chunk.text).map_err(refused)?;
        let value = serde_saphyr::from_str_with_options::<tree::Tree>(&text, options(text.len()))
            .map_err(|error| syntax(&error, chunk.line))?;
        ambiguous::find(&text).map(refused).map_or(Ok(()), Err)?;
        push(&mut documents, chunk.line, value.0)?;
    }
    Ok(documents)
}

fn push(documents: &mut Vec<Document>, line: usize, value: Value) -> Result<(), YamlError> {
    let index = documents.len();
    if index == limits::YAML_DOCUMENTS {
        return Err(YamlError::TooManyDocuments);
    }
    if value.is_null() {
        return Err(YamlError::Null { index, line });
    }
    documents.push(Document { index, line, value });
    Ok(())
}

fn syntax(error: &serde_saphyr::Error, first_line: usize) -> YamlError {
    let line = error.location().map_or(0, |at| usize::try_from(at.line()).unwrap_or(1) - 1);
    YamlError::Syntax { line: first_line + line, problem: problem(error) }
}

/// What is wrong, in words for who wrote the text: the reader's own tell programmers which option to set.
#[expect(clippy::wildcard_enum_match_arm, reason = "most of the reader's words are fine")]
fn problem(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => problem(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("duplicate key `{key}`"),
        Error::DuplicateMappingKey { key: None, .. } => "duplicate key".to_owned(),
        Error::Budget { .. } => {
            "too many or too deep nodes for a text of this size, with all aliases expanded".to_owned()
        }
        other => {
            let text = other.to_string();
            // The reader counts from the document's own first line; only the message's last words are its.
            text.split(" at line ").next().unwrap_or(&text).trim().to_owned()
        }
    }
}

/// YAML 1.1 as kubectl's reader resolves it, and a budget in proportion to the text: an honest
/// document has fewer nodes than bytes, an alias bomb a million times more.
fn options(bytes: usize) -> serde_saphyr::Options {
    let nodes = limits::YAML_NODES.min(10_000 + 4 * bytes);
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        emit_comments: false,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: 2,
            max_depth: limits::DEPTH,
            max_nodes: nodes,
            max_events: 2 * nodes,
        },
    }
}

#[cfg(test)]
mod tests;
