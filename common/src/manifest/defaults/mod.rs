//! What the API server, its admission plugins and its controllers make of a manifest: the table of
//! `spec/server-effects.md` as data, one file per part of that table.
//!
//! Every row has one direction: it lets an object *gain* what the row says (or, for `drop` and `equal`,
//! lose or rewrite it), never the other way round. A subtree that was signed in part is completed field
//! by field; a subtree that was not signed must equal the whole default. Whatever no row explains is a
//! difference.

mod cluster;
pub(super) mod every;
mod extension;
mod pod;
mod policy;
pub(super) mod quantity;
mod rules;
pub(super) mod site;
pub(super) mod table;
mod workload;

use serde_json::Value;

use self::site::Site;
use crate::object::Origin;

/// The value the server would have put at a place, computed from the objects around it; `None` where
/// the server puts nothing. For allocated values: the value found, where its shape is right.
pub(super) type Expected = fn(&Site<'_>) -> Option<Value>;

/// A condition on the objects around a place.
pub(super) type Guard = fn(&Site<'_>) -> bool;

/// What the server does at a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// *const*: this text.
    Text(&'static str),
    /// *const*: this number.
    Int(i64),
    /// *const*: this boolean.
    Flag(bool),
    /// *const*: a `null` that the server writes out.
    Null,
    /// *const*: this JSON.
    Json(&'static str),
    /// *empty*: `{}` and nothing else.
    Empty,
    /// *calc*: recomputed from the signed object.
    Calc(Expected),
    /// *alloc*: free within a shape.
    Alloc(Expected),
    /// *ctl*: written by a controller or an admission plugin.
    Ctl(Expected),
    /// *ctl*: written by one, and always this JSON.
    Set(&'static str),
    /// *drop*: a signed `false`, `0` or `""` may be gone (a field that Go omits when empty).
    Zero,
    /// *drop*: a signed `{}` may be gone (a map with free keys, not an object with fields).
    Map,
    /// *drop*: the rules for every kind (`null` and `[]` may be gone, text equal by value, ...).
    Generic,
    /// *equal*: a quantity, compared by value.
    Quantity,
    /// *equal*: rewritten by a rule of its own.
    Rewritten,
    /// Free-form JSON that the server keeps as it is: nothing may be dropped below.
    Opaque,
}

/// In which objects an effect can be seen (the table of admission phases).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everywhere: defaults and rewritings need no cluster state.
    Anywhere,
    /// In live objects and validating reviews: nobody has allocated anything in a plain file.
    Cluster,
    /// In live objects only: controllers write after admission.
    Live,
}

/// Something a reader must know although nothing differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Warning {
    /// The rules of an aggregated `ClusterRole` were written by a controller; no signature vouches for
    /// them.
    AggregatedRules,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AggregatedRules => {
                f.write_str("aggregated by a controller; no signature vouches for these rules")
            }
        }
    }
}

/// One row of the table: what the server may do at one place in objects of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    path: &'static str,
    rule: Rule,
    reach: Reach,
    zeroed: bool,
    guard: Option<Guard>,
    warning: Option<Warning>,
}

impl Row {
    /// The place as the table writes it. Rows about pod specs start at the pod spec, `C` stands for
    /// each container of any of its three lists, `{a,b}` for either, `[]` for any element, `*` for any
    /// key.
    #[must_use]
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The effect as the table names it: `const`, `calc`, `empty`, `drop`, `equal`, `alloc` or `ctl`.
    #[must_use]
    pub fn effect(&self) -> &'static str {
        match self.rule {
            Rule::Text(_) | Rule::Int(_) | Rule::Flag(_) | Rule::Null | Rule::Json(_) => "const",
            Rule::Empty => "empty",
            Rule::Calc(_) => "calc",
            Rule::Alloc(_) => "alloc",
            Rule::Ctl(_) | Rule::Set(_) => "ctl",
            Rule::Zero | Rule::Map | Rule::Generic | Rule::Opaque => "drop",
            Rule::Quantity | Rule::Rewritten => "equal",
        }
    }

    /// What a reader must know when this row applied.
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        self.warning
    }

    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    /// Whether a signed `""` or `0` counts as not signed here (a field that is not a pointer in Go).
    pub(super) fn zeroed(&self) -> bool {
        self.zeroed
    }

    /// Whether the effect can be seen in an object of this origin.
    pub(super) fn reaches(&self, origin: Origin) -> bool {
        match self.reach {
            Reach::Anywhere => true,
            Reach::Cluster => matches!(origin, Origin::Live | Origin::Review),
            Reach::Live => matches!(origin, Origin::Live),
        }
    }

    /// Whether the effect can be seen in a change under review because it was there before.
    pub(super) fn may_stay(&self, origin: Origin) -> bool {
        matches!((&self.reach, origin), (Reach::Live, Origin::Review))
    }

    pub(super) fn applies(&self, site: &Site<'_>) -> bool {
        self.guard.is_none_or(|guard| guard(site))
    }

    pub(super) const fn when(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    pub(super) const fn or_zero(mut self) -> Self {
        self.zeroed = true;
        self
    }

    /// For effects that need a cluster although they are recomputed.
    pub(super) const fn in_cluster(mut self) -> Self {
        self.reach = Reach::Cluster;
        self
    }

    pub(super) const fn live_only(mut self) -> Self {
        self.reach = Reach::Live;
        self
    }

    pub(super) const fn warns(mut self, warning: Warning) -> Self {
        self.warning = Some(warning);
        self
    }
}

/// A row. Allocated and controller-set values need a cluster, everything else does not.
pub(super) const fn row(path: &'static str, rule: Rule) -> Row {
    let reach = match rule {
        Rule::Alloc(_) | Rule::Ctl(_) | Rule::Set(_) => Reach::Cluster,
        Rule::Text(_)
        | Rule::Int(_)
        | Rule::Flag(_)
        | Rule::Null
        | Rule::Json(_)
        | Rule::Empty
        | Rule::Calc(_)
        | Rule::Zero
        | Rule::Map
        | Rule::Generic
        | Rule::Quantity
        | Rule::Rewritten
        | Rule::Opaque => Reach::Anywhere,
    };
    Row { path, rule, reach, zeroed: false, guard: None, warning: None }
}

/// Where a kind keeps pod specs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pods {
    /// Nowhere.
    None,
    /// `spec` is a pod spec.
    Own,
    /// A pod template stands at this path.
    Template(&'static str),
}

/// The rows of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    group: &'static str,
    /// Empty: every version.
    version: &'static str,
    name: &'static str,
    pods: Pods,
    rows: &'static [Row],
}

/// A kind whose rows hold for every version of its group.
pub(super) const fn kind(group: &'static str, name: &'static str, rows: &'static [Row]) -> Kind {
    Kind { group, version: "", name, pods: Pods::None, rows }
}

impl Kind {
    pub(super) const fn template(mut self, path: &'static str) -> Self {
        self.pods = Pods::Template(path);
        self
    }

    pub(super) const fn pod(mut self) -> Self {
        self.pods = Pods::Own;
        self
    }

    pub(super) const fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }
}
