//! Admission control: the verifier of [`common`] in a cluster.
//!
//! So far this crate holds no code of its own. It is a member of the workspace so that its dependencies
//! are what they must be: `common`, and nothing of the plugin (`common/tests/it/layers.rs` checks it).
#![doc(html_no_source)]

#[doc(no_inline)]
pub use common;
