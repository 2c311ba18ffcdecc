//! Images signed by real cosign, one function for each way of signing.

use std::path::PathBuf;

use e2e::process::{Run, run};
use e2e::registry::{Image, Kind, Registry};
use e2e::sigstore::{self, Rekor, Sigstore};

use crate::world::World;

/// Who signs without a key.
pub(crate) const EMAIL: &str = "release@example.com";
/// Which workflow signs without a key.
pub(crate) const WORKFLOW: &str = "example/app/.github/workflows/release.yaml@refs/heads/main";
/// The repository that every fixture lies in; each stage has a registry of its own.
const REPOSITORY: &str = "team/app";

/// The generations of cosign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cosign {
    Two,
    Three,
}

impl Cosign {
    pub(crate) const BOTH: [Self; 2] = [Self::Two, Self::Three];

    /// The logs that it signs bundles with: 2 writes an entry that Rekor v2 does not take.
    pub(crate) const fn logs(self) -> &'static [Rekor] {
        match self {
            Self::Two => &[Rekor::V1],
            Self::Three => &[Rekor::V1, Rekor::V2],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Two => "cosign2",
            Self::Three => "cosign",
        }
    }
}

/// How what was signed is kept beside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The tag `sha256-….sig` or `.att`.
    Legacy,
    /// A Sigstore bundle as referrer.
    Bundle,
}

/// Who signed.
#[derive(Clone, Debug)]
pub(crate) enum Signer {
    Key { public: PathBuf, log: Option<Rekor> },
    Identity { subject: String, issuer: String, log: Rekor },
}

impl Signer {
    /// The flags by which we are told to trust it.
    pub(crate) fn flags(&self, stage: &Stage) -> String {
        let root = format!("--trusted-root {}", stage.sigstore.trusted_root().display());
        match self {
            Self::Key { public, log: Some(_) } => format!("--key {} {root}", public.display()),
            Self::Key { public, log: None } => format!("--key {} --insecure-ignore-tlog", public.display()),
            Self::Identity { subject, issuer, .. } => {
                format!("--certificate-identity {subject} --certificate-oidc-issuer {issuer} {root}")
            }
        }
    }
}

/// What an attestation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Predicate {
    Slsa,
    Vuln,
}

impl Predicate {
    pub(crate) const BOTH: [Self; 2] = [Self::Slsa, Self::Vuln];

    /// cosign's word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Slsa => "slsaprovenance1",
            Self::Vuln => "vuln",
        }
    }

    /// The type that the statement gets.
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Self::Slsa => "https://slsa.dev/provenance/v1",
            Self::Vuln => "https://cosign.sigstore.dev/attestation/vuln/v1",
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Slsa => {
                r#"{"buildDefinition": {"buildType": "https://actions.github.io/buildtypes/workflow/v1",
                    "externalParameters": {"workflow": {"repository": "https://github.com/example/app"}}},
                    "runDetails": {"builder": {"id": "https://github.com/actions/runner/github-hosted"}}}"#
            }
            Self::Vuln => {
                r#"{"invocation": {"uri": "https://ci.example.com/1"},
                    "scanner": {"uri": "pkg:github/example/scanner@1", "version": "1", "result": {"findings": []}},
                    "metadata": {"scanStartedOn": "2026-11-20T08:00:00Z", "scanFinishedOn": "2026-11-20T08:01:00Z"}}"#
            }
        }
    }
}

/// An image and what was done to it.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// The registry it lies in.
    pub(crate) kind: Kind,
    /// Reference and digest.
    pub(crate) image: Image,
    /// Who signed.
    pub(crate) by: Signer,
    /// The program that signed.
    pub(crate) with: Cosign,
    /// How it is kept.
    pub(crate) form: Form,
    /// What was attested; `None` for a signature.
    pub(crate) predicate: Option<Predicate>,
}

/// A registry, the private Sigstore, both cosigns, our binary, a key pair `k` and another `stranger`.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) registry: Registry,
    pub(crate) sigstore: &'static Sigstore,
}

impl Stage {
    /// `None`, already said loudly, when a program cannot be had here.
    pub(crate) fn with(kind: Kind) -> Option<Self> {
        let world = World::with(&["cosign", "cosign2"])?;
        let registry = Registry::start(kind).unwrap()?;
        let sigstore = sigstore::shared().unwrap()?;
        for key in ["k", "stranger"] {
            world.must("cosign", &format!("generate-key-pair --output-key-prefix {key}"));
        }
        Some(Self { world, registry, sigstore })
    }

    /// Runs a cosign, which must succeed.
    fn cosign(&self, cosign: Cosign, arguments: &str) -> String {
        self.world.must(cosign.name(), arguments)
    }

    pub(super) fn push(&self, name: &str) -> Image {
        self.registry.push(REPOSITORY, name, name).unwrap()
    }

    pub(super) fn key(&self, log: Option<Rekor>) -> Signer {
        Signer::Key { public: self.world.trust.path("k.pub"), log }
    }

    pub(super) fn signed(&self, image: Image, by: Signer, with: Cosign, form: Form) -> Signed {
        Signed { kind: self.registry.kind(), image, by, with, form, predicate: None }
    }

    pub(super) fn attested(
        &self,
        image: Image,
        by: Signer,
        with: Cosign,
        form: Form,
        predicate: Predicate,
    ) -> Signed {
        Signed { predicate: Some(predicate), ..self.signed(image, by, with, form) }
    }

    /// The words for an attestation; its predicate is written to a file.
    fn attest(&self, predicate: Predicate) -> String {
        let file = self.world.trust.write("predicate.json", predicate.text()).unwrap();
        format!("attest --type {} --predicate {}", predicate.word(), file.display())
    }
}

/// Without a log and without a bundle.
const LEGACY: &str = "--yes --new-bundle-format=false --use-signing-config=false";
/// A bundle as referrer.
const BUNDLE: &str = "--yes --new-bundle-format=true";

/// Legacy keyless signing names its servers one by one, and knows Rekor v1 only.
fn legacy_keyless(sigstore: &Sigstore, token: &str) -> String {
    let (fulcio, rekor) = (sigstore.fulcio(), sigstore.rekor(Rekor::V1));
    let root = sigstore.trusted_root();
    let root = root.display();
    format!(
        "{LEGACY} --fulcio-url={fulcio} --rekor-url={rekor} --trusted-root={root} --identity-token={token}"
    )
}

fn logged_bundle(sigstore: &Sigstore, log: Rekor) -> String {
    let (config, root) = (sigstore.signing_config(log), sigstore.trusted_root());
    let (config, root) = (config.display(), root.display());
    format!("{BUNDLE} --signing-config={config} --trusted-root={root}")
}

pub(super) fn email(sigstore: &Sigstore, log: Rekor) -> Signer {
    Signer::Identity { subject: EMAIL.to_owned(), issuer: sigstore.issuer(), log }
}

/// Signed by nobody.
pub(crate) fn unsigned(stage: &Stage) -> Image {
    stage.push("unsigned")
}

/// Key, legacy tag, no log.
pub(crate) fn signed_with_key_legacy(stage: &Stage, cosign: Cosign) -> Signed {
    let image = stage.push(&format!("{cosign:?}-key-legacy"));
    stage.cosign(cosign, &format!("sign {LEGACY} --tlog-upload=false --key k.key {}", image.by_digest()));
    stage.signed(image, stage.key(None), cosign, Form::Legacy)
}

/// Key, bundle as referrer, no log.
pub(crate) fn signed_with_key(stage: &Stage, cosign: Cosign) -> Signed {
    let image = stage.push(&format!("{cosign:?}-key"));
    let flags = "--use-signing-config=false --tlog-upload=false --key k.key";
    stage.cosign(cosign, &format!("sign {BUNDLE} {flags} {}", image.by_digest()));
    stage.signed(image, stage.key(None), cosign, Form::Bundle)
}

/// Key, bundle as referrer, logged.
pub(crate) fn signed_with_key_logged(stage: &Stage, cosign: Cosign, log: Rekor) -> Signed {
    let sigstore = stage.sigstore;
    let image = stage.push(&format!("{cosign:?}-key-{log:?}"));
    let flags = logged_bundle(sigstore, log);
    stage.cosign(cosign, &format!("sign {flags} --key k.key {}", image.by_digest()));
    stage.signed(image, stage.key(Some(log)), cosign, Form::Bundle)
}

/// E-mail identity, legacy tag, Rekor v1.
pub(crate) fn signed_keyless_legacy(stage: &Stage, cosign: Cosign) -> Signed {
    let sigstore = stage.sigstore;
    let image = stage.push(&format!("{cosign:?}-keyless-legacy"));
    let flags = legacy_keyless(sigstore, &sigstore.token(EMAIL).unwrap());
    stage.cosign(cosign, &format!("sign {flags} {}", image.by_digest()));
    stage.signed(image, email(sigstore, Rekor::V1), cosign, Form::Legacy)
}

/// E-mail identity, bundle as referrer: Rekor v1, or Rekor v2 with a timestamp.
pub(crate) fn signed_keyless(stage: &Stage, cosign: Cosign, log: Rekor) -> Signed {
    let sigstore = stage.sigstore;
    let image = stage.push(&format!("{cosign:?}-keyless-{log:?}"));
    let (flags, token) = (logged_bundle(sigstore, log), sigstore.token(EMAIL).unwrap());
    stage.cosign(cosign, &format!("sign {flags} --identity-token={token} {}", image.by_digest()));
    stage.signed(image, email(sigstore, log), cosign, Form::Bundle)
}

/// What becomes of a bundle by cosign 2 for Rekor v2.
pub(crate) fn refused_by_rekor2(stage: &Stage) -> Run {
    let sigstore = stage.sigstore;
    let image = stage.push("refused");
    let (flags, token) = (logged_bundle(sigstore, Rekor::V2), sigstore.token(EMAIL).unwrap());
    stage.world.run("cosign2", &format!("sign {flags} --identity-token={token} {}", image.by_digest()))
}

/// The identity of a GitHub workflow, bundle as referrer.
pub(crate) fn signed_by_workflow(stage: &Stage, cosign: Cosign, log: Rekor) -> Signed {
    let sigstore = stage.sigstore;
    let image = stage.push(&format!("{cosign:?}-workflow-{log:?}"));
    let (flags, token) = (logged_bundle(sigstore, log), sigstore.workflow_token(WORKFLOW).unwrap());
    stage.cosign(cosign, &format!("sign {flags} --identity-token={token} {}", image.by_digest()));
    let subject = format!("https://github.com/{WORKFLOW}");
    let by = Signer::Identity { subject, issuer: sigstore.workflow_issuer(), log };
    stage.signed(image, by, cosign, Form::Bundle)
}

/// An index whose images are signed as well: key, no log.
pub(crate) fn signed_recursively(stage: &Stage, cosign: Cosign, form: Form) -> Signed {
    let name = format!("{cosign:?}-index-{form:?}");
    let image = stage.registry.push_index(REPOSITORY, &name, &name).unwrap();
    let format = match form {
        Form::Legacy => LEGACY.to_owned(),
        Form::Bundle => format!("{BUNDLE} --use-signing-config=false"),
    };
    let flags = format!("{format} --tlog-upload=false --recursive --key k.key");
    stage.cosign(cosign, &format!("sign {flags} {}", image.by_digest()));
    stage.signed(image, stage.key(None), cosign, form)
}

/// An attestation: key, legacy tag, no log.
pub(crate) fn attested_with_key_legacy(stage: &Stage, cosign: Cosign, predicate: Predicate) -> Signed {
    let image = stage.push(&format!("{cosign:?}-{predicate:?}-key-legacy"));
    let attest = stage.attest(predicate);
    stage.cosign(cosign, &format!("{attest} {LEGACY} --tlog-upload=false --key k.key {}", image.by_digest()));
    stage.attested(image, stage.key(None), cosign, Form::Legacy, predicate)
}

/// An attestation: key, bundle as referrer, no log.
pub(crate) fn attested_with_key(stage: &Stage, cosign: Cosign, predicate: Predicate) -> Signed {
    let image = stage.push(&format!("{cosign:?}-{predicate:?}-key"));
    let attest = stage.attest(predicate);
    let flags = "--use-signing-config=false --tlog-upload=false --key k.key";
    stage.cosign(cosign, &format!("{attest} {BUNDLE} {flags} {}", image.by_digest()));
    stage.attested(image, stage.key(None), cosign, Form::Bundle, predicate)
}

/// An attestation: e-mail identity, legacy tag, Rekor v1.
pub(crate) fn attested_keyless_legacy(stage: &Stage, cosign: Cosign, predicate: Predicate) -> Signed {
    let sigstore = stage.sigstore;
    let image = stage.push(&format!("{cosign:?}-{predicate:?}-keyless-legacy"));
    let flags = legacy_keyless(sigstore, &sigstore.token(EMAIL).unwrap());
    stage.cosign(cosign, &format!("{} {flags} {}", stage.attest(predicate), image.by_digest()));
    stage.attested(image, email(sigstore, Rekor::V1), cosign, Form::Legacy, predicate)
}

/// An attestation: e-mail identity, bundle as referrer.
pub(crate) fn attested_keyless(stage: &Stage, cosign: Cosign, predicate: Predicate, log: Rekor) -> Signed {
    let sigstore = stage.sigstore;
    let image = stage.push(&format!("{cosign:?}-{predicate:?}-keyless-{log:?}"));
    let (flags, token) = (logged_bundle(sigstore, log), sigstore.token(EMAIL).unwrap());
    let attest = stage.attest(predicate);
    stage.cosign(cosign, &format!("{attest} {flags} --identity-token={token} {}", image.by_digest()));
    stage.attested(image, email(sigstore, log), cosign, Form::Bundle, predicate)
}

impl Signed {
    /// Whether a cosign accepts it for its own signer, and what it said.
    pub(crate) fn verified_by(&self, stage: &Stage, cosign: Cosign) -> Run {
        self.verified_for(stage, cosign, &self.by, &self.image.by_digest())
    }

    /// The same for any signer and reference.
    pub(crate) fn verified_for(&self, stage: &Stage, cosign: Cosign, by: &Signer, reference: &str) -> Run {
        let command = self.predicate.map_or("verify".to_owned(), |predicate| {
            format!("verify-attestation --type {}", predicate.word())
        });
        let format = format!("--new-bundle-format={}", self.form == Form::Bundle);
        let (who, log) = match by {
            Signer::Key { public, log } => (format!("--key {}", public.display()), *log),
            Signer::Identity { subject, issuer, log } => {
                (format!("--certificate-identity={subject} --certificate-oidc-issuer={issuer}"), Some(*log))
            }
        };
        // cosign 2 wants the root for every bundle, even where nothing in it is asked for, and takes none
        // for an attestation of the legacy form.
        let root = match (self.form, cosign, self.predicate, log) {
            (Form::Legacy, Cosign::Two, Some(_), _) | (Form::Legacy, _, _, None) => String::new(),
            _ => format!("--trusted-root={}", stage.sigstore.trusted_root().display()),
        };
        let unlogged = if log.is_none() { "--insecure-ignore-tlog=true" } else { "" };
        // Rekor v2 gives no time of its own.
        let times = if log == Some(Rekor::V2) { "--use-signed-timestamps" } else { "" };
        let arguments = format!("{command} {format} {who} {root} {unlogged} {times} {reference}");
        let program = stage.world.program(cosign.name());
        let mut command = stage.world.trust.other(program, arguments.split_whitespace());
        run(command.envs(stage.sigstore.legacy_environment())).unwrap()
    }
}
