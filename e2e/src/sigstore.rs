//! A private Sigstore on loopback: an OIDC issuer, Fulcio with a certificate log, Rekor in both
//! generations and a timestamp authority, all real but for the issuer.
//!
//! What it issues is complete: certificates with the log's promise in them, inclusion proofs, signed
//! timestamps. The folder holds `trusted_root.json`, `signing_config.json` (Rekor v2 and timestamps) and
//! `signing_config_rekor1.json`, made by cosign itself.
//!
//! Everything is served on 127.0.0.1, but the metrics of Fulcio (a free port) and Rekor v1 (2112, where that
//! is free) listen on every address while the tests run: these programs have no setting for it.

mod configuration;
mod servers;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, bail};
use reqwest::blocking::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{self, Server};
use crate::programs;

/// The generations of the transparency log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rekor {
    /// Promises, inclusion proofs and its own time.
    V1,
    /// Inclusion proofs only; time comes from the timestamp authority.
    V2,
}

/// A running private Sigstore. It ends when dropped, and with the process however that ends.
#[derive(Debug)]
pub struct Sigstore {
    folder: PathBuf,
    ports: Ports,
    client: Client,
    servers: Vec<Server>,
}

/// The one that the tests of a process share; started by whoever asks first. `None` where
/// [`programs::find`] says so.
///
/// # Errors
/// A program is missing, or one of the servers does not come up.
pub fn shared() -> anyhow::Result<Option<&'static Sigstore>> {
    static SHARED: OnceLock<Result<Option<Sigstore>, String>> = OnceLock::new();
    match SHARED.get_or_init(|| Sigstore::start().map_err(|error| format!("{error:#}"))) {
        Ok(sigstore) => Ok(sigstore.as_ref()),
        Err(error) => bail!("{error}"),
    }
}

/// Where everything listens.
#[derive(Debug)]
struct Ports {
    oidc: u16,
    trillian: u16,
    certificate_log: u16,
    timestamps: u16,
    rekor1: u16,
    /// HTTP, gRPC, metrics.
    rekor2: [u16; 3],
    /// HTTP, gRPC, metrics.
    fulcio: [u16; 3],
}

impl Ports {
    fn find() -> anyhow::Result<Self> {
        let [oidc, trillian, certificate_log, timestamps, rekor1, r1, r2, r3, f1, f2, f3] =
            process::free_ports()?;
        let (rekor2, fulcio) = ([r1, r2, r3], [f1, f2, f3]);
        Ok(Self { oidc, trillian, certificate_log, timestamps, rekor1, rekor2, fulcio })
    }
}

/// Where the programs are.
struct Programs {
    oidc: PathBuf,
    pki: PathBuf,
    trillian: PathBuf,
    certificate_log: PathBuf,
    fulcio: PathBuf,
    rekor1: PathBuf,
    rekor2: PathBuf,
    timestamps: PathBuf,
    cosign: PathBuf,
}

impl Programs {
    fn find() -> anyhow::Result<Option<Self>> {
        let names = [
            "oidc",
            "pki",
            "trillian-mem",
            "ct_server",
            "fulcio",
            "rekor-v1",
            "rekor-v2",
            "timestamp-server",
            "cosign",
        ];
        let found = programs::find_all(names)?;
        Ok(found.map(|[oidc, pki, trillian, certificate_log, fulcio, rekor1, rekor2, timestamps, cosign]| {
            Self { oidc, pki, trillian, certificate_log, fulcio, rekor1, rekor2, timestamps, cosign }
        }))
    }
}

impl Sigstore {
    /// Starts one. `None` where [`programs::find`] says so.
    ///
    /// # Errors
    /// A program is missing, or one of the servers does not come up.
    pub fn start() -> anyhow::Result<Option<Self>> {
        let Some(programs) = Programs::find()? else { return Ok(None) };
        // Kept: it is deleted by whoever ends the servers, which outlive this process's last chance to do so.
        let folder = TempDir::with_prefix("trust-e2e-sigstore-")?.keep();
        let client = Client::builder().no_proxy().build()?;
        let mut this = Self { folder, ports: Ports::find()?, client, servers: Vec::new() };
        let keys = this.folder.join("pki");
        this.must(&programs.pki, &[path(&keys)])?;
        fs::create_dir(this.folder.join("rekor-v2"))?;
        this.start_first(&programs, &keys)?;
        this.start_logs(&programs, &keys)?;
        this.start_fulcio(&programs, &keys)?;
        this.write_configuration(&programs.cosign, &keys)?;
        Ok(Some(this))
    }

    /// The folder with all that clients need.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The trusted root: `trusted_root.json`.
    #[must_use]
    pub fn trusted_root(&self) -> PathBuf {
        self.folder.join("trusted_root.json")
    }

    /// The signing configuration with one generation of the log; timestamps are part of both.
    #[must_use]
    pub fn signing_config(&self, rekor: Rekor) -> PathBuf {
        let name = match rekor {
            Rekor::V1 => "signing_config_rekor1.json",
            Rekor::V2 => "signing_config.json",
        };
        self.folder.join(name)
    }

    /// The environment that clients without a trusted root read instead.
    #[must_use]
    pub fn legacy_environment(&self) -> [(&'static str, PathBuf); 3] {
        let file = |name: &str| self.folder.join("pki").join(name);
        [
            ("SIGSTORE_ROOT_FILE", file("fulcio-chain.pem")),
            ("SIGSTORE_REKOR_PUBLIC_KEY", file("rekor1.pub")),
            ("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", file("ct.pub")),
        ]
    }

    /// The issuer of e-mail identities.
    #[must_use]
    pub fn issuer(&self) -> String {
        url(self.ports.oidc)
    }

    /// The issuer of identities of GitHub workflows.
    #[must_use]
    pub fn workflow_issuer(&self) -> String {
        format!("{}/github", self.issuer())
    }

    /// Where certificates come from.
    #[must_use]
    pub fn fulcio(&self) -> String {
        url(self.ports.fulcio[0])
    }

    /// Where entries are logged.
    #[must_use]
    pub fn rekor(&self, rekor: Rekor) -> String {
        match rekor {
            Rekor::V1 => url(self.ports.rekor1),
            Rekor::V2 => url(self.ports.rekor2[0]),
        }
    }

    /// Where timestamps come from.
    #[must_use]
    pub fn timestamps(&self) -> String {
        format!("{}/api/v1/timestamp", url(self.ports.timestamps))
    }

    fn certificate_log(&self) -> String {
        format!("{}/ct", url(self.ports.certificate_log))
    }

    /// A token that proves an e-mail address.
    ///
    /// # Errors
    /// The issuer does not answer.
    pub fn token(&self, email: &str) -> anyhow::Result<String> {
        self.token_with(&self.issuer(), &json!({"email": email}))
    }

    /// A token of a GitHub workflow, `OWNER/REPOSITORY/.github/workflows/FILE@REF`; its identity is
    /// `https://github.com/` and that.
    ///
    /// # Errors
    /// The text is no workflow, or the issuer does not answer.
    pub fn workflow_token(&self, workflow: &str) -> anyhow::Result<String> {
        let wanted = || format!("{workflow}: expected OWNER/REPOSITORY/.github/workflows/FILE@REF");
        let (file, reference) = workflow.split_once('@').with_context(wanted)?;
        let (repository, _) = file.split_once("/.github/").with_context(wanted)?;
        let claims = json!({
            "sub": format!("repo:{repository}:ref:{reference}"),
            "repository": repository,
            "ref": reference,
            "job_workflow_ref": workflow,
            "workflow": "release",
            "event_name": "push",
            "sha": "1".repeat(40),
            "runner_environment": "github-hosted",
        });
        self.token_with(&self.workflow_issuer(), &claims)
    }

    /// A token with these claims by an issuer of its own under [`Sigstore::issuer`] (`/uri`, `/k8s`,
    /// `/spiffe`, `/github`).
    ///
    /// # Errors
    /// The issuer does not answer.
    pub fn token_with(&self, issuer: &str, claims: &Value) -> anyhow::Result<String> {
        let answer = self.client.post(format!("{issuer}/token")).json(claims).send()?;
        let answer = answer.error_for_status().context("the issuer gives no token")?;
        Ok(answer.text()?)
    }

    /// Runs a program to its end; it must succeed.
    fn must(&self, program: &Path, arguments: &[String]) -> anyhow::Result<String> {
        let run = process::run(process::isolated(program, &self.folder).args(arguments))?;
        run.success().with_context(|| format!("{} {}", path(program), arguments.join(" ")))
    }

    fn serve(&mut self, name: &str, program: &Path, arguments: &[String]) -> anyhow::Result<()> {
        let mut command = process::isolated(program, &self.folder);
        command.args(arguments);
        // Whoever ends the one that writes files all along can also delete them all.
        let owned = (name == "rekor-v2").then_some(self.folder.as_path());
        self.servers.push(Server::start(&command, &self.log(name), owned)?);
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// Waits until a path of a server answers.
    fn wait(&self, name: &str, port: u16, path: &str) -> anyhow::Result<()> {
        let url = format!("{}/{path}", url(port));
        let answers = || self.client.get(&url).send().ok()?.error_for_status().ok();
        process::wait_for(name, &self.log(name), answers).map(drop)
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
