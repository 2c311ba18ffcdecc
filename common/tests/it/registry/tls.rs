//! Registries over TLS.

use std::collections::BTreeMap;

use common::registry::http::Transport;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

/// A certificate for this machine, and the authority's PEM.
fn identity() -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], private).unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}

fn client_of(server: &Server, transport: Transport, authorities: Vec<String>) -> Client {
    let transports = BTreeMap::from([(server.host(), transport)]);
    Client::new(Config { transports, authorities, ..Config::default() }).unwrap()
}

async fn read(client: &Client, server: &Server) -> Fetched<Arc<Manifest>> {
    let client = client.with_deadline(Instant::now() + Duration::from_secs(3));
    client.manifest(&app(server), &tag("1")).await
}

#[tokio::test]
async fn a_certificate_counts_if_its_authority_is_named() {
    let (acceptor, authority) = identity();
    let server = Server::start_tls(acceptor, |_, _| manifest(&image("a"))).await;
    let trusting = client_of(&server, Transport::Tls, vec![authority]);
    assert!(read(&trusting, &server).await.unwrap().is_some());
    let (_, other) = identity();
    for authorities in [vec![], vec![other]] {
        let wrong = client_of(&server, Transport::Tls, authorities);
        let problem = problem(read(&wrong, &server).await);
        assert!(
            matches!(&problem, RegistryProblem::Unreachable(why) if why.contains("certificate")),
            "{problem}"
        );
    }
    assert_eq!(server.requests().len(), 1);
    let careless = client_of(&server, Transport::InsecureTls, vec![]);
    assert!(read(&careless, &server).await.unwrap().is_some());
}

/// A server that says one thing to everybody, and reads nothing.
async fn shout(bytes: Vec<u8>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await;
        }
    });
    host
}

#[tokio::test]
async fn what_is_no_tls_is_a_fault() {
    for garbage in [b"HTTP/1.1 400 no\r\n\r\n".as_slice(), b"\x16\x03\x01\xff\xff garbage", b""] {
        let garbage = garbage.to_vec();
        let host = shout(garbage).await;
        let transports = BTreeMap::from([(host.clone(), Transport::InsecureTls)]);
        let client = Client::new(Config { transports, ..Config::default() }).unwrap();
        let client = client.with_deadline(Instant::now() + Duration::from_secs(3));
        let at = Repository::parse(&format!("{host}/acme/app")).unwrap();
        let fault = fault(client.manifest(&at, &tag("1")).await);
        assert!(matches!(fault.problem, RegistryProblem::Unreachable(_)), "{fault}");
    }
}

/// Attack A37: out of TLS leads no way, not even to the registry's own machine.
#[tokio::test]
async fn a37_a_redirect_to_plain_http_is_refused() {
    let (acceptor, authority) = identity();
    let plain = Server::start(|_, _| manifest(&image("a"))).await;
    let location = format!("http://{}/", plain.host());
    let server =
        Server::start_tls(acceptor, move |_, _| Reply::new(302).header("location", &location).body(b""))
            .await;
    let client = client_of(&server, Transport::Tls, vec![authority]);
    let problem = problem(read(&client, &server).await);
    assert!(matches!(&problem, RegistryProblem::Refused { host, .. } if host == "127.0.0.1"), "{problem}");
    assert_eq!(plain.requests().len(), 0);
}

/// Attack A37: neither does a token service.
#[tokio::test]
async fn a37_a_token_service_of_plain_http_is_refused() {
    let (acceptor, authority) = identity();
    let plain = Server::start(|_, _| Reply::new(200).body(b"{\"token\": \"t\"}")).await;
    let challenge = format!("Bearer realm=\"http://{}/token\"", plain.host());
    let script = move |_: &Request, _| Reply::new(401).header("www-authenticate", &challenge).body(b"");
    let server = Server::start_tls(acceptor, script).await;
    let client = client_of(&server, Transport::Tls, vec![authority]);
    assert!(matches!(problem(read(&client, &server).await), RegistryProblem::Refused { .. }));
    assert_eq!(plain.requests().len(), 0);
}

/// Certificates are loaded when they are needed and not before: a registry of plain HTTP on this machine
/// answers before they could have been.
#[tokio::test]
async fn plain_http_pays_for_no_certificates() {
    let server = Server::start(|_, _| manifest(&image("a"))).await;
    let begin = Instant::now();
    assert!(client().manifest(&app(&server), &tag("1")).await.unwrap().is_some());
    let plain = begin.elapsed();
    let (acceptor, authority) = identity();
    let secure = Server::start_tls(acceptor, |_, _| manifest(&image("a"))).await;
    let begin = Instant::now();
    assert!(read(&client_of(&secure, Transport::Tls, vec![authority]), &secure).await.unwrap().is_some());
    eprintln!("a first read: plain {plain:?}, TLS with the certificates of the system {:?}", begin.elapsed());
    assert!(plain < Duration::from_millis(500), "{plain:?}");
}
