//! Running one test file: every policy against every resource, then each expectation against that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use common::cache::Facts;
use common::evaluate::{Context, Rules, Task, by_policies};
use common::limits;
use common::object::{FieldPath, ObjectRef, Origin};
use common::policy::{KeyRef, Operation, Policy, ReviewFacts, UserInfo};
use common::sources::{Answer, Offline, Sources};
use common::trust::TrustRoot;
use common::verdict::{Decision, Outcome, Reason, Subject, SubjectKind, Unavailable};
use common::yaml::Places;
use serde_json::Value;

use super::file::{Case, Expected, TestFile};
use super::values::{self, ValuesFile};
use crate::commands::judge::{self, Item};
use crate::input;
use crate::policies::PolicySet;
use crate::text;

/// What became of one expectation for one resource.
#[derive(Debug)]
pub(crate) struct Row {
    /// Which entry of `results`.
    pub(crate) index: usize,
    /// The line of that entry, where the row failed.
    pub(crate) line: Option<usize>,
    /// The policy.
    pub(crate) policy: String,
    /// The rule, as the policy has it.
    pub(crate) rule: String,
    /// What the resource is called, `Kind namespace/name` where it was found.
    pub(crate) resource: String,
    /// What was expected.
    pub(crate) expected: Expected,
    /// What came out; `None` where no such policy, rule or resource is there.
    pub(crate) got: Option<Expected>,
    /// Whether it is as expected; `None` for a rule that is not ours to judge.
    pub(crate) passed: Option<bool>,
    /// Why, in a line.
    pub(crate) message: String,
    /// The decision behind it.
    pub(crate) decision: Option<Decision>,
}

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

/// The namespace of objects that name none: the one `kubectl apply` would choose.
const DEFAULT_NAMESPACE: &str = "default";

/// Runs a test file, contacting nothing.
///
/// # Errors
/// An unreadable file, a policy that does not compile.
pub(crate) async fn run(file: &TestFile) -> anyhow::Result<Outcomes> {
    let mut set = PolicySet::read(&input::expand(&file.policies, true)?)?;
    let exceptions = PolicySet::read(&input::expand(&file.exceptions, true)?)?;
    set.exceptions.extend(exceptions.exceptions);
    let values = values_of(file)?;
    let user = file.userinfo.as_deref().map(values::user).transpose()?;
    let inputs = input::documents(&input::expand(&file.resources, true)?);
    let items = judge::items(&inputs, SubjectKind::Manifest, common::manifest::DEFAULT_DOMAIN);
    let world = Beside::of(file, &items)?;
    let known = Facts::default();
    let context = Context { sources: &world, known: &known, now: judge::now() };
    let mut warnings = std::mem::take(&mut set.warnings);
    warnings.extend(file.unused.iter().map(|field| format!("{field} has no effect here")));
    let mut decisions = BTreeMap::new();
    for operation in operations(file) {
        let mut of_operation = Vec::new();
        for item in &items {
            let asked = Asked { operation, user: user.as_ref(), values: &values };
            of_operation.extend(judge_item(item, &set, &asked, context).await?);
        }
        decisions.insert(operation, of_operation);
    }
    let mut rows: Vec<_> = file.cases.iter().flat_map(|case| rows(case, &set.policies, &decisions)).collect();
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
    let (subject, object) = match item {
        Item::Object { subject, object } => (subject, *object),
        Item::Nothing { subject, reason } => anyhow::bail!("{}: {reason}", text::nameless(&subject.source)),
    };
    let namespace = namespace_of(&subject.object);
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
        let task = Task { subject: subject.clone(), facts, origin: origin(object) };
        decisions.extend(by_policies(&task, rules, context).await);
    }
    Ok(decisions)
}

/// An object that carries a uid was exported from a cluster; a file that somebody wrote has none.
fn origin(object: &Value) -> Origin {
    if object.pointer("/metadata/uid").is_some() { Origin::Live } else { Origin::File }
}

/// Kinds that live in no namespace are known for the built-in groups only; a custom resource without a
/// namespace is taken for one that would be applied to the default one.
fn namespace_of(object: &ObjectRef) -> &str {
    const CLUSTER_SCOPED: [&str; 22] = [
        "Namespace",
        "Node",
        "PersistentVolume",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "StorageClass",
        "VolumeAttachment",
        "CSIDriver",
        "CSINode",
        "PriorityClass",
        "RuntimeClass",
        "IngressClass",
        "APIService",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "CertificateSigningRequest",
        "FlowSchema",
        "PriorityLevelConfiguration",
        "ClusterPolicy",
    ];
    match object.namespace.as_str() {
        "" if CLUSTER_SCOPED.contains(&object.kind.as_str()) => "",
        "" => DEFAULT_NAMESPACE,
        namespace => namespace,
    }
}

/// The rows of one expectation: one for each resource it names.
fn rows(case: &Case, policies: &[Policy], decisions: &BTreeMap<Operation, Vec<Decision>>) -> Vec<Row> {
    let all = decisions.get(&case.operation).map_or(&[][..], Vec::as_slice);
    let one = |name: &String| {
        let matching: Vec<_> = all.iter().filter(|decision| speaks_of(decision, case, name)).collect();
        if matching.is_empty() {
            vec![not_found(case, name, policies)]
        } else {
            matching.into_iter().map(|d| row(case, d, policies)).collect()
        }
    };
    case.resources.iter().flat_map(one).collect()
}

fn speaks_of(decision: &Decision, case: &Case, name: &str) -> bool {
    let Some(by) = &decision.by else { return false };
    let rule = case.rule == "*"
        || [case.rule.clone(), format!("autogen-{}", case.rule), format!("autogen-cronjob-{}", case.rule)]
            .contains(&by.rule);
    let object = &decision.subject.object;
    let kind = case
        .kind
        .as_ref()
        .is_none_or(|kind| *kind == object.kind || kind.rsplit('/').next() == Some(&object.kind));
    let named = match name.split_once('/') {
        Some((namespace, name)) => object.name == name && namespace_of(object) == namespace,
        None => object.name == name,
    };
    by.policy == case.policy && rule && kind && named && relevant(decision, case)
}

/// A generated rule that is about other kinds has nothing to say about this one; the rule that is speaks
/// for all of them.
fn relevant(decision: &Decision, case: &Case) -> bool {
    let generated = decision.by.as_ref().is_some_and(|by| case.rule != "*" && by.rule != case.rule);
    !(generated && decision.headline().code() == "not-matched")
}

fn row(case: &Case, decision: &Decision, policies: &[Policy]) -> Row {
    let by = decision.by.clone();
    let scored = by
        .as_ref()
        .and_then(|by| policies.iter().find(|policy| policy.id.to_string() == by.policy))
        .is_none_or(|policy| policy.scored);
    let got = match decision.outcome() {
        Outcome::Pass => Expected::Pass,
        Outcome::Fail if scored => Expected::Fail,
        Outcome::Fail => Expected::Warn,
        Outcome::Fault => Expected::Error,
        Outcome::Skip => Expected::Skip,
    };
    let not_handled = decision.headline().code() == "not-handled";
    let object = &decision.subject.object;
    Row {
        index: case.index,
        line: None,
        policy: case.policy.clone(),
        rule: by.map_or_else(|| case.rule.clone(), |by| by.rule),
        resource: ObjectRef { namespace: namespace_of(object).to_owned(), ..object.clone() }.to_string(),
        expected: case.expected,
        got: Some(got),
        passed: (!not_handled).then_some(is_as_expected(case.expected, got, decision)),
        message: match got {
            Expected::Pass => format!("every check passed: {}", text::good(decision)),
            Expected::Fail | Expected::Warn | Expected::Error | Expected::Skip => {
                decision.headline().to_string()
            }
        },
        decision: Some(decision.clone()),
    }
}

/// Kyverno reports a wrong signer, or too few of them, as an error, and tests in the wild expect that
/// word. It blocks as well, and here it is a refusal, so both words are right for it.
fn is_as_expected(expected: Expected, got: Expected, decision: &Decision) -> bool {
    let mut unsigned = false;
    decision.check.walk(&mut |check| {
        let about_content =
            matches!(check.reason, Reason::ManifestDiffers { .. } | Reason::TargetMismatch { .. });
        unsigned |= check.outcome == Outcome::Fail && !about_content && check.children.is_empty();
    });
    expected == got || (expected == Expected::Error && got == Expected::Fail && unsigned)
}

fn not_found(case: &Case, name: &str, policies: &[Policy]) -> Row {
    let policy = policies.iter().find(|policy| policy.id.to_string() == case.policy);
    let rule =
        policy.map(|policy| policy.rules.iter().any(|rule| rule.name == case.rule || case.rule == "*"));
    let message = match rule {
        None => format!("no policy {} in the test's policies", case.policy),
        Some(false) => format!("the policy {} has no rule {}", case.policy, case.rule),
        Some(true) => format!("no resource {name} in the test's resources"),
    };
    Row {
        index: case.index,
        line: None,
        policy: case.policy.clone(),
        rule: case.rule.clone(),
        resource: name.to_owned(),
        expected: case.expected,
        got: None,
        passed: Some(false),
        message,
        decision: None,
    }
}

/// The world of a test: the files beside it, and Secrets among its resources.
struct Beside {
    offline: Offline,
    secrets: BTreeMap<(String, String), String>,
}

impl Beside {
    fn of(file: &TestFile, items: &[Item<'_>]) -> anyhow::Result<Self> {
        let path = file.path.with_file_name("trusted-root.json");
        let trust_root = if path.try_exists().unwrap_or(false) {
            let text = input::text(&path, limits::TRUSTED_ROOT_BYTES)?;
            Some(Arc::new(TrustRoot::from_json(&text).with_context(|| path.display().to_string())?))
        } else {
            None
        };
        Ok(Self { offline: Offline { trust_root }, secrets: secrets(items) })
    }
}

/// Public keys that a policy reads as `k8s://namespace/name`.
fn secrets(items: &[Item<'_>]) -> BTreeMap<(String, String), String> {
    let key = |item: &Item<'_>| match item {
        Item::Object { subject: Subject { object, .. }, object: value } if object.kind == "Secret" => {
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

    fn trust_root(&self) -> Option<Arc<TrustRoot>> {
        self.offline.trust_root()
    }
}
