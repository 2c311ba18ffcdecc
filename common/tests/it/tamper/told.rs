//! What a decision about an object tells beside its outcome: the tree of checks, what changed, what to do.

use common::manifest::DEFAULT_DOMAIN;
use common::manifest::ignore::parse_flag;
use common::manifest::message::Form;
use common::manifest::sign::{Earlier, Options, sign};
use common::object::FieldPath;
use common::policy::{DefaultFields, Matching, NamespaceAllowance};
use common::verdict::{Advice, Check, Needs, Reason, Voice};

use super::*;
use crate::authority::key;

const OWN_DOMAIN: &str = "sign.example.com";

fn signed(objects: Vec<Value>, keys: &[&PrivateKey], domain: &str) -> Vec<Value> {
    keys.iter().enumerate().fold(objects, |objects, (index, key)| {
        let earlier = if index == 0 { Earlier::Replace } else { Earlier::Append };
        let whole = objects.len() > 1;
        sign(objects, key, &Options { domain, form: Form::Plain, earlier, whole, annotations: &[] }).unwrap()
    })
}

fn p256() -> PrivateKey {
    key(&rcgen::PKCS_ECDSA_P256_SHA256)
}

fn demand_by(key: &PrivateKey, domain: &str) -> Demand {
    let mut demand = Demand::keys(1, &[&key.public().to_pem()]);
    domain.clone_into(&mut demand.rule.annotation_domain);
    demand
}

fn advice(decision: &Decision) -> String {
    let lines = Advice::of(decision).lines(Voice::Policy);
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}

/// The check of the signers, below that of the whole.
fn signers(decision: &Decision) -> &Check {
    &decision.check.children[0]
}

/// The command that is advised writes what the rule reads: under its domain, with its key.
#[test]
fn what_is_advised_is_signed_under_the_domain_of_the_rule() {
    let keys = [p256(), p256()];
    let pems = keys.each_ref().map(|key| key.public().to_pem());
    let both = keys.each_ref();
    for (domain, flag) in [(DEFAULT_DOMAIN, None), (OWN_DOMAIN, Some("--annotation-domain sign.example.com"))]
    {
        let mut demand = Demand::keys(2, &pems.each_ref().map(String::as_str));
        domain.clone_into(&mut demand.rule.annotation_domain);
        let unsigned = config_map("settings");
        let mut changed = signed(vec![config_map("settings")], &both, domain).remove(0);
        changed["data"]["mode"] = json!("lax");
        let by_other = signed(vec![config_map("settings")], &[&p256()], domain).remove(0);
        for object in [unsigned, changed, by_other] {
            let decision = demand.judge(&object);
            let text = advice(&decision);
            let commands: Vec<_> = text.lines().filter(|line| line.contains("kubectl trust sign")).collect();
            assert_eq!(commands.len(), 2, "{text}");
            for (command, key) in commands.iter().zip(&keys) {
                let name = common::signer::short(&format!("key {}", key.public().fingerprint()));
                assert!(command.ends_with(&name), "{text}");
                assert_eq!(command.contains("--annotation-domain"), flag.is_some(), "{text}");
                assert!(flag.is_none_or(|flag| command.contains(flag)), "{text}");
            }
        }
    }
}

/// One signature is what its attestor says; several are told apart, and are one problem.
#[test]
fn several_signatures_are_named_and_one_is_not() {
    let [ours, other, third] = [p256(), p256(), p256()];
    let demand = demand_by(&ours, DEFAULT_DOMAIN);
    let judged =
        |keys: &[&PrivateKey]| demand.judge(&signed(vec![config_map("settings")], keys, DEFAULT_DOMAIN)[0]);
    for one in [&ours, &other] {
        assert!(signers(&judged(&[one])).children.is_empty());
    }
    let second = judged(&[&other, &ours]);
    let found: Vec<_> = signers(&second).children.iter().map(|child| (&*child.what, child.outcome)).collect();
    let [first_name, second_name] =
        ["signature", "signature_1"].map(|name| format!("{DEFAULT_DOMAIN}/{name}"));
    assert_eq!(found, [(first_name.as_str(), Outcome::Skip), (second_name.as_str(), Outcome::Pass)]);
    assert!(matches!(signers(&second).reason, Reason::SignatureValid { .. }), "{}", signers(&second).reason);
    let neither = judged(&[&other, &third]);
    assert_eq!(signers(&neither).needs, Needs::Enough);
    assert!(signers(&neither).children.iter().all(|child| child.outcome == Outcome::Fail));
    assert_eq!(neither.problems().len(), 1, "either would do");
}

/// Attack: a refusal or a report that shows what a Secret holds. What it does not hold is told, and which key changed.
#[test]
fn what_a_secret_holds_is_not_told() {
    let key = p256();
    let mut demand = demand_by(&key, DEFAULT_DOMAIN);
    let told = |demand: &Demand, kind: &str, change: &dyn Fn(&mut Value)| {
        let mut object = config_map("settings");
        object["kind"] = json!(kind);
        object["metadata"]["labels"] = json!({"tier": "signed-label"});
        object["data"] = json!({"mode": "c2lnbmVk", "other": "c2Vjb25k"});
        let mut object = signed(vec![object], &[&key], DEFAULT_DOMAIN).remove(0);
        change(&mut object);
        let decision = demand.judge(&object);
        let mut changes = Vec::new();
        decision.check.walk(&mut |check| {
            if let Reason::ManifestDiffers { changes: found, .. }
            | Reason::ManifestMatches { except: found, .. } = &check.reason
            {
                changes.extend(found.iter().map(|change| (change.signed.clone(), change.found.clone())));
            }
        });
        changes.dedup();
        changes
    };
    let change = |object: &mut Value| object["data"]["mode"] = json!("Zm91bmQ=");
    let stars = Some(json!("***"));
    assert_eq!(told(&demand, "Secret", &change), [(stars.clone(), stars.clone())]);
    assert_eq!(told(&demand, "ConfigMap", &change), [(Some(json!("c2lnbmVk")), Some(json!("Zm91bmQ=")))]);
    let empty = |object: &mut Value| object["data"] = json!({"mode": null, "other": {"key": "Zm91bmQ="}});
    let found: Vec<_> = told(&demand, "Secret", &empty).into_iter().map(|(_, found)| found).collect();
    assert!(found.contains(&Some(json!({"key": "***"}))), "{found:?}");
    assert!(!found.contains(&stars), "nothing is hidden where nothing is: {found:?}");
    let relabel = |object: &mut Value| object["metadata"]["labels"]["tier"] = json!("other-label");
    let labels = [(Some(json!("signed-label")), Some(json!("other-label")))];
    assert_eq!(told(&demand, "Secret", &relabel), labels);
    // Nor what is ignored on the way to a pass.
    demand.rule.ignore_fields = vec![parse_flag("data.mode", FieldPath::root()).unwrap()];
    assert_eq!(told(&demand, "Secret", &change), [(stars.clone(), stars)]);
    assert_eq!(told(&demand, "ConfigMap", &change), [(Some(json!("c2lnbmVk")), Some(json!("Zm91bmQ=")))]);
}

/// Nor is it told as a warning of what only the looser match tolerates.
#[test]
fn what_a_secret_holds_is_not_warned_about() {
    let key = p256();
    let mut demand = demand_by(&key, DEFAULT_DOMAIN);
    demand.rule.matching = Matching::Compat(DefaultFields::Signature);
    demand.rule.ignore_fields = vec![parse_flag("data.mod.*", FieldPath::root()).unwrap()];
    for (kind, told) in [("Secret", false), ("ConfigMap", true)] {
        let mut object = config_map("settings");
        object["kind"] = json!(kind);
        object["data"]["mode"] = json!("c2lnbmVk");
        let mut object = signed(vec![object], &[&key], DEFAULT_DOMAIN).remove(0);
        object["data"]["mode"] = json!("Zm91bmQ=");
        let warnings = accepted(kind, &demand, &object).warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].contains("Zm91bmQ="), told, "{warnings:?}");
    }
}

/// Elements of lists are called by their names: those of what was found, and what is gone by its signed one.
#[test]
fn what_changed_is_named() {
    let key = p256();
    let container = |name: &str| json!({"name": name, "image": "ghcr.io/acme/app:1"});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"containers": [container("app"), container("proxy")]}});
    let mut object = signed(vec![pod], &[&key], DEFAULT_DOMAIN).remove(0);
    object["spec"]["containers"][0]["image"] = json!("ghcr.io/acme/app:2");
    object["spec"]["containers"].as_array_mut().unwrap().pop();
    let decision = demand_by(&key, DEFAULT_DOMAIN).judge(&object);
    let Reason::ManifestDiffers { names, .. } = decision.headline() else {
        panic!("{}", decision.headline())
    };
    assert_eq!(names, &["spec.containers[name=app].image", "spec.containers[name=proxy]"]);
}

#[test]
fn what_is_allowed_although_it_was_not_signed_is_told() {
    let key = p256();
    let mut demand = demand_by(&key, DEFAULT_DOMAIN);
    demand.rule.allow_namespace = NamespaceAllowance::Any;
    demand.rule.allow_finalizers = vec!["example.com/hold".to_owned()];
    let mut object = config_map("settings");
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    let mut object = signed(vec![object], &[&key], DEFAULT_DOMAIN).remove(0);
    object["metadata"]["namespace"] = json!("prod");
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let decision = accepted("allowed", &demand, &object);
    let content = decision.check.children[1].reason.to_string();
    for told in ["namespace prod allowed although", "finalizer example.com/hold allowed although"] {
        assert!(content.contains(told), "{content}");
    }
}

/// Of the signed documents that have the object's name, the nearest one is told, however many differences
/// are counted and not listed.
#[test]
fn the_nearest_document_speaks_for_the_message() {
    let key = p256();
    let demand = demand_by(&key, DEFAULT_DOMAIN);
    let with = |namespace: &str, mark: &str, entries: usize| {
        let mut object = config_map("settings");
        object["metadata"]["namespace"] = json!(namespace);
        object["data"] = (0..entries).map(|at| (format!("k{at}"), json!(mark))).collect();
        object
    };
    let told = |sizes: &[usize]| {
        let documents = sizes.iter().map(|size| with("prod", &size.to_string(), *size)).collect();
        let mut object = signed(documents, &[&key], DEFAULT_DOMAIN).remove(0);
        object["data"] = json!({});
        let decision = demand.judge(&object);
        let Reason::ManifestDiffers { changes, omitted, .. } = decision.headline() else {
            panic!("{}", decision.headline())
        };
        (changes.len(), *omitted)
    };
    assert_eq!(told(&[20, 5, 9]), (5, 0));
    // Of 1,100 differences 1,000 are listed, and yet they are more than 950.
    assert_eq!(told(&[1_100, 950, 2_500]), (950, 0));
    assert_eq!(told(&[2_500, 1_100]), (1_000, 100));
}

/// What may be ignored is advised only where it is all that differs, also beyond the differences that are listed.
#[test]
fn fields_are_suggested_only_where_all_differences_are_known() {
    let key = p256();
    let demand = demand_by(&key, DEFAULT_DOMAIN);
    let changed = |annotations: usize| {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "prod"}, "spec": {"replicas": 2}});
        let mut object = signed(vec![deployment], &[&key], DEFAULT_DOMAIN).remove(0);
        object["spec"]["replicas"] = json!(3);
        for at in 0..annotations {
            object["metadata"]["annotations"][format!("example.com/k{at}")] = json!("x");
        }
        let decision = demand.judge(&object);
        let Reason::ManifestDiffers { omitted, suggested, .. } = decision.headline() else {
            panic!("{}", decision.headline())
        };
        (*omitted, suggested.clone())
    };
    assert_eq!(changed(0), (0, vec!["spec.replicas".to_owned()]));
    assert_eq!(changed(2_500), (1_501, Vec::new()));
}
