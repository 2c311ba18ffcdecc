use super::*;
use crate::engines::{ENGINES, OtherEngines};

fn policy(name: &str, kind: &str) -> Value {
    json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": name},
        "spec": {"rules": [{"name": "r", "match": {"any": [{"resources": {"kinds": [kind]}}]},
            "verifyImages": [{"imageReferences": ["*"], "failureAction": "Enforce"}]}]}})
}

fn exception(namespace: &str) -> Value {
    json!({"apiVersion": "kyverno.io/v2", "kind": "PolicyException",
        "metadata": {"name": "e", "namespace": namespace},
        "spec": {"match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "exceptions": [{"policyName": "a", "ruleNames": ["*"]}]}})
}

fn put(object: Value) -> Change {
    Change::Put(Box::new(object))
}

fn gone(name: &str) -> Change {
    Change::Gone { namespace: String::new(), name: name.into() }
}

fn names(assembly: &mut Assembly) -> Vec<String> {
    assembly.set().unwrap().policies.iter().map(|policy| policy.id.name.clone()).collect()
}

fn policies() -> Kind {
    dialect::kind("kyverno.io", "ClusterPolicy").unwrap()
}

fn exceptions() -> Kind {
    dialect::kind("kyverno.io", "PolicyException").unwrap()
}

fn settings(enforcement: &str) -> Settings {
    Settings { exceptions_from: ["trust".to_owned()].into(), enforcement: enforcement.parse().unwrap() }
}

fn assembly() -> Assembly {
    enforcing("all")
}

/// Everything has been listed: one policy.
fn enforcing(enforcement: &str) -> Assembly {
    let mut assembly = Assembly::new(settings(enforcement));
    for kind in &dialect::KINDS {
        assert!(assembly.set().is_none(), "nothing is in force before everything is known");
        assert!(!assembly.take_changed());
        assembly.take(kind, &Change::Begin);
        if kind.kind == "ClusterPolicy" {
            assembly.take(kind, &put(policy("a", "Pod")));
        }
        assembly.take(kind, &Change::Done);
    }
    assembly
}

#[test]
fn the_set_follows_the_cluster() {
    let mut assembly = assembly();
    assert_eq!(names(&mut assembly), ["a"]);
    assembly.take(policies(), &put(policy("b", "Pod")));
    assert_eq!(names(&mut assembly), ["a", "b"]);
    assembly.take(policies(), &gone("a"));
    assert_eq!(names(&mut assembly), ["b"]);
    // Listed anew, as after a lost connection: what is there until then stays until everything is listed.
    assembly.take(policies(), &Change::Begin);
    assembly.take(policies(), &put(policy("c", "Pod")));
    assert_eq!(names(&mut assembly), ["b", "c"]);
    assembly.take(policies(), &Change::Done);
    assert_eq!(names(&mut assembly), ["c"]);
}

/// Attack: an edit that makes a policy unreadable.
#[test]
fn a_policy_that_no_longer_compiles_stays_as_it_was() {
    let mut assembly = assembly();
    let mut broken = policy("a", "Pod");
    broken["spec"]["rules"][0]["verifyImages"][0]["imageReferencse"] = json!(1);
    let told = assembly.take(policies(), &put(broken.clone())).unwrap().problem;
    assert!(told.contains("the version before stays in force") && told.contains("imageReferencse"), "{told}");
    assert_eq!((names(&mut assembly), assembly.broken()), (vec!["a".to_owned()], 1));
    // Listed anew, it is still there, and so is the version before.
    assembly.take(policies(), &Change::Begin);
    assembly.take(policies(), &put(broken));
    assembly.take(policies(), &Change::Done);
    assert_eq!(names(&mut assembly), ["a"]);
    assert!(assembly.take(policies(), &put(policy("a", "Job"))).is_none());
    assert_eq!(assembly.broken(), 0);
    let told = assembly.take(policies(), &put(json!({"metadata": {"name": "x"}}))).unwrap().problem;
    assert!(told.contains("it is not in force"), "{told}");
}

#[test]
fn rules_that_nobody_here_judges_are_told_apart() {
    let mut assembly = assembly();
    let mut other = policy("b", "Pod");
    let rule = json!({"name": "p", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
        "validate": {"message": "m", "pattern": {"metadata": {"name": "?*"}}}});
    other["spec"]["rules"].as_array_mut().unwrap().push(rule.clone());
    let state = |assembly: &mut Assembly, object: &Value| {
        assembly.take(policies(), &put(object.clone()));
        let key = name_of(policies(), "", object["metadata"]["name"].as_str().unwrap());
        assembly.documents[&key].state()
    };
    let some = "but for what is not judged here: p (validate.pattern)".to_owned();
    assert_eq!(state(&mut assembly, &other), State::InForce(Some(some)));
    other["spec"]["rules"] = json!([rule]);
    assert_eq!(state(&mut assembly, &other), State::NotJudged("p (validate.pattern)".to_owned()));
    assert_eq!(state(&mut assembly, &policy("a", "Pod")), State::InForce(None));
}

/// A policy of ours that names a trust root, and the root.
fn named() -> (Value, Value) {
    let keyless = json!({"subject": "a", "issuer": "b", "trustRoot": "private"});
    let policy = json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "ClusterTrustPolicy",
        "metadata": {"name": "t", "generation": 1},
        "spec": {"rules": [{"name": "r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
            "verifyImages": [{"imageReferences": ["*"],
                "attestors": [{"entries": [{"keyless": keyless}]}]}]}]}});
    let key = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHRIF45w4yuBQU453/EiBVPJI/mWe\n\
        Yja8yfaj11YjJmhlQY65lKytVvz3ztkX6W0139IPMQWgEXuvS/BsIb+gcQ==\n-----END PUBLIC KEY-----\n";
    let root = json!({"apiVersion": "kubectl-trust.io/v1alpha1", "kind": "TrustRoot",
        "metadata": {"name": "private"}, "spec": {"pem": {"rekorKeys": key}}});
    (policy, root)
}

fn alone(engines: &OtherEngines) -> Writers<'_> {
    Writers { engines, now: "2026-01-01T00:00:00Z".parse().unwrap() }
}

/// What the condition of a document says, if it is to be written anew.
fn told(assembly: &mut Assembly, of: &str) -> Option<(bool, String)> {
    let conditions = assembly.conditions(&alone(&OtherEngines::default()));
    let one = conditions.into_iter().find(|(_, condition)| condition.name == of);
    one.map(|(_, condition)| (condition.is_ready(), condition.message().to_owned()))
}

#[test]
fn a_policy_says_whether_its_trust_root_is_there() {
    let mut assembly = assembly();
    let (policy, root) = named();
    assembly.take(policies(), &put(policy));
    let root_of = |set: &PolicySet| set.trust_roots.keys().cloned().collect::<Vec<_>>();
    assert!(root_of(&assembly.set().unwrap()).is_empty());
    let missing = (false, "what needs it cannot be decided: there is no TrustRoot private".to_owned());
    assert_eq!(told(&mut assembly, "t"), Some(missing.clone()));
    assembly.take(policies(), &put(root));
    assert_eq!(root_of(&assembly.set().unwrap()), ["private"]);
    // Nothing of the policy itself is new.
    assert_eq!(told(&mut assembly, "t"), Some((true, "in force".to_owned())));
    assembly.take(policies(), &gone("private"));
    assert!(root_of(&assembly.set().unwrap()).is_empty());
    assert_eq!(told(&mut assembly, "t"), Some(missing));
}

/// Attack: an exception from a namespace of one's own.
#[test]
fn exceptions_count_from_named_namespaces_only() {
    let mut assembly = assembly();
    assembly.take(exceptions(), &put(exception("mine")));
    assert_eq!(assembly.set().unwrap().exceptions.len(), 0);
    assembly.take(exceptions(), &put(exception("trust")));
    assert_eq!(assembly.set().unwrap().exceptions.len(), 1);
    let mut broken = exception("trust");
    broken["spec"]["exceptoins"] = json!([]);
    assert!(assembly.take(exceptions(), &put(broken)).unwrap().problem.contains("it is not in force"));
    assert_eq!(assembly.set().unwrap().exceptions.len(), 0);
}

/// Attack: a manager that writes the status of every policy all the time makes us read all policies anew.
#[test]
fn a_status_changes_nothing() {
    let mut assembly = assembly();
    assert!(assembly.take_changed());
    let change = |pointer: &str, value: Value| {
        let mut object = policy("a", "Pod");
        object["metadata"]["labels"] = json!({});
        *object.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        object
    };
    let with_labels = change("/metadata/labels", json!({"a": "b"}));
    for (object, expected) in [
        (with_labels.clone(), true),
        (with_labels, false),
        (change("/spec/rules/0/name", json!("other")), true),
        (policy("a", "Pod"), true),
    ] {
        let mut object = object;
        object["status"] = json!({"ready": true, "conditions": []});
        object["metadata"]["resourceVersion"] = json!("7");
        assembly.take(policies(), &put(object.clone()));
        assert_eq!(assembly.take_changed(), expected, "{object}");
    }
    assembly.take(policies(), &gone("b"));
    assert!(!assembly.take_changed());
    assembly.take(policies(), &gone("a"));
    assert!(assembly.take_changed());
}

/// Two who correct each other write for ever: what others write is theirs, and ours is told once.
#[test]
fn the_status_of_other_engines_is_left_to_them() {
    let written = |at: &str, manager: &str| {
        let mut object = policy("a", "Pod");
        object["metadata"]["managedFields"] = json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {}}, "time": "2025-12-31T23:59:59Z"},
                {"manager": manager, "subresource": "status", "time": at}]);
        object
    };
    let elsewhere = |assembly: &mut Assembly, object: Value, engines: &OtherEngines| {
        assembly.take(policies(), &put(object));
        let conditions = assembly.conditions(&alone(engines));
        conditions.into_iter().map(|(_, condition)| condition.elsewhere).collect::<Vec<_>>()
    };
    let engines = OtherEngines::default();
    let (recent, long_ago) = ("2025-12-31T23:55:00Z", "2025-12-31T23:00:00Z");
    assert_eq!(elsewhere(&mut assembly(), written(recent, "trust-operator"), &engines), [false]);
    assert_eq!(elsewhere(&mut assembly(), written(long_ago, "kyverno"), &engines), [false]);
    let mut assembly = assembly();
    assert_eq!(elsewhere(&mut assembly, written(recent, "kyverno"), &engines), [true]);
    assert_eq!(elsewhere(&mut assembly, written(recent, "kyverno"), &engines), [false; 0], "told once");
    // Its state changes.
    let mut broken = written(recent, "kyverno");
    broken["spec"]["rules"][0]["verifyImages"][0]["imageReferencse"] = json!(1);
    assert_eq!(elsewhere(&mut assembly, broken, &engines), [true]);
    // The engine itself is there, and leaves.
    engines.note(&ENGINES[0], true);
    assert_eq!(elsewhere(&mut assembly, policy("a", "Pod"), &engines), [true]);
    engines.note(&ENGINES[0], false);
    assembly.look_again();
    assert_eq!(assembly.conditions(&alone(&engines)).len(), 1);
}

#[test]
fn what_is_not_enforced_refuses_nothing_and_says_so() {
    for (enforcement, enforced) in [("all", true), ("none", false), ("own", false)] {
        let mut assembly = enforcing(enforcement);
        let policy = assembly.set().unwrap().policies.remove(0);
        let action = policy.rules[0].action.default;
        assert_eq!(action == common::policy::Action::Enforce, enforced, "{enforcement}");
        assert_eq!(policy.on_fault == common::policy::OnFault::Refuse, enforced);
        let (ready, message) = told(&mut assembly, "a").unwrap();
        assert!(ready);
        assert_eq!(message.contains("as Audit"), !enforced, "{message}");
    }
}

/// A defect that one policy shows makes that policy a broken one, and stops nothing.
#[test]
fn a_policy_that_the_compiler_panics_on_is_broken() {
    let mut assembly = assembly();
    assembly.compile = |object| {
        assert_ne!(object["metadata"]["name"], "bad", "injected");
        dialect::compile(object)
    };
    let told = assembly.take(policies(), &put(policy("bad", "Pod"))).unwrap().problem;
    assert!(told.contains("it is not in force: a defect of trust-operator keeps it"), "{told}");
    assembly.take(policies(), &put(policy("good", "Pod")));
    assert_eq!((names(&mut assembly), assembly.broken()), (vec!["a".to_owned(), "good".to_owned()], 1));
}
