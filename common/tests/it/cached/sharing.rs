//! Who gets whose answer.

use std::sync::Arc;
use std::time::Duration;

use common::image::{Repository, Version};
use common::registry::cached::Options;
use common::registry::{Cached, Descriptor, Fetch, Manifest, Memory, Registry};
use common::verdict::RegistryProblem;
use futures::future::join_all;
use tokio::time::{sleep, timeout as within};

use super::*;

/// Attack A18: a tenant asks for what another one may read, hoping that it is remembered.
#[tokio::test(start_paused = true)]
async fn a18_no_cross_hit_between_scopes() {
    let image = manifest(1, None);
    let open = Counting::holding(signed(Memory::default(), "app", &image));
    let closed = Counting::holding(Memory::default());
    closed.fails(Some(RegistryProblem::Unauthorized { tried: "no credentials".to_owned() }));
    let ours = cached(&open, Options { scope: "ours".to_owned(), ..Options::default() });
    let theirs = ours.beside(Arc::<Counting>::clone(&closed), "theirs");
    open.is_slow_at("app", Duration::from_secs(1));
    let (place, digest, own) = (at("app"), blob("app"), by_digest(&image));
    let tag = signatures(&image);
    // While it is being asked for, and when it is known.
    for _ in 0..2 {
        let (allowed, refused) = tokio::join!(ours.manifest(&place, &own), theirs.manifest(&place, &own));
        assert!(allowed.unwrap().is_some() && refused.is_err());
        let (allowed, refused) =
            tokio::join!(ours.blob(&place, &digest, 99), theirs.blob(&place, &digest, 99));
        assert!(allowed.unwrap().is_some() && refused.is_err());
        let (allowed, refused) = tokio::join!(ours.manifest(&place, &tag), theirs.manifest(&place, &tag));
        assert!(allowed.unwrap().is_some() && refused.is_err());
        let of = &image.digest;
        let (allowed, refused) = tokio::join!(ours.referrers(&place, of), theirs.referrers(&place, of));
        assert!(allowed.unwrap().is_some() && refused.is_err());
    }
    assert_eq!((open.total(), closed.total()), (4, 8));
}

/// And another repository is another question, although the digest is the same.
#[tokio::test]
async fn a18_no_cross_hit_between_repositories() {
    let inner = Counting::holding(signed(Memory::default(), "app", &manifest(1, None)));
    let cached = cached(&inner, Options::default());
    assert!(cached.blob(&at("app"), &blob("app"), 99).await.unwrap().is_some());
    assert!(cached.blob(&at("other"), &blob("app"), 99).await.unwrap().is_none());
}

/// Attack A19: one fault must not refuse (or let through) everything that follows.
#[tokio::test]
async fn a19_a_fault_is_not_kept() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    let (cached, place) = (cached(&inner, Options::default()), at("app"));
    let (digest, derived) = (by_digest(&image), signatures(&image));
    inner.fails(Some(timeout()));
    assert_eq!(cached.manifest(&place, &digest).await.unwrap_err().problem, timeout());
    assert_eq!(cached.manifest(&place, &derived).await.unwrap_err().problem, timeout());
    assert_eq!(cached.blob(&place, &blob("app"), 99).await.unwrap_err().problem, timeout());
    assert_eq!(cached.referrers(&place, &image.digest).await.unwrap_err().problem, timeout());
    inner.fails(None);
    assert_eq!(cached.manifest(&place, &digest).await.unwrap().as_deref(), Some(&image));
    assert!(cached.manifest(&place, &derived).await.unwrap().is_some());
    assert!(cached.blob(&place, &blob("app"), 99).await.unwrap().is_some());
    assert_eq!(cached.referrers(&place, &image.digest).await.unwrap().unwrap().len(), 1);
}

/// Attack A20: a request that is given up at once takes the answer from those that wait with it.
#[tokio::test(start_paused = true)]
async fn a20_a_cancelled_leader_does_not_cancel_the_others() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    inner.is_slow_at("app", Duration::from_secs(5));
    let (cached, place, digest) = (cached(&inner, Options::default()), at("app"), by_digest(&image));
    let leader = within(Duration::from_secs(1), cached.manifest(&place, &digest));
    let others = join_all((0..3).map(|_| cached.manifest(&place, &digest)));
    let (leader, others) = tokio::join!(biased; leader, others);
    assert!(leader.is_err(), "the leader had left");
    assert!(others.into_iter().all(|found| found.unwrap().as_deref() == Some(&image)));
    assert_eq!(inner.total(), 1);
    // Also when nobody is left: the answer is there for the next.
    let blob = blob("app");
    assert!(within(Duration::from_secs(1), cached.blob(&place, &blob, 99)).await.is_err());
    sleep(Duration::from_secs(5)).await;
    assert!(cached.blob(&place, &blob, 99).await.unwrap().is_some());
    assert_eq!(inner.total(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_ask_once() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    inner.is_slow_at("app", Duration::from_millis(100));
    let cached = cached(&inner, Options::default());
    let callers = (0..100).map(|_| {
        let (cached, image) = (cached.clone(), image.clone());
        tokio::spawn(async move {
            let place = at("app");
            cached.manifest(&place, &by_digest(&image)).await.unwrap().unwrap();
            cached.manifest(&place, &signatures(&image)).await.unwrap().unwrap();
            cached.blob(&place, &blob("app"), 99).await.unwrap().unwrap();
            cached.referrers(&place, &image.digest).await.unwrap().unwrap();
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    assert!(inner.asked().values().all(|times| *times == 1), "{:?}", inner.asked());
    let stats = cached.stats();
    assert_eq!((stats.misses, stats.hits + stats.shared), (4, 396));
}

#[tokio::test(start_paused = true)]
async fn everybody_who_waits_gets_the_same_fault() {
    let inner = Counting::holding(Memory::default());
    inner.fails(Some(timeout()));
    inner.is_slow_at("app", Duration::from_secs(1));
    let (cached, place, tag) = (cached(&inner, Options::default()), at("app"), by_tag("1"));
    let all = join_all((0..10).map(|_| cached.manifest(&place, &tag))).await;
    assert!(all.into_iter().all(|one| one.unwrap_err().problem == timeout()));
    assert_eq!((inner.total(), cached.stats().shared), (1, 9));
}

/// Attack: a registry that never answers must not hold up the others.
#[tokio::test(start_paused = true)]
async fn a_slow_key_does_not_block_another() {
    let (slow, fast) = (manifest(1, None), manifest(2, None));
    let memory = signed(signed(Memory::default(), "slow", &slow), "fast", &fast);
    let inner = Counting::holding(memory);
    inner.is_slow_at("slow", Duration::from_secs(3_600));
    let cached = cached(&inner, Options::default());
    let (slow_place, fast_place) = (at("slow"), at("fast"));
    let (slow, fast) = (by_digest(&slow), by_digest(&fast));
    let waiting = cached.manifest(&slow_place, &slow);
    let quick = within(Duration::from_millis(1), cached.manifest(&fast_place, &fast));
    tokio::select! {
        biased;
        _ = waiting => unreachable!("it takes an hour"),
        quick = quick => assert!(quick.unwrap().unwrap().is_some()),
    }
}

/// A registry that breaks down while it is asked.
struct Broken;

impl Registry for Broken {
    fn manifest<'r>(&'r self, _: &'r Repository, _: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        Box::pin(async { panic!("broken") })
    }

    fn blob<'r>(&'r self, _: &'r Repository, _: &'r Digest, _: usize) -> Fetch<'r, Arc<[u8]>> {
        Box::pin(async { panic!("broken") })
    }

    fn referrers<'r>(&'r self, _: &'r Repository, _: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        Box::pin(async { panic!("broken") })
    }

    fn signed_digests<'r>(&'r self, _: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        Box::pin(async { panic!("broken") })
    }
}

#[tokio::test]
async fn a_panic_is_a_fault_and_does_not_stay_in_the_way() {
    let cached = Cached::new(Arc::new(Broken), Options::default());
    for _ in 0..2 {
        let fault = cached.manifest(&at("app"), &by_tag("1")).await.unwrap_err();
        assert!(matches!(fault.problem, RegistryProblem::Unreachable(_)), "{fault}");
    }
    assert_eq!(cached.stats().misses, 2);
}

/// Who may read less gets no more because somebody else has read all of it, nor is he asked for.
#[tokio::test]
async fn the_bound_of_a_blob_is_the_callers_own() {
    let inner = Counting::holding(signed(Memory::default(), "app", &manifest(1, None)));
    let (cached, place, digest) = (cached(&inner, Options::default()), at("app"), blob("app"));
    let too_large = |bound| RegistryProblem::TooLarge { bound };
    let (small, large) = tokio::join!(cached.blob(&place, &digest, 3), cached.blob(&place, &digest, 99));
    assert_eq!(small.unwrap_err().problem, too_large(3));
    assert!(large.unwrap().is_some());
    assert_eq!(cached.blob(&place, &digest, 3).await.unwrap_err().problem, too_large(3));
    assert_eq!(cached.stats().hits, 1);
}

#[test]
fn without_a_runtime_it_remembers_as_well() {
    let image = manifest(1, None);
    let inner = Counting::holding(signed(Memory::default(), "app", &image));
    let (cached, place, digest) = (cached(&inner, Options::default()), at("app"), by_digest(&image));
    for _ in 0..2 {
        assert!(futures::executor::block_on(cached.manifest(&place, &digest)).unwrap().is_some());
    }
    assert_eq!((inner.total(), cached.stats().hits), (1, 1));
}
