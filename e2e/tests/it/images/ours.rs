//! Images signed by our own program, one function for each way of signing.

use e2e::sigstore::Rekor;

use super::fixtures::{Cosign, EMAIL, Form, Predicate, Signed, Signer, Stage, email};

/// Who signs: whoever has the key, or the identity; and the log that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Key(Option<Rekor>),
    Identity(Rekor),
}

impl By {
    /// Every signer that a log is told of.
    pub(crate) const LOGGED: [Self; 4] = [
        Self::Key(Some(Rekor::V1)),
        Self::Key(Some(Rekor::V2)),
        Self::Identity(Rekor::V1),
        Self::Identity(Rekor::V2),
    ];

    /// Whether the log's answers fit into the form.
    pub(crate) const fn fits(self, form: Form) -> bool {
        let second = matches!(self, Self::Key(Some(Rekor::V2)) | Self::Identity(Rekor::V2));
        !second || matches!(form, Form::Bundle)
    }

    pub(super) fn flags(self, stage: &Stage) -> String {
        let sigstore = stage.sigstore;
        let config = |log| format!("--signing-config {}", sigstore.signing_config(log).display());
        match self {
            Self::Key(None) => "--key k.key".to_owned(),
            Self::Key(Some(log)) => format!("--key k.key {}", config(log)),
            Self::Identity(log) => {
                stage.world.trust.write("token", sigstore.token(EMAIL).unwrap()).unwrap();
                format!("--identity-token token {}", config(log))
            }
        }
    }

    fn signer(self, stage: &Stage) -> Signer {
        match self {
            Self::Key(log) => stage.key(log),
            Self::Identity(log) => email(stage.sigstore, log),
        }
    }
}

/// Signed in either form.
pub(crate) fn signed_by_us(stage: &Stage, by: By, form: Form) -> Signed {
    let image = stage.push(&name(&format!("ours-{by:?}-{form:?}")));
    let format = if form == Form::Legacy { "legacy" } else { "bundle" };
    let line = format!("sign {} --format {format} -a team=shop {}", by.flags(stage), image.by_tag());
    stage.world.trust.run(&line).unwrap().success().unwrap();
    stage.signed(image, by.signer(stage), Cosign::Three, form)
}

/// Attested, as a bundle.
pub(crate) fn attested_by_us(stage: &Stage, by: By, predicate: Predicate) -> Signed {
    let image = stage.push(&name(&format!("ours-{by:?}-{predicate:?}")));
    stage.world.trust.write("ours.json", predicate.text()).unwrap();
    let (flags, word) = (by.flags(stage), predicate.word());
    let line = format!("attest {flags} --type {word} --predicate ours.json {}", image.by_tag());
    stage.world.trust.run(&line).unwrap().success().unwrap();
    stage.attested(image, by.signer(stage), Cosign::Three, Form::Bundle, predicate)
}

/// A tag that says how.
fn name(how: &str) -> String {
    how.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}
