//! A guarded cluster: a control plane of its own with our operator in front of it, out of the cluster, with the
//! rights of its service account and no others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::blocking::Client;
use tempfile::TempDir;

use crate::apiserver::ApiServer;
use crate::forwarder::Forwarder;
use crate::process::{self, Run, Server};
use crate::registry::{Kind, Registry};
use crate::trust;

/// The namespace of the operator, as `operator/deploy/default` has it.
pub const NAMESPACE: &str = "trust-operator";

/// How long the API server may take to notice what was changed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A guarded cluster, and a registry. It ends with the process, however that ends.
#[derive(Debug)]
pub struct Guarded {
    /// The control plane.
    pub api: ApiServer,
    /// A registry, which the operator reaches.
    pub registry: Registry,
    /// The operator: one process, or several behind [`Self::service`].
    pub replicas: Vec<Replica>,
    /// What stands for the Service in front of the replicas, where there are several.
    pub service: Option<Forwarder>,
    folder: PathBuf,
}

/// One process of the operator, which runs or does not.
#[derive(Debug)]
pub struct Replica {
    /// The port that it is asked on.
    pub port: u16,
    health: u16,
    log: PathBuf,
    running: Mutex<Option<Server>>,
}

impl Replica {
    fn new(log: PathBuf) -> anyhow::Result<Self> {
        let [port, health] = process::free_ports()?;
        Ok(Self { port, health, log, running: Mutex::new(None) })
    }

    fn start(&self, command: &Command) -> anyhow::Result<()> {
        *self.running() = Some(Server::start(command, &self.log, None)?);
        Ok(())
    }

    /// Waits until it is ready.
    fn wait(&self) -> anyhow::Result<()> {
        let client = Client::builder().no_proxy().build()?;
        let url = format!("http://127.0.0.1:{}/readyz", self.health);
        let ready = || client.get(&url).send().ok()?.error_for_status().ok();
        process::wait_for("trust-operator", &self.log, ready).map(drop)
    }

    /// Takes it away, as when its machine dies.
    pub fn kill(&self) {
        *self.running() = None;
    }

    /// Tells it to end, as a kubelet does.
    ///
    /// # Errors
    /// It does not run.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.running().as_mut().context("it does not run")?.terminate()
    }

    /// Waits until it has ended by itself, and gives its exit code.
    ///
    /// # Errors
    /// It does not run, or goes on.
    pub fn ended(&self) -> anyhow::Result<i32> {
        let mut server = self.running().take().context("it does not run")?;
        server.ended()
    }

    /// Whether it has been started and has not ended since.
    ///
    /// # Errors
    /// The system does not say.
    pub fn is_running(&self) -> anyhow::Result<bool> {
        self.running().as_mut().map_or(Ok(false), Server::is_running)
    }

    fn running(&self) -> MutexGuard<'_, Option<Server>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has said to its log since it was started.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The one guarded cluster that the tests of a process share, each in a namespace of its own with policies that are
/// about that namespace only. `None` where [`crate::programs::find`] says so.
///
/// # Errors
/// A program is missing, or something does not come up.
pub fn shared() -> anyhow::Result<Option<&'static Guarded>> {
    static SHARED: OnceLock<Result<Option<Guarded>, String>> = OnceLock::new();
    match SHARED.get_or_init(|| Guarded::start().map_err(|error| format!("{error:#}"))) {
        Ok(guarded) => Ok(guarded.as_ref()),
        Err(error) => bail!("{error}"),
    }
}

impl Guarded {
    /// One of one's own, for tests that take the operator away.
    ///
    /// # Errors
    /// As [`shared`].
    pub fn start() -> anyhow::Result<Option<Self>> {
        Self::start_with(&[])
    }

    /// The same with more arguments for the operator.
    ///
    /// # Errors
    /// As [`shared`].
    pub fn start_with(arguments: &[&str]) -> anyhow::Result<Option<Self>> {
        let Some(this) = Self::bare()? else { return Ok(None) };
        this.deploy("kyverno-crds")?;
        this.deploy("default")?;
        this.run(arguments)?;
        Ok(Some(this))
    }

    /// The same with two replicas behind one address, which start at the same time.
    ///
    /// # Errors
    /// As [`shared`].
    pub fn start_two() -> anyhow::Result<Option<Self>> {
        let Some(mut this) = Self::bare()? else { return Ok(None) };
        this.replicas.push(Replica::new(this.folder.join("second.log"))?);
        let ports: Vec<_> = this.replicas.iter().map(|replica| replica.port).collect();
        this.service = Some(Forwarder::start(&ports)?);
        this.deploy("kyverno-crds")?;
        this.deploy("default")?;
        let commands = this.replicas.iter().map(|replica| this.command(replica, &[]));
        let commands = commands.collect::<anyhow::Result<Vec<_>>>()?;
        for (replica, command) in this.replicas.iter().zip(&commands) {
            replica.start(command)?;
        }
        this.replicas.iter().try_for_each(Replica::wait)?;
        Ok(Some(this))
    }

    /// The same as [`Self::start`] before anything is deployed.
    ///
    /// # Errors
    /// As [`shared`].
    pub fn bare() -> anyhow::Result<Option<Self>> {
        let (Some(api), Some(registry)) = (ApiServer::start()?, Registry::start(Kind::Referrers)?) else {
            return Ok(None);
        };
        let folder = TempDir::with_prefix("trust-e2e-operator-")?.keep();
        let replicas = vec![Replica::new(folder.join("operator.log"))?];
        Ok(Some(Self { api, registry, replicas, service: None, folder }))
    }

    fn deploy(&self, what: &str) -> anyhow::Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/deploy").join(what);
        let folder = folder.to_string_lossy().into_owned();
        self.api.kubectl(["apply", "-k", &folder])?.success().map(drop)
    }

    /// Starts the operator, which does not run now, with more arguments, and waits until it is ready.
    ///
    /// # Errors
    /// It does not come up.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        self.start_again(&self.replicas[0], arguments)
    }

    /// The same with one of the replicas.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_again(&self, replica: &Replica, arguments: &[&str]) -> anyhow::Result<()> {
        replica.start(&self.command(replica, arguments)?)?;
        replica.wait()
    }

    fn command(&self, Replica { port, health, .. }: &Replica, arguments: &[&str]) -> anyhow::Result<Command> {
        let kubeconfig = self.api.account(NAMESPACE, "trust-operator")?;
        let mut command = process::isolated(trust::binary("trust-operator")?, &self.folder);
        // What keeps other programs off the network keeps this one off the cluster: it knows no NO_PROXY.
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
            command.env_remove(name);
        }
        command.arg("--kubeconfig").arg(kubeconfig).args(["--owner", "trust-operator"]);
        let reached = self.service.as_ref().map_or(*port, Forwarder::port);
        command.args([
            format!("--webhook-url=https://127.0.0.1:{reached}"),
            format!("--listen=127.0.0.1:{port}"),
            format!("--health-listen=127.0.0.1:{health}"),
        ]);
        command.args(["--exempt-namespace", "kube-system", "--exceptions-from", NAMESPACE]).args(arguments);
        Ok(command)
    }

    /// Takes the operator away, as when its machine dies.
    pub fn kill(&self) {
        self.replicas.iter().for_each(Replica::kill);
    }

    /// What the operator says to its log.
    #[must_use]
    pub fn said(&self) -> String {
        self.replicas.iter().map(Replica::said).collect()
    }

    /// kubectl with a file on its standard input.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn apply(&self, text: &str, arguments: &[&str]) -> anyhow::Result<Run> {
        let all = ["apply", "-f", "-"].into_iter().chain(arguments.iter().copied());
        self.api.kubectl_with(all, text.as_bytes())
    }

    /// Applies a text again and again, as a dry run, until it ends as it should: the API server notices webhooks
    /// and policies after a moment.
    ///
    /// # Errors
    /// It never does.
    pub fn until(&self, text: &str, namespace: &str, ends: impl Fn(&Run) -> bool) -> anyhow::Result<Run> {
        let begin = Instant::now();
        loop {
            let run = self.apply(text, &["-n", namespace, "--dry-run=server"])?;
            if ends(&run) {
                return Ok(run);
            }
            if begin.elapsed() > PATIENCE {
                bail!("it never ends as it should: {run:?}\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A field of an object, by a JSON path.
    ///
    /// # Errors
    /// There is no such object.
    pub fn field(&self, object: &[&str], path: &str) -> anyhow::Result<String> {
        let output = format!("jsonpath={path}");
        let all = ["get"].into_iter().chain(object.iter().copied()).chain(["-o", &output]);
        self.api.kubectl(all)?.success().context("kubectl get")
    }
}
