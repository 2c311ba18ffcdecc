//! Objects as a real API server keeps them: defaults filled in, bookkeeping added, controllers at work.

mod forms;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use e2e::apiserver::{self, ApiServer};
use e2e::process::{Run, run};
use e2e::trust::{Trust, Verdict};

/// A namespace of its own on the shared control plane, with a key.
struct Cluster {
    server: &'static ApiServer,
    trust: Trust,
    namespace: &'static str,
}

impl Cluster {
    fn with_namespace(namespace: &'static str) -> Option<Self> {
        let server = apiserver::shared().unwrap()?;
        server.namespace(namespace).unwrap();
        let trust = Trust::new().unwrap();
        trust.keygen("k").unwrap();
        Some(Self { server, trust, namespace })
    }

    /// kubectl in the namespace, with files of the home; it must succeed.
    fn kubectl(&self, arguments: &str) -> String {
        let all = ["-n", self.namespace].into_iter().chain(arguments.split_whitespace());
        let run = self.server.kubectl(all).unwrap();
        run.success().unwrap_or_else(|error| panic!("kubectl {arguments}: {error}"))
    }

    /// Signs a manifest and applies it.
    fn apply_signed(&self, manifest: &str) {
        let file = self.trust.write("m.yaml", manifest).unwrap();
        let signed = self.trust.path("signed.yaml");
        self.sign(&file, &signed).success().unwrap();
        self.kubectl(&format!("apply -f {}", signed.display()));
    }

    fn sign(&self, file: &Path, signed: &Path) -> Run {
        let arguments = format!("sign -f {} --key k.key -o {}", file.display(), signed.display());
        self.trust.run(&arguments).unwrap()
    }

    /// Our binary with the cluster's flags.
    fn run(&self, arguments: &str) -> Run {
        let mut command = self.trust.command(arguments.split_whitespace());
        command.arg("--kubeconfig").arg(self.server.kubeconfig()).args(["-n", self.namespace]);
        // What keeps the other programs off the network keeps this one off the cluster: it knows no NO_PROXY.
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
            command.env_remove(name);
        }
        run(&mut command).unwrap()
    }

    fn verify(&self, resource: &str, more: &str) -> Verdict {
        self.verify_by("k.pub", resource, more)
    }

    fn verify_by(&self, key: &str, resource: &str, more: &str) -> Verdict {
        Verdict::of(&self.run(&format!("verify-resource {resource} --key {key} -o json {more}"))).unwrap()
    }

    fn diff(&self, resource: &str) -> Run {
        self.run(&format!("diff {resource} --key k.pub"))
    }
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0
        ports: [{containerPort: 8080}]
";

#[test]
fn a_deployment_passes_as_applied_and_differs_once_scaled() {
    let Some(cluster) = Cluster::with_namespace("scaled") else { return };
    cluster.apply_signed(&DEPLOYMENT.replace("name: web\nspec", "name: web\n  namespace: scaled\nspec"));
    let verdict = cluster.verify("deployment/web", "");
    assert_eq!(verdict.codes(), (0, vec!["signature-valid"]), "{}", verdict.json);
    cluster.kubectl("scale deployment/web --replicas=5");
    let verdict = cluster.verify("deployment/web", "");
    assert_eq!(verdict.codes(), (1, vec!["manifest-differs"]), "{}", verdict.json);
    assert_eq!(verdict.paths(), ["spec.replicas"]);
    let verdict = cluster.verify("deployment/web", "--ignore-fields Deployment:spec.replicas");
    assert_eq!(verdict.codes(), (0, vec!["signature-valid"]), "{}", verdict.json);
    let verdict = cluster.verify("deployment/web", "--ignore-fields StatefulSet:spec.replicas");
    assert_eq!(verdict.codes(), (1, vec!["manifest-differs"]), "{}", verdict.json);
}

/// What is ignored must not carry anything else along.
#[test]
fn another_image_is_found_beside_ignored_replicas() {
    let Some(cluster) = Cluster::with_namespace("image") else { return };
    cluster.apply_signed(&DEPLOYMENT.replace("name: web\nspec", "name: web\n  namespace: image\nspec"));
    cluster.kubectl("scale deployment/web --replicas=5");
    cluster.kubectl("set image deployment/web web=registry.example/web:1.1");
    let verdict = cluster.verify("deploy/web", "--ignore-fields spec.replicas");
    assert_eq!(verdict.codes(), (1, vec!["manifest-differs"]), "{}", verdict.json);
    assert_eq!(verdict.paths(), ["spec.template.spec.containers[0].image"]);
    let diff = cluster.diff("deployments.apps/web");
    assert_eq!(diff.code, 1, "{}{}", diff.stdout, diff.stderr);
    for (mark, image) in [('-', "image: registry.example/web:1.0"), ('+', "image: registry.example/web:1.1")]
    {
        let found = diff.stdout.lines().any(|line| line.starts_with(mark) && line.ends_with(image));
        assert!(found, "{mark} {image} in\n{}", diff.stdout);
    }
}

#[test]
fn a_namespace_that_was_not_signed_has_to_be_allowed() {
    let Some(cluster) = Cluster::with_namespace("unsaid") else { return };
    cluster.apply_signed(DEPLOYMENT);
    let verdict = cluster.verify("deployment/web", "");
    assert_eq!(verdict.codes(), (1, vec!["manifest-differs"]), "{}", verdict.json);
    assert_eq!(verdict.paths(), ["metadata.namespace"]);
    for (allowance, expected) in [
        ("--allow-namespace unsaid", (0, vec!["signature-valid"])),
        ("--allow-namespace", (0, vec!["signature-valid"])),
        ("--allow-namespace other", (1, vec!["manifest-differs"])),
    ] {
        let verdict = cluster.verify("deployment/web", allowance);
        assert_eq!(verdict.codes(), expected, "{allowance}: {}", verdict.json);
    }
}

#[test]
fn what_the_controllers_made_is_not_signed() {
    let Some(cluster) = Cluster::with_namespace("made") else { return };
    cluster.apply_signed(&DEPLOYMENT.replace("name: web\nspec", "name: web\n  namespace: made\nspec"));
    cluster.kubectl("wait --for=create rs -l app=web --timeout=60s");
    // The Deployment's controller copies its annotations to the ReplicaSet, signature and all.
    let verdict = cluster.verify("replicasets", "");
    assert_eq!(verdict.codes(), (1, vec!["target-mismatch"]), "{}", verdict.json);
}

#[test]
fn an_object_is_read_as_the_version_that_was_signed() {
    let Some(cluster) = Cluster::with_namespace("versions") else { return };
    cluster.apply_signed(
        "\
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata:
  name: old
  namespace: versions
spec:
  minReplicas: 2
  maxReplicas: 3
  targetCPUUtilizationPercentage: 70
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
",
    );
    let stored = cluster.kubectl("get hpa/old -o jsonpath={.apiVersion}");
    assert_eq!(stored, "autoscaling/v2", "the preferred version moved on; sign an older one here");
    let verdict = cluster.verify("hpa/old", "");
    assert_eq!(verdict.codes(), (0, vec!["signature-valid"]), "{}", verdict.json);
    assert_eq!(verdict.json["results"][0]["subject"]["apiVersion"], "autoscaling/v1");
    cluster.kubectl(r#"patch hpa/old --type=merge -p {"spec":{"maxReplicas":30}}"#);
    let verdict = cluster.verify("hpa/old", "");
    assert_eq!(verdict.codes(), (1, vec!["manifest-differs"]), "{}", verdict.json);
    assert_eq!(verdict.paths(), ["spec.maxReplicas"]);
}

#[test]
fn what_is_not_signed_and_what_is_not_there_are_different_answers() {
    let Some(cluster) = Cluster::with_namespace("absent") else { return };
    cluster.kubectl("create configmap plain --from-literal=a=b");
    let verdict = cluster.verify("configmap/plain", "");
    assert_eq!(verdict.codes(), (1, vec!["signature-missing"]), "{}", verdict.json);
    let run = cluster.run("verify-resource cm/none --key k.pub");
    assert!(run.code == 2 && run.stderr.contains("none"), "{} {}{}", run.code, run.stdout, run.stderr);
}

/// The key itself may live in the cluster, as `cosign generate-key-pair k8s://…` leaves it there.
#[test]
fn the_key_is_read_from_a_secret() {
    let Some(cluster) = Cluster::with_namespace("secret-key") else { return };
    cluster.apply_signed(&DEPLOYMENT.replace("name: web\nspec", "name: web\n  namespace: secret-key\nspec"));
    cluster.trust.keygen("stranger").unwrap();
    for (secret, file) in [("mine", "k.pub"), ("other", "stranger.pub")] {
        let path = cluster.trust.path(file);
        cluster.kubectl(&format!("create secret generic {secret} --from-file=cosign.pub={}", path.display()));
    }
    for (secret, expected) in
        [("mine", (0, vec!["signature-valid"])), ("other", (1, vec!["signature-invalid"]))]
    {
        let verdict = cluster.verify_by(&format!("k8s://secret-key/{secret}"), "deployment/web", "");
        assert_eq!(verdict.codes(), expected, "{secret}: {}", verdict.json);
    }
}

/// All of a kind at once; one that fails does not hide behind the others.
#[test]
fn every_object_of_a_kind_is_judged() {
    let Some(cluster) = Cluster::with_namespace("several") else { return };
    let map = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: several}}\ndata: {{a: b}}\n"
        )
    };
    for name in ["one", "two"] {
        cluster.apply_signed(&map(name));
        cluster.kubectl(&format!("label configmap/{name} mine=yes"));
    }
    let verdict = cluster.verify("configmaps -l mine=yes", "--ignore-fields metadata.labels.mine");
    assert_eq!(verdict.codes(), (0, vec!["signature-valid"; 2]), "{}", verdict.json);
    cluster.kubectl(r#"patch configmap/two --type=merge -p {"data":{"a":"c"}}"#);
    let verdict = cluster.verify("configmaps -l mine=yes", "--ignore-fields metadata.labels.mine");
    assert_eq!(verdict.codes(), (1, vec!["signature-valid", "manifest-differs"]), "{}", verdict.json);
    assert_eq!(verdict.paths(), ["data.a"]);
}

/// Server-side apply stores no second copy of the manifest, and other owners.
#[test]
fn server_side_apply_changes_nothing() {
    let Some(cluster) = Cluster::with_namespace("server-side") else { return };
    let manifest = DEPLOYMENT.replace("name: web\nspec", "name: web\n  namespace: server-side\nspec");
    let file = cluster.trust.write("m.yaml", manifest).unwrap();
    let signed = cluster.trust.path("signed.yaml");
    cluster.sign(&file, &signed).success().unwrap();
    cluster.kubectl(&format!("apply --server-side -f {}", signed.display()));
    let verdict = cluster.verify("deployment/web", "");
    assert_eq!(verdict.codes(), (0, vec!["signature-valid"]), "{}", verdict.json);
}

/// An export is the same object, read from a file instead.
#[test]
fn an_exported_object_passes_like_the_live_one() {
    let Some(cluster) = Cluster::with_namespace("exported") else { return };
    cluster.apply_signed(&DEPLOYMENT.replace("name: web\nspec", "name: web\n  namespace: exported\nspec"));
    let exported = cluster.kubectl("get deployment/web -o yaml");
    cluster.trust.write("exported.yaml", exported).unwrap();
    let verdict = cluster.trust.verdict("verify-resource -f exported.yaml --key k.pub").unwrap();
    assert_eq!(verdict.codes(), (0, vec!["signature-valid"]), "{}", verdict.json);
}

/// The fixtures of what servers make of applied objects, here made anew by the server itself.
fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/tests/fixtures/defaults");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path().join("applied.yaml")).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

#[test]
fn objects_of_every_kind_pass_as_applied() {
    let Some(cluster) = Cluster::with_namespace("defaults") else { return };
    let files = fixtures();
    assert!(files.len() >= 40, "fixtures are missing");
    let signed = cluster.trust.path("signed.yaml");
    let mut kinds = BTreeSet::new();
    let mut refused = Vec::new();
    for file in &files {
        let object = common::yaml::read(&std::fs::read(file).unwrap()).unwrap().remove(0).value;
        let text = |path: &str| object.pointer(path).unwrap().as_str().unwrap().to_owned();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        cluster.sign(file, &signed).success().unwrap();
        cluster.kubectl(&format!("apply -f {}", signed.display()));
        let verdict = cluster.verify(&format!("{kind}/{name}"), "");
        if verdict.codes() != (0, vec!["signature-valid"]) {
            refused.push(format!("{kind}/{name}: {:?} {:?}", verdict.codes(), verdict.paths()));
        }
        kinds.insert(kind);
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(kinds.len() >= 30, "{kinds:?}");
}
