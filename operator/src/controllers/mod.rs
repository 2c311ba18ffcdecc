//! What is kept in step with the cluster, in both directions.
//!
//! | module | reads | writes |
//! |---|---|---|
//! | `policies` | policies and exceptions, where their kinds exist | the snapshot that requests are judged by; whether each is in force |
//! | `engines` | the webhook configurations of other engines | whether these are there |
//! | `namespaces` | the labels of namespaces | those that rules select by |
//! | `roles` | the bindings of roles | the roles that rules select by |
//! | `certificates` | a Secret | the same Secret; the certificate that we are reached with |
//! | `registration` | the snapshot, the kinds that the API server serves | webhook configurations |
//!
//! `assembly` and [`webhooks`] are the pure parts: what follows from what was read.

pub(crate) mod assembly;
pub(crate) mod certificates;
pub(crate) mod engines;
pub(crate) mod namespaces;
pub(crate) mod policies;
pub(crate) mod registration;
pub(crate) mod roles;
mod status;
mod watching;
pub mod webhooks;
