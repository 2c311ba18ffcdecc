//! Signed manifests.

pub mod compat;
mod defaults;
pub mod diff;
pub mod ignore;
