//! Two replicas behind one address.

use e2e::operator::{Guarded, NAMESPACE};

use super::fixtures::{Shop, eventually, pod, policy};
use super::traffic::Traffic;

/// The webhook configurations, by what changes with every write.
fn configurations(guarded: &Guarded) -> String {
    let line = r#"{range .items[*]}{.metadata.name} {.metadata.uid} {.metadata.resourceVersion}{"\n"}{end}"#;
    guarded.field(&["validatingwebhookconfiguration,mutatingwebhookconfiguration"], line).unwrap()
}

/// How often the status of a policy was written, as the API server counts.
fn statuses_written(guarded: &Guarded) -> usize {
    let metrics = guarded.api.kubectl(["get", "--raw", "/metrics"]).unwrap().success().unwrap();
    let written = metrics.lines().filter(|line| {
        ["apiserver_request_total{", "code=\"200\"", "resource=\"clusterpolicies\"", "subresource=\"status\""]
            .iter()
            .all(|part| line.contains(part))
    });
    written.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()).sum()
}

/// Applies a policy and waits until both replicas judge by it, and it says so.
fn apply_to_both(guarded: &Guarded, policy: &str, count: usize) {
    guarded.apply(policy, &[]).unwrap().success().unwrap();
    let line = format!("policies in force policies={count} ");
    eventually("both judge by it", || guarded.replicas.iter().all(|replica| replica.said().contains(&line)));
    let ready = ["wait", "--for=condition=Ready", "--timeout=60s", "clusterpolicy", "--all"];
    guarded.api.kubectl(ready).unwrap().success().unwrap();
}

/// They share a certificate, webhook configurations and the status of policies, and nothing is written twice.
#[test]
fn two_replicas_answer_as_one() {
    let Some(guarded) = Guarded::start_two().unwrap() else { return };
    let shop = Shop::within(&guarded, "two");
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    // Both looked for the Secret at the same time.
    assert_eq!(guarded.said().matches("made a certificate").count(), 1, "{}", guarded.said());
    shop.enforce(&policy("two", &shop, "Pod", "{}"), &pod(&evil.by_tag()));

    // The API server, which is told of one authority, asks each of them.
    let authority = guarded.field(&["secret", "trust-operator-tls", "-n", NAMESPACE], "{.data.ca\\.crt}");
    let told = ["validating", "mutating"]
        .map(|phase| [format!("{phase}webhookconfiguration"), NAMESPACE.to_owned()]);
    for [kind, name] in &told {
        let told = guarded.field(&[kind, name], "{.webhooks[0].clientConfig.caBundle}");
        assert_eq!(told.unwrap(), *authority.as_ref().unwrap(), "{kind}");
    }
    let service = guarded.service.as_ref().unwrap();
    for (number, replica) in guarded.replicas.iter().enumerate() {
        service.only(&[replica.port]);
        let named = |what: &str| format!("{what}-{number}");
        let with = |image: &str, name: &str| pod(image).replace("name: web", &format!("name: {name}"));
        let refused = shop.refused(&with(&evil.by_tag(), &named("evil")));
        assert!(refused.contains("signature not found"), "{refused}");
        let knows = guarded.replicas.iter().map(|one| one.said().contains(&named("evil")));
        assert!(knows.enumerate().all(|(one, knows)| knows == (one == number)), "{}", guarded.said());
        shop.must(&with(&good.by_tag(), &named("good")));
    }
    service.only(&[guarded.replicas[0].port, guarded.replicas[1].port]);

    // Every policy makes both look at the configurations, and say what became of it.
    let mut count = 1;
    eventually("they agree on the configurations", || {
        let before = configurations(&guarded);
        for _ in 0..3 {
            count += 1;
            apply_to_both(&guarded, &policy(&format!("two-{count}"), &shop, "Pod", "{}"), count);
        }
        configurations(&guarded) == before
    });
    assert_eq!(statuses_written(&guarded), count);
}

/// Attack: while the replicas change, somebody tries again and again. One dies, and the other answers; it comes back,
/// the other is told to end, and nobody notices.
#[test]
fn one_of_two_replicas_is_enough() {
    let Some(guarded) = Guarded::start_two().unwrap() else { return };
    let shop = Shop::within(&guarded, "either");
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    shop.enforce(&policy("either", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    let [first, second] = guarded.replicas.as_slice() else { unreachable!("two") };
    Traffic::during(&shop, [&pod(&good.by_tag()), &pod(&evil.by_tag())], |traffic| {
        first.kill();
        traffic.flows();
        guarded.start_again(first, &[]).unwrap();
        traffic.flows();
        let failures = traffic.failures();
        let cut_off = |said: &String| said.contains("failed calling webhook");
        assert!(failures.iter().all(cut_off), "{failures:?}");
        // Told, it gives no request away.
        second.terminate().unwrap();
        assert_eq!(second.ended().unwrap(), 0, "{}", second.said());
        traffic.flows();
        assert_eq!(traffic.failures(), failures);
    });
    let replaced = guarded.said().matches("made a certificate").count();
    assert!(replaced <= 1 && !first.said().contains("made a certificate"), "{}", guarded.said());
}
