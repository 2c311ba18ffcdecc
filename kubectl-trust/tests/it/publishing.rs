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
    place.refuses("sign -f app.yaml", &["--key <FILE>"]);
    place.refuses("sign -f app.yaml --key cosign.key --identity-token token", &["cannot be used with"]);
    place.refuses(
        "sign -f app.yaml --key cosign.key --fulcio-url https://ca.example.com",
        &["--identity-token"],
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
