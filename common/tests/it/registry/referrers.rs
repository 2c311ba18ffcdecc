//! Lists of referrers, with the API and without.

use common::registry::Descriptor;

use super::*;

fn subject() -> Digest {
    Digest::of(b"subject")
}

fn list(names: &[&str]) -> Reply {
    Reply::new(200).header("content-type", INDEX).body(&index(names))
}

/// The path of the API.
fn api() -> String {
    format!("/v2/acme/app/referrers/{}", subject())
}

/// The path of the fallback.
fn fallback() -> String {
    format!("/v2/acme/app/manifests/{}", subject().tag())
}

async fn ask(
    reply: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> (Fetched<Vec<Descriptor>>, Server) {
    let server = Server::start(reply).await;
    let begin = Instant::now();
    let client = client().with_deadline(begin + Duration::from_secs(5));
    let outcome = client.referrers(&app(&server), &subject()).await;
    assert!(begin.elapsed() < Duration::from_millis(5500), "it took {:?}", begin.elapsed());
    (outcome, server)
}

/// A registry without the API, and what its fallback tag answers.
async fn without_api(
    refusal: impl Fn() -> Reply + Send + Sync + 'static,
    tag: impl Fn() -> Reply + Send + Sync + 'static,
) -> (Fetched<Vec<Descriptor>>, Server) {
    ask(move |request, _| if request.path == api() { refusal() } else { tag() }).await
}

fn digests(list: &[Descriptor]) -> Vec<Digest> {
    list.iter().map(|entry| entry.digest.clone()).collect()
}

#[tokio::test]
async fn a_list_is_read_over_its_pages() {
    let (outcome, server) = ask(|request, _| match request.path.split_once('?') {
        None => list(&["a", "b"]).with_next("?last=b&n=2"),
        Some((_, "last=b&n=2")) => list(&["b", "c"]),
        Some(_) => not_there(),
    })
    .await;
    let expected = [Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c")];
    assert_eq!(digests(&outcome.unwrap().unwrap()), expected);
    assert_eq!(server.paths(), [format!("GET {}", api()), format!("GET {}?last=b&n=2", api())]);
    assert_eq!(ask(|_, _| list(&[])).await.0, Ok(Some(Vec::new())));
}

impl Reply {
    fn with_next(self, target: &str) -> Self {
        let link = format!("<{}{target}>; rel=\"next\"", api());
        // The header comes after the body in the making, and before it on the wire.
        self.header("link", &link)
    }
}

#[tokio::test]
async fn a36_pages_without_end_are_a_fault() {
    let (outcome, server) = ask(|_, number| list(&["a"]).with_next(&format!("?page={number}"))).await;
    let bound = common::limits::REFERRER_PAGES;
    assert_eq!(problem(outcome), RegistryProblem::TooMany { what: "pages of referrers", bound });
    assert_eq!(server.requests().len(), bound);
    let (outcome, server) = ask(|_, _| list(&["a"]).with_next("")).await;
    assert!(matches!(problem(outcome), RegistryProblem::Malformed(_)));
    assert_eq!(server.requests().len(), 1);
    let (outcome, server) = ask(|request, _| {
        if request.path.ends_with("?1") { list(&["a"]).with_next("?2") } else { list(&["a"]).with_next("?1") }
    })
    .await;
    assert!(matches!(problem(outcome), RegistryProblem::Malformed(_)));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a36_a_list_without_end_is_a_fault() {
    let (outcome, _) = ask(|_, number| {
        let names: Vec<_> = (0..900).map(|entry| format!("{number}/{entry}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        list(&names).with_next(&format!("?{number}"))
    })
    .await;
    let bound = common::limits::REFERRERS;
    assert_eq!(problem(outcome), RegistryProblem::TooMany { what: "referrers", bound });
    // A million entries in the index of the tag are more than an index may have.
    let million = || {
        let entry = format!("{},", descriptor("a")).repeat(1_000);
        Reply::new(200).header("content-type", INDEX).send(b"{\"manifests\": [").endless(entry.as_bytes())
    };
    let (outcome, _) = without_api(|| Reply::new(404), million).await;
    assert_eq!(problem(outcome), RegistryProblem::TooLarge { bound: common::limits::MANIFEST_BYTES });
    let many = || list(&["a"; common::limits::MANIFEST_ENTRIES + 1]);
    let (outcome, _) = without_api(|| Reply::new(404), many).await;
    assert!(matches!(problem(outcome), RegistryProblem::Malformed(_)));
}

/// Attack A37: the next page is of the same list.
#[tokio::test]
async fn a37_the_next_page_leads_nowhere_else() {
    let other = Server::start(|_, _| list(&[])).await;
    let elsewhere = format!("http://{}{}", other.host(), api());
    let (away, home) = (elsewhere, "/v2/other/app/referrers/x".to_owned());
    for target in [away, home, "http://169.254.169.254/".to_owned(), "//a b/".to_owned()] {
        let link = format!("<{target}>; rel=next");
        let (outcome, server) = ask(move |_, _| list(&["a"]).header("link", &link)).await;
        assert!(matches!(problem(outcome), RegistryProblem::Malformed(_)));
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn without_the_api_the_tag_is_asked() {
    let refusals: [fn() -> Reply; 6] = [
        not_there,
        || Reply::new(404).header("content-type", "text/plain").body(b"404 page not found"),
        || Reply::new(400),
        || Reply::new(405),
        || error(415, "UNSUPPORTED"),
        // As GHCR does.
        || {
            Reply::new(303)
                .header("location", "https://packages.example/acme%2Fapp%2Freferrers%2Fsha256")
                .body(b"")
        },
    ];
    for refusal in refusals {
        let (outcome, server) = without_api(refusal, || list(&["signature"])).await;
        assert_eq!(digests(&outcome.unwrap().unwrap()), [Digest::of(b"signature")]);
        assert_eq!(server.paths(), [format!("GET {}", api()), format!("GET {}", fallback())]);
    }
    let (outcome, _) = without_api(not_there, not_there).await;
    assert_eq!(outcome, Ok(Some(Vec::new())));
}

/// Registries in front of others send us to the same list there.
#[tokio::test]
async fn a_list_may_be_at_another_registry() {
    let behind = Server::start(|_, _| list(&["signature"])).await;
    let location = format!("http://{}/v2/k8s/acme/app/referrers/{}", behind.host(), subject());
    let (outcome, _) = ask(move |_, _| Reply::new(307).header("location", &location).body(b"")).await;
    assert_eq!(digests(&outcome.unwrap().unwrap()), [Digest::of(b"signature")]);
}

/// GitLab answers the tag with the subject itself, whose platforms are no referrers.
#[tokio::test]
async fn the_subject_is_not_its_own_list() {
    let platforms = index(&["amd64", "arm64"]);
    let digest = Digest::of(&platforms);
    let server = Server::start(move |request, _| {
        if request.path.contains("/referrers/") {
            not_there()
        } else {
            Reply::new(200).header("content-type", INDEX).body(&platforms)
        }
    })
    .await;
    assert_eq!(client().referrers(&app(&server), &digest).await, Ok(Some(Vec::new())));
    let (outcome, _) = without_api(not_there, || manifest(&image("other"))).await;
    assert!(matches!(problem(outcome), RegistryProblem::Malformed(_)));
}

/// Attack A39, A40: what is no answer about referrers never makes the list empty.
#[tokio::test]
async fn a39_a_fault_is_never_an_empty_list() {
    let page = || Reply::new(404).header("content-type", "text/html").body(b"<html>");
    for (api, tag) in [
        (page as fn() -> Reply, not_there as fn() -> Reply),
        (not_there, page),
        (not_there, || Reply::new(404).body(b"404 page not found")),
        (|| Reply::new(200).body(b"{}"), not_there),
        (|| Reply::new(200).body(b"<html>"), not_there),
        (|| Reply::new(200).header("content-type", IMAGE).body(&image("a")), not_there),
    ] {
        let problem = problem(without_api(api, tag).await.0);
        assert!(matches!(problem, RegistryProblem::Malformed(_)), "{problem}");
    }
    let unauthorized = RegistryProblem::Unauthorized { tried: "no credentials".to_owned() };
    for (status, expected) in [
        (401, unauthorized.clone()),
        (403, unauthorized.clone()),
        (429, RegistryProblem::RateLimited { retry_after: None }),
        (500, RegistryProblem::Status(500)),
        (410, RegistryProblem::Status(410)),
    ] {
        let refusal = move || error(status, "TOOMANYREQUESTS");
        assert_eq!(problem(without_api(refusal, not_there).await.0), expected);
        assert_eq!(problem(without_api(not_there, refusal).await.0), expected);
    }
    let denied = without_api(|| error(404, "DENIED"), not_there).await.0;
    assert_eq!(problem(denied), unauthorized);
    let (second_page, _) =
        ask(|request, _| if request.path.contains('?') { not_there() } else { list(&["a"]).with_next("?2") })
            .await;
    assert_eq!(problem(second_page), RegistryProblem::Status(404));
}
