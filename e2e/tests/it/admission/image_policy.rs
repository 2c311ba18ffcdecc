//! The API server's own plugin asks us, with a certificate, before any webhook exists.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::apiserver::ApiServer;
use e2e::process::{self, Server};
use e2e::registry::{Kind, Registry};
use e2e::trust::{self, Trust};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::fixtures::pod;

/// The files that people copy, with other paths.
fn deployed(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/deploy/image-policy-webhook");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// An authority, and a certificate of it, in the files of the example.
fn certificates(folder: &Path) {
    let (authority, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(folder.join("client-ca.crt"), params.self_signed(&authority).unwrap().pem()).unwrap();
    let client = CertificateParams::new(vec!["api-server".to_owned()]).unwrap();
    let client = client.signed_by(&key, &Issuer::new(params, authority)).unwrap();
    fs::write(folder.join("client.crt"), client.pem()).unwrap();
    fs::write(folder.join("client.key"), key.serialize_pem()).unwrap();
}

fn start(folder: &Path, port: u16) -> Server {
    let mut command: Command = process::isolated(trust::binary("trust-operator").unwrap(), folder);
    command.args(["--standalone", "--policies", "policy.yaml", "--client-ca", "client-ca.crt"]);
    command.args(["--tls-ca-out", "ca.crt", "--health-listen", "127.0.0.1:0"]);
    command.arg(format!("--listen=127.0.0.1:{port}"));
    let log = folder.join("operator.log");
    let server = Server::start(&command, &log, None).unwrap();
    let serving = || fs::read_to_string(&log).ok()?.contains("serving").then_some(());
    process::wait_for("trust-operator", &log, serving).unwrap();
    server
}

#[test]
fn the_plugin_of_the_api_server_asks_us() {
    let Some(registry) = Registry::start(Kind::Referrers).unwrap() else { return };
    let trust = Trust::new().unwrap();
    trust.keygen("k").unwrap();
    let [good, latest] =
        [("good", "1"), ("good", "latest")].map(|(name, tag)| registry.push(name, tag, name).unwrap());
    let evil = registry.push("evil", "1", "evil").unwrap();
    trust.run(&format!("sign {} --key k.key", good.by_tag())).unwrap().success().unwrap();
    let folder: PathBuf = trust.home().to_path_buf();
    let [port] = process::free_ports().unwrap();
    certificates(&folder);
    let policy = deployed("policy.yaml");
    let (head, rest) = policy.split_once("-----BEGIN").unwrap();
    let (_, tail) = rest.split_once("END PUBLIC KEY-----\n").unwrap();
    let key = trust.read("k.pub").unwrap().trim_end().replace('\n', "\n              ");
    trust.write("policy.yaml", format!("{head}{key}\n{tail}")).unwrap();
    let place = |text: String| text.replace("/etc/kubernetes/trust", &folder.display().to_string());
    trust.write("admission.yaml", place(deployed("admission.yaml"))).unwrap();
    let kubeconfig =
        place(deployed("kubeconfig.yaml")).replace("127.0.0.1:8443", &format!("127.0.0.1:{port}"));
    trust.write("kubeconfig.yaml", kubeconfig).unwrap();
    let operator = start(&folder, port);

    let configuration =
        format!("--admission-control-config-file={}", folder.join("admission.yaml").display());
    let plugin = ["--enable-admission-plugins=ImagePolicyWebhook".to_owned(), configuration];
    let Some(api) = ApiServer::start_with(&plugin).unwrap() else { return };
    let apply = |image: &str, name: &str| {
        let text = pod(image).replace("name: web", &format!("name: {name}"));
        api.kubectl_with(["apply", "-f", "-"], text.as_bytes()).unwrap()
    };
    apply(&good.by_tag(), "good").success().unwrap();
    for (image, says) in [
        (evil.by_tag(), "signature not found"),
        (latest.by_tag(), "unverified image"),
        (format!("{}/good", registry.host()), "unverified image"),
    ] {
        let refused = apply(&image, "bad");
        assert!(refused.code != 0 && refused.stderr.contains(says), "{image}: {refused:?}");
        assert!(
            refused.stderr.contains("image policy webhook backend denied one or more images"),
            "{refused:?}"
        );
    }
    // Nobody answers: nothing runs that was not judged before.
    drop(operator);
    let other = registry.push("other", "1", "other").unwrap();
    assert!(apply(&other.by_tag(), "other").code != 0);
}
