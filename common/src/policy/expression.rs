//! Templates: YAML values whose texts hold `{{ expressions }}`.

use serde_json::Value;

/// A value whose texts may hold `{{ expressions }}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Value);
