//! The certificate that the API server reaches us with, kept in a Secret that all replicas share.
//!
//! 1. The Secret holds an authority, its key, and a certificate of it. Whoever finds none makes them; of two that
//!    do at the same time, one is told that it exists by now and takes that.
//! 2. The certificate is made anew when a third of its life is left, and so is the authority. A new authority is
//!    published beside the old one first, in the webhook configurations as well; nothing is made of it before the
//!    next renewal of the certificate. Nobody is cut off.
//! 3. All replicas look again and again, and use what they find.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum_server::tls_rustls::RustlsConfig;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::certificate::{Authority, Served, expiry, first};
use crate::webhook::server::Server;
use crate::{clock, tls};

/// How often the Secret is looked at.
const INTERVAL: Duration = Duration::from_secs(60);
/// For how long a certificate is made, and an authority.
const CERTIFICATE: SignedDuration = SignedDuration::from_hours(24 * 90);
const AUTHORITY: SignedDuration = SignedDuration::from_hours(24 * 365 * 3);

const CA_CERT: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const CERT: &str = "tls.crt";
const KEY: &str = "tls.key";

/// Where the certificate is kept, and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The namespace of the Secret.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) secret: String,
    /// The names that we are reached by.
    pub(crate) names: Vec<String>,
}

/// What serves with the certificate.
#[derive(Clone)]
pub(crate) struct Renewal {
    /// The settings that are in use.
    pub(crate) tls: RustlsConfig,
    /// The authorities of clients (PEM), if only theirs may reach us.
    pub(crate) clients: Option<String>,
}

/// The certificate of the Secret, which is made if it is not there.
///
/// # Errors
/// The Secret cannot be read or written.
pub(crate) async fn ensure(client: &Client, place: &Place) -> anyhow::Result<Served> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &place.namespace);
    let called = || format!("Secret {}/{}", place.namespace, place.secret);
    // Twice at most: made by somebody else in the meantime, then read.
    for _ in 0..2 {
        let found = secrets.get_opt(&place.secret).await.with_context(called)?;
        let kept = found.as_ref().and_then(Kept::read);
        let Some(renewed) = renewed(kept.as_ref(), &place.names, clock::now())? else {
            return kept.map(Kept::served).context("unreachable: what is not there is made");
        };
        let (secret, served) = (renewed.secret(place, found.as_ref()), renewed.served());
        let written = match found {
            Some(_) => secrets.replace(&place.secret, &PostParams::default(), &secret).await,
            None => secrets.create(&PostParams::default(), &secret).await,
        };
        match written {
            Ok(_) => {
                info!(secret = place.secret, "made a certificate");
                return Ok(served);
            }
            // Somebody was faster; what he wrote counts.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error).with_context(called),
        }
    }
    anyhow::bail!("{}: somebody else writes it all the time", called())
}

/// What is renewed, and who is told.
#[derive(Clone)]
pub(crate) struct Renewed {
    /// Where the certificate is kept.
    pub(crate) place: Place,
    /// What is served with at the start.
    pub(crate) served: Served,
    /// What serves with it.
    pub(crate) renewal: Renewal,
    /// Where the authority is published.
    pub(crate) authority: watch::Sender<Vec<u8>>,
}

/// Keeps the certificate in step with the Secret, for as long as the process lives.
pub(crate) async fn follow(client: Client, server: Arc<Server>, renewed: Renewed) {
    let Renewed { place, served: mut serving, renewal, authority } = renewed;
    loop {
        tokio::time::sleep(INTERVAL).await;
        let found = match ensure(&client, &place).await {
            Ok(found) => found,
            Err(error) => {
                warn!("the certificate stays as it is: {error:#}");
                continue;
            }
        };
        if found == serving {
            continue;
        }
        match tls::settings(&found.chain, &found.key, renewal.clients.as_deref()) {
            Ok(settings) => renewal.tls.reload_from_config(settings),
            Err(error) => {
                warn!("the certificate of the Secret cannot be used; it stays as it is: {error:#}");
                continue;
            }
        }
        info!("serving with another certificate");
        if let Ok(end) = expiry(&String::from_utf8_lossy(&found.chain)) {
            server.engine().metrics.serves_until(end);
        }
        authority.send_replace(found.authority.clone().unwrap_or_default().into_bytes());
        serving = found;
    }
}

/// What the Secret holds.
#[derive(Clone)]
struct Kept {
    /// The authorities, the newest first.
    authorities: String,
    /// The key of the newest.
    authority_key: String,
    chain: String,
    key: String,
    /// The names that the certificate is for.
    names: String,
}

/// Where the Secret says what its certificate is for.
const NAMES: &str = "kubectl-trust.io/names";

impl Kept {
    fn read(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let text = |name: &str| String::from_utf8(data.get(name)?.0.clone()).ok();
        let (authorities, authority_key) = (text(CA_CERT)?, text(CA_KEY)?);
        let names = secret.metadata.annotations.as_ref().and_then(|all| all.get(NAMES).cloned());
        let names = names.unwrap_or_default();
        Some(Self { authorities, authority_key, chain: text(CERT)?, key: text(KEY)?, names })
    }

    fn served(self) -> Served {
        Served {
            chain: self.chain.into_bytes(),
            key: self.key.into_bytes(),
            authority: Some(self.authorities),
        }
    }

    fn secret(&self, place: &Place, found: Option<&Secret>) -> Secret {
        let mut metadata = found.map_or_else(
            || ObjectMeta { name: Some(place.secret.clone()), ..ObjectMeta::default() },
            |secret| secret.metadata.clone(),
        );
        metadata.annotations.get_or_insert_default().insert(NAMES.to_owned(), self.names.clone());
        let bytes = |text: &String| ByteString(text.clone().into_bytes());
        let data = BTreeMap::from([
            (CA_CERT.to_owned(), bytes(&self.authorities)),
            (CA_KEY.to_owned(), bytes(&self.authority_key)),
            (CERT.to_owned(), bytes(&self.chain)),
            (KEY.to_owned(), bytes(&self.key)),
        ]);
        let type_ = Some("kubernetes.io/tls".to_owned());
        Secret { metadata, type_, data: Some(data), ..Secret::default() }
    }
}

/// What the Secret should hold in place of what it holds; `None` where it is good as it is.
///
/// # Errors
/// A name that no certificate can have.
fn renewed(kept: Option<&Kept>, names: &[String], now: Timestamp) -> anyhow::Result<Option<Kept>> {
    let left = |pem: &str| expiry(pem).map_or(SignedDuration::ZERO, |end| end.duration_since(now));
    let authority =
        kept.and_then(|kept| Some((Authority::kept(&kept.authorities, &kept.authority_key).ok()?, kept)));
    // An authority that ends before the certificates that it would make is none.
    let Some((authority, kept)) = authority.filter(|(_, kept)| left(&kept.authorities) > CERTIFICATE) else {
        let authority = Authority::make(now, AUTHORITY)?;
        let (chain, key) = authority.issue(names, now, CERTIFICATE)?;
        let (authority_key, authorities) = (authority.key(), authority.pem);
        return Ok(Some(Kept { authorities, authority_key, chain, key, names: names.join(" ") }));
    };
    let with = |authorities, authority_key, (chain, key)| Kept {
        authorities,
        authority_key,
        chain,
        key,
        names: names.join(" "),
    };
    if left(&kept.chain) <= CERTIFICATE / 3 || kept.names != names.join(" ") {
        let issued = authority.issue(names, now, CERTIFICATE)?;
        return Ok(Some(with(kept.authorities.clone(), kept.authority_key.clone(), issued)));
    }
    if left(&kept.authorities) > AUTHORITY / 3 {
        return Ok(None);
    }
    let next = Authority::make(now, AUTHORITY)?;
    let served = (kept.chain.clone(), kept.key.clone());
    // Those before the newest have nothing in use any more.
    let before = first(&authority.pem)?;
    Ok(Some(with(format!("{}{before}", next.pem), next.key(), served)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        "2026-01-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * number)
    }

    fn names() -> Vec<String> {
        vec!["trust-operator.trust.svc".to_owned()]
    }

    fn after(kept: &Kept, at: i64) -> Option<Kept> {
        renewed(Some(kept), &names(), day(at)).unwrap()
    }

    /// Whether the certificate chains to one of the authorities.
    fn chains(kept: &Kept, authorities: &str) -> bool {
        let issuer = |pem: &str| x509_cert::Certificate::load_pem_chain(pem.as_bytes()).unwrap();
        let of = issuer(&kept.chain)[0].tbs_certificate.issuer.clone();
        issuer(authorities).iter().any(|authority| authority.tbs_certificate.subject == of)
    }

    #[test]
    fn what_is_good_stays_and_what_ends_is_renewed_in_time() {
        let first = renewed(None, &names(), day(0)).unwrap().unwrap();
        assert!(chains(&first, &first.authorities));
        assert!(after(&first, 1).is_none() && after(&first, 58).is_none());
        let second = after(&first, 61).unwrap();
        assert_eq!(second.authorities, first.authorities);
        assert!(second.chain != first.chain && chains(&second, &first.authorities));
        let other = renewed(Some(&first), &["elsewhere".to_owned()], day(1)).unwrap().unwrap();
        assert!(other.chain != first.chain && other.authorities == first.authorities);
    }

    /// Nobody who knows only the authorities of before is cut off, at no step.
    #[test]
    fn a_new_authority_is_known_before_anything_is_made_of_it() {
        let mut kept = renewed(None, &names(), day(0)).unwrap().unwrap();
        let (mut steps, mut authorities) = (0, vec![kept.authorities.clone()]);
        for at in 0..4_000 {
            let Some(next) = after(&kept, at) else { continue };
            steps += 1;
            assert!(chains(&next, &kept.authorities), "day {at}");
            assert!(expiry(&next.chain).unwrap() > day(at) + CERTIFICATE / 4, "day {at}");
            if next.authorities != kept.authorities {
                authorities.push(next.authorities.clone());
            }
            kept = next;
        }
        assert!(steps > 40 && authorities.len() >= 4, "{steps} {}", authorities.len());
        let bundle = x509_cert::Certificate::load_pem_chain(kept.authorities.as_bytes()).unwrap();
        assert!(bundle.len() <= 2, "{}", bundle.len());
    }

    #[test]
    fn what_cannot_be_read_is_made_anew() {
        let first = renewed(None, &names(), day(0)).unwrap().unwrap();
        for change in [
            |kept: &mut Kept| kept.authority_key.clear(),
            |kept: &mut Kept| kept.authorities.clear(),
            |kept: &mut Kept| kept.chain.clear(),
        ] {
            let mut broken = Kept { ..first.clone() };
            change(&mut broken);
            let next = after(&broken, 1).unwrap();
            assert!(chains(&next, &next.authorities));
        }
        let old = after(&first, 3_000).unwrap();
        assert!(old.authorities != first.authorities && chains(&old, &old.authorities));
    }
}
