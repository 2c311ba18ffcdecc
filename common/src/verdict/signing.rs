//! How a signature is made that would pass.

use super::{printable, shell_word};

/// Who must sign for an image to pass, as far as a command can say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignWith {
    /// Whoever has the key.
    Key {
        /// The transparency log that must be told.
        log: Option<String>,
    },
    /// Whoever proves to be this.
    Identity {
        /// As the rule has it, perhaps with wildcards.
        subject: String,
        /// Whose token it is.
        issuer: String,
    },
    /// Whoever has the key of a certificate that the rule trusts.
    Certificate,
}

impl SignWith {
    /// The flags of `sign` and `attest`, and what there is to know about them.
    #[must_use]
    pub fn flags(&self) -> String {
        match self {
            Self::Key { log: None } => "--key cosign.key".to_owned(),
            Self::Key { log: Some(log) } => format!("--key cosign.key --rekor-url {}", shell_word(log)),
            Self::Identity { subject, issuer } => {
                let (subject, issuer) = (printable(subject), printable(issuer));
                format!("--identity-token FILE   # of {subject}, by {issuer}")
            }
            Self::Certificate => "--key FILE   # the key of a certificate that the rule trusts".to_owned(),
        }
    }
}
