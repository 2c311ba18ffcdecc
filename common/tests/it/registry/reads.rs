//! What honest registries answer.

use std::collections::BTreeMap;

use common::registry::http::{Config, ConfigError, Proxies, Rewrite, Transport};

use super::*;

#[tokio::test]
async fn a_tag_is_one_request_and_one_connection_of_plain_http() {
    let (outcome, server) = by_tag(|_, _| manifest(&image("a"))).await;
    let found = outcome.unwrap().unwrap();
    assert_eq!((found.digest.clone(), &*found.bytes), (Digest::of(&image("a")), &*image("a")));
    assert_eq!(server.paths(), ["GET /v2/acme/app/manifests/1"]);
    let request = &server.requests()[0];
    let accept = request.header("accept").unwrap();
    for media_type in common::registry::manifest::MANIFEST_MEDIA_TYPES {
        assert!(accept.contains(media_type));
    }
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("authorization"), None);
    assert!(request.header("user-agent").unwrap().starts_with("kubectl-trust/"));
}

/// Attack A1: a tag that moves between two requests is two answers; each carries its own digest, and
/// asking once is one request.
#[tokio::test]
async fn a1_a_tag_is_resolved_once_for_each_question() {
    let server = Server::start(|_, number| manifest(&image(&number.to_string()))).await;
    let client = client();
    let first = client.manifest(&app(&server), &tag("1")).await.unwrap().unwrap();
    assert_eq!(first.digest, Digest::of(&image("0")));
    assert_eq!(server.requests().len(), 1);
    // What is asked for by the digest of the first is never the second.
    let pinned = client.manifest(&app(&server), &Version::Digest(first.digest.clone())).await;
    assert!(matches!(problem(pinned), RegistryProblem::ContentMismatch { .. }));
}

/// Attack A3: beside a digest a tag says nothing.
#[tokio::test]
async fn a3_a_digest_is_asked_for_and_not_the_tag_beside_it() {
    let server = Server::start(|_, _| manifest(&image("unsigned"))).await;
    let typed = format!("{}/acme/app:signed@{}", server.host(), Digest::of(&image("unsigned")));
    let reference = common::image::ImageRef::parse(&typed).unwrap();
    let found = client().manifest(reference.repository(), &reference.version()).await.unwrap().unwrap();
    assert_eq!(found.digest, Digest::of(&image("unsigned")));
    assert_eq!(server.paths(), [format!("GET /v2/acme/app/manifests/{}", found.digest)]);
}

#[tokio::test]
async fn a_digest_of_another_hash_function_is_checked_and_kept() {
    let server = Server::start(|_, _| manifest(&image("a"))).await;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &image("a"));
    let digest = Digest::parse(&format!("sha512:{}", hex::encode(hash))).unwrap();
    let version = Version::Digest(digest.clone());
    let found = client().manifest(&app(&server), &version).await.unwrap().unwrap();
    assert_eq!(found.digest, digest);
}

#[tokio::test]
async fn blobs_have_their_digest_and_bound() {
    let server = Server::start(|_, _| Reply::new(200).body(b"payload")).await;
    let (client, digest) = (client(), Digest::of(b"payload"));
    let found = client.blob(&app(&server), &digest, 7).await.unwrap().unwrap();
    assert_eq!(&*found, b"payload");
    assert_eq!(server.paths(), [format!("GET /v2/acme/app/blobs/{digest}")]);
    let large = client.blob(&app(&server), &digest, 6).await;
    assert_eq!(problem(large), RegistryProblem::TooLarge { bound: 6 });
    let other = client.blob(&app(&server), &Digest::of(b"other"), 7).await;
    let expected = Digest::of(b"other").to_string();
    assert_eq!(problem(other), RegistryProblem::ContentMismatch { expected, found: digest.to_string() });
}

/// What the tags of a repository say is signed there, once for each image; other tags, and what is none, say nothing.
#[tokio::test]
async fn signed_images_are_read_from_the_tags() {
    let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
    let tags = serde_json::json!({"name": "acme/app", "tags": [
        "1", "latest", format!("{}.sig", other.tag()), format!("{}.att", other.tag()), one.tag(), "sha256-12.sig", "a b"]});
    let server = Server::start(move |_, _| Reply::new(200).body(tags.to_string().as_bytes())).await;
    let mut expected = vec![one, other];
    expected.sort();
    assert_eq!(client().signed_digests(&app(&server)).await, Ok(Some(expected)));
    assert_eq!(server.paths(), ["GET /v2/acme/app/tags/list?n=1000"]);
    for (reply, empty) in
        [(Reply::new(200).body(br#"{"tags": null}"#), Ok(Some(vec![]))), (not_there(), Ok(None))]
    {
        let server = Server::start(move |_, _| reply.clone()).await;
        assert_eq!(client().signed_digests(&app(&server)).await, empty);
    }
    let server = Server::start(|_, _| Reply::new(200).body(b"[]")).await;
    let outcome = client().signed_digests(&app(&server)).await;
    assert!(matches!(problem(outcome), RegistryProblem::Malformed(_)));
}

/// Attack: a registry that answers everything but the list that explains a refusal, until there is no time to refuse.
#[tokio::test]
async fn signed_images_are_not_waited_for() {
    let server = Server::start(|_, _| Reply::new(200).stall()).await;
    let began = Instant::now();
    let outcome = client().signed_digests(&app(&server)).await;
    assert_eq!(problem(outcome), RegistryProblem::DeadlineExceeded);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Only what a mirror has counts; it is not asked to know what there is not.
#[tokio::test]
async fn mirrors_are_asked_first_and_believed_what_they_have() {
    let home = Server::start(|request, _| {
        if request.path.contains("referrers") {
            Reply::new(200).header("content-type", INDEX).body(&index(&["signature"]))
        } else {
            manifest(&image("home"))
        }
    })
    .await;
    let mirror = Server::start(|request, _| match request.path.as_str() {
        "/v2/cache/acme/app/manifests/1" => manifest(&image("mirror")),
        path if path.contains("referrers") => Reply::new(200).header("content-type", INDEX).body(&index(&[])),
        _ => not_there(),
    })
    .await;
    let mirrors = vec![format!("{}/cache", mirror.host())];
    let rewrites = vec![Rewrite { prefix: home.host(), mirrors, exclusive: false }];
    let client = Client::new(Config { rewrites: rewrites.clone(), ..Config::default() }).unwrap();
    let found = client.manifest(&app(&home), &tag("1")).await.unwrap().unwrap();
    assert_eq!((found.digest.clone(), home.requests().len()), (Digest::of(&image("mirror")), 0));
    let found = client.manifest(&app(&home), &tag("2")).await.unwrap().unwrap();
    assert_eq!((found.digest.clone(), home.requests().len()), (Digest::of(&image("home")), 1));
    let referrers = client.referrers(&app(&home), &Digest::of(b"x")).await.unwrap().unwrap();
    assert_eq!(referrers.len(), 1);
    let exclusive = rewrites.into_iter().map(|rewrite| Rewrite { exclusive: true, ..rewrite }).collect();
    let client = Client::new(Config { rewrites: exclusive, ..Config::default() }).unwrap();
    assert_eq!(client.manifest(&app(&home), &tag("2")).await, Ok(None));
}

/// A mirror that gives no answer has half of the time; and where only mirrors are asked, its silence is
/// not "not there".
#[tokio::test]
async fn a_mirror_without_an_answer_leaves_time_and_is_not_forgotten() {
    let home = Server::start(|_, _| manifest(&image("home"))).await;
    let (stalled, empty) =
        (Server::start(|_, _| Reply::new(200).stall()).await, Server::start(|_, _| not_there()).await);
    let rewrite =
        |exclusive| Rewrite { prefix: home.host(), mirrors: vec![stalled.host(), empty.host()], exclusive };
    let read = async |exclusive| {
        let client = Client::new(Config { rewrites: vec![rewrite(exclusive)], ..Config::default() }).unwrap();
        let client = client.with_deadline(Instant::now() + Duration::from_secs(1));
        client.manifest(&app(&home), &tag("1")).await
    };
    assert!(read(false).await.unwrap().is_some());
    assert_eq!(problem(read(true).await), RegistryProblem::DeadlineExceeded);
}

#[tokio::test]
async fn a_proxy_is_asked_for_what_is_not_on_this_machine() {
    let proxy = Server::start(|_, _| manifest(&image("by proxy"))).await;
    let proxies = Proxies { http: Some(proxy.host()), ..Proxies::default() };
    let transports = BTreeMap::from([("registry.example".to_owned(), Transport::InsecureHttp)]);
    let client = Client::new(Config { proxies, transports, ..Config::default() }).unwrap();
    let far = Repository::parse("registry.example/acme/app").unwrap();
    let found = client.manifest(&far, &tag("1")).await.unwrap().unwrap();
    assert_eq!(found.digest, Digest::of(&image("by proxy")));
    assert_eq!(proxy.paths(), ["GET http://registry.example/v2/acme/app/manifests/1"]);
    let near = Server::start(|_, _| manifest(&image("near"))).await;
    let found = client.manifest(&app(&near), &tag("1")).await.unwrap().unwrap();
    assert_eq!((found.digest.clone(), proxy.requests().len()), (Digest::of(&image("near")), 1));
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    let wrong = |config: Config| Client::new(config).err();
    let authorities = vec!["-----BEGIN X-----".to_owned()];
    assert_eq!(wrong(Config { authorities, ..Config::default() }), Some(ConfigError::Authority(0)));
    let proxies = Proxies { https: Some("http://".into()), ..Proxies::default() };
    assert_eq!(wrong(Config { proxies, ..Config::default() }), Some(ConfigError::Proxy("https")));
    let user_agent = Some("a\nb".to_owned());
    assert_eq!(wrong(Config { user_agent, ..Config::default() }), Some(ConfigError::UserAgent));
    let password = Proxies { https: Some("http://me:hunter2@proxy.example".into()), ..Proxies::default() };
    assert!(!format!("{password:?}").contains("hunter2"));
}
