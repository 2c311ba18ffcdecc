//! The table: every verb with more than one form, and every flag of it.
//!
//! Which cluster is asked, and as whom (`--kubeconfig`, `--context`, `--as`, `--request-timeout`), is accepted in every
//! form: such flags stand in aliases and scripts, a key or a policy may name a Secret, and where nothing is asked they
//! choose nothing. So is the trust root, and `--offline`. Which objects are looked at (`-n`, `-A`, `-l`) must choose
//! some.

mod policies;
mod signing;
mod verifying;

use clap::ArgMatches;

use self::policies::{APPLY, EXPLAIN, TEST};
use self::signing::{ATTEST, SIGN};
use self::verifying::{DIFF, RECORD, VERIFY, VERIFY_RESOURCE};
use super::Flags::One;
use super::{Flags, Verb, given};
use crate::cli::{Format, VerdictFormat};

/// The row of a verb; `None` for one whose flags have an effect in any case.
pub(super) fn verb(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// All rows.
pub(super) const VERBS: [Verb; 9] =
    [SIGN, ATTEST, VERIFY, RECORD, VERIFY_RESOURCE, DIFF, TEST, APPLY, EXPLAIN];

const KUBECONFIG: Flags = One("kubeconfig");
const CONTEXT: Flags = One("context");
const AS_USER: Flags = One("as_user");
const REQUEST_TIMEOUT: Flags = One("request_timeout");
const OUTPUT: Flags = One("output");

/// Flags that say how registries are reached.
const REACHING: &[Flags] = &[One("insecure_registry"), One("registry_ca"), One("registry_timeout")];
/// Flags that choose among the objects of a kind.
const CHOOSING: &[Flags] = &[One("all_namespaces"), One("selector")];

const REGISTRIES: &str = "images that are read from a registry, without --images";
const LIVE: &str = "live objects (KIND/NAME)";
const KINDS: &str = "all live objects of a kind (KIND)";
const TEXT: &str = "text output";
const NO_OBJECTS: &str =
    "no object of a cluster is looked at; kubectl trust verify-resource KIND/NAME does that";
const NOT_RECORDED: &str =
    "what is signed is an image in its registry. Recordings are for: kubectl trust verify IMAGE --images DIR";

fn any(matches: &ArgMatches, ids: &[&str]) -> bool {
    ids.iter().any(|id| given(matches, id))
}

fn manifests(matches: &ArgMatches) -> bool {
    any(matches, &["files", "kustomize"])
}

fn images(matches: &ArgMatches) -> bool {
    given(matches, "images")
}

fn blob(matches: &ArgMatches) -> bool {
    given(matches, "blob")
}

fn always(_: &ArgMatches) -> bool {
    true
}

fn from_registries(matches: &ArgMatches) -> bool {
    !given(matches, "recordings")
}

/// The objects of a cluster that arguments name.
fn named(matches: &ArgMatches) -> Vec<&str> {
    let resources = matches.get_many::<String>("resources").into_iter().flatten();
    resources.map(String::as_str).collect()
}

fn live(matches: &ArgMatches) -> bool {
    given(matches, "resources")
}

fn kinds(matches: &ArgMatches) -> bool {
    named(matches).iter().any(|name| !name.contains('/'))
}

fn as_text(matches: &ArgMatches) -> bool {
    matches.get_one::<Format>("output") == Some(&Format::Text)
}

fn verdict_as_text(matches: &ArgMatches) -> bool {
    matches.get_one::<VerdictFormat>("output") == Some(&VerdictFormat::Text)
}
