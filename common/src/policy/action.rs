//! Whether a failure blocks.

use super::selector::{LabelSelector, LabelsUnknown, ReviewFacts};
use super::wildcard;

/// What a failure of a rule means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It is recorded.
    #[default]
    Audit,
    /// It blocks.
    Enforce,
}

/// The action of a rule: the first override that matches, else the default.
///
/// The compiler flattens a dialect's layers into this one list (`spec/kyverno.md` 2.9: the rule's
/// overrides, the rule's action, the policy's overrides, the policy's action; what stands behind an
/// unconditional action can never be reached and is left out).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActionRules {
    /// In order; the first match decides.
    pub overrides: Vec<ActionOverride>,
    /// Where none matches.
    pub default: Action,
}

/// Another action for some namespaces.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionOverride {
    /// The action.
    pub action: Action,
    /// Namespace patterns, any of which must match; empty = any namespace.
    pub namespaces: Vec<String>,
    /// And the namespace's labels must match.
    pub namespace_selector: Option<LabelSelector>,
}

impl ActionRules {
    /// The action for one object.
    ///
    /// # Errors
    /// [`LabelsUnknown`] when it depends on namespace labels that nobody could read.
    pub fn resolve(&self, facts: &ReviewFacts<'_>) -> Result<Action, LabelsUnknown> {
        for entry in &self.overrides {
            if entry.matches(facts)? {
                return Ok(entry.action);
            }
        }
        Ok(self.default)
    }
}

impl ActionOverride {
    fn matches(&self, facts: &ReviewFacts<'_>) -> Result<bool, LabelsUnknown> {
        let named = self.namespaces.is_empty()
            || wildcard::any_matches(self.namespaces.iter().map(String::as_str), facts.namespace);
        match &self.namespace_selector {
            Some(selector) if named => Ok(selector.matches(facts.namespace_labels()?)),
            Some(_) | None => Ok(named),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn rules() -> ActionRules {
        let selector =
            LabelSelector { labels: BTreeMap::from([("env".into(), "dev".into())]), expressions: vec![] };
        let entry = |action, namespaces: &[&str], namespace_selector| ActionOverride {
            action,
            namespaces: namespaces.iter().map(ToString::to_string).collect(),
            namespace_selector,
        };
        ActionRules {
            overrides: vec![
                entry(Action::Audit, &["test-*"], None),
                entry(Action::Audit, &["team-*"], Some(selector)),
                entry(Action::Enforce, &["team-x"], None),
            ],
            default: Action::Enforce,
        }
    }

    #[test]
    fn the_first_override_that_matches_decides() {
        let object = json!({"metadata": {"namespace": "ignored"}});
        let dev = BTreeMap::from([("env".to_owned(), "dev".to_owned())]);
        let none = BTreeMap::new();
        let resolve = |namespace, labels| {
            let facts = ReviewFacts { namespace, namespace_labels: labels, ..ReviewFacts::of(&object) };
            rules().resolve(&facts)
        };
        assert_eq!(resolve("prod", None), Ok(Action::Enforce));
        assert_eq!(resolve("test-1", None), Ok(Action::Audit), "labels are not needed here");
        assert_eq!(resolve("team-a", Some(&dev)), Ok(Action::Audit));
        assert_eq!(resolve("team-x", Some(&none)), Ok(Action::Enforce));
        assert_eq!(resolve("team-a", None), Err(LabelsUnknown), "unreadable labels must not mean Audit");
    }
}
