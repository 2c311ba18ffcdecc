//! Values of flags that only the place of the call knows, or a table.

use clap_complete::CompletionCandidate;
use kube::config::Kubeconfig;

use crate::predicate;

/// The contexts of the kubeconfig that `KUBECONFIG` or the home folder names; none where it cannot be read, since a
/// key press is no moment for an error.
pub(crate) fn contexts() -> Vec<CompletionCandidate> {
    let config = Kubeconfig::read().unwrap_or_default();
    config.contexts.into_iter().map(|context| CompletionCandidate::new(context.name)).collect()
}

/// The short names of predicate types, each with the type it stands for.
pub(crate) fn predicate_types() -> Vec<CompletionCandidate> {
    predicate::names().map(|(name, uri)| CompletionCandidate::new(name).help(Some(uri.into()))).collect()
}
