//! The one verifier behind `kubectl trust` and its operator.
//!
//! Read [`evaluate`] first: it is the straight line that every front end takes. A module uses only
//! modules of lower layers; which layer each is in, and what it is, stands in `docs/architecture.md`
//! ("Layers of `common`"), and a test reads the sources and checks it.

pub mod attach;
pub mod cache;
pub mod decide;
pub mod dialect;
pub mod digest;
pub mod evaluate;
pub mod gather;
pub mod image;
pub mod key;
pub mod limits;
pub mod manifest;
pub mod object;
pub mod policy;
pub mod registry;
pub mod select;
pub mod signature;
pub mod signer;
pub mod sources;
pub mod trust;
pub mod tuf;
pub mod update;
pub mod verdict;
pub mod wildcard;
pub mod yaml;
