//! Running one test file: every policy against every resource, then each expectation against that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use common::cache::Facts;
use common::evaluate::Context;
use common::limits;
use common::object::{FieldPath, Origin, Segment};
use common::policy::images::RegistryCredentials;
use common::policy::{KeyRef, Operation};
use common::registry::Registry;
use common::sources::{Answer, Offline, Sources};
use common::trust::TrustRoot;
use common::verdict::{Subject, SubjectKind, Unavailable};
use common::yaml::Places;

use super::file::TestFile;
use super::rows::{self, Row};
use super::scope::namespace_of;
use super::user;
use super::values::ValuesFile;
use crate::cli::ImageArgs;
use crate::clock;
use crate::commands::judge::{self, Item, Lists, Reading, Request, by_policies};
use crate::input;
use crate::manifests::Manifests;
use crate::policies;
use crate::warnings::Warnings;
use crate::{images, text};

/// The result of one test file.
#[derive(Debug)]
pub(crate) struct Outcomes {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it is called.
    pub(crate) name: String,
    /// Its rows.
    pub(crate) rows: Vec<Row>,
}

/// A test file that could not be run.
#[derive(Debug)]
pub(crate) struct Broken {
    /// The file.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) error: anyhow::Error,
}

/// Runs a test file, contacting nothing but registries, and these only if `registry` says so. What people should know
/// of its files goes to `warnings`.
///
/// # Errors
/// An unreadable file, a policy that does not compile.
pub(crate) async fn run(
    file: &TestFile,
    registry: bool,
    warnings: &mut Warnings,
) -> anyhow::Result<Outcomes> {
    let mut set = policies::read(&file.policies, warnings)?;
    policies::add_exceptions(&mut set, &file.exceptions, warnings)?;
    unused(file, warnings);
    let mut values = values_of(file)?;
    let user = file.userinfo.as_deref().map(user::read).transpose()?;
    let read = Manifests::of(&file.resources, true)?;
    let how = Reading { kind: SubjectKind::Manifest, origin: Origin::File, lists: Lists::Items };
    let items = judge::items(&read.inputs, how);
    readable(&items)?;
    judge::namespaces(&items, &mut values);
    let world = Beside::of(file, &items, registry)?;
    let known = Facts::default();
    let context = Context { sources: &world, known: &known, now: file.now.unwrap_or_else(clock::now) };
    let mut decisions = BTreeMap::new();
    for operation in operations(file) {
        let mut of_operation = Vec::new();
        for item in &items {
            let request = Request { operation, user: user.as_ref(), values: &values };
            of_operation.extend(by_policies(item, &set, &request, context).await);
        }
        decisions.insert(operation, of_operation);
    }
    let mut rows: Vec<_> = file.cases.iter().flat_map(|case| rows::of(case, &set, &decisions)).collect();
    locate(&mut rows, file);
    Ok(Outcomes { path: file.path.clone(), name: file.name.clone(), rows })
}

/// Says which fields of the file have no effect: each name once, whatever results it stands in.
fn unused(file: &TestFile, warnings: &mut Warnings) {
    let places = if file.unused.is_empty() { None } else { Places::of(&file.content, file.document) };
    for field in &file.unused {
        let Some(Segment::Key(name)) = field.segments().last() else { continue };
        let place = match places.as_ref().map(|places| places.find(field)) {
            Some((line, column)) => format!("{}:{line}:{column}", file.path.display()),
            None => file.path.display().to_string(),
        };
        warnings.add(place, String::new(), format!("{name} has no effect here"));
    }
}

/// Gives every failed row the line of its expectation.
fn locate(rows: &mut [Row], file: &TestFile) {
    let mut failed = rows.iter_mut().filter(|row| row.passed == Some(false)).peekable();
    let places = failed.peek().and_then(|_| Places::of(&file.content, file.document));
    let Some(places) = places else { return };
    for row in failed {
        row.line = Some(places.find(&FieldPath::keys(["results"]).index(row.index)).0);
    }
}

fn values_of(file: &TestFile) -> anyhow::Result<ValuesFile> {
    match (&file.variables, &file.values) {
        (Some(path), _) => ValuesFile::read(path),
        (None, Some(values)) => {
            ValuesFile::parse(values.clone()).with_context(|| format!("{}: values", file.path.display()))
        }
        (None, None) => Ok(ValuesFile::default()),
    }
}

/// That every resource could be read: of one that could not, no case would be right or wrong.
fn readable(items: &[Item<'_>]) -> anyhow::Result<()> {
    items.iter().try_for_each(|item| match item {
        Item::Object { .. } => Ok(()),
        Item::Nothing { subject, reason } => bail!("{}: {reason}", text::nameless(&subject.source)),
    })
}

/// The operations that any case asks for, `None` for cases that name none; each is evaluated once.
fn operations(file: &TestFile) -> BTreeSet<Option<Operation>> {
    file.cases.iter().map(|case| case.operation).collect()
}

/// The world of a test: the files beside it, and Secrets among its resources.
struct Beside {
    offline: Offline,
    secrets: BTreeMap<(String, String), String>,
}

impl Beside {
    fn of(file: &TestFile, items: &[Item<'_>], registry: bool) -> anyhow::Result<Self> {
        let path = file.path.with_file_name("trusted-root.json");
        let trust_root = if path.try_exists().unwrap_or(false) {
            let text = input::text(&path, limits::TRUSTED_ROOT_BYTES)?;
            Some(Arc::new(TrustRoot::from_json(&text).with_context(|| path.display().to_string())?))
        } else {
            None
        };
        Ok(Self {
            offline: Offline { trust_root, images: recorded(file, registry)? },
            secrets: secrets(items),
        })
    }
}

/// The images that are recorded beside a test; else the registries, if the test may ask them.
fn recorded(file: &TestFile, registry: bool) -> anyhow::Result<Option<Arc<dyn Registry>>> {
    if let Some(folder) = images_folder(&file.path)? {
        return images::recordings(&[folder]).map(Some);
    }
    registry.then(|| images::registries(&ImageArgs::default())).transpose()
}

/// The folder `images` beside a test. A file of that name holds the path of another folder, as Git leaves a link
/// where there are no links.
///
/// # Errors
/// A file that names no folder.
fn images_folder(test: &Path) -> anyhow::Result<Option<PathBuf>> {
    let images = test.with_file_name("images");
    if !images.is_file() {
        return Ok(images.is_dir().then_some(images));
    }
    let text = input::text(&images, limits::PATH_BYTES)?;
    let folder = images.with_file_name(text.trim());
    if !folder.is_dir() {
        anyhow::bail!("{}: names no folder: {}", images.display(), folder.display());
    }
    Ok(Some(folder))
}

/// Public keys that a policy reads as `k8s://namespace/name`.
fn secrets(items: &[Item<'_>]) -> BTreeMap<(String, String), String> {
    let key = |item: &Item<'_>| match item {
        Item::Object { subject: Subject { object, .. }, object: value, .. } if object.kind == "Secret" => {
            let text = crate::cluster::public_key(value)?;
            Some(((namespace_of(object).to_owned(), object.name.clone()), text))
        }
        Item::Object { .. } | Item::Nothing { .. } => None,
    };
    items.iter().filter_map(key).collect()
}

impl Sources for Beside {
    fn key<'s>(&'s self, reference: &'s KeyRef) -> Answer<'s, String> {
        match reference {
            KeyRef::Secret { namespace, name } => {
                let found = self.secrets.get(&(namespace.clone(), name.clone())).cloned();
                Box::pin(std::future::ready(found.ok_or(Unavailable::NeedsCluster)))
            }
            KeyRef::Kms(_) | KeyRef::Variable(_) => self.offline.key(reference),
        }
    }

    fn registry<'s>(&'s self, credentials: &RegistryCredentials) -> &'s dyn Registry {
        self.offline.registry(credentials)
    }

    fn trust_root(&self) -> Option<Arc<TrustRoot>> {
        self.offline.trust_root()
    }
}
