//! Updates that start nothing new pass, for every controller of a real control plane: what is untrusted and older than
//! the policy can be rolled out, scaled down, ended and deleted, and nothing of it can be started anew (ADR 0014).

use e2e::kubelet;
use e2e::process::Run;

use super::fixtures::{Shop, eventually, pod, policy};

/// What a namespace held before its policy.
struct Older<'g> {
    shop: Shop<'g>,
    /// An image that the policy trusts.
    good: String,
    /// One that it does not.
    evil: String,
}

impl Older<'static> {
    /// Makes objects of the untrusted image (`IMAGE`) or the trusted one (`GOOD`), waits until they are as they should be, and puts the policy in
    /// force.
    fn than_policy(namespace: &'static str, objects: &str, so: impl Fn(&Self) -> bool) -> Option<Self> {
        let shop = Shop::open(namespace)?;
        let (good, evil) = (shop.signed("good").by_tag(), shop.push("evil").by_tag());
        let this = Self { shop, good, evil };
        this.shop.must(&objects.replace("IMAGE", &this.evil).replace("GOOD", &this.good));
        eventually("the objects are there before the policy", || so(&this));
        let policy = policy(namespace, &this.shop, "Pod", "{}");
        this.shop.enforce(&policy, &pod(&this.evil).replace("name: web", "name: probe"));
        Some(this)
    }

    fn kubectl(&self, arguments: &str) -> Run {
        let all = ["-n", self.shop.namespace].into_iter().chain(arguments.split_whitespace());
        self.shop.guarded.api.kubectl(all).unwrap()
    }

    fn passes(&self, arguments: &str) {
        self.kubectl(arguments)
            .success()
            .unwrap_or_else(|error| panic!("{arguments}: {error}\n{}", self.shop.guarded.said()));
    }

    /// It is refused, with the image and the reason.
    fn is_refused(&self, arguments: &str) {
        let run = self.kubectl(arguments);
        let said = format!("image verification failed for {}: signature not found", self.evil);
        assert!(run.code != 0 && run.stderr.contains(&said), "{arguments}: {run:?}");
    }

    fn field(&self, object: &str, path: &str) -> String {
        let object: Vec<_> = object.split_whitespace().chain(["-n", self.shop.namespace]).collect();
        self.shop.guarded.field(&object, path).unwrap()
    }

    /// What a kubelet would do: Pods that wait run.
    fn run_pods(&self) {
        kubelet::run_pods(&self.shop.guarded.api, self.shop.namespace).unwrap();
    }

    /// Whether so many Pods run, all of one image.
    fn runs(&self, number: usize, image: &str) -> bool {
        self.run_pods();
        let found = self.field("pods", "{range .items[*]}{.spec.containers[0].image}={.status.phase} {end}");
        let pods: Vec<_> = found.split_whitespace().collect();
        pods.len() == number && pods.iter().all(|pod| pod.starts_with(image) && pod.ends_with("=Running"))
    }
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  revisionHistoryLimit: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'IMAGE', resources: {requests: {cpu: 5m}}}]}
";

/// The outage that this is about: the controller may not scale the old ReplicaSet down, and both generations stay.
#[test]
fn a_rollout_to_a_signed_image_ends_and_the_old_replica_set_goes() {
    let Some(older) = Older::than_policy("rollout", DEPLOYMENT, |older| older.runs(2, &older.evil)) else {
        return;
    };
    older.passes(&format!("set image deployment/web c={}", older.good));
    eventually("only signed Pods run", || older.runs(2, &older.good));
    eventually("the old ReplicaSet is gone", || {
        older.field("replicasets", "{.items[*].spec.template.spec.containers[0].image}").split(' ').count()
            == 1
    });
    older.passes("rollout status deployment/web --timeout=120s");
}

/// Going back is starting anew: to a signed revision, and to none that is not.
#[test]
fn a_rollout_is_undone_to_what_is_signed_only() {
    let objects = DEPLOYMENT.replace("revisionHistoryLimit: 0", "revisionHistoryLimit: 9");
    let Some(older) = Older::than_policy("undo", &objects, |older| older.runs(2, &older.evil)) else {
        return;
    };
    older.passes(&format!("set image deployment/web c={}", older.good));
    eventually("the signed revision runs", || older.runs(2, &older.good));
    older.is_refused("rollout undo deployment/web");
    let second = older.shop.signed("second").by_tag();
    older.passes(&format!("set image deployment/web c={second}"));
    eventually("the second revision runs", || older.runs(2, &second));
    older.passes("rollout undo deployment/web");
    eventually("the signed revision runs again", || older.runs(2, &older.good));
    eventually("and no ReplicaSet of another has Pods", || {
        let counts =
            older.field("replicasets", "{range .items[?(@.spec.replicas!=0)]}{.spec.replicas} {end}");
        counts.trim() == "2"
    });
}

/// Down is always possible, and up is not, for the owner and for whatever scales.
#[test]
fn what_is_untrusted_is_scaled_down_and_not_up() {
    let Some(older) = Older::than_policy("scaled", DEPLOYMENT, |older| older.runs(2, &older.evil)) else {
        return;
    };
    older.is_refused(r#"patch deployment web -p {"spec":{"replicas":3}}"#);
    older.passes(r#"patch deployment web -p {"spec":{"replicas":1}}"#);
    eventually("one Pod is left", || older.runs(1, &older.evil));
    // What scales by the subresource is answered by the ReplicaSet, which may not grow.
    older.passes("scale deployment web --replicas=4");
    let replica_set = "{.items[*].spec.replicas}";
    let growing = r#"operation="UPDATE" kind="ReplicaSet" namespace="scaled""#;
    eventually("the ReplicaSet is refused", || older.shop.guarded.said().contains(growing));
    assert_eq!(older.field("replicasets", replica_set), "1");
    older.passes("scale deployment web --replicas=0");
    eventually("the ReplicaSet is at 0, and no Pod is left", || {
        older.field("replicasets", replica_set) == "0" && older.runs(0, &older.evil)
    });
    older.passes("delete deployment web --cascade=foreground --timeout=120s");
    assert_eq!(older.field("replicasets", "{.items[*].metadata.name}"), "");
}

/// What is trusted and older than the policy names its image by a tag. Pinned in the ReplicaSet, it would no longer be the
/// template of its Deployment, whose controller would make another ReplicaSet, and another.
#[test]
fn what_is_trusted_and_older_is_scaled_without_a_storm() {
    let objects = DEPLOYMENT.replace("IMAGE", "GOOD");
    let Some(older) = Older::than_policy("storm", &objects, |older| older.runs(2, &older.good)) else {
        return;
    };
    older.passes("scale deployment web --replicas=4");
    eventually("four Pods run", || older.runs(4, &older.good));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(older.field("replicasets", "{.items[*].spec.replicas}"), "4", "one ReplicaSet, as before");
    assert_eq!(older.field("deployment web", "{.status.collisionCount}"), "");
    // The Pods that came are pinned themselves.
    let images = older.field("pods", "{.items[*].spec.containers[0].image}");
    assert_eq!(images.split(' ').filter(|image| image.contains("@sha256:")).count(), 2, "{images}");
}

/// An owner tends to what runs; what would run anew is judged.
#[test]
fn what_is_untrusted_is_tended_and_not_restarted() {
    let Some(older) = Older::than_policy("tended", DEPLOYMENT, |older| older.runs(2, &older.evil)) else {
        return;
    };
    older.passes("label deployment web team=shop");
    older.passes("annotate deployment web note=old");
    older.is_refused("rollout restart deployment web");
    older.passes("rollout pause deployment web");
    older.is_refused("rollout resume deployment web");
    let name = older.field("pods", "{.items[0].metadata.name}");
    older.passes(&format!("label pod {name} team=shop"));
    let resize = r#"{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"10m"}}}]}}"#;
    older.passes(&format!("patch pod {name} --subresource=resize -p {resize}"));
    // What comes is judged together with what it comes to.
    older.is_refused(&format!("debug {name} --image={} --attach=false -- sh", older.evil));
    older.is_refused(&format!("debug {name} --image={} --attach=false -- sh", older.good));
    older.passes(&format!("delete pod {name} --wait=false"));
}

/// A Pod that is trusted takes a trusted debug container, and no other.
#[test]
fn a_debug_container_is_judged_beside_what_runs() {
    let Some(older) =
        Older::than_policy("debugged", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", |_| true)
    else {
        return;
    };
    older.shop.must(&pod(&older.good));
    older.is_refused(&format!("debug web --image={} --attach=false -- sh", older.evil));
    older.passes(&format!("debug web --image={} --attach=false -- sh", older.good));
}

/// The Job controller takes its finalizer off a Pod that has ended; a Job that never ends is one that nobody can clean up.
#[test]
fn a_job_ends_and_a_cron_job_is_suspended() {
    let objects = "apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  parallelism: 2
  completions: 2
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'IMAGE'}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: many}
spec:
  parallelism: 2
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'IMAGE'}]}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: '0 0 1 1 *'
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'IMAGE'}]}}}}
";
    let pods = |older: &Older<'static>| older.field("pods", "{.items[*].metadata.name}").split(' ').count();
    let Some(older) = Older::than_policy("jobs", objects, |older| pods(older) == 4) else { return };
    older.is_refused(r#"patch job many -p {"spec":{"parallelism":3}}"#);
    older.passes(r#"patch job many -p {"spec":{"parallelism":1}}"#);
    older.passes(r#"patch job many -p {"spec":{"suspend":true}}"#);
    older.is_refused(r#"patch job many -p {"spec":{"suspend":false}}"#);
    eventually("the Pods of a suspended Job go", || pods(&older) == 2);
    kubelet::end_pods(&older.shop.guarded.api, "jobs").unwrap();
    older.passes("wait --for=condition=Complete job/once --timeout=120s");
    assert_eq!(older.field("pods", "{.items[*].metadata.finalizers}"), "");
    older.passes(r#"patch cronjob nightly -p {"spec":{"suspend":true}}"#);
    older.is_refused(r#"patch cronjob nightly -p {"spec":{"suspend":false}}"#);
    older.is_refused(r#"patch cronjob nightly -p {"spec":{"schedule":"@hourly"}}"#);
}

const NODE: &str = "apiVersion: v1
kind: Node
metadata: {name: updates-node}
";

const SETS: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: set}
spec:
  replicas: 2
  serviceName: set
  selector: {matchLabels: {app: set}}
  template:
    metadata: {labels: {app: set}}
    spec: {containers: [{name: c, image: 'IMAGE'}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: daemon}
spec:
  selector: {matchLabels: {app: daemon}}
  template:
    metadata: {labels: {app: daemon}}
    spec:
      tolerations: [{operator: Exists}]
      containers: [{name: c, image: 'IMAGE'}]
";

#[test]
fn stateful_and_daemon_sets_are_rolled_out() {
    let Some(guarded) = e2e::operator::shared().unwrap() else { return };
    guarded.apply(NODE, &[]).unwrap().success().unwrap();
    let Some(older) = Older::than_policy("sets", SETS, |older| older.runs(3, &older.evil)) else { return };
    older.is_refused(r#"patch statefulset set -p {"spec":{"replicas":5}}"#);
    older.passes(&format!("set image statefulset/set c={}", older.good));
    older.passes(&format!("set image daemonset/daemon c={}", older.good));
    eventually("only signed Pods run", || older.runs(3, &older.good));
    older.passes("rollout status statefulset/set --timeout=120s");
    older.passes("rollout status daemonset/daemon --timeout=120s");
    older.passes("delete node updates-node");
}

/// A namespace with everything in it goes, although nothing in it is trusted.
#[test]
fn a_namespace_is_deleted() {
    let objects = format!("{DEPLOYMENT}---\n{SETS}");
    let Some(older) = Older::than_policy("leaving", &objects, |older| older.runs(4, &older.evil)) else {
        return;
    };
    older.passes("delete namespace leaving --timeout=120s");
}

/// A policy may judge all updates, and says so of itself.
#[test]
fn a_policy_may_judge_all_updates() {
    let Some(shop) = Shop::open("strictly") else { return };
    let (good, evil) = (shop.signed("good").by_tag(), shop.push("evil").by_tag());
    let older = Older { shop, good, evil };
    older.shop.must(&DEPLOYMENT.replace("IMAGE", &older.evil));
    eventually("the Pods run", || older.runs(2, &older.evil));
    let strict = policy("strictly", &older.shop, "Pod", "{}").replace(
        "  name: strictly\n",
        "  name: strictly\n  annotations: {kubectl-trust.io/judge-updates: all}\n",
    );
    older.shop.enforce(&strict, &pod(&older.evil));
    older.is_refused("label deployment web team=shop");
    eventually("its status says so", || {
        let message =
            older.field("clusterpolicy strictly", "{.status.conditions[?(@.type==\"Ready\")].message}");
        message.contains("judges all updates")
    });
}
