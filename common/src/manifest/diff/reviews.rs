//! What an object under review may have that nobody signed.

use serde_json::{Value, json};

use super::rows::of;
use super::tests::{expectations, paths};
use super::*;

/// What controllers wrote since may stay in an update; whoever asks may neither write nor change it.
#[test]
fn an_update_keeps_what_controllers_wrote() {
    let signed = of("apps/v1/Deployment", &json!({"replicas": 1}));
    let revision = |revision: &str, replicas: u32| {
        let mut object = of("apps/v1/Deployment", &json!({"replicas": replicas}));
        object["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": revision});
        object
    };
    let update = |found: &Value, stored: Option<&Value>, origin| {
        paths(&compare(&signed, found, &Expectations { origin, stored, ..expectations() }))
    };
    let (kept, of_before) = (revision("3", 1), revision("3", 1));
    assert_eq!(update(&kept, Some(&of_before), Origin::Review), [""; 0]);
    assert_eq!(update(&revision("3", 2), Some(&of_before), Origin::Review), ["spec.replicas"]);
    let annotations = ["metadata.annotations"];
    for stored in [None, Some(&signed), Some(&revision("2", 1)), Some(&json!(1))] {
        let found = update(&kept, stored, Origin::Review);
        assert!(found.len() == 1 && found[0].starts_with(annotations[0]), "{stored:?}: {found:?}");
    }
    // A file proves nothing by what it was before.
    assert!(!update(&kept, Some(&of_before), Origin::File).is_empty());
}

/// Attack: a digest that nobody verified behind a tag that was signed, or another tag in front of it.
#[test]
fn a_signed_tag_may_gain_the_digest_it_was_verified_for() {
    let pod = |image: &str| of("v1/Pod", &json!({"containers": [{"name": "a", "image": image}]}));
    let digest = format!("sha256:{}", "a".repeat(64));
    let place = [FieldPath::keys(["spec", "containers"]).index(0).key("image")];
    let judged = |found: &str, pinned: &[FieldPath], origin| {
        compare(&pod("r.example/a:1"), &pod(found), &Expectations { origin, pinned, ..expectations() })
    };
    let pinned = format!("r.example/a:1@{digest}");
    for origin in [Origin::Review, Origin::Live] {
        let found = judged(&pinned, &place, origin);
        assert!(found.is_match(), "{:?}", paths(&found));
        assert_eq!(found.allowed[0].1, Allowance::Pinned(pinned.clone()));
        assert!(!judged(&pinned, &[], origin).is_match(), "nobody verified it");
        assert!(!judged(&pinned, &[FieldPath::keys(["spec"])], origin).is_match());
        for other in ["r.example/a:1@", "r.example/a:1@sha256:aa", "r.example/a:2", "r.example/a:12"] {
            assert!(!judged(other, &place, origin).is_match(), "{other}");
        }
        assert!(!judged(&format!("r.example/a:2@{digest}"), &place, origin).is_match());
        assert!(!judged(&format!("{pinned}@{digest}"), &place, origin).is_match());
    }
    assert!(!judged(&pinned, &place, Origin::File).is_match());
}
