//! Who signs: a key, or an identity that proves itself to a certificate authority.

mod key;
mod log;
mod services;
mod token;
mod verifying;

use std::sync::OnceLock;

use anyhow::Context as _;
use common::key::{PrivateKey, PublicKey};
use common::manifest::sign::SignerError;
use common::signature::{DetachError, Material, claimed_identity, make};
use serde_json::Value;
use sigstore_sign::types::Bundle;

pub(crate) use self::key::{password_from_environment, private_key};
use self::log::Log;
use self::services::Services;
pub(crate) use self::verifying::Verifying;
use crate::cli::SigningArgs;
use crate::output::Printer;
use crate::runtime;

/// The signer. No service is told anything before the first signature.
pub(crate) enum Signer {
    /// Whoever has the key, and the log that is told of each signature.
    Key(Box<PrivateKey>, Option<Log>),
    /// Whoever has the token.
    Identity(Box<Identity>),
}

/// An identity and what vouches for it.
pub(crate) struct Identity {
    /// What the token says of itself; the certificate authority checks it.
    name: String,
    /// Where the token was found, if no flag gave it.
    found: Option<&'static str>,
    services: Services,
    signer: sigstore_sign::Signer,
    /// Identity and issuer as the certificate authority wrote them down, once there is a signature.
    certified: OnceLock<(String, String)>,
}

/// What to say where nothing says who signs.
const WHO: &str = "who signs? Give --key FILE, or --identity-token FILE; or set SIGSTORE_ID_TOKEN, as GitLab's `id_tokens` \
    does, or give the GitHub Actions job the permission `id-token: write`";

impl Signer {
    /// The signer that the flags name, else the identity of the job that this runs in. Only a job of GitHub Actions is
    /// asked anything of its token at once.
    ///
    /// # Errors
    /// An unreadable key, token or signing configuration, a token that has expired, a URL that would carry
    /// the token in the clear.
    pub(crate) fn open(args: &SigningArgs) -> anyhow::Result<Self> {
        let services = Services::open(args)?;
        if let Some(key) = &args.key {
            return Ok(Self::Key(Box::new(private_key(key)?), services.map(Log::new)));
        }
        let (token, found) = match &args.identity_token {
            Some(file) => (token::of_file(file)?, None),
            None => token::of_job()?.map(|(token, found)| (token, Some(found))).context(WHO)?,
        };
        let services = services.map_or_else(Services::public_good, Ok)?;
        let (name, signer) = (token.identity().to_owned(), services.signer(token));
        let certified = OnceLock::new();
        Ok(Self::Identity(Box::new(Identity { name, found, services, signer, certified })))
    }

    /// Says what becomes known to others, before it does; afterwards nobody can take it back.
    pub(crate) fn announce(&self, printer: &mut Printer) {
        match self {
            Self::Identity(identity) => {
                let found = identity.found.map(|found| format!(" ({found})")).unwrap_or_default();
                printer.note_line(format_args!(
                    "signing as {}{found}; the log at {} publishes that, for good",
                    identity.name,
                    identity.services.log()
                ));
            }
            Self::Key(_, Some(log)) => {
                printer.note_line(format_args!("the log at {} publishes the signature, for good", log.url()));
            }
            Self::Key(_, None) => {}
        }
    }

    /// The public half of the key, where no log is told of its signatures.
    ///
    /// Only such a signature can be told by itself to be there already. An entry in a log is judged by the keys of the
    /// log, which signing does not know; and an identity has a new key and a new certificate each time.
    pub(crate) fn unlogged_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Key(key, None) => Some(key.public()),
            Self::Key(_, Some(_)) | Self::Identity(_) => None,
        }
    }

    /// Whether a transparency log is told.
    pub(crate) fn is_logged(&self) -> bool {
        !matches!(self, Self::Key(_, None))
    }

    /// That the log gives what formats hold that keep the pieces of a signature apart. To be asked before
    /// the first is made: what is published stays published.
    ///
    /// # Errors
    /// The log gives an inclusion proof only (Rekor v2).
    pub(crate) fn gives_pieces(&self) -> anyhow::Result<()> {
        let services = match self {
            Self::Key(_, None) => return Ok(()),
            Self::Key(_, Some(log)) => log.services(),
            Self::Identity(identity) => &identity.services,
        };
        if services.gives_promises() {
            return Ok(());
        }
        Err(DetachError::NoPromise).with_context(|| format!("the log at {}", services.log()))
    }

    /// Signs bytes.
    ///
    /// # Errors
    /// The key or one of the services failed.
    pub(crate) async fn message(&self, bytes: &[u8]) -> anyhow::Result<Bundle> {
        match self {
            Self::Identity(identity) => {
                let _waiting = services::asked(identity.services.log());
                identity.checked(identity.signer.sign(bytes).await)
            }
            Self::Key(key, log) => {
                let mut bundle = read(&make::message_bundle(bytes, key)?)?;
                if let Some(log) = log {
                    log.add(&mut bundle, key.public(), bytes).await?;
                }
                Ok(bundle)
            }
        }
    }

    /// Signs bytes, for formats that keep the pieces apart.
    ///
    /// # Errors
    /// As [`Self::message`]; the log gives what these formats cannot hold.
    pub(crate) async fn pieces(&self, bytes: &[u8]) -> anyhow::Result<Material> {
        Ok(Material::from_bundle(&self.message(bytes).await?)?)
    }

    /// The same, for whoever does not wait: signs bytes when called.
    ///
    /// # Errors
    /// As [`Self::gives_pieces`].
    pub(crate) fn blocking(&self) -> anyhow::Result<impl FnMut(&[u8]) -> Result<Material, SignerError>> {
        self.gives_pieces()?;
        Ok(move |bytes: &[u8]| {
            runtime::block_on(self.pieces(bytes)).and_then(|made| made).map_err(Into::into)
        })
    }

    /// Signs a statement.
    ///
    /// # Errors
    /// As [`Self::message`].
    pub(crate) async fn statement(&self, statement: &Value) -> anyhow::Result<Bundle> {
        match self {
            Self::Identity(identity) => {
                let bytes = statement.to_string().into_bytes();
                let _waiting = services::asked(identity.services.log());
                identity.checked(identity.signer.sign_raw_statement(&bytes).await)
            }
            Self::Key(key, log) => {
                let mut bundle = read(&make::statement_bundle(statement, key)?)?;
                if let Some(log) = log {
                    log.add(&mut bundle, key.public(), &[]).await?;
                }
                Ok(bundle)
            }
        }
    }
}

impl Identity {
    fn checked(&self, signed: sigstore_sign::Result<Bundle>) -> anyhow::Result<Bundle> {
        let bundle = signed.map_err(|error| self.services.explain(&error))?;
        if let Some(certified) = claimed_identity(&bundle) {
            self.certified.get_or_init(|| certified);
        }
        Ok(bundle)
    }
}

fn read(json: &[u8]) -> anyhow::Result<Bundle> {
    Bundle::from_json(std::str::from_utf8(json)?).context("the bundle that was made cannot be read")
}

/// The bundle as it is written down.
///
/// # Errors
/// It has no JSON form.
pub(crate) fn json(bundle: &Bundle) -> anyhow::Result<Vec<u8>> {
    Ok(bundle.to_json().context("the bundle cannot be written")?.into_bytes())
}
