//! Our own kinds, as the API server serves them: what it says of them, fills in and refuses, and that they are enforced.

use e2e::process::Run;
use e2e::sigstore::{self, Rekor};

use super::fixtures::{Shop, eventually, pod};
use crate::images::fixtures::EMAIL;

/// A policy of one attestor for the images of a shop, in its namespace.
fn policy(shop: &Shop<'_>, name: &str, attestor: &str) -> String {
    format!(
        "apiVersion: kubectl-trust.io/v1alpha1
kind: ClusterTrustPolicy
metadata:
  name: {name}
spec:
  rules:
  - name: signed
    match:
      any:
      - resources: {{kinds: [Pod], namespaces: [{}]}}
    verifyImages:
    - imageReferences: ['{}/*']
      attestors:
      - entries:
        - {attestor}
",
        shop.namespace,
        shop.guarded.registry.host(),
    )
}

fn by_key(shop: &Shop<'_>) -> String {
    let key = shop.trust.read("k.pub").unwrap().replace('\n', "\\n");
    format!("keys: {{publicKeys: \"{key}\", insecureIgnoreTlog: true}}")
}

fn kubectl(shop: &Shop<'_>, arguments: &str) -> String {
    shop.guarded.api.kubectl(arguments.split_whitespace()).unwrap().success().unwrap()
}

#[test]
fn our_policies_are_enforced_and_say_so() {
    let Some(shop) = Shop::open("own") else { return };
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    shop.enforce(&policy(&shop, "own", &by_key(&shop)), &pod(&evil.by_tag()));
    let refused = shop.refused(&pod(&evil.by_tag()));
    assert!(refused.contains("\n\nown:\n  signed: 'image verification failed for "), "{refused}");
    shop.must(&pod(&good.by_tag()));
    let image = shop.guarded.field(&["pod", "web", "-n", "own"], "{.spec.containers[0].image}").unwrap();
    assert_eq!(image, format!("{}@{}", good.by_tag(), good.digest));
    // What its author left open is filled in, and what became of it is shown.
    kubectl(&shop, "wait --for=condition=Ready ctp/own");
    let shown = kubectl(&shop, "get clustertrustpolicy own");
    let words: Vec<_> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[..4], ["own", "Enforce", "Fail", "True"], "{shown}");
    assert!(words.ends_with(&["in", "force"]) && shown.starts_with("NAME "), "{shown}");
    assert!(kubectl(&shop, "get trust -o name").contains("clustertrustpolicy.kubectl-trust.io/own"));
    let explained = kubectl(&shop, "explain clustertrustpolicy.spec.failurePolicy");
    assert!(explained.contains("cannot be decided"), "{explained}");
    // The command line reads them from the cluster as well.
    let mut explain = shop.trust.command(["explain", "image", &evil.by_tag(), "-n", "own"]);
    explain.arg("--kubeconfig").arg(shop.guarded.api.kubeconfig());
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        explain.env_remove(name);
    }
    let explained = e2e::process::run(&mut explain).unwrap();
    assert!(explained.stdout.contains("✗ own/signed  [signature-missing]"), "{explained:?}");
}

/// Who refuses what: the API server what its schema says, our webhook the rest, unknown fields among it.
#[test]
fn what_is_wrong_with_our_kinds_is_refused() {
    let Some(shop) = Shop::open("ownslips") else { return };
    let good = policy(&shop, "ownslips", &by_key(&shop));
    let root = "apiVersion: kubectl-trust.io/v1alpha1
kind: TrustRoot
metadata: {name: slips}
spec: {pem: {rekorKeys: x}}
";
    let nobody = policy(&shop, "ownslips", "keyless: {subject: a@example.com}");
    let of_one = good.replace("ClusterTrustPolicy", "TrustPolicy");
    let typo = good.replace("insecureIgnoreTlog", "ignoreTlog");
    for wrong in [root, &of_one, &typo] {
        let by_us = |run: &Run| run.stderr.contains("policies.kubectl-trust.io");
        shop.guarded.until(wrong, "ownslips", by_us).unwrap();
    }
    for (text, said) in [
        (nobody, "an identity of any issuer would be trusted; add `issuer` or `issuerRegExp`"),
        (
            good.replace("keys: {", "keyless: {}\n          keys: {"),
            "must have exactly one of keys, certificates, keyless, attestor, found keys and keyless",
        ),
        (of_one, "a policy of one namespace sees only its own"),
        (
            good.replace("imageReferences", "imageReferencse"),
            "spec.rules[0].verifyImages[0].imageReferences: Required value",
        ),
        (typo.clone(), "entries[0].keys.ignoreTlog: unknown field, did you mean `insecureIgnoreTlog`?"),
        (good.replace("spec:\n", "spec:\n  failureAction: enforce\n"), "Unsupported value: \"enforce\""),
        (
            good.replace(
                "    verifyImages",
                "    validate: {manifests: {attestors: [{entries: [{}]}]}}\n    verifyImages",
            ),
            "exactly one of verifyImages and validate is needed",
        ),
        (root.to_owned(), "spec.pem.rekorKeys: "),
        (
            root.replace("rekorKeys: x", "rekorKeys: x}, trustedRoot: {"),
            "exactly one of trustedRoot and pem is needed",
        ),
    ] {
        let refused = shop.guarded.apply(&text, &["-n", "ownslips"]).unwrap();
        assert!(refused.code != 0 && refused.stderr.contains(said), "{said}\n{refused:?}\n{text}");
    }
    // Nothing that is unknown is dropped in silence, even where the client does not ask for an answer.
    let refused = shop.guarded.apply(&typo, &["--validate=false"]).unwrap();
    assert!(refused.stderr.contains("unknown field, did you mean `insecureIgnoreTlog`?"), "{refused:?}");
}

/// A private Sigstore that policies name. Without the root nothing is let in, and both sides say why.
#[test]
fn a_policy_trusts_the_root_that_it_names() {
    let Some(shop) = Shop::open("ownroot") else { return };
    let Some(private) = sigstore::shared().unwrap() else { return };
    let image = shop.push("app");
    shop.trust.write("token", private.token(EMAIL).unwrap()).unwrap();
    let config = private.signing_config(Rekor::V2);
    let sign =
        format!("sign {} --identity-token token --signing-config {}", image.by_tag(), config.display());
    shop.trust.run(&sign).unwrap().success().unwrap();
    let attestor =
        format!("keyless: {{subject: {EMAIL}, issuer: '{}', trustRoot: private}}", private.issuer());
    shop.enforce(&policy(&shop, "ownroot", &attestor), &pod(&image.by_tag()));
    let refused = shop.refused(&pod(&image.by_tag()));
    assert!(refused.contains("the policy names the trust root private, and there is none"), "{refused}");
    kubectl(&shop, "wait --for=condition=Ready=false ctp/ownroot");
    let shown = kubectl(&shop, "get ctp ownroot");
    assert!(shown.contains("there is no TrustRoot private"), "{shown}");

    let root = std::fs::read_to_string(private.trusted_root()).unwrap();
    let root = format!(
        "{{\"apiVersion\": \"kubectl-trust.io/v1alpha1\", \"kind\": \"TrustRoot\", \
         \"metadata\": {{\"name\": \"private\"}}, \"spec\": {{\"trustedRoot\": {root}}}}}"
    );
    shop.guarded.apply(&root, &[]).unwrap().success().unwrap();
    kubectl(&shop, "wait --for=condition=Ready ctp/ownroot trustroot/private --timeout=60s");
    shop.must(&pod(&image.by_tag()));
    let shown = kubectl(&shop, "get trustroot private");
    assert!(shown.contains("trusts certificate authority: 1, "), "{shown}");
    // It goes, and with it the trust.
    kubectl(&shop, "delete trustroot private");
    let other = pod(&image.by_tag()).replace("name: web", "name: other");
    eventually("nobody is trusted any more", || {
        shop.guarded.apply(&other, &["-n", "ownroot", "--dry-run=server"]).unwrap().code != 0
    });
}

#[test]
fn a_policy_of_one_namespace_is_about_that_namespace() {
    let Some(shop) = Shop::open("ownplace") else { return };
    let evil = shop.push("evil");
    let policy = policy(&shop, "ownplace", &by_key(&shop))
        .replace("ClusterTrustPolicy", "TrustPolicy")
        .replace("  name: ownplace", "  name: ownplace\n  namespace: ownplace")
        .replace(", namespaces: [ownplace]", "");
    shop.enforce(&policy, &pod(&evil.by_tag()));
    assert!(shop.refused(&pod(&evil.by_tag())).contains("\nownplace/ownplace:\n"));
    shop.guarded.api.namespace("ownplace-next").unwrap();
    shop.guarded.apply(&pod(&evil.by_tag()), &["-n", "ownplace-next"]).unwrap().success().unwrap();
}
