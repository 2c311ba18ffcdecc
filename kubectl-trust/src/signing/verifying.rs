//! The command that verifies what was just signed, as people paste it.

use std::path::{Path, PathBuf};

use common::key::PublicKey;
use common::limits;
use common::verdict::shell_word;

use super::Signer;
use super::services::Services;
use crate::cli::SigningArgs;
use crate::input;
use crate::output::Printer;
use crate::run::called_as;

/// A command `verify` that trusts one signer.
pub(crate) struct Verifying {
    /// What is verified.
    words: Vec<String>,
    /// Who is trusted.
    trust: Vec<String>,
    /// Makes the public key, where no file has it.
    before: Option<String>,
    /// What to put in for a word that only people know.
    remark: Option<String>,
}

impl Verifying {
    /// The command for what `signer` signed; what is verified is still missing.
    pub(crate) fn by(signer: &Signer, args: &SigningArgs) -> Self {
        let mut verifying = Self { words: Vec::new(), trust: Vec::new(), before: None, remark: None };
        match signer {
            Signer::Key(key, log) => {
                verifying.trust_key(key.public(), args);
                verifying.trust_services(log.as_ref().map(super::Log::services));
            }
            Signer::Identity(identity) => {
                // Without a signature there is no certificate; then nothing is to be verified either.
                let (subject, issuer) = identity.certified.get().cloned().unwrap_or_default();
                verifying.flag("--certificate-identity", &subject);
                verifying.flag("--certificate-oidc-issuer", &issuer);
                verifying.trust_services(Some(&identity.services));
            }
        }
        verifying.trust = std::mem::take(&mut verifying.words);
        verifying
    }

    /// Adds a flag with its value.
    pub(crate) fn flag(&mut self, name: &str, value: &str) {
        self.words.push(name.to_owned());
        self.words.push(shell_word(value).into_owned());
    }

    /// Adds a flag with each of its values.
    pub(crate) fn flags<'v>(&mut self, name: &str, values: impl IntoIterator<Item = &'v PathBuf>) {
        for value in values {
            self.flag(name, &value.to_string_lossy());
        }
    }

    /// Adds annotations that must be there.
    pub(crate) fn annotations(&mut self, annotations: &[(String, String)]) {
        for (key, value) in annotations {
            self.flag("-a", &format!("{key}={value}"));
        }
    }

    /// Adds a word as it is.
    pub(crate) fn word(&mut self, word: &str) {
        self.words.push(shell_word(word).into_owned());
    }

    /// Says the command on standard error.
    pub(crate) fn say(&self, printer: &mut Printer) {
        let (program, words) = (called_as(), [&self.words[..], &self.trust].concat().join(" "));
        let before = self.before.as_ref().map(|before| format!("{program} {before} && ")).unwrap_or_default();
        let remark = self.remark.as_ref().map(|remark| format!("   # {remark}")).unwrap_or_default();
        printer.note_line(format_args!("to verify: {before}{program} verify {words}{remark}"));
    }

    /// The public key beside the private one, if it is its own; else the command makes it.
    fn trust_key(&mut self, key: &PublicKey, args: &SigningArgs) {
        let private = args.key.clone().unwrap_or_default();
        let prefix = prefix(&private);
        let public = suffixed(&prefix, ".pub");
        let beside = input::text(&public, limits::KEY_BYTES).map(|text| PublicKey::parse(&text));
        if let Ok(Ok(beside)) = &beside
            && beside.fingerprint() == key.fingerprint()
        {
            return self.flag("--key", &public.to_string_lossy());
        }
        // What is there and not its own stays.
        let free = |prefix: &PathBuf| suffixed(prefix, ".pub").symlink_metadata().is_err();
        let other = (1..).map(|number| suffixed(&prefix, &format!("-{number}")));
        let prefix = std::iter::once(prefix.clone()).chain(other).find(free).unwrap_or(prefix);
        let word = |path: &Path| shell_word(&path.to_string_lossy()).into_owned();
        self.before = Some(format!("keygen --from {} --output-prefix {}", word(&private), word(&prefix)));
        self.flag("--key", &suffixed(&prefix, ".pub").to_string_lossy());
    }

    /// The keys of the services, where they are not those that are compiled in.
    fn trust_services(&mut self, services: Option<&Services>) {
        if let Some(services) = services.filter(|services| !services.is_public_good()) {
            self.flag("--trusted-root", "trusted_root.json");
            self.remark = Some(format!("trusted_root.json: the trust root that has {}", services.log()));
        }
    }
}

/// What `keygen` was told when it made this private key.
fn prefix(private: &Path) -> PathBuf {
    let text = private.to_string_lossy();
    // A key in the environment has no place of its own.
    if text.contains("://") {
        return PathBuf::from("cosign");
    }
    PathBuf::from(text.strip_suffix(".key").unwrap_or(&text))
}

fn suffixed(prefix: &Path, suffix: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
