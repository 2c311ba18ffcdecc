//! Opening a layout: every manifest is read and checked, every name entered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::folder::{FileError, Folder};
use super::{
    CONTAINERD_NAME, COSIGN_EVIDENCE, COSIGN_IMAGES, COSIGN_KIND, Held, INDEX_FILE, Layout, LayoutError,
    LayoutProblem, REF_NAME, SIGNATURE_REPOSITORY, VERSION, VERSION_FILE,
};
use crate::digest::Digest;
use crate::image::{ImageRef, Repository, Tag, Version};
use crate::limits;
use crate::registry::manifest::{self, Descriptor, Manifest};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionFile {
    image_layout_version: String,
}

#[derive(Deserialize)]
struct IndexFile {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Layout {
    /// Opens a layout:
    ///
    /// 1. The version must be the one that is known.
    /// 2. Every manifest that the index lists is read, and what its indexes list as far as it is there.
    /// 3. Every name is entered.
    /// 4. Signatures and attestations that `cosign save` wrote get the tags that they had.
    ///
    /// An entry that says where else signatures were looked for names no manifest, and is only noted.
    ///
    /// # Errors
    /// [`LayoutError`]. A layout of which a part cannot be trusted is not used at all: what is missing in
    /// it would be taken for "there is no signature".
    pub fn open(path: &Path) -> Result<Self, LayoutError> {
        let reader = Reader::open(path)?;
        reader.version()?; // 1.
        let entries = reader.index()?;
        let (manifests, tags, derived, signatures_in) = Default::default();
        let layout = Self { folder: reader.folder.clone(), manifests, tags, derived, signatures_in };
        let mut opening = Opening { reader, layout, bytes: 0, steps: 0 };
        let mut named = BTreeMap::new();
        for entry in entries.iter().filter(|entry| manifest::is_manifest(&entry.media_type)) {
            match entry.annotations.get(SIGNATURE_REPOSITORY) {
                Some(repository) => opening.looked_in(repository, &entry.digest)?,
                None => opening.enter(entry, &mut named)?, // 2. and 3.
            }
        }
        opening.evidence(&entries)?; // 4.
        Ok(opening.layout)
    }
}

/// Files of a layout, with errors that say which.
struct Reader {
    path: PathBuf,
    folder: Folder,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, LayoutError> {
        let error = |why| LayoutError { path: path.to_owned(), problem: LayoutProblem::File(why) };
        Ok(Self { path: path.to_owned(), folder: Folder::open(path).map_err(error)? })
    }

    fn error(&self, file: &Path, problem: LayoutProblem) -> LayoutError {
        LayoutError { path: self.path.join(file), problem }
    }

    fn file(&self, file: &Path, bound: usize) -> Result<Option<Vec<u8>>, LayoutError> {
        self.folder.read(file, bound).map_err(|why: FileError| self.error(file, LayoutProblem::File(why)))
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, name: &str, bound: usize) -> Result<T, LayoutError> {
        let file = Path::new(name);
        let bytes = self.file(file, bound)?.ok_or_else(|| self.error(file, LayoutProblem::Missing))?;
        let wrong = |why: serde_json::Error| self.error(file, LayoutProblem::Json(why.to_string()));
        serde_json::from_slice(&bytes).map_err(wrong)
    }

    fn version(&self) -> Result<(), LayoutError> {
        let found: VersionFile = self.json(VERSION_FILE, limits::LAYOUT_VERSION_BYTES)?;
        if found.image_layout_version == VERSION {
            return Ok(());
        }
        let problem = LayoutProblem::Version(found.image_layout_version);
        Err(self.error(Path::new(VERSION_FILE), problem))
    }

    fn index(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let index: IndexFile = self.json(INDEX_FILE, limits::LAYOUT_INDEX_BYTES)?;
        if index.manifests.len() > limits::LAYOUT_MANIFESTS {
            return Err(self.index_error(LayoutProblem::TooManyManifests));
        }
        Ok(index.manifests)
    }

    fn index_error(&self, problem: LayoutProblem) -> LayoutError {
        self.error(Path::new(INDEX_FILE), problem)
    }

    /// A manifest, whose bytes must be those that its name says.
    fn manifest(&self, entry: &Descriptor) -> Result<Option<Manifest>, LayoutError> {
        let file = Folder::blob_path(&entry.digest);
        let Some(bytes) = self.file(&file, limits::MANIFEST_BYTES)? else { return Ok(None) };
        if !entry.digest.names(&bytes) {
            let found = Digest::of(&bytes);
            return Err(self.error(&file, LayoutProblem::Digest { found }));
        }
        let read = Manifest::parse(bytes.into(), Some(&entry.media_type));
        let read = read.map_err(|why| self.error(&file, LayoutProblem::Manifest(why)))?;
        Ok(Some(Manifest { digest: entry.digest.clone(), ..read }))
    }
}

/// A layout that is being opened.
struct Opening {
    reader: Reader,
    layout: Layout,
    /// Of all manifests so far.
    bytes: usize,
    /// Entries of indexes so far.
    steps: usize,
}

impl Opening {
    fn enter(
        &mut self,
        entry: &Descriptor,
        named: &mut BTreeMap<(Repository, Version), Digest>,
    ) -> Result<(), LayoutError> {
        let names = self.names(entry)?;
        let places: Vec<_> = names.iter().map(|name| name.repository().clone()).collect();
        if !self.hold(entry, &places, limits::INDEX_DEPTH)? {
            return Err(self.reader.error(&Folder::blob_path(&entry.digest), LayoutProblem::Missing));
        }
        // The name of a signature that cosign saved is that of the image.
        let names = if suffix(entry).is_some() { vec![] } else { names };
        for name in names {
            let problem = match (name.version(), named.get(&(name.repository().clone(), name.version()))) {
                (Version::Digest(digest), _) if digest != entry.digest => LayoutProblem::OtherDigest,
                // Attack: which of the two is meant would depend on who reads them.
                (_, Some(other)) if *other != entry.digest => LayoutProblem::TwoOfOneName,
                (version, _) => {
                    self.name(name.repository(), &version, &entry.digest);
                    named.insert((name.repository().clone(), version), entry.digest.clone());
                    continue;
                }
            };
            return Err(self.reader.index_error(problem(name.to_string())));
        }
        Ok(())
    }

    fn looked_in(&mut self, repository: &str, image: &Digest) -> Result<(), LayoutError> {
        let wrong = |why| LayoutProblem::Name { name: repository.to_owned(), why };
        let at = Repository::parse(repository).map_err(|why| self.reader.index_error(wrong(why)))?;
        self.layout.signatures_in.insert((at, image.clone()));
        Ok(())
    }

    fn name(&mut self, at: &Repository, version: &Version, digest: &Digest) {
        if let Version::Tag(tag) = version {
            self.layout.tags.insert((at.clone(), tag.clone()), digest.clone());
        }
    }

    /// The full references of an entry. Short ones (`latest`) name a version of nobody knows what.
    fn names(&self, entry: &Descriptor) -> Result<Vec<ImageRef>, LayoutError> {
        let mut names = Vec::new();
        for name in [REF_NAME, CONTAINERD_NAME].iter().filter_map(|key| entry.annotations.get(*key)) {
            match ImageRef::parse(name) {
                Ok(reference) if reference.names_registry() => names.push(reference),
                Ok(_) => {}
                Err(why) => {
                    let problem = LayoutProblem::Name { name: name.clone(), why };
                    return Err(self.reader.index_error(problem));
                }
            }
        }
        Ok(names)
    }

    /// Keeps a manifest and, of an index, those that it lists; whether it is there.
    fn hold(&mut self, entry: &Descriptor, places: &[Repository], depth: usize) -> Result<bool, LayoutError> {
        self.steps += 1;
        // Attack: a few indexes that list each other's children a thousand times.
        if self.steps > limits::LAYOUT_STEPS {
            return Err(self.reader.index_error(LayoutProblem::TooManyManifests));
        }
        let manifest = match self.layout.manifests.get(&entry.digest) {
            Some(held) => Arc::clone(&held.manifest),
            None => match self.reader.manifest(entry)? {
                Some(manifest) => self.count(manifest)?,
                None => return Ok(false),
            },
        };
        let held = self.layout.manifests.entry(entry.digest.clone());
        let held = held.or_insert_with(|| Held {
            manifest: Arc::clone(&manifest),
            of: std::collections::BTreeSet::new(),
            anywhere: false,
        });
        held.of.extend(places.iter().cloned());
        held.anywhere |= places.is_empty();
        let listed = manifest.index().map_or(&[][..], |index| &index.manifests);
        for child in listed.iter().filter(|child| manifest::is_manifest(&child.media_type)) {
            let error = || self.reader.error(&Folder::blob_path(&entry.digest), LayoutProblem::TooDeep);
            let depth = depth.checked_sub(1).ok_or_else(error)?;
            self.hold(child, places, depth)?;
        }
        Ok(true)
    }

    fn count(&mut self, manifest: Manifest) -> Result<Arc<Manifest>, LayoutError> {
        self.bytes += manifest.bytes.len();
        let full = self.layout.manifests.len() >= limits::LAYOUT_MANIFESTS;
        if full || self.bytes > limits::LAYOUT_MANIFEST_BYTES {
            return Err(self.reader.index_error(LayoutProblem::TooManyManifests));
        }
        Ok(Arc::new(manifest))
    }

    /// Gives what `cosign save` wrote beside an image the tag that it had.
    fn evidence(&mut self, entries: &[Descriptor]) -> Result<(), LayoutError> {
        let is_image = |entry: &&Descriptor| {
            entry.annotations.get(COSIGN_KIND).is_some_and(|kind| COSIGN_IMAGES.contains(&kind.as_str()))
        };
        let images: Vec<_> = entries.iter().filter(is_image).collect();
        for entry in entries {
            let Some(suffix) = suffix(entry) else { continue };
            let of = image_of(entry, &images);
            let of = of.ok_or_else(|| self.reader.index_error(LayoutProblem::EvidenceOfNothing))?;
            let tag = Tag::derived(&of.digest, suffix);
            let before = self.layout.derived.insert(tag.clone(), entry.digest.clone());
            let named = self.layout.tags.iter().filter(|((_, name), _)| *name == tag);
            let mut others = named.map(|(_, digest)| digest).chain(&before);
            if others.any(|other| *other != entry.digest) {
                return Err(self.reader.index_error(LayoutProblem::TwoOfOneName(tag.to_string())));
            }
        }
        Ok(())
    }
}

/// The suffix of the tag that an entry of `cosign save` had, if it is about an image.
fn suffix(entry: &Descriptor) -> Option<&'static str> {
    let kind = entry.annotations.get(COSIGN_KIND)?;
    COSIGN_EVIDENCE.into_iter().find(|(known, _)| known == kind).map(|(_, suffix)| suffix)
}

/// The image that an entry is about: that of the same name, or the only one.
fn image_of<'e>(entry: &Descriptor, images: &[&'e Descriptor]) -> Option<&'e Descriptor> {
    let name = entry.annotations.get(REF_NAME);
    let same = images.iter().filter(|image| image.annotations.get(REF_NAME) == name);
    let mut same = same.map(|image| (&image.digest, *image)).collect::<BTreeMap<_, _>>();
    if same.is_empty() {
        same.extend(images.iter().map(|image| (&image.digest, *image)));
    }
    let (_, image) = same.pop_first()?;
    same.is_empty().then_some(image)
}
