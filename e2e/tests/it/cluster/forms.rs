//! Each verb in the form that reads a cluster: live objects, its policies, its keys, the labels of its namespaces.

use std::path::PathBuf;

use e2e::apiserver::ApiServer;
use e2e::process::{Run, run};
use e2e::registry::{Kind, Registry};
use e2e::trust::Trust;

/// A control plane of its own: `explain` asks for all policies of one.
struct Shop {
    server: ApiServer,
    trust: Trust,
}

const SECRET: &str = "k8s://shop/signer";

const MANIFEST: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app, namespace: shop}\ndata: {mode: production}\n";

/// `ConfigMap`s of namespaces with a label, signed by a key that is a Secret of the cluster.
const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  validationFailureAction: Enforce
  background: false
  rules:
  - name: by-us
    match: {any: [{resources: {kinds: [ConfigMap], namespaceSelector: {matchLabels: {trust: 'on'}}}}]}
    validate: {manifests: {attestors: [{entries: [{keys: {publicKeys: 'k8s://shop/signer'}}]}]}}
";

impl Shop {
    fn start() -> Option<Self> {
        let server = ApiServer::start().unwrap()?;
        let trust = Trust::new().unwrap();
        trust.keygen("k").unwrap();
        let shop = Self { server, trust };
        let crds = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../operator/deploy/kyverno-crds");
        shop.kubectl(&format!("apply -k {}", crds.display()));
        shop.kubectl("wait --for=condition=Established crd --all --timeout=60s");
        for namespace in ["shop", "other"] {
            shop.server.namespace(namespace).unwrap();
        }
        shop.kubectl("label namespace shop trust=on");
        let key = shop.trust.path("k.pub");
        shop.kubectl(&format!(
            "create secret generic signer -n shop --from-file=cosign.pub={}",
            key.display()
        ));
        let policy = shop.trust.write("policy.yaml", POLICY).unwrap();
        shop.kubectl(&format!("apply -f {}", policy.display()));
        let file = shop.trust.write("app.yaml", MANIFEST).unwrap();
        let signed = shop.trust.path("signed.yaml");
        let sign = format!("sign -f {} --key k.key -o {}", file.display(), signed.display());
        shop.trust.run(&sign).unwrap().success().unwrap();
        shop.kubectl(&format!("apply -f {}", signed.display()));
        shop.kubectl("create configmap unsigned -n shop --from-literal=a=b");
        shop.kubectl("create configmap unsigned -n other --from-literal=a=b");
        Some(shop)
    }

    fn kubectl(&self, arguments: &str) -> String {
        let run = self.server.kubectl(arguments.split_whitespace()).unwrap();
        run.success().unwrap_or_else(|error| panic!("kubectl {arguments}: {error}"))
    }

    fn run(&self, arguments: &str, kubeconfig: &str) -> Run {
        let mut command = self.trust.command(arguments.split_whitespace());
        command.env("KUBECONFIG", kubeconfig).env("NO_PROXY", "127.0.0.1");
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
            command.env_remove(name);
        }
        run(&mut command).unwrap()
    }

    #[track_caller]
    fn answers(&self, arguments: &str, code: i32, fragments: &[&str]) {
        let run = self.run(arguments, &self.server.kubeconfig().display().to_string());
        let all = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, code, "{arguments}: {all}");
        for fragment in fragments {
            assert!(all.contains(fragment), "{arguments}: no `{fragment}` in\n{all}");
        }
    }
}

#[test]
fn every_verb_reads_the_cluster_in_its_own_form() {
    let Some(shop) = Shop::start() else { return };
    // By a key of the cluster, in all the ways in which kubectl names objects.
    for named in ["cm/app", "cm app", "configmap/app", "configmaps.v1. app", "cm,secrets app"] {
        let code = if named.contains(',') { 2 } else { 0 };
        shop.answers(&format!("verify-resource {named} -n shop --key {SECRET}"), code, &[]);
    }
    shop.answers(&format!("diff cm/app -n shop --key {SECRET}"), 0, &["No difference."]);
    shop.answers(&format!("verify -f signed.yaml --key {SECRET}"), 0, &["1 of 1 trusted"]);
    shop.answers(&format!("explain cm/app -n shop --key {SECRET}"), 0, &["trusted"]);
    // By the policies of the cluster, the key of its Secret and the labels of its namespaces.
    shop.answers("explain cm/app -n shop", 0, &["signed/by-us", "passes 1 of 1 rule"]);
    shop.answers("explain cm app unsigned -n shop", 1, &["[signature-missing]", "refused by 1 of 1 rule"]);
    shop.answers("explain cm unsigned -n other", 2, &["no rule applies"]);
    shop.answers("explain -f signed.yaml", 2, &["those of `shop` are not known"]);
    shop.answers("apply policy.yaml --cluster -n shop", 1, &["ConfigMap/shop/unsigned", "pass: 1, fail: "]);
    shop.answers("apply policy.yaml --cluster -n other", 2, &["no rule is about these resources"]);
    // What changed since.
    shop.kubectl("patch configmap app -n shop -p {\"data\":{\"mode\":\"test\"}}");
    shop.answers(
        &format!("diff cm/app -n shop --key {SECRET}"),
        1,
        &["-   mode: production", "+   mode: test"],
    );
    shop.answers("explain cm/app -n shop", 1, &["[manifest-differs]"]);
    let Some(registry) = Registry::start(Kind::Referrers).unwrap() else { return };
    let image = registry.push("app", "1", "content").unwrap().by_digest();
    let insecure = format!("--insecure-registry {}", registry.host());
    shop.trust.run(&format!("sign {image} --key k.key {insecure}")).unwrap().success().unwrap();
    shop.answers(
        &format!("verify {image} --key {SECRET} --insecure-ignore-tlog {insecure}"),
        0,
        &["1 of 1 trusted"],
    );
}

#[test]
fn what_cannot_be_read_is_named_with_its_namespace_and_server() {
    let Some(shop) = Shop::start() else { return };
    let kubeconfig = shop.server.kubeconfig().display().to_string();
    let server = shop.kubectl("config view -o jsonpath={.clusters[0].cluster.server}");
    let none = format!("configmap/none in namespace shop of {server}: not found");
    shop.answers("explain cm/none -n shop", 2, &[&none]);
    shop.answers(&format!("verify-resource cm none -n shop --key {SECRET}"), 2, &[&none]);
    let deployments = format!("deployments in namespace other of {server}: none there");
    shop.answers(&format!("verify-resource deploy -n other --key {SECRET}"), 2, &[&deployments]);
    shop.answers("explain wombats/a", 2, &[&server, "the cluster knows no kind `wombats`"]);
    shop.answers("explain cm/a pods", 2, &["`pods`: where one argument is KIND/NAME, all are"]);
    // As kubectl: of a list, files that are not there are passed over.
    let list = format!("/nowhere/config:{kubeconfig}");
    assert_eq!(shop.run("explain cm/app -n shop", &list).code, 0);
    let none = shop.run("explain cm/app -n shop", "/nowhere/config:/nowhere/else");
    assert_eq!(none.code, 2);
    assert!(
        none.stderr.contains("none of the files in KUBECONFIG is there (/nowhere/config, /nowhere/else)"),
        "{}",
        none.stderr
    );
    // Nothing listens there any more.
    shop.server.stop();
    shop.answers("explain cm/app -n shop", 2, &[&server, "no answer"]);
}
