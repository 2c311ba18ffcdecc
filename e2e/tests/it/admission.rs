//! The operator in front of a real API server, as people see it: with kubectl.

mod conditions;
mod effects;
mod engines;
mod fixtures;
mod image_policy;
mod kinds;
mod load;
mod older_manifests;
mod outages;
mod own_kinds;
mod replicas;
mod requests;
mod signed_policies;
mod story;
mod traffic;
mod updates;

use std::time::Duration;

use e2e::operator::{self, Guarded};
use e2e::process::run;
use e2e::registry::{Kind, Registry};
use serde_json::json;

use self::fixtures::{Shop, eventually, pod, policy};

/// The story of the README: a policy, a signed Pod, and one that is not.
#[test]
fn a_signed_pod_is_pinned_and_an_unsigned_one_refused() {
    let Some(shop) = Shop::open("story") else { return };
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    shop.enforce(&policy("story", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    let ready = shop.guarded.api.kubectl(["wait", "--for=condition=Ready", "clusterpolicy/story"]).unwrap();
    ready.success().unwrap();
    shop.must(&pod(&good.by_tag()));
    let image =
        shop.guarded.field(&["pod", "web", "-n", shop.namespace], "{.spec.containers[0].image}").unwrap();
    assert_eq!(image, format!("{}@{}", good.by_tag(), good.digest));
    let refused = shop.refused(&pod(&evil.by_tag()).replace("name: web", "name: other"));
    let expected = [
        "Error from server (Forbidden): error when creating \"STDIN\": admission webhook \
         \"validate-fail.kubectl-trust.io\" denied the request: resource Pod/story/other was blocked due to the \
         following policies"
            .to_owned(),
        String::new(),
        "story:".to_owned(),
        format!("  signed: 'image verification failed for {}: signature not found'", evil.by_tag()),
    ];
    let found: Vec<_> = refused.lines().take(4).collect();
    assert_eq!(found, expected, "{refused}");
    for part in [
        "    looked for: ",
        "    would pass: if you built this image: kubectl trust sign ",
        "    explain:    kubectl trust explain image ",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    // The command that it names shows the whole tree, by the policies of the cluster.
    let (_, command) = refused.split_once("explain:    kubectl trust ").unwrap();
    let command = command.lines().next().unwrap();
    let mut explain = shop.trust.command(command.split_whitespace());
    explain.arg("--kubeconfig").arg(shop.guarded.api.kubeconfig());
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        explain.env_remove(name);
    }
    let explained = run(&mut explain).unwrap();
    assert_eq!(explained.code, 1, "{explained:?}");
    assert!(explained.stdout.contains("✗ story/signed  [signature-missing]"), "{explained:?}");
    // A dry run says the same.
    let dry = shop.guarded.apply(&pod(&evil.by_tag()), &["-n", shop.namespace, "--dry-run=server"]).unwrap();
    assert!(dry.stderr.contains("signature not found"), "{dry:?}");
}

/// Attack: a tag that was signed when the first Pod was let in, and is moved afterwards.
#[test]
fn a_tag_that_was_moved_is_refused_although_it_was_let_in_before() {
    let Some(shop) = Shop::open("moved") else { return };
    let (good, evil) = (shop.signed("app"), shop.push("evil"));
    let unpinned = policy("moved", &shop, "Pod", "{}").replace(
        "      failureAction",
        "      mutateDigest: false\n      verifyDigest: false\n      failureAction",
    );
    shop.enforce(&unpinned, &pod(&evil.by_tag()));
    shop.must(&pod(&good.by_tag()));
    shop.guarded.registry.push("moved/app", "1", "another").unwrap();
    // As long as it is remembered what a tag points to.
    std::thread::sleep(Duration::from_millis(1_100));
    let refused = shop.refused(&pod(&good.by_tag()).replace("name: web", "name: second"));
    assert!(refused.contains("signature not found"), "{refused}");
}

/// Every workload is judged where it is made, and the Pods that controllers make of it are pinned.
#[test]
fn workloads_and_their_pods() {
    let Some(shop) = Shop::open("workloads") else { return };
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    shop.enforce(&policy("workloads", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    for (kind, template) in WORKLOADS {
        let workload = |name: &str, image: &str| template.replace("NAME", name).replace("IMAGE", image);
        let refused = shop.refused(&workload("evil", &evil.by_tag()));
        assert!(refused.contains("signature not found"), "{kind}: {refused}");
        shop.must(&workload("good", &good.by_tag()));
    }
    let pinned = format!("{}@{}", good.by_tag(), good.digest);
    eventually("the Pods of the Deployment are there, and pinned", || {
        let all = ["pods", "-l", "app=good", "-n", shop.namespace];
        let images = shop.guarded.field(&all, "{.items[*].spec.containers[0].image}").unwrap();
        !images.is_empty() && images.split(' ').all(|image| image == pinned)
    });
}

const WORKLOADS: [(&str, &str); 3] = [
    (
        "Deployment",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: c, image: 'IMAGE'}]}
",
    ),
    (
        "StatefulSet",
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: NAME-set}
spec:
  serviceName: s
  selector: {matchLabels: {set: NAME}}
  template:
    metadata: {labels: {set: NAME}}
    spec: {initContainers: [{name: i, image: 'IMAGE'}], containers: [{name: c, image: 'IMAGE'}]}
",
    ),
    (
        "CronJob",
        "apiVersion: batch/v1
kind: CronJob
metadata: {name: NAME-job}
spec:
  schedule: '0 0 1 1 *'
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: c, image: 'IMAGE'}]}
",
    ),
];

/// Attack A9: `kubectl debug` on a Pod that was let in.
#[test]
fn a9_a_debug_container_is_judged() {
    let Some(shop) = Shop::open("debug") else { return };
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    shop.enforce(&policy("debug", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    shop.must(&pod(&good.by_tag()));
    let debug = |image: &str| {
        let image = format!("--image={image}");
        let all =
            ["debug", "web", "-n", "debug", &image, "--attach=false", "--profile=restricted", "--", "sh"];
        shop.guarded.api.kubectl(all).unwrap()
    };
    let refused = debug(&evil.by_tag());
    assert!(refused.code != 0 && refused.stderr.contains("signature not found"), "{refused:?}");
    debug(&good.by_tag()).success().unwrap();
}

/// A signed Deployment may be scaled where the policy says so; its image may not be changed.
#[test]
fn a_signed_manifest_is_scaled_but_not_changed() {
    let Some(shop) = Shop::open("manifests") else { return };
    let policy = manifest_policy(&shop);
    let manifest = WORKLOADS[0].1.replace("NAME", "web").replace("IMAGE", "registry.example.com/web:1");
    shop.enforce(&policy, &manifest);
    let refused = shop.refused(&manifest);
    assert!(refused.contains("manifest verification failed: message not found"), "{refused}");
    shop.trust.write("web.yaml", &manifest).unwrap();
    shop.trust.run("sign -f web.yaml --key k.key -o signed.yaml").unwrap().success().unwrap();
    let signed = shop.trust.read("signed.yaml").unwrap();
    shop.must(&signed);
    let refused = shop.refused(&signed.replace("web:1", "web:2"));
    assert!(refused.contains("spec.template.spec.containers[name=c].image: signed"), "{refused}");
    let on = |arguments: &str| {
        let all = ["-n", "manifests"].into_iter().chain(arguments.split_whitespace());
        shop.guarded.api.kubectl(all).unwrap()
    };
    on("scale deployment web --replicas=3").success().unwrap();
    // The same by a change of the object itself.
    on(r#"patch deployment web -p {"spec":{"replicas":4}}"#).success().unwrap();
    let refused = on("set image deployment/web c=registry.example.com/evil:1");
    assert!(refused.code != 0 && refused.stderr.contains("diff found"), "{refused:?}");
    let refused = on("label deployment web team=evil");
    assert!(refused.code != 0 && refused.stderr.contains("metadata.labels"), "{refused:?}");
}

fn manifest_policy(shop: &Shop<'_>) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: Policy
metadata:
  name: manifests
  namespace: {namespace}
  annotations:
    kubectl-trust.io/allow-namespace: '*'
spec:
  rules:
  - name: signed
    match:
      any:
      - resources: {{kinds: [Deployment]}}
    validate:
      failureAction: Enforce
      manifests:
        attestors:
        - entries:
          - keys:
              publicKeys: |
{key}        ignoreFields:
        - objects: [{{kind: Deployment}}]
          fields: [spec.replicas]
",
        namespace = shop.namespace,
        key = shop.key(16)
    )
}

/// A signed manifest names a tag; the digest that we add to it is no difference, and a digest of others is one.
#[test]
fn a_signed_manifest_may_be_pinned() {
    let Some(shop) = Shop::open("both") else { return };
    let (good, evil) = (shop.signed("good"), shop.push("evil"));
    let manifest = |image: &str| WORKLOADS[0].1.replace("NAME", "web").replace("IMAGE", image);
    shop.guarded.apply(&manifest_policy(&shop), &[]).unwrap().success().unwrap();
    shop.enforce(&policy("both", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    shop.trust.write("web.yaml", manifest(&good.by_tag())).unwrap();
    shop.trust.run("sign -f web.yaml --key k.key -o signed.yaml").unwrap().success().unwrap();
    let signed = shop.trust.read("signed.yaml").unwrap();
    shop.must(&signed);
    let image =
        shop.guarded.field(&["deployment", "web", "-n", "both"], "{.spec.template.spec.containers[0].image}");
    assert_eq!(image.unwrap(), format!("{}@{}", good.by_tag(), good.digest));
    let other = shop.signed("other");
    let refused =
        shop.refused(&signed.replace(&good.by_tag(), &format!("{}@{}", good.by_tag(), other.digest)));
    assert!(refused.contains("both/manifests"), "{refused}");
}

/// Attack: an exception from a namespace of one's own.
#[test]
fn an_exception_counts_only_from_a_namespace_that_was_named() {
    let Some(shop) = Shop::open("exceptions") else { return };
    let evil = shop.push("evil");
    shop.enforce(&policy("excepted", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    let exception = |namespace: &str| {
        format!(
            "apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {{name: mine, namespace: {namespace}}}
spec:
  match: {{any: [{{resources: {{kinds: [Pod], namespaces: [exceptions]}}}}]}}
  exceptions: [{{policyName: excepted, ruleNames: ['*']}}]
"
        )
    };
    shop.guarded.apply(&exception("exceptions"), &[]).unwrap().success().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    shop.refused(&pod(&evil.by_tag()));
    shop.guarded.apply(&exception(operator::NAMESPACE), &[]).unwrap().success().unwrap();
    eventually("the exception counts", || shop.apply(&pod(&evil.by_tag())).code == 0);
}

/// Attack A14: a policy that does nothing because of a slip.
#[test]
fn a14_a_policy_that_does_not_compile_is_refused() {
    let Some(shop) = Shop::open("slips") else { return };
    let good = policy("slips", &shop, "Pod", "{}");
    let refused =
        shop.guarded.until(&good.replace("imageReferences", "imageReferencse"), "slips", |run| run.code != 0);
    let said = refused.unwrap().stderr;
    for line in [
        "admission webhook \"policies.kubectl-trust.io\" denied the request: ClusterPolicy slips does not compile:",
        "  spec.rules[0].verifyImages[0].imageReferencse: unknown field, did you mean `imageReferences`?",
        "  spec.rules[0].verifyImages[0].imageReferences: missing; an image reference is required",
    ] {
        assert!(said.contains(line), "{said}");
    }
    // What is accepted and may not do what its author thinks is a warning.
    let odd = good.replace("failureAction", "imageRegistryCredentials: {}\n      failureAction");
    let odd = odd.replace(&format!("'{}/*'", shop.guarded.registry.host()), "'nginx'");
    let warned = shop.guarded.apply(&odd, &["--dry-run=server"]).unwrap();
    assert!(warned.code == 0 && warned.stderr.contains("Warning: spec.rules[0]"), "{warned:?}");
}

/// Attack A44: somebody edits, narrows or deletes the webhook configuration. On a cluster of its own: until it is back,
/// whatever others apply is let in.
#[test]
fn a44_the_webhook_configuration_is_put_back() {
    let Some(guarded) = Guarded::start().unwrap() else { return };
    let shop = Shop::within(&guarded, "putback");
    let evil = shop.push("evil");
    shop.enforce(&policy("putback", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    let on = |arguments: &[&str]| {
        let what = ["validatingwebhookconfiguration", "trust-operator"];
        let all = arguments[..1].iter().chain(&what).chain(&arguments[1..]).copied();
        shop.guarded.api.kubectl(all).unwrap()
    };
    let never = r#"[{"op":"add","path":"/webhooks/0/matchConditions","value":[{"name":"never","expression":"false"}]}]"#;
    let ignore = r#"[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]"#;
    for change in [never, ignore] {
        on(&["patch", "--type=json", "-p", change]).success().unwrap();
        eventually("it is put back", || {
            let now =
                on(&["get", "-o", "jsonpath={.webhooks[0].matchConditions}{.webhooks[0].failurePolicy}"]);
            now.stdout == "Fail"
        });
    }
    on(&["delete"]).success().unwrap();
    eventually("it is there again", || on(&["get"]).code == 0);
    eventually("and refuses", || shop.apply(&pod(&evil.by_tag())).stderr.contains("denied the request"));
}

/// Logins and keys that live in the cluster: used where they are named, and where the right to read them was given.
/// Attack A45: a policy that names a Secret gives nobody the right to read it.
#[test]
fn a45_secrets_are_read_where_somebody_gave_the_right() {
    let Some(shop) = Shop::open("pulls") else { return };
    let Some(private) = Registry::start(Kind::Private).unwrap() else { return };
    let image = private.push("pulls/app", "1", "app").unwrap();
    let logins = json!({"auths": {private.host(): {"auth": Registry::login()}}}).to_string();
    shop.trust.write("config.json", &logins).unwrap();
    shop.trust.run(&format!("sign {} --key k.key", image.by_tag())).unwrap().success().unwrap();
    let policy = policy("pulls", &shop, "Pod", "{}").replace(shop.guarded.registry.host(), private.host());
    let (head, _) = policy.split_once("            publicKeys: |\n").unwrap();
    let by_secret = format!("{head}            secret: {{name: signer, namespace: pulls}}\n");
    shop.enforce(&by_secret, &pod(&image.by_tag()));
    let with = pod(&image.by_tag()).replace("spec:\n", "spec:\n  imagePullSecrets: [{name: regcred}]\n");
    let expect = |text: &str, parts: &[&str]| {
        let refused = shop.refused(text);
        for part in parts {
            assert!(refused.contains(part), "{part}: {refused}");
        }
    };
    expect(&pod(&image.by_tag()), &["not allowed with no credentials"]);
    let kubectl = |arguments: &str| {
        let all = ["-n", "pulls"].into_iter().chain(arguments.split_whitespace());
        shop.guarded.api.kubectl(all).unwrap().success().unwrap();
    };
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred"},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": logins}});
    shop.must(&secret.to_string());
    kubectl(&format!(
        "create secret generic signer --from-file=cosign.pub={}",
        shop.trust.path("k.pub").display()
    ));
    expect(
        &with,
        &["the Secret pulls/regcred, which is not at hand", "get secrets/regcred in namespace pulls"],
    );
    kubectl("create role logins --verb=get --resource=secrets --resource-name=regcred");
    kubectl("create rolebinding logins --role=logins --serviceaccount=trust-operator:trust-operator");
    eventually("the login is used, and the key is not at hand", || {
        let refused = shop.apply(&with).stderr;
        refused.contains("k8s://pulls/signer") && refused.contains("get secrets/signer in namespace pulls")
    });
    kubectl("create role keys --verb=get --resource=secrets --resource-name=signer");
    kubectl("create rolebinding keys --role=keys --serviceaccount=trust-operator:trust-operator");
    eventually("it is let in", || shop.apply(&with).code == 0);
    // The login of one Pod is not used for another that does not name it.
    expect(&pod(&image.by_tag()).replace("name: web", "name: other"), &["not allowed with no credentials"]);
    // A workload is judged with what its Pods will have: the logins of their service account.
    let workload = deployment(&image.by_tag());
    expect(&workload, &["not allowed with no credentials"]);
    kubectl(r#"patch serviceaccount default -p {"imagePullSecrets":[{"name":"regcred"}]}"#);
    eventually("the login of the service account is used", || shop.apply(&workload).code == 0);
}

fn deployment(image: &str) -> String {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}},
    }})
    .to_string()
}

/// Attack A15: a namespace that is relabelled to leave the set of those that are judged. Which are not is said by name,
/// and the API server keeps that label.
#[test]
fn a15_a_label_of_a_namespace_exempts_nothing() {
    let Some(shop) = Shop::open("relabelled") else { return };
    let evil = shop.push("evil");
    shop.enforce(&policy("relabelled", &shop, "Pod", "{}"), &pod(&evil.by_tag()));
    let label = |label: &str| {
        shop.guarded.api.kubectl(["label", "namespace", "relabelled", "--overwrite", label]).unwrap()
    };
    for other in
        ["kubernetes.io/metadata.name=kube-system", "kubernetes.io/metadata.name-", "name=kube-system"]
    {
        // Whether the API server takes it or not.
        let _ = label(other);
        shop.refused(&pod(&evil.by_tag()));
    }
    let said =
        shop.guarded.field(&["namespace", "relabelled"], r"{.metadata.labels.kubernetes\.io/metadata\.name}");
    assert_eq!(said.unwrap(), "relabelled");
}

/// The Deployment keeps to what the restricted standard of Pod Security asks, which its own namespace enforces.
#[test]
fn our_own_pods_are_as_restricted_as_can_be() {
    let Some(guarded) = operator::shared().unwrap() else { return };
    let enforced = r"{.metadata.labels.pod-security\.kubernetes\.io/enforce}";
    assert_eq!(guarded.field(&["namespace", operator::NAMESPACE], enforced).unwrap(), "restricted");
    eventually("its Pod is made", || {
        let pods = guarded.api.kubectl(["get", "pods", "-n", operator::NAMESPACE, "-o", "name"]).unwrap();
        pods.stdout.contains("pod/trust-operator-")
    });
    let wanton = pod("registry.example.com/x:1").replace("name: web\nspec", "name: wanton\nspec");
    let refused = guarded.apply(&wanton, &["-n", operator::NAMESPACE]).unwrap();
    assert!(refused.stderr.contains("violates PodSecurity \"restricted:latest\""), "{refused:?}");
}
