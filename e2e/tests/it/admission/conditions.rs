//! Conditions of policies that the API server evaluates before it asks.

use super::fixtures::{Shop, eventually, pod, policy};

const UNLABELLED: &str = "!has(object.metadata.labels) || !('unchecked' in object.metadata.labels)";

fn labelled(image: &str) -> String {
    pod(image).replace("  name: web\n", "  name: labelled\n  labels: {unchecked: ''}\n")
}

#[test]
fn the_api_server_asks_where_the_conditions_of_a_policy_hold() {
    let Some(shop) = Shop::open("conditions") else { return };
    let evil = shop.push("evil").by_tag();
    let with = |conditions: &str| policy("conditions", &shop, "Pod", conditions);
    let narrow = with(&format!("{{matchConditions: [{{name: unlabelled, expression: \"{UNLABELLED}\"}}]}}"));
    shop.enforce(&narrow, &pod(&evil));
    shop.must(&labelled(&evil));
    // Its webhook is one of its own, and everything else about it is as ever.
    let good = shop.signed("good");
    shop.must(&pod(&good.by_tag()));
    let image =
        shop.guarded.field(&["pod", "web", "-n", "conditions"], "{.spec.containers[0].image}").unwrap();
    assert_eq!(image, format!("{}@{}", good.by_tag(), good.digest));
    // Another condition, none, and back: what applies follows.
    let refused = |text: &str| shop.apply(&format!("{text}\n")).stderr.contains("denied the request");
    let next = labelled(&evil).replace("name: labelled", "name: next");
    shop.guarded.apply(&with("{}"), &[]).unwrap().success().unwrap();
    eventually("without conditions every Pod is asked about", || refused(&next));
    shop.guarded.apply(&narrow, &[]).unwrap().success().unwrap();
    eventually("with them not", || !refused(&next));
    assert!(refused(&pod(&evil).replace("name: web", "name: other")));
}

/// A slip in one policy must not take the webhooks of all others with it.
#[test]
fn conditions_that_cannot_be_evaluated_are_refused() {
    let Some(shop) = Shop::open("badconditions") else { return };
    let with = |expression: &str| {
        let conditions = format!("{{matchConditions: [{{name: a, expression: \"{expression}\"}}]}}");
        policy("badconditions", &shop, "Pod", &conditions)
    };
    let said =
        |run: &e2e::process::Run| run.stderr.contains("has conditions that the API server does not take");
    let refused = shop.guarded.until(&with("object.metadata.nmae =="), "badconditions", said).unwrap();
    assert!(refused.stderr.contains("  matchConditions[0].expression: Invalid value: "), "{refused:?}");
    let taken = shop.guarded.apply(&with("object.metadata.name == 'a'"), &["--dry-run=server"]).unwrap();
    assert_eq!(taken.code, 0, "{taken:?}");
}
