//! Attack A33: trust roots from a TUF repository whose mirror, or whose cache, somebody else writes.

mod cached;
mod mirrors;
mod repository;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::registry::http::Config;
use common::trust::TrustRoot;
use common::tuf::{Freshness, Mode, Tuf, TufError, TufProblem};
use jiff::Timestamp;
use sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
use tempfile::TempDir;

use self::repository::{Files, Role, Signer, State};
use crate::registry::server::{Reply, Server};

/// When everything that [`State::new`] makes is valid.
const NOW: &str = "2026-01-02T00:00:00Z";

/// A trust root, and the next one, of which only the fingerprint matters.
fn roots() -> [String; 2] {
    let one = SIGSTORE_PRODUCTION_TRUSTED_ROOT.to_owned();
    [one.clone(), format!("{one}\n")]
}

fn fingerprint(text: &str) -> String {
    TrustRoot::from_json(text).unwrap().fingerprint().to_owned()
}

/// What a mirror answers instead of its files.
type Instead = Option<Arc<dyn Fn(&str) -> Option<Reply> + Send + Sync>>;

impl State {
    /// The next root, with other keys for `role` and signed by the keys of both.
    fn rotated(&self, role: fn(&mut Self) -> &mut Role) -> Self {
        let mut next = self.clone();
        next.root.version += 1;
        let new = role(&mut next);
        new.signers = new.signers.iter().map(|_| Signer::new()).collect();
        let mut by = self.root.signers.clone();
        by.extend(
            next.root
                .signers
                .iter()
                .filter(|new| by.iter().all(|old| old.id != new.id))
                .cloned()
                .collect::<Vec<_>>(),
        );
        next.root.signed_by = by;
        next
    }
}

/// A mirror, a cache, and the root that trust begins with.
struct World {
    files: Arc<Mutex<Files>>,
    instead: Arc<Mutex<Instead>>,
    server: Server,
    folder: TempDir,
    root: Vec<u8>,
}

impl World {
    async fn new(state: &State) -> Self {
        let files = Arc::new(Mutex::new(state.files()));
        let instead = Arc::new(Mutex::new(None::<Arc<dyn Fn(&str) -> Option<Reply> + Send + Sync>>));
        let (served, special) = (Arc::clone(&files), Arc::clone(&instead));
        let server = Server::start(move |request, _| {
            let path = request.path.trim_start_matches('/');
            let other = special.lock().unwrap().as_ref().and_then(|script| script(path));
            other.unwrap_or_else(|| match served.lock().unwrap().get(path) {
                Some(bytes) => Reply::new(200).body(bytes),
                None => Reply::new(404).body(b"no such file"),
            })
        })
        .await;
        Self { files, instead, server, folder: tempfile::tempdir().unwrap(), root: state.root_json() }
    }

    /// The mirror has this state now, and still the roots of the others.
    fn serve(&self, state: &State) {
        let mut files = self.files.lock().unwrap();
        files.retain(|path, _| path.ends_with(".root.json"));
        files.extend(state.files());
    }

    /// The mirror has this state, and never had another.
    fn serve_only(&self, state: &State) {
        *self.files.lock().unwrap() = state.files();
    }

    /// One file is another.
    fn change(&self, path: &str, bytes: &[u8]) {
        let old = self.files.lock().unwrap().insert(path.to_owned(), bytes.to_vec());
        assert!(old.is_some(), "no {path}");
    }

    /// The path that ends so.
    fn path(&self, end: &str) -> String {
        self.files.lock().unwrap().keys().find(|path| path.ends_with(end)).unwrap().clone()
    }

    fn answer(&self, script: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) {
        *self.instead.lock().unwrap() = Some(Arc::new(script));
    }

    /// The mirror gives no answer any more.
    fn silence(&self) {
        self.answer(|_| Some(Reply::new(503).body(b"")));
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn tuf(&self) -> Tuf {
        let url = format!("http://{}/", self.server.host());
        Tuf::new(&url, self.root.clone(), &Config::default()).unwrap()
    }

    async fn ask(&self, mode: Mode, now: &str) -> Result<(TrustRoot, Freshness), TufError> {
        let now: Timestamp = now.parse().unwrap();
        let begin = Instant::now();
        let tuf = self.tuf().with_cache(self.cache());
        let outcome = tuf.trust_root(mode, now, begin + Duration::from_secs(2)).await;
        assert!(begin.elapsed() < Duration::from_millis(2500), "it took {:?}", begin.elapsed());
        outcome
    }

    /// The fingerprint of the root, with the mirror.
    async fn online(&self) -> Result<String, TufError> {
        self.ask(Mode::Online, NOW).await.map(|(root, _)| root.fingerprint().to_owned())
    }

    /// The same, without.
    async fn offline(&self) -> Result<String, TufError> {
        self.ask(Mode::Offline, NOW).await.map(|(root, _)| root.fingerprint().to_owned())
    }

    /// What is wrong with what must not be believed.
    async fn refused(&self) -> TufProblem {
        self.online().await.expect_err("an adversary's files were believed").problem
    }
}
