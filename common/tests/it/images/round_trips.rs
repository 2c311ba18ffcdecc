//! What verifying one image costs: requests to its registry, counted.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::cache::Facts;
use common::digest::Digest;
use common::evaluate::{Context, by_image};
use common::image::{Repository, Version};
use common::policy::images::{ImageEntry, SignatureStorage};
use common::registry::{Descriptor, Fetch, Manifest, Registry};
use common::sources::Offline;
use common::verdict::Outcome;
use futures::executor::block_on;

use super::dump::Dump;
use super::{by_key, entry};
use crate::judge::{fixtures, now};

/// Counts what is asked; each question is one request of the HTTP client once it is authorized.
struct Counting {
    inner: Dump,
    asked: Arc<AtomicUsize>,
}

impl Counting {
    fn count(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }
}

impl Registry for Counting {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        self.count();
        self.inner.manifest(at, version)
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        self.count();
        self.inner.blob(at, digest, bound)
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        self.count();
        self.inner.referrers(at, subject)
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        self.count();
        self.inner.signed_digests(at)
    }
}

fn requests(case: &str, by_digest: bool, demanded: &ImageEntry) -> usize {
    let folder = fixtures().join("cosign").join(case);
    let manifest = fs::read(folder.join("tag-v1.manifest.json")).unwrap();
    let image = if by_digest {
        format!("example.com/app@{}", Digest::of(&manifest))
    } else {
        "example.com/app:v1".to_owned()
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let registry = Counting { inner: Dump::of(&folder), asked: Arc::clone(&asked) };
    let sources = Offline { trust_root: None, images: Some(Arc::new(registry)) };
    let known = Facts::default();
    let judged =
        block_on(by_image(&image, demanded, Context { sources: &sources, known: &known, now: now() }));
    assert_eq!(judged.outcome(), Outcome::Pass, "{case}: {:#?}", judged.check);
    asked.load(Ordering::Relaxed)
}

#[test]
fn a_cold_verification_takes_three_requests() {
    let key =
        fs::read_to_string(fixtures().join("cosign/13-cosign3-rk2-key-rekorv2-tsa/trust/a.pub")).unwrap();
    let any = entry(Some(by_key(&key)));
    let bundle = ImageEntry { storage: SignatureStorage::Bundle, ..any.clone() };
    let (legacy, referrer) = ("01-legacy-key-signature", "08-cosign3-key-sign-fallback-tag");
    // The tag, the signatures' tag, the payload.
    assert_eq!(requests(legacy, false, &any), 3);
    assert_eq!(requests(legacy, true, &any), 2);
    // The list, the bundle's manifest, the bundle; by tag, the tag as well.
    assert_eq!(requests(referrer, true, &bundle), 3);
    assert_eq!(requests(referrer, false, &bundle), 4);
    // Where the format is not pinned, the signatures' tag is asked for first.
    assert_eq!(requests(referrer, true, &any), 4);
}
