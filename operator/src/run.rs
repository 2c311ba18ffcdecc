//! From arguments to a running server, and to its end.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use clap::Parser as _;
use common::cache::Facts;
use common::limits;
use common::registry::cached::Options;
use common::registry::credentials::{Credentials, DockerConfig};
use common::registry::http::{Client, Config, Transport};
use common::registry::{Layout, Layouts};
use common::trust::TrustRoot;
use hyper_util::rt::TokioTimer;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::args::{Args, LogFormat, RegistryArgs};
use crate::certificate;
use crate::cluster::Cluster;
use crate::controllers::certificates::Renewal;
use crate::engines::OtherEngines;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::registries::Registries;
use crate::roles::Roles;
use crate::signers::Signers;
use crate::snapshot::{Snapshot, Snapshots};
use crate::webhook::admit::Engine;
use crate::webhook::server::{self, Server};
use crate::world::World;
use crate::{files, health, tls};

/// How long requests that are being judged have at the end: as long as the longest webhook timeout.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a connection may take to say what it wants. Attack: a byte a second.
const HEADERS: Duration = Duration::from_secs(10);

/// Reads the arguments and serves until it is told to end. 0: it ended as told; 2: it could not serve.
#[must_use]
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            let printed = error.print();
            return if error.use_stderr() || printed.is_err() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    log(args.log_format);
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("TRUST_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn start(args: &Args) -> anyhow::Result<()> {
    // Two providers may be linked in; the choice is made here, once, and a second call changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &Args) -> anyhow::Result<()> {
    let (snapshots, registries) = (Snapshots::default(), registries(&args.registries)?);
    let (cluster, served, registries) = if args.standalone {
        load(args, &snapshots)?;
        (None, certificate::of(args)?, registries)
    } else {
        let cluster = Cluster::connect(args).await?;
        let served = cluster.certificate(args).await?;
        let registries = registries.with_secrets(cluster.secrets());
        (Some(cluster), served, registries)
    };
    let world =
        World { registries, trust_root: trust_root(args)?, namespace: args.cluster.namespace.clone() };
    let metrics = Metrics::default();
    // What is no certificate is told where it is to be used.
    if let Ok(end) = certificate::expiry(&String::from_utf8_lossy(&served.chain)) {
        metrics.serves_until(end);
    }
    let server = Arc::new(Server::new(Engine {
        snapshots,
        namespaces: Namespaces::default(),
        roles: Roles::default(),
        signers: args.cluster.signed_policies.as_deref().map(Signers::read).transpose()?.unwrap_or_default(),
        conditions: cluster.as_ref().map(Cluster::conditions).unwrap_or_default(),
        engines: OtherEngines::new(args.cluster.unreadable_policies),
        world,
        facts: Facts::default(),
        metrics,
    }));
    if let (Some(path), Some(authority)) = (&args.tls_ca_out, &served.authority) {
        tokio::fs::write(path, authority).await.with_context(|| path.display().to_string())?;
    }
    let clients =
        args.client_ca.as_deref().map(|path| files::text(path, limits::CERTIFICATE_BYTES)).transpose()?;
    let settings = tls::settings(&served.chain, &served.key, clients.as_deref());
    let tls = RustlsConfig::from_config(settings.context("--tls-cert, --tls-key, --client-ca")?);
    let (reviews, looks) = (Handle::new(), Handle::new());
    let admission = tokio::spawn(admission(args.listen, tls.clone(), &server, reviews.clone()));
    let health = tokio::spawn(health(args.health_listen, &server, looks.clone()));
    // `None` where nothing could be bound; then the task below has ended, and says why.
    if let (Some(reviews), Some(looks)) = (reviews.listening().await, looks.listening().await) {
        info!(admission = %reviews, health = %looks, "serving");
        // Not before: nobody is to be asked to call us while we do not answer.
        if let Some(cluster) = cluster {
            cluster.follow(args, &server, served, Renewal { tls, clients });
        }
    }
    tokio::select! {
        ended = admission => ended?.with_context(|| format!("--listen {}", args.listen)),
        ended = health => ended?.with_context(|| format!("--health-listen {}", args.health_listen)),
        ended = until_told(args, &server, &reviews) => ended,
    }
}

type Serving = std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>;

fn admission(
    address: SocketAddr,
    tls: RustlsConfig,
    server: &Arc<Server>,
    handle: Handle<SocketAddr>,
) -> Serving {
    // At once: with Nagle's algorithm an answer of two parts waits 40 ms for somebody to say that he has the first.
    let at_once = |acceptor: RustlsAcceptor| acceptor.acceptor(NoDelayAcceptor::new());
    let mut serving = axum_server::bind_rustls(address, tls).map(at_once).handle(handle);
    serving.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    serving.http_builder().http2().timer(TokioTimer::new()).keep_alive_interval(HEADERS);
    Box::pin(serving.serve(server::router(server).into_make_service()))
}

fn health(address: SocketAddr, server: &Arc<Server>, handle: Handle<SocketAddr>) -> Serving {
    let mut serving = axum_server::bind(address).handle(handle);
    serving.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    Box::pin(serving.serve(health::router(Arc::clone(server)).into_make_service()))
}

/// Reads the policies anew on SIGHUP; ends on SIGTERM and SIGINT, after those who are being served. Whoever looks after
/// us is answered to the very end.
async fn until_told(args: &Args, server: &Server, reviews: &Handle<SocketAddr>) -> anyhow::Result<()> {
    let mut reload = signal(SignalKind::hangup())?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    loop {
        tokio::select! {
            () = received(&mut reload), if args.standalone => {
                // What is in force stays: a mistake in a file must not let everything in.
                if let Err(error) = load(args, &server.engine().snapshots) {
                    let problems = format!("{error:#}").replace('\n', "; ");
                    error!("the policies stay as they were: {problems}");
                }
            }
            () = received(&mut terminate) => break,
            () = received(&mut interrupt) => break,
        }
    }
    info!("ending");
    server.end();
    tokio::time::sleep(args.shutdown_delay).await;
    reviews.graceful_shutdown(Some(DRAIN));
    while reviews.connection_count() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Waits for a signal; for ever where none can come any more.
async fn received(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

fn load(args: &Args, snapshots: &Snapshots) -> anyhow::Result<()> {
    let set = files::policies(&args.policies)?;
    set.warnings.iter().for_each(|warning| warn!("{warning}"));
    let (policies, exceptions) = (set.policies.len(), set.exceptions.len());
    let _number = snapshots.put(Snapshot::new(set));
    // Not before: whoever reads it may ask at once.
    info!(policies, exceptions, "policies loaded");
    Ok(())
}

fn trust_root(args: &Args) -> anyhow::Result<Option<Arc<TrustRoot>>> {
    let Some(path) = &args.trusted_root else { return Ok(None) };
    let text = files::text(path, limits::TRUSTED_ROOT_BYTES)?;
    let root = TrustRoot::from_json(&text).with_context(|| path.display().to_string())?;
    Ok(Some(Arc::new(root)))
}

fn registries(args: &RegistryArgs) -> anyhow::Result<Registries> {
    if args.recordings.is_empty() {
        return over_http(args);
    }
    let layouts = args.recordings.iter().map(|folder| Layout::open(folder).map_err(anyhow::Error::new));
    Ok(Registries::recorded(Arc::new(Layouts(layouts.collect::<anyhow::Result<Vec<_>>>()?))))
}

fn over_http(args: &RegistryArgs) -> anyhow::Result<Registries> {
    let authority = |path| files::text(path, limits::CERTIFICATE_BYTES);
    let config = Config {
        user_agent: Some(concat!("trust-operator/", env!("CARGO_PKG_VERSION")).to_owned()),
        transports: Transport::insecure(&args.insecure_registry).context("--insecure-registry")?,
        authorities: args
            .registry_ca
            .iter()
            .map(|path| authority(path))
            .collect::<anyhow::Result<Vec<_>>>()?,
        ..Config::default()
    };
    let logins = match &args.registry_config {
        None => Credentials::default(),
        Some(path) => {
            let (text, name) = (files::text(path, limits::DOCKER_CONFIG_BYTES)?, path.display().to_string());
            DockerConfig::parse(&text, &name).with_context(|| name.clone())?.credentials
        }
    };
    let options = Options { tag_ttl: args.tag_freshness, folder: args.cache.clone(), ..Options::default() };
    Ok(Registries::over_http(Client::new(config)?, logins, options))
}
