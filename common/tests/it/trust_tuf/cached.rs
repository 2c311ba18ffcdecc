//! The cache: what it is good for, and what somebody who writes to it gains.

use std::fs;

use common::tuf::Place;

use super::repository::Signer;
use super::*;

/// A cache that was filled once.
async fn filled() -> (World, State) {
    let state = State::new(&roots()[0]);
    let world = World::new(&state).await;
    world.online().await.unwrap();
    (world, state)
}

#[tokio::test]
async fn a_silent_mirror_is_replaced_by_a_valid_cache_which_is_said() {
    let (world, _) = filled().await;
    world.silence();
    let (root, freshness) = world.ask(Mode::Online, NOW).await.unwrap();
    assert_eq!(root.fingerprint(), fingerprint(&roots()[0]));
    assert_eq!((freshness.from, freshness.is_expired()), (Place::Cache, false));
    let unreachable = freshness.unreachable.unwrap();
    assert_eq!((unreachable.place, unreachable.problem), (Place::Mirror, TufProblem::Status(503)));
}

#[tokio::test]
async fn a_mirror_that_is_not_there_or_too_slow_is_replaced_as_well() {
    let (world, state) = filled().await;
    world.answer(|_| Some(Reply::new(200).stall()));
    let (_, freshness) = world.ask(Mode::Online, NOW).await.unwrap();
    assert_eq!(freshness.unreachable.unwrap().problem, TufProblem::DeadlineExceeded);
    // A port that nobody listens at any more.
    let gone = World::new(&state).await.server.host();
    let tuf = Tuf::new(&format!("http://{gone}/"), state.root_json(), &Config::default()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    let now = NOW.parse().unwrap();
    let (_, freshness) = tuf.with_cache(world.cache()).trust_root(Mode::Online, now, deadline).await.unwrap();
    assert!(matches!(freshness.unreachable.unwrap().problem, TufProblem::Unreachable(_)));
}

/// Attack A34: never a silent "no identities then".
#[tokio::test]
async fn a34_a_silent_mirror_without_a_cache_is_an_error() {
    let world = World::new(&State::new(&roots()[0])).await;
    world.silence();
    let error = world.online().await.unwrap_err();
    assert_eq!((error.place, &error.problem), (Place::Mirror, &TufProblem::Status(503)));
    assert_eq!(error.cache.as_ref().unwrap().problem, TufProblem::Missing);
    let text = error.to_string();
    assert!(text.contains("the cache cannot stand in") && text.contains("--trusted-root"), "{text}");
}

#[tokio::test]
async fn a33_a_silent_mirror_is_not_replaced_by_an_expired_cache() {
    let (world, _) = filled().await;
    world.silence();
    let error = world.ask(Mode::Online, "2026-01-09T00:00:00Z").await.unwrap_err();
    assert_eq!(error.problem, TufProblem::Status(503));
    assert!(matches!(error.cache.unwrap().problem, TufProblem::Expired { .. }));
}

/// A mirror that stops half-way takes the cache from nobody.
#[tokio::test]
async fn a33_an_update_that_was_not_finished_leaves_the_cache_whole() {
    let (world, state) = filled().await;
    world.serve(&state.next(&roots()[1]));
    for stop in ["2.snapshot.json", "2.targets.json", "trusted_root.json"] {
        world.answer(move |path| path.ends_with(stop).then(|| Reply::new(500).body(b"")));
        let (root, freshness) = world.ask(Mode::Online, NOW).await.unwrap();
        assert_eq!((root.fingerprint(), freshness.timestamp_version), (fingerprint(&roots()[0]).as_str(), 1));
    }
    world.answer(|_| None);
    assert_eq!(world.online().await, Ok(fingerprint(&roots()[1])));
}

#[tokio::test]
async fn offline_contacts_nobody_and_verifies_again() {
    let (world, _) = filled().await;
    let before = world.server.requests().len();
    let (root, freshness) = world.ask(Mode::Offline, NOW).await.unwrap();
    assert_eq!(root.fingerprint(), fingerprint(&roots()[0]));
    assert_eq!((freshness.from, freshness.unreachable), (Place::Cache, None));
    assert_eq!(world.server.requests().len(), before);
}

#[tokio::test]
async fn offline_without_a_cache_is_an_error() {
    let world = World::new(&State::new(&roots()[0])).await;
    let error = world.offline().await.unwrap_err();
    assert_eq!((error.place, error.problem), (Place::Cache, TufProblem::Missing));
    let deadline = Instant::now() + Duration::from_secs(2);
    let error = world.tuf().trust_root(Mode::Offline, NOW.parse().unwrap(), deadline).await.unwrap_err();
    assert_eq!((error.place, error.problem), (Place::Cache, TufProblem::Missing));
}

#[tokio::test]
async fn a33_an_expired_cache_is_used_only_where_somebody_says_so() {
    let (world, _) = filled().await;
    let late = "2027-01-01T00:00:00Z";
    let error = world.ask(Mode::Offline, late).await.unwrap_err();
    assert!(matches!(&error.problem, TufProblem::Expired { role, .. } if role == "root"), "{error}");
    let (root, freshness) = world.ask(Mode::InsecureOfflineEvenIfExpired, late).await.unwrap();
    assert_eq!(root.fingerprint(), fingerprint(&roots()[0]));
    assert!(freshness.is_expired());
    assert_eq!(freshness.expires, "2026-01-08T00:00:00Z".parse().unwrap());
}

/// Each file in turn: cut off, of other bytes, empty, not there. Nothing of it is believed offline, and with
/// a mirror it is as if it were not there.
#[tokio::test]
async fn a33_a_cache_that_was_tampered_with_is_never_believed() {
    let (world, _) = filled().await;
    let path = |name: &str| world.cache().join(name);
    for name in ["timestamp.json", "snapshot.json", "targets.json", "targets/trusted_root.json"] {
        let good = fs::read(path(name)).unwrap();
        let text = String::from_utf8(good.clone()).unwrap();
        let other = text.replacen("\"version\":1", "\"version\":7", 1).replacen("\"tlogs\"", "\"xlogs\"", 1);
        assert_ne!(other, text, "{name}");
        for bad in [&good[..good.len() / 2], other.as_bytes(), b"", b"{}", b"\xff"] {
            fs::write(path(name), bad).unwrap();
            refused_offline(&world, name).await;
            assert_eq!(world.online().await, Ok(fingerprint(&roots()[0])), "{name}");
            assert_eq!(fs::read(path(name)).unwrap(), good, "{name} was not repaired");
        }
        fs::remove_file(path(name)).unwrap();
        assert_eq!(world.offline().await.unwrap_err().problem, TufProblem::Missing, "{name}");
        assert_eq!(world.online().await, Ok(fingerprint(&roots()[0])), "{name}");
    }
}

/// Neither way of reading the cache alone believes it.
async fn refused_offline(world: &World, name: &str) {
    for mode in [Mode::Offline, Mode::InsecureOfflineEvenIfExpired] {
        let error = world.ask(mode, NOW).await.unwrap_err();
        assert_eq!(error.place, Place::Cache, "{error}");
        let expected = matches!(
            error.problem,
            TufProblem::Mismatch(_) | TufProblem::Unreadable(_) | TufProblem::Signatures { .. }
        );
        assert!(expected, "{name}: {error}");
    }
}

/// The roots between the pinned one and the newest.
#[tokio::test]
async fn a33_a_root_in_the_cache_that_was_tampered_with_is_never_believed() {
    let state = State::new(&roots()[0]);
    let world = World::new(&state).await;
    let rotated = state.rotated(|state| &mut state.timestamp);
    world.serve(&rotated);
    world.online().await.unwrap();
    let path = world.cache().join("root_history/2.root.json");
    let mut usurper = rotated.clone();
    usurper.root.signed_by = vec![Signer::new(), Signer::new()];
    for bad in [usurper.root_json(), b"{}".to_vec(), Vec::new()] {
        fs::write(&path, &bad).unwrap();
        let error = world.offline().await.unwrap_err();
        let expected = matches!(error.problem, TufProblem::Signatures { .. } | TufProblem::Unreadable(_));
        assert!(expected && error.at.ends_with("2.root.json"), "{error}");
        assert_eq!(world.online().await, Ok(fingerprint(&roots()[0])));
        assert_eq!(world.offline().await, Ok(fingerprint(&roots()[0])));
    }
    // Without it the keys of the timestamp are not known.
    fs::remove_file(&path).unwrap();
    assert!(matches!(world.offline().await.unwrap_err().problem, TufProblem::Signatures { .. }));
}

/// A cache that is complete and right in itself, of a repository that somebody made.
#[tokio::test]
async fn a33_the_cache_of_another_repository_is_never_believed() {
    let (world, _) = filled().await;
    let (other, _) = filled().await;
    let borrowed = other.tuf().with_cache(world.cache());
    let deadline = Instant::now() + Duration::from_secs(2);
    let now = NOW.parse().unwrap();
    let error = borrowed.trust_root(Mode::Offline, now, deadline).await.unwrap_err();
    assert_eq!(error.problem, TufProblem::Signatures { role: "timestamp".to_owned(), found: 0, needed: 1 });
}

#[cfg(unix)]
#[tokio::test]
async fn a33_what_is_no_file_or_too_large_is_not_read() {
    let (world, _) = filled().await;
    let path = world.cache().join("timestamp.json");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert!(matches!(world.offline().await.unwrap_err().problem, TufProblem::File(_)));
    fs::remove_file(&path).unwrap();
    let file = fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    let bound = common::limits::TUF_TIMESTAMP_BYTES;
    assert_eq!(world.offline().await.unwrap_err().problem, TufProblem::TooLarge { bound });
    assert_eq!(world.online().await, Ok(fingerprint(&roots()[0])));
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_said() {
    let world = World::new(&State::new(&roots()[0])).await;
    fs::write(world.cache(), "a file where the folder should be").unwrap();
    let (_, freshness) = world.ask(Mode::Online, NOW).await.unwrap();
    let problem = freshness.not_cached.unwrap();
    assert!(problem.contains("cache/") && !problem.contains("os error"), "{problem}");
}
