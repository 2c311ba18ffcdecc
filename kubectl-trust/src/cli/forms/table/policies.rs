//! Rows of the verbs that judge by policies.

use clap::{ArgMatches, Args as _};

use super::{
    AS_USER, CHOOSING, CONTEXT, KINDS, KUBECONFIG, LIVE, OUTPUT, REACHING, REGISTRIES, REQUEST_TIMEOUT, TEXT,
    always, any, from_registries, kinds, live, manifests, named, verdict_as_text,
};
use crate::cli::forms::Flags::{Group, One};
use crate::cli::forms::{Condition, Form, Verb, given};
use crate::cli::{MatchArgs, TestFormat, TufArgs, VerdictOutput};

pub(super) const TEST: Verb = Verb {
    name: "test",
    always: &[
        One("paths"),
        One("file_name"),
        One("test_case_selector"),
        One("fail_only"),
        One("require_tests"),
        One("registry"),
        One("remove_color"),
        One("output_file"),
        OUTPUT,
    ],
    forms: &[Form {
        about: "tests",
        when: "results are written in another format (-o)",
        is_chosen: always,
        flags: &[],
    }],
    conditions: &[Condition {
        about: TEXT,
        holds: |matches| matches.get_one::<TestFormat>("output") == Some(&TestFormat::Text),
        flags: &[One("detailed_results")],
    }],
    nowhere: &[],
};

pub(super) const APPLY: Verb = Verb {
    name: "apply",
    always: &[
        One("policies"),
        One("recordings"),
        One("trusted_root"),
        Group(TufArgs::augment_args),
        One("offline"),
        One("values_file"),
        One("set"),
        One("userinfo"),
        One("exceptions"),
        One("policy_report"),
        One("audit_warn"),
        One("warn_exit_code"),
        Group(VerdictOutput::augment_args),
        KUBECONFIG,
        CONTEXT,
        AS_USER,
        REQUEST_TIMEOUT,
    ],
    forms: &[
        Form {
            about: "files (-r)",
            when: "files are judged (-r)",
            is_chosen: |matches| given(matches, "resources"),
            flags: &[One("resources"), One("live")],
        },
        Form {
            about: "objects of the cluster (--cluster)",
            when: "objects of the cluster are judged (--cluster)",
            is_chosen: |matches| given(matches, "cluster"),
            flags: &[One("cluster"), One("namespace"), One("all_namespaces"), One("selector")],
        },
    ],
    conditions: &[
        Condition { about: REGISTRIES, holds: from_registries, flags: REACHING },
        Condition {
            about: "the text of decisions, without another format (-o) and --policy-report",
            holds: |matches| verdict_as_text(matches) && !matches.get_flag("policy_report"),
            flags: &[One("detailed_results")],
        },
    ],
    nowhere: &[],
};

/// Whether flags say whom to trust, and no policies do.
fn by_flags(matches: &ArgMatches) -> bool {
    any(
        matches,
        &[
            "keys",
            "certificate_identity",
            "certificate_identity_regexp",
            "certificate_oidc_issuer",
            "certificate_oidc_issuer_regexp",
        ],
    )
}

fn a_case(matches: &ArgMatches) -> bool {
    given(matches, "test")
}

fn image_word(matches: &ArgMatches) -> bool {
    !a_case(matches) && named(matches).first() == Some(&"image")
}

fn live_object(matches: &ArgMatches) -> bool {
    live(matches) && !a_case(matches) && !image_word(matches)
}

/// Policies look at images, flags only at those that are named.
fn looks_at_images(matches: &ArgMatches) -> bool {
    !a_case(matches) && (image_word(matches) || !by_flags(matches))
}

pub(super) const EXPLAIN: Verb = Verb {
    name: "explain",
    always: &[OUTPUT, KUBECONFIG, CONTEXT, AS_USER, REQUEST_TIMEOUT],
    forms: &[
        Form {
            about: "cases of a test (--test)",
            when: "cases of a test are explained (--test)",
            is_chosen: a_case,
            flags: &[One("test"), One("resources")],
        },
        Form {
            about: "manifests (-f)",
            when: "manifests are explained (-f)",
            is_chosen: |matches| manifests(matches) && !a_case(matches),
            // The namespace is part of what a webhook's refusal says to run.
            flags: &[
                One("files"),
                One("kustomize"),
                One("recursive"),
                One("live"),
                One("namespace"),
                Group(MatchArgs::augment_args),
            ],
        },
        Form {
            about: LIVE,
            when: "live objects are explained",
            is_chosen: live_object,
            flags: &[One("resources"), One("namespace"), Group(MatchArgs::augment_args)],
        },
        Form {
            about: "images (image IMAGE)",
            when: "images are explained",
            is_chosen: image_word,
            flags: &[One("resources")],
        },
    ],
    conditions: &[
        Condition {
            about: "objects and images, without --test",
            holds: |matches| !a_case(matches),
            flags: &[
                One("policies"),
                One("keys"),
                One("certificate_identity"),
                One("certificate_identity_regexp"),
                One("certificate_oidc_issuer"),
                One("certificate_oidc_issuer_regexp"),
                One("trusted_root"),
                Group(TufArgs::augment_args),
                One("ca_roots"),
                One("ca_intermediates"),
                One("rekor_public_key"),
                One("ct_public_key"),
                One("tsa_certificate_chain"),
                One("offline"),
            ],
        },
        Condition {
            about: "signers that flags name (--key, --certificate-identity)",
            holds: |matches| by_flags(matches) && !a_case(matches),
            flags: &[One("annotations"), One("insecure_ignore_tlog"), One("insecure_ignore_sct")],
        },
        Condition {
            about: "images that policies name a namespace for (image IMAGE --policy FILE)",
            holds: |matches| image_word(matches) && !by_flags(matches),
            flags: &[One("namespace")],
        },
        Condition {
            about: "images, by policies or named (image IMAGE)",
            holds: looks_at_images,
            flags: &[One("recordings")],
        },
        Condition {
            about: REGISTRIES,
            holds: |matches| looks_at_images(matches) && from_registries(matches),
            flags: REACHING,
        },
        Condition { about: KINDS, holds: |matches| live_object(matches) && kinds(matches), flags: CHOOSING },
    ],
    nowhere: &[],
};
