//! Admission: reviews of the API server, and answers.
//!
//! ```text
//! server   accept, bounds, deadline; bytes in, bytes out
//!  review  bytes -> Request, Response -> bytes
//!  admit   Request -> Response: the page to read first
//!   exempt an early answer, with its reason
//!   respond  decisions -> Response
//!  admit_policy  Request -> Response, where a policy is written
//!   signed  whether it was signed itself
//!  image_review  the question of another plugin of the API server, to the same page
//! ```

pub mod admit;
pub mod admit_policy;
mod deadline;
mod exempt;
mod gate;
pub mod image_review;
pub mod respond;
pub mod review;
pub mod server;
pub(crate) mod signed;

pub use deadline::Deadline;

use common::policy::OnFault;

use crate::group::Group;
use crate::snapshot::Together;

/// What the API server asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Which images to name by their digest.
    Mutate,
    /// Whether the object, as it will be stored, may be.
    Validate,
}

impl Phase {
    /// The first part of the path, and the label of metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
        }
    }
}

/// What a request is about: the phase, and the policies of which failure policy and conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The phase.
    pub phase: Phase,
    /// The API server is told the failure policy of a webhook, so policies of one are judged together.
    pub on_fault: OnFault,
    /// And the conditions under which it asks.
    pub group: Option<Group>,
}

impl Route {
    /// Every path that is served, with what it means; below each, one for every group.
    pub const ALL: [(&'static str, Self); 4] = [
        ("/mutate/fail", Self::new(Phase::Mutate, OnFault::Refuse)),
        ("/mutate/ignore", Self::new(Phase::Mutate, OnFault::Allow)),
        ("/validate/fail", Self::new(Phase::Validate, OnFault::Refuse)),
        ("/validate/ignore", Self::new(Phase::Validate, OnFault::Allow)),
    ];

    /// That of policies without conditions.
    #[must_use]
    pub const fn new(phase: Phase, on_fault: OnFault) -> Self {
        Self { phase, on_fault, group: None }
    }

    /// The policies that are asked.
    #[must_use]
    pub fn together(self) -> Together {
        (self.on_fault, self.group)
    }
}
