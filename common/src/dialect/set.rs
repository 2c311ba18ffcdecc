//! Policies and exceptions of several documents, and where each problem of theirs stands.

use std::fmt;

use serde_json::Value;

use super::{Compiled, NamedTrustRoot, compile, is_meant_as_policy, is_other_policy};
use crate::object::{FieldPath, ObjectRef};
use crate::policy::{Exception, Policy, PolicyId, PolicyWarning, TrustRoots};
use crate::yaml::{self, Document, DocumentTexts, Places, YamlError};

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
    /// What their authors should know, in the order of their documents.
    pub warnings: Vec<SetWarning>,
}

/// What the author of a policy should know. The text is one line and begins with where it stands: `policy.yaml:12:9`,
/// or what the object of a cluster is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetWarning {
    /// A field that does not do what its author may think.
    Field {
        /// Where the field stands.
        place: String,
        /// The field, and what about it.
        warning: PolicyWarning,
    },
    /// A policy of a kind that is not ours to judge.
    NotJudged {
        /// Where the document stands.
        place: String,
        /// The policy.
        object: ObjectRef,
    },
    /// A policy names a trust root that is not there.
    MissingRoot {
        /// The policy.
        policy: PolicyId,
        /// The name.
        root: String,
    },
}

impl fmt::Display for SetWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { place, warning } => write!(f, "{place}: {warning}"),
            Self::NotJudged { place, object } => {
                write!(f, "{place}: {} {} is not judged by kubectl trust", object.kind, object.name)
            }
            Self::MissingRoot { policy, root } => write!(
                f,
                "{} {policy}: there is no TrustRoot {root}; what needs it cannot be decided",
                policy.kind
            ),
        }
    }
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
        let texts = DocumentTexts::of(content);
        let mut errors = Vec::new();
        for document in documents {
            errors.extend(self.add(&Source { name, text: Some((&texts, document)) }, &document.value).err());
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
            for root in policy.name_roots(&self.trust_roots) {
                self.warnings.push(SetWarning::MissingRoot { policy: policy.id.clone(), root });
            }
        }
    }

    fn add(&mut self, source: &Source<'_>, document: &Value) -> Result<(), SetError> {
        if is_other_policy(document) {
            let object = ObjectRef::of(document);
            self.warnings.push(SetWarning::NotJudged { place: source.place(), object: object.clone() });
            self.not_handled.push(object);
            return Ok(());
        }
        let compiled = compile(document).map_err(|errors| {
            let places = source.places_of(errors.0.iter().map(|error| &error.path));
            let problems =
                places.into_iter().zip(&errors.0).map(|(place, error)| format!("{place}: {error}"));
            SetError::Invalid { problems: problems.collect() }
        })?;
        let warnings = compiled.warnings();
        let places = source.places_of(warnings.iter().map(|warning| &warning.path));
        let placed = places.into_iter().zip(warnings.iter().cloned());
        self.warnings.extend(placed.map(|(place, warning)| SetWarning::Field { place, warning }));
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
    /// The texts of the file and the document among them; of an object of a cluster there is none.
    text: Option<(&'s DocumentTexts<'s>, &'s Document)>,
}

impl Source<'_> {
    /// `policy.yaml:12`, or the name of an object of a cluster.
    fn place(&self) -> String {
        match self.text {
            Some((_, document)) => format!("{}:{}", self.name, document.line),
            None => self.name.to_owned(),
        }
    }

    /// Where each field stands: `policy.yaml:12:9`; all in one name where it has no text, and the line of the document
    /// where its text has no places.
    fn places_of<'p>(&self, fields: impl ExactSizeIterator<Item = &'p FieldPath>) -> Vec<String> {
        let places = match self.text {
            Some((texts, document)) if fields.len() > 0 => texts.places(document.index),
            Some(_) | None => None,
        };
        let place = |places: &Places, path| {
            let (line, column) = places.find(path);
            format!("{}:{line}:{column}", self.name)
        };
        fields
            .map(|path| places.as_ref().map_or_else(|| self.place(), |places| place(places, path)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r"---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: by-us}
spec:
  rules:
  - name: pods
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {failureAction: Enforce, pattern: {a: b}}
  - name: kinds
    match:
      any:
      - resources:
          kinds: [pods]
    validate: {failureAction: Enforce, pattern: {a: b}}
---
apiVersion: policies.kyverno.io/v1alpha1
kind: ValidatingPolicy
metadata: {name: other}
";

    #[test]
    fn a_warning_stands_where_its_field_does() {
        let mut set = PolicySet::default();
        set.add_file("policy.yaml", POLICY.as_bytes()).unwrap();
        let told: Vec<_> = set.warnings.iter().map(ToString::to_string).collect();
        let of_field = told.iter().find(|text| text.contains("`pods` matches nothing")).unwrap();
        let expected =
            "policy.yaml:14:19: spec.rules[1].match.any[0].resources.kinds[0]: `pods` matches nothing";
        assert!(of_field.starts_with(expected), "{told:?}");
        assert_eq!(
            told.last().unwrap(),
            "policy.yaml:17: ValidatingPolicy other is not judged by kubectl trust"
        );
    }

    #[test]
    fn an_object_of_a_cluster_stands_where_it_is_called() {
        let mut set = PolicySet::default();
        let other = serde_json::json!({"apiVersion": "policies.kyverno.io/v1", "kind": "ValidatingPolicy", "metadata": {"name": "a"}});
        set.add_object("validatingpolicies/a", &other).unwrap();
        let [warning] = &set.warnings[..] else { panic!("{:?}", set.warnings) };
        assert_eq!(
            warning.to_string(),
            "validatingpolicies/a: ValidatingPolicy a is not judged by kubectl trust"
        );
    }
}
