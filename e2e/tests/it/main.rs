//! The whole product against real programs, in one binary.

mod cluster;
mod cosign;
mod interop;
mod plugin;
mod world;
mod yaml;
