//! Attack A37: where a registry sends us.

use common::registry::credentials::{Credentials, Login, Secret};
use common::registry::http::{Egress, Loopback};

use super::*;

fn to(location: &str) -> Reply {
    Reply::new(307).header("location", location).body(b"")
}

/// What comes of a redirect to a place.
async fn redirected(location: &str) -> RegistryProblem {
    let location = location.to_owned();
    problem(by_tag(move |_, _| to(&location)).await.0)
}

fn refused(problem: &RegistryProblem, expected: &str) -> bool {
    matches!(problem, RegistryProblem::Refused { host, .. } if host == expected)
}

fn basic(user: &str) -> Login {
    Login::Basic { user: user.to_owned(), password: Secret::new("hunter2") }
}

#[tokio::test]
async fn a_blob_may_be_elsewhere_and_no_credentials_go_there() {
    let storage = Server::start(|_, _| Reply::new(200).body(b"payload")).await;
    let location = format!("http://{}/bucket?X-Signature=opens", storage.host());
    let registry = Server::start(move |request, _| match request.header("authorization") {
        None => Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b""),
        Some(_) => to(&location),
    })
    .await;
    let credentials = Credentials::default().with_login(&registry.host(), basic("me"), "test");
    let client = client().with_credentials(Arc::new(credentials));
    let found = client.blob(&app(&registry), &Digest::of(b"payload"), 100).await.unwrap().unwrap();
    assert_eq!(&*found, b"payload");
    assert!(registry.requests()[1].header("authorization").is_some());
    assert_eq!(storage.paths(), ["GET /bucket?X-Signature=opens"]);
    assert_eq!(storage.requests()[0].header("authorization"), None);
}

/// Attack A38: away and back again is away.
#[tokio::test]
async fn a38_credentials_do_not_come_back_from_another_host() {
    let registry = Arc::new(std::sync::OnceLock::<String>::new());
    let home = Arc::clone(&registry);
    let other = Server::start(move |_, _| to(&format!("http://{}/back", home.get().unwrap()))).await;
    let away = format!("http://{}/", other.host());
    let server =
        Server::start(move |request, _| match (request.path.as_str(), request.header("authorization")) {
            ("/back", _) => manifest(&image("a")),
            (_, None) => Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b""),
            _ => to(&away),
        })
        .await;
    registry.set(server.host()).unwrap();
    let credentials = Credentials::default().with_login(&server.host(), basic("me"), "test");
    let client = client().with_credentials(Arc::new(credentials));
    client.manifest(&app(&server), &tag("1")).await.unwrap().unwrap();
    let last = server.requests().pop().unwrap();
    assert_eq!((last.path.as_str(), last.header("authorization")), ("/back", None));
}

/// A host that a redirect led to gets nothing for asking.
#[tokio::test]
async fn a38_a_challenge_of_another_host_is_not_answered() {
    let other =
        Server::start(|_, _| Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b"")).await;
    let away = format!("http://{}/", other.host());
    let server = Server::start(move |_, _| to(&away)).await;
    let credentials = Credentials::default().with_login(&server.host(), basic("me"), "test").with_login(
        &other.host(),
        basic("me"),
        "test",
    );
    let client = client().with_credentials(Arc::new(credentials));
    let outcome = client.manifest(&app(&server), &tag("1")).await;
    assert_eq!(problem(outcome), RegistryProblem::Unauthorized { tried: "no credentials".into() });
    assert_eq!(other.requests().len(), 1);
    assert_eq!(other.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn a37_a_redirect_to_where_nobody_may_go_is_refused() {
    for (location, host) in [
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("http://2852039166/", "169.254.169.254"),
        ("http://[::ffff:a9fe:a9fe]/", "169.254.169.254"),
        ("//169.254.169.254/", "169.254.169.254"),
        ("http://[fe80::1]/", "fe80::1"),
        ("http://0.0.0.0/", "0.0.0.0"),
        ("file:///etc/passwd", ""),
        ("ftp://ftp.example/", "ftp.example"),
        ("http://me:pw@127.0.0.1/", "127.0.0.1"),
    ] {
        let problem = redirected(location).await;
        assert!(refused(&problem, host), "{location}: {problem}");
    }
    for location in ["http://", "http://a b/"] {
        assert!(matches!(redirected(location).await, RegistryProblem::Malformed(_)), "{location}");
    }
}

/// The registry itself is judged too: a Pod may name any.
#[tokio::test]
async fn a37_a_registry_may_not_be_where_nobody_may_go() {
    for host in ["169.254.169.254", "169.254.169.254:80", "0.0.0.0:5000", "[::ffff:169.254.169.254]:80"] {
        let at = Repository::parse(&format!("{host}/acme/app")).unwrap();
        let problem = problem(client().manifest(&at, &tag("1")).await);
        assert!(matches!(problem, RegistryProblem::Refused { .. }), "{host}: {problem}");
    }
    let server = Server::start(|_, _| manifest(&image("a"))).await;
    let egress = Egress { loopback: Loopback::Never, ..Egress::default() };
    let client = Client::new(Config { egress, ..Config::default() }).unwrap();
    for host in [server.host(), format!("localhost:{}", server.port())] {
        let at = Repository::parse(&format!("{host}/acme/app")).unwrap();
        assert!(matches!(problem(client.manifest(&at, &tag("1")).await), RegistryProblem::Refused { .. }));
    }
    assert_eq!(server.requests().len(), 0);
}

/// The resolver judges the addresses of a name where they are used; its refusal is known by its type.
#[tokio::test]
async fn a37_a_name_is_judged_by_its_addresses() {
    let server = Server::start(|_, _| manifest(&image("a"))).await;
    let at = Repository::parse(&format!("localhost:{}/acme/app", server.port())).unwrap();
    assert!(client().manifest(&at, &tag("1")).await.unwrap().is_some());
    let deny = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    let egress = Egress { deny, ..Egress::default() };
    let client = Client::new(Config { egress, ..Config::default() }).unwrap();
    let fault = fault(client.manifest(&at, &tag("1")).await);
    assert!(
        matches!(&fault.problem, RegistryProblem::Refused { host, .. } if host.starts_with("localhost (")),
        "{fault}"
    );
    assert_eq!((fault.attempts, server.requests().len()), (1, 1));
}

#[tokio::test]
async fn a35_redirects_end() {
    let (outcome, server) = by_tag(|_, number| to(&format!("/next/{number}"))).await;
    assert!(matches!(problem(outcome), RegistryProblem::Malformed(_)));
    assert_eq!(server.requests().len(), common::limits::REDIRECTS + 1);
    let (outcome, server) = by_tag(|request, _| to(&request.path)).await;
    assert!(matches!(problem(outcome), RegistryProblem::Malformed(_)));
    assert_eq!(server.requests().len(), common::limits::REDIRECTS + 1);
}
