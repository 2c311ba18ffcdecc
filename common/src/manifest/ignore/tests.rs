use serde_json::json;

use super::*;
use crate::object::FieldChange;

fn rules(fields: &[&str]) -> IgnoreRules {
    let fields = fields.iter().map(|field| IgnorePath::parse(field).unwrap()).collect();
    IgnoreRules::of(
        &[IgnoreField { objects: vec![], fields, path: FieldPath::root() }],
        &ObjectRef::default(),
    )
}

fn covers(rule: &str, path: &FieldPath) -> bool {
    rules(&[rule]).covering(path, &Value::Null, &Value::Null).is_some()
}

fn keys(path: &str) -> FieldPath {
    FieldPath::keys(path.split('.'))
}

/// A rule is anchored and ends at a step.
#[test]
fn rules_are_anchored_paths() {
    assert!(covers("status", &keys("status.phase")));
    assert!(!covers("status", &keys("data.my-status")));
    assert!(!covers("status", &keys("data.status")));
    assert!(!covers("spec.serviceAccount", &keys("spec.serviceAccountName")));
    assert!(!covers("spec.replicas", &keys("xspec.replicas")));
    assert!(!covers("spec.replicas", &keys("spec")));
    assert!(!covers(
        "spec.containers.*.image",
        &keys("spec.template.spec").key("containers").index(0).key("image")
    ));
}

#[test]
fn wildcards_match_steps() {
    let image = FieldPath::keys(["spec", "containers"]).index(2).key("image");
    for rule in [
        "spec.containers.*.image",
        "spec.containers.2.image",
        "spec.containers[2].image",
        "spec.containers[*].image",
        "spec.**.image",
        "**.image",
        "spec.cont*.*.im*",
        "spec.containers[]",
    ] {
        assert!(covers(rule, &image), "{rule}");
    }
    for rule in
        ["spec.*.image", "spec.containers[1].image", "spec.containers.*.*.image", "spec.containers.image"]
    {
        assert!(!covers(rule, &image), "{rule}");
    }
    assert!(!covers("spec[*]", &keys("spec.a")), "brackets take list elements only");
    assert!(covers("a.**.b", &keys("a.b")) && covers("a.**.b", &keys("a.x.y.b.c")));
}

#[test]
fn keys_with_dots_can_be_quoted_or_not() {
    let label = FieldPath::keys(["metadata", "labels", "app.kubernetes.io/instance"]);
    for rule in [
        r#"metadata.labels."app.kubernetes.io/instance""#,
        r#"metadata.labels["app.kubernetes.io/instance"]"#,
        "metadata.labels.app.kubernetes.io/instance",
        "metadata.labels.app.kubernetes.io/*",
        "metadata.labels.*",
    ] {
        assert!(covers(rule, &label), "{rule}");
    }
    for rule in
        [r#"metadata.labels."app.kubernetes.io""#, "metadata.labels.app", "metadata.labels.app.*.instance"]
    {
        assert!(!covers(rule, &label), "{rule}");
    }
    assert!(!covers(r#"a."b.c""#, &keys("a.b.c")), "a quoted key is one step");
    assert!(covers(r#"a."b\"c""#, &FieldPath::keys(["a", "b\"c"])));
}

/// Renaming an element must not bring it under the rule of another.
#[test]
fn elements_by_name_must_have_it_on_both_sides() {
    let list =
        |names: &[&str]| json!({"l": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
    let rules = rules(&["l[name=web]"]);
    let at = |index| FieldPath::keys(["l"]).index(index).key("image");
    let covered = |index, a: &[&str], b: &[&str]| rules.covering(&at(index), &list(a), &list(b)).is_some();
    assert!(covered(1, &["a", "web"], &["a", "web"]));
    assert!(!covered(0, &["a", "web"], &["web", "a"]));
    assert!(!covered(1, &["a", "web"], &["a", "evil"]));
    assert!(covered(1, &["a"], &["a", "web"]) && covered(1, &["a", "web"], &["a"]));
}

/// A rule that would ignore everything is refused, however it is written.
#[test]
fn rules_that_ignore_everything_are_refused() {
    for text in ["", "*", "**", "**.*", "*.*", "***", "[*]", "*.**"] {
        let error = parse_flag(text, FieldPath::root()).unwrap_err();
        assert_eq!(error.problem, IgnoreProblem::Everything, "{text}");
        assert!(error.to_string().contains("every field"));
    }
    for (text, problem) in [
        ("spec..a", IgnoreProblem::EmptyStep),
        ("spec.", IgnoreProblem::EmptyStep),
        (".spec", IgnoreProblem::EmptyStep),
        ("a[", IgnoreProblem::Unbalanced),
        ("a[x]", IgnoreProblem::Bracket),
        ("a[name=]", IgnoreProblem::Bracket),
        ("a[-1]", IgnoreProblem::Bracket),
        ("a\"b\"", IgnoreProblem::Unbalanced),
        ("\"a", IgnoreProblem::Unbalanced),
        ("\"a\"b", IgnoreProblem::Unbalanced),
        ("a[0]b", IgnoreProblem::Unbalanced),
    ] {
        assert_eq!(parse_flag(text, FieldPath::root()).unwrap_err().problem, problem, "{text}");
    }
    let long = format!("spec.{}", "a".repeat(5000));
    assert_eq!(parse_flag(&long, FieldPath::root()).unwrap_err().problem, IgnoreProblem::TooLong);
}

/// What an object is can only be ignored by name.
#[test]
fn identity_is_ignored_only_when_spelled_out() {
    for path in ["metadata.name", "metadata.namespace", "kind", "apiVersion"] {
        assert!(covers(path, &keys(path)));
    }
    for rule in ["metadata", "metadata.*", "**.name", "metadata.name*", "*.namespace"] {
        assert!(
            !covers(rule, &keys("metadata.name")) && !covers(rule, &keys("metadata.namespace")),
            "{rule}"
        );
    }
    assert!(covers("metadata", &keys("metadata.labels.a")));
}

#[test]
fn the_command_line_form_may_name_a_kind() {
    let field = parse_flag("Deployment:spec.replicas", FieldPath::root()).unwrap();
    assert_eq!((field.objects[0].kind.as_str(), field.fields[0].text()), ("Deployment", "spec.replicas"));
    assert!(!field.covers(&ObjectRef { kind: "Pod".into(), ..ObjectRef::default() }));
    for kind in ["deployment", "Deployments", "DEPLOYMENT"] {
        let field = parse_flag(&format!("{kind}:spec.replicas"), FieldPath::root()).unwrap();
        assert!(field.covers(&ObjectRef { kind: "Deployment".into(), ..ObjectRef::default() }), "{kind}");
        assert!(!field.covers(&ObjectRef { kind: "Pod".into(), ..ObjectRef::default() }), "{kind}");
    }
    for text in [r#"metadata.annotations."A:b""#, r#""data:x""#, "spec.a:b"] {
        let field = parse_flag(text, FieldPath::root()).unwrap();
        assert!(field.objects.is_empty() && field.fields[0].text() == text, "{text}");
    }
}

/// Found by the matcher that leaves fields out, so what is there for one is there for the other.
#[test]
fn a_field_is_there_or_not() {
    let object = json!({
        "metadata": {"labels": {"a.b/c": "1"}},
        "spec": {"replicas": null, "containers": [{"name": "web", "image": "x"}, {"name": "log"}]},
    });
    for (path, expected) in [
        ("spec.replicas", true),
        ("spec.replica", false),
        ("spec", true),
        ("metadata.labels.a.b/c", true),
        ("metadata.labels.\"a.b/d\"", false),
        ("spec.containers.0.image", true),
        ("spec.containers.1.image", false),
        ("spec.containers[name=web].image", true),
        ("spec.containers[name=log].image", false),
        ("spec.containers.*.image", true),
        ("**.image", true),
        ("**.imag", false),
        ("spec.rep*", true),
        ("spec.replicas.x", false),
    ] {
        assert_eq!(has_field(&IgnorePath::parse(path).unwrap(), &object), expected, "{path}");
    }
}

/// Suggestions are narrow and read as they were meant.
#[test]
fn suggestions_cover_the_differences_and_nothing_else() {
    let object = |labels: Value| {
        let metadata = json!({"name": "web", "labels": labels});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata})
    };
    let signed = object(json!({"a": "1"}));
    let found = object(json!({"a": "1", "helm.sh/chart": "x", "q.r": "x", "q": "z"}));
    let change = |key: &str| FieldChange {
        path: FieldPath::keys(["metadata", "labels", key]),
        signed: None,
        found: Some(json!("x")),
    };
    let changes = ["helm.sh/chart", "q.r"].map(change);
    let texts = suggested(&changes, &signed, &found);
    assert_eq!(texts, ["metadata.labels.helm.sh/chart", r#"metadata.labels."q.r""#]);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let rules = rules(&texts);
    assert!(changes.iter().all(|change| rules.covering(&change.path, &signed, &found).is_some()));
    for other in ["a", "q"] {
        assert_eq!(rules.covering(&FieldPath::keys(["metadata", "labels", other]), &signed, &found), None);
    }
}

proptest::proptest! {
    /// Patterns come from policies that nobody checked.
    #[test]
    fn no_pattern_panics(text in r#"[a.*\[\]"\\=0nme]{0,40}"#, steps in proptest::collection::vec("[a.0]{0,5}", 0..6)) {
        if let Ok(field) = parse_flag(&text, FieldPath::root()) {
            let rules = IgnoreRules::of(&[field], &ObjectRef::default());
            let _ = rules.covering(&FieldPath::keys(steps.iter().map(String::as_str)), &Value::Null, &Value::Null);
        }
    }
}
