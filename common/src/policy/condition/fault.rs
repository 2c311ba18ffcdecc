//! Why a variable has no value.

use crate::policy::expression::{EvaluationError, ExpressionError};

/// Why a variable has no value. Never taken for "absent": attack: an object that makes a lookup fail
/// must not be exempt from the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableFault {
    /// Nothing of that name.
    #[error("the variable `{0}` is not known")]
    Unknown(String),
    /// Its value comes from a source (a `ConfigMap`, an API call) that was not read.
    #[error("the variable `{name}` needs {what}, which was not read (give it a value in a values file)")]
    NotRead {
        /// The variable.
        name: String,
        /// `configMap`, …
        what: String,
    },
    /// It names the user of an admission request, and there is no request.
    #[error("the variable `{0}` names the user of an admission request, and there is none")]
    NoRequest(String),
    /// Its own definition has no value.
    #[error("the variable `{name}`: {why}")]
    Definition {
        /// The variable.
        name: String,
        /// Why.
        why: Box<VariableFault>,
    },
    /// The images of the object cannot be listed. Attack: an unreadable image must not be "absent"
    /// for a precondition.
    #[error("the variable `images`: {0}")]
    Images(String),
    /// It stands for a named attestation, and there is none.
    #[error("the variable `{0}` stands for an attestation that is not there")]
    NoAttestation(String),
    /// The statement says something under a name that the request or the rule gives as well, so that it cannot be told
    /// what is asked for. Attack: a statement that brings its own `request`, or the value that it is compared with.
    #[error("`{0}` is given by the request or the rule, and the statement says something of that name, too")]
    Ambiguous(String),
    /// The document that is judged does not say it, or says `null`. Only of [`Scope::of_statement`](super::Scope::of_statement).
    #[error("there is no `{0}`")]
    Absent(String),
    /// An expression that cannot be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// An expression that cannot be read.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
}

impl VariableFault {
    /// Whether the document that is judged is to blame, and not what surrounds it: another document would have an
    /// answer, another time or place would not.
    #[must_use]
    pub fn is_of_document(&self) -> bool {
        match self {
            Self::Absent(_) | Self::Ambiguous(_) | Self::Evaluation(_) => true,
            Self::Unknown(_)
            | Self::NotRead { .. }
            | Self::NoRequest(_)
            | Self::NoAttestation(_)
            | Self::Definition { .. }
            | Self::Images(_)
            | Self::Expression(_) => false,
        }
    }
}
