//! Which requests the API server must show us: webhook configurations, made of the policies in force. Pure.
//!
//! Only what the rules of policies name is asked for, and nothing where there are no policies: a webhook that is
//! not needed can only do harm. Every field that the API server would fill in is filled in here, so that what it
//! holds can be compared with what it should hold.

use std::collections::{BTreeMap, BTreeSet};

use common::dialect::{self, PolicyKind};
use common::object::ObjectRef;
use common::policy::selector::KindPattern;
use common::policy::{self, Body, OnFault, Operation, Policy, Rule};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
    ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference,
};

use crate::snapshot::{Snapshot, Together};
use crate::webhook::{Phase, Route, admit_policy};

/// What the configurations for objects are called.
pub const NAME: &str = "trust-operator";
/// What the configuration for policies themselves is called.
pub const POLICIES: &str = "trust-operator-policies";

/// Seconds that a webhook has whose policies say nothing else.
const TIMEOUT: i32 = 10;

/// A kind that the API server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its API group; empty for the core group.
    pub group: String,
    /// Its version.
    pub version: String,
    /// `Deployment`.
    pub kind: String,
    /// `deployments`.
    pub plural: String,
    /// Its subresources, with the kind of what is sent there: `scale`, `Scale`.
    pub subresources: Vec<(String, String)>,
}

/// What the configurations say beside what follows from policies.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the API server reaches us.
    pub reach: Reach,
    /// The certificates that it verifies us with (PEM).
    pub authority: Vec<u8>,
    /// Namespaces whose objects are not judged: our own, so that nothing keeps us from starting again, and those
    /// that were named for it.
    pub exempt: BTreeSet<String>,
    /// The object whose end is the end of the configurations.
    pub owner: Option<OwnerReference>,
    /// Whether policies that we cannot read may be written, because they may be meant for another engine.
    pub beside_others: bool,
}

/// How the API server reaches us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Through a Service.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Outside of the cluster, at `https://HOST:PORT`.
    Url(String),
}

/// Both configurations; `None` where no policy needs one.
#[derive(Clone, Debug, PartialEq)]
pub struct Configurations {
    /// For pinning images.
    pub mutating: Option<MutatingWebhookConfiguration>,
    /// For judging.
    pub validating: Option<ValidatingWebhookConfiguration>,
    /// For policies themselves; `None` where no kind of them is served.
    pub policies: Option<ValidatingWebhookConfiguration>,
}

/// The configurations for the policies in force and the kinds that the API server serves.
#[must_use]
pub fn configurations(snapshot: &Snapshot, served: &[Served], settings: &Settings) -> Configurations {
    let needed = |phase| {
        snapshot.all_together().filter_map(move |together| Webhook::of(snapshot, (phase, together), served))
    };
    let mutating: Vec<_> = needed(Phase::Mutate).map(|webhook| webhook.mutating(settings)).collect();
    let validating: Vec<_> = needed(Phase::Validate).map(|webhook| webhook.validating(settings)).collect();
    let metadata = |name: &str| ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), NAME.to_owned())])),
        owner_references: settings.owner.clone().map(|owner| vec![owner]),
        ..ObjectMeta::default()
    };
    Configurations {
        mutating: (!mutating.is_empty())
            .then(|| MutatingWebhookConfiguration { metadata: metadata(NAME), webhooks: Some(mutating) }),
        validating: (!validating.is_empty())
            .then(|| ValidatingWebhookConfiguration { metadata: metadata(NAME), webhooks: Some(validating) }),
        policies: Some(policies(served, settings)).filter(|webhooks| !webhooks.is_empty()).map(|webhooks| {
            ValidatingWebhookConfiguration { metadata: metadata(POLICIES), webhooks: Some(webhooks) }
        }),
    }
}

/// The webhooks for policies themselves. While the operator does not answer, no policy is written: it would not be
/// known whether it is in force. Deleting one asks no webhook.
///
/// Beside another engine we must not keep policies of that engine's kinds from being written, so these have a webhook of
/// their own: while we do not answer they are written unseen, and the controllers say of each whether it is in force.
fn policies(served: &[Served], settings: &Settings) -> Vec<ValidatingWebhook> {
    if !settings.beside_others {
        return policies_of(served, &|_| true, (POLICIES_WEBHOOK, OnFault::Refuse), settings)
            .into_iter()
            .collect();
    }
    let foreign = policies_of(served, &|kind| !kind.is_ours(), (POLICIES_WEBHOOK, OnFault::Allow), settings);
    let own = policies_of(served, &PolicyKind::is_ours, (OWN_POLICIES_WEBHOOK, OnFault::Refuse), settings);
    foreign.into_iter().chain(own).collect()
}

/// What the webhooks for policies are called.
const POLICIES_WEBHOOK: &str = "policies";
const OWN_POLICIES_WEBHOOK: &str = "own-policies";

/// The webhook for some kinds of policies; `None` where none of them is served.
fn policies_of(
    served: &[Served],
    counts: &dyn Fn(&PolicyKind) -> bool,
    (name, on_fault): (&str, OnFault),
    settings: &Settings,
) -> Option<ValidatingWebhook> {
    let mut kinds: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for served in served {
        let kind = dialect::kind(&served.group, &served.kind).filter(|kind| kind.reads(&served.version));
        if kind.is_some_and(counts) {
            kinds.entry((&served.group, &served.version)).or_default().insert(served.plural.clone());
        }
    }
    let rule = |((group, version), resources): ((&str, &str), BTreeSet<String>)| {
        Asked { group: group.to_owned(), version: version.to_owned(), connect: false }.rule(resources)
    };
    let rules: Vec<_> = kinds.into_iter().map(rule).collect();
    let (name, path) = (name.to_owned(), admit_policy::PATH.to_owned());
    // Also in namespaces that are not judged.
    let everywhere = Settings { exempt: BTreeSet::new(), ..settings.clone() };
    let webhook = |rules| Webhook { name, path, on_fault, rules, conditions: Vec::new(), seconds: TIMEOUT };
    (!rules.is_empty()).then(|| webhook(rules).validating(&everywhere))
}

/// One webhook.
struct Webhook {
    /// The first part of its name.
    name: String,
    path: String,
    on_fault: OnFault,
    rules: Vec<RuleWithOperations>,
    conditions: Vec<MatchCondition>,
    seconds: i32,
}

impl Webhook {
    /// That of policies which are asked together; `None` where their rules need none.
    fn of(snapshot: &Snapshot, (phase, together): (Phase, Together), served: &[Served]) -> Option<Self> {
        let (on_fault, group) = together;
        let policies = snapshot.policies(together);
        let rules = rules(policies, phase, served);
        let (path, _) =
            Route::ALL.iter().find(|(_, route)| route.phase == phase && route.on_fault == on_fault)?;
        let path = group.map_or_else(|| (*path).to_owned(), |group| format!("{path}/{group}"));
        let conditions = snapshot.conditions(together).iter().map(condition).collect();
        let seconds = timeout(policies);
        let name = path.trim_start_matches('/').replace('/', "-");
        (!rules.is_empty()).then_some(Self { name, path, on_fault, rules, conditions, seconds })
    }

    /// `validate-fail.kubectl-trust.io`: what a refusal begins with.
    fn name(&self) -> String {
        format!("{}.kubectl-trust.io", self.name)
    }

    fn failure_policy(&self) -> String {
        match self.on_fault {
            OnFault::Refuse => "Fail".to_owned(),
            OnFault::Allow => "Ignore".to_owned(),
        }
    }

    fn client(&self, settings: &Settings) -> WebhookClientConfig {
        let ca_bundle = Some(ByteString(settings.authority.clone()));
        match &settings.reach {
            Reach::Service { namespace, name } => WebhookClientConfig {
                ca_bundle,
                service: Some(ServiceReference {
                    namespace: namespace.clone(),
                    name: name.clone(),
                    path: Some(self.path.clone()),
                    port: Some(443),
                }),
                url: None,
            },
            Reach::Url(url) => {
                let url = format!("{}{}", url.trim_end_matches('/'), self.path);
                WebhookClientConfig { ca_bundle, service: None, url: Some(url) }
            }
        }
    }

    fn match_conditions(&self) -> Option<Vec<MatchCondition>> {
        (!self.conditions.is_empty()).then(|| self.conditions.clone())
    }

    fn mutating(self, settings: &Settings) -> MutatingWebhook {
        MutatingWebhook {
            name: self.name(),
            client_config: self.client(settings),
            failure_policy: Some(self.failure_policy()),
            match_conditions: self.match_conditions(),
            rules: Some(self.rules),
            namespace_selector: Some(all_but(&settings.exempt)),
            object_selector: Some(LabelSelector::default()),
            timeout_seconds: Some(self.seconds),
            // Another webhook may add a container after us.
            reinvocation_policy: Some("IfNeeded".to_owned()),
            match_policy: Some("Equivalent".to_owned()),
            side_effects: "None".to_owned(),
            admission_review_versions: vec!["v1".to_owned()],
        }
    }

    fn validating(self, settings: &Settings) -> ValidatingWebhook {
        ValidatingWebhook {
            name: self.name(),
            client_config: self.client(settings),
            failure_policy: Some(self.failure_policy()),
            match_conditions: self.match_conditions(),
            rules: Some(self.rules),
            namespace_selector: Some(all_but(&settings.exempt)),
            object_selector: Some(LabelSelector::default()),
            timeout_seconds: Some(self.seconds),
            match_policy: Some("Equivalent".to_owned()),
            side_effects: "None".to_owned(),
            admission_review_versions: vec!["v1".to_owned()],
        }
    }
}

fn condition(of: &policy::MatchCondition) -> MatchCondition {
    MatchCondition { name: of.name.clone(), expression: of.expression.clone() }
}

/// Every namespace but some, by the label that the API server itself keeps. Attack: a label of one's own choice
/// would let whoever may edit a namespace leave (A15).
fn all_but(exempt: &BTreeSet<String>) -> LabelSelector {
    let names = LabelSelectorRequirement {
        key: "kubernetes.io/metadata.name".to_owned(),
        operator: "NotIn".to_owned(),
        values: Some(exempt.iter().cloned().collect()),
    };
    let expressions = (!exempt.is_empty()).then(|| vec![names]);
    LabelSelector { match_expressions: expressions, match_labels: None }
}

/// The longest time that one of the policies asks for: they share a webhook.
fn timeout(policies: &[Policy]) -> i32 {
    let asked = policies.iter().filter_map(|policy| i32::try_from(policy.timeout_seconds?).ok());
    asked.max().unwrap_or(TIMEOUT)
}

/// Kinds that no rule is about, whatever its patterns say: they hold nothing that runs, are written all the time,
/// and a cluster in which they wait for us stands still.
const NEVER: [(&str, &str); 5] = [
    ("", "events"),
    ("events.k8s.io", "*"),
    ("coordination.k8s.io", "*"),
    ("authentication.k8s.io", "*"),
    ("authorization.k8s.io", "*"),
];

fn rules(policies: &[Policy], phase: Phase, served: &[Served]) -> Vec<RuleWithOperations> {
    let asking = policies.iter().flat_map(|policy| &policy.rules).filter(|rule| asks(rule, phase));
    let filters: Vec<_> = asking.flat_map(|rule| &rule.selector.matching.filters).collect();
    let mut resources: BTreeMap<Asked, BTreeSet<String>> = BTreeMap::new();
    let judged = |served: &&Served| {
        !NEVER.iter().any(|(group, plural)| *group == served.group && ["*", &served.plural].contains(plural))
    };
    for served in served.iter().filter(judged) {
        for filter in &filters {
            let connect = filter.operations.contains(&Operation::Connect) && phase == Phase::Validate;
            let asked = Asked { group: served.group.clone(), version: served.version.clone(), connect };
            let names = filter.kinds.iter().flat_map(|kind| names(kind, served));
            resources.entry(asked).or_default().extend(names);
        }
    }
    resources.retain(|_, resources| !resources.is_empty());
    resources.into_iter().map(|(asked, resources)| asked.rule(resources)).collect()
}

/// What the resources of one rule of a webhook have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    group: String,
    version: String,
    /// Whether `kubectl exec` and its like are asked about as well.
    connect: bool,
}

impl Asked {
    fn rule(self, resources: BTreeSet<String>) -> RuleWithOperations {
        let operations = ["CREATE", "UPDATE"].into_iter().chain(self.connect.then_some("CONNECT"));
        RuleWithOperations {
            api_groups: Some(vec![self.group]),
            api_versions: Some(vec![self.version]),
            operations: Some(operations.map(str::to_owned).collect()),
            resources: Some(resources.into_iter().collect()),
            scope: Some("*".to_owned()),
        }
    }
}

/// Whether a rule has anything to say in a phase.
fn asks(rule: &Rule, phase: Phase) -> bool {
    match (&rule.body, phase) {
        (Body::NotHandled { .. }, _) | (Body::Manifest(_), Phase::Mutate) => false,
        (Body::Manifest(_) | Body::Images(_), Phase::Validate) => true,
        (Body::Images(images), Phase::Mutate) => images.entries.iter().any(|entry| entry.mutate_digest),
    }
}

/// The names of the resource and of its subresources that a pattern is about.
fn names(pattern: &KindPattern, served: &Served) -> Vec<String> {
    let api_version = match served.group.as_str() {
        "" => served.version.clone(),
        group => format!("{group}/{}", served.version),
    };
    let object = |kind: &str| ObjectRef {
        api_version: api_version.clone(),
        kind: kind.to_owned(),
        ..ObjectRef::default()
    };
    let mut names = Vec::new();
    if pattern.matches(&object(&served.kind), "") {
        names.push(served.plural.clone());
    }
    for (subresource, kind) in &served.subresources {
        // Nobody but controllers writes a status, and nothing runs because of it.
        if subresource != "status" && pattern.matches(&object(kind), subresource) {
            names.push(format!("{}/{subresource}", served.plural));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use common::dialect::PolicySet;
    use serde_json::{Value, json};

    use super::*;
    use crate::group::Group;

    fn served() -> Vec<Served> {
        let one =
            |group: &str, version: &str, kind: &str, plural: &str, subresources: &[(&str, &str)]| Served {
                group: group.into(),
                version: version.into(),
                kind: kind.into(),
                plural: plural.into(),
                subresources: subresources.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect(),
            };
        vec![
            one(
                "",
                "v1",
                "Pod",
                "pods",
                &[
                    ("ephemeralcontainers", "Pod"),
                    ("resize", "Pod"),
                    ("status", "Pod"),
                    ("exec", "PodExecOptions"),
                ],
            ),
            one("", "v1", "Event", "events", &[]),
            one("", "v1", "ConfigMap", "configmaps", &[]),
            one("apps", "v1", "Deployment", "deployments", &[("scale", "Scale"), ("status", "Deployment")]),
            one("batch", "v1", "CronJob", "cronjobs", &[("status", "CronJob")]),
            one("coordination.k8s.io", "v1", "Lease", "leases", &[]),
            one("example.com", "v1beta1", "Widget", "widgets", &[]),
            one("example.com", "v1", "Widget", "widgets", &[]),
        ]
    }

    fn settings() -> Settings {
        Settings {
            reach: Reach::Service { namespace: "trust".into(), name: "trust-operator".into() },
            authority: b"PEM".to_vec(),
            exempt: ["kube-system", "trust"].map(str::to_owned).into(),
            owner: None,
            beside_others: false,
        }
    }

    fn policy(name: &str, kinds: &[&str], spec: &Value, rule: &Value) -> Value {
        let mut policy = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
            "metadata": {"name": name, "annotations": {"pod-policies.kyverno.io/autogen-controllers": "none"}},
            "spec": spec});
        let mut body = json!({"name": "r", "match": {"any": [{"resources": {"kinds": kinds}}]}});
        body.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        policy["spec"]["rules"] = json!([body]);
        policy
    }

    fn images(action: &str) -> Value {
        json!({"verifyImages": [{"imageReferences": ["*"], "failureAction": action,
            "mutateDigest": action == "Enforce"}]})
    }

    fn of(policies: &[Value]) -> Value {
        let mut set = PolicySet::default();
        for policy in policies {
            set.add_object("p", policy).unwrap();
        }
        let Configurations { mutating, validating, .. } =
            configurations(&Snapshot::of_cluster(set), &served(), &settings());
        json!({"mutating": mutating, "validating": validating})
    }

    fn rules_of(webhook: &Value) -> Vec<(String, String)> {
        let rule = |rule: &Value| {
            let list = |field: &str| {
                let texts = rule[field].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
                texts.collect::<Vec<_>>().join(",")
            };
            let version = format!("{}/{}", list("apiGroups"), list("apiVersions"));
            (version, format!("{} {}", list("operations"), list("resources")))
        };
        webhook["rules"].as_array().unwrap().iter().map(rule).collect()
    }

    #[test]
    fn without_policies_there_are_no_webhooks() {
        assert_eq!(of(&[]), json!({"mutating": null, "validating": null}));
        let other = json!({"validate": {"message": "m", "pattern": {"metadata": {"name": "?*"}}}});
        assert_eq!(
            of(&[policy("a", &["Pod"], &json!({}), &other)]),
            json!({"mutating": null, "validating": null})
        );
        let unknown = policy("a", &["Gadget"], &json!({}), &images("Enforce"));
        assert_eq!(of(&[unknown]), json!({"mutating": null, "validating": null}));
    }

    /// Conditions narrow what is asked about the policies that have them, and nobody else.
    #[test]
    fn policies_of_the_same_conditions_have_a_webhook_of_their_own() {
        let with = |name: &str, expression: &str| {
            let conditions = json!([{"name": "a", "expression": expression}]);
            let spec = json!({"webhookConfiguration": {"matchConditions": conditions}});
            policy(name, &["Pod"], &spec, &images("Enforce"))
        };
        let plain = policy("plain", &["ConfigMap"], &json!({}), &images("Enforce"));
        let found = of(&[with("a", "x"), plain, with("b", "x"), with("c", "y")]);
        let group = |expression: &str| {
            let condition = policy::MatchCondition { name: "a".into(), expression: expression.into() };
            Group::of(&[condition]).unwrap().to_string()
        };
        let mut expected =
            BTreeSet::from(["x", "y"].map(|expression| (group(expression), Some(expression.to_owned()))));
        expected.insert(("fail".to_owned(), None));
        for list in ["validating", "mutating"] {
            let webhooks = found[list]["webhooks"].as_array().unwrap();
            let place = |webhook: &Value| {
                let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap();
                let condition = webhook["matchConditions"][0]["expression"].as_str();
                (path.rsplit('/').next().unwrap().to_owned(), condition.map(str::to_owned))
            };
            assert_eq!(webhooks.iter().map(place).collect::<BTreeSet<_>>(), expected);
            assert_eq!(rules_of(&webhooks[0])[0].1, "CREATE,UPDATE configmaps");
            // A label of a DNS name holds 63 characters (RFC 1123).
            let labels = webhooks.iter().flat_map(|webhook| webhook["name"].as_str().unwrap().split('.'));
            assert!(labels.map(str::len).all(|length| length <= 63));
        }
    }

    #[test]
    fn only_what_rules_name_is_asked_for() {
        let found = of(&[policy("a", &["Pod", "Widget"], &json!({}), &images("Enforce"))]);
        let webhook = &found["validating"]["webhooks"][0];
        assert_eq!(found["validating"]["webhooks"].as_array().unwrap().len(), 1);
        assert_eq!(webhook["name"], "validate-fail.kubectl-trust.io");
        assert_eq!((&webhook["failurePolicy"], &webhook["timeoutSeconds"]), (&json!("Fail"), &json!(10)));
        let service =
            json!({"namespace": "trust", "name": "trust-operator", "path": "/validate/fail", "port": 443});
        assert_eq!(webhook["clientConfig"]["service"], service);
        let exempt = json!([{"key": "kubernetes.io/metadata.name", "operator": "NotIn",
            "values": ["kube-system", "trust"]}]);
        assert_eq!(webhook["namespaceSelector"]["matchExpressions"], exempt);
        let expected = [
            ("/v1", "CREATE,UPDATE pods,pods/ephemeralcontainers"),
            ("example.com/v1", "CREATE,UPDATE widgets"),
            ("example.com/v1beta1", "CREATE,UPDATE widgets"),
        ];
        let expected = expected.map(|(version, rest)| (version.to_owned(), rest.to_owned()));
        assert_eq!(rules_of(webhook), expected);
        let mutating = &found["mutating"]["webhooks"][0];
        assert_eq!(mutating["name"], "mutate-fail.kubectl-trust.io");
        assert_eq!(mutating["reinvocationPolicy"], "IfNeeded");
        assert_eq!(rules_of(mutating), expected);
    }

    #[test]
    fn each_failure_policy_has_its_own_webhook_and_the_longest_time() {
        let spec = |policy: &str, seconds: u32| json!({"webhookConfiguration": {"failurePolicy": policy, "timeoutSeconds": seconds}});
        let found = of(&[
            policy("a", &["Pod"], &spec("Fail", 5), &images("Enforce")),
            policy("b", &["Deployment"], &spec("Ignore", 7), &images("Audit")),
            policy("c", &["CronJob"], &spec("Ignore", 20), &images("Audit")),
        ]);
        let webhooks = found["validating"]["webhooks"].as_array().unwrap();
        let of = |webhook: &Value| (webhook["failurePolicy"].clone(), webhook["timeoutSeconds"].clone());
        assert_eq!(
            webhooks.iter().map(of).collect::<Vec<_>>(),
            [(json!("Fail"), json!(5)), (json!("Ignore"), json!(20))]
        );
        assert_eq!(
            rules_of(&webhooks[1]),
            [
                ("apps/v1".to_owned(), "CREATE,UPDATE deployments".to_owned()),
                ("batch/v1".to_owned(), "CREATE,UPDATE cronjobs".to_owned()),
            ]
        );
        // What only audits pins nothing.
        assert_eq!(found["mutating"]["webhooks"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn policies_are_asked_about_in_the_versions_that_are_read() {
        let kind = |group: &str, version: &str, kind: &str, plural: &str| Served {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            plural: plural.into(),
            subresources: Vec::new(),
        };
        let served = [
            kind("kyverno.io", "v1", "ClusterPolicy", "clusterpolicies"),
            kind("kyverno.io", "v1", "Policy", "policies"),
            kind("kyverno.io", "v2", "PolicyException", "policyexceptions"),
            kind("kyverno.io", "v2", "CleanupPolicy", "cleanuppolicies"),
            kind("kyverno.io", "v9", "Policy", "policies"),
            kind("kubectl-trust.io", "v1alpha1", "TrustRoot", "trustroots"),
            kind("kubectl-trust.io", "v1", "TrustRoot", "trustroots"),
            kind("example.com", "v1", "Policy", "policies"),
        ];
        let of = |served: &[Served]| configurations(&Snapshot::default(), served, &settings()).policies;
        assert!(of(&served[3..5]).is_none());
        let found = serde_json::to_value(of(&served).unwrap()).unwrap();
        assert_eq!(found["metadata"]["name"], POLICIES);
        let webhook = &found["webhooks"][0];
        assert_eq!(webhook["name"], "policies.kubectl-trust.io");
        assert_eq!((&webhook["failurePolicy"], &webhook["namespaceSelector"]), (&json!("Fail"), &json!({})));
        let expected = [
            ("kubectl-trust.io/v1alpha1", "CREATE,UPDATE trustroots"),
            ("kyverno.io/v1", "CREATE,UPDATE clusterpolicies,policies"),
            ("kyverno.io/v2", "CREATE,UPDATE policyexceptions"),
        ];
        assert_eq!(rules_of(webhook), expected.map(|(version, rest)| (version.to_owned(), rest.to_owned())));
        // Beside another engine its kinds are not in anybody's way, and ours are as strict as before.
        let beside = Settings { beside_others: true, ..settings() };
        let both = configurations(&Snapshot::default(), &served, &beside).policies;
        let both = serde_json::to_value(both.unwrap()).unwrap();
        let of = |at: usize| {
            let webhook = &both["webhooks"][at];
            let groups: Vec<_> = rules_of(webhook).into_iter().map(|(version, _)| version).collect();
            (webhook["name"].clone(), webhook["failurePolicy"].clone(), groups)
        };
        let groups = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let foreign = groups(&["kyverno.io/v1", "kyverno.io/v2"]);
        assert_eq!(of(0), (json!("policies.kubectl-trust.io"), json!("Ignore"), foreign));
        let own = groups(&["kubectl-trust.io/v1alpha1"]);
        assert_eq!(of(1), (json!("own-policies.kubectl-trust.io"), json!("Fail"), own));
    }

    /// A cluster must not stand still because a rule is about everything.
    #[test]
    fn a_rule_about_everything_leaves_leases_and_events_alone() {
        let keys = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkOPhSNlcvnn8Q/+a3dCuvFoaCRRu\nAKogIP+/EXs2HLDApLCQJYyp1B9IS7oDAd5hYki7L3zo73qlyShRpelyDg==\n-----END PUBLIC KEY-----";
        let manifests = json!({"validate": {"failureAction": "Enforce", "manifests": {
            "attestors": [{"entries": [{"keys": {"publicKeys": keys}}]}]}}});
        let found = of(&[policy("a", &["*"], &json!({}), &manifests)]);
        assert_eq!(found["mutating"], Value::Null);
        let rules = rules_of(&found["validating"]["webhooks"][0]);
        let resources: Vec<_> = rules.iter().map(|(_, rest)| rest.as_str()).collect();
        assert_eq!(
            resources,
            [
                "CREATE,UPDATE configmaps,pods,pods/ephemeralcontainers",
                "CREATE,UPDATE deployments",
                "CREATE,UPDATE cronjobs",
                "CREATE,UPDATE widgets",
                "CREATE,UPDATE widgets",
            ]
        );
    }
}
