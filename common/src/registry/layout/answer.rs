//! What layouts answer: what is recorded, and what is recorded not to be there.
//!
//! A recording of an image holds all that there was about it in its repository, and in those others that it says
//! were looked into. So where an image is recorded, a signature that is not recorded was not there. Of anything
//! else nothing is known, and that is a fault.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::folder::{FileError, Folder};
use super::{Layout, Layouts};
use crate::digest::Digest;
use crate::image::{Repository, Tag, Version};
use crate::registry::{Descriptor, Fetch, Fetched, Manifest, Registry, derived_from};
use crate::verdict::{RegistryFault, RegistryProblem};

/// What one layout knows.
enum Known<T> {
    /// This.
    Is(T),
    /// That it was not there.
    Absent,
    /// Nothing.
    Nothing,
}

impl Layout {
    fn known_manifest(&self, at: &Repository, version: &Version) -> Known<&Arc<Manifest>> {
        match version {
            Version::Digest(digest) => self.held(at, digest).map_or(Known::Nothing, Known::Is),
            Version::Tag(tag) => match (self.tagged(at, tag), tag.derived_from()) {
                (Some(manifest), _) => Known::Is(manifest),
                (None, Some(of)) if self.knows_about(at, &of) => Known::Absent,
                (None, _) => Known::Nothing,
            },
        }
    }

    /// Whether all that was about a digest in a repository is in here.
    fn knows_about(&self, at: &Repository, digest: &Digest) -> bool {
        self.held(at, digest).is_some() || self.signatures_in.contains(&(at.clone(), digest.clone()))
    }

    /// The manifest of a digest in a repository.
    fn held(&self, at: &Repository, digest: &Digest) -> Option<&Arc<Manifest>> {
        let held = self.manifests.get(digest)?;
        (held.anywhere || held.of.contains(at)).then_some(&held.manifest)
    }

    fn tagged(&self, at: &Repository, tag: &Tag) -> Option<&Arc<Manifest>> {
        if let Some(digest) = self.tags.get(&(at.clone(), tag.clone())) {
            return self.held(at, digest);
        }
        // What cosign saved beside an image is there wherever the image is.
        self.held(at, &tag.derived_from()?)?;
        Some(&self.manifests.get(self.derived.get(tag)?)?.manifest)
    }

    /// Those that name the subject, and those that the fallback tag lists.
    fn known_referrers(&self, at: &Repository, subject: &Digest) -> Known<Vec<Descriptor>> {
        if !self.knows_about(at, subject) {
            return Known::Nothing;
        }
        let here = self.manifests.values().filter(|held| held.anywhere || held.of.contains(at));
        let about = here.filter(|held| held.manifest.subject().is_some_and(|of| of.digest == *subject));
        let mut found: Vec<_> = about.map(|held| held.manifest.descriptor()).collect();
        let fallback = self.tagged(at, &Tag::derived(subject, "")).and_then(|manifest| manifest.index());
        for listed in fallback.into_iter().flat_map(|index| &index.manifests) {
            if found.iter().all(|known| known.digest != listed.digest) {
                found.push(listed.clone());
            }
        }
        Known::Is(found)
    }

    fn known_blob(&self, digest: &Digest, bound: usize) -> Result<Option<Vec<u8>>, RegistryProblem> {
        let read = self.folder.read(&Folder::blob_path(digest), bound).map_err(|why| match why {
            FileError::TooLarge { bound } => RegistryProblem::TooLarge { bound },
            FileError::Outside | FileError::NotRegular | FileError::Unreadable(_) => {
                RegistryProblem::Malformed(why.to_string())
            }
        });
        match read? {
            Some(bytes) if !digest.names(&bytes) => Err(RegistryProblem::ContentMismatch {
                expected: digest.to_string(),
                found: Digest::of(&bytes).to_string(),
            }),
            found => Ok(found),
        }
    }
}

impl Layouts {
    fn find_manifest(&self, at: &Repository, version: &Version) -> Fetched<Arc<Manifest>> {
        let name = || format!("{at}{}", version.suffix());
        let mut absent = false;
        let mut found: Option<&Arc<Manifest>> = None;
        for layout in &self.0 {
            match (layout.known_manifest(at, version), found) {
                // Attack: a second recording must not win by standing first, or last.
                (Known::Is(manifest), Some(other)) if manifest.digest != other.digest => {
                    let problem = "two recordings hold different manifests of this name; use one of them";
                    return Err(RegistryFault::new(name(), RegistryProblem::Malformed(problem.to_owned())));
                }
                (Known::Is(manifest), _) => found = Some(manifest),
                (Known::Absent, _) => absent = true,
                (Known::Nothing, _) => {}
            }
        }
        match found {
            Some(manifest) => Ok(Some(Arc::clone(manifest))),
            None if absent => Ok(None),
            None => Err(RegistryFault::not_recorded(name())),
        }
    }

    fn find_blob(&self, at: &Repository, digest: &Digest, bound: usize) -> Fetched<Arc<[u8]>> {
        let name = || format!("{at}@{digest}");
        for layout in &self.0 {
            let found = layout.known_blob(digest, bound);
            if let Some(bytes) = found.map_err(|problem| RegistryFault::new(name(), problem))? {
                return Ok(Some(bytes.into()));
            }
        }
        Err(RegistryFault::not_recorded(name()))
    }

    fn find_referrers(&self, at: &Repository, subject: &Digest) -> Fetched<Vec<Descriptor>> {
        let mut found: Option<BTreeMap<Digest, Descriptor>> = None;
        for layout in &self.0 {
            if let Known::Is(listed) = layout.known_referrers(at, subject) {
                let all = found.get_or_insert_default();
                all.extend(listed.into_iter().map(|one| (one.digest.clone(), one)));
            }
        }
        match found {
            Some(all) => Ok(Some(all.into_values().collect())),
            None => Err(RegistryFault::not_recorded(format!("{at}@{subject}"))),
        }
    }
}

impl From<Layout> for Layouts {
    fn from(layout: Layout) -> Self {
        Self(vec![layout])
    }
}

impl Registry for Layouts {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        Box::pin(std::future::ready(self.find_manifest(at, version)))
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        Box::pin(std::future::ready(self.find_blob(at, digest, bound)))
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        Box::pin(std::future::ready(self.find_referrers(at, subject)))
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        let named = self.0.iter().flat_map(|layout| layout.tags.keys());
        let tags = named.filter_map(|(repository, tag)| (repository == at).then_some(tag));
        Box::pin(std::future::ready(Ok(Some(derived_from(tags)))))
    }
}
