//! Rules for pod controllers, generated from rules for Pods (`spec/kyverno.md` 2.12).
//!
//! Manifest rules are never generated. Rules of types that are not ours are, so that a test or an exception that
//! names one of them finds it: it is known, and not handled.

use serde_json::{Map, Value};

use crate::dialect::Problem;
use crate::dialect::reader::{Node, nearest};
use crate::limits;
use crate::policy::selector::KindPattern;

/// The controllers that there may be rules for.
pub(in crate::dialect) const CONTROLLERS: [&str; 7] =
    ["DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet", "CronJob"];
const CRON_JOB: &str = "CronJob";
/// What the names of generated rules begin with.
const PREFIX: &str = "autogen-";
const ANNOTATION: &str = "pod-policies.kyverno.io/autogen-controllers";

/// The controllers that rules are generated for; none when a rule of the policy forbids it.
pub(in crate::dialect) struct Targets(Vec<&'static str>);

impl Targets {
    /// Those of a list, unless one of the rules forbids it.
    pub(in crate::dialect) fn of(rules: &[&Value], wanted: impl FnOnce() -> Vec<&'static str>) -> Self {
        if rules.iter().all(|rule| allows(rule)) { Self(wanted()) } else { Self(vec![]) }
    }

    /// The rules generated from one.
    pub(in crate::dialect) fn generate(&self, rule: &Value) -> Vec<Value> {
        let for_pods = is_generated(rule) && clauses(rule, "match").any(|kinds| names_pods(&kinds));
        let other_exclusions = clauses(rule, "exclude").any(|kinds| !kinds.is_empty() && !names_pods(&kinds));
        if !for_pods || other_exclusions {
            return vec![];
        }
        let (jobs, others): (Vec<&str>, Vec<&str>) = self.0.iter().partition(|kind| **kind == CRON_JOB);
        let controllers = Rewrite { prefix: PREFIX, kinds: others, template: "spec.template" };
        let cron =
            Rewrite { prefix: "autogen-cronjob-", kinds: jobs, template: "spec.jobTemplate.spec.template" };
        [controllers, cron]
            .iter()
            .filter(|rewrite| !rewrite.kinds.is_empty())
            .map(|to| to.rule(rule))
            .collect()
    }
}

/// What Kyverno's annotation lists.
pub(in crate::dialect) fn annotated(annotation: Option<&str>, list: &Node<'_, '_>) -> Vec<&'static str> {
    match annotation.unwrap_or("all").trim() {
        "all" => CONTROLLERS.to_vec(),
        "none" => vec![],
        named => named.split(',').filter_map(|name| controller(name.trim(), list)).collect(),
    }
}

fn controller(name: &str, list: &Node<'_, '_>) -> Option<&'static str> {
    let found = CONTROLLERS.into_iter().find(|known| *known == name);
    if found.is_none() {
        let path = crate::object::FieldPath::keys(["metadata", "annotations", ANNOTATION]);
        let suggestion = nearest(name, CONTROLLERS.into_iter());
        let problem =
            Problem::UnknownValue { found: name.to_owned(), known: CONTROLLERS.to_vec(), suggestion };
        list.report.error(&path, problem);
    }
    found
}

/// Validations that are generated; `manifests` and `assert` are not.
const VALIDATIONS: [&str; 6] = ["pattern", "anyPattern", "deny", "foreach", "podSecurity", "cel"];

/// Whether a rule is of a type that is generated, and no generated one itself.
fn is_generated(rule: &Value) -> bool {
    let has = |body: &str, parts: &[&str]| {
        rule.get(body).is_some_and(|body| parts.iter().any(|part| body.get(part).is_some()))
    };
    let of_a_type = rule.get("verifyImages").is_some()
        || has("validate", &VALIDATIONS)
        || has("mutate", &["patchStrategicMerge", "foreach"]);
    of_a_type && !rule.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with(PREFIX))
}

/// Whether a rule leaves its policy open to generation: it selects by kind and namespace only (names and
/// labels of a Pod are not those of its controller), and not Pods together with other kinds.
fn allows(rule: &Value) -> bool {
    let has = |value: &Value, fields: &[&str]| {
        fields.iter().any(|field| value.get(field).is_some_and(|v| !v.is_null()))
    };
    let patches = |value: &Value| has(value, &["patchesJson6902"]);
    let each = |mutate: &Value| {
        mutate.get("foreach").and_then(Value::as_array).is_some_and(|list| list.iter().any(patches))
    };
    let rewrites = rule.get("generate").is_some()
        || rule.get("mutate").is_some_and(|mutate| patches(mutate) || each(mutate));
    let narrow = |resources: &Value| has(resources, &["name", "names", "selector", "annotations"]);
    let mixed = |resources: &Value| {
        let kinds = kinds(resources);
        kinds.len() > 1 && names_pods(&kinds)
    };
    let blocks = ["match", "exclude"].into_iter().flat_map(|side| resources(rule, side));
    !rewrites && !blocks.into_iter().any(|resources| narrow(resources) || mixed(resources))
}

/// Every `resources` block of a clause.
fn resources<'v>(rule: &'v Value, side: &str) -> Vec<&'v Value> {
    let Some(clause) = rule.get(side) else { return vec![] };
    let lists = ["any", "all"].into_iter().filter_map(|name| clause.get(name)?.as_array()).flatten();
    std::iter::once(clause).chain(lists).filter_map(|filter| filter.get("resources")).collect()
}

fn clauses<'v>(rule: &'v Value, side: &str) -> impl Iterator<Item = Vec<&'v str>> {
    resources(rule, side).into_iter().map(kinds)
}

fn kinds(resources: &Value) -> Vec<&str> {
    let list = resources.get("kinds").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn names_pods(kinds: &[&str]) -> bool {
    let is_pod = |kind: &&str| KindPattern::parse(kind).is_some_and(|pattern| pattern.kind == "Pod");
    kinds.iter().any(is_pod)
}

/// How a rule for Pods becomes one for controllers.
struct Rewrite {
    prefix: &'static str,
    kinds: Vec<&'static str>,
    /// Where a controller keeps its Pod.
    template: &'static str,
}

impl Rewrite {
    fn rule(&self, rule: &Value) -> Value {
        let mut generated = self.paths(rule);
        if let Some(name) = rule.get("name").and_then(Value::as_str) {
            let name: String = format!("{}{name}", self.prefix).chars().take(limits::RULE_NAME).collect();
            generated["name"] = Value::String(name);
        }
        for side in ["match", "exclude"] {
            if let Some(clause) = generated.get_mut(side) {
                self.clause(clause);
            }
        }
        generated
    }

    fn clause(&self, clause: &mut Value) {
        self.filter(clause);
        for list in ["any", "all"] {
            let filters = clause.get_mut(list).and_then(Value::as_array_mut);
            filters.into_iter().flatten().for_each(|filter| self.filter(filter));
        }
    }

    fn filter(&self, filter: &mut Value) {
        let Some(resources) = filter.get_mut("resources") else { return };
        if names_pods(&kinds(resources)) {
            resources["kinds"] = self.kinds.iter().map(|kind| Value::String((*kind).to_owned())).collect();
        }
    }

    /// Expressions that read a Pod read the controller's template instead.
    fn paths(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if text.contains("{{") => Value::String(self.text(text)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
            Value::Array(list) => list.iter().map(|item| self.paths(item)).collect(),
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| (key.clone(), self.paths(value));
                Value::Object(map.iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }

    fn text(&self, text: &str) -> String {
        ["object", "oldObject"].iter().fold(text.to_owned(), |text, object| {
            let text = text.replace(
                &format!("request.{object}.spec"),
                &format!("request.{object}.{}.spec", self.template),
            );
            text.replace(
                &format!("request.{object}.metadata"),
                &format!("request.{object}.{}.metadata", self.template),
            )
        })
    }
}
