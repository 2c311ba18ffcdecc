//! Who must sign for something to pass, as far as a command can say it.

use super::super::printable;
use super::{Step, Voice, listed, shell_word};
use crate::signer::short;

/// Signers that are enough together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    /// Each of these must sign.
    pub each: Vec<SignWith>,
    /// Names of others, by whom the rule would take a signature in place of one of these.
    pub others: Vec<String>,
    /// For manifests: the prefix of the signature annotations, where it is not the usual one.
    pub domain: Option<String>,
}

/// One signer, and what its signature must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignWith {
    /// Who.
    pub who: Who,
    /// Annotations that the rule demands of the signature.
    pub annotations: Vec<(String, String)>,
    /// Whether only the older format says what the rule demands: what the image is called.
    pub legacy: bool,
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The holder of a key.
    Key {
        /// What the key is called: `key sha256:…`; empty where nothing says which.
        name: String,
        /// The transparency log that must be told.
        log: Option<String>,
    },
    /// Who proves to be this.
    Identity {
        /// As the rule has it, perhaps with wildcards.
        subject: String,
        /// Whose token it is.
        issuer: String,
        /// Whether authority and logs are others than those of the public-good instance.
        private: bool,
    },
    /// The holder of the key of a certificate that the rule has.
    Certificate,
    /// A signer for whom no command of ours can sign.
    Other {
        /// What the signature must be, for people.
        what: String,
    },
}

impl Signers {
    /// One, and no other.
    #[must_use]
    pub fn one(signer: SignWith) -> Self {
        Self { each: vec![signer], ..Self::default() }
    }

    /// All of these parts.
    #[must_use]
    pub fn all(parts: Vec<Self>) -> Self {
        let (mut each, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            each.extend(part.each);
            others.extend(part.others);
        }
        Self { each, others, domain: None }
    }

    /// `count` of these parts: those for which there is a command first, in their order.
    #[must_use]
    pub fn some(count: usize, parts: Vec<Self>) -> Self {
        let (mut chosen, rest): (Vec<_>, Vec<_>) = parts.into_iter().partition(Self::has_commands);
        chosen.extend(rest);
        let rest = chosen.split_off(count.min(chosen.len()));
        let mut all = Self::all(chosen);
        for part in rest {
            all.others.extend(part.each.iter().map(SignWith::name));
            all.others.extend(part.others);
        }
        all
    }

    /// Their names, for people.
    #[must_use]
    pub fn names(&self) -> String {
        let each = self.each.iter().map(SignWith::name).collect::<Vec<_>>();
        let mut text = listed(&each);
        if !self.others.is_empty() {
            text.push_str(&format!("; or in place of one: {}", listed(&self.others)));
        }
        text
    }

    /// Whether commands of ours make all of these signatures.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        self.each.iter().all(|signer| !matches!(signer.who, Who::Other { .. }))
    }

    /// Says who else may sign, behind the last command.
    pub(super) fn or_another(&self, steps: &mut [Step]) {
        if let (Some(Step::Run { comment, .. }), false) = (steps.last_mut(), self.others.is_empty()) {
            let start = if comment.is_empty() { "   # " } else { "; " };
            comment.push_str(&format!("{start}or another whom the rule names: {}", listed(&self.others)));
        }
    }

    /// Whether more than one signature, or one of several, is asked for.
    #[must_use]
    pub fn are_several(&self) -> bool {
        self.each.len() > 1 || !self.others.is_empty()
    }
}

impl SignWith {
    /// Who it is, for people.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.who {
            Who::Key { name, .. } if name.is_empty() => "the key".to_owned(),
            Who::Key { name, .. } => short(name),
            Who::Identity { subject, issuer, .. } => format!("{subject} (issuer {issuer})"),
            Who::Certificate => "the key of the rule's certificate".to_owned(),
            Who::Other { what } => what.clone(),
        }
    }

    /// The flags of `sign` and `attest` that say who. `logged`: logs are told of keys. `several`: the key is one
    /// of several, so that one file would be the wrong one for all others.
    pub(super) fn flags(&self, logged: bool, several: bool) -> String {
        let key = if several { "--key FILE" } else { "--key cosign.key" };
        let mut flags = match &self.who {
            Who::Key { log: Some(log), .. } if logged => format!("{key} --rekor-url {}", shell_word(log)),
            Who::Key { .. } => key.to_owned(),
            Who::Identity { private: true, .. } => "--identity-token FILE --signing-config FILE".to_owned(),
            Who::Identity { .. } => "--identity-token FILE".to_owned(),
            Who::Certificate | Who::Other { .. } => "--key FILE".to_owned(),
        };
        for (name, value) in &self.annotations {
            flags.push_str(&format!(" -a {}", shell_word(&format!("{name}={value}"))));
        }
        flags
    }

    /// What there is to know about the files in the flags: a comment for a shell, or nothing. The caller who gave the
    /// key knows which it is, unless it is one of several.
    pub(super) fn comment(&self, several: bool, voice: Voice) -> String {
        let text = match &self.who {
            Who::Key { name, .. } if name.is_empty() => return String::new(),
            Who::Key { .. } if voice == Voice::Flags && !several => return String::new(),
            Who::Key { name, .. } => format!("with {}", short(name)),
            Who::Identity { subject, issuer, private } => {
                let services = if *private { "; the signing configuration of its Sigstore" } else { "" };
                format!("a token of {subject}, by the issuer {issuer}{services}")
            }
            Who::Certificate => "the key of the certificate that the rule has".to_owned(),
            Who::Other { what } => what.clone(),
        };
        format!("   # {}", printable(&text))
    }
}
