//! `docs/reasons.md` is generated from here: every code, what it says, what to do.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::object::{FieldChange, FieldPath, ObjectRef};
use common::verdict::{
    MessageProblem, Reason, RegistryFault, RegistryProblem, SignatureProblem, Subject, SubjectKind,
    Unavailable, Voice,
};
use serde_json::json;

fn object(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "prod".into(),
        name: name.into(),
    }
}

fn subject() -> Subject {
    Subject { kind: SubjectKind::Manifest, source: "release.yaml#0".into(), object: object("web") }
}

fn image(typed: &str, why: Reason) -> Reason {
    Reason::ImageRefused { image: typed.to_owned(), digest: None, why: Box::new(why) }
}

fn refused(why: Reason) -> Reason {
    image("ghcr.io/acme/app:1.4", why)
}

fn fault(problem: RegistryProblem) -> Reason {
    let recorded = problem == RegistryProblem::NotRecorded;
    let request = if recorded { "ghcr.io/acme/app:1.4" } else { "GET ghcr.io/v2/acme/app/manifests/1.4" };
    refused(Reason::Registry(RegistryFault::new(request, problem)))
}

/// One of every kind; the test below fails when a variant is missing here.
#[expect(clippy::too_many_lines, reason = "one line a reason")]
fn samples() -> Vec<(&'static str, Reason)> {
    let text = |text: &str| text.to_owned();
    let time = |text: &str| text.parse().unwrap();
    let path = FieldPath::keys(["spec", "replicas"]);
    let change = FieldChange { path, signed: Some(json!(2)), found: Some(json!(5)) };
    let by_key = SignatureProblem::NotByKey { key: text("key sha256:9f1c2ab01f0a…"), signatures: 2 };
    let (subject, issuer) = (text("dev@example.com"), text("https://accounts.example.com"));
    vec![
        (
            "pass",
            Reason::SignatureValid {
                signer: text("key sha256:9f1c2ab01f0a…"),
                logged: None,
                timestamped: None,
            },
        ),
        (
            "pass",
            Reason::ManifestMatches {
                ignored: 1,
                except: vec![change.clone()],
                effects: 21,
                allowed: vec![],
            },
        ),
        ("pass", Reason::ThresholdMet { needed: 2, found: 2 }),
        ("pass", Reason::AnnotationsMatch),
        (
            "pass",
            Reason::ImageVerified {
                image: text("ghcr.io/acme/app:1.4"),
                digest: text("sha256:9f1c2ab01f0a…"),
            },
        ),
        ("pass", Reason::DigestPresent { digest: text("sha256:9f1c2ab01f0a…") }),
        ("pass", Reason::AttestationFound { predicate_type: text("https://spdx.dev/Document") }),
        ("pass", Reason::ConditionsHold),
        ("fail", Reason::TimestampInvalid { detail: text("by an authority that is not known") }),
        ("fail", Reason::BundleInvalid { detail: text("it is of an unknown version") }),
        (
            "fail",
            image("Ghcr.io//app", Reason::ImageInvalid { image: text("Ghcr.io//app"), problem: text("…") }),
        ),
        ("fail", refused(Reason::ImageNotFound { image: text("ghcr.io/acme/app:1.4") })),
        (
            "fail",
            refused(Reason::ImageAmbiguous {
                image: text("ghcr.io/acme/app:1.4"),
                first: text("sha256:9f1c2ab01f0a…"),
                second: text("sha256:0000a1b2c3d4…"),
            }),
        ),
        ("fail", refused(Reason::ImageUnverified { image: text("ghcr.io/acme/app:1.4") })),
        ("fail", refused(Reason::DigestMissing { image: text("ghcr.io/acme/app:1.4") })),
        (
            "fail",
            refused(Reason::DigestMismatch {
                expected: text("sha256:9f1c2ab01f0a…"),
                found: text("sha256:0000a1b2c3d4…"),
            }),
        ),
        (
            "fail",
            refused(Reason::ReferenceMismatch {
                expected: text("ghcr.io/acme/app"),
                found: text("ghcr.io/acme/other"),
            }),
        ),
        ("fail", refused(Reason::PayloadInvalid { problem: text("it is not an in-toto statement") })),
        (
            "fail",
            refused(Reason::AttestationMissing {
                predicate_type: text("https://slsa.dev/provenance/v1"),
                found: vec![text("https://spdx.dev/Document")],
                others_signed: Vec::new(),
            }),
        ),
        (
            "fail",
            Reason::PredicateTypeMismatch {
                expected: text("https://slsa.dev/provenance/v1"),
                found: text("https://spdx.dev/Document"),
            },
        ),
        (
            "fail",
            refused(Reason::ConditionFailed {
                what: text("conditions[0].all[0]"),
                expected: text("LessThanOrEquals 168h"),
                found: text("1320h0m0s"),
                message: Some(text("it must have been scanned within 7 days")),
            }),
        ),
        ("fault", fault(RegistryProblem::Unreachable(text("connection refused")))),
        ("fault", fault(RegistryProblem::Unauthorized { tried: text("no credentials") })),
        ("fault", fault(RegistryProblem::RateLimited { retry_after: Some(30) })),
        ("fault", fault(RegistryProblem::DeadlineExceeded)),
        ("fault", fault(RegistryProblem::TooLarge { bound: 4_194_304 })),
        (
            "fault",
            fault(RegistryProblem::ContentMismatch {
                expected: text("sha256:9f1c2ab01f0a…"),
                found: text("sha256:0000a1b2c3d4…"),
            }),
        ),
        ("fault", fault(RegistryProblem::Malformed(text("it is not the JSON of a manifest")))),
        (
            "fault",
            fault(RegistryProblem::Refused { host: text("169.254.169.254"), why: text("it is link-local") }),
        ),
        ("fault", fault(RegistryProblem::NotRecorded)),
        (
            "fault",
            Reason::TooMuchEvidence {
                what: text("sha256-9f1c….sig holds 999 signatures; more than 64 are not read"),
            },
        ),
        (
            "skip",
            Reason::StatementSuperseded {
                of: "2026-11-01T00:00:00Z".parse().unwrap(),
                by: "2026-11-24T00:00:00Z".parse().unwrap(),
            },
        ),
        (
            "skip",
            Reason::ImageSkipped { image: text("ghcr.io/acme/base:1"), pattern: text("ghcr.io/acme/base:*") },
        ),
        ("fail", Reason::SignatureMissing { looked_for: text("cosign.sigstore.dev/signature") }),
        ("fail", Reason::SignatureInvalid { problem: by_key }),
        ("fail", Reason::MessageMissing { looked_for: text("cosign.sigstore.dev/message") }),
        ("fail", Reason::MessageUnreadable { problem: MessageProblem::BrokenGzip }),
        (
            "fail",
            Reason::ManifestDiffers {
                kind: text("Deployment"),
                changes: vec![change],
                omitted: 0,
                names: vec![text("spec.replicas")],
                suggested: vec![text("spec.replicas")],
            },
        ),
        ("fail", Reason::TargetMismatch { object: object("web"), signed: vec![object("api")] }),
        (
            "fail",
            Reason::IdentityMismatch {
                expected: subject.clone(),
                found: text("intern@example.com"),
                issuer: issuer.clone(),
                issuer_expected: None,
            },
        ),
        (
            "fail",
            Reason::IssuerMismatch {
                expected: issuer.clone(),
                found: text("https://other.example.com"),
                subject: subject.clone(),
            },
        ),
        (
            "fail",
            Reason::ClaimMismatch {
                claim: text("githubWorkflowRef"),
                expected: text("refs/heads/main"),
                found: None,
            },
        ),
        ("fail", Reason::CertificateMissing),
        ("fail", Reason::CertificateUntrusted { subject, detail: text("unknown issuer") }),
        (
            "fail",
            Reason::CertificateNotValidAtSigning {
                signed: time("2026-01-02T00:00:00Z"),
                not_before: time("2026-01-01T00:00:00Z"),
                not_after: time("2026-01-01T00:10:00Z"),
            },
        ),
        (
            "fail",
            Reason::SigningTimeInFuture {
                signed: time("2026-01-02T00:00:00Z"),
                now: time("2026-01-01T00:00:00Z"),
            },
        ),
        ("fail", Reason::LogEntryMissing),
        ("fail", Reason::LogEntryInvalid { detail: text("it is for another signature") }),
        ("fail", Reason::TimestampMissing),
        ("fail", Reason::SctInvalid { detail: text("none in the certificate") }),
        ("fail", Reason::AnnotationMismatch { key: text("team"), expected: text("shop"), found: None }),
        (
            "fail",
            Reason::ThresholdNotMet {
                needed: 2,
                found: 1,
                same_signer: 0,
                missing: vec![text("key sha256:9f1c2ab01f0ad2")],
            },
        ),
        ("fault", Reason::InputUnreadable { problem: text("line 3: a mapping is not closed") }),
        ("fault", Reason::InputEmpty),
        ("fault", Reason::PolicyInvalid { problem: text("spec.rules: missing") }),
        ("fault", Reason::PolicyUnsupported { what: text("verifying images") }),
        (
            "fault",
            Reason::KeyUnavailable { reference: text("k8s://ns/name"), problem: Unavailable::NeedsCluster },
        ),
        ("fault", Reason::TrustRootMissing),
        ("fault", Reason::TrustRootUnknown { name: text("private") }),
        ("fault", Reason::NamespaceLabelsUnknown { namespace: text("prod") }),
        (
            "fault",
            Reason::VariableUnresolved {
                variable: text("spec.rules[0].preconditions.all[0].key"),
                problem: text("the variable `keys` is not known"),
            },
        ),
        ("skip", Reason::NotHandled { rule_type: text("validate.pattern") }),
        ("skip", Reason::NeedsCluster { what: text("the server-side dry run that the rule asks for") }),
        ("skip", Reason::NotMatched { why: "another kind".into(), at: None }),
        ("skip", Reason::UpdateStartsNothing { why: "the update adds and changes no image of the Pod" }),
        ("skip", Reason::PreconditionsNotMet { why: text("CREATE Equals UPDATE does not hold") }),
        ("skip", Reason::ExceptionApplies { names: vec![text("ops/legacy")] }),
        ("fault", Reason::NothingChecked),
    ]
}

/// The codes that the sources have, so that none is forgotten above.
fn codes_in_source() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (file, function) in [("code.rs", "fn row(&self)"), ("registry.rs", "fn row(&self)")] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verdict").join(file);
        let text = fs::read_to_string(source).unwrap();
        let table = text.split(function).nth(1).unwrap().split("\n    }\n").next().unwrap().to_owned();
        codes.extend(table.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    codes
}

fn page() -> String {
    let mut page = String::from(
        "# Reasons\n\nEvery check ends with one of these codes; they never change meaning. This page is generated by\n\
         `common/tests/it/reasons.rs`; `UPDATE=1 cargo test -p common --test it reasons` writes it anew.\n\n\
         | code | outcome | says (an example) | what to do |\n|---|---|---|---|\n",
    );
    let mut samples = samples();
    samples.sort_by_key(|(outcome, reason)| {
        (["fail", "fault", "skip", "pass"].iter().position(|o| o == outcome), reason.code())
    });
    for (outcome, reason) in samples {
        let cell = |text: &str| text.replace('|', "\\|");
        let (says, hint) = (
            cell(&reason.to_string()),
            cell(&reason.hint(&subject(), None, Voice::Flags).unwrap_or_default()),
        );
        writeln!(page, "| `{}` | {outcome} | {says} | {hint} |", reason.code()).unwrap();
    }
    page.push_str(OPERATOR);
    page
}

/// What the operator says of a request that no check was made for; its own tests compare the codes.
const OPERATOR: &str = "
## Requests that were not judged

The operator also answers with these, where no policy was asked (in the refusal, the audit annotations and the metric
`trust_faults_total`). The failure policy says what they mean.

| code | when |
|---|---|
| `overloaded` | too many requests are being judged at the moment |
| `deadline-exceeded` | it took longer than the API server waits |
| `not-ready` | policies, or the roles that they select by, are not loaded yet |
| `internal-error` | a defect, which the log describes |

And with these, where a policy itself is written; they are refusals:

| code | when |
|---|---|
| `policy-invalid` | it does not compile |
| `policy-unsigned` | `--signed-policies` has no rule about it; where a rule is, its own reason |
";

#[test]
fn every_code_is_on_the_page_and_is_unique() {
    let codes: Vec<_> = samples().iter().map(|(_, reason)| reason.code().to_owned()).collect();
    let unique: BTreeSet<_> = codes.iter().cloned().collect();
    assert_eq!(unique.len(), codes.len(), "a code is used twice");
    assert_eq!(unique, codes_in_source());
}

#[test]
fn the_page_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reasons.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), page(), "run it with UPDATE=1");
}

#[test]
fn faults_are_told_from_findings_by_the_reason_itself() {
    for (outcome, reason) in samples() {
        let fault = outcome == "fault" && reason != Reason::NothingChecked;
        assert_eq!(reason.is_fault(), fault, "{}", reason.code());
    }
}
