//! Which objects a rule speaks about.

use crate::object::ObjectRef;

/// Selects objects by what they call themselves.
///
/// Each part: empty or `*` takes anything, a trailing `*` is a prefix, commas separate alternatives and
/// `-` takes only the empty value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectSelector {
    /// API group; the core group is the empty value.
    pub group: String,
    /// API version without group.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
}

impl ObjectSelector {
    /// Whether every part takes the object.
    #[must_use]
    pub fn matches(&self, object: &ObjectRef) -> bool {
        takes(&self.group, object.group())
            && takes(&self.version, object.version())
            && takes(&self.kind, &object.kind)
            && takes(&self.name, &object.name)
            && takes(&self.namespace, &object.namespace)
    }
}

fn takes(part: &str, value: &str) -> bool {
    part.is_empty() || part.split(',').any(|choice| takes_one(choice.trim(), value))
}

fn takes_one(choice: &str, value: &str) -> bool {
    match choice.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None if choice == "-" => value.is_empty(),
        None => choice == value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_take_values_as_documented() {
        for (part, value, taken) in [
            ("", "x", true),
            ("*", "", true),
            ("prod-*", "prod-a", true),
            ("prod-*", "a-prod-", false),
            ("a, b", "b", true),
            ("a,b", "c", false),
            ("-", "", true),
            ("-", "x", false),
            ("Pod", "PodTemplate", false),
        ] {
            assert_eq!(takes(part, value), taken, "{part} {value}");
        }
    }
}
