//! Rows of the verbs that sign.

use clap::Args as _;

use super::{NOT_RECORDED, OUTPUT, REACHING, always, blob, images, manifests};
use crate::cli::SigningArgs;
use crate::cli::forms::Flags::{Group, One};
use crate::cli::forms::{Form, Verb};

pub(super) const SIGN: Verb = Verb {
    name: "sign",
    always: &[Group(SigningArgs::augment_args)],
    forms: &[
        Form {
            about: "manifests (-f, -k)",
            when: "manifests are signed (-f, -k)",
            is_chosen: manifests,
            flags: &[
                One("files"),
                One("kustomize"),
                One("recursive"),
                OUTPUT,
                One("in_place"),
                One("force"),
                One("append"),
                One("replace"),
                One("whole_file"),
                One("expand_lists"),
                One("tarball"),
                One("annotations"),
                One("annotation_domain"),
            ],
        },
        Form {
            about: "images (IMAGE)",
            when: "images are signed",
            is_chosen: images,
            flags: &[
                One("images"),
                One("recursive"),
                One("force"),
                One("format"),
                One("annotations"),
                One("insecure_registry"),
                One("registry_ca"),
                One("registry_timeout"),
            ],
        },
        Form {
            about: "files of any content (--blob)",
            when: "a file is signed (--blob)",
            is_chosen: blob,
            flags: &[One("blob"), One("bundle"), One("output_signature")],
        },
    ],
    conditions: &[],
    nowhere: &[("recordings", NOT_RECORDED)],
};

pub(super) const ATTEST: Verb = Verb {
    name: "attest",
    always: &[Group(SigningArgs::augment_args), One("images"), One("predicate"), One("predicate_type")],
    forms: &[Form { about: "images", when: "images are attested", is_chosen: always, flags: REACHING }],
    conditions: &[],
    nowhere: &[("recordings", NOT_RECORDED)],
};
