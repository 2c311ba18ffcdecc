use serde_json::{Value, json};

use super::*;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn kinds(texts: &[&str]) -> Vec<KindPattern> {
    texts.iter().map(|text| KindPattern::parse(text).unwrap()).collect()
}

fn label(key: &str, value: &str) -> LabelSelector {
    LabelSelector { labels: BTreeMap::from([(key.to_owned(), value.to_owned())]), expressions: vec![] }
}

fn web() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod", "labels": {"app": "web"}, "annotations": {"a.b/c": "d"}}
    })
}

fn why(filter: &Filter, facts: &ReviewFacts<'_>, side: Side) -> Result<Option<Mismatch>, LabelsUnknown> {
    filter.mismatch(&Looked::at(facts), side)
}

#[test]
fn each_attribute_of_a_filter_is_checked() {
    let object = web();
    let labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    let facts = ReviewFacts { namespace_labels: Some(&labels), ..ReviewFacts::of(&object) };
    let filter = Filter::default;
    let annotation = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
    let cases = [
        (filter(), None),
        (Filter { kinds: kinds(&["Pod", "apps/v1/Deployment"]), ..filter() }, None),
        (Filter { kinds: kinds(&["Pod"]), ..filter() }, Some(Mismatch::Kind)),
        (Filter { name: Some("w*".into()), ..filter() }, None),
        (Filter { name: Some("x*".into()), ..filter() }, Some(Mismatch::Name)),
        (Filter { names: strings(&["x", "web"]), ..filter() }, None),
        (Filter { name: Some("web".into()), names: strings(&["x"]), ..filter() }, Some(Mismatch::Name)),
        (Filter { namespaces: strings(&["pr?d"]), ..filter() }, None),
        (Filter { namespaces: strings(&["dev"]), ..filter() }, Some(Mismatch::Namespace)),
        (Filter { annotations: annotation("a.*/c", "?"), ..filter() }, None),
        (Filter { annotations: annotation("a.b/c", "e"), ..filter() }, Some(Mismatch::Annotations)),
        (Filter { selector: Some(label("app", "w*")), ..filter() }, None),
        (Filter { selector: Some(label("app", "db")), ..filter() }, Some(Mismatch::Labels)),
        (Filter { namespace_selector: Some(label("env", "prod")), ..filter() }, None),
        (
            Filter { namespace_selector: Some(label("env", "dev")), ..filter() },
            Some(Mismatch::NamespaceLabels),
        ),
        (Filter { operations: vec![Operation::Create], ..filter() }, None),
        (Filter { operations: vec![Operation::Update], ..filter() }, Some(Mismatch::Operation)),
    ];
    for (filter, expected) in cases {
        assert_eq!(why(&filter, &facts, Side::Match), Ok(expected), "{filter:?}");
    }
}

#[test]
fn users_are_matched_by_every_attribute_that_is_given() {
    let object = web();
    let user = UserInfo {
        username: "system:serviceaccount:ci:deployer".into(),
        groups: strings(&["system:authenticated"]),
        roles: strings(&["ci:deploy"]),
        cluster_roles: strings(&["edit"]),
    };
    let with = ReviewFacts { user: Some(&user), ..ReviewFacts::of(&object) };
    let account = |namespace: &str, name: &str| UserPattern::ServiceAccount {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let subject = |subject| Filter { subjects: vec![subject], ..Filter::default() };
    let cases = [
        (Filter { roles: strings(&["ci:*"]), ..Filter::default() }, true),
        (Filter { roles: strings(&["dev:deploy"]), ..Filter::default() }, false),
        (Filter { cluster_roles: strings(&["edit", "admin"]), ..Filter::default() }, true),
        (
            Filter { roles: strings(&["ci:*"]), cluster_roles: strings(&["admin"]), ..Filter::default() },
            false,
        ),
        (subject(account("ci", "deployer")), true),
        (subject(account("ci", "deploy*")), true),
        (subject(account("prod", "deployer")), false),
        (subject(UserPattern::Group("system:auth*".into())), true),
        (subject(UserPattern::User("deployer".into())), false),
        (subject(UserPattern::User("system:serviceaccount:*".into())), true),
    ];
    for (filter, expected) in cases {
        let found = why(&filter, &with, Side::Match);
        assert_eq!(found, Ok((!expected).then_some(Mismatch::User)), "{filter:?}");
        let without = why(&filter, &ReviewFacts::of(&object), Side::Match);
        assert_eq!(without, Ok(Some(Mismatch::NoRequest)), "only about users");
    }
}

#[test]
fn without_a_request_a_match_ignores_users_and_an_exclusion_excludes_nobody() {
    let object = web();
    let facts = ReviewFacts::of(&object);
    let filter = Filter { kinds: kinds(&["Deployment"]), roles: strings(&["a:b"]), ..Filter::default() };
    assert_eq!(why(&filter, &facts, Side::Match), Ok(None));
    assert_eq!(why(&filter, &facts, Side::Exclude), Ok(Some(Mismatch::NoRequest)));
}

#[test]
fn unreadable_namespace_labels_are_a_fault_where_they_decide() {
    let object = web();
    let facts = ReviewFacts::of(&object);
    let by_labels = Filter { namespace_selector: Some(label("env", "prod")), ..Filter::default() };
    let other_kind = Filter { kinds: kinds(&["Pod"]), ..by_labels.clone() };
    let same_kind = Filter { kinds: kinds(&["Deployment"]), ..Filter::default() };
    let clause = |combine, filters: &[&Filter]| Clause {
        combine,
        filters: filters.iter().map(|filter| (*filter).clone()).collect(),
    };
    let select = |matching, exclude| Selector { matching, exclude }.select(&facts);
    let any = |filters: &[&Filter]| clause(Combine::Any, filters);
    let all = |filters: &[&Filter]| clause(Combine::All, filters);

    assert_eq!(select(any(&[&by_labels]), None), Err(LabelsUnknown));
    assert_eq!(select(any(&[&by_labels, &same_kind]), None), Ok(Selection::Match));
    assert!(matches!(select(all(&[&by_labels, &other_kind]), None), Ok(Selection::NoMatch(_))));
    assert_eq!(select(all(&[&by_labels, &same_kind]), None), Err(LabelsUnknown));
    assert_eq!(select(any(&[&same_kind]), Some(any(&[&by_labels]))), Err(LabelsUnknown));
    assert!(matches!(select(any(&[&by_labels]), Some(any(&[&same_kind]))), Ok(Selection::Excluded { .. })));
    assert!(matches!(select(any(&[&other_kind]), Some(any(&[&by_labels]))), Ok(Selection::NoMatch(_))));
}

#[test]
fn any_and_all_and_exclusions() {
    let object = web();
    let facts = ReviewFacts::of(&object);
    let filter =
        |kind: &str| Filter { path: FieldPath::keys([kind]), kinds: kinds(&[kind]), ..Filter::default() };
    let clause = |combine, names: &[&str]| Clause {
        combine,
        filters: names.iter().map(|name| filter(name)).collect(),
    };
    let select = |matching, exclude| Selector { matching, exclude }.select(&facts).unwrap();
    let any = |names: &[&str]| clause(Combine::Any, names);
    let all = |names: &[&str]| clause(Combine::All, names);
    assert_eq!(select(any(&["Pod", "Deployment"]), None), Selection::Match);
    let pods = vec![FilterMismatch { path: FieldPath::keys(["Pod"]), why: Mismatch::Kind }];
    assert_eq!(select(all(&["Pod", "Deployment"]), None), Selection::NoMatch(pods));
    let by = vec![FieldPath::keys(["Deployment"])];
    assert_eq!(select(any(&["*"]), Some(any(&["Pod", "Deployment"]))), Selection::Excluded { by });
    assert_eq!(select(any(&["*"]), Some(all(&["Pod", "Deployment"]))), Selection::Match);
    assert_eq!(select(any(&["*"]), Some(all(&[]))), Selection::Match, "nothing named, nothing excluded");
    assert_eq!(select(all(&[]), None), Selection::NoMatch(vec![]));
}

#[test]
fn a_namespace_is_in_the_namespace_of_its_own_name() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}});
    let facts = ReviewFacts::of(&namespace);
    let named = Filter { namespaces: strings(&["prod"]), ..Filter::default() };
    assert_eq!(why(&named, &facts, Side::Match), Ok(None));
    let labelled = Filter { namespace_selector: Some(LabelSelector::default()), ..Filter::default() };
    assert_eq!(why(&labelled, &facts, Side::Match), Ok(Some(Mismatch::NamespaceItself)));
}

#[test]
fn a_deletion_is_matched_by_the_old_object_and_a_new_object_by_its_generated_name() {
    let old = web();
    let facts = ReviewFacts {
        old_object: Some(&old),
        operation: Operation::Delete,
        namespace: "prod",
        ..ReviewFacts::of(&Value::Null)
    };
    let filter = Filter { name: Some("web".into()), ..Filter::default() };
    assert_eq!(why(&filter, &facts, Side::Match), Ok(None));
    let generated = json!({"kind": "Pod", "metadata": {"generateName": "web"}});
    assert_eq!(why(&filter, &ReviewFacts::of(&generated), Side::Match), Ok(None));
}

#[test]
fn the_namespace_of_the_request_counts_not_the_one_in_the_file() {
    let object = json!({"kind": "Pod", "metadata": {"name": "p"}});
    let facts = ReviewFacts { namespace: "prod", ..ReviewFacts::of(&object) };
    let filter = Filter { namespaces: strings(&["prod"]), ..Filter::default() };
    assert_eq!(why(&filter, &facts, Side::Match), Ok(None));
}
