//! Trust roots by TUF, from a mirror on this machine.

#[path = "../../../common/tests/it/trust_tuf/repository.rs"]
mod repository;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT as ROOT;

use self::repository::{Files, State};
use crate::support::{CONFIG_MAP, Place, Ran};

/// What a mirror on this machine holds; `None` while it gives no answer.
type Held = Arc<Mutex<Option<Files>>>;

struct Mirror {
    url: String,
    held: Held,
}

impl Mirror {
    fn new(state: &State) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://127.0.0.1:{}/tuf", listener.local_addr().unwrap().port());
        let held = Arc::new(Mutex::new(Some(state.files())));
        let files = Arc::clone(&held);
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| drop(answer(stream, &files)));
        });
        Self { url, held }
    }

    fn serve(&self, state: &State) {
        *self.held.lock().unwrap() = Some(state.files());
    }

    fn silence(&self) {
        *self.held.lock().unwrap() = None;
    }

    /// The flags that name it.
    fn flags(&self) -> String {
        format!("--tuf-mirror {} --tuf-root root.json", self.url)
    }
}

fn answer(mut stream: TcpStream, held: &Held) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().trim_start_matches("/tuf/");
    let held = held.lock().unwrap();
    let Some(files) = held.as_ref() else { return Ok(()) };
    let (status, body) = files.get(path).map_or((404, &b""[..]), |body| (200, body.as_slice()));
    write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)
}

/// A place with a signed manifest and the root of a repository.
pub(crate) fn place() -> Place {
    world().0
}

/// A repository that is valid for as long as these tests are run, and a place with its root.
fn world() -> (Place, Mirror, State) {
    let mut state = State::new(ROOT);
    for role in [&mut state.root, &mut state.timestamp, &mut state.snapshot, &mut state.targets] {
        role.expires = "2999-01-01T00:00:00Z";
    }
    let place = Place::signed(CONFIG_MAP);
    place.write("root.json", state.root_json());
    let mirror = Mirror::new(&state);
    (place, mirror, state)
}

fn verify(place: &Place, flags: &str) -> Ran {
    place.run(&format!("verify -f signed.yaml --key cosign.pub {flags}"))
}

#[test]
fn the_root_of_a_repository_is_used_and_how_new_it_is_is_said() {
    let (place, mirror, _) = world();
    let ran = verify(&place, &mirror.flags());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said =
        format!("trust root: {}/ (root 1, timestamp 1), valid until 2999-01-01T00:00:00Z\n", mirror.url);
    assert_eq!(ran.stderr, said);
    let ran = verify(&place, &format!("{} -o json", mirror.flags()));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let root = &ran.json()["trustRoot"];
    assert_eq!((&root["source"], &root["from"]), (&"tuf".into(), &"mirror".into()));
    assert_eq!((&root["expired"], &root["timestampVersion"]), (&false.into(), &1.into()));
    assert_eq!(root["warnings"], serde_json::json!([]));
    // Nothing of it without the flags.
    assert!(verify(&place, "-o json").json().get("trustRoot").is_none());
}

#[test]
fn every_command_that_verifies_takes_the_flags() {
    let (place, mirror, _) = world();
    crate::policies::set_up(&place);
    for command in [
        "verify -f signed.yaml --key cosign.pub",
        "explain -f signed.yaml --key cosign.pub",
        "diff -f signed.yaml --key cosign.pub",
        "verify-resource -f signed.yaml --key cosign.pub",
        "apply policy.yaml -r signed.yaml",
        "trust-root",
    ] {
        let ran = place.run(&format!("{command} {}", mirror.flags()));
        assert!(ran.stderr.contains("trust root: http://127.0.0.1:"), "{command}: {ran:?}");
        assert!(ran.code != Some(2), "{command}: {ran:?}");
    }
}

#[test]
fn the_cache_is_in_its_place_and_stands_in_for_a_silent_mirror() {
    let (place, mirror, _) = world();
    assert_eq!(verify(&place, &mirror.flags()).code, Some(0));
    let folder = place.path("../home/.cache/kubectl-trust/tuf");
    let caches: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((caches.len(), caches[0].len()), (1, 32));
    mirror.silence();
    let ran = verify(&place, &mirror.flags());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.says(
        "silent",
        &["trust root: what is cached of http", "warning: the cached trust root is used, because of http"],
    );
    let ran = verify(&place, &format!("{} --offline -o json", mirror.flags()));
    assert_eq!((&ran.json()["trustRoot"]["from"], ran.stderr.as_str()), (&"cache".into(), ""), "{ran:?}");
}

#[test]
fn the_cache_may_be_anywhere() {
    let (place, mirror, _) = world();
    let line = format!("trust-root {}", mirror.flags());
    let ran = place.run(&format!("{line} --tuf-cache here"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(place.path("here/timestamp.json").is_file());
    let xdg = place.path("xdg").display().to_string();
    assert_eq!(place.run_env(&line, &[("XDG_CACHE_HOME", &xdg)]).code, Some(0));
    assert!(place.path("xdg/kubectl-trust/tuf").is_dir());
    let mut homeless = place.command();
    let ran =
        crate::support::ran(homeless.env_remove("HOME").args(line.split_whitespace()).output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    ran.says("no home", &["neither XDG_CACHE_HOME nor HOME", "--tuf-cache DIR"]);
}

#[test]
fn what_cannot_be_believed_is_exit_2_with_what_where_and_what_to_do() {
    let (place, mirror, state) = world();
    let line = format!("verify -f signed.yaml --key cosign.pub {} --tuf-cache ../cache", mirror.flags());
    mirror.silence();
    place
        .refuses(&line, &["/tuf/2.root.json: no answer", "the cache cannot stand in", "--trusted-root FILE"]);
    place.refuses(
        &format!("{line} --offline"),
        &["../cache/timestamp.json: there is no such file", "run once with a network"],
    );
    mirror.serve(&state.next(ROOT));
    assert_eq!(place.run(&line).code, Some(0));
    mirror.serve(&state);
    place.refuses(
        &line,
        &["/tuf/: version 1 of timestamp is older than version 2", "an old state is played back"],
    );
    let mut stale = state.next(ROOT).next(ROOT);
    stale.timestamp.expires = "2020-01-01T00:00:00Z";
    mirror.serve(&stale);
    place.refuses(&line, &["the timestamp metadata expired at 2020-01-01T00:00:00Z", "stale or held back"]);
    mirror.serve(&State::new(ROOT));
    place.refuses(&line, &["0 good signatures by the keys of the role", "do not believe this mirror"]);
    place.write("root.json", "{}");
    place.refuses(&line, &["root.json: not usable TUF metadata", "on a way that you trust"]);
}

#[test]
fn an_expired_cache_is_used_only_with_the_flag_that_says_what_still_holds() {
    let (place, mirror, mut state) = world();
    state.timestamp.expires = "2020-01-01T00:00:00Z";
    let files = state.files();
    for (from, to) in [
        ("timestamp.json", "timestamp.json"),
        ("1.snapshot.json", "snapshot.json"),
        ("1.targets.json", "targets.json"),
    ] {
        place.write(&format!("cache/{to}"), &files[from]);
    }
    place.write("cache/targets/trusted_root.json", ROOT);
    let line =
        format!("verify -f signed.yaml --key cosign.pub {} --tuf-cache cache --offline", mirror.flags());
    place.refuses(&line, &["cache/: the timestamp metadata expired at 2020", "--trusted-root FILE pins"]);
    let ran = place.run(&format!("{line} --insecure-ignore-tuf-expiry"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.says(
        "expired",
        &["expired at 2020-01-01T00:00:00Z", "warning: the trust root is expired", "still hold"],
    );
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let (place, mirror, _) = world();
    let verify = "verify -f signed.yaml --key cosign.pub";
    for (flags, words) in [
        (format!("--tuf-mirror {}", mirror.url), "Give its root.json with --tuf-root"),
        (
            "--tuf-mirror http://tuf.example --tuf-root root.json".to_owned(),
            "plain HTTP is for this machine only",
        ),
        ("--tuf-mirror nonsense --tuf-root root.json".to_owned(), "write https://HOST/PATH"),
        ("--tuf-cache here".to_owned(), "--tuf-cache is about a TUF repository"),
        (format!("--tuf-mirror {} --tuf-root nope.json", mirror.url), "nope.json: no such file"),
    ] {
        place.refuses(&format!("{verify} {flags}"), &[words]);
    }
    for flags in [
        "--tuf --trusted-root root.json",
        "--tuf --ca-roots root.json",
        "--tuf --tuf-root root.json",
        "--tuf-root root.json",
        "--tuf --insecure-ignore-tuf-expiry",
    ] {
        let ran = place.run(&format!("{verify} {flags}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{flags}: {ran:?}");
    }
}

/// How a root is carried to where there is no network.
#[test]
fn a_root_is_printed_as_it_is_for_use_elsewhere() {
    let (place, mirror, _) = world();
    let ran = place.run(&format!("trust-root {} -o json", mirror.flags()));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ROOT));
    place.write("trusted_root.json", &ran.stdout);
    let of_file = place.run("trust-root --trusted-root trusted_root.json");
    let by_tuf = place.run(&format!("trust-root {}", mirror.flags()));
    assert_eq!(of_file.stdout, by_tuf.stdout);
    for kind in ["certificate authority", "transparency log", "certificate log", "timestamp authority"] {
        assert!(of_file.stdout.contains(kind), "{of_file:?}");
    }
    assert_eq!(verify(&place, "--trusted-root trusted_root.json").code, Some(0));
    // Compiled in, and no network.
    assert_eq!(place.run("trust-root").code, Some(0));
}
