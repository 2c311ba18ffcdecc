//! What a person can do about a reason: a command or a policy line that works when pasted.

use std::borrow::Cow;

use super::{Reason, RegistryProblem, SignatureProblem, Subject, SubjectKind, printable};

/// The annotation domain that needs no flag. Layer 2 does not know the manifest module.
const DEFAULT_DOMAIN: &str = "cosign.sigstore.dev";

impl Reason {
    /// The next step, where there is one.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "most reasons have none")]
    pub fn hint(&self, subject: &Subject) -> Option<String> {
        if let Self::ImageRefused { image, digest, why } = self {
            return image_hint(image, digest.as_deref(), why).or_else(|| why.hint(subject));
        }
        let file = file_argument(subject);
        match self {
            Self::SignatureMissing { looked_for } | Self::MessageMissing { looked_for } => {
                let domain = looked_for.rsplit_once('/').map(|(domain, _)| domain);
                let domain = domain.filter(|domain| *domain != DEFAULT_DOMAIN);
                let domain = domain.map(|domain| format!(" --annotation-domain {}", shell_word(domain)));
                let domain = domain.unwrap_or_default();
                Some(format!("kubectl trust sign {} --key cosign.key --in-place{domain}", source(subject)))
            }
            Self::SignatureInvalid { problem: SignatureProblem::NotByKey { .. } } => Some(format!(
                "if it was signed with another key: --key FILE; all that was tried: kubectl trust explain {file} --key FILE"
            )),
            Self::ManifestDiffers { kind, suggested, .. } => {
                let see = format!("kubectl trust diff {file} --key KEY");
                let field = |path: &String| shell_quoted(&format!("{kind}:{path}"));
                // An image that may change without a signature is what the signature is there against.
                let harmless = suggested.iter().filter(|path| path.rsplit('.').next() != Some("image"));
                let fields: Vec<_> = harmless.map(field).collect();
                Some(match fields.join(" --ignore-fields ").as_str() {
                    "" => see,
                    fields => format!("to allow such changes: --ignore-fields {fields}; to see them: {see}"),
                })
            }
            Self::IdentityMismatch { found, .. } => {
                Some(format!("if you trust that signer: --certificate-identity {}", shell_word(found)))
            }
            Self::IssuerMismatch { found, .. } => {
                Some(format!("if you trust that issuer: --certificate-oidc-issuer {}", shell_word(found)))
            }
            Self::CertificateUntrusted { .. } => {
                Some("if a private authority issued it: --ca-roots FILE or --trusted-root FILE".to_owned())
            }
            Self::SctInvalid { .. } => {
                Some("if the authority has no CT log: --insecure-ignore-sct".to_owned())
            }
            Self::TrustRootUnknown { name } => Some(format!(
                "a TrustRoot of the name {}, in the cluster or among the policies",
                shell_word(name)
            )),
            Self::TargetMismatch { .. } => {
                Some(format!("kubectl trust sign {} --key cosign.key --replace", source(subject)))
            }
            Self::CertificateMissing => Some("if it was signed with a key: --key FILE".to_owned()),
            Self::VariableUnresolved { .. } => {
                Some("give the variable a value: -s NAME=VALUE, or in a values file".to_owned())
            }
            _ => None,
        }
    }
}

/// What a person can do about an image; `None` where it is what is done about everything else.
#[expect(clippy::wildcard_enum_match_arm, reason = "most reasons are those of everything else")]
fn image_hint(image: &str, digest: Option<&str>, why: &Reason) -> Option<String> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let pinned = digest.map_or_else(|| image.to_owned(), |digest| format!("{name}@{digest}"));
    let (image, pinned) = (shell_word(image), shell_word(&pinned));
    match why {
        Reason::ImageUnsigned { sign_with, .. } => {
            Some(format!("kubectl trust sign {pinned} {}", sign_with.flags()))
        }
        Reason::AttestationMissing { predicate_type, sign_with, .. } => {
            let (named, flags) = (shell_word(predicate_type), sign_with.flags());
            Some(format!("kubectl trust attest {pinned} --type {named} --predicate FILE {flags}"))
        }
        Reason::ConditionFailed { .. } => Some(
            "a statement that keeps to it; every such statement by that signer must, or in the policy the newest \
             (kubectl-trust.io/newest-by)"
                .to_owned(),
        ),
        Reason::SignatureInvalid { problem: SignatureProblem::NotByKey { .. } } => Some(format!(
            "if it was signed with another key: --key FILE; to sign it: kubectl trust sign {pinned} --key cosign.key"
        )),
        Reason::LogEntryMissing => {
            Some("if its signer uses no transparency log: --insecure-ignore-tlog".to_owned())
        }
        Reason::DigestMissing { .. } => digest.map(|_| format!("image: {pinned}")),
        Reason::ImageAmbiguous { .. } => {
            Some("try again if the tag was moved just now, or name the image by its digest".to_owned())
        }
        Reason::ImageNotFound { .. } => Some("is the name right, and was the image pushed?".to_owned()),
        Reason::Registry(fault) => registry_hint(&image, &fault.problem),
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "nothing but waiting helps against the others")]
fn registry_hint(image: &str, problem: &RegistryProblem) -> Option<String> {
    match problem {
        RegistryProblem::NotRecorded => Some(format!("kubectl trust record {image} --to images/")),
        RegistryProblem::Unauthorized { .. } => {
            let host = image.split('/').next().unwrap_or(image);
            Some(format!("log in to the registry (docker login {host}), or ask its owner for access"))
        }
        RegistryProblem::DeadlineExceeded | RegistryProblem::RateLimited { .. } => Some(
            "try again; where it happens often, a mirror nearby, or the image by its digest, asks for less"
                .to_owned(),
        ),
        RegistryProblem::Unreachable(_) => {
            Some(format!("is the registry running? Offline: kubectl trust record {image} --to images/"))
        }
        _ => None,
    }
}

/// The file that is signed: what a cluster has is only a copy of it.
fn source(subject: &Subject) -> String {
    let is_copy = subject.kind == SubjectKind::Resource && !subject.source.contains('#');
    if is_copy { "-f FILE".to_owned() } else { file_argument(subject) }
}

fn file_argument(subject: &Subject) -> String {
    let object = &subject.object;
    match subject.kind {
        SubjectKind::Manifest | SubjectKind::Blob => {
            let file = subject.source.rsplit_once('#').map_or(subject.source.as_str(), |(file, _)| file);
            format!("-f {}", shell_word(file))
        }
        // An object in a file that was exported has the file's name, one of a cluster its own.
        SubjectKind::Resource => match (subject.source.rsplit_once('#'), object.namespace.as_str()) {
            (Some((file, _)), _) => format!("-f {}", shell_word(file)),
            (None, "") => shell_word(&format!("{}/{}", object.kind, object.name)).into_owned(),
            (None, namespace) => {
                let name = format!("{}/{}", object.kind, object.name);
                format!("{} -n {}", shell_word(&name), shell_word(namespace))
            }
        },
        SubjectKind::Image => shell_word(&subject.source).into_owned(),
    }
}

/// A word that a shell reads as it is. Names and identities come from whoever made the manifest or the
/// certificate, and people paste what they are told to.
#[must_use]
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c));
    if plain { Cow::Borrowed(text) } else { Cow::Owned(shell_quoted(text)) }
}

/// The same, in quotes in any case.
#[must_use]
pub fn shell_quoted(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectRef;

    #[test]
    fn what_is_pasted_runs_nothing_of_others() {
        for (text, word) in [
            ("release@example.com", "release@example.com"),
            ("Deployment:spec.replicas", "Deployment:spec.replicas"),
            ("a b", "'a b'"),
            ("x'; rm -rf ~ #", r"'x'\''; rm -rf ~ #'"),
            ("$(id)\n", "'$(id)\u{fffd}'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), word);
        }
        let subject =
            Subject { kind: SubjectKind::Image, source: "a;b".into(), object: ObjectRef::default() };
        let found = "$(id)".to_owned();
        let reason = Reason::IdentityMismatch { expected: String::new(), found, issuer: String::new() };
        assert_eq!(
            reason.hint(&subject).unwrap(),
            "if you trust that signer: --certificate-identity '$(id)'"
        );
    }
}
