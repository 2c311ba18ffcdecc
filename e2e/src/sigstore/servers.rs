//! Which server is started when, and with what.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::{Programs, Sigstore, path};
use crate::process;

impl Sigstore {
    /// The servers that need no other.
    pub(super) fn start_first(&mut self, programs: &Programs, keys: &Path) -> anyhow::Result<()> {
        let address = |port: u16| format!("127.0.0.1:{port}");
        self.serve(
            "oidc",
            &programs.oidc,
            &[
                format!("-addr={}", address(self.ports.oidc)),
                format!("-key={}", path(&keys.join("oidc.key"))),
            ],
        )?;
        let trees = path(&self.folder.join("trees.json"));
        self.serve(
            "trillian-mem",
            &programs.trillian,
            &[
                format!("-addr={}", address(self.ports.trillian)),
                "-trees=ct,rekor".to_owned(),
                format!("-out={trees}"),
            ],
        )?;
        self.serve(
            "timestamp-server",
            &programs.timestamps,
            &[
                format!("-port={}", self.ports.timestamps),
                format!("-key={}", path(&keys.join("tsa.key"))),
                format!("-chain={}", path(&keys.join("tsa-chain.pem"))),
            ],
        )?;
        let [http, grpc, metrics] = self.ports.rekor2;
        self.serve(
            "rekor-v2",
            &programs.rekor2,
            &[
                "serve".to_owned(),
                "--http-address=127.0.0.1".to_owned(),
                format!("--http-port={http}"),
                "--grpc-address=127.0.0.1".to_owned(),
                format!("--grpc-port={grpc}"),
                format!("--http-metrics-port={metrics}"),
                "--hostname=127.0.0.1".to_owned(),
                format!("--storage-dir={}", path(&self.folder.join("rekor-v2"))),
                format!("--signer-filepath={}", path(&keys.join("rekor2.key"))),
                // Signing waits for a checkpoint: 10 s where nothing is said.
                "--checkpoint-interval=200ms".to_owned(),
                "--batch-max-age=50ms".to_owned(),
            ],
        )
    }

    /// The two logs that keep their trees in Trillian.
    pub(super) fn start_logs(&mut self, programs: &Programs, keys: &Path) -> anyhow::Result<()> {
        let file = self.folder.join("trees.json");
        let read = || serde_json::from_slice::<Value>(&fs::read(&file).ok()?).ok();
        let trees = process::wait_for("trillian-mem", &self.log("trillian-mem"), read)?;
        let tree = |name: &str| {
            trees[name].as_str().map(ToOwned::to_owned).with_context(|| format!("no tree {name}: {trees}"))
        };
        self.must(&programs.pki, &[path(keys), tree("ct")?])?;
        self.serve(
            "ct_server",
            &programs.certificate_log,
            &[
                format!("--http_endpoint=127.0.0.1:{}", self.ports.certificate_log),
                format!("--log_config={}", path(&keys.join("ct_server.cfg"))),
                format!("--log_rpc_server=127.0.0.1:{}", self.ports.trillian),
                "--logtostderr".to_owned(),
            ],
        )?;
        self.serve(
            "rekor-v1",
            &programs.rekor1,
            &[
                "serve".to_owned(),
                "--rekor_server.address=127.0.0.1".to_owned(),
                "--rekor_server.hostname=127.0.0.1".to_owned(),
                format!("--port={}", self.ports.rekor1),
                format!("--rekor_server.signer={}", path(&keys.join("rekor1.key"))),
                "--trillian_log_server.address=127.0.0.1".to_owned(),
                format!("--trillian_log_server.port={}", self.ports.trillian),
                format!("--trillian_log_server.tlog_id={}", tree("rekor")?),
                // The search index would want a database.
                "--enable_retrieve_api=false".to_owned(),
                concat!(
                    "--enabled_api_endpoints=getLogInfo,getPublicKey,getLogProof,createLogEntry,",
                    "getLogEntryByIndex,getLogEntryByUUID,searchLogQuery"
                )
                .to_owned(),
            ],
        )
    }

    /// Fulcio reads the issuer's keys when it starts; then everything must answer.
    pub(super) fn start_fulcio(&mut self, programs: &Programs, keys: &Path) -> anyhow::Result<()> {
        self.wait("oidc", self.ports.oidc, "healthz")?;
        let configuration = self.folder.join("fulcio.yaml");
        // The comment keeps it from being read as JSON, where Fulcio has other names for everything.
        fs::write(&configuration, format!("# YAML\n{}\n", self.fulcio_configuration()))?;
        let [http, grpc, metrics] = self.ports.fulcio;
        self.serve(
            "fulcio",
            &programs.fulcio,
            &[
                "serve".to_owned(),
                "--host=127.0.0.1".to_owned(),
                format!("--port={http}"),
                "--grpc-host=127.0.0.1".to_owned(),
                format!("--grpc-port={grpc}"),
                format!("--metrics-port={metrics}"),
                format!("--legacy-unix-domain-socket={}", path(&self.folder.join("fulcio.sock"))),
                format!("--config-path={}", path(&configuration)),
                "--ca=fileca".to_owned(),
                format!("--fileca-cert={}", path(&keys.join("fulcio-chain.pem"))),
                format!("--fileca-key={}", path(&keys.join("fulcio-int.key"))),
                "--fileca-key-passwd=none".to_owned(),
                "--fileca-watch=false".to_owned(),
                format!("--ct-log-url={}", self.certificate_log()),
                format!("--ct-log-public-key-path={}", path(&keys.join("ct.pub"))),
            ],
        )?;
        self.wait("timestamp-server", self.ports.timestamps, "ping")?;
        self.wait("ct_server", self.ports.certificate_log, "ct/ct/v1/get-roots")?;
        self.wait("rekor-v1", self.ports.rekor1, "api/v1/log")?;
        self.wait("rekor-v2", self.ports.rekor2[0], "healthz")?;
        self.wait("fulcio", http, "healthz")
    }
}
