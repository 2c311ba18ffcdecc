//! Files of any content, by the trust flags.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::cache::Facts;
use common::digest::Digest;
use common::evaluate::{self, Context};
use common::limits;
use common::policy::blob::{BlobRule, Said};
use common::signature::{Found, Material};
use common::sources::Sources;
use common::verdict::Decision;

use crate::cli::VerifyArgs;
use crate::clock;
use crate::{input, trust};

/// A file and what came with it.
pub(super) struct Blob {
    name: String,
    bytes: Vec<u8>,
    found: Arc<Found>,
    rule: BlobRule,
}

/// Reads the file, its signature or bundle, and what the flags demand.
///
/// # Errors
/// Whatever cannot be read, and no signature to verify it by.
pub(super) fn read(path: &Path, args: &VerifyArgs) -> anyhow::Result<Blob> {
    trust::somebody(&args.trust)?;
    let said = match &args.predicate_type {
        Some(uri) => Said::Statement(uri.clone()),
        None => Said::Signature,
    };
    let rule = BlobRule { requirement: trust::requirement(&args.trust)?, said };
    let read =
        |path: &Path, limit| input::bytes(path, limit).map_err(|error| input::unreadable(path, &error));
    let bytes = read(path, limits::BLOB_FILE_BYTES)?;
    let found = match (&args.signature, &args.bundle) {
        (_, Some(bundle)) => {
            let text = read(bundle, limits::ATTESTATION_BYTES)?;
            Found::bundle(bundle.display().to_string(), &text)
        }
        (Some(signature), None) => {
            let text = input::text(signature, limits::KEY_BYTES)?;
            let certificate = args.certificate.as_deref();
            let certificate =
                certificate.map(|path| input::text(path, limits::CERTIFICATE_BYTES)).transpose()?;
            let signature = STANDARD.decode(text.trim()).ok().filter(|bytes| !bytes.is_empty());
            let signature =
                signature.with_context(|| format!("{}: not a signature in base64", path.display()))?;
            let material = Material { signature, certificate, ..Material::default() };
            let message: Arc<[u8]> = bytes.clone().into();
            Found::of_message(&message, &Digest::of(&bytes), Ok(material))
        }
        (None, None) => bail!("what was it signed with? Give --bundle FILE or --signature FILE"),
    };
    Ok(Blob { name: path.display().to_string(), bytes, found: Arc::new(found), rule })
}

impl Blob {
    pub(super) async fn judge(&self, sources: &dyn Sources) -> Decision {
        let known = Facts::default();
        let context = Context { sources, known: &known, now: clock::now() };
        evaluate::by_blob(&self.name, &self.bytes, &self.found, &self.rule, context).await
    }
}
