//! Signed manifests: an object that carries, in annotations, the message it was signed as.

pub mod annotations;
pub mod compat;
mod defaults;
pub mod diff;
pub mod ignore;
pub mod message;
pub mod sign;

pub use annotations::{Annotations, DEFAULT_DOMAIN};
pub use message::Message;
