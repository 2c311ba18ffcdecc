//! Which policies are enforced, for clusters where another engine still is: policies are handed over one by one.

use std::str::FromStr;

use common::dialect::PolicyKind;
use common::policy::{Action, ActionRules, Body, OnFault, Policy};
use serde_json::Value;

/// Which policies are enforced; all others only warn, count and are recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// All.
    #[default]
    All,
    /// Those of our own kinds.
    OwnKinds,
    /// None.
    None,
    /// Those with this label, of whatever kind.
    Labelled {
        /// The label.
        key: String,
        /// Its value.
        value: String,
    },
}

impl FromStr for Enforcement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "own" => Ok(Self::OwnKinds),
            "none" => Ok(Self::None),
            _ => match text.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    Ok(Self::Labelled { key: key.to_owned(), value: value.to_owned() })
                }
                Some(_) | None => Err("write all, own, none, or a label as KEY=VALUE".to_owned()),
            },
        }
    }
}

impl Enforcement {
    /// Whether a policy of a kind is enforced.
    #[must_use]
    pub fn covers(&self, kind: &PolicyKind, policy: &Value) -> bool {
        match self {
            Self::All => true,
            Self::OwnKinds => kind.is_ours(),
            Self::None => false,
            Self::Labelled { key, value } => {
                let labels = policy.get("metadata").and_then(|metadata| metadata.get("labels"));
                labels.and_then(|labels| labels.get(key)).and_then(Value::as_str) == Some(value)
            }
        }
    }

    /// Makes a policy one that refuses nothing and changes nothing, also while the operator does not answer.
    pub fn relax(policy: &mut Policy) {
        policy.on_fault = OnFault::Allow;
        for rule in &mut policy.rules {
            rule.action = ActionRules { overrides: Vec::new(), default: Action::Audit };
            if let Body::Images(images) = &mut rule.body {
                images.entries.iter_mut().for_each(|entry| entry.mutate_digest = false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::dialect;
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_are_handed_over_kind_by_kind_or_one_by_one() {
        let (ours, others) = (
            dialect::kind("kubectl-trust.io", "TrustPolicy").unwrap(),
            dialect::kind("kyverno.io", "Policy").unwrap(),
        );
        let labelled = json!({"metadata": {"labels": {"engine": "trust"}}});
        for (text, of_ours, of_others, of_labelled) in [
            ("all", true, true, true),
            ("own", true, false, false),
            ("none", false, false, false),
            ("engine=trust", false, false, true),
            ("engine=other", false, false, false),
        ] {
            let enforcement: Enforcement = text.parse().unwrap();
            let found = [(ours, &json!({})), (others, &json!({})), (others, &labelled)]
                .map(|(kind, policy)| enforcement.covers(kind, policy));
            assert_eq!(found, [of_ours, of_others, of_labelled], "{text}");
        }
        for text in ["", "kyverno", "=x"] {
            assert!(text.parse::<Enforcement>().is_err(), "{text}");
        }
    }
}
