//! What is kept for how long, and how much of it.

use std::time::Duration;

use common::image::ImageRef;
use common::registry::cached::Options;
use common::registry::{Content, Memory, Registry, Until};
use common::verdict::RegistryProblem;
use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Attack: a tag that was moved to another image is judged by the image of before.
#[tokio::test(start_paused = true)]
async fn a_tag_is_never_kept() {
    let (one, two) = (manifest(1, None), manifest(2, None));
    let inner = Counting::holding(signed(Memory::default(), "app", &one));
    let (cached, place) = (cached(&inner, Options::default()), at("app"));
    assert_eq!(cached.manifest(&place, &by_tag("1")).await.unwrap().as_deref(), Some(&one));
    *inner.holds.lock().unwrap() = signed(Memory::default(), "app", &two);
    assert_eq!(cached.manifest(&place, &by_tag("1")).await.unwrap().as_deref(), Some(&two));
    assert_eq!(cached.manifest(&place, &by_tag("2")).await.unwrap(), None);
    assert_eq!(cached.manifest(&place, &by_tag("2")).await.unwrap(), None);
    assert_eq!((inner.total(), cached.stats().hits), (4, 0));
    // The manifest that came by tag is known by its digest: the next webhook asks for that.
    assert!(cached.manifest(&place, &by_digest(&two)).await.unwrap().is_some());
    assert_eq!(inner.total(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_tag_is_kept_for_a_moment_where_that_is_allowed() {
    let (one, two) = (manifest(1, None), manifest(2, None));
    let inner = Counting::holding(signed(Memory::default(), "app", &one));
    let options = Options { tag_ttl: SECOND, ..Options::default() };
    let (cached, place) = (cached(&inner, options), at("app"));
    let ask = async || cached.manifest(&place, &by_tag("1")).await.unwrap();
    assert_eq!(ask().await.as_deref(), Some(&one));
    *inner.holds.lock().unwrap() = signed(Memory::default(), "app", &two);
    advance(Duration::from_millis(999)).await;
    assert_eq!(ask().await.as_deref(), Some(&one));
    assert_eq!(inner.total(), 1);
    // Its time began when it was asked for, not when it was last used.
    advance(Duration::from_millis(1)).await;
    assert_eq!(ask().await.as_deref(), Some(&two));
    assert_eq!(inner.total(), 2);
    // In an outage it is not known what the tag points to.
    advance(SECOND).await;
    inner.fails(Some(timeout()));
    assert!(cached.manifest(&place, &by_tag("1")).await.is_err());
    // A tag that is not there may be there the next moment.
    inner.fails(None);
    for expected in [4, 5] {
        assert_eq!(cached.manifest(&place, &by_tag("2")).await.unwrap(), None);
        assert_eq!(inner.total(), expected);
    }
}

/// A caller who waits no longer gets a fault, and takes the answer from nobody.
#[tokio::test(start_paused = true)]
async fn whoever_has_no_time_left_gets_a_fault_and_the_question_goes_on() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    inner.is_slow_at("app", SECOND * 5);
    let shared: Arc<dyn Registry> = Arc::new(cached(&inner, Options::default()));
    let until = |end| Until::new(Arc::clone(&shared), tokio::time::Instant::now() + end);
    let (place, version) = (at("app"), by_digest(&image));
    let hurried = until(SECOND);
    let fault = hurried.manifest(&place, &version).await.unwrap_err();
    assert_eq!(fault.problem, RegistryProblem::DeadlineExceeded);
    assert!(fault.request.contains("registry.example.com/app@sha256:"), "{fault}");
    let fault = hurried.blob(&place, &blob("app"), 9).await.unwrap_err();
    assert_eq!(fault.problem, RegistryProblem::DeadlineExceeded);
    let fault = hurried.referrers(&place, &image.digest).await.unwrap_err();
    assert_eq!(fault.problem, RegistryProblem::DeadlineExceeded);
    let patient = until(SECOND * 9);
    assert_eq!(patient.manifest(&place, &version).await.unwrap().as_deref(), Some(&image));
    assert_eq!(inner.asked().values().filter(|count| **count > 1).count(), 0, "{:?}", inner.asked());
    // What is known needs no time.
    assert!(hurried.manifest(&place, &version).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn lists_are_kept_for_a_short_time_and_facts_for_long() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    let (cached, place) = (cached(&inner, Options::default()), at("app"));
    for (after, expected) in [(0, 4), (29, 4), (1, 6), (29, 6), (3_600, 8)] {
        advance(SECOND * after).await;
        cached.manifest(&place, &signatures(&image)).await.unwrap().unwrap();
        assert_eq!(cached.referrers(&place, &image.digest).await.unwrap().unwrap().len(), 1);
        cached.manifest(&place, &by_digest(&image)).await.unwrap().unwrap();
        cached.blob(&place, &blob("app"), 99).await.unwrap().unwrap();
        assert_eq!(inner.total(), expected, "after {after} more seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn what_else_is_signed_is_kept_as_lists_are() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    let cached = cached(&inner, Options::default());
    for (after, expected) in [(0, 2), (29, 3), (1, 4)] {
        advance(SECOND * after).await;
        let listed = cached.signed_digests(&at("app")).await.unwrap().unwrap();
        assert_eq!(listed, std::slice::from_ref(&image.digest));
        assert_eq!(cached.signed_digests(&at("other")).await.unwrap().unwrap(), []);
        assert_eq!(inner.total(), expected, "after {after} more seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn a_negative_answer_expires() {
    let image = manifest(1, None);
    let inner = Counting::holding(Memory::default());
    let (cached, place, tag) = (cached(&inner, Options::default()), at("app"), signatures(&image));
    for _ in 0..2 {
        assert_eq!(cached.manifest(&place, &tag).await.unwrap(), None);
        assert_eq!(cached.referrers(&place, &image.digest).await.unwrap(), Some(vec![]));
    }
    assert_eq!(inner.total(), 2);
    // Of what has a digest, that it is not there is not kept at all.
    assert_eq!(cached.manifest(&place, &by_digest(&image)).await.unwrap(), None);
    assert_eq!(cached.blob(&place, &blob("app"), 99).await.unwrap(), None);
    *inner.holds.lock().unwrap() = signed(Memory::default(), "app", &image);
    assert!(cached.manifest(&place, &by_digest(&image)).await.unwrap().is_some());
    assert!(cached.blob(&place, &blob("app"), 99).await.unwrap().is_some());
    advance(SECOND * 9).await;
    assert_eq!(cached.manifest(&place, &tag).await.unwrap(), None);
    advance(SECOND).await;
    assert!(cached.manifest(&place, &tag).await.unwrap().is_some());
    assert_eq!(cached.referrers(&place, &image.digest).await.unwrap().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_before_is_used_in_an_outage_only_within_its_bound_and_counted() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    let options = Options { stale_if_error: Some(SECOND * 300), ..Options::default() };
    let (cached, place, tag) = (cached(&inner, options), at("app"), signatures(&image));
    cached.manifest(&place, &tag).await.unwrap().unwrap();
    cached.referrers(&place, &image.digest).await.unwrap().unwrap();
    advance(SECOND * 100).await;
    inner.fails(Some(timeout()));
    assert!(cached.manifest(&place, &tag).await.unwrap().is_some());
    assert_eq!(cached.referrers(&place, &image.digest).await.unwrap().unwrap().len(), 1);
    assert_eq!((cached.stale_uses(), inner.total()), (2, 4));
    // It is not young again for having been used, and the registry is asked each time.
    advance(SECOND * 200).await;
    assert!(cached.manifest(&place, &tag).await.unwrap().is_some());
    assert_eq!((cached.stale_uses(), inner.total()), (3, 5));
    advance(SECOND).await;
    assert_eq!(cached.manifest(&place, &tag).await.unwrap_err().problem, timeout());
    assert_eq!(cached.referrers(&place, &image.digest).await.unwrap_err().problem, timeout());
    assert_eq!(cached.stale_uses(), 3);
}

/// Attack: who lost the right to read, or has a registry send rubbish, lives on what was seen before.
#[tokio::test(start_paused = true)]
async fn a_refusal_or_rubbish_is_no_outage() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    let options = Options { stale_if_error: Some(SECOND * 300), ..Options::default() };
    let (cached, place, tag) = (cached(&inner, options), at("app"), signatures(&image));
    cached.manifest(&place, &tag).await.unwrap().unwrap();
    advance(SECOND * 60).await;
    for (problem, outage) in [
        (RegistryProblem::Unauthorized { tried: "no credentials".to_owned() }, false),
        (RegistryProblem::Malformed("no JSON".to_owned()), false),
        (RegistryProblem::TooLarge { bound: 1 }, false),
        (RegistryProblem::Status(418), false),
        (RegistryProblem::Status(503), true),
        (RegistryProblem::RateLimited { retry_after: None }, true),
        (RegistryProblem::Unreachable("refused".to_owned()), true),
    ] {
        inner.fails(Some(problem.clone()));
        assert_eq!(cached.manifest(&place, &tag).await.is_ok(), outage, "{problem}");
    }
}

/// Attack: an outage makes "there was no attestation ten minutes ago" the answer for ever.
#[tokio::test(start_paused = true)]
async fn that_there_was_nothing_is_not_used_in_an_outage() {
    let image = manifest(1, None);
    let inner = Counting::holding(Memory::default());
    let options = Options { stale_if_error: Some(SECOND * 300), ..Options::default() };
    let (cached, place, tag) = (cached(&inner, options), at("app"), signatures(&image));
    assert_eq!(cached.manifest(&place, &tag).await.unwrap(), None);
    assert_eq!(cached.referrers(&place, &image.digest).await.unwrap(), Some(vec![]));
    advance(SECOND * 60).await;
    inner.fails(Some(timeout()));
    assert_eq!(cached.manifest(&place, &tag).await.unwrap_err().problem, timeout());
    assert_eq!(cached.referrers(&place, &image.digest).await.unwrap_err().problem, timeout());
    assert_eq!(cached.stale_uses(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_leave_no_answer_of_before_is_used() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    let (cached, place, tag) = (cached(&inner, Options::default()), at("app"), signatures(&image));
    cached.manifest(&place, &tag).await.unwrap().unwrap();
    advance(SECOND * 30).await;
    inner.fails(Some(timeout()));
    assert_eq!(cached.manifest(&place, &tag).await.unwrap_err().problem, timeout());
    assert_eq!(cached.stale_uses(), 0);
}

/// Attack: thousands of images, or one huge thing, fill the memory of the verifier.
#[tokio::test]
async fn the_bound_of_bytes_holds() {
    let (bytes, entry_bytes) = (64 * 1024, 16 * 1024);
    let blobs: Vec<Vec<u8>> = (0..100_u8).map(|number| vec![number; 4_000]).collect();
    let huge = vec![255; entry_bytes];
    let place = at("app");
    let memory = blobs
        .iter()
        .chain([&huge])
        .fold(Memory::default(), |memory, blob| memory.with_blob(&place, blob.clone()));
    let inner = Counting::holding(memory);
    let cached = cached(&inner, Options { bytes, entry_bytes, ..Options::default() });
    let first = Digest::of(&blobs[0]);
    for blob in &blobs {
        assert!(cached.blob(&place, &Digest::of(blob), 99_999).await.unwrap().is_some());
        // The one that is used all the time stays.
        assert!(cached.blob(&place, &first, 99_999).await.unwrap().is_some());
        assert!(cached.kept_bytes() <= bytes, "{} bytes", cached.kept_bytes());
    }
    assert!(cached.kept_bytes() > bytes / 2, "{} bytes", cached.kept_bytes());
    assert!(inner.asked().values().all(|times| *times == 1), "{:?}", inner.asked());
    cached.blob(&place, &Digest::of(&blobs[1]), 99_999).await.unwrap().unwrap();
    assert_eq!(inner.total(), 101, "the second had to go");
    let kept = cached.kept_bytes();
    for _ in 0..2 {
        assert!(cached.blob(&place, &Digest::of(&huge), 99_999).await.unwrap().is_some());
    }
    assert_eq!((inner.total(), cached.kept_bytes()), (103, kept));
    // Answers that are nothing weigh something.
    for number in 0..200 {
        let subject = Digest::of(&[number]);
        cached.referrers(&place, &subject).await.unwrap().unwrap();
        assert!(cached.kept_bytes() <= bytes, "{} bytes", cached.kept_bytes());
    }
}

/// An image with its signatures, with texts and a platform in every place that can have one.
fn telling(number: usize) -> Manifest {
    let digest = Digest::of(&number.to_be_bytes()).to_string();
    let one = json!({"mediaType": "application/x", "digest": digest, "size": number, "artifactType": "a",
        "annotations": {"b": "\u{1f512}\n", "c": ""}, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}});
    let body = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [one, {"mediaType": "",
        "digest": digest, "size": u64::MAX}], "annotations": {"number": number.to_string()}});
    Manifest::parse(body.to_string().into_bytes().into(), None).unwrap()
}

/// Most of what is kept is kept as bytes: what is read of them is what was answered first.
#[tokio::test(start_paused = true)]
async fn an_answer_is_the_same_however_it_is_kept() {
    let images: Vec<_> = (0..200).map(telling).collect();
    let named = |number: usize| ImageRef::parse(&format!("registry.example.com/app:{number}")).unwrap();
    let place = at("app");
    let referrer = |image| {
        let mut one = manifest(1_001, Some(image));
        let Content::Image(content) = &mut one.content else { unreachable!() };
        content.annotations.insert("of".to_owned(), image.digest.to_string());
        one
    };
    let memory = images.iter().enumerate().fold(Memory::default(), |memory, (number, image)| {
        memory.with_manifest(&named(number), image.clone()).with_untagged(&place, referrer(image))
    });
    let inner = Counting::holding(memory);
    // So small that a few of them are kept as they are read.
    let options = Options { bytes: 512 * 1024, tag_ttl: SECOND, ..Options::default() };
    let cached = cached(&inner, options);
    for _ in 0..3 {
        for (number, image) in images.iter().enumerate() {
            let by_tag = cached.manifest(&place, &by_tag(&number.to_string())).await.unwrap();
            assert_eq!(by_tag.as_deref(), Some(image));
            let by_digest = cached.manifest(&place, &by_digest(image)).await.unwrap();
            assert_eq!(by_digest.as_deref(), Some(image));
            let listed = cached.referrers(&place, &image.digest).await.unwrap();
            assert_eq!(listed, Some(vec![referrer(image).descriptor()]));
            assert!(cached.kept_bytes() <= 512 * 1024, "{} bytes", cached.kept_bytes());
        }
    }
    assert_eq!(inner.total(), 400, "all of it is known");
}

/// Whoever asked for SHA-512 gets that back, not the usual digest of the same bytes.
#[tokio::test]
async fn the_digest_that_was_asked_for_stays() {
    let mut image = manifest(1, None);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &image.bytes);
    image.digest = Digest::parse(&format!("sha512:{}", hex::encode(hash))).unwrap();
    let inner = Counting::holding(Memory::default().with_untagged(&at("app"), image.clone()));
    // Nothing is kept as it is read.
    let cached = cached(&inner, Options { bytes: 4_096, ..Options::default() });
    for _ in 0..2 {
        assert_eq!(cached.manifest(&at("app"), &by_digest(&image)).await.unwrap().as_deref(), Some(&image));
    }
    assert_eq!(inner.total(), 1);
}
