//! What a workload calls its images: references, patterns of references, and where they stand.

mod extract;
mod names;
mod pattern;
mod place;
mod platform;
mod reference;

#[cfg(test)]
pub(crate) use extract::pod_kinds;
pub use extract::{VariablesError, holds_images, images, variable, variables};
pub use names::Names;
pub use pattern::{ImagePattern, PatternError};
pub use place::{ExtractError, FoundImage};
pub(crate) use place::{Place, Spot};
pub use platform::{Platform, PlatformError};
pub use reference::{ImageRef, ReferenceError, Repository, Tag, Version};
