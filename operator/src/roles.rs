//! The roles of users, for rules that select by them (`match.roles`, `match.clusterRoles`). The API server sends
//! names and groups only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use common::policy::UserInfo;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};

/// What one binding gives, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Where the binding stands, among all of its kind.
    pub name: (Kind, String, String),
    to: Vec<Holder>,
    role: Held,
}

/// Kinds of bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// In a namespace.
    Role,
    /// In the whole cluster.
    ClusterRole,
}

/// Who has a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    User(String),
    Group(String),
}

/// A role that somebody has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// `namespace:name`.
    Role(String),
    ClusterRole(String),
}

impl From<&RoleBinding> for Grant {
    fn from(binding: &RoleBinding) -> Self {
        let namespace = binding.metadata.namespace.clone().unwrap_or_default();
        let name = binding.metadata.name.clone().unwrap_or_default();
        let to = holders(binding.subjects.as_deref(), &namespace);
        Self { to, role: held(&binding.role_ref, &namespace), name: (Kind::Role, namespace, name) }
    }
}

impl From<&ClusterRoleBinding> for Grant {
    fn from(binding: &ClusterRoleBinding) -> Self {
        let name = binding.metadata.name.clone().unwrap_or_default();
        let to = holders(binding.subjects.as_deref(), "");
        Self { to, role: held(&binding.role_ref, ""), name: (Kind::ClusterRole, String::new(), name) }
    }
}

fn held(role: &RoleRef, namespace: &str) -> Held {
    if role.kind == "Role" {
        return Held::Role(format!("{namespace}:{}", role.name));
    }
    Held::ClusterRole(role.name.clone())
}

fn holders(subjects: Option<&[Subject]>, namespace: &str) -> Vec<Holder> {
    let holder = |subject: &Subject| match subject.kind.as_str() {
        "User" => Some(Holder::User(subject.name.clone())),
        "Group" => Some(Holder::Group(subject.name.clone())),
        "ServiceAccount" => {
            let namespace = subject.namespace.as_deref().unwrap_or(namespace);
            Some(Holder::User(format!("system:serviceaccount:{namespace}:{}", subject.name)))
        }
        _ => None,
    };
    subjects.into_iter().flatten().filter_map(holder).collect()
}

/// The roles of users, as far as the bindings are known.
#[derive(Debug, Default)]
pub struct Roles(Mutex<Bindings>);

#[derive(Debug, Default)]
struct Bindings {
    /// Kinds of which all bindings are known.
    known: BTreeSet<Kind>,
    grants: BTreeMap<(Kind, String, String), Arc<Grant>>,
    /// By holder; worked out when somebody asks after a change.
    index: Option<HashMap<Holder, BTreeSet<Held>>>,
}

impl Roles {
    /// The user with the roles that bindings give; `None` until all bindings are known.
    #[must_use]
    pub fn of(&self, user: &UserInfo) -> Option<UserInfo> {
        let mut bindings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bindings.known.len() < 2 {
            return None;
        }
        let index = bindings.index();
        let groups = user.groups.iter().map(|group| Holder::Group(group.clone()));
        let holders = groups.chain([Holder::User(user.username.clone())]);
        let held: BTreeSet<_> = holders.filter_map(|holder| index.get(&holder)).flatten().cloned().collect();
        let mut user = UserInfo { roles: Vec::new(), cluster_roles: Vec::new(), ..user.clone() };
        for role in held {
            match role {
                Held::Role(name) => user.roles.push(name),
                Held::ClusterRole(name) => user.cluster_roles.push(name),
            }
        }
        Some(user)
    }

    /// All bindings of a kind.
    pub fn replace(&self, kind: Kind, grants: impl IntoIterator<Item = Grant>) {
        self.with(|bindings| {
            bindings.grants.retain(|name, _| name.0 != kind);
            bindings.grants.extend(grants.into_iter().map(|grant| (grant.name.clone(), Arc::new(grant))));
            bindings.known.insert(kind);
        });
    }

    /// A binding is there, new or changed.
    pub fn put(&self, grant: Grant) {
        self.with(|bindings| drop(bindings.grants.insert(grant.name.clone(), Arc::new(grant))));
    }

    /// A binding is gone.
    pub fn remove(&self, grant: &Grant) {
        self.with(|bindings| drop(bindings.grants.remove(&grant.name)));
    }

    fn with(&self, change: impl FnOnce(&mut Bindings)) {
        let mut bindings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut bindings);
        bindings.index = None;
    }
}

impl Bindings {
    fn index(&mut self) -> &HashMap<Holder, BTreeSet<Held>> {
        let grants = &self.grants;
        self.index.get_or_insert_with(|| {
            let mut index: HashMap<Holder, BTreeSet<Held>> = HashMap::new();
            let held = grants.values().flat_map(|grant| grant.to.iter().map(|holder| (holder, &grant.role)));
            for (holder, role) in held {
                index.entry(holder.clone()).or_default().insert(role.clone());
            }
            index
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn in_shop(name: &str, role: &str, subjects: &serde_json::Value) -> Grant {
        let binding: RoleBinding = serde_json::from_value(json!({"metadata": {"name": name, "namespace": "shop"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": "edit"}, "subjects": subjects}))
        .unwrap();
        Grant::from(&binding)
    }

    fn everywhere(name: &str, subjects: &serde_json::Value) -> Grant {
        let binding: ClusterRoleBinding = serde_json::from_value(json!({"metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": subjects}))
        .unwrap();
        Grant::from(&binding)
    }

    fn user(name: &str, groups: &[&str]) -> UserInfo {
        let groups = groups.iter().map(ToString::to_string).collect();
        UserInfo { username: name.to_owned(), groups, ..UserInfo::default() }
    }

    #[test]
    fn roles_come_by_name_group_and_account() {
        let roles = Roles::default();
        roles.replace(
            Kind::Role,
            [
                in_shop(
                    "a",
                    "Role",
                    &json!([{"kind": "User", "name": "dev"}, {"kind": "ServiceAccount", "name": "ci"}]),
                ),
                in_shop("b", "ClusterRole", &json!([{"kind": "Group", "name": "ops"}])),
            ],
        );
        assert!(roles.of(&user("dev", &[])).is_none(), "not all bindings are known");
        roles.replace(
            Kind::ClusterRole,
            [everywhere("a", &json!([{"kind": "Group", "name": "system:masters"}]))],
        );
        let of = |name: &str, groups: &[&str]| {
            let user = roles.of(&user(name, groups)).unwrap();
            (user.roles.join(" "), user.cluster_roles.join(" "))
        };
        let both = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of("dev", &[]), both("shop:edit", ""));
        assert_eq!(of("system:serviceaccount:shop:ci", &[]), both("shop:edit", ""));
        assert_eq!(of("system:serviceaccount:other:ci", &[]), both("", ""));
        assert_eq!(of("x", &["ops", "system:masters"]), both("", "cluster-admin edit"));
        // A user is not the group of his name.
        assert_eq!(of("ops", &["dev"]), both("", ""));
        roles.put(everywhere("b", &json!([{"kind": "User", "name": "dev"}])));
        assert_eq!(of("dev", &[]), both("shop:edit", "cluster-admin"));
        roles.remove(&everywhere("b", &json!([])));
        roles.replace(Kind::Role, []);
        assert_eq!(of("dev", &["ops"]), both("", ""));
    }
}
