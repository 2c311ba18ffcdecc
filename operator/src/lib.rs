//! Admission control: the verifier of [`common`] in front of an API server.
//!
//! Read [`webhook::admit`] first: it is one admission request, from the first line to the last. From the
//! outside in:
//!
//! 1. [`args`], [`run`]: flags, and what is started for them
//! 2. [`webhook`]: reviews of the API server, and answers
//! 3. [`snapshot`], [`group`], [`conditions`], [`signers`]: the policies that a request is judged by, which of them together, and who
//!    must have signed them
//! 4. [`world`], [`pulls`], [`registries`], [`secrets`]: registries, keys and trust roots, as a request sees them
//! 5. [`controllers`]: what is kept in step with a cluster; [`enforcement`], [`engines`]: beside other engines
//! 6. [`resources`]: our own kinds, as the API server is told of them
//! 7. [`health`], [`metrics`], [`expiry`], [`supervision`]: what an operator of the operator looks at
#![doc(html_no_source)]

pub mod args;
mod certificate;
mod clock;
mod cluster;
pub mod conditions;
pub mod controllers;
pub mod enforcement;
pub mod engines;
pub mod expiry;
mod files;
pub mod group;
pub mod health;
pub mod metrics;
pub mod namespaces;
pub mod pulls;
pub mod registries;
pub mod resources;
pub mod roles;
mod run;
pub mod secrets;
pub mod signers;
pub mod snapshot;
pub mod supervision;
mod tls;
pub mod webhook;
pub mod world;

pub use run::run;
