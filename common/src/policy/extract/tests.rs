use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

fn extractor(path: &str, value: &str) -> ImageExtractor {
    let path = path.split('/').filter(|step| !step.is_empty()).map(str::to_owned).collect();
    ImageExtractor { path, value: value.to_owned(), name: "custom".to_owned(), key: None, rewrite: None }
}

fn rule(kind: &str, extractors: Vec<ImageExtractor>) -> ImagesRule {
    ImagesRule { entries: vec![], extractors: BTreeMap::from([(kind.to_owned(), extractors)]) }
}

fn shown(rule: &ImagesRule, object: &Value) -> Vec<(String, String, String)> {
    let found = rule.images(object).unwrap();
    found.into_iter().map(|image| (image.path.to_string(), image.name, image.text)).collect()
}

fn error(rule: &ImagesRule, object: &Value) -> String {
    rule.images(object).unwrap_err().to_string()
}

fn task() -> Value {
    json!({
        "apiVersion": "tekton.dev/v1", "kind": "Task",
        "spec": {"steps": [{"name": "a", "image": "x"}, {"name": "b"}, {"name": "c", "image": "y:1"}]},
    })
}

#[test]
fn images_of_custom_kinds_are_where_the_rule_says() {
    let place = |path: &str, name: &str, text: &str| (path.to_owned(), name.to_owned(), text.to_owned());
    let steps = rule("Task", vec![extractor("/spec/steps/*", "image")]);
    let expected = [
        place("spec.steps[0].image", "/spec/steps/0/image", "x"),
        place("spec.steps[2].image", "/spec/steps/2/image", "y:1"),
    ];
    assert_eq!(shown(&steps, &task()), expected);
    let keyed = ImageExtractor { key: Some("name".to_owned()), ..extractor("/spec/steps/*", "image") };
    let keyed = rule("Task", vec![keyed]);
    assert_eq!(shown(&keyed, &task())[1], place("spec.steps[2].image", "c", "y:1"));
    let map = json!({"kind": "Task", "spec": {"a/b": {"image": "x"}, "c": {"image": "y"}}});
    let maps = rule("Task", vec![extractor("/spec/*", "image")]);
    assert_eq!(shown(&maps, &map)[0], place("spec.a/b.image", "/spec/a~1b/image", "x"));
    assert_eq!(shown(&steps, &json!({"kind": "Task"})), [], "nothing there");
    assert_eq!(shown(&steps, &json!({"kind": "Other", "spec": {"steps": 1}})), [], "another kind");
    let top = rule("Task", vec![extractor("/", "image")]);
    assert_eq!(shown(&top, &json!({"kind": "Task", "image": "x"})), [place("image", "/image", "x")]);
}

#[test]
fn an_extractor_replaces_the_places_that_kubernetes_has() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": {"image": "z"}},
        "spec": {"containers": [{"name": "a", "image": "x"}]},
    });
    let annotation = rule("Pod", vec![extractor("/metadata/annotations", "image")]);
    assert_eq!(shown(&annotation, &pod)[0].2, "z");
    assert_eq!(shown(&annotation, &pod).len(), 1);
    let other = rule("Task", vec![extractor("/metadata/annotations", "image")]);
    assert_eq!(shown(&other, &pod)[0].0, "spec.containers[0].image");
}

/// Attack A7 and its like for custom kinds: never "no images".
#[test]
fn a7_what_an_extractor_cannot_read_is_an_error() {
    let steps = rule("Task", vec![extractor("/spec/steps/*", "image")]);
    let with = |steps: Value| json!({"kind": "Task", "spec": {"steps": steps}});
    assert_eq!(
        error(&steps, &with(json!("x"))),
        "spec.steps must be a list, found a text; correct the object"
    );
    assert_eq!(
        error(&steps, &with(json!(["x"]))),
        "spec.steps[0] must be a map, found a text; correct the object"
    );
    let number = error(&steps, &with(json!([{"image": 1}])));
    assert_eq!(number, "spec.steps[0].image must be a text, found a number; correct the object");
    let keyed = ImageExtractor { key: Some("name".to_owned()), ..extractor("/spec/steps/*", "image") };
    let keyed = error(&rule("Task", vec![keyed]), &with(json!([{"name": 1, "image": "x"}])));
    assert_eq!(keyed, "spec.steps[0].name must be a text, found a number; correct the object");
    for text in ["", " ", "docker://x", "X/Y"] {
        let found = steps.images(&with(json!([{"image": text}]))).unwrap();
        assert!(found.len() == 1 && found[0].image.is_err(), "{text:?}");
    }
    let many: Vec<_> = (0..=limits::IMAGES).map(|_| json!({"image": "x"})).collect();
    assert_eq!(steps.images(&with(json!(many))), Err(ExtractError::TooMany));
    let twice = vec![extractor("/spec/steps/*", "image"), extractor("/spec/steps/*", "image")];
    let half: Vec<_> = (0..=limits::IMAGES / 2).map(|_| json!({"image": "x"})).collect();
    assert_eq!(rule("Task", twice).images(&with(json!(half))), Err(ExtractError::TooMany));
}

#[test]
fn an_expression_makes_the_image_of_the_text() {
    let volume = |url: &str| json!({"kind": "DataVolume", "spec": {"source": {"registry": {"url": url}}}});
    let with = |rewrite: &str| {
        let rewrite = Some(Expression::of_value(rewrite).unwrap());
        rule("DataVolume", vec![ImageExtractor { rewrite, ..extractor("/spec/source/registry", "url") }])
    };
    let found = with("join('/', ['ghcr.io', @])").images(&volume("acme/app")).unwrap();
    assert_eq!(found[0].text, "acme/app", "what stands there");
    assert_eq!(found[0].image.as_ref().unwrap().to_string(), "ghcr.io/acme/app:latest");
    for (rewrite, why) in
        [("length(@)", "is no text"), ("abs(@)", "cannot be evaluated"), ("a", "is no text")]
    {
        let error = error(&with(rewrite), &volume("x"));
        assert!(
            error.starts_with("spec.source.registry.url cannot be rewritten") && error.contains(why),
            "{error}"
        );
    }
}
