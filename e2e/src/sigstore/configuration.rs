//! What Fulcio is told, and what clients are given.

use std::path::Path;

use serde_json::{Value, json};

use super::{Rekor, Sigstore, path};

impl Sigstore {
    /// Which tokens become which identities.
    pub(super) fn fulcio_configuration(&self) -> Value {
        let issuer = self.issuer();
        let entry = |suffix: &str, rest: Value| {
            let url = format!("{issuer}{suffix}");
            let mut entry = json!({"issuer-url": url, "client-id": "sigstore"});
            if let (Some(entry), Value::Object(rest)) = (entry.as_object_mut(), rest) {
                entry.extend(rest);
            }
            (url, entry)
        };
        let issuers = serde_json::Map::from_iter([
            entry("", json!({"type": "email"})),
            entry("/uri", json!({"type": "uri", "subject-domain": "http://127.0.0.1"})),
            entry("/k8s", json!({"type": "kubernetes"})),
            entry("/spiffe", json!({"type": "spiffe", "spiffe-trust-domain": "e2e.test"})),
            entry("/github", json!({"type": "ci-provider", "ci-provider": "github-workflow"})),
        ]);
        let workflow = "{{ .url }}/{{ .job_workflow_ref }}";
        json!({
            "oidc-issuers": issuers,
            "ci-issuer-metadata": {"github-workflow": {
                "default-template-values": {"url": "https://github.com"},
                "extension-templates": {
                    "github-workflow-trigger": "event_name",
                    "github-workflow-sha": "sha",
                    "github-workflow-name": "workflow",
                    "github-workflow-repository": "repository",
                    "github-workflow-ref": "ref",
                    "build-signer-uri": workflow,
                    "runner-environment": "runner_environment",
                    "source-repository-uri": "{{ .url }}/{{ .repository }}",
                    "source-repository-digest": "sha",
                    "source-repository-ref": "ref",
                    "build-trigger": "event_name",
                },
                "subject-alternative-name-template": workflow,
            }},
        })
    }

    /// The trusted root and the signing configurations, written by cosign.
    pub(super) fn write_configuration(&self, cosign: &Path, keys: &Path) -> anyhow::Result<()> {
        // Before any key was made, whatever clock the verifier goes by.
        let start = "start-time=2020-01-01T00:00:00Z";
        let (fulcio, issuer, timestamps) = (self.fulcio(), self.issuer(), self.timestamps());
        let (rekor1, rekor2) = (self.rekor(Rekor::V1), self.rekor(Rekor::V2));
        let file = |name: &str| path(&keys.join(name));
        self.must(
            cosign,
            &[
                "trusted-root".to_owned(),
                "create".to_owned(),
                format!("--out={}", path(&self.trusted_root())),
                format!("--fulcio=url={fulcio},certificate-chain={},{start}", file("fulcio-chain.pem")),
                // The origin of its checkpoints is its host without the port.
                format!("--rekor=url={rekor2},public-key={},{start},origin=127.0.0.1", file("rekor2.pub")),
                format!("--rekor=url={rekor1},public-key={},{start}", file("rekor1.pub")),
                format!("--ctfe=url={},public-key={},{start}", self.certificate_log(), file("ct.pub")),
                format!("--tsa=url={timestamps},certificate-chain={},{start}", file("tsa-chain.pem")),
            ],
        )?;
        let rest = format!("{start},operator=e2e.test");
        for (rekor, version) in [(Rekor::V1, 1), (Rekor::V2, 2)] {
            self.must(
                cosign,
                &[
                    "signing-config".to_owned(),
                    "create".to_owned(),
                    format!("--out={}", path(&self.signing_config(rekor))),
                    format!("--fulcio=url={fulcio},api-version=1,{rest}"),
                    format!("--rekor=url={},api-version={version},{rest}", self.rekor(rekor)),
                    "--rekor-config=ANY".to_owned(),
                    format!("--oidc-provider=url={issuer},api-version=1,{rest}"),
                    format!("--tsa=url={timestamps},api-version=1,{rest}"),
                    "--tsa-config=ANY".to_owned(),
                ],
            )?;
        }
        Ok(())
    }
}
