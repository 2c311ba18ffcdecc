//! Signing with an identity or a log: what stops before anything is published, and what a service may do.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::{CONFIG_MAP, Place};

/// A token that says this of its end; nobody signed it.
fn token(expires: u64) -> String {
    let claims = json!({"iss": "https://issuer.example.com", "sub": "1", "aud": "sigstore", "exp": expires,
        "email": "alice@example.com", "email_verified": true});
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

const FAR_AWAY: u64 = 4_102_444_800;

fn place() -> Place {
    let place = Place::new();
    place.write("app.yaml", CONFIG_MAP);
    place.write("token", token(FAR_AWAY));
    place
}

/// A signing configuration whose services are all at one address.
fn config(address: &str, rekor: u32) -> String {
    let at = |path: &str, version: u32| {
        json!([{"url": format!("http://{address}{path}"), "majorApiVersion": version,
            "validFor": {"start": "2020-01-01T00:00:00Z"}, "operator": "example.com"}])
    };
    json!({"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": at("/ca", 1), "oidcUrls": at("/oidc", 1),
        "rekorTlogUrls": at("/log", rekor), "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": at("/time", 1), "tsaConfig": {"selector": "ANY"}})
    .to_string()
}

/// A server that gives everybody the same answer; it tells what it was asked.
fn answering(answer: String) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || answered(&mut listener.accept().unwrap().0, &answer));
    (address, server)
}

/// Reads until the sender waits: the request is as long as its header says.
fn answered(stream: &mut TcpStream, answer: &str) -> String {
    let (mut asked, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).unwrap();
        asked.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let body = asked.split_once("\r\n\r\n").map(|(_, body)| body.len());
        let length = asked.to_ascii_lowercase();
        let length =
            length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        if read == 0 || body.is_some() && body >= length {
            break;
        }
    }
    stream.write_all(answer.as_bytes()).unwrap();
    asked
}

#[test]
fn a_token_must_be_one_and_fresh() {
    let place = place();
    place.write("old", token(1_600_000_000));
    place.write("words", "not a token");
    let sign = |token: &str| {
        format!(
            "sign -f app.yaml --identity-token {token} --rekor-url https://log.example.com --fulcio-url https://ca.example.com"
        )
    };
    place.refuses(&sign("old"), &["--identity-token old: it expired at 2020-09-13T12:26:40Z; get a new one"]);
    place.refuses(&sign("words"), &["--identity-token words: not an OIDC token"]);
    place.refuses(&sign("nope"), &["nope: no such file or directory"]);
}

/// Attack: whoever listens signs as somebody else while the token lasts.
#[test]
fn no_token_goes_over_plain_http() {
    let place = place();
    for (fulcio, rekor) in
        [("http://ca.example.com", "https://log.example.com"), ("https://ca.example.com", "http://10.0.0.1")]
    {
        place.refuses(
            &format!("sign -f app.yaml --identity-token token --fulcio-url {fulcio} --rekor-url {rekor}"),
            &["tokens do not go over plain HTTP; write https://"],
        );
    }
    place.write("config.json", config("ca.example.com", 1));
    place.refuses(
        "sign -f app.yaml --identity-token token --signing-config config.json",
        &["config.json: http://ca.example.com/ca: tokens do not go over plain HTTP"],
    );
}

#[test]
fn flags_that_do_not_fit_are_said() {
    let place = place();
    place.refuses("sign -f app.yaml", &["who signs? Give --key FILE, or --identity-token FILE"]);
    place.refuses("sign -f app.yaml --key cosign.key --identity-token token", &["cannot be used with"]);
    place.refuses(
        "sign -f app.yaml --key cosign.key --fulcio-url https://ca.example.com",
        &["cannot be used with"],
    );
    place.refuses(
        "sign -f app.yaml --identity-token token --rekor-url https://log.example.com",
        &["give --fulcio-url as well; or --signing-config FILE"],
    );
    place.refuses(
        "sign --blob app.yaml --key cosign.key --rekor-url https://log.example.com",
        &["--bundle FILE is needed"],
    );
    place.refuses("sign --blob app.yaml --identity-token token", &["--bundle FILE is needed"]);
    place.write("config.json", "{}");
    place.refuses(
        "sign -f app.yaml --identity-token token --signing-config config.json",
        &["config.json: not a Sigstore signing configuration"],
    );
}

/// What is published stays published, so nothing is where the result could not be kept.
#[test]
fn a_log_that_gives_no_promise_is_refused_before_it_is_told() {
    let place = place();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    place.write("config.json", config(&listener.local_addr().unwrap().to_string(), 2));
    for who in ["--identity-token token", "--key cosign.key"] {
        for what in ["-f app.yaml", "--format legacy 127.0.0.1:1/app:1"] {
            place.refuses(
                &format!("sign {what} {who} --signing-config config.json"),
                &["it gives no promise for its entries", "use Rekor v1, or bundles"],
            );
        }
    }
    assert!(listener.accept().is_err(), "something was asked");
}

#[test]
fn a_service_that_does_not_answer_is_named() {
    let place = place();
    let before = place.files();
    let ran = place.run(
        "sign -f app.yaml --identity-token token --fulcio-url http://127.0.0.1:1 --rekor-url http://127.0.0.1:1",
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("error: app.yaml: no certificate from http://127.0.0.1:1: "), "{ran:?}");
    let ran = place.run("sign -f app.yaml --key cosign.key --rekor-url http://127.0.0.1:1");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("error: app.yaml: no log entry from http://127.0.0.1:1: "), "{ran:?}");
    assert!(place.files() == before);
}

#[test]
fn a_page_instead_of_a_certificate_is_one_line() {
    let page = format!("<html>\n{}</html>\x1b[31m", "<p>no</p>\n".repeat(1_000));
    let (address, server) = answering(format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
        page.len()
    ));
    let place = place();
    let ran = place.run(&format!(
        "sign -f app.yaml --identity-token token --fulcio-url http://{address} --rekor-url http://{address}"
    ));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let error = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains("403") && error.len() < 500 && !ran.stderr.contains('\x1b'), "{ran:?}");
    assert!(server.join().unwrap().contains("oidcIdentityToken"), "it was asked for a certificate");
}

/// Attack: a certificate authority that sends the token elsewhere.
#[test]
fn a_redirect_takes_no_token_along() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = elsewhere.local_addr().unwrap();
    let (address, server) = answering(format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{to}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    ));
    let place = place();
    let ran = place.run(&format!(
        "sign -f app.yaml --identity-token token --fulcio-url http://{address} --rekor-url http://{address}"
    ));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("no certificate from"), "{ran:?}");
    server.join().unwrap();
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
}

/// A token given as an argument is a secret in everybody's list of processes.
#[test]
fn a_token_is_not_an_argument() {
    let place = place();
    let token = token(FAR_AWAY).replace("e30", "eyJhbGciOiJub25lIn0");
    let ran = place.run(&format!("sign -f app.yaml --identity-token {token}"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(
        ran.stderr.contains("this is a token itself") && ran.stderr.contains("SIGSTORE_ID_TOKEN"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains(&token[..40]), "{ran:?}");
}

const SERVICES: &str = "--fulcio-url http://127.0.0.1:1 --rekor-url http://127.0.0.1:1";

#[test]
fn the_token_of_the_job_is_used() {
    let place = place();
    let line = format!("sign -f app.yaml {SERVICES}");
    let (good, old) = (token(FAR_AWAY), token(1_600_000_000));
    let ran = place.run_env(&line, &[("SIGSTORE_ID_TOKEN", &good)]);
    ran.says(
        &line,
        &["signing as alice@example.com (the identity token in SIGSTORE_ID_TOKEN); ", "no certificate from"],
    );
    for (value, says) in [
        (old.as_str(), "SIGSTORE_ID_TOKEN: it expired at 2020-09-13"),
        ("words", "SIGSTORE_ID_TOKEN: not an OIDC token"),
        (" ", "who signs?"),
    ] {
        let ran = place.run_env(&line, &[("SIGSTORE_ID_TOKEN", value)]);
        assert_eq!(ran.code, Some(2));
        ran.says(&line, &[says]);
        assert!(!ran.stderr.contains(&old), "{ran:?}");
    }
    // A key, or a token that is named, goes first.
    let ran = place.run_env("sign -f app.yaml --key cosign.key", &[("SIGSTORE_ID_TOKEN", "words")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = place.run_env("sign -f app.yaml", &[("SPIFFE_ENDPOINT_SOCKET", "unix:///run/spire.sock")]);
    ran.says("spiffe", &["SPIFFE_ENDPOINT_SOCKET is set", "--identity-token FILE"]);
}

fn github(answer: &str) -> (String, thread::JoinHandle<String>) {
    answering(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    ))
}

#[test]
fn a_job_of_github_asks_for_its_token() {
    let place = place();
    let line = format!("sign -f app.yaml {SERVICES}");
    let (address, server) = github(&json!({"value": token(FAR_AWAY), "count": 1}).to_string());
    let url = format!("http://{address}/token?job=1");
    let variables =
        [("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret")];
    let ran = place.run_env(&line, &variables);
    ran.says(&line, &["signing as alice@example.com (the identity token of this GitHub Actions job); "]);
    assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
    let asked = server.join().unwrap().to_lowercase();
    assert!(asked.starts_with("get /token?job=1&audience=sigstore "), "{asked}");
    assert!(asked.contains("authorization: bearer s3cret"), "{asked}");
}

/// Attacks: an address in the clear, a redirect, an endless answer; and what else is no token.
#[test]
fn what_github_does_not_say_is_no_token() {
    let place = place();
    let line = format!("sign -f app.yaml {SERVICES}");
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = elsewhere.local_addr().unwrap();
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{to}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    for ((address, server), says) in [
        (answering(redirect), "it answers 302"),
        (
            answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()),
            "id-token: write",
        ),
        (github(&format!("{{\"value\": \"{}\"}}", "x".repeat(300_000))), "its answer is larger than"),
        (github("[]"), "its answer holds no token"),
        (github("{\"value\": \"s3cret\"}"), "not an OIDC token"),
    ] {
        let url = format!("http://{address}/");
        let variables =
            [("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret")];
        let ran = place.run_env(&line, &variables);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        ran.says(&line, &[says]);
        assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
        drop(server);
    }
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
    let variables = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://ci.example.com/"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret"),
    ];
    place.run_env(&line, &variables).says(&line, &["tokens do not go over plain HTTP"]);
}

/// Keys that a CI system hands over in variables.
#[test]
fn a_key_may_be_in_the_environment() {
    let place = place();
    let (private, public) = (place.read("cosign.key"), place.read("cosign.pub"));
    let variables = [("SIGNING_KEY", private.as_str()), ("PUBLIC_KEY", public.as_str()), ("EMPTY", "")];
    let ran = place.run_env("sign -f app.yaml --key env://SIGNING_KEY -o signed.yaml", &variables);
    ran.is("2> signed.yaml: 1 document signed\n2> to verify: kubectl trust verify -f signed.yaml --key cosign.pub\nexit 0\n");
    assert_eq!(place.run_env("verify -f signed.yaml --key env://PUBLIC_KEY", &variables).code, Some(0));
    for (line, says) in [
        ("sign -f app.yaml --key env://NOPE", "--key env://NOPE: the environment has no variable NOPE"),
        ("sign -f app.yaml --key env://EMPTY", "--key env://EMPTY: EMPTY is empty"),
        ("sign -f app.yaml --key env://", "write env://NAME"),
        ("sign -f app.yaml --key env://PUBLIC_KEY", "env://PUBLIC_KEY: "),
        ("verify -f signed.yaml --key env://NOPE", "--key env://NOPE: the environment has no variable NOPE"),
        ("verify -f signed.yaml --key env://SIGNING_KEY", "env://SIGNING_KEY: "),
        ("attest 127.0.0.1:1/app:1 --key env://NOPE --predicate app.yaml", "error: "),
    ] {
        let ran = place.run_env(line, &variables);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
        ran.says(line, &[says]);
        let secret = private.lines().nth(1).unwrap();
        assert!(!ran.stderr.contains(secret), "{line}: {ran:?}");
    }
}
