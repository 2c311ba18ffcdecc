//! Many at once: no answer is another's.

use std::fs;

use e2e::process::{self, Server};
use e2e::trust::{self, Trust};
use serde_json::Value;

/// Objects of each kind that are sent.
const EACH: u64 = 100_000;

const POLICY: &str = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: manifests}
spec:
  rules:
  - name: signed
    match: {any: [{resources: {kinds: [ConfigMap]}}]}
    validate:
      failureAction: Enforce
      manifests: {attestors: [{entries: [{keys: {publicKeys: \"KEY\"}}]}]}
";

/// The same name, namespace and kind, good and tampered, a hundred thousand of each, many at a time. Attack: what was
/// found out about one must not answer for another.
#[test]
fn good_and_tampered_manifests_of_one_name_at_the_same_time() {
    let trust = Trust::new().unwrap();
    trust.keygen("k").unwrap();
    let key = trust.read("k.pub").unwrap().replace('\n', "\\n");
    trust.write("policy.yaml", POLICY.replace("KEY", &key)).unwrap();
    let manifest =
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {mode: good}}";
    trust.write("m.yaml", manifest).unwrap();
    trust.run("sign -f m.yaml --key k.key -o good.yaml").unwrap().success().unwrap();
    let signed = trust.read("good.yaml").unwrap();
    let good: Value = common::yaml::read(signed.as_bytes()).unwrap().remove(0).value;
    let mut tampered = good.clone();
    tampered["data"]["mode"] = "evil".into();
    trust.write("good.json", good.to_string()).unwrap();
    trust.write("tampered.json", tampered.to_string()).unwrap();

    let mut command = process::isolated(trust::binary("trust-operator").unwrap(), trust.home());
    command.args(["--standalone", "--policies", "policy.yaml", "--tls-ca-out", "ca.crt"]);
    command.args(["--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0"]);
    let log = trust.path("operator.log");
    let _operator = Server::start(&command, &log, None).unwrap();
    let address = process::wait_for("trust-operator", &log, || {
        let said = fs::read_to_string(&log).ok()?;
        let (_, rest) = said.split_once("serving admission=")?;
        Some(rest.split_whitespace().next()?.to_owned())
    })
    .unwrap();
    let mut load = process::isolated(env!("CARGO_BIN_EXE_load"), trust.home());
    load.args([format!("--url=https://{address}"), format!("--units={}", 2 * EACH)]);
    load.args(["--ca", "ca.crt", "--validate", "/validate/fail", "--concurrency", "32"]);
    load.args(["--object", "good.json", "--refused", "tampered.json"]);
    let said = process::run(&mut load).unwrap().success().unwrap();
    assert!(said.starts_with("200000 units") && said.contains(", 0 wrong, 0 failed"), "{said}");
}
