//! Attack A40: only a registry's own "not there" is one.

use super::*;

async fn answered(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Fetched<Arc<Manifest>> {
    by_tag(move |_, _| reply()).await.0
}

fn malformed(problem: &RegistryProblem) -> bool {
    matches!(problem, RegistryProblem::Malformed(_))
}

fn unauthorized() -> RegistryProblem {
    RegistryProblem::Unauthorized { tried: "no credentials".to_owned() }
}

#[tokio::test]
async fn a40_a_registry_says_that_something_is_not_there() {
    for code in ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"] {
        assert_eq!(answered(move || error(404, code)).await, Ok(None));
    }
    let header = || {
        Reply::new(404).header("Docker-Distribution-Api-Version", "registry/2.0").body(b"404 page not found")
    };
    assert_eq!(answered(header).await, Ok(None));
    let server = Server::start(|_, _| error(404, "BLOB_UNKNOWN")).await;
    assert_eq!(client().blob(&app(&server), &Digest::of(b"x"), 10).await, Ok(None));
}

#[tokio::test]
async fn a40_a_404_of_somebody_else_is_a_fault() {
    let page =
        || Reply::new(404).header("content-type", "text/html").body(b"<html>Sign in to the WiFi</html>");
    assert!(malformed(&problem(answered(page).await)));
    assert!(malformed(&problem(answered(|| Reply::new(404).body(b"404 page not found")).await)));
    assert!(malformed(&problem(answered(|| Reply::new(404).body(b"{}")).await)));
    assert!(malformed(&problem(answered(|| error(404, "TEAPOT")).await)));
    let long = || Reply::new(404).endless(&[b' '; 8192]);
    assert!(malformed(&problem(answered(long).await)));
    for code in ["UNAUTHORIZED", "DENIED"] {
        assert_eq!(problem(answered(move || error(404, code)).await), unauthorized());
    }
}

#[tokio::test]
async fn a40_other_statuses_say_nothing_about_what_is_there() {
    for (status, expected) in [
        (401, unauthorized()),
        (403, unauthorized()),
        (400, RegistryProblem::Status(400)),
        (410, RegistryProblem::Status(410)),
        (501, RegistryProblem::Status(501)),
        (304, RegistryProblem::Status(304)),
    ] {
        let fault = fault(answered(move || error(status, "MANIFEST_UNKNOWN")).await);
        assert_eq!((fault.problem, fault.attempts), (expected, 1), "{status}");
    }
}

#[tokio::test]
async fn a40_a_registry_that_is_down_is_asked_again() {
    for status in [500, 502, 503, 504] {
        let (outcome, server) = by_tag(move |_, _| error(status, "MANIFEST_UNKNOWN")).await;
        let fault = fault(outcome);
        assert_eq!((fault.problem, fault.attempts), (RegistryProblem::Status(status), 3));
        assert_eq!(server.requests().len(), 3);
    }
    let recovers = |_: &Request, number| if number == 0 { Reply::new(503) } else { manifest(&image("a")) };
    let (outcome, server) = by_tag(recovers).await;
    assert!(outcome.unwrap().is_some());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a40_a_registry_may_say_when_to_ask_again() {
    let busy = |_: &Request, number| match number {
        0 => Reply::new(429).header("retry-after", "1"),
        _ => manifest(&image("a")),
    };
    let begin = Instant::now();
    assert!(by_tag(busy).await.0.unwrap().is_some());
    assert!(begin.elapsed() >= Duration::from_secs(1));
    // Later than we can wait: said at once.
    let begin = Instant::now();
    let later = fault(answered(|| Reply::new(429).header("retry-after", "60")).await);
    assert_eq!((later.problem, later.attempts), (RegistryProblem::RateLimited { retry_after: Some(60) }, 1));
    assert!(begin.elapsed() < Duration::from_secs(1));
    let date = || {
        let reply = Reply::new(429).header("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        reply.header("retry-after", "Wed, 21 Oct 2015 07:30:00 GMT")
    };
    let dated = problem(answered(date).await);
    assert_eq!(dated, RegistryProblem::RateLimited { retry_after: Some(120) });
    let often = fault(answered(|| Reply::new(429)).await);
    assert_eq!((often.problem, often.attempts), (RegistryProblem::RateLimited { retry_after: None }, 3));
}
