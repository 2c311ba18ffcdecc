//! The same for manifest rules: what is unsigned and older than the policy is reduced, rolled out signed and deleted; its
//! content stays as it is.

use e2e::kubelet;
use e2e::process::Run;

use super::fixtures::{Shop, eventually};

const NAMESPACE: &str = "unsigned";

const OBJECTS: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: unsigned}
spec:
  replicas: 3
  revisionHistoryLimit: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'registry.example.com/web:1'}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: unsigned}
spec:
  schedule: '0 0 1 1 *'
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'registry.example.com/web:1'}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: unsigned}
data: {mode: careful}
";

fn policy(shop: &Shop<'_>) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: unsigned}}
spec:
  rules:
  - name: signed
    match:
      any:
      - resources: {{kinds: [Deployment, CronJob, ConfigMap], namespaces: [{NAMESPACE}]}}
      - resources: {{kinds: [Namespace], names: [{NAMESPACE}]}}
    validate:
      failureAction: Enforce
      manifests:
        attestors:
        - entries:
          - keys:
              publicKeys: |
{key}",
        key = shop.key(16)
    )
}

struct Cluster<'g>(Shop<'g>);

impl Cluster<'_> {
    fn kubectl(&self, arguments: &str) -> Run {
        let all = ["-n", NAMESPACE].into_iter().chain(arguments.split_whitespace());
        self.0.guarded.api.kubectl(all).unwrap()
    }

    fn passes(&self, arguments: &str) {
        self.kubectl(arguments).success().unwrap_or_else(|error| panic!("{arguments}: {error}"));
    }

    fn is_refused(&self, arguments: &str) {
        let run = self.kubectl(arguments);
        assert!(run.code != 0 && run.stderr.contains("message not found"), "{arguments}: {run:?}");
    }

    fn field(&self, object: &str, path: &str) -> String {
        let object: Vec<_> = object.split_whitespace().chain(["-n", NAMESPACE]).collect();
        self.0.guarded.field(&object, path).unwrap()
    }

    fn run_pods(&self) {
        kubelet::run_pods(&self.0.guarded.api, NAMESPACE).unwrap();
    }

    fn images(&self) -> Vec<String> {
        self.run_pods();
        let images = self.field("pods", "{.items[*].spec.containers[0].image}");
        images.split_whitespace().map(str::to_owned).collect()
    }
}

fn older() -> Option<Cluster<'static>> {
    let shop = Shop::open(NAMESPACE)?;
    shop.must(OBJECTS);
    let cluster = Cluster(shop);
    eventually("the Pods are there before the policy", || cluster.images().len() == 3);
    let fresh = OBJECTS.rsplit("---\n").next().unwrap().replace("settings", "probe");
    cluster.0.enforce(&policy(&cluster.0), &fresh);
    Some(cluster)
}

#[test]
fn what_is_unsigned_and_older_is_reduced_and_keeps_its_content() {
    let Some(cluster) = older() else { return };
    // Reductions.
    cluster.is_refused(r#"patch deployment web -p {"spec":{"replicas":4}}"#);
    cluster.passes(r#"patch deployment web -p {"spec":{"replicas":2}}"#);
    cluster.passes("rollout pause deployment web");
    cluster.is_refused("rollout resume deployment web");
    cluster.passes(r#"patch cronjob nightly -p {"spec":{"suspend":true}}"#);
    cluster.is_refused(r#"patch cronjob nightly -p {"spec":{"suspend":false}}"#);
    // Content: of whatever kind, labels and annotations too.
    cluster.is_refused("label deployment web team=shop");
    cluster.is_refused("annotate configmap settings note=old");
    cluster.is_refused(r#"patch configmap settings -p {"data":{"mode":"bold"}}"#);
    cluster.is_refused("label namespace unsigned pod-security.kubernetes.io/enforce=privileged");
    // Bookkeeping.
    let finalizers =
        |list: &str| format!(r#"patch configmap settings -p {{"metadata":{{"finalizers":{list}}}}}"#);
    cluster.passes(&finalizers(r#"["example.com/hold"]"#));
    cluster.passes(&finalizers("null"));
    // A rollout to what is signed: it goes in whole, and what was there goes.
    let signed = {
        let (deployment, _) = OBJECTS.split_once("---\n").unwrap();
        cluster.0.trust.write("web.yaml", deployment.replace("web:1", "web:2")).unwrap();
        cluster.0.trust.run("sign -f web.yaml --key k.key -o signed.yaml").unwrap().success().unwrap();
        cluster.0.trust.read("signed.yaml").unwrap()
    };
    // What was paused by hand is let go by hand: the manifest says nothing of it.
    let go = r#"[{"op": "remove", "path": "/spec/paused"}]"#.replace(' ', "");
    let paused = cluster.kubectl(&format!("patch deployment web --type=json -p {go}"));
    assert!(paused.code != 0, "{paused:?}");
    let live = cluster.0.apply(&signed.replace("  replicas: 3\n", "  replicas: 3\n  paused: false\n"));
    assert!(live.code == 0, "{live:?}");
    eventually("only what is signed runs", || {
        let images = cluster.images();
        images.len() == 3 && images.iter().all(|image| image.ends_with("web:2"))
    });
    eventually("the old ReplicaSet is gone", || {
        cluster.field("replicasets", "{.items[*].metadata.name}").split(' ').count() == 1
    });
    // A signed object that is changed in what it signs is refused, and may be reduced.
    let changed = cluster.kubectl("set image deployment/web c=registry.example.com/web:3");
    assert!(changed.code != 0 && changed.stderr.contains("diff found"), "{changed:?}");
    cluster.passes(r#"patch deployment web -p {"spec":{"replicas":0}}"#);
    cluster.passes("delete deployment web --cascade=foreground --timeout=120s");
    cluster.passes("delete namespace unsigned --timeout=120s");
}
