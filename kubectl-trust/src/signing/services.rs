//! The services of a Sigstore instance that signing needs: which, and how they are reached.

use std::time::Duration;

use anyhow::{Context as _, bail};
use common::limits;
use sigstore_sign::oidc::IdentityToken;
use sigstore_sign::rekor::RekorApiVersion;
use sigstore_sign::reqwest::redirect::Policy;
use sigstore_sign::reqwest::{Client, Url};
use sigstore_sign::trust_root::SigningConfig;
use sigstore_sign::types::USER_AGENT;
use sigstore_sign::{Error, Signer, SigningContext, SigningServices, SigstoreInstance};

use crate::cli::SigningArgs;
use crate::input;
use crate::waiting::{self, Waiting};

/// Says that a service is asked, as long as the result is kept.
pub(super) fn asked(url: &str) -> Waiting {
    waiting::for_at_most(url, Duration::from_secs(limits::SIGNING_SECONDS))
}

/// A certificate authority, a transparency log and, where there is one, a timestamp authority.
#[derive(Clone)]
pub(super) struct Services {
    pub(super) named: SigningServices,
    pub(super) http: Client,
}

impl Services {
    /// Those that the flags name; `None` where they name none.
    ///
    /// # Errors
    /// A signing configuration that cannot be read or used, a URL that is none, or plain HTTP.
    pub(super) fn open(args: &SigningArgs) -> anyhow::Result<Option<Self>> {
        if let Some(path) = &args.signing_config {
            let text = input::text(path, limits::TRUSTED_ROOT_BYTES)?;
            let name = path.display().to_string();
            let config = SigningConfig::from_json(&text)
                .with_context(|| format!("{name}: not a Sigstore signing configuration"))?;
            let services = SigningServices::from_signing_config(&config).with_context(|| name.clone())?;
            return Self::new(services).with_context(|| name).map(Some);
        }
        let Some(rekor) = &args.rekor_url else { return Ok(None) };
        if args.key.is_none() && args.fulcio_url.is_none() {
            bail!("--rekor-url: with an identity, give --fulcio-url as well; or --signing-config FILE");
        }
        // A key needs no certificate authority, and none is asked.
        let fulcio = args.fulcio_url.as_ref().unwrap_or(rekor);
        let mut services = SigningServices::new(fulcio, rekor);
        if let Some(timestamps) = &args.timestamp_server_url {
            services = services.with_tsa_url(timestamps);
        }
        Self::new(services).map(Some)
    }

    /// The public-good instance, as compiled in.
    ///
    /// # Errors
    /// What is compiled in cannot be used any more.
    pub(super) fn public_good() -> anyhow::Result<Self> {
        let services = SigningServices::from_embedded(SigstoreInstance::PublicGood);
        Self::new(services.context("the public-good instance as compiled in; give --signing-config FILE")?)
    }

    fn new(named: SigningServices) -> anyhow::Result<Self> {
        let urls = [Some(named.fulcio_url()), Some(named.rekor_url()), named.tsa_url()];
        urls.into_iter().flatten().try_for_each(secret)?;
        Ok(Self { named, http: client()? })
    }

    /// Where signatures are published.
    pub(super) fn log(&self) -> &str {
        self.named.rekor_url()
    }

    /// Whether its keys are those of the public-good instance, which verifiers have.
    pub(super) fn is_public_good(&self) -> bool {
        const LOG: &str = "rekor.sigstore.dev";
        let url = Url::parse(self.log());
        let host = url.as_ref().ok().and_then(Url::host_str).unwrap_or_default();
        host.strip_suffix(LOG).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }

    /// Whether the log promises at once to take an entry in, as those of the first generation do.
    pub(super) fn gives_promises(&self) -> bool {
        self.named.rekor_api_version() == RekorApiVersion::V1
    }

    /// Whoever the token says, signing with these services.
    pub(super) fn signer(&self, token: IdentityToken) -> Signer {
        SigningContext::new(self.named.clone()).with_http_client(self.http.clone()).signer(token)
    }

    /// What failed, and where.
    pub(super) fn explain(&self, error: &Error) -> anyhow::Error {
        let timestamps = self.named.tsa_url().unwrap_or_default();
        if let Error::Fulcio(why) = error {
            anyhow::anyhow!("no certificate from {}: {}", self.named.fulcio_url(), line(why))
        } else if let Error::Rekor(why) = error {
            anyhow::anyhow!("no log entry from {}: {}", self.log(), line(why))
        } else if let Error::Tsa(why) = error {
            anyhow::anyhow!("no timestamp from {timestamps}: {}", line(why))
        } else {
            anyhow::anyhow!("{}", line(error))
        }
    }
}

/// Who speaks to services that get a token.
pub(super) fn client() -> anyhow::Result<Client> {
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_secs(limits::CONNECT_SECONDS))
        .timeout(Duration::from_secs(limits::SIGNING_SECONDS))
        // Attack: a service that sends the token elsewhere.
        .redirect(Policy::none())
        .build()?;
    Ok(client)
}

/// One line of what a service said, which may be a page of HTML.
pub(super) fn line(error: &dyn std::fmt::Display) -> String {
    const SHOWN: usize = 300;
    let text = error.to_string();
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    words.join(" ").chars().take(SHOWN).collect()
}

/// That nobody between here and the service can read what is sent there.
pub(super) fn secret(url: &str) -> anyhow::Result<()> {
    let parsed = Url::parse(url).with_context(|| format!("`{url}` is not a URL"))?;
    let host = parsed.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if local => Ok(()),
        "http" => bail!("{url}: tokens do not go over plain HTTP; write https://"),
        other => bail!("{url}: {other}:// is not spoken; write https://"),
    }
}
