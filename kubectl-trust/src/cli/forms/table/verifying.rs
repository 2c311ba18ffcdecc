//! Rows of the verbs that verify, compare and record.

use clap::Args as _;

use super::{
    AS_USER, CHOOSING, CONTEXT, KINDS, KUBECONFIG, LIVE, NO_OBJECTS, OUTPUT, REACHING, REGISTRIES,
    REQUEST_TIMEOUT, TEXT, always, as_text, blob, from_registries, images, kinds, live, manifests,
};
use crate::cli::forms::Flags::{Group, One};
use crate::cli::forms::{Condition, Form, Verb};
use crate::cli::{MatchArgs, TrustArgs, VerdictOutput};

pub(super) const VERIFY: Verb = Verb {
    name: "verify",
    always: &[
        Group(TrustArgs::augment_args),
        Group(VerdictOutput::augment_args),
        KUBECONFIG,
        CONTEXT,
        AS_USER,
        REQUEST_TIMEOUT,
    ],
    forms: &[
        Form {
            about: "manifests (-f)",
            when: "manifests are verified (-f)",
            is_chosen: manifests,
            flags: &[One("files"), One("kustomize"), One("recursive"), Group(MatchArgs::augment_args)],
        },
        Form {
            about: "images (IMAGE)",
            when: "images are verified",
            is_chosen: images,
            flags: &[
                One("images"),
                One("predicate_type"),
                One("format"),
                One("signature_repository"),
                One("signed_reference"),
                One("platform"),
                One("recordings"),
            ],
        },
        Form {
            about: "files of any content (--blob)",
            when: "a file is verified (--blob)",
            is_chosen: blob,
            flags: &[One("blob"), One("signature"), One("certificate"), One("bundle"), One("predicate_type")],
        },
    ],
    conditions: &[Condition {
        about: REGISTRIES,
        holds: |matches| images(matches) && from_registries(matches),
        flags: REACHING,
    }],
    nowhere: &[("namespace", NO_OBJECTS), ("all_namespaces", NO_OBJECTS), ("selector", NO_OBJECTS)],
};

pub(super) const RECORD: Verb = Verb {
    name: "record",
    always: &[
        One("images"),
        One("to"),
        One("stands_for"),
        One("policies"),
        One("signature_repositories"),
        One("recordings"),
    ],
    forms: &[Form {
        about: "images",
        when: "images come from a recording (--images)",
        is_chosen: always,
        flags: &[],
    }],
    conditions: &[Condition { about: REGISTRIES, holds: from_registries, flags: REACHING }],
    nowhere: &[],
};

pub(super) const VERIFY_RESOURCE: Verb = Verb {
    name: "verify-resource",
    always: &[
        Group(TrustArgs::augment_args),
        Group(MatchArgs::augment_args),
        Group(VerdictOutput::augment_args),
        KUBECONFIG,
        CONTEXT,
        AS_USER,
        REQUEST_TIMEOUT,
    ],
    forms: &[
        Form {
            about: LIVE,
            when: "live objects are verified by name",
            is_chosen: live,
            flags: &[One("resources"), One("namespace")],
        },
        Form {
            about: "exported objects (-f)",
            when: "exported objects are verified (-f)",
            is_chosen: manifests,
            flags: &[One("files"), One("kustomize"), One("recursive")],
        },
    ],
    conditions: &[Condition { about: KINDS, holds: kinds, flags: CHOOSING }],
    nowhere: &[],
};

pub(super) const DIFF: Verb = Verb {
    name: "diff",
    always: &[
        Group(TrustArgs::augment_args),
        Group(MatchArgs::augment_args),
        OUTPUT,
        KUBECONFIG,
        CONTEXT,
        AS_USER,
        REQUEST_TIMEOUT,
    ],
    forms: &[
        Form {
            about: LIVE,
            when: "live objects are compared by name",
            is_chosen: live,
            flags: &[One("resources"), One("namespace")],
        },
        Form {
            about: "manifests (-f)",
            when: "manifests are compared (-f)",
            is_chosen: manifests,
            flags: &[One("files"), One("kustomize"), One("recursive"), One("live")],
        },
    ],
    conditions: &[
        Condition { about: KINDS, holds: kinds, flags: CHOOSING },
        Condition { about: TEXT, holds: as_text, flags: &[One("all")] },
    ],
    nowhere: &[],
};
