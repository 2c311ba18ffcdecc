//! The whole product against real programs, in one binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

mod admission;
mod cluster;
mod conformance;
mod cosign;
mod images;
mod interop;
mod kyverno;
mod plugin;
mod world;
mod yaml;
