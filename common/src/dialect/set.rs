//! Policies and exceptions of several documents, and where each problem of theirs stands.

use std::fmt;

use serde_json::Value;

use super::{CompileErrors, Compiled, NamedTrustRoot, compile, is_meant_as_policy, is_other_policy};
use crate::object::{FieldPath, ObjectRef};
use crate::policy::{Exception, Policy, PolicyId, TrustRoots};
use crate::yaml::{self, Document, Places, YamlError};

/// What policy documents hold.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    /// Policies, in the order of their documents.
    pub policies: Vec<Policy>,
    /// Exceptions.
    pub exceptions: Vec<Exception>,
    /// Trust roots by name. Policies have them after [`PolicySet::name_roots`].
    pub trust_roots: TrustRoots,
    /// Policies and exceptions of kinds that are not ours to judge.
    pub not_handled: Vec<ObjectRef>,
    /// What their authors should know, with where.
    pub warnings: Vec<String>,
}

/// Why a document was not taken. The text begins with where it stands: `policy.yaml:12`, or what the object of a
/// cluster is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// A text that is not YAML.
    Unreadable {
        /// The file.
        file: String,
        /// What is wrong with it.
        error: YamlError,
    },
    /// A text without documents. Somebody believed that it would be enforced.
    Empty {
        /// The file.
        file: String,
    },
    /// Two policies of one name: only one could be meant.
    Twice {
        /// Where the second stands.
        place: String,
        /// The policy.
        id: PolicyId,
    },
    /// A document that does not compile, or is no policy.
    Invalid {
        /// Every problem, with where its field stands.
        problems: Vec<String>,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } => write!(f, "{file}: {error}"),
            Self::Empty { file } => write!(f, "{file}: holds no policy"),
            Self::Twice { place, id } if id.kind == "TrustRoot" => {
                write!(f, "{place}: there are two trust roots of the name {id}")
            }
            Self::Twice { place, id } => write!(f, "{place}: there are two policies of the name {id}"),
            Self::Invalid { problems } => f.write_str(&problems.join("\n")),
        }
    }
}

impl std::error::Error for SetError {}

impl PolicySet {
    /// Takes every document of a file in. A document that is no policy is an error.
    ///
    /// # Errors
    /// All that is wrong with it: one [`SetError`] for each document.
    pub fn add_file(&mut self, name: &str, content: &[u8]) -> Result<(), Vec<SetError>> {
        let file = || name.to_owned();
        let documents = match yaml::read(content) {
            Ok(documents) if documents.is_empty() => return Err(vec![SetError::Empty { file: file() }]),
            Ok(documents) => documents,
            Err(error) => return Err(vec![SetError::Unreadable { file: file(), error }]),
        };
        self.add_all(name, content, &documents)
    }

    /// Takes the policies of a file in that stands in a folder among others: of what else stands there nothing is
    /// enforced by policies, so it is passed over. The answer is how many documents that are.
    ///
    /// # Errors
    /// As [`PolicySet::add_file`].
    pub fn add_found_file(&mut self, name: &str, content: &[u8]) -> Result<usize, Vec<SetError>> {
        let unreadable = |error| vec![SetError::Unreadable { file: name.to_owned(), error }];
        let mut documents = yaml::read(content).map_err(unreadable)?;
        let before = documents.len();
        documents.retain(|document| is_meant_as_policy(&document.value));
        self.add_all(name, content, &documents)?;
        Ok(before - documents.len())
    }

    fn add_all(&mut self, name: &str, content: &[u8], documents: &[Document]) -> Result<(), Vec<SetError>> {
        let mut errors = Vec::new();
        for document in documents {
            errors.extend(self.add(&Source { name, text: Some((content, document)) }, &document.value).err());
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Takes an object of a cluster in; `name` is what to call it in messages.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn add_object(&mut self, name: &str, object: &Value) -> Result<(), SetError> {
        self.add(&Source { name, text: None }, object)
    }

    /// Gives every policy the trust roots that it names; to be called when all documents have been taken in. A root
    /// that is not there is a warning, and a fault of whatever needs it.
    pub fn name_roots(&mut self) {
        for policy in &mut self.policies {
            for missing in policy.name_roots(&self.trust_roots) {
                self.warnings.push(format!(
                    "{} {}: there is no TrustRoot {missing}; what needs it cannot be decided",
                    policy.id.kind, policy.id
                ));
            }
        }
    }

    fn add(&mut self, source: &Source<'_>, document: &Value) -> Result<(), SetError> {
        if is_other_policy(document) {
            let object = ObjectRef::of(document);
            let ObjectRef { kind, name, .. } = &object;
            self.warnings.push(format!("{}: {kind} {name} is not judged by kubectl trust", source.place()));
            self.not_handled.push(object);
            return Ok(());
        }
        let compiled = compile(document).map_err(|errors| source.invalid(&errors))?;
        self.warnings
            .extend(compiled.warnings().iter().map(|warning| format!("{}: {warning}", source.place())));
        match compiled {
            Compiled::Policy(policy) => {
                if self.policies.iter().any(|known| known.id == policy.id) {
                    return Err(SetError::Twice { place: source.place(), id: policy.id });
                }
                self.policies.push(policy);
            }
            Compiled::Exception(exception) => self.exceptions.push(exception),
            Compiled::TrustRoot(NamedTrustRoot { name, root }) => {
                if self.trust_roots.contains_key(&name) {
                    let id = PolicyId { kind: "TrustRoot".to_owned(), name, ..PolicyId::default() };
                    return Err(SetError::Twice { place: source.place(), id });
                }
                self.trust_roots.insert(name, root);
            }
        }
        Ok(())
    }
}

/// Where a document comes from.
struct Source<'s> {
    name: &'s str,
    /// The text of the file and the document in it; of an object of a cluster there is none.
    text: Option<(&'s [u8], &'s Document)>,
}

impl Source<'_> {
    /// `policy.yaml:12`, or the name of an object of a cluster.
    fn place(&self) -> String {
        match self.text {
            Some((_, document)) => format!("{}:{}", self.name, document.line),
            None => self.name.to_owned(),
        }
    }

    /// All problems of the document, each with its own place in front: `policy.yaml:12:9: spec.rules[0]…`.
    fn invalid(&self, errors: &CompileErrors) -> SetError {
        let places = self.text.and_then(|(content, document)| Places::of(content, document.index));
        let place = |path: &FieldPath| match &places {
            Some(places) => {
                let (line, column) = places.find(path);
                format!("{}:{line}:{column}", self.name)
            }
            None => self.place(),
        };
        let problems = errors.0.iter().map(|error| format!("{}: {error}", place(&error.path)));
        SetError::Invalid { problems: problems.collect() }
    }
}
