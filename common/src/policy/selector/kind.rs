//! Patterns of kinds: `Pod`, `apps/v1/Deployment`, `*/scale` (`spec/kyverno.md` 1.4).

use std::fmt;

use crate::object::ObjectRef;
use crate::policy::wildcard;

/// A pattern of a kind and, if asked for, its subresource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindPattern {
    /// Pattern of the API group.
    pub group: String,
    /// Pattern of the version.
    pub version: String,
    /// Pattern of the kind.
    pub kind: String,
    /// Pattern of the subresource; empty = the object itself.
    pub subresource: String,
    typed: String,
}

impl KindPattern {
    /// Reads `Kind`, `Kind/sub`, `Kind.sub`, `version/Kind[/sub]`, `group/version/Kind[/sub]`, `*/*` or
    /// `*/sub`. `None` for anything else.
    ///
    /// Two parts are a version and a kind where the first is `v1`, `v2beta1`, … or `*` before a
    /// capital letter; otherwise a kind and a subresource.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let mut parts: Vec<&str> = typed.split('/').collect();
        let last = parts.pop()?;
        parts.extend(last.split('.'));
        let word = |c: char| c.is_ascii_alphanumeric() || ".-*?".contains(c);
        if parts.iter().any(|part| part.is_empty() || !part.chars().all(word)) {
            return None;
        }
        let (group, version, kind, subresource) = match *parts.as_slice() {
            [kind] => ("*", "*", kind, ""),
            ["*", "*"] => ("*", "*", "*", "*"),
            ["*", last] if is_subresource(last) => ("*", "*", "*", last),
            [version, kind] if version == "*" || is_version(version) => ("*", version, kind, ""),
            [kind, subresource] => ("*", "*", kind, subresource),
            [version, kind, sub] if is_version(version) => ("*", version, kind, sub),
            ["*", "*", sub] if is_subresource(sub) => ("*", "*", "*", sub),
            [group, version, kind] if version == "*" || is_version(version) => (group, version, kind, ""),
            ["*", kind, sub] => ("*", "*", kind, sub),
            [group, version, kind, sub] if version == "*" || is_version(version) => {
                (group, version, kind, sub)
            }
            _ => return None,
        };
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            subresource: subresource.to_owned(),
            typed: typed.to_owned(),
        })
    }

    /// Whether an object (or its subresource) is of the kind. A pattern of Pods also covers
    /// `ephemeralcontainers`: attack: an unsigned container added to a running pod.
    #[must_use]
    pub fn matches(&self, object: &ObjectRef, subresource: &str) -> bool {
        let debug = subresource == "ephemeralcontainers" && object.kind == "Pod";
        // The kind first: it tells most objects apart.
        wildcard::matches(&self.kind, &object.kind)
            && wildcard::matches(&self.group, object.group())
            && wildcard::matches(&self.version, object.version())
            && (debug || wildcard::matches(&self.subresource, subresource))
    }

    /// The kind, where the pattern names one and is none.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        (!wildcard::is_pattern(&self.kind)).then_some(self.kind.as_str())
    }

    /// What about the pattern its author should know: that it can match nothing.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let kind = self.literal().filter(|kind| !KINDS.contains(kind))?;
        let lower = kind.to_lowercase();
        let meant = KINDS.iter().find(|known| {
            let known = known.to_lowercase();
            lower == known || lower == plural(&known)
        });
        let (before, _) = self.typed.rsplit_once(kind)?;
        let after = &self.typed[before.len() + kind.len()..];
        if let Some(meant) = meant {
            let words = "matches nothing, because kinds are written with capital letters and for one object";
            return Some(format!("`{self}` {words}; write `{before}{meant}{after}`"));
        }
        let small = kind.starts_with(|c: char| c.is_ascii_lowercase());
        small.then(|| format!("`{self}` matches nothing, because kinds begin with a capital letter"))
    }

    /// Whether the pattern names every kind.
    #[must_use]
    pub fn is_any_kind(&self) -> bool {
        self.kind.chars().all(|c| c == '*')
    }
}

impl fmt::Display for KindPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Kinds of Kubernetes that policies name, to tell when one is written as its resource is (`pods`).
const KINDS: [&str; 31] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CronJob",
    "CustomResourceDefinition",
    "DaemonSet",
    "Deployment",
    "EndpointSlice",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "LimitRange",
    "MutatingWebhookConfiguration",
    "Namespace",
    "NetworkPolicy",
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "PodTemplate",
    "PriorityClass",
    "ReplicaSet",
    "ReplicationController",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
];

/// What the resources of a kind are called, where they are called by the rule. The kind is in small letters.
pub(crate) fn plural(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

/// Subresources begin with a small letter, kinds with a capital.
fn is_subresource(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_lowercase())
}

/// `v`, digits, and optionally `alpha` or `beta` and digits.
fn is_version(part: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = part.strip_prefix('v') else { return false };
    let split = rest.split_once("alpha").or_else(|| rest.split_once("beta"));
    split.map_or_else(|| digits(rest), |(major, minor)| digits(major) && digits(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        let cases = [
            ("Pod", Some(["*", "*", "Pod", ""])),
            ("Pod/exec", Some(["*", "*", "Pod", "exec"])),
            ("Pod.status", Some(["*", "*", "Pod", "status"])),
            ("Pod/*", Some(["*", "*", "Pod", "*"])),
            ("v1/Pod", Some(["*", "v1", "Pod", ""])),
            ("v2beta1/Foo/scale", Some(["*", "v2beta1", "Foo", "scale"])),
            ("*/Pod", Some(["*", "*", "Pod", ""])),
            ("*/Pod/exec", Some(["*", "*", "Pod", "exec"])),
            ("*/scale", Some(["*", "*", "*", "scale"])),
            ("*/*", Some(["*", "*", "*", "*"])),
            ("*", Some(["*", "*", "*", ""])),
            ("apps/v1/Deployment", Some(["apps", "v1", "Deployment", ""])),
            ("apps/*/Deployment", Some(["apps", "*", "Deployment", ""])),
            ("apps/v1/Deployment/scale", Some(["apps", "v1", "Deployment", "scale"])),
            ("*/*/Foo", Some(["*", "*", "Foo", ""])),
            ("*/*/status", Some(["*", "*", "*", "status"])),
            ("v1x/Pod", Some(["*", "*", "v1x", "Pod"])),
            ("apps/Deployment/scale", None),
            ("a/b/C/d", None),
            ("a/v1/C/d/e", None),
            ("", None),
            ("v1/", None),
            ("Pod..status", None),
            ("{{ kind }}", None),
            ("Pod ", None),
        ];
        for (typed, expected) in cases {
            let parsed = KindPattern::parse(typed).map(|k| [k.group, k.version, k.kind, k.subresource]);
            assert_eq!(parsed, expected.map(|parts| parts.map(str::to_owned)), "{typed}");
        }
    }

    #[test]
    fn a_kind_that_can_match_nothing_says_so() {
        for (typed, expected) in [
            ("pods", Some("; write `Pod`")),
            ("pod", Some("; write `Pod`")),
            ("Pods", Some("; write `Pod`")),
            ("apps/v1/deployments", Some("; write `apps/v1/Deployment`")),
            ("networkpolicies", Some("; write `NetworkPolicy`")),
            ("pods/exec", Some("; write `Pod/exec`")),
            ("podTemplate", Some("; write `PodTemplate`")),
            ("tektontask", Some("kinds begin with a capital letter")),
            ("Pod", None),
            ("Task", None),
            ("Ingress", None),
            ("*", None),
            ("p*", None),
            ("*/scale", None),
        ] {
            let found = KindPattern::parse(typed).unwrap().warning();
            assert_eq!(found.is_some(), expected.is_some(), "{typed} {found:?}");
            assert!(found.unwrap_or_default().ends_with(expected.unwrap_or_default()), "{typed}");
        }
    }

    #[test]
    fn subresources_match_only_where_asked_for_but_debug_containers_always_do() {
        let pod = ObjectRef { api_version: "v1".into(), kind: "Pod".into(), ..ObjectRef::default() };
        let web = ObjectRef { api_version: "apps/v1".into(), kind: "Deployment".into(), ..pod.clone() };
        let cases = [
            ("Pod", &pod, "", true),
            ("Pod", &pod, "status", false),
            ("Pod", &pod, "ephemeralcontainers", true),
            ("Pod/status", &pod, "status", true),
            ("Pod/status", &pod, "", false),
            ("*", &web, "", true),
            ("*", &web, "scale", false),
            ("*/*", &web, "scale", true),
            ("*/*", &web, "", true),
            ("*/v1/Deploy*", &web, "", true),
            ("v1beta1/Deployment", &web, "", false),
            ("extensions/v1/Deployment", &web, "", false),
        ];
        for (typed, object, subresource, expected) in cases {
            let pattern = KindPattern::parse(typed).unwrap();
            assert_eq!(pattern.matches(object, subresource), expected, "{typed} {subresource}");
        }
    }
}
