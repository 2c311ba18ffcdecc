//! Kinds of policies that come and go while the operator runs.

use std::path::Path;

use e2e::operator::Guarded;

use super::fixtures::{Shop, eventually, pod, policy};

#[test]
fn kinds_of_policies_may_come_and_go() {
    let Some(guarded) = Guarded::start().unwrap() else { return };
    let shop = Shop::within(&guarded, "kinds");
    let evil = pod(&shop.push("evil").by_tag());
    let kubectl = |arguments: &str| guarded.api.kubectl(arguments.split_whitespace()).unwrap();
    let kinds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/deploy/kyverno-crds");
    let kinds = kinds.to_string_lossy().into_owned();
    shop.enforce(&policy("kinds", &shop, "Pod", "{}"), &evil);

    // With their kind, all of its policies go, and nobody is asked for what nobody demands.
    kubectl(&format!("delete -k {kinds}")).success().unwrap();
    let webhook = "get validatingwebhookconfiguration trust-operator";
    eventually("no policy, no webhook", || kubectl(webhook).code != 0);
    shop.must(&evil);

    // The kind is there again, and what is written of it counts.
    kubectl(&format!("apply -k {kinds}")).success().unwrap();
    let again = policy("again", &shop, "Pod", "{}");
    eventually("the kind is served", || guarded.apply(&again, &[]).unwrap().code == 0);
    let other = evil.replace("name: web", "name: other");
    guarded.until(&other, "kinds", |run| run.stderr.contains("\nagain:\n")).unwrap();
    kubectl("wait --for=condition=Ready clusterpolicy/again --timeout=60s").success().unwrap();
    // And they are vetted when they are written.
    let slip = again.replace("imageReferences", "imageReferencse");
    guarded.until(&slip, "kinds", |run| run.stderr.contains("did you mean `imageReferences`?")).unwrap();
}
