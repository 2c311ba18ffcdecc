//! What mirrors do.

use common::registry::http::{ConfigError, Egress, Loopback};
use common::trust::TrustError;
use common::tuf::Place;

use super::repository::{Role, Signer};
use super::*;

fn rollback(role: &str, trusted: u64, offered: u64) -> TufProblem {
    TufProblem::Rollback { role: role.to_owned(), trusted, offered }
}

fn signatures(role: &str, found: usize, needed: usize) -> TufProblem {
    TufProblem::Signatures { role: role.to_owned(), found, needed }
}

#[tokio::test]
async fn a_repository_gives_its_root_and_says_how_new_it_is() {
    let [one, two] = roots();
    let state = State::new(&one);
    let world = World::new(&state).await;
    let (root, freshness) = world.ask(Mode::Online, NOW).await.unwrap();
    assert_eq!(root.fingerprint(), fingerprint(&one));
    assert_eq!((freshness.from, freshness.root_version, freshness.timestamp_version), (Place::Mirror, 1, 1));
    // The timestamp's, which is the first.
    assert_eq!(freshness.expires, "2026-01-08T00:00:00Z".parse().unwrap());
    assert_eq!((freshness.unreachable, freshness.not_cached), (None, None));
    world.serve(&state.next(&two));
    let (root, freshness) = world.ask(Mode::Online, NOW).await.unwrap();
    assert_eq!((root.fingerprint(), freshness.timestamp_version), (fingerprint(&two).as_str(), 2));
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again() {
    let world = World::new(&State::new(&roots()[0])).await;
    world.online().await.unwrap();
    let before = world.server.requests().len();
    world.online().await.unwrap();
    assert_eq!(world.server.paths()[before..], ["GET /2.root.json", "GET /timestamp.json"]);
}

#[tokio::test]
async fn without_a_cache_nothing_is_written() {
    let world = World::new(&State::new(&roots()[0])).await;
    let deadline = Instant::now() + Duration::from_secs(2);
    let (_, freshness) = world.tuf().trust_root(Mode::Online, NOW.parse().unwrap(), deadline).await.unwrap();
    assert_eq!(freshness.not_cached, None);
    assert_eq!(std::fs::read_dir(world.folder.path()).unwrap().count(), 0);
}

/// Freeze: each role in turn is too old.
#[tokio::test]
async fn a33_expired_metadata_is_refused() {
    type Roles = fn(&mut State) -> &mut Role;
    let roles: [(&str, Roles); 4] = [
        ("root", |state| &mut state.root),
        ("timestamp", |state| &mut state.timestamp),
        ("snapshot", |state| &mut state.snapshot),
        ("targets", |state| &mut state.targets),
    ];
    for (name, role) in roles {
        let mut state = State::new(&roots()[0]);
        role(&mut state).expires = "2026-01-01T00:00:00Z";
        let world = World::new(&state).await;
        let expires = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(world.refused().await, TufProblem::Expired { role: name.to_owned(), expires });
    }
}

/// Freeze: a mirror that always says the same. What is cached is of no help against it.
#[tokio::test]
async fn a33_a_mirror_that_stands_still_is_refused_once_its_timestamp_expired() {
    let world = World::new(&State::new(&roots()[0])).await;
    world.online().await.unwrap();
    let error = world.ask(Mode::Online, "2026-01-09T00:00:00Z").await.unwrap_err();
    let expires = "2026-01-08T00:00:00Z".parse().unwrap();
    assert_eq!(error.problem, TufProblem::Expired { role: "timestamp".to_owned(), expires });
    assert_eq!((error.place, error.cache), (Place::Mirror, None));
}

#[tokio::test]
async fn a33_an_older_timestamp_is_refused() {
    let [one, two] = roots();
    let old = State::new(&one);
    let world = World::new(&old.next(&two)).await;
    world.online().await.unwrap();
    world.serve(&old);
    assert_eq!(world.refused().await, rollback("timestamp", 2, 1));
    assert_eq!(world.offline().await, Ok(fingerprint(&two)));
}

/// The versions that were seen count although what was seen is expired.
#[tokio::test]
async fn a33_an_older_timestamp_is_refused_when_the_newer_one_is_expired() {
    let [one, two] = roots();
    let mut old = State::new(&one);
    let world = World::new(&old.next(&two)).await;
    world.online().await.unwrap();
    old.timestamp.expires = "2026-03-01T00:00:00Z";
    old.snapshot.expires = "2026-03-01T00:00:00Z";
    world.serve(&old);
    let error = world.ask(Mode::Online, "2026-02-01T00:00:00Z").await.unwrap_err();
    assert_eq!(error.problem, rollback("timestamp", 2, 1));
}

#[tokio::test]
async fn a33_an_older_snapshot_in_a_newer_timestamp_is_refused() {
    let [one, two] = roots();
    let old = State::new(&one);
    let world = World::new(&old.next(&two)).await;
    world.online().await.unwrap();
    let mut back = old;
    back.timestamp.version = 3;
    world.serve(&back);
    assert_eq!(world.refused().await, rollback("snapshot (via timestamp)", 2, 1));
}

#[tokio::test]
async fn a33_older_targets_in_a_newer_snapshot_are_refused() {
    let [one, two] = roots();
    let old = State::new(&one);
    let world = World::new(&old.next(&two)).await;
    world.online().await.unwrap();
    let mut back = old;
    (back.timestamp.version, back.snapshot.version) = (3, 3);
    world.serve(&back);
    assert_eq!(world.refused().await, rollback("targets.json (via snapshot)", 2, 1));
}

#[tokio::test]
async fn keys_are_replaced_by_a_root_that_both_sides_signed() {
    let [one, two] = roots();
    let state = State::new(&one);
    let world = World::new(&state).await;
    world.online().await.unwrap();
    // Two roots on, of which the one between is seen only on the way.
    let second = state.rotated(|state| &mut state.root);
    world.serve(&second);
    world.serve(&second.rotated(|state| &mut state.timestamp).next(&two));
    let (root, freshness) = world.ask(Mode::Online, NOW).await.unwrap();
    assert_eq!((root.fingerprint(), freshness.root_version), (fingerprint(&two).as_str(), 3));
    assert_eq!(world.offline().await, Ok(fingerprint(&two)));
}

#[tokio::test]
async fn a33_a_root_that_the_old_keys_did_not_sign_is_refused() {
    let state = State::new(&roots()[0]);
    let world = World::new(&state).await;
    let mut usurper = state.rotated(|state| &mut state.root);
    usurper.root.signed_by = usurper.root.signers.clone();
    world.serve(&usurper);
    assert_eq!(world.refused().await, signatures("root", 0, 2));
}

#[tokio::test]
async fn a33_a_root_that_too_few_old_keys_signed_is_refused() {
    let state = State::new(&roots()[0]);
    let world = World::new(&state).await;
    let mut usurper = state.rotated(|state| &mut state.root);
    usurper.root.signed_by = usurper.root.signers.clone();
    usurper.root.signed_by.push(Arc::clone(&state.root.signers[0]));
    world.serve(&usurper);
    assert_eq!(world.refused().await, signatures("root", 1, 2));
}

#[tokio::test]
async fn a33_a_root_that_its_own_keys_did_not_sign_is_refused() {
    let state = State::new(&roots()[0]);
    let world = World::new(&state).await;
    let mut captive = state.rotated(|state| &mut state.root);
    captive.root.signed_by = state.root.signers.clone();
    world.serve(&captive);
    assert_eq!(world.refused().await, signatures("root", 0, 2));
}

#[tokio::test]
async fn a33_an_old_root_in_place_of_the_next_is_refused() {
    let state = State::new(&roots()[0]);
    let world = World::new(&state).await;
    let old = world.root.clone();
    world.files.lock().unwrap().insert("2.root.json".to_owned(), old);
    assert_eq!(world.refused().await, TufProblem::RootVersion { trusted: 1, offered: 1 });
}

/// Once a newer root was seen, the keys that it took trust from do not come back.
#[tokio::test]
async fn a33_the_state_before_a_root_is_refused_after_it() {
    let [one, two] = roots();
    let old = State::new(&one);
    let world = World::new(&old).await;
    world.serve(&old.rotated(|state| &mut state.timestamp));
    world.online().await.unwrap();
    world.serve_only(&old.next(&two));
    assert_eq!(world.refused().await, signatures("timestamp", 0, 1));
}

/// The same, when nothing but the root was read before the mirror fell silent.
#[tokio::test]
async fn a33_a_root_counts_although_the_rest_of_the_update_failed() {
    let [one, two] = roots();
    let old = State::new(&one);
    let world = World::new(&old).await;
    world.serve(&old.rotated(|state| &mut state.timestamp));
    world.answer(|path| (path == "timestamp.json").then(|| Reply::new(404).body(b"")));
    assert_eq!(world.refused().await, TufProblem::Missing);
    world.answer(|_| None);
    world.serve_only(&old.next(&two));
    assert_eq!(world.refused().await, signatures("timestamp", 0, 1));
}

#[tokio::test]
async fn a33_roots_without_end_are_refused() {
    let mut state = State::new(&roots()[0]);
    let world = World::new(&state).await;
    for _ in 0..=common::limits::TUF_ROOTS {
        state.root.version += 1;
        world.serve(&state);
    }
    // Reading so many takes longer than the other tests wait.
    let deadline = Instant::now() + Duration::from_secs(30);
    let outcome = world.tuf().trust_root(Mode::Online, NOW.parse().unwrap(), deadline).await;
    assert_eq!(outcome.unwrap_err().problem, TufProblem::TooManyRoots);
}

#[tokio::test]
async fn a33_metadata_that_strangers_signed_is_refused() {
    type Roles = fn(&mut State) -> &mut Role;
    let roles: [(&str, usize, Roles); 3] = [
        ("timestamp", 1, |state| &mut state.timestamp),
        ("snapshot", 1, |state| &mut state.snapshot),
        ("targets", 2, |state| &mut state.targets),
    ];
    for (name, needed, role) in roles {
        let mut state = State::new(&roots()[0]);
        let world = World::new(&state).await;
        role(&mut state).signed_by = vec![Signer::new(), Signer::new()];
        world.serve(&state);
        assert_eq!(world.refused().await, signatures(name, 0, needed));
    }
}

#[tokio::test]
async fn a33_a_threshold_is_not_met_by_fewer_or_by_one_twice() {
    let mut state = State::new(&roots()[0]);
    let world = World::new(&state).await;
    let one = Arc::clone(&state.targets.signers[0]);
    state.targets.signed_by = vec![Arc::clone(&one)];
    world.serve(&state);
    assert_eq!(world.refused().await, signatures("targets", 1, 2));
    state.targets.signed_by = vec![Arc::clone(&one), one];
    world.serve(&state);
    let twice = world.refused().await;
    assert!(matches!(&twice, TufProblem::Unreadable(why) if why.contains("duplicate signature")), "{twice}");
}

/// A byte of each file in turn, which makes it another one or none at all.
#[tokio::test]
async fn a33_other_bytes_than_were_signed_are_refused() {
    let state = State::new(&roots()[0]);
    for file in state.files().into_keys().filter(|file| !file.ends_with("root.json") || file.starts_with('t'))
    {
        let world = World::new(&state).await;
        let old = world.files.lock().unwrap()[&file].clone();
        let text = String::from_utf8(old).unwrap();
        let changed =
            text.replacen("\"version\":1", "\"version\":2", 1).replacen("\"tlogs\"", "\"xlogs\"", 1);
        assert!(changed != text && changed.len() == text.len(), "{file}");
        world.change(&file, changed.as_bytes());
        let problem = world.refused().await;
        if file == "timestamp.json" {
            assert_eq!(problem, signatures("timestamp", 0, 1));
        } else {
            assert!(matches!(problem, TufProblem::Mismatch(_)), "{file}: {problem}");
        }
    }
}

#[tokio::test]
async fn a33_a_target_of_another_length_is_refused() {
    let world = World::new(&State::new(&roots()[0])).await;
    let path = world.path("trusted_root.json");
    let bytes = world.files.lock().unwrap()[&path].clone();
    world.change(&path, &bytes[..bytes.len() - 1]);
    assert!(matches!(world.refused().await, TufProblem::Mismatch(_)));
    world.change(&path, &[&*bytes, b" "].concat());
    assert_eq!(world.refused().await, TufProblem::TooLarge { bound: bytes.len() });
}

#[tokio::test]
async fn a33_files_without_end_are_cut() {
    for (end, bound) in [
        ("2.root.json", common::limits::TUF_ROOT_BYTES),
        ("timestamp.json", common::limits::TUF_TIMESTAMP_BYTES),
        ("snapshot.json", common::limits::TUF_SNAPSHOT_BYTES),
        ("targets.json", common::limits::TUF_TARGETS_BYTES),
        ("trusted_root.json", roots()[0].len()),
    ] {
        let world = World::new(&State::new(&roots()[0])).await;
        world.answer(move |path| path.ends_with(end).then(|| Reply::new(200).endless(&[b' '; 4096])));
        assert_eq!(world.refused().await, TufProblem::TooLarge { bound }, "{end}");
    }
}

/// What its publisher signed may be too large, too.
#[tokio::test]
async fn a33_a_target_larger_than_any_trust_root_is_not_read() {
    let mut state = State::new("");
    state.target = vec![b' '; common::limits::TRUSTED_ROOT_BYTES + 1];
    let world = World::new(&state).await;
    assert_eq!(world.refused().await, TufProblem::TooLarge { bound: common::limits::TRUSTED_ROOT_BYTES });
    assert!(!world.server.paths().iter().any(|path| path.ends_with("trusted_root.json")));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    for end in ["timestamp.json", "1.snapshot.json", "1.targets.json", "trusted_root.json"] {
        let world = World::new(&State::new(&roots()[0])).await;
        let path = world.path(end);
        world.files.lock().unwrap().remove(&path);
        let error = world.online().await.unwrap_err();
        assert_eq!((error.place, &error.problem), (Place::Mirror, &TufProblem::Missing));
        assert!(error.at.ends_with(&format!("/{path}")), "{error}");
    }
}

#[tokio::test]
async fn a_repository_of_something_else_is_refused() {
    let mut state = State::new(&roots()[0]);
    state.target_name = "artifact.json";
    assert_eq!(World::new(&state).await.refused().await, TufProblem::NoTarget);
}

/// Nobody is trusted by it, which must not end as "nothing to check".
#[tokio::test]
async fn a33_an_empty_trust_root_is_an_error() {
    let media_type = r#"{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;
    let world = World::new(&State::new(media_type)).await;
    assert_eq!(world.refused().await, TufProblem::TrustedRoot(TrustError::Empty));
    for text in ["{}", "", "[]", "null"] {
        let problem = World::new(&State::new(text)).await.refused().await;
        assert!(matches!(problem, TufProblem::TrustedRoot(TrustError::Unreadable(_))), "{text}: {problem}");
    }
}

/// Attack A35: a byte a second, and silence.
#[tokio::test]
async fn a33_a_slow_mirror_ends_at_the_deadline() {
    for file in ["2.root.json", "timestamp.json", "1.targets.json"] {
        let world = World::new(&State::new(&roots()[0])).await;
        world.answer(move |path| (path == file).then(|| Reply::new(200).drip(&[b'a'; 60])));
        assert_eq!(world.refused().await, TufProblem::DeadlineExceeded, "{file}");
        world.answer(move |path| (path == file).then(|| Reply::new(200).stall()));
        assert_eq!(world.refused().await, TufProblem::DeadlineExceeded, "{file}");
    }
}

/// Attack A37.
#[tokio::test]
async fn a33_a_redirect_to_another_host_is_refused() {
    let world = World::new(&State::new(&roots()[0])).await;
    let other = World::new(&State::new(&roots()[1])).await;
    for to in [
        format!("http://{}/timestamp.json", other.server.host()),
        format!("http://localhost:{}/timestamp.json", world.server.port()),
        "http://169.254.169.254/timestamp.json".to_owned(),
        "https://tuf.example/timestamp.json".to_owned(),
    ] {
        let location = to.clone();
        world.answer(move |path| {
            (path == "timestamp.json").then(|| Reply::new(302).header("location", &location).body(b""))
        });
        let problem = world.refused().await;
        assert!(matches!(problem, TufProblem::Refused { .. }), "{to}: {problem}");
    }
    assert_eq!(other.server.requests().len(), 0);
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed_and_ends() {
    let [one, _] = roots();
    let world = World::new(&State::new(&one)).await;
    world.answer(|path| match path {
        "timestamp.json" => Some(Reply::new(301).header("location", "/moved/timestamp.json").body(b"")),
        _ => None,
    });
    let bytes = world.files.lock().unwrap()["timestamp.json"].clone();
    world.files.lock().unwrap().insert("moved/timestamp.json".to_owned(), bytes);
    assert_eq!(world.online().await, Ok(fingerprint(&one)));
    world.answer(|path| {
        let to = format!("/{path}");
        path.ends_with("timestamp.json").then(|| Reply::new(302).header("location", &to).body(b""))
    });
    assert!(matches!(world.refused().await, TufProblem::Unreadable(_)));
}

#[tokio::test]
async fn a33_plain_http_is_for_this_machine_only() {
    let root = State::new("").root_json();
    for url in ["http://tuf.example/", "http://10.0.0.1/", "ftp://tuf.example/", "tuf.example"] {
        let error = Tuf::new(url, root.clone(), &Config::default()).err().unwrap();
        assert!(matches!(error.problem, TufProblem::Settings(ConfigError::Site { .. })), "{error}");
    }
    let world = World::new(&State::new(&roots()[0])).await;
    let egress = Egress { loopback: Loopback::Never, ..Egress::default() };
    let config = Config { egress, ..Config::default() };
    let url = format!("http://{}/", world.server.host());
    let tuf = Tuf::new(&url, world.root.clone(), &config).unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    let error = tuf.trust_root(Mode::Online, NOW.parse().unwrap(), deadline).await.unwrap_err();
    assert!(matches!(error.problem, TufProblem::Refused { .. }), "{error}");
    assert_eq!(world.server.requests().len(), 0);
}

/// A portal, or a server that answers everything with its front page.
#[tokio::test]
async fn a_page_in_place_of_a_repository_is_refused() {
    let world = World::new(&State::new(&roots()[0])).await;
    world.answer(|_| Some(Reply::new(200).body(b"<html>Please log in")));
    let error = world.online().await.unwrap_err();
    assert!(matches!(error.problem, TufProblem::Unreadable(_)), "{error}");
    assert!(error.to_string().contains("/2.root.json: ") && error.to_string().contains("portal"), "{error}");
}
