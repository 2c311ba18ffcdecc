//! Signed manifests.
