//! The one verifier behind `kubectl trust` and its operator.
//!
//! A module uses only modules of lower layers (a test checks it):
//!
//! 1. [`limits`] [`object`] [`signer`] [`yaml`]: bounds, field paths, who signed, the YAML reader
//! 2. [`key`] [`verdict`]: public and private keys; the tree of checks and its reasons
//! 3. [`trust`] [`policy`]: what is trusted; what a policy demands, whatever dialect it was written in
//! 4. [`dialect`]: Kyverno YAML to policies
//! 5. [`signature`]: facts about one signature
//! 6. [`manifest`] [`sources`]: signed manifests; where facts from outside come from
//! 7. [`select`] [`cache`]: which rules apply; facts that never change
//! 8. [`gather`]: everything that must be read, before anything is judged
//! 9. [`decide`]: the judgement, a pure function
//! 10. [`evaluate`]: select, gather, decide: the one path every front end takes

pub mod cache;
pub mod decide;
pub mod dialect;
pub mod evaluate;
pub mod gather;
pub mod key;
pub mod limits;
pub mod manifest;
pub mod object;
pub mod policy;
pub mod select;
pub mod signature;
pub mod signer;
pub mod sources;
pub mod trust;
pub mod verdict;
pub mod yaml;
