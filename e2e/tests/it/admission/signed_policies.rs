//! A cluster that takes only policies which were signed.

use e2e::operator::Guarded;
use e2e::process::Run;
use e2e::trust::Trust;

use super::fixtures::{eventually, pod};

/// Who must have signed policies, by their kinds.
fn rules(key: &str) -> String {
    format!(
        "apiVersion: kubectl-trust.io/v1alpha1
kind: ClusterTrustPolicy
metadata: {{name: signed-policies}}
spec:
  rules:
  - name: by-the-security-team
    match: {{any: [{{resources: {{kinds: ['kubectl-trust.io/*/*', 'kyverno.io/*/*']}}}}]}}
    validate: {{manifests: {{attestors: [{{entries: [{{keys: {{publicKeys: \"{key}\"}}}}]}}]}}}}
"
    )
}

fn ours(key: &str) -> String {
    format!(
        "apiVersion: kubectl-trust.io/v1alpha1
kind: ClusterTrustPolicy
metadata:
  name: pods
spec:
  rules:
  - name: signed
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    verifyImages:
    - imageReferences: ['127.0.0.1:*/*']
      attestors: [{{entries: [{{keys: {{publicKeys: \"{key}\", insecureIgnoreTlog: true}}}}]}}]
"
    )
}

fn kyvernos(key: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: jobs
spec:
  rules:
  - name: signed
    match: {{any: [{{resources: {{kinds: [Job]}}}}]}}
    verifyImages:
    - imageReferences: ['127.0.0.1:*/*']
      failureAction: Enforce
      attestors: [{{entries: [{{keys: {{publicKeys: \"{key}\", rekor: {{ignoreTlog: true}}}}}}]}}]
"
    )
}

struct Security {
    trust: Trust,
    key: String,
}

impl Security {
    fn new() -> Self {
        let trust = Trust::new().unwrap();
        trust.keygen("k").unwrap();
        let key = trust.read("k.pub").unwrap().replace('\n', "\\n");
        Self { trust, key }
    }

    fn signed(&self, text: &str) -> String {
        self.trust.write("policy.yaml", text).unwrap();
        self.trust.run("sign -f policy.yaml --key k.key --in-place").unwrap().success().unwrap();
        self.trust.read("policy.yaml").unwrap()
    }
}

/// Attack: rights to write policies, and nobody's signature.
#[test]
fn a45_only_signed_policies_count() {
    let team = Security::new();
    let file = team.trust.write("signed-policies.yaml", rules(&team.key)).unwrap();
    let flags = ["--signed-policies", &file.to_string_lossy()];
    let Some(guarded) = Guarded::start_with(&flags).unwrap() else { return };
    let must = |text: &str| guarded.apply(text, &[]).unwrap().success().unwrap();
    let refused = |run: &Run| run.code != 0 && run.stderr.contains("\nsigned-policies:\n");
    let (ours, kyvernos) = (ours(&team.key), kyvernos(&team.key));
    for text in [&ours, &kyvernos] {
        let run = guarded.until(text, "default", refused).unwrap();
        for part in
            ["by-the-security-team: 'manifest verification failed: ", "would pass: kubectl trust sign -f"]
        {
            assert!(run.stderr.contains(part), "{run:?}");
        }
    }
    // Signed, they are taken as the API server completes them, and enforced.
    for text in [&ours, &kyvernos] {
        must(&team.signed(text));
    }
    let wait = "wait --for=condition=Ready clustertrustpolicy/pods clusterpolicy/jobs --timeout=60s";
    let kubectl = |arguments: &str| guarded.api.kubectl(arguments.split_whitespace()).unwrap();
    kubectl(wait).success().unwrap();
    let unsigned = guarded.registry.push("policies/app", "1", "app").unwrap();
    let pod = pod(&unsigned.by_tag());
    guarded.until(&pod, "default", |run| run.stderr.contains("\npods:\n")).unwrap();
    // What weakens one is refused: an edit, an exception.
    let weaker =
        kubectl(r#"patch clustertrustpolicy pods --type=merge -p {"spec":{"failureAction":"Audit"}}"#);
    assert!(refused(&weaker) && weaker.stderr.contains("spec.failureAction"), "{weaker:?}");
    let exception = "{apiVersion: kyverno.io/v2, kind: PolicyException, metadata: {name: mine, namespace: trust-operator}, spec: {
        match: {any: [{resources: {kinds: [Job]}}]}, exceptions: [{policyName: jobs, ruleNames: ['*']}]}}";
    assert!(refused(&guarded.apply(exception, &[]).unwrap()));
    // A new version is one that is signed anew.
    must(&team.signed(&ours.replace("spec:\n", "spec:\n  category: images\n")));

    // Nobody answers, and whoever may delete our webhook writes what he likes: it does not count.
    guarded.kill();
    kubectl("delete validatingwebhookconfiguration --all").success().unwrap();
    must(&ours.replace("name: pods", "name: stranger").replace("[Pod]", "[ConfigMap]"));
    let audit =
        ours.replace("name: pods", "name: unheard").replace("spec:\n", "spec:\n  failureAction: Audit\n");
    must(&audit);
    guarded.run(&flags).unwrap();
    for name in ["stranger", "unheard"] {
        eventually("it is said not to be in force", || {
            let said = kubectl(&format!("get clustertrustpolicy {name}")).stdout;
            said.contains(" False ") && said.contains("it is not signed as --signed-policies demands")
        });
    }
    guarded.until(&pod, "default", |run| run.stderr.contains("\npods:\n")).unwrap();
}
