//! Bodies that are too long, too slow, broken, or other than they were said to be.

use super::*;

/// Runs one of the bodies as a manifest by tag; it must be a fault.
async fn bad(reply: impl Fn() -> Reply + Send + Sync + 'static) -> RegistryFault {
    fault(by_tag(move |_, _| reply()).await.0)
}

/// Attack A2: bytes with another digest than the one that was asked for, and a header that lies about it.
#[tokio::test]
async fn a2_other_bytes_than_asked_for_are_refused() {
    let wanted = Digest::of(&image("wanted"));
    let lie = wanted.to_string();
    let server =
        Server::start(move |_, _| manifest(&image("other")).header("docker-content-digest", &lie)).await;
    let found = Digest::of(&image("other")).to_string();
    let expected = RegistryProblem::ContentMismatch { expected: wanted.to_string(), found };
    let by_digest = client().manifest(&app(&server), &Version::Digest(wanted)).await;
    assert_eq!(problem(by_digest), expected);
    assert_eq!(problem(client().manifest(&app(&server), &tag("1")).await), expected);
    let header = bad(|| manifest(&image("a")).header("docker-content-digest", "sha256:../../x")).await;
    assert!(matches!(header.problem, RegistryProblem::Malformed(_)));
}

#[tokio::test]
async fn a35_a_body_without_end_is_cut() {
    let bound = common::limits::MANIFEST_BYTES;
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 65536], b"\r\n"].concat();
    let endless = bad(move || Reply::new(200).header("transfer-encoding", "chunked").endless(&chunk)).await;
    assert_eq!((endless.problem, endless.attempts), (RegistryProblem::TooLarge { bound }, 1));
    let closed = bad(|| Reply::new(200).endless(&[b' '; 8192])).await;
    assert_eq!(closed.problem, RegistryProblem::TooLarge { bound });
    let announced = bad(|| Reply::new(200).header("content-length", "4294967296").stall()).await;
    assert_eq!(announced.problem, RegistryProblem::TooLarge { bound });
}

#[tokio::test]
async fn a35_a_slow_answer_ends_at_the_deadline() {
    let slow: [fn() -> Reply; 5] = [
        || Reply::new(200).header("content-length", "1000").drip(&[b' '; 1000]),
        || Reply::new(200).header("content-length", "1000").send(b"{").stall(),
        || Reply::new(200).headless().drip(b"x-slow: yes"),
        || Reply::raw(b"").stall(),
        || Reply::new(404).header("content-length", "1000").send(b"{").stall(),
    ];
    for fault in futures::future::join_all(slow.map(bad)).await {
        assert_eq!((fault.problem, fault.attempts), (RegistryProblem::DeadlineExceeded, 1));
    }
}

/// Attack A48: a registry's words do not fill a log.
#[tokio::test]
async fn a48_what_a_registry_says_is_cut() {
    let long =
        bad(|| Reply::new(200).body(json!({"mediaType": "a".repeat(1_000_000)}).to_string().as_bytes()))
            .await;
    assert!(matches!(long.problem, RegistryProblem::Malformed(_)));
    assert!(long.to_string().len() < 1_000);
}

#[tokio::test]
async fn a35_a_compressed_body_is_refused_unread() {
    let bomb = bad(|| Reply::new(200).header("content-encoding", "gzip").body(&[0x1f, 0x8b, 8, 0])).await;
    assert!(matches!(bomb.problem, RegistryProblem::Malformed(_)));
}

#[tokio::test]
async fn broken_connections_are_tried_again_and_then_faults() {
    let cut = bad(|| Reply::new(200).header("content-length", "1000").send(b"{}")).await;
    assert!(matches!(cut.problem, RegistryProblem::Unreachable(_)));
    assert_eq!(cut.attempts, common::limits::REQUEST_ATTEMPTS);
    let reset = bad(|| Reply::raw(b"").reset()).await;
    assert!(matches!(reset.problem, RegistryProblem::Unreachable(_)));
    assert_eq!(reset.attempts, common::limits::REQUEST_ATTEMPTS);
    let garbage = bad(|| Reply::raw(b"SSH-2.0-OpenSSH_9.6\r\n")).await;
    assert!(matches!(garbage.problem, RegistryProblem::Unreachable(_)));
    // In words of the network, not in those of a library or of a system's table of errors.
    for fault in [&cut, &reset, &garbage] {
        let text = fault.to_string();
        let foreign = ["os error", "client error", "sendrequest", "hyper", "connect error", "error("];
        assert!(foreign.iter().all(|word| !text.to_lowercase().contains(word)), "{text}");
    }
    let once = by_tag(|_, number| match number {
        0 => Reply::new(200).header("content-length", "1000").send(b"{}"),
        _ => manifest(&image("a")),
    });
    let (outcome, server) = once.await;
    assert!(outcome.unwrap().is_some());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_unreachable() {
    let server = Server::start(|_, _| not_there()).await;
    let at = app(&server);
    drop(server);
    tokio::task::yield_now().await;
    let fault = fault(client().manifest(&at, &tag("1")).await);
    assert!(matches!(fault.problem, RegistryProblem::Unreachable(_)), "{fault}");
    assert!(fault.request.starts_with("GET 127.0.0.1:"), "{fault}");
    assert!(fault.to_string().contains("no answer (connection refused)"), "{fault}");
}

/// A length that is too small cuts the body, and the digest shows it.
#[tokio::test]
async fn a_wrong_length_is_found_by_the_digest() {
    let short = move || {
        Reply::new(200).header("content-type", IMAGE).header("content-length", "10").send(&image("a"))
    };
    assert!(matches!(bad(short).await.problem, RegistryProblem::Malformed(_)));
    let server = Server::start(move |_, _| short()).await;
    let pinned = client().manifest(&app(&server), &Version::Digest(Digest::of(&image("a")))).await;
    assert!(matches!(problem(pinned), RegistryProblem::ContentMismatch { .. }));
}

/// Attack A36: longer lists than any honest one, one digest with two meanings, and no manifest at all.
#[tokio::test]
async fn a36_what_is_no_manifest_is_a_fault() {
    let many = vec!["a"; common::limits::MANIFEST_ENTRIES + 1];
    let many = bad(move || Reply::new(200).header("content-type", INDEX).body(&index(&many))).await;
    assert!(matches!(many.problem, RegistryProblem::Malformed(_)));
    for body in ["", "<html>", "null", "[]", r#"{"mediaType": "text/html"}"#] {
        let other = bad(move || Reply::new(200).body(body.as_bytes())).await;
        assert!(matches!(other.problem, RegistryProblem::Malformed(_)), "{body}");
    }
    let both = bad(|| Reply::new(200).header("content-type", INDEX).body(&image("a"))).await;
    assert!(matches!(both.problem, RegistryProblem::Malformed(_)));
    let nothing = bad(|| Reply::new(204)).await;
    assert!(matches!(nothing.problem, RegistryProblem::Malformed(_)));
}
