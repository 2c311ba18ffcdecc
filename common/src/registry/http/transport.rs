//! One request to one host and the beginning of its answer. Redirects, credentials and attempts are the
//! business of others.

use std::error::Error;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Body, Certificate, ClientBuilder, Method, NoProxy, Proxy, Response, redirect};
use url::Url;

use super::config::{Config, ConfigError, Proxies, Transport};
use super::egress::{Guard, Refusal};
use super::endpoint::host;
use super::limited;
use super::observer::{Observer, Stage, Wait};
use crate::limits;
use crate::verdict::RegistryProblem;

/// Connections to all hosts, in three kinds that are set up on first use.
///
/// Loading the certificates of the system takes longer than a request to a registry on this machine, which
/// speaks plain HTTP and needs none.
pub(super) struct Hosts {
    plain: OnceLock<Result<reqwest::Client, String>>,
    verified: OnceLock<Result<reqwest::Client, String>>,
    unverified: OnceLock<Result<reqwest::Client, String>>,
    user_agent: HeaderValue,
    authorities: Vec<Certificate>,
    proxies: Vec<Proxy>,
    /// Hosts and ports whose certificates are not verified.
    insecure: Vec<String>,
    guard: Guard,
    observer: Option<Arc<dyn Observer>>,
}

/// A request to one host.
pub(super) struct Hop {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub authorization: Option<HeaderValue>,
    pub body: Option<Body>,
}

impl Hosts {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let agent =
            config.user_agent.as_deref().unwrap_or(concat!("kubectl-trust/", env!("CARGO_PKG_VERSION")));
        let user_agent = HeaderValue::from_str(agent).map_err(|_| ConfigError::UserAgent)?;
        let mut authorities = Vec::new();
        for (number, text) in config.authorities.iter().enumerate() {
            let found = Certificate::from_pem_bundle(text.as_bytes()).ok().filter(|found| !found.is_empty());
            authorities.extend(found.ok_or(ConfigError::Authority(number))?);
        }
        let insecure = config.transports.iter().filter(|(_, how)| **how == Transport::InsecureTls);
        let (proxies, proxy_urls) = proxies(&config.proxies)?;
        Ok(Self {
            plain: OnceLock::new(),
            verified: OnceLock::new(),
            unverified: OnceLock::new(),
            user_agent,
            authorities,
            proxies,
            insecure: insecure.map(|(registry, _)| host(registry).to_owned()).collect(),
            guard: Guard::new(config.egress.clone(), &proxy_urls),
            observer: config.observer.clone(),
        })
    }

    /// Sends a request for a registry to a URL that the registry may send us to.
    pub(super) async fn send(
        &self,
        hop: Hop,
        registry: &Url,
        deadline: Instant,
    ) -> Result<Response, RegistryProblem> {
        self.guard.check(&hop.url, registry)?;
        let _waiting = self.waits(&hop.method, &hop.url, Stage::Answer, deadline);
        let mut headers = hop.headers;
        // Attack: a few bytes that decompress to gigabytes. Nothing is decompressed here, so nobody is
        // asked to compress.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(mut authorization) = hop.authorization {
            authorization.set_sensitive(true);
            headers.insert(AUTHORIZATION, authorization);
        }
        let mut request = self.client(&hop.url)?.request(hop.method, hop.url).headers(headers);
        if let Some(body) = hop.body {
            request = request.body(body);
        }
        within(deadline, request.send()).await?.map_err(|error| network(&error))
    }

    /// Tells the observer, if there is one, what is waited for until the result is dropped.
    pub(super) fn waits(
        &self,
        method: &Method,
        url: &Url,
        stage: Stage,
        until: Instant,
    ) -> Option<Box<dyn Send>> {
        let observer = self.observer.as_ref()?;
        // Without the query: what opens a storage or an upload stands there.
        let request = format!("{method} {}://{}{}", url.scheme(), authority(url), url.path());
        Some(observer.waits(&Wait { request: &request, stage, until: limited(until) }))
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, RegistryProblem> {
        let host = authority(url);
        let (client, builder): (_, fn(&Self) -> ClientBuilder) = if url.scheme() == "http" {
            // No certificates at all: neither the time nor a way to use them.
            (&self.plain, |hosts| hosts.builder().tls_certs_only([]))
        } else if self.insecure.contains(&host) {
            (&self.unverified, |hosts| {
                hosts.builder().tls_certs_only([]).tls_danger_accept_invalid_certs(true)
            })
        } else {
            (&self.verified, |hosts| hosts.builder().tls_certs_merge(hosts.authorities.iter().cloned()))
        };
        let built = client.get_or_init(|| builder(self).build().map_err(|error| causes(&error)));
        built.as_ref().map_err(|why| RegistryProblem::Unreachable(format!("TLS cannot be set up: {why}")))
    }

    fn builder(&self) -> ClientBuilder {
        let builder = reqwest::Client::builder()
            .user_agent(self.user_agent.clone())
            // Other crates of the program may build the library with decompression, which is then on for all;
            // attack A35 is a bomb.
            .no_gzip()
            .no_deflate()
            .no_brotli()
            .no_zstd()
            .redirect(redirect::Policy::none())
            .referer(false)
            // Those of the environment.
            .no_proxy()
            .connect_timeout(Duration::from_secs(limits::CONNECT_SECONDS))
            .dns_resolver(self.guard.clone());
        self.proxies.iter().cloned().fold(builder, ClientBuilder::proxy)
    }
}

/// Host and port as [`crate::image::Repository::registry`] writes them.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The rest of the time for something; none once the time is over, however quick it would be.
pub(super) async fn within<T>(
    deadline: Instant,
    what: impl Future<Output = T>,
) -> Result<T, RegistryProblem> {
    if Instant::now() >= deadline {
        return Err(RegistryProblem::DeadlineExceeded);
    }
    tokio::time::timeout_at(deadline.into(), what).await.map_err(|_| RegistryProblem::DeadlineExceeded)
}

/// What went wrong below HTTP.
pub(super) fn network(error: &reqwest::Error) -> RegistryProblem {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<Refusal>() {
            return refusal.clone().into();
        }
        cause = inner.source();
    }
    if error.is_connect() && error.is_timeout() {
        let seconds = limits::CONNECT_SECONDS;
        return RegistryProblem::Unreachable(format!("no connection within {seconds} s"));
    }
    RegistryProblem::Unreachable(causes(error))
}

/// What went wrong, in words of the network. Not the URL: that of a redirect may hold a signature that opens a
/// storage; nor the libraries' own words, which name their parts.
fn causes(error: &reqwest::Error) -> String {
    let mut words = None;
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        // The innermost says most.
        words = inner.downcast_ref::<io::Error>().map(of_system).or(words);
        cause = inner.source();
    }
    words.unwrap_or_else(|| {
        let words = if error.is_timeout() {
            "it took too long"
        } else if error.is_connect() {
            "no connection to it can be made"
        } else {
            "the connection broke off"
        };
        words.to_owned()
    })
}

/// What the system, or TLS above it, says.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others say it themselves")]
fn of_system(error: &io::Error) -> String {
    let words = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "the connection was closed"
        }
        io::ErrorKind::UnexpectedEof => "the connection was closed before the answer was whole",
        io::ErrorKind::TimedOut => "it took too long",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "there is no way to the host",
        // What TLS does not take is handed on as data.
        io::ErrorKind::InvalidData => "TLS: its certificate is not trusted, or it does not speak TLS",
        // What the system says, without its number.
        _ => return error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    };
    words.to_owned()
}

fn proxies(config: &Proxies) -> Result<(Vec<Proxy>, Vec<Url>), ConfigError> {
    // As Go does: what is on this machine is never on the other side of a proxy.
    let direct = format!("{},localhost,127.0.0.0/8,::1", config.no_proxy.as_deref().unwrap_or_default());
    let except = NoProxy::from_string(direct.trim_start_matches(','));
    let (mut proxies, mut urls) = (Vec::new(), Vec::new());
    for (kind, url) in [("https", &config.https), ("http", &config.http)] {
        let Some(url) = url.as_deref().filter(|url| !url.is_empty()) else { continue };
        // As curl and Go read it: a bare `host:port` is an HTTP proxy.
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let parsed = Url::parse(&url).ok().filter(Url::has_host).ok_or(ConfigError::Proxy(kind))?;
        let proxy = if kind == "https" { Proxy::https(&url) } else { Proxy::http(&url) };
        proxies.push(proxy.map_err(|_| ConfigError::Proxy(kind))?.no_proxy(except.clone()));
        urls.push(parsed);
    }
    Ok((proxies, urls))
}
