//! Policies that the API server asks about under the same conditions (`matchConditions`).

use std::fmt;
use std::str::FromStr;

use common::digest::Digest;
use common::policy::MatchCondition;

/// What policies of the same conditions are called together: in the path of their webhook, and in its name. Two
/// conditions that happened to share it would be evaluated for each other's policies, so it is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(u128);

/// Hexadecimal digits of a name: as many as fit into the label of a webhook's name (RFC 1123) beside its path.
const DIGITS: usize = 32;

impl Group {
    /// That of some conditions; `None` where there are none.
    #[must_use]
    pub fn of(conditions: &[MatchCondition]) -> Option<Self> {
        let mut text = String::new();
        for MatchCondition { name, expression } in conditions {
            text.push_str(&format!("{}:{name}{}:{expression}", name.len(), expression.len()));
        }
        let digest = (!conditions.is_empty()).then(|| Digest::of(text.as_bytes()))?;
        digest.hex().get(..DIGITS)?.parse().ok()
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Group {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(all: &[(&str, &str)]) -> Vec<MatchCondition> {
        let one = |(name, expression): &(&str, &str)| MatchCondition {
            name: (*name).to_owned(),
            expression: (*expression).to_owned(),
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn the_same_conditions_have_one_name_and_others_another() {
        let of = |all: &[(&str, &str)]| Group::of(&conditions(all)).unwrap();
        assert_eq!(Group::of(&[]), None);
        assert_eq!(of(&[("a", "true")]), of(&[("a", "true")]));
        let others =
            [of(&[("a", "tru"), ("e", "")]), of(&[("at", "rue")]), of(&[("a", "true"), ("b", "true")])];
        assert!(others.iter().all(|other| *other != of(&[("a", "true")])));
        let text = of(&[("a", "true")]).to_string();
        assert_eq!((text.len(), text.parse().ok()), (DIGITS, Some(of(&[("a", "true")]))));
    }
}
