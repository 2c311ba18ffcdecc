//! What rules demand: attestors, manifests, images.

use super::*;
use crate::policy::ignore::{IgnoreError, IgnoreProblem};
use crate::policy::images::SignedReference;
use crate::trust::PemError;

#[test]
fn a_rule_must_say_who_must_have_signed() {
    let attestors = format!("{MANIFESTS}.attestors");
    refuses(&policy_of(&json!([manifests(&json!({}))])), &attestors, Problem::NoAttestors);
    refuses(&policy_of(&json!([manifests(&json!({"attestors": []}))])), &attestors, Problem::NoAttestors);
    let set = format!("{MANIFESTS}.attestors[0]");
    refuses(&policy_of(&json!([signed_by(&json!([]))])), &set, Problem::NoAttestors);
    refuses(&policy_of(&json!([manifests(&json!({"attestors": [{}]}))])), &set, Problem::NoAttestors);
}

#[test]
fn a_threshold_counts_keys_not_entries() {
    let rule = |count: i64, text: &str| {
        policy_of(&json!([manifests(&json!({"attestors": [{"count": count, "entries": [keys(text)]}]}))]))
    };
    let both = format!("{KEY}\n{OTHER_KEY}\n");
    let count = format!("{MANIFESTS}.attestors[0].count");
    refuses(&rule(2, KEY), &count, Problem::CountTooHigh { count: 2, entries: 1 });
    refuses(&rule(3, &both), &count, Problem::CountTooHigh { count: 3, entries: 2 });
    refuses(&rule(-1, KEY), &count, Problem::OutOfRange { found: "-1".into(), min: 0, max: 1_000 });
    let requirement = |document: &Value| manifest_rule(document).requirement;
    assert!(
        matches!(requirement(&rule(2, &both)), Requirement::AtLeast { count: 2, of, .. } if of.len() == 2)
    );
    assert!(matches!(requirement(&rule(0, &both)), Requirement::All(of) if of.len() == 2));
    let twice = compiled(&rule(1, &format!("{KEY}\n{KEY}")));
    assert!(twice.warnings.iter().any(|warning| warning.message.contains("counts as one signer")));
}

#[test]
fn an_entry_says_one_thing() {
    let of = vec!["keys", "certificates", "keyless", "attestor"];
    let entry = |entry: Value| policy_of(&json!([signed_by(&json!([entry]))]));
    refuses(&entry(json!({})), ENTRY, Problem::NotExactlyOne { of: of.clone(), found: vec![] });
    let both = json!({"keys": {"publicKeys": KEY}, "keyless": {"subject": "a", "issuer": "b"}});
    refuses(&entry(both), ENTRY, Problem::NotExactlyOne { of, found: vec!["keys", "keyless"] });
    let keys_path = format!("{ENTRY}.keys");
    let sources = vec!["publicKeys", "secret", "kms"];
    let none = Problem::NotExactlyOne { of: sources.clone(), found: vec![] };
    refuses(&entry(json!({"keys": {"signatureAlgorithm": "sha256"}})), &keys_path, none);
    let two = json!({"keys": {"publicKeys": KEY, "secret": {"name": "s"}}});
    refuses(
        &entry(two),
        &keys_path,
        Problem::NotExactlyOne { of: sources, found: vec!["publicKeys", "secret"] },
    );
    let beside = json!({"attestor": {"entries": [keys(KEY)]}, "annotations": {"a": "b"}});
    assert!(
        matches!(&errors(&entry(beside))[..], [(path, Problem::Conflict { with: "attestor", .. })] if path == ENTRY)
    );
}

#[test]
fn keyless_names_an_identity_and_an_issuer() {
    let entry = |keyless: Value| policy_of(&json!([signed_by(&json!([{"keyless": keyless}]))]));
    let path = format!("{ENTRY}.keyless");
    refuses(&entry(json!({"issuer": "https://i"})), &path, Problem::NoIdentity);
    refuses(&entry(json!({"subject": "a@b"})), &path, Problem::NoIssuer);
    refuses(&entry(json!({"subject": "*", "issuerRegExp": ".*"})), &path, Problem::NoIdentity);
    let empty = Problem::Empty("write a text or remove the field");
    refuses(&entry(json!({"subject": "", "issuer": "i"})), &format!("{path}.subject"), empty);
    let broken = entry(json!({"subjectRegExp": "(", "issuer": "i"}));
    assert!(matches!(
        &errors(&broken)[..],
        [(at, Problem::Pattern(MatcherError::Syntax(_)))] if *at == format!("{path}.subjectRegExp")
    ));
    compiled(&entry(json!({"subject": "{{ x }}", "issuer": "i"})));
    let unclosed = entry(json!({"subject": "{{ x", "issuer": "i"}));
    refuses(&unclosed, &format!("{path}.subject"), Problem::Expression(ExpressionError::Unclosed));
    let open = compiled(&entry(json!({"subject": "*", "issuer": "https://i"})));
    assert_eq!(open.warnings[0].message, "every identity of the issuer is trusted");
    let rule =
        compiled(&entry(json!({"subjectRegExp": "a.*", "issuer": "i", "rekor": {"ignoreTlog": true}})));
    assert!(rule.warnings[0].message.starts_with("rekor.ignoreTlog has no effect"));
    let Body::Manifest(rule) = &rule.rules[0].body else { panic!("{:?}", rule.rules) };
    let Authority::Keyless(keyless) = &rule.requirement.attestors()[0].authority else { panic!("{rule:?}") };
    assert!(keyless.accepts_subject("ab") && !keyless.accepts_subject("ba") && keyless.log.ignore_tlog);
}

#[test]
fn keys_are_pem_or_references() {
    let entry = |keys: Value| policy_of(&json!([signed_by(&json!([{"keys": keys}]))]));
    let source = |keys: Value| {
        let rule = manifest_rule(&entry(keys));
        let Authority::Key(KeySource::Reference(reference)) = &rule.requirement.attestors()[0].authority
        else {
            panic!("not a reference")
        };
        reference.clone()
    };
    let secret = |namespace: &str| KeyRef::Secret { namespace: namespace.into(), name: "s".into() };
    assert_eq!(source(json!({"publicKeys": "k8s://ns/s"})), secret("ns"));
    assert_eq!(source(json!({"secret": {"name": "s"}})), secret(""));
    assert_eq!(source(json!({"kms": "awskms:///alias/k"})), KeyRef::Kms("awskms:///alias/k".into()));
    assert_eq!(source(json!({"publicKeys": "gcpkms://k"})), KeyRef::Kms("gcpkms://k".into()));
    assert_eq!(source(json!({"publicKeys": "{{ k }}"})), KeyRef::Variable("{{ k }}".into()));
    let path = format!("{ENTRY}.keys.publicKeys");
    for neither in ["k8s://ns", "k8s:///s", "k8s://ns/s/x", "cosign.pub", "env://KEY"] {
        refuses(&entry(json!({"publicKeys": neither})), &path, Problem::KeyReference);
    }
    let cut = KEY.replace("-----END PUBLIC KEY-----", "");
    refuses(&entry(json!({"publicKeys": cut})), &path, Problem::Key(KeyError::BrokenPem { index: 1 }));
    let leading = entry(json!({"publicKeys": format!("\n  {KEY}\n\n{OTHER_KEY}")}));
    let Body::Manifest(rule) = &compiled(&leading).rules[0].body else { panic!("no manifests") };
    assert_eq!(rule.requirement.attestors().len(), 2, "no key is dropped");
    let sha224 = entry(json!({"publicKeys": KEY, "signatureAlgorithm": "sha224"}));
    assert!(matches!(&errors(&sha224)[..], [(_, Problem::NotSupported(_))]));
}

#[test]
fn certificates_are_whole() {
    let entry = |value: Value| policy_of(&json!([signed_by(&json!([{"certificates": value}]))]));
    let path = format!("{ENTRY}.certificates");
    refuses(&entry(json!({})), &path, Problem::Missing("write cert, certChain or both"));
    let cert = format!("{path}.cert");
    let cases = [
        ("not base64!", PemError::NotPem),
        (KEY, PemError::Certificates("holds a PEM block `PUBLIC KEY` where a certificate is needed".into())),
        ("-----BEGIN CERTIFICATE-----\nMIIB", PemError::Certificates("a PEM block is cut off".into())),
    ];
    for (text, why) in cases {
        refuses(&entry(json!({"cert": text})), &cert, Problem::Pem(why));
    }
    // A whole block that holds no certificate.
    let no_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    let found = errors(&entry(json!({"cert": no_certificate})));
    assert!(
        matches!(&found[..], [(at, Problem::Pem(PemError::Certificates(_)))] if *at == cert),
        "{found:?}"
    );
}

#[test]
fn nesting_is_bounded() {
    let mut set = json!({"entries": [keys(KEY)]});
    for _ in 0..7 {
        set = json!({"entries": [{"attestor": set}]});
    }
    compiled(&policy_of(&json!([manifests(&json!({"attestors": [set.clone()]}))])));
    let deep = json!({"entries": [{"attestor": set}]});
    let found = errors(&policy_of(&json!([manifests(&json!({"attestors": [deep]}))])));
    assert!(matches!(&found[..], [(_, Problem::TooDeep { max: 8 })]), "{found:?}");
}

#[test]
fn version_two_beta_has_no_legacy_fields() {
    let newer = |document: Value| with(document, "/apiVersion", json!("kyverno.io/v2beta1"));
    let old = with(newer(valid()), "/spec/rules/0/match", json!({"resources": {"kinds": ["Pod"]}}));
    assert!(
        matches!(&errors(&old)[..], [(path, Problem::NotInVersion { .. })] if path == "spec.rules[0].match")
    );
    let image =
        |field: &str, value: Value| newer(policy_of(&json!([images(&with(image_entry(), field, value))])));
    for (field, value) in [("/image", json!("a/*")), ("/key", json!(KEY)), ("/cosignOCI11", json!(true))] {
        let found = errors(&image(field, value));
        assert!(
            matches!(&found[..], [(path, Problem::NotInVersion { .. })] if path.ends_with(&field[1..])),
            "{found:?}"
        );
    }
}

#[test]
fn ignored_fields_are_named() {
    let rule = |ignore: Value| {
        policy_of(&json!([manifests(
            &json!({"attestors": [{"entries": [keys(KEY)]}], "ignoreFields": [ignore]})
        )]))
    };
    let path = format!("{MANIFESTS}.ignoreFields[0].fields");
    let hint = "list the fields that may differ";
    refuses(&rule(json!({"objects": []})), &path, Problem::Missing(hint));
    refuses(&rule(json!({"fields": []})), &path, Problem::Empty(hint));
    let blank = Problem::Empty("write a text or remove the field");
    refuses(&rule(json!({"fields": [""]})), &format!("{path}[0]"), blank);
    for (text, problem) in [
        ("*", IgnoreProblem::Everything),
        ("**", IgnoreProblem::Everything),
        ("spec..replicas", IgnoreProblem::EmptyStep),
        ("metadata.labels.\"a", IgnoreProblem::Unbalanced),
        ("spec.containers[x].image", IgnoreProblem::Bracket),
    ] {
        let error = Problem::Ignore(IgnoreError { text: text.to_owned(), problem });
        refuses(&rule(json!({"fields": [text]})), &format!("{path}[0]"), error);
    }
    // Only compat reads it as a regular expression.
    let unclosed = rule(json!({"fields": ["data.conta(iner"]}));
    compiled(&unclosed);
    let compat = with(unclosed, "/metadata/annotations", json!({"kubectl-trust.io/match": "compat"}));
    let found = errors(&compat);
    assert!(
        matches!(&found[..], [(at, Problem::Pattern(MatcherError::Syntax(_)))] if *at == format!("{path}[0]"))
    );
}

#[test]
fn image_rules_are_checked() {
    let rule = |entry: Value| policy_of(&json!([images(&entry)]));
    let entry = "spec.rules[0].verifyImages[0]";
    let references = format!("{entry}.imageReferences");
    let missing = with(image_entry(), "/imageReferences", Value::Null);
    refuses(&rule(missing), &references, Problem::Missing("an image reference is required"));
    let variable = with(image_entry(), "/imageReferences", json!(["{{ x }}", "a"]));
    refuses(&rule(variable), &format!("{references}[0]"), Problem::ExpressionNotAllowed);
    let audit = with(image_entry(), "/failureAction", Value::Null);
    refuses(&rule(audit.clone()), &format!("{entry}.mutateDigest"), Problem::MutateInAudit);
    compiled(&rule(with(audit, "/mutateDigest", json!(false))));
    let notary = errors(&rule(with(image_entry(), "/type", json!("Notary"))));
    assert!(matches!(&notary[..], [(_, Problem::NotSupported(_))]), "{notary:?}");
    let attestation = errors(&rule(with(image_entry(), "/attestations", json!([{"name": "a"}]))));
    assert_eq!(
        attestation,
        [(format!("{entry}.attestations[0].type"), Problem::Missing("write the predicate type"))]
    );
    let any = with(rule(image_entry()), "/spec/rules/0/match/any/0/resources/kinds", json!(["*"]));
    refuses(&any, "spec.rules[0].match.any[0]", Problem::AnyKind);
    let rewriting = json!({"Pod": [{"path": "/spec/x", "jmesPath": "a"}]});
    let rewriting = with(rule(image_entry()), "/spec/rules/0/imageExtractors", rewriting);
    assert!(errors(&rewriting).iter().all(|(path, problem)| {
        *path == format!("{entry}.mutateDigest") && matches!(problem, Problem::Conflict { .. })
    }));
    let unsigned = compiled(&rule(with(image_entry(), "/attestors", Value::Null)));
    assert!(unsigned.warnings[0].message.starts_with("no attestors and no attestations"));
}

/// What needs a name of the rule's context is no fault of a statement, whatever the statement says.
#[test]
fn conditions_over_statements_know_the_names_of_the_rules_context() {
    let context = json!([{"name": "settings", "configMap": {"name": "c", "namespace": "n"}}]);
    let policy = compiled(&policy_of(&json!([with(images(&image_entry()), "/context", context)])));
    for rule in &policy.rules {
        let Body::Images(images) = &rule.body else { panic!("another body") };
        assert_eq!(images.entries[0].context, ["settings"], "{}", rule.name);
    }
}

/// A variable that nobody could read is a mistake at its place; what only we cannot read is a warning.
#[test]
fn variables_that_cannot_be_read() {
    let rule = |variable: Value| {
        let context = json!([{"name": "v", "variable": variable}]);
        policy_of(&json!([with(images(&image_entry()), "/context", context)]))
    };
    let at = "spec.rules[0].context[0].variable";
    for (variable, field, problem) in [
        (json!({"value": "{{ a"}), "value", ExpressionError::Unclosed),
        (json!({"value": "{{ }}"}), "value", ExpressionError::Empty),
        (json!({"value": 1, "default": "{{ a"}), "default", ExpressionError::Unclosed),
        (json!({"value": {}, "jmesPath": "{{ a"}), "jmesPath", ExpressionError::Unclosed),
        (
            json!({"value": {}, "jmesPath": "a b"}),
            "jmesPath",
            ExpressionError::Syntax { text: "a b".into(), offset: 2 },
        ),
    ] {
        refuses(&rule(variable), &format!("{at}.{field}"), Problem::Expression(problem));
    }
    for (variable, field) in [
        (json!({"value": "{{ random('a') }}"}), "value"),
        (json!({"value": {}, "jmesPath": "a.{{ b }}"}), "jmesPath"),
    ] {
        let warnings = compiled(&rule(variable)).warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].path.to_string(), format!("{at}.{field}"));
    }
}

#[test]
fn what_can_match_nothing_or_leaves_out_digests_is_a_warning() {
    let warnings = |kinds: Value, references: Value, more: Value| {
        let rule =
            with(images(&with(image_entry(), "/imageReferences", references)), "/imageExtractors", more);
        let rule = with(rule, "/match/any/0/resources/kinds", kinds);
        let policy = compiled(&policy_of(&json!([rule])));
        policy.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let all = || json!(["ghcr.io/acme/*"]);
    let at = "spec.rules[0].verifyImages[0].imageReferences";
    let (app, other) = ("ghcr.io/acme/app", "ghcr.io/other/app");
    let tags = warnings(json!(["Pod"]), json!([format!("{app}:v*"), format!("{other}:*")]), Value::Null);
    assert_eq!(
        tags,
        [(0, format!("{app}:v*"), app), (1, format!("{other}:*"), other)].map(|(index, pattern, of)| format!(
            "{at}[{index}]: `{pattern}` covers tags and no digests: an image that is named by its digest alone, \
             `{of}@sha256:…`, is not looked at; write `{of}*`, which covers both"
        ))
    );
    let both = json!([format!("{app}:v*"), format!("{app}@*")]);
    assert_eq!(warnings(json!(["Pod"]), both, Value::Null), Vec::<String>::new());
    let kinds = "spec.rules[0].match.any[0].resources.kinds[0]";
    let plural = warnings(json!(["pods"]), all(), Value::Null);
    assert_eq!(plural.len(), 1, "{plural:?}");
    assert!(plural[0].starts_with(&format!("{kinds}: `pods` matches nothing")), "{plural:?}");
    assert!(plural[0].ends_with("write `Pod`"), "{plural:?}");
    let custom = warnings(json!(["Task"]), all(), Value::Null);
    assert_eq!(custom.len(), 1, "{custom:?}");
    assert!(custom[0].contains("`Task`: no images of this kind are looked at"), "{custom:?}");
    let steps = json!({"Task": [{"path": "/spec/steps/*/image"}]});
    assert_eq!(warnings(json!(["Task"]), all(), steps), Vec::<String>::new());
}

/// The verifier checks a log entry only against the chain of the certificate, so without one no signature passes.
#[test]
fn a_certificate_whose_log_entry_cannot_be_checked_is_a_warning() {
    let pem = rcgen::generate_simple_self_signed(vec!["ci.example.com".to_owned()]).unwrap().cert.pem();
    let warnings = |certificates: Value| {
        let attestors = json!([{"entries": [{"certificates": certificates}]}]);
        let policy = compiled(&policy_of(&json!([images(&with(image_entry(), "/attestors", attestors))])));
        policy.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let [alone] = warnings(json!({"cert": pem})).try_into().unwrap();
    let at =
        "spec.rules[0].verifyImages[0].attestors[0].entries[0].certificates: a certificate without its chain";
    assert!(alone.starts_with(at) && alone.ends_with("add certChain"), "{alone}");
    assert_eq!(warnings(json!({"cert": pem, "rekor": {"ignoreTlog": true}})), Vec::<String>::new());
}

#[test]
fn patterns_of_images_say_where_they_match_nothing() {
    let references = json!(["ghcr.io/acme/app", "ghcr.io/acme/*", "ghcr.io/acme*"]);
    let entry = with(image_entry(), "/imageReferences", references);
    let entry = with(entry, "/skipImageReferences", json!(["registry.k8s.io/"]));
    let policy = compiled(&policy_of(&json!([images(&entry)])));
    let warnings: Vec<_> = policy.warnings.iter().map(ToString::to_string).collect();
    let at = "spec.rules[0].verifyImages[0]";
    let expected = [
        format!("{at}.imageReferences[0]: `ghcr.io/acme/app` has no tag and no digest."),
        format!("{at}.imageReferences[2]: `ghcr.io/acme*` also matches `ghcr.io/acme-evil/…`"),
        format!("{at}.skipImageReferences[0]: `registry.k8s.io/` matches nothing in Kyverno."),
    ];
    assert_eq!(warnings.len(), expected.len(), "generated rules repeat nothing: {warnings:?}");
    for (warning, begin) in warnings.iter().zip(&expected) {
        assert!(warning.starts_with(begin), "{warning}");
    }
    let Body::Images(rule) = &policy.rules[0].body else { panic!("another body") };
    let image = |typed: &str| crate::image::Names::of(&ImageRef::parse(typed).unwrap());
    assert!(rule.entries[0].is_about(&image("GHCR.io/acme/web")));
    assert!(!rule.entries[0].is_about(&image("registry.k8s.io/etcd")));
    assert_eq!(rule.entries[0].skips(&image("registry.k8s.io/etcd")), None, "Kyverno skips nothing either");
    let long = with(image_entry(), "/imageReferences", json!(["a/*", "a".repeat(5_000)]));
    let path = format!("{at}.imageReferences[1]");
    refuses(&policy_of(&json!([images(&long)])), &path, Problem::ImagePattern(PatternError::TooLong));
    let old = with(with(image_entry(), "/image", json!("nginx")), "/imageReferences", Value::Null);
    let old = compiled(&policy_of(&json!([images(&old)])));
    assert!(old.warnings.iter().any(|warning| warning.path.to_string() == format!("{at}.image")));
}

#[test]
fn extractors_are_read_when_the_policy_is() {
    let document = |place: Value| {
        let rule = with(images(&image_entry()), "/imageExtractors", json!({"Task": [place]}));
        with(policy_of(&json!([rule])), "/spec/rules/0/verifyImages/0/mutateDigest", json!(false))
    };
    let read = |place: Value| {
        let Body::Images(mut rule) = compiled(&document(place)).rules.remove(0).body else {
            panic!("another body")
        };
        rule.extractors.get_mut("Task").unwrap().remove(0)
    };
    let short = read(json!({"path": "/spec/steps/*/image"}));
    assert_eq!(
        (short.path.join(" "), short.value.as_str(), short.name.as_str()),
        ("spec steps *".to_owned(), "image", "custom")
    );
    let long = read(
        json!({"path": "spec/steps/*/", "value": "image", "name": "steps", "key": "name", "jmesPath": "to_string(@)"}),
    );
    assert_eq!((&long.path, &long.value), (&short.path, &short.value));
    assert_eq!(long.rewrite.unwrap().text(), "to_string(@)");
    let at = "spec.rules[0].imageExtractors.Task[0]";
    for (place, field, problem) in [
        (json!({}), "path", Problem::Missing("write a path like /spec/image")),
        (json!({"path": "//"}), "path", Problem::Empty("write a path like /spec/image")),
        (
            json!({"path": "/spec/images/*"}),
            "value",
            Problem::Missing("write the field below `path` that holds the image"),
        ),
        (
            json!({"path": "/spec/image", "jmesPath": "nothing(@)"}),
            "jmesPath",
            Problem::Expression(ExpressionError::Function("nothing".to_owned())),
        ),
    ] {
        refuses(&document(place), &format!("{at}.{field}"), problem);
    }
}

#[test]
fn the_example_of_the_documentation_reads_like_this() {
    let mut entry = image_entry();
    entry["attestor"] = entry["attestors"].take();
    let found = compile(&policy_of(&json!([images(&entry)]))).unwrap_err().to_string();
    assert_eq!(found, "spec.rules[0].verifyImages[0].attestor: unknown field, did you mean `attestors`?");
}

#[test]
fn rules_are_generated_only_where_kyverno_generates_them() {
    let names = |document: &Value| -> Vec<String> {
        compiled(document).rules.into_iter().map(|rule| rule.name.to_string()).collect()
    };
    let rule = |filter: Value| {
        let mut rule = images(&image_entry());
        rule["match"] = json!({"any": [filter]});
        policy_of(&json!([rule]))
    };
    let pods = rule(json!({"resources": {"kinds": ["Pod"], "namespaces": ["a"]}}));
    let all = ["r", "autogen-r", "autogen-cronjob-r"];
    assert_eq!(names(&pods), all);
    assert_eq!(names(&rule(json!({"resources": {"kinds": ["v1/Pod"]}}))), all);
    for narrow in [
        json!({"resources": {"kinds": ["Pod"], "names": ["a"]}}),
        json!({"resources": {"kinds": ["Pod"], "selector": {"matchLabels": {"a": "b"}}}}),
        json!({"resources": {"kinds": ["Pod", "Deployment"]}}),
        json!({"resources": {"kinds": ["Deployment"]}}),
    ] {
        assert_eq!(names(&rule(narrow.clone())), ["r"], "{narrow}");
    }
    let annotated = |value: &str| {
        with(
            pods.clone(),
            "/metadata/annotations",
            json!({"pod-policies.kyverno.io/autogen-controllers": value}),
        )
    };
    assert_eq!(names(&annotated("none")), ["r"]);
    assert_eq!(names(&annotated("Job, CronJob")), all);
    assert_eq!(names(&annotated("DaemonSet")), ["r", "autogen-r"]);
    let wrong = errors(&annotated("Deployments"));
    assert!(
        matches!(&wrong[..], [(_, Problem::UnknownValue { suggestion: Some(name), .. })] if name == "Deployment")
    );
    let on_pods = with(valid(), "/spec/rules/0/match/any/0/resources/kinds", json!(["Pod"]));
    assert_eq!(names(&on_pods), ["r"], "manifest rules never");
    // Rules of other types are generated as well, so that what names one finds it.
    let other = |field: &str, body: Value| {
        let pods = json!({"any": [{"resources": {"kinds": ["Pod"]}}]});
        policy_of(&json!([{"name": "r", "match": pods, field: body}]))
    };
    for body in [
        json!({"pattern": {}}),
        json!({"anyPattern": []}),
        json!({"deny": {}}),
        json!({"foreach": []}),
        json!({"podSecurity": {"level": "baseline"}}),
        json!({"cel": {}}),
    ] {
        assert_eq!(names(&other("validate", body.clone())), all, "{body}");
    }
    assert_eq!(names(&other("mutate", json!({"patchStrategicMerge": {}}))), all);
    for (field, body) in [
        ("validate", json!({"assert": {}})),
        ("mutate", json!({"patchesJson6902": "- op: add"})),
        ("mutate", json!({"foreach": [{"patchesJson6902": "- op: add"}]})),
        ("generate", json!({})),
    ] {
        assert_eq!(names(&other(field, body.clone())), ["r"], "{field} {body}");
    }
    // One that its author wrote by hand is that one.
    let mut by_hand = other("validate", json!({"pattern": {}}));
    by_hand["spec"]["rules"].as_array_mut().unwrap().push(
        json!({"name": "autogen-r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]}, "validate": {"deny": {}}}),
    );
    assert_eq!(names(&by_hand), ["r", "autogen-cronjob-r", "autogen-r"]);
    let long = with(pods.clone(), "/spec/rules/0/name", json!("n".repeat(63)));
    assert!(compiled(&long).rules.iter().all(|rule| rule.name.len() <= 63));
}

#[test]
fn our_annotations_say_what_a_signature_of_an_image_must_say() {
    let annotated = |annotations: Value| {
        with(policy_of(&json!([images(&image_entry())])), "/metadata/annotations", annotations)
    };
    let entry = |annotations: Value| {
        let Body::Images(mut rule) = compiled(&annotated(annotations)).rules.remove(0).body else {
            panic!("another body")
        };
        rule.entries.remove(0)
    };
    let plain = entry(json!({}));
    assert_eq!((plain.signed_reference, plain.platform), (SignedReference::Any, None));
    let bound = entry(json!({
        "kubectl-trust.io/signed-reference": "repository", "kubectl-trust.io/platform": "linux/arm64/v8",
    }));
    assert_eq!(bound.signed_reference, SignedReference::Repository);
    assert_eq!(bound.platform.unwrap().to_string(), "linux/arm64/v8");
    for wrong in
        [json!({"kubectl-trust.io/signed-reference": "repo"}), json!({"kubectl-trust.io/platform": "linux"})]
    {
        assert_eq!(errors(&annotated(wrong.clone())).len(), 1, "{wrong}");
    }
}
