//! What can be wrong with a policy.

use std::fmt;

use crate::image::PatternError;
use crate::key::KeyError;
use crate::object::FieldPath;
use crate::policy::expression::ExpressionError;
use crate::policy::identity::MatcherError;

/// Every problem of a document, in the order of the document's fields as they are read; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileErrors(pub Vec<CompileError>);

impl fmt::Display for CompileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CompileErrors {}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// The field.
    pub path: FieldPath,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.segments().is_empty() {
            return write!(f, "{}", self.problem);
        }
        write!(f, "{}: {}", self.path, self.problem)
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The document is not of a kind and version that we compile.
    #[error("`{api_version}` `{kind}` is not a policy that can be read (known: {})", super::kinds::known())]
    UnknownKind {
        /// Its `apiVersion`.
        api_version: String,
        /// Its `kind`.
        kind: String,
    },
    /// A field that the schema does not have.
    #[error("unknown field{}", did_you_mean(.suggestion.as_deref()))]
    UnknownField {
        /// The nearest known field.
        suggestion: Option<String>,
    },
    /// A field of an older version of the schema.
    #[error("not part of this version; {instead}")]
    NotInVersion {
        /// What to write.
        instead: &'static str,
    },
    /// A value of another type.
    #[error("must be {expected}, found {found}")]
    WrongType {
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A field that must be there.
    #[error("missing; {0}")]
    Missing(&'static str),
    /// A value that must not be empty.
    #[error("must not be empty; {0}")]
    Empty(&'static str),
    /// A value that is not one of those known.
    #[error("unknown value `{found}`{}; known: {}", did_you_mean(.suggestion.as_deref()), .known.join(", "))]
    UnknownValue {
        /// What is there.
        found: String,
        /// What may be there.
        known: Vec<&'static str>,
        /// The nearest of them.
        suggestion: Option<String>,
    },
    /// A number outside its bounds.
    #[error("must be between {min} and {max}, found {found}")]
    OutOfRange {
        /// What is there.
        found: String,
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A text beyond its bound.
    #[error("longer than {max} characters")]
    TooLong {
        /// The bound.
        max: usize,
    },
    /// A list beyond its bound.
    #[error("more than {max} entries")]
    TooMany {
        /// The bound.
        max: usize,
    },
    /// Attestors nested beyond the bound.
    #[error("nested more than {max} levels deep")]
    TooDeep {
        /// The bound.
        max: usize,
    },
    /// A name used twice.
    #[error("`{0}` is used twice; names must be unique")]
    Duplicate(String),
    /// Two fields that exclude each other.
    #[error("cannot be combined with `{with}`; {instead}")]
    Conflict {
        /// The other field.
        with: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// Exactly one of several fields must be there.
    #[error("must have exactly one of {}, found {}", .of.join(", "), found_fields(.found))]
    NotExactlyOne {
        /// Of these.
        of: Vec<&'static str>,
        /// Those that are there.
        found: Vec<&'static str>,
    },
    /// Nobody is named who must have signed.
    #[error("names nobody who must have signed; add an entry with keys, certificates or keyless")]
    NoAttestors,
    /// A threshold that cannot be reached.
    #[error(
        "{count} signatures are required of {entries} entries; lower `count` or add entries (each PEM block is one)"
    )]
    CountTooHigh {
        /// The threshold.
        count: usize,
        /// Entries, after keys are counted one by one.
        entries: usize,
    },
    /// Keyless without an identity: every user of the certificate authority would be trusted.
    #[error("any signer would be trusted; add `subject` or `subjectRegExp`")]
    NoIdentity,
    /// Keyless without an issuer: anyone who runs an identity provider could name a user like that.
    #[error("an identity of any issuer would be trusted; add `issuer` or `issuerRegExp`")]
    NoIssuer,
    /// Text that is not a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Text that is neither a key nor a reference to one.
    #[error(
        "neither PEM (`-----BEGIN PUBLIC KEY-----`) nor k8s://NAMESPACE/SECRET nor a KMS URI (awskms://, azurekms://, gcpkms://, hashivault://)"
    )]
    KeyReference,
    /// Text that is not a certificate.
    #[error("not PEM certificates: {0}")]
    Certificate(&'static str),
    /// A pattern that cannot be read.
    #[error("{0}")]
    Pattern(MatcherError),
    /// A pattern of images that cannot be read.
    #[error("{0}")]
    ImagePattern(PatternError),
    /// An expression that cannot be read.
    #[error("{0}")]
    Expression(ExpressionError),
    /// An expression where none may be.
    #[error("expressions (`{{{{ … }}}}`) are not allowed here")]
    ExpressionNotAllowed,
    /// A kind pattern that cannot be read.
    #[error(
        "`{0}` is not a kind; write Kind, version/Kind or group/version/Kind, with /subresource where needed"
    )]
    Kind(String),
    /// A rule that would match every kind.
    #[error("the kind `*` is not allowed for verifyImages; list the kinds")]
    AnyKind,
    /// Digests are written by a rule that only records.
    #[error("mutateDigest must be set to false for the Audit failure action (or set failureAction: Enforce)")]
    MutateInAudit,
    /// A policy of one namespace that speaks of others.
    #[error("a policy of one namespace sees only its own; use a policy of the cluster")]
    OtherNamespaces,
    /// A rule about users in a policy that is scanned in the background, where there are none.
    #[error("there are no users in background scans; set spec.background to false")]
    UsersInBackground,
    /// An option that is known and not supported; ignoring it would weaken the policy.
    #[error("not supported: {0}")]
    NotSupported(&'static str),
    /// A trust root that cannot be used.
    #[error("{0}")]
    TrustRoot(String),
    /// More problems than are listed.
    #[error("and {0} more problems")]
    More(usize),
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

fn found_fields(found: &[&str]) -> String {
    if found.is_empty() { "none".to_owned() } else { found.join(" and ") }
}
