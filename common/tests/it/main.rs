//! Tests of the verifier against files, in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests may fail loudly"
)]

mod authority;
mod cached;
mod defaults;
mod dialect;
mod images;
mod judge;
mod layers;
mod layout;
mod mistakes;
mod policies;
mod properties;
mod reasons;
mod registry;
mod tamper;
mod trust_tuf;
mod vectors;
