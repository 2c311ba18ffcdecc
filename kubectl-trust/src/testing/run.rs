//! Running one test file: every policy against every resource, then each expectation against that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use common::cache::Facts;
use common::dialect::PolicySet;
use common::evaluate::{Context, Rules, Task, by_policies};
use common::limits;
use common::object::{FieldPath, ObjectRef, Origin};
use common::policy::images::RegistryCredentials;
use common::policy::{KeyRef, Operation, ReviewFacts, UserInfo};
use common::registry::Registry;
use common::sources::{Answer, Offline, Sources};
use common::trust::TrustRoot;
use common::verdict::{Decision, Subject, SubjectKind, Unavailable};
use common::yaml::Places;
use serde_json::Value;

use super::file::TestFile;
use super::rows::{self, Row};
use super::scope::namespace_of;
use super::values::{self, ValuesFile};
use crate::cli::ImageArgs;
use crate::clock;
use crate::commands::judge::{self, Item, Lists, Reading};
use crate::input;
use crate::policies;
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
    /// What a person should know.
    pub(crate) warnings: Vec<String>,
}

/// A test file that could not be run.
#[derive(Debug)]
pub(crate) struct Broken {
    /// The file.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) error: anyhow::Error,
}

/// Runs a test file, contacting nothing but registries, and these only if `registry` says so.
///
/// # Errors
/// An unreadable file, a policy that does not compile.
pub(crate) async fn run(file: &TestFile, registry: bool) -> anyhow::Result<Outcomes> {
    let mut set = policies::read(&input::expand(&file.policies, true)?)?;
    policies::add_exceptions(&mut set, &input::expand(&file.exceptions, true)?)?;
    let mut values = values_of(file)?;
    let user = file.userinfo.as_deref().map(values::user).transpose()?;
    let inputs = input::documents(&input::expand(&file.resources, true)?);
    let how = Reading { kind: SubjectKind::Manifest, origin: Origin::File, lists: Lists::Items };
    let items = judge::items(&inputs, how);
    namespaces(&items, &mut values);
    let world = Beside::of(file, &items, registry)?;
    let known = Facts::default();
    let context = Context { sources: &world, known: &known, now: file.now.unwrap_or_else(clock::now) };
    let mut warnings = std::mem::take(&mut set.warnings);
    let place = file.path.display();
    warnings.extend(file.unused.iter().map(|field| format!("{place}: {field} has no effect here")));
    let mut decisions = BTreeMap::new();
    for operation in operations(file) {
        let mut of_operation = Vec::new();
        for item in &items {
            let asked = Asked { operation, user: user.as_ref(), values: &values };
            of_operation.extend(judge_item(item, &set, &asked, context).await?);
        }
        decisions.insert(operation, of_operation);
    }
    let mut rows: Vec<_> = file.cases.iter().flat_map(|case| rows::of(case, &set, &decisions)).collect();
    locate(&mut rows, &file.content);
    Ok(Outcomes { path: file.path.clone(), name: file.name.clone(), rows, warnings })
}

/// Gives every failed row the line of its expectation.
fn locate(rows: &mut [Row], content: &[u8]) {
    let mut failed = rows.iter_mut().filter(|row| row.passed == Some(false)).peekable();
    let places = failed.peek().and_then(|_| Places::of(content, 0));
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

/// Namespaces among the resources have the labels that they have there, unless the values say otherwise.
fn namespaces(items: &[Item<'_>], values: &mut ValuesFile) {
    for item in items {
        let Item::Object { subject: Subject { object, .. }, object: value, .. } = item else { continue };
        if object.group().is_empty() && object.kind == "Namespace" {
            let labels = value.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
            let labels = labels.filter_map(|(key, label)| Some((key.clone(), label.as_str()?.to_owned())));
            values.add_namespace(&object.name, labels.collect());
        }
    }
}

/// The operations that any case asks for; each is evaluated once.
fn operations(file: &TestFile) -> BTreeSet<Operation> {
    file.cases.iter().map(|case| case.operation).collect()
}

/// What is asked about every resource.
pub(crate) struct Asked<'a> {
    pub(crate) operation: Operation,
    pub(crate) user: Option<&'a UserInfo>,
    pub(crate) values: &'a ValuesFile,
}

/// One object, judged by every policy of a set.
///
/// # Errors
/// A resource that could not be read.
pub(crate) async fn judge_item(
    item: &Item<'_>,
    set: &PolicySet,
    asked: &Asked<'_>,
    context: Context<'_>,
) -> anyhow::Result<Vec<Decision>> {
    let (subject, object, origin) = match item {
        Item::Object { subject, object, origin } => (subject, *object, *origin),
        Item::Nothing { subject, reason } => anyhow::bail!("{}: {reason}", text::nameless(&subject.source)),
    };
    // Of what is judged: an image has no namespace, and the Pod that stands for it has.
    let judged = ObjectRef::of(object);
    let namespace = namespace_of(&judged);
    let mut decisions = Vec::new();
    for policy in &set.policies {
        let values = asked.values.of(&policy.id.to_string(), &subject.object.name);
        let rules = Rules {
            policies: std::slice::from_ref(policy),
            exceptions: &set.exceptions,
            values: &values,
            background: false,
        };
        let deleted = asked.operation == Operation::Delete;
        let facts = ReviewFacts {
            object: if deleted { &Value::Null } else { object },
            old_object: deleted.then_some(object),
            operation: asked.operation,
            namespace,
            namespace_labels: asked.values.namespace_labels(namespace),
            user: asked.user,
            ..ReviewFacts::of(object)
        };
        let task = Task { subject: Arc::new(subject.clone()), facts, origin };
        decisions.extend(by_policies(&task, rules, context).await);
    }
    Ok(decisions)
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
    let folder = file.path.with_file_name("images");
    if folder.is_dir() {
        return images::recordings(&[folder]).map(Some);
    }
    registry.then(|| images::registries(&ImageArgs::default())).transpose()
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
