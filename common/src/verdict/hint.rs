//! What a person can do about a reason: a command or a policy line that works when pasted.

use super::{Reason, SignatureProblem, Subject, SubjectKind};

impl Reason {
    /// The next step, where there is one.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "most reasons have none")]
    pub fn hint(&self, subject: &Subject) -> Option<String> {
        let file = file_argument(subject);
        match self {
            Self::SignatureMissing { .. } | Self::MessageMissing { .. } => {
                Some(format!("kubectl trust sign {file} --key cosign.key --in-place"))
            }
            Self::SignatureInvalid { problem: SignatureProblem::NotByKey { .. } } => {
                Some(format!("kubectl trust explain {file} --key KEY shows every signature and who made it"))
            }
            Self::ManifestDiffers { kind, suggested, .. } if !suggested.is_empty() => {
                let fields = suggested.iter().map(|path| format!(" --ignore-fields '{kind}:{path}'"));
                Some(format!(
                    "to allow these changes:{}; to see them: kubectl trust diff {file} --key KEY",
                    fields.collect::<String>()
                ))
            }
            Self::ManifestDiffers { .. } => Some(format!("kubectl trust diff {file} --key KEY")),
            Self::IdentityMismatch { found, .. } => {
                Some(format!("if you trust that signer: --certificate-identity {found}"))
            }
            Self::IssuerMismatch { found, .. } => {
                Some(format!("if you trust that issuer: --certificate-oidc-issuer {found}"))
            }
            Self::CertificateUntrusted { .. } => {
                Some("if a private authority issued it: --ca-roots FILE or --trusted-root FILE".to_owned())
            }
            Self::SctInvalid { .. } => {
                Some("if the authority has no CT log: --insecure-ignore-sct".to_owned())
            }
            Self::TargetMismatch { .. } => {
                Some(format!("kubectl trust sign {file} --key cosign.key --replace"))
            }
            Self::VariableUnresolved { variable, .. } => {
                Some(format!("give `{variable}` a value in the values file"))
            }
            _ => None,
        }
    }
}

fn file_argument(subject: &Subject) -> String {
    match subject.kind {
        SubjectKind::Manifest | SubjectKind::Blob => {
            let file = subject.source.rsplit_once('#').map_or(subject.source.as_str(), |(file, _)| file);
            format!("-f {file}")
        }
        SubjectKind::Resource => {
            format!("{}/{} -n {}", subject.object.kind, subject.object.name, subject.object.namespace)
        }
        SubjectKind::Image => subject.source.clone(),
    }
}
