//! What a caller says about registries. Nothing is read from the environment here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::egress::Egress;
use super::observer::Observer;
use crate::image::Repository;

/// Settings of a [`super::Client`]. The default reaches every public and private registry over verified
/// TLS, and those on this machine over plain HTTP.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The `User-Agent`; without one, that of this crate.
    pub user_agent: Option<String>,
    /// How a registry is spoken to, by host and port as [`crate::image::Repository::registry`] writes
    /// them; [`Transport::Standard`] where there is none.
    pub transports: BTreeMap<String, Transport>,
    /// Certificate authorities that count beside those of the system, as texts of PEM blocks.
    pub authorities: Vec<String>,
    /// Proxies.
    pub proxies: Proxies,
    /// Where else the images of a registry or repository are looked for.
    pub rewrites: Vec<Rewrite>,
    /// Where requests may go.
    pub egress: Egress,
    /// Receives every wait of the client; none by default.
    pub observer: Option<Arc<dyn Observer>>,
}

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// TLS with a verified certificate; plain HTTP for a registry on this machine (`localhost`,
    /// 127.0.0.0/8, `::1`), as container runtimes do.
    #[default]
    Standard,
    /// TLS with a verified certificate, on this machine as well.
    Tls,
    /// TLS with whoever answers. Digests are still checked, so what is asked for by digest is authentic;
    /// tags, lists of referrers and "not there" are whatever somebody on the way says, and credentials are
    /// given to him.
    InsecureTls,
    /// Plain HTTP. As [`Transport::InsecureTls`], and everybody on the way can read along; credentials are
    /// not sent, except on this machine.
    InsecureHttp,
}

impl Transport {
    /// The transports of registries that are named as insecure: `HOST`, `HOST:PORT` or `http://HOST` for plain
    /// HTTP, `https://HOST` for TLS with whoever answers. They are read as part of an image's name, so that they
    /// are called the same.
    ///
    /// # Errors
    /// The name that is none.
    pub fn insecure(hosts: &[String]) -> Result<BTreeMap<String, Self>, ConfigError> {
        let transport = |host: &String| {
            let (name, transport) = match host.strip_prefix("https://") {
                Some(name) => (name, Self::InsecureTls),
                None => (host.strip_prefix("http://").unwrap_or(host), Self::InsecureHttp),
            };
            let named = Repository::parse(&format!("{name}/x")).ok();
            let named = named.filter(|named| named.path() == "x");
            let named = named.ok_or_else(|| ConfigError::Host(host.clone()))?;
            Ok((named.registry().to_owned(), transport))
        };
        hosts.iter().map(transport).collect()
    }
}

/// Proxies. The names of registries are resolved by the proxy then, so of the [`Egress`] rules those about
/// names and literal addresses hold, and those about the addresses of names are the proxy's business.
#[derive(Clone, Default)]
pub struct Proxies {
    /// The URL of the proxy for `https://`, perhaps with user and password.
    pub https: Option<String>,
    /// The URL of the proxy for `http://`.
    pub http: Option<String>,
    /// What is reached directly, as in `NO_PROXY`: names with their subdomains, addresses, networks, `*`.
    /// This machine always is.
    pub no_proxy: Option<String>,
}

impl fmt::Debug for Proxies {
    /// Without the URLs, which may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |proxy: &Option<String>| if proxy.is_some() { "set" } else { "none" };
        f.debug_struct("Proxies")
            .field("https", &set(&self.https))
            .field("http", &set(&self.http))
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

/// Other places of images, tried in order before the original.
///
/// A mirror is believed what it has, and not what it lacks: "not there" and an empty list of referrers
/// send us on to the next place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// A registry or repository, `docker.io` or `ghcr.io/acme`: whole path components of a name. The
    /// longest that fits counts.
    pub prefix: String,
    /// What stands for the prefix: `mirror.example:5000` or `mirror.example/docker-hub`.
    pub mirrors: Vec<String>,
    /// Whether the original is left out, as in a network without a way to it.
    pub exclusive: bool,
}

/// What is wrong with a [`Config`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Text number so-and-so of the certificate authorities.
    #[error("certificate authority {0} is not a text of PEM certificates")]
    Authority(usize),
    /// A proxy's URL, which is not repeated as it may hold a password.
    #[error("the URL of the {0} proxy is not usable")]
    Proxy(&'static str),
    /// Not a header's value.
    #[error("the user agent holds characters that no header may have")]
    UserAgent,
    /// The URL of a folder of files.
    #[error("the URL {url} is not usable: {why}")]
    Site {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A registry whose name is none.
    #[error("`{0}` is not a registry; write HOST or HOST:PORT")]
    Host(String),
    /// A mirror or prefix that is no name of a registry or repository.
    #[error("`{0}` is not a registry, nor a registry with a path")]
    Place(String),
}
