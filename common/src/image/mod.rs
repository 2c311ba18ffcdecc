//! What a workload calls its images: references, patterns of references, and where they stand.

mod pattern;
mod reference;

pub use pattern::{ImagePattern, PatternError};
pub use reference::{ImageRef, ReferenceError, Repository, Tag, Version};
