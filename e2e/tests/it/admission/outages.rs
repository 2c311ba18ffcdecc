//! What happens while the operator is away, and when it comes back; and that nothing is left of it.

use std::net::TcpStream;
use std::path::Path;

use e2e::forwarder::Forwarder;
use e2e::operator::{Guarded, NAMESPACE};
use e2e::trust::Trust;

use super::fixtures::{Shop, eventually, pod, policy};
use super::traffic::Traffic;

const PODS: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: NAME
  annotations: {pod-policies.kyverno.io/autogen-controllers: none}
spec:
  webhookConfiguration: {failurePolicy: POLICY, timeoutSeconds: 10}
  rules:
  - name: signed
    match: {any: [{resources: {kinds: [KIND]}}]}
    verifyImages:
    - imageReferences: ['*']
      failureAction: Enforce
      attestors:
      - entries:
        - keys: {publicKeys: \"KEY\", rekor: {ignoreTlog: true}}
";

const CONFIG_JOB: &str = "apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'registry.example.com/x:1'}]}}}
";

/// One long story on a cluster of its own.
#[test]
fn the_failure_policy_decides_while_nobody_answers_and_nothing_is_left_behind() {
    let Some(guarded) = Guarded::start().unwrap() else { return };
    let trust = Trust::new().unwrap();
    trust.keygen("k").unwrap();
    let key = trust.read("k.pub").unwrap().replace('\n', "\\n");
    let policy = |name: &str, on_fault: &str, kind: &str| {
        PODS.replace("NAME", name).replace("POLICY", on_fault).replace("KIND", kind).replace("KEY", &key)
    };
    let kubectl = |arguments: &str| guarded.api.kubectl(arguments.split_whitespace()).unwrap();
    let validating = "get validatingwebhookconfiguration trust-operator";
    assert!(kubectl(validating).code != 0, "no policy, no webhook");
    for text in [policy("strict", "Fail", "Pod"), policy("lenient", "Ignore", "Job")] {
        guarded.apply(&text, &[]).unwrap().success().unwrap();
    }
    let (pod, denied) = (pod("127.0.0.1:1/nowhere:1"), "denied the request");
    guarded.until(&pod, "default", |run| run.stderr.contains(denied)).unwrap();
    // A registry that gives no answer is a fault: refused under Fail, let in with a warning under Ignore.
    let refused = guarded.apply(&pod, &[]).unwrap();
    assert!(refused.stderr.contains("no answer") && refused.stderr.contains("next step:"), "{refused:?}");
    let nowhere = CONFIG_JOB.replace("registry.example.com", "127.0.0.1:1");
    let warned =
        guarded.until(&nowhere, "default", |run| run.stderr.contains("Warning: policy lenient")).unwrap();
    assert!(warned.code == 0 && warned.stderr.contains("[registry-unreachable]"), "{warned:?}");

    // Its machine dies.
    guarded.kill();
    let refused = guarded.apply(&pod, &[]).unwrap();
    assert!(refused.code != 0 && refused.stderr.contains("failed calling webhook"), "{refused:?}");
    guarded.apply(CONFIG_JOB, &[]).unwrap().success().unwrap();
    // It never locks out its own restart.
    let own = guarded.apply(&pod.replace("name: web", "name: own"), &["-n", NAMESPACE]).unwrap();
    assert!(!own.stderr.contains("webhook"), "{own:?}");
    guarded.run(&[]).unwrap();
    eventually("it judges again", || guarded.apply(&pod, &[]).unwrap().stderr.contains(denied));

    // Without policies there is no webhook, with the next policy there is one again.
    kubectl("delete clusterpolicy --all").success().unwrap();
    eventually("no policy, no webhook", || kubectl(validating).code != 0);
    guarded.apply(&policy("strict", "Fail", "Pod"), &[]).unwrap().success().unwrap();
    guarded.until(&pod, "default", |run| run.stderr.contains(denied)).unwrap();

    // Uninstalled while it runs: everything goes, and Pods are no longer judged.
    guarded.kill();
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/deploy/default");
    let deploy = deploy.to_string_lossy().into_owned();
    guarded.api.kubectl(["delete", "-k", &deploy, "--wait=false"]).unwrap().success().unwrap();
    eventually("the webhook configurations go as well", || {
        let left = kubectl("get validatingwebhookconfiguration,mutatingwebhookconfiguration -o name");
        !left.stdout.contains("trust-operator")
    });
    guarded.apply(&pod, &[]).unwrap().success().unwrap();
    eventually("and nothing is left", || {
        let left = kubectl("get namespace,clusterrole,clusterrolebinding -o name");
        !left.stdout.contains("trust-operator")
    });
}

/// A new version of the operator: who is being served is answered before it ends, and until the next one serves nothing
/// unsigned gets in.
#[test]
fn a_restart_cuts_nobody_off_and_lets_nothing_in() {
    let Some(guarded) = Guarded::start().unwrap() else { return };
    let shop = Shop::within(&guarded, "restarted");
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    // Only the validating webhook: a request is one question.
    let any = policy("restarted", &shop, "Pod", "{timeoutSeconds: 30}")
        .replace(&format!("'{}/*'", guarded.registry.host()), "'*'")
        .replace(
            "      failureAction",
            "      mutateDigest: false\n      verifyDigest: false\n      failureAction",
        );
    shop.enforce(&any, &pod(&evil.by_tag()));
    let (_, port) = guarded.registry.host().split_once(':').unwrap();
    let slow = Forwarder::start(&[port.parse().unwrap()]).unwrap();
    let host = format!("127.0.0.1:{}", slow.port());
    let through = good.by_tag().replace(guarded.registry.host(), &host);
    shop.trust.run(&format!("sign {through} --key k.key")).unwrap().success().unwrap();
    let operator = &guarded.replicas[0];
    Traffic::during(&shop, [&pod(&good.by_tag()), &pod(&evil.by_tag())], |_| {
        std::thread::scope(|scope| {
            slow.hold();
            let in_flight =
                scope.spawn(|| shop.apply(&pod(&through).replace("name: web", "name: in-flight")));
            eventually("the registry is asked", || slow.waiting() > 0);
            operator.terminate().unwrap();
            eventually("nobody is served any more", || {
                TcpStream::connect(("127.0.0.1", operator.port)).is_err()
            });
            slow.release();
            let answered = in_flight.join().unwrap();
            assert!(answered.code == 0, "{answered:?}\n{}", guarded.said());
        });
        assert_eq!(operator.ended().unwrap(), 0, "{}", guarded.said());
        guarded.run(&[]).unwrap();
    });
}

/// The API server is away for a while, and comes back with what it had stored.
#[test]
fn the_operator_outlives_a_restart_of_the_api_server() {
    let Some(guarded) = Guarded::start().unwrap() else { return };
    let [kept, freed, late] = ["kept", "freed", "late"].map(|name| Shop::within(&guarded, name));
    let evil = pod(&kept.push("evil").by_tag());
    for shop in [&kept, &freed] {
        shop.enforce(&policy(shop.namespace, shop, "Pod", "{}"), &evil);
    }
    late.guarded.apply(&evil, &["-n", "late", "--dry-run=server"]).unwrap().success().unwrap();
    guarded.api.stop();
    eventually("it is noticed", || guarded.said().contains("cannot be watched"));
    guarded.api.resume().unwrap();
    // From the first answer on: what was known stays in force.
    let refused = guarded.until(&evil, "kept", |run| {
        assert!(run.code != 0, "{run:?}");
        run.stderr.contains("denied the request")
    });
    assert!(refused.unwrap().stderr.contains("signature not found"));
    guarded.api.kubectl(["delete", "clusterpolicy", "freed"]).unwrap().success().unwrap();
    eventually("a policy that is gone does not count", || freed.apply(&evil).code == 0);
    late.enforce(&policy("late", &late, "Pod", "{}"), &evil);
    kept.refused(&evil);
    // Attack A44: somebody takes the webhooks away, in the hope that nobody looks any more.
    let on = |what| guarded.api.kubectl([what, "validatingwebhookconfiguration", "trust-operator"]).unwrap();
    on("delete").success().unwrap();
    eventually("the webhooks are put back", || on("get").code == 0);
    assert!(guarded.replicas[0].is_running().unwrap());
}
