//! `examples/make-images.sh`: it makes what its examples say it makes.
//!
//! On Linux only: it wants GNU tar, curl and bash, as whoever changes an example has them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use e2e::process::{Run, run};
use e2e::registry::Kind;

use super::fixtures::Stage;

/// A stage whose registry holds what the script made, and the lines that it printed.
struct Made {
    stage: Stage,
    lines: String,
}

impl Made {
    fn on(kind: Kind) -> Option<Self> {
        let stage = Stage::with(kind)?;
        let trust = &stage.world.trust;
        let tools = trust.path("tools");
        std::fs::create_dir(&tools).unwrap();
        symlink(stage.world.program("cosign"), tools.join("cosign")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/make-images.sh");
        let mut command = trust.other(&script, [stage.registry.host()]);
        command.arg(stage.sigstore.folder()).env("TO", trust.home());
        let rest = std::env::var_os("PATH").unwrap();
        let all = [tools].into_iter().chain(std::env::split_paths(&rest)).collect::<Vec<PathBuf>>();
        let lines = run(command.env("PATH", std::env::join_paths(all).unwrap())).unwrap().success().unwrap();
        Some(Self { stage, lines })
    }

    /// Runs cosign on the image that the script printed by this name.
    fn cosign(&self, arguments: &str, name: &str) -> Run {
        let line = self.lines.lines().find(|line| line.split(' ').nth(1) == Some(name));
        let digest =
            line.unwrap_or_else(|| panic!("no {name} in\n{}", self.lines)).split(' ').nth(2).unwrap();
        let repository = name.rsplit_once(':').unwrap().0;
        let reference = format!("{}/{repository}@{digest}", self.stage.registry.host());
        self.stage.world.run("cosign", &format!("{arguments} {reference}"))
    }

    /// Which of the names pass.
    fn pass<'a>(&self, arguments: &str, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().copied().filter(|name| self.cosign(arguments, name).code == 0).collect()
    }

    /// The flags for an identity of the Sigstore, with the trust root that the script left for the example.
    fn identity(&self, example: &str, identity: &str, issuer: &str) -> String {
        let root = self.stage.world.trust.path(example).join("trusted-root.json");
        let root = root.display();
        format!("--trusted-root={root} --certificate-identity={identity} --certificate-oidc-issuer={issuer}")
    }
}

fn each_example_is_what_it_says(kind: Kind) {
    let Some(made) = Made::on(kind) else { return };
    let unlogged = "verify --new-bundle-format=false --insecure-ignore-tlog=true --key";
    let demo =
        ["signed", "unsigned", "signed-by-other"].map(|tag| format!("docker.io/314315960/nginx-demo:{tag}"));
    let demo = demo.each_ref().map(String::as_str);
    assert_eq!(made.pass(&format!("{unlogged} check-image/cosign.pub"), &demo), [demo[0]]);

    let issuer = made.stage.sigstore.issuer();
    let control_plane = [
        "registry.k8s.io/kube-apiserver:v1.30.0",
        "registry.k8s.io/kube-scheduler:v1.30.0",
        "registry.k8s.io/etcd:3.5.12-0",
        "registry.k8s.io/kube-controller-manager:v1.30.0",
        "registry.k8s.io/kube-proxy:v1.30.0",
    ];
    for (identity, expected) in [
        ("krel-trust@k8s-releng-prod.iam.gserviceaccount.com", &control_plane[..2]),
        ("k8s-infra-gcr-promoter@k8s-artifacts-prod.iam.gserviceaccount.com", &control_plane[2..4]),
    ] {
        let who = made.identity("control-plane-identities", identity, &issuer);
        assert_eq!(made.pass(&format!("verify --new-bundle-format=false {who}"), &control_plane), expected);
    }

    let app = ["1.0.0", "signed-only", "from-a-fork"].map(|tag| format!("ghcr.io/example/app:{tag}"));
    let app = app.each_ref().map(String::as_str);
    let workflow = "https://github.com/example/app/.github/workflows/release.yaml@refs/tags/v1.0.0";
    let who = made.identity("provenance-required", workflow, &made.stage.sigstore.workflow_issuer());
    let provenance = format!("verify-attestation --use-signed-timestamps --type slsaprovenance1 {who}");
    assert_eq!(made.pass(&provenance, &app), [app[0]]);

    let root = "--use-signed-timestamps --trusted-root=scan-required/trusted-root.json";
    let scans = format!("verify-attestation --type vuln --key scan-required/scanner.pub {root}");
    for tag in ["fresh", "critical", "old"] {
        let run = made.cosign(&scans, &format!("registry.example.com/shop/web:{tag}"));
        assert_eq!(run.code, 0, "{tag}: {}", run.stderr);
        let scan = super::statement(&run.stdout)["predicate"].clone();
        let finished = if tag == "old" { "2026-10-01T08:00:00Z" } else { "2026-11-20T08:00:00Z" };
        assert_eq!(scan["metadata"]["scanFinishedOn"], finished, "{tag}: {scan}");
        let findings = &scan["scanner"]["result"]["Results"][0]["Vulnerabilities"];
        assert_eq!(findings.to_string().contains("CRITICAL"), tag == "critical", "{findings}");
    }
}

#[test]
fn the_examples_are_made_on_a_registry_with_the_referrers_api() {
    each_example_is_what_it_says(Kind::Referrers);
}

#[test]
fn the_examples_are_made_on_a_registry_without_it() {
    each_example_is_what_it_says(Kind::Distribution);
}
