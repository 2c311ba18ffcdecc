//! The program itself: TLS, signals, exit codes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::webhook::{Reply, create, reply, review};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trust-operator"));
    command.env_remove("TRUST_LOG").stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// What a run that ends by itself says, and its exit code.
fn run(arguments: &str) -> (i32, String) {
    let output = command().args(arguments.split_whitespace()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

/// A running operator, which ends with this value.
struct Operator {
    child: Child,
    log: BufReader<ChildStderr>,
    admission: String,
    health: String,
    client: reqwest::Client,
}

impl Operator {
    /// The operator with the example of the README and some more arguments.
    fn start(folder: &Path, policies: &Path, arguments: &[&str]) -> Self {
        let ca = folder.join("ca.crt");
        let mut command = command();
        command.args(["--standalone", "--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0"]);
        command.arg("--policies").arg(policies).arg("--tls-ca-out").arg(&ca);
        command.arg("--images").arg(examples().join("check-image/images")).args(arguments);
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let line = wait_for(&mut log, "serving");
        let address = |name: &str| {
            let rest = line.split(&format!("{name}=")).nth(1).unwrap_or_else(|| panic!("{line}"));
            rest.split_whitespace().next().unwrap().to_owned()
        };
        let ca = reqwest::Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        let (admission, health) = (address("admission"), address("health"));
        Self { child, log, admission, health, client }
    }

    /// Waits for its end and gives its exit code. Without blocking: our end of a connection has to say goodbye as well.
    async fn ended(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "it waits for nobody");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn ask(&self, path: &str, object: &Value) -> Reply {
        let url = format!("https://{}{path}?timeout=10s", self.admission);
        let body = review(&create(object));
        let sent = self.client.post(url).header("Content-Type", "application/json").body(body).send();
        let answer = sent.await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
        reply(&serde_json::from_slice(&answer).unwrap())
    }

    async fn look(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("http://{}{path}", self.health)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn wait_for(log: &mut BufReader<ChildStderr>, text: &str) -> String {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended without saying {text}:\n{said}");
        if line.contains(text) {
            return line;
        }
        said.push_str(&line);
    }
}

fn demo(tag: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "my", "namespace": "default"},
        "spec": {"containers": [{"name": "app", "image": format!("314315960/nginx-demo:{tag}")}]}})
}

#[tokio::test]
async fn it_serves_what_the_example_says() {
    let folder = tempfile::tempdir().unwrap();
    let operator = Operator::start(folder.path(), &examples().join("check-image/policy.yaml"), &[]);
    let mutated = operator.ask("/mutate/fail", &demo("signed")).await;
    let pinned = mutated.patch[0]["value"].as_str().unwrap();
    assert!(pinned.starts_with("314315960/nginx-demo:signed@sha256:"), "{pinned}");
    let mut pod = demo("signed");
    pod["spec"]["containers"][0]["image"] = json!(pinned);
    assert!(operator.ask("/validate/fail", &pod).await.allowed);
    let refused = operator.ask("/validate/fail", &demo("unsigned")).await;
    let line =
        "  check-image: 'image verification failed for 314315960/nginx-demo:unsigned: signature not found'";
    assert!(refused.message.lines().any(|said| said == line), "{}", refused.message);
    assert_eq!(operator.look("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(operator.look("/readyz").await, (200, "ok\n".to_owned()));
    let (status, metrics) = operator.look("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        r#"trust_admission_requests_total{phase="validate",outcome="denied"} 1"#,
        r#"trust_admission_requests_total{phase="mutate",outcome="allowed"} 1"#,
        r#"trust_decisions_total{policy="check-image",rule="check-image",outcome="fail"} 1"#,
        "trust_policies 1",
        r#"trust_registry_requests{state="waiting"} 0"#,
    ] {
        assert!(metrics.lines().any(|said| said == line), "{line}\n{metrics}");
    }
    // In seconds since 1970, and not before this was written.
    let end =
        metrics.lines().find_map(|line| line.strip_prefix("trust_certificate_expiry_timestamp_seconds "));
    assert!(end.unwrap().parse::<i64>().unwrap() > 1_795_000_000, "{metrics}");
}

/// A mistake in a policy must not let everything in.
#[tokio::test]
async fn policies_are_read_anew_and_a_mistake_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    let text = std::fs::read_to_string(examples().join("check-image/policy.yaml")).unwrap();
    std::fs::write(policies.join("a.yaml"), &text).unwrap();
    let mut operator = Operator::start(folder.path(), &policies, &[]);
    assert!(!operator.ask("/validate/fail", &demo("unsigned")).await.allowed);
    std::fs::write(policies.join("a.yaml"), text.replace("imageReferences", "imageReferencse")).unwrap();
    operator.signal("HUP");
    let said = wait_for(&mut operator.log, "the policies stay as they were");
    assert!(said.contains("imageReferencse"), "{said}");
    assert!(!operator.ask("/validate/fail", &demo("unsigned")).await.allowed);
    std::fs::write(policies.join("a.yaml"), text.replace("nginx-demo*", "other*")).unwrap();
    operator.signal("HUP");
    wait_for(&mut operator.log, "policies loaded");
    assert!(operator.ask("/validate/fail", &demo("unsigned")).await.allowed);
}

/// Attack A43: somebody who reaches the port, and is not the API server.
#[tokio::test]
async fn a43_without_a_certificate_nobody_gets_past_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = folder.path().join("clients.crt");
    std::fs::write(&ca, params.self_signed(&authority).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, authority);
    let client = rcgen::CertificateParams::new(vec!["api-server".to_owned()]).unwrap();
    let identity = client.signed_by(&key, &issuer).unwrap().pem() + &key.serialize_pem();
    let policy = examples().join("check-image/policy.yaml");
    let mut operator = Operator::start(folder.path(), &policy, &["--client-ca", ca.to_str().unwrap()]);
    let url = format!("https://{}/validate/fail", operator.admission);
    assert!(operator.client.post(&url).body("{}").send().await.is_err());
    let of_server = std::fs::read(folder.path().join("ca.crt")).unwrap();
    let of_server = reqwest::Certificate::from_pem(&of_server).unwrap();
    let identity = reqwest::Identity::from_pem(identity.as_bytes()).unwrap();
    let known = reqwest::Client::builder().tls_certs_only([of_server]).identity(identity).no_proxy();
    operator.client = known.build().unwrap();
    assert!(!operator.ask("/validate/fail", &demo("unsigned")).await.allowed);
}

#[tokio::test]
async fn it_ends_when_told_with_0() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut operator = Operator::start(folder.path(), &examples().join("check-image/policy.yaml"), &[]);
        assert!(!operator.ask("/validate/fail", &demo("unsigned")).await.allowed);
        operator.signal(signal);
        // The connection that nobody asks anything on any more holds nothing up.
        assert_eq!(operator.ended().await, Some(0));
        let mut rest = String::new();
        operator.log.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("refused") && rest.contains("ending"), "{rest}");
    }
}

#[test]
fn bad_input_is_told_and_nothing_is_served() {
    let policy = examples().join("check-image/policy.yaml").display().to_string();
    for (arguments, code, expected) in [
        (String::new(), 2, "--kubeconfig or --standalone"),
        ("--standalone".to_owned(), 2, "--policies"),
        ("--kubeconfig /nonexistent".to_owned(), 2, "/nonexistent"),
        ("--help".to_owned(), 0, "--standalone"),
        ("--version".to_owned(), 0, "trust-operator"),
        (format!("--policies {policy}"), 2, "--standalone"),
        ("--standalone --policies /nonexistent".to_owned(), 2, "/nonexistent"),
        (format!("--standalone --policies {policy} --listen nowhere"), 2, "--listen"),
        (format!("--standalone --policies {policy} --listen 192.0.2.1:1"), 2, "--listen 192.0.2.1:1"),
        (format!("--standalone --policies {policy} --tls-cert a"), 2, "--tls-key"),
        (format!("--standalone --policies {policy} --tls-cert {policy} --tls-key {policy}"), 2, "--tls-cert"),
        (format!("--standalone --policies {policy} --trusted-root {policy}"), 2, "policy.yaml"),
        (format!("--standalone --policies {policy} --images /nonexistent"), 2, "/nonexistent"),
        (format!("--standalone --policies {policy} --tag-freshness=-1s"), 2, "not a time"),
        (format!("--standalone --policies {policy} --insecure-registry a/b"), 2, "a/b"),
    ] {
        let (found, said) = run(&arguments);
        assert_eq!(found, code, "{arguments}: {said}");
        assert!(said.contains(expected) && !said.contains("panicked"), "{arguments}: {said}");
    }
}
