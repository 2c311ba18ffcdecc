//! What a workload calls its images: references, patterns of references, and where they stand.

mod reference;

pub use reference::{ImageRef, ReferenceError, Repository, Tag, Version};
