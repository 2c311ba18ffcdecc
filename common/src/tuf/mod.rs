//! Trust roots from TUF repositories (The Update Framework, specification 1.0.33).
//!
//! A mirror, whoever runs it or sits in front of it, is an adversary, and so is everybody who can write to
//! the cache. What is believed is signed, to a threshold, by keys that lead back to one pinned root:
//!
//! 1. `mirror`, `cache`: bytes, bounded, in the time there is
//! 2. the crate `sigstore-tuf`: which bytes count (signatures, versions, expiry, lengths, hashes)
//! 3. [`Tuf`]: which of the two is asked, and what is said about it ([`Freshness`])

mod cache;
mod error;
mod mirror;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::Timestamp;
use sigstore_trust_root::SigstoreInstance;
use sigstore_tuf::{Repository, TrustedMetadataSet, Updater, UpdaterConfig};

use self::cache::{Cached, Folder};
pub use self::error::{Place, TufError, TufProblem};
use self::mirror::Mirror;
use crate::limits;
use crate::registry::http::{Config, Site};
use crate::trust::TrustRoot;

/// The target that a Sigstore's repository is read for.
const TARGET: &str = "trusted_root.json";

/// A TUF repository: where it is, and the root that trust in it begins with.
pub struct Tuf {
    site: Arc<Site>,
    root: Cow<'static, [u8]>,
    cache: Option<PathBuf>,
}

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The mirror. If it gives no answer, the cache, as long as nothing in it is expired.
    Online,
    /// The cache alone, as long as nothing in it is expired.
    Offline,
    /// The cache alone, whatever is expired in it. Signatures, thresholds, versions and hashes still hold;
    /// that a key was revoked since is not seen.
    InsecureOfflineEvenIfExpired,
}

/// How new a trust root is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Where it came from.
    pub from: Place,
    /// Version of the root metadata.
    pub root_version: u64,
    /// Version of the timestamp metadata, which grows with every change.
    pub timestamp_version: u64,
    /// When the first of root, timestamp, snapshot and targets metadata expires.
    pub expires: Timestamp,
    /// The moment that expiry was judged by.
    pub checked_at: Timestamp,
    /// Why the mirror gave no answer, where the cache stood in for it.
    pub unreachable: Option<TufError>,
    /// Why what was read is not cached: the next run cannot tell an old state from a new one then.
    pub not_cached: Option<String>,
}

impl Freshness {
    /// Whether it is older than its publisher wants it to be used.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.expires < self.checked_at
    }
}

impl Tuf {
    /// A repository of somebody, with the root metadata that was received from them on a way that is
    /// trusted. Contacts nobody.
    ///
    /// # Errors
    /// [`TufError`]: a URL that is none or plain HTTP to another machine, a root that is not signed by its
    /// own keys.
    pub fn new(mirror: &str, root: impl Into<Cow<'static, [u8]>>, config: &Config) -> Result<Self, TufError> {
        let root = root.into();
        let pinned = |problem| TufError::new(Place::Pinned, "root.json", problem);
        if root.len() > limits::TUF_ROOT_BYTES {
            return Err(pinned(TufProblem::TooLarge { bound: limits::TUF_ROOT_BYTES }));
        }
        TrustedMetadataSet::from_root(&root).map_err(|error| pinned(error.into()))?;
        let site = Site::new(mirror, config)
            .map_err(|error| TufError::new(Place::Mirror, mirror, TufProblem::Settings(error)))?;
        Ok(Self { site: Arc::new(site), root, cache: None })
    }

    /// The public-good instance's own repository, and the root that is compiled in.
    ///
    /// # Errors
    /// As [`Self::new`], for settings that cannot be used.
    pub fn public_good(config: &Config) -> Result<Self, TufError> {
        Self::new(public_good_mirror(), public_good_root(), config)
    }

    /// The same, with a folder that verified metadata is kept in. It is what shows that an old state is
    /// played back, and what [`Mode::Offline`] reads. Nothing in it is believed without verification.
    #[must_use]
    pub fn with_cache(self, folder: impl Into<PathBuf>) -> Self {
        Self { cache: Some(folder.into()), ..self }
    }

    /// The trust root that the repository names now.
    ///
    /// # Errors
    /// [`TufError`]. A mirror that gives no answer is one only without a cache that is still valid; a mirror
    /// that gives a wrong answer always is (attack A33: rollback, freeze, other bytes).
    pub async fn trust_root(
        &self,
        mode: Mode,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<(TrustRoot, Freshness), TufError> {
        match mode {
            Mode::Offline => self.cached(now, now).await,
            Mode::InsecureOfflineEvenIfExpired => self.cached(now, Timestamp::MIN).await,
            Mode::Online => {
                let error = match self.mirrored(now, deadline).await {
                    Err(error) if error.problem.is_silence() && self.cache.is_some() => error,
                    outcome => return outcome,
                };
                match self.cached(now, now).await {
                    Ok((root, freshness)) => Ok((root, Freshness { unreachable: Some(error), ..freshness })),
                    Err(cache) => Err(TufError { cache: Some(Box::new(cache)), ..error }),
                }
            }
        }
    }

    async fn mirrored(&self, now: Timestamp, deadline: Instant) -> Result<(TrustRoot, Freshness), TufError> {
        let asked = Asked::default();
        let mirror = Mirror { site: Arc::clone(&self.site), deadline, asked: asked.clone() };
        let store = self.cache.as_deref().map(|folder| Arc::new(Folder::new(folder)));
        let walked = walk(mirror, &self.root, store.clone(), now).await;
        let base = self.site.base().as_str();
        let walked = walked.map_err(|problem| asked.error(Place::Mirror, base, problem))?;
        let root = walked.trust_root().map_err(|problem| asked.error(Place::Mirror, base, problem))?;
        // Only now: metadata of an update that was not finished would make the cache one that does not
        // belong together, and a mirror could take it from us by stopping half-way.
        let not_cached = store.and_then(|store| store.keep(&walked.target).err());
        Ok((root, Freshness { not_cached, ..walked.freshness(Place::Mirror, now) }))
    }

    /// `judged_at` is what expiry is judged by.
    async fn cached(&self, now: Timestamp, judged_at: Timestamp) -> Result<(TrustRoot, Freshness), TufError> {
        let Some(folder) = self.cache.as_deref() else {
            return Err(TufError::new(Place::Cache, "(no folder)", TufProblem::Missing));
        };
        let asked = Asked::default();
        let base = format!("{}/", folder.display());
        let cache = Cached { folder: Folder::new(folder), asked: asked.clone() };
        let error = |problem| asked.error(Place::Cache, &base, problem);
        let walked = walk(cache, &self.root, None, judged_at).await.map_err(error)?;
        let root = walked.trust_root().map_err(error)?;
        Ok((root, walked.freshness(Place::Cache, now)))
    }

    /// The folder of the cache.
    #[must_use]
    pub fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// Where the repository is.
    #[must_use]
    pub fn mirror(&self) -> &str {
        self.site.base().as_str()
    }
}

/// The mirror of the public-good instance.
#[must_use]
pub fn public_good_mirror() -> &'static str {
    SigstoreInstance::PublicGood.tuf_url()
}

/// The root metadata of the public-good instance, as compiled in.
#[must_use]
pub fn public_good_root() -> &'static [u8] {
    SigstoreInstance::PublicGood.tuf_root()
}

/// Which file was asked for last: what an error is about.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<String>>);

impl Asked {
    fn note(&self, file: &str) {
        file.clone_into(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    fn error(&self, place: Place, base: &str, problem: TufProblem) -> TufError {
        let file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = if problem.is_about_a_file() { file.as_str() } else { "" };
        TufError::new(place, format!("{base}{file}"), problem)
    }
}

/// What a walk from the pinned root to the target found.
struct Walked {
    target: Vec<u8>,
    root_version: u64,
    timestamp_version: u64,
    expires: Timestamp,
}

/// The client workflow (TUF specification, 5): root, timestamp, snapshot, targets, target.
async fn walk(
    repository: impl Repository + 'static,
    root: &[u8],
    store: Option<Arc<Folder>>,
    now: Timestamp,
) -> Result<Walked, TufProblem> {
    let mut updater = Updater::new(repository, root)?.with_config(bounds());
    if let Some(store) = store {
        updater = updater.with_store(store);
    }
    updater.refresh(now).await?;
    let target = updater.get_target_info(TARGET, now).await?.ok_or(TufProblem::NoTarget)?;
    if target.length > limits::TRUSTED_ROOT_BYTES as u64 {
        return Err(TufProblem::TooLarge { bound: limits::TRUSTED_ROOT_BYTES });
    }
    let bytes = match updater.find_cached_target(&target, TARGET) {
        Some(bytes) => bytes,
        None => updater.download_target(&target, TARGET).await?,
    };
    Walked::new(bytes, updater.trusted())
}

impl Walked {
    fn new(target: Vec<u8>, trusted: &TrustedMetadataSet) -> Result<Self, TufProblem> {
        let (Some(timestamp), Some(snapshot), Some(targets)) =
            (trusted.timestamp(), trusted.snapshot(), trusted.targets_role("targets"))
        else {
            return Err(TufProblem::Unreadable("the repository is not complete".to_owned()));
        };
        let root = trusted.root();
        Ok(Self {
            target,
            root_version: root.version,
            timestamp_version: timestamp.version,
            expires: root.expires.min(timestamp.expires).min(snapshot.expires).min(targets.expires),
        })
    }

    fn trust_root(&self) -> Result<TrustRoot, TufProblem> {
        let text = std::str::from_utf8(&self.target)
            .map_err(|_| TufProblem::Unreadable(format!("{TARGET} is not text")))?;
        TrustRoot::from_json(text).map_err(TufProblem::TrustedRoot)
    }

    fn freshness(&self, from: Place, now: Timestamp) -> Freshness {
        Freshness {
            from,
            root_version: self.root_version,
            timestamp_version: self.timestamp_version,
            expires: self.expires,
            checked_at: now,
            unreachable: None,
            not_cached: None,
        }
    }
}

fn bounds() -> UpdaterConfig {
    let mut bounds = UpdaterConfig::default();
    bounds.root_max_length = limits::TUF_ROOT_BYTES as u64;
    bounds.timestamp_max_length = limits::TUF_TIMESTAMP_BYTES as u64;
    bounds.snapshot_max_length = limits::TUF_SNAPSHOT_BYTES as u64;
    bounds.targets_max_length = limits::TUF_TARGETS_BYTES as u64;
    bounds.target_max_length = limits::TRUSTED_ROOT_BYTES as u64;
    bounds.max_root_rotations = limits::TUF_ROOTS;
    bounds.max_delegations = limits::TUF_DELEGATIONS;
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_that_is_compiled_in_is_signed_by_its_own_keys() {
        let tuf = Tuf::public_good(&Config::default()).unwrap();
        assert_eq!(tuf.mirror().trim_end_matches('/'), public_good_mirror());
        assert!(tuf.cache().is_none());
    }

    /// A root that is expired may still begin a chain; what ends it must not be. So age does not matter here.
    #[test]
    fn a_root_that_is_changed_is_refused_before_anything_is_asked() {
        let text = std::str::from_utf8(public_good_root()).unwrap();
        for (from, to) in [("\"version\": 16", "\"version\": 17"), ("\"expires\"", "\"expired\""), ("{", "")]
        {
            assert!(text.contains(from), "{from}");
            let changed = text.replacen(from, to, 1).into_bytes();
            let error = Tuf::new(public_good_mirror(), changed, &Config::default()).err().unwrap();
            assert_eq!(error.place, Place::Pinned, "{error}");
        }
        let long = vec![b' '; limits::TUF_ROOT_BYTES + 1];
        let error = Tuf::new(public_good_mirror(), long, &Config::default()).err().unwrap();
        assert_eq!(error.problem, TufProblem::TooLarge { bound: limits::TUF_ROOT_BYTES });
    }
}
