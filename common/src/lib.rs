//! The one verifier behind `kubectl trust` and its operator.
//!
//! Read [`evaluate`] first: it is the straight line that every front end takes. A module uses only
//! modules of lower layers; a test reads the sources and checks it.
//!
//! 0. [`limits`]: every bound
//! 1. [`object`] [`signer`] [`digest`] [`wildcard`]: field paths, who signed, the name of bytes, patterns
//! 2. [`yaml`] [`key`] [`verdict`] [`image`]: the YAML reader; public and private keys; the tree of checks;
//!    image references
//! 3. [`trust`] [`policy`]: what is trusted; what a policy demands, whatever dialect it was written in
//! 4. [`dialect`] [`signature`] [`registry`]: documents to policies; facts about one signature; reading
//!    registries
//! 5. [`manifest`] [`sources`] [`attach`] [`tuf`]: signed manifests; where facts from outside come from;
//!    putting signatures beside images; trust roots that are kept up to date
//! 6. [`update`] [`cache`]: what an update starts; facts that never change
//! 7. [`select`] [`gather`]: which rules apply; everything that must be read, before anything is judged
//! 8. [`decide`]: the judgement, a pure function
//! 9. [`evaluate`]: select, gather, decide

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
