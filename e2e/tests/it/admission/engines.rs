//! Beside another engine that reads the same kinds (ADR 0015): each leaves the other alone.

use std::time::Duration;

use e2e::operator::Guarded;
use serde_json::json;

use super::fixtures::{Shop, eventually, pod, policy};

/// What tells that the other engine is there: the webhook configuration that it keeps.
const ENGINE: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: kyverno-policy-validating-webhook-cfg
  labels: {webhook.kyverno.io/managed-by: kyverno}
webhooks: []
";

/// A second manager writes the status of a policy as it thinks right, each time that it is otherwise.
struct SecondManager<'g>(&'g Guarded);

impl SecondManager<'_> {
    const STATUS: &'static str = "second: all is well";

    fn status(&self) -> String {
        self.0.field(&["clusterpolicy", "both"], "{.status.conditions[*].message}").unwrap()
    }

    fn version(&self) -> String {
        self.0.field(&["clusterpolicy", "both"], "{.metadata.resourceVersion}").unwrap()
    }

    fn write(&self, message: &str) {
        let condition = json!({"type": "Ready", "status": "True", "reason": "Succeeded", "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let status = json!({"status": {"conditions": [condition]}}).to_string();
        let all = ["patch", "clusterpolicy", "both", "--type=merge", "--subresource=status"];
        let all = all.into_iter().chain(["--field-manager=kyverno", "-p", &status]);
        self.0.api.kubectl(all).unwrap().success().unwrap();
    }

    /// Corrects the status for a while; the answer is how often it had to.
    fn corrects(&self, rounds: usize) -> usize {
        let mut written = 0;
        for _ in 0..rounds {
            if self.status() != Self::STATUS {
                self.write(Self::STATUS);
                written += 1;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        written
    }
}

/// The fight: two who correct each other write for ever.
#[test]
fn two_engines_in_one_cluster_leave_each_other_alone() {
    let arguments = ["--enforce", "engine=trust", "--exceptions-from", "trust-operator"];
    let Some(guarded) = Guarded::start_with(&arguments).unwrap() else { return };
    let shop = Shop::within(&guarded, "both");
    let evil = shop.push("evil");
    let theirs = policy("both", &shop, "Pod", "{}");
    guarded.apply(&theirs, &[]).unwrap().success().unwrap();
    let second = SecondManager(&guarded);
    eventually("we say that it is not ours to enforce", || second.status().contains("as Audit"));
    // Once at most: what we had said before it came.
    assert!(second.corrects(20) <= 1, "{}", guarded.said());
    let (version, loaded) = (second.version(), || guarded.said().matches("policies in force").count());
    let before = loaded();
    assert_eq!(second.corrects(10), 0);
    assert_eq!(second.version(), version, "the resource versions stand still");
    for number in 0..20 {
        second.write(&format!("{} {number}", SecondManager::STATUS));
    }
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(loaded(), before, "a status reloads nothing: {}", guarded.said());
    // What is not enforced warns; what is handed over refuses.
    let warned = shop.apply(&pod(&evil.by_tag()));
    assert!(warned.code == 0 && warned.stderr.contains("Warning: policy both.signed"), "{warned:?}");
    let ours = theirs.replace("  name: both\n", "  name: ours\n  labels: {engine: trust}\n");
    shop.enforce(&ours, &pod(&evil.by_tag()).replace("name: web", "name: other"));
    // Its state is told where nobody else writes: an event.
    let broken = theirs.replace("imageReferences", "imageReferencse");
    guarded.apply(ENGINE, &[]).unwrap().success().unwrap();
    let let_in = guarded.until(&broken, "both", |run| run.code == 0).unwrap();
    assert!(let_in.stderr.contains("Warning: trust-operator does not read this policy"), "{let_in:?}");
    guarded.apply(&broken, &[]).unwrap().success().unwrap();
    eventually("an event tells it", || {
        let events = ["get", "events.events.k8s.io", "-A", "-o", "jsonpath={.items[*].note}"];
        let events = guarded.api.kubectl(events).unwrap().stdout;
        events.contains("the version before stays in force") && events.contains("imageReferencse")
    });
    assert!(second.status().starts_with(SecondManager::STATUS), "{}", second.status());
    // The other engine leaves: policies are ours to refuse again.
    guarded.apply(&theirs, &[]).unwrap().success().unwrap();
    let name = "kyverno-policy-validating-webhook-cfg";
    guarded.api.kubectl(["delete", "validatingwebhookconfiguration", name]).unwrap().success().unwrap();
    guarded.until(&broken, "both", |run| run.stderr.contains("does not compile")).unwrap();
}
