//! A Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager.
//!
//! RBAC, admission, defaulting, garbage collection and the controllers of workloads are all real. There
//! is no scheduler and no node, so Pods stay pending.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use tempfile::TempDir;

use crate::process::{self, Run, Server};
use crate::programs;

/// How long the control plane may take to come up: 8 s on an idle machine.
const START: Duration = Duration::from_secs(180);
/// What an administrator presents; it opens a server that only this machine can reach.
const TOKEN: &str = "admin-token";

/// A running control plane. It ends with the process, however that ends.
#[derive(Debug)]
pub struct ApiServer {
    folder: PathBuf,
    kubectl: PathBuf,
    /// The API server itself: how it is started, and its process unless it is stopped.
    api: Command,
    serving: Mutex<Option<Server>>,
    others: Vec<Server>,
}

/// The one control plane that the tests of a process share, each in a namespace of its own; started by
/// whoever asks first. `None` where [`programs::find`] says so.
///
/// # Errors
/// A program is missing, or the control plane does not come up.
pub fn shared() -> anyhow::Result<Option<&'static ApiServer>> {
    static SHARED: OnceLock<Result<Option<ApiServer>, String>> = OnceLock::new();
    let started = SHARED.get_or_init(|| ApiServer::start().map_err(|error| format!("{error:#}")));
    match started {
        Ok(server) => Ok(server.as_ref()),
        Err(error) => bail!("{error}"),
    }
}

/// Where everything listens.
struct Ports {
    etcd: u16,
    peer: u16,
    api: u16,
    manager: u16,
}

impl ApiServer {
    /// A control plane of one's own, for tests whose webhooks would be in the way of others.
    ///
    /// # Errors
    /// As [`shared`].
    pub fn start() -> anyhow::Result<Option<Self>> {
        Self::start_with(&[])
    }

    /// The same with more arguments for the API server.
    ///
    /// # Errors
    /// As [`shared`].
    pub fn start_with(arguments: &[String]) -> anyhow::Result<Option<Self>> {
        let (Some(etcd), Some(api), Some(manager), Some(kubectl)) = (
            programs::find("etcd")?,
            programs::find("kube-apiserver")?,
            programs::find("kube-controller-manager")?,
            programs::find("kubectl")?,
        ) else {
            return Ok(None);
        };
        // Kept: it is deleted by whoever ends etcd, which outlives this process's last chance to do so.
        let folder = TempDir::with_prefix("trust-e2e-kube-")?.keep();
        let [etcd_port, peer, api_port, manager_port] = process::free_ports()?;
        let ports = Ports { etcd: etcd_port, peer, api: api_port, manager: manager_port };
        write_credentials(&folder, ports.api)?;
        let mut api = api_command(&api, &folder, &ports);
        api.args(arguments);
        let mut this = Self { folder, kubectl, api, serving: Mutex::new(None), others: Vec::new() };
        this.others.push(this.serve("etcd", &etcd_command(&etcd, &this.folder, &ports))?);
        let deadline = Instant::now() + START;
        this.resume()?;
        let manager = manager_command(&manager, &this.folder, &ports);
        this.others.push(this.serve("kube-controller-manager", &manager)?);
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        this.wait("kube-controller-manager", account, deadline)?;
        Ok(Some(this))
    }

    /// Takes the API server away, as when its machine dies; what it stored stays.
    pub fn stop(&self) {
        *self.serving() = None;
    }

    /// Starts the API server, which does not run now, and waits until it is ready.
    ///
    /// # Errors
    /// It does not come up.
    pub fn resume(&self) -> anyhow::Result<()> {
        *self.serving() = Some(self.serve("kube-apiserver", &self.api)?);
        self.wait("kube-apiserver", "/readyz", Instant::now() + START)
    }

    fn serving(&self) -> MutexGuard<'_, Option<Server>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, name: &str, command: &Command) -> anyhow::Result<Server> {
        let owned = (name == "etcd").then_some(self.folder.as_path());
        Server::start(command, &self.folder.join(format!("{name}.log")), owned)
    }

    /// Waits until a path answers.
    fn wait(&self, name: &str, path: &str, deadline: Instant) -> anyhow::Result<()> {
        loop {
            let answer = self.kubectl(["get", "--raw", path, "--request-timeout=5s"])?;
            if answer.code == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
                let last: Vec<_> = log.lines().rev().take(20).collect();
                bail!("{name} did not come up: {}{}", answer.stderr, last.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// A kubeconfig with the rights of a service account, and no others.
    ///
    /// # Errors
    /// There is no such account.
    pub fn account(&self, namespace: &str, name: &str) -> anyhow::Result<PathBuf> {
        let token = self.kubectl(["create", "token", name, "-n", namespace, "--duration=8h"])?.success()?;
        let text = fs::read_to_string(self.kubeconfig())?;
        let mut config: serde_json::Value = serde_json::from_str(&text)?;
        config["users"][0]["user"]["token"] = token.trim().into();
        let path = self.folder.join(format!("kubeconfig-{namespace}-{name}"));
        fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// The kubeconfig of a cluster administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    fn as_administrator<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = process::isolated(&self.kubectl, &self.folder);
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        command
    }

    /// Runs real kubectl as administrator.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn kubectl<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Run> {
        process::run(&mut self.as_administrator(arguments))
    }

    /// The same with a text on its standard input.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn kubectl_with<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        input: &[u8],
    ) -> anyhow::Result<Run> {
        process::run_with(&mut self.as_administrator(arguments), input)
    }

    /// Makes a namespace, complete with its service account, and gives its name. Namespaces are not
    /// deleted: the whole cluster goes when the process does.
    ///
    /// # Errors
    /// kubectl fails, or the controller manager does not do its part.
    pub fn namespace(&self, name: &str) -> anyhow::Result<()> {
        self.kubectl(["create", "namespace", name])?.success()?;
        let account = format!("/api/v1/namespaces/{name}/serviceaccounts/default");
        self.wait("kube-controller-manager", &account, Instant::now() + START)
    }
}

fn write_credentials(folder: &Path, api: u16) -> anyhow::Result<()> {
    let pair = rcgen::KeyPair::generate()?;
    fs::write(folder.join("accounts.key"), pair.serialize_pem())?;
    fs::write(folder.join("accounts.pub"), pair.public_key_pem())?;
    fs::write(folder.join("tokens.csv"), format!("{TOKEN},admin,1,\"system:masters\"\n"))?;
    // The server's own certificate is also its authority; it writes it when it starts.
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
        "clusters": [{"name": "e2e", "cluster": {
            "server": format!("https://127.0.0.1:{api}"),
            "certificate-authority": folder.join("certificates/apiserver.crt"),
        }}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "admin"}}],
    });
    fs::write(folder.join("kubeconfig"), config.to_string())?;
    Ok(())
}

fn etcd_command(program: &Path, folder: &Path, ports: &Ports) -> Command {
    let (client, peer) = (url(ports.etcd), url(ports.peer));
    let mut command = process::isolated(program, folder);
    command
        .arg(format!("--data-dir={}", folder.join("etcd").display()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"))
        // Nothing here has to survive a crash.
        .arg("--unsafe-no-fsync");
    command
}

fn api_command(program: &Path, folder: &Path, ports: &Ports) -> Command {
    let issuer = "https://kubernetes.default.svc";
    let mut command = process::isolated(program, folder);
    command
        .arg(format!("--etcd-servers={}", url(ports.etcd)))
        .arg("--bind-address=127.0.0.1")
        .arg("--advertise-address=127.0.0.1")
        .arg(format!("--secure-port={}", ports.api))
        .arg(format!("--cert-dir={}", folder.join("certificates").display()))
        .arg("--service-cluster-ip-range=10.96.0.0/16")
        .arg(format!("--service-account-issuer={issuer}"))
        .arg(format!("--api-audiences={issuer}"))
        .arg(format!("--service-account-key-file={}", folder.join("accounts.pub").display()))
        .arg(format!("--service-account-signing-key-file={}", folder.join("accounts.key").display()))
        .arg("--authorization-mode=RBAC")
        .arg(format!("--token-auth-file={}", folder.join("tokens.csv").display()))
        .arg("--endpoint-reconciler-type=none");
    command
}

fn manager_command(program: &Path, folder: &Path, ports: &Ports) -> Command {
    let mut command = process::isolated(program, folder);
    command
        .arg(format!("--kubeconfig={}", folder.join("kubeconfig").display()))
        .arg(format!("--service-account-private-key-file={}", folder.join("accounts.key").display()))
        .arg("--use-service-account-credentials")
        .arg("--leader-elect=false")
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--secure-port={}", ports.manager))
        .arg(format!("--cert-dir={}", folder.join("manager-certificates").display()));
    command
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
