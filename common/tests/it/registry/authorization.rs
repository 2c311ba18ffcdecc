//! Credentials: whose they are, and where they go.

use std::collections::BTreeMap;

use common::registry::credentials::{Credentials, HelperNames, HelperProblem, Login, Secret};
use common::registry::http::{Proxies, Rewrite, Transport};

use super::*;

const BASIC: &str = "Basic bWU6aHVudGVyMg==";

fn basic() -> Login {
    Login::Basic { user: "me".into(), password: Secret::new("hunter2") }
}

fn with_login(server: &Server, login: Login) -> Client {
    client().with_credentials(Arc::new(Credentials::default().with_login(
        &server.host(),
        login,
        "config.json",
    )))
}

/// A registry and its token service in one server: `Bearer token` opens it.
async fn bearer(token: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Server {
    let host = Arc::new(std::sync::OnceLock::<String>::new());
    let own = Arc::clone(&host);
    let server = Server::start(move |request, number| {
        if request.path.starts_with("/token") {
            return token(request, number);
        }
        if request.header("authorization") == Some("Bearer opens") {
            return manifest(&image("a"));
        }
        let realm = format!("http://{}/token", own.get().unwrap());
        let challenge =
            format!("Bearer realm=\"{realm}\",service=\"reg\",scope=\"repository:acme/app:pull\"");
        Reply::new(401).header("www-authenticate", &challenge).body(b"")
    })
    .await;
    host.set(server.host()).unwrap();
    server
}

fn issued() -> Reply {
    Reply::new(200).body(br#"{"token": "opens", "expires_in": 300}"#)
}

const TOKEN: &str = "GET /token?scope=repository%3Aacme%2Fapp%3Apull&service=reg";

#[tokio::test]
async fn a_token_is_fetched_once_for_all_requests_of_a_scope() {
    let server = bearer(|_, _| issued()).await;
    let client = client();
    for version in ["1", "2", "3"] {
        assert!(client.manifest(&app(&server), &tag(version)).await.unwrap().is_some());
    }
    let paths = server.paths();
    assert_eq!(paths[..3], ["GET /v2/acme/app/manifests/1", TOKEN, "GET /v2/acme/app/manifests/1"]);
    assert_eq!(paths[3..], ["GET /v2/acme/app/manifests/2", "GET /v2/acme/app/manifests/3"]);
    assert_eq!(server.requests()[1].header("authorization"), None);
}

#[tokio::test]
async fn requests_at_once_wait_for_one_token() {
    let server = bearer(|_, _| issued().pause(Duration::from_millis(100))).await;
    let client = client();
    let reads = (0..8).map(|number| {
        let (client, at) = (client.clone(), app(&server));
        async move { client.manifest(&at, &tag(&number.to_string())).await.unwrap().unwrap() }
    });
    futures::future::join_all(reads).await;
    let tokens = server.paths().iter().filter(|path| path.contains("/token")).count();
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn a_password_is_exchanged_for_a_token() {
    let server = bearer(|request, _| match request.header("authorization") {
        Some(BASIC) => Reply::new(200).body(br#"{"access_token": "opens"}"#),
        _ => Reply::new(401).body(b""),
    })
    .await;
    assert!(with_login(&server, basic()).manifest(&app(&server), &tag("1")).await.unwrap().is_some());
    let anonymous = client().manifest(&app(&server), &tag("1")).await;
    assert_eq!(problem(anonymous), RegistryProblem::Unauthorized { tried: "no credentials".into() });
    let wrong = Login::Basic { user: "me".into(), password: Secret::new("other") };
    let fault = fault(with_login(&server, wrong).manifest(&app(&server), &tag("1")).await);
    let tried = format!("the credentials for {} in config.json", server.host());
    assert_eq!((fault.problem.clone(), fault.attempts), (RegistryProblem::Unauthorized { tried }, 1));
    assert!(!format!("{fault} {fault:?}").contains("other"));
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_a_registry_token_shown() {
    let server = bearer(|request, _| {
        let form = String::from_utf8(request.body.clone()).unwrap();
        let right = form.contains("grant_type=refresh_token") && form.contains("refresh_token=refresh%26");
        match request.method.as_str() {
            "POST" if right => issued(),
            "POST" => Reply::new(400).body(br#"{"error": "invalid_grant"}"#),
            _ => Reply::new(401).body(b""),
        }
    })
    .await;
    let identity = with_login(&server, Login::IdentityToken(Secret::new("refresh&")));
    assert!(identity.manifest(&app(&server), &tag("1")).await.unwrap().is_some());
    let other = with_login(&server, Login::IdentityToken(Secret::new("expired")));
    let tried = format!("the credentials for {} in config.json", server.host());
    let problem = problem(other.manifest(&app(&server), &tag("1")).await);
    assert_eq!(problem, RegistryProblem::Unauthorized { tried });
    let before = server.requests().len();
    let token = with_login(&server, Login::RegistryToken(Secret::new("opens")));
    assert!(token.manifest(&app(&server), &tag("1")).await.unwrap().is_some());
    assert_eq!(server.requests().len(), before + 2);
}

#[tokio::test]
async fn a_password_is_shown_to_a_registry_that_wants_it_and_then_at_once() {
    let server = Server::start(|request, _| match request.header("authorization") {
        Some(BASIC) => manifest(&image("a")),
        _ => Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b""),
    })
    .await;
    let client = with_login(&server, basic());
    for _ in 0..2 {
        assert!(client.manifest(&app(&server), &tag("1")).await.unwrap().is_some());
    }
    assert_eq!(server.requests().len(), 3);
    // Attack A18: what one set of credentials opened stays closed for others.
    let stranger = client.with_credentials(Arc::default()).manifest(&app(&server), &tag("1")).await;
    assert_eq!(problem(stranger), RegistryProblem::Unauthorized { tried: "no credentials".into() });
}

#[tokio::test]
async fn every_credential_of_a_registry_is_tried_in_order() {
    let server = Server::start(|request, _| match request.header("authorization") {
        Some(BASIC) => manifest(&image("a")),
        _ => Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b""),
    })
    .await;
    let stale = Login::Basic { user: "me".into(), password: Secret::new("old") };
    let credentials = Credentials::default()
        .with_login(&server.host(), stale.clone(), "secret a")
        .with_login(&server.host(), basic(), "secret b");
    let found = client().with_credentials(Arc::new(credentials)).manifest(&app(&server), &tag("1")).await;
    assert!(found.unwrap().is_some());
    assert_eq!(server.requests().len(), 3);
}

/// Attack A38: a registry names the service of another in its challenge.
#[tokio::test]
async fn a38_a_challenge_gets_no_credentials_of_another_registry() {
    let victim = bearer(|_, _| issued()).await;
    for named in [victim.host(), "registry.example".to_owned()] {
        let service = Server::start(|_, _| Reply::new(401).body(b"")).await;
        let realm = format!("http://{}/token", service.host());
        let challenge =
            format!("Bearer realm=\"{realm}\",service=\"{named}\",scope=\"repository:acme/secret:pull\"");
        let evil =
            Server::start(move |_, _| Reply::new(401).header("www-authenticate", &challenge).body(b"")).await;
        let credentials = Credentials::default()
            .with_login(&victim.host(), basic(), "config.json")
            .with_login(&service.host(), basic(), "config.json")
            .with_login("registry.example", Login::IdentityToken(Secret::new("t")), "config.json");
        let client = client().with_credentials(Arc::new(credentials));
        let outcome = client.manifest(&app(&evil), &tag("1")).await;
        assert_eq!(problem(outcome), RegistryProblem::Unauthorized { tried: "no credentials".into() });
        let asked = service.requests();
        assert_eq!(asked.len(), 1);
        assert_eq!((asked[0].method.as_str(), asked[0].header("authorization")), ("GET", None));
        assert!(evil.requests().iter().all(|request| request.header("authorization").is_none()));
    }
    // Nor is a token service of the victim's asked in its name.
    let realm = format!("http://{}/token", victim.host());
    let challenge = format!("Bearer realm=\"{realm}\"");
    let evil =
        Server::start(move |_, _| Reply::new(401).header("www-authenticate", &challenge).body(b"")).await;
    let client = with_login(&victim, basic());
    assert!(matches!(
        problem(client.manifest(&app(&evil), &tag("1")).await),
        RegistryProblem::Unauthorized { .. }
    ));
    assert_eq!(victim.requests()[0].header("authorization"), None);
}

/// Attack A37: the token service is where nobody may go.
#[tokio::test]
async fn a37_a_token_service_is_judged_like_a_registry() {
    for (realm, host) in [
        ("http://169.254.169.254/latest", "169.254.169.254"),
        ("http://[fe80::1]/", "fe80::1"),
        ("file:///etc/passwd", ""),
        ("http://me:pw@127.0.0.1/", "127.0.0.1"),
    ] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"");
        let reply = move |_: &Request, _| Reply::new(401).header("www-authenticate", &challenge).body(b"");
        let problem = problem(by_tag(reply).await.0);
        assert!(
            matches!(&problem, RegistryProblem::Refused { host: found, .. } if found == host),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_token_service_that_misbehaves_is_a_fault() {
    let read = async |server: &Server| {
        let client = client().with_deadline(Instant::now() + Duration::from_secs(2));
        problem(client.manifest(&app(server), &tag("1")).await)
    };
    let bound = common::limits::TOKEN_BYTES;
    let endless = bearer(|_, _| Reply::new(200).endless(&[b' '; 8192])).await;
    assert_eq!(read(&endless).await, RegistryProblem::TooLarge { bound });
    for body in ["", "{}", "<html>", r#"{"token": ""}"#, r#"{"token": "a\nb"}"#] {
        let wrong = bearer(|_, _| Reply::new(200).body(body.as_bytes())).await;
        assert!(matches!(read(&wrong).await, RegistryProblem::Malformed(_)), "{body}");
    }
    let stalled = bearer(|_, _| Reply::new(200).stall()).await;
    assert_eq!(read(&stalled).await, RegistryProblem::DeadlineExceeded);
    let busy = bearer(|_, _| Reply::new(429).header("retry-after", "60").body(b"")).await;
    assert_eq!(read(&busy).await, RegistryProblem::RateLimited { retry_after: Some(60) });
    let elsewhere = Server::start(|_, _| issued()).await;
    let location = format!("http://{}/token", elsewhere.host());
    let moved = bearer(move |_, _| Reply::new(307).header("location", &location).body(b"")).await;
    assert_eq!(read(&moved).await, RegistryProblem::Status(307));
    assert_eq!(elsewhere.requests().len(), 0);
    // A token that does not open what it was for.
    let useless = bearer(|_, _| Reply::new(200).body(br#"{"token": "other"}"#)).await;
    assert_eq!(read(&useless).await, RegistryProblem::Unauthorized { tried: "no credentials".into() });
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let server = bearer(|_, _| Reply::new(200).body(br#"{"token": "opens", "expires_in": 2}"#)).await;
    let client = client();
    for wait in [0, 0, 2_000] {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        assert!(client.manifest(&app(&server), &tag("1")).await.unwrap().is_some());
    }
    let tokens = server.paths().iter().filter(|path| path.contains("/token")).count();
    assert_eq!(tokens, 2);
}

/// Attack A38: nobody on the way to a registry of plain HTTP reads what opens it.
#[tokio::test]
async fn a38_no_credentials_travel_in_clear() {
    for challenge in ["Basic realm=\"r\"", "Bearer realm=\"http://auth.example/token\""] {
        let reply = Reply::new(401).header("www-authenticate", challenge).body(b"");
        let way = Server::start(move |_, _| reply.clone()).await;
        let proxies = Proxies { http: Some(way.host()), ..Proxies::default() };
        let transports = BTreeMap::from([("registry.example".to_owned(), Transport::InsecureHttp)]);
        let client = Client::new(Config { proxies, transports, ..Config::default() }).unwrap();
        let credentials = Credentials::default().with_login("registry.example", basic(), "a").with_login(
            "registry.example",
            Login::RegistryToken(Secret::new("t")),
            "b",
        );
        let client = client.with_credentials(Arc::new(credentials));
        let at = Repository::parse("registry.example/acme/app").unwrap();
        let problem = problem(client.manifest(&at, &tag("1")).await);
        let tried = "the credentials for registry.example in a (not sent over plain HTTP), \
            the credentials for registry.example in b (not sent over plain HTTP)";
        assert_eq!(problem, RegistryProblem::Unauthorized { tried: tried.to_owned() });
        assert!(way.requests().iter().all(|request| request.header("authorization").is_none()));
    }
}

/// Attack A38: a mirror gets its own credentials, and never those of what it stands for.
#[tokio::test]
async fn a38_a_mirror_gets_no_credentials_of_the_original() {
    let home = Server::start(|_, _| manifest(&image("home"))).await;
    let ask = || Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b"");
    let mirror = Server::start(move |_, _| ask()).await;
    let rewrite = Rewrite { prefix: home.host(), mirrors: vec![mirror.host()], exclusive: false };
    let client = Client::new(Config { rewrites: vec![rewrite], ..Config::default() }).unwrap();
    let credentials = Credentials::default().with_login(&home.host(), basic(), "config.json");
    let client = client.with_credentials(Arc::new(credentials));
    assert!(client.manifest(&app(&home), &tag("1")).await.unwrap().is_some());
    assert_eq!(mirror.requests().len(), 1);
    assert_eq!(mirror.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_helper_is_asked_when_a_registry_wants_credentials() {
    let server = Server::start(|request, _| match request.header("authorization") {
        Some(BASIC) => manifest(&image("a")),
        _ => Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b""),
    })
    .await;
    let names = HelperNames { store: Some("desktop".into()), ..HelperNames::default() };
    let credentials = Credentials::default().with_helpers(names, Box::new(|_, _| Ok(Some(basic()))));
    let client = client().with_credentials(Arc::new(credentials));
    assert!(client.manifest(&app(&server), &tag("1")).await.unwrap().is_some());
}

/// A helper that gives nothing is no obstacle where everybody may read, and is told where a login is wanted.
#[tokio::test]
async fn the_problem_of_a_helper_is_told_where_a_login_is_wanted() {
    let open = Server::start(|_, _| manifest(&image("a"))).await;
    let closed =
        Server::start(|_, _| Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b"")).await;
    for (answer, expected) in [
        (Ok(None), "no credentials"),
        (
            Err(HelperProblem::TimedOut { seconds: 10 }),
            "no credentials (docker-credential-desktop: it gave no answer within 10 s)",
        ),
    ] {
        let names = HelperNames { store: Some("desktop".into()), ..HelperNames::default() };
        let credentials = Credentials::default().with_helpers(names, Box::new(move |_, _| answer.clone()));
        let client = client().with_credentials(Arc::new(credentials));
        assert!(client.manifest(&app(&open), &tag("1")).await.unwrap().is_some());
        let refused = problem(client.manifest(&app(&closed), &tag("1")).await);
        assert_eq!(refused, RegistryProblem::Unauthorized { tried: expected.to_owned() });
    }
}

/// A helper that hangs holds up its own registry and no other.
#[tokio::test]
async fn a_helper_that_hangs_holds_up_no_other_registry() {
    let closed =
        || Server::start(|_, _| Reply::new(401).header("www-authenticate", "Basic realm=\"r\"").body(b""));
    let (slow, quick) = (closed().await, closed().await);
    let names = HelperNames { store: Some("desktop".into()), ..HelperNames::default() };
    let hangs = slow.host();
    let run = move |_: &str, server: &str| {
        if server == hangs {
            std::thread::sleep(Duration::from_secs(5));
        }
        Ok(None)
    };
    let client =
        client().with_credentials(Arc::new(Credentials::default().with_helpers(names, Box::new(run))));
    let begin = Instant::now();
    let (place, other) = (app(&slow), tag("1"));
    let hanging = client.manifest(&place, &other);
    let answered = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        problem(client.manifest(&app(&quick), &tag("1")).await);
        begin.elapsed()
    };
    tokio::select! {
        _ = hanging => panic!("the helper answered"),
        after = answered => assert!(after < Duration::from_secs(3), "{after:?}"),
    }
}
