//! What people should know of the policies and tests that were read: each kind of it once, with the places.

use std::collections::{BTreeMap, HashMap, HashSet};

use common::dialect::SetWarning;
use common::object::ObjectRef;

use crate::manifests::PassedOver;
use crate::output::Printer;

/// Places, or policies, that stand on a line beside the first; the others are counted.
const NAMED: usize = 3;

/// Warnings of everything that one run reads.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    kinds: Vec<Kind>,
    /// Where the kind of a message stands among `kinds`.
    by_message: HashMap<String, usize>,
    /// Policies of kinds that are not ours, each with its place.
    not_judged: Vec<(String, ObjectRef)>,
    /// Their places, to tell a file that is read again.
    not_judged_in: HashSet<String>,
    passed_over: PassedOver,
}

/// What is said of several places in the same words.
#[derive(Debug)]
struct Kind {
    /// The field at the first place, where one is named.
    subject: String,
    message: String,
    /// The first places, in the order in which they were read: those that are shown.
    first: Vec<String>,
    /// Every place.
    places: HashSet<String>,
}

impl Warnings {
    /// Takes in what a set of policies says.
    pub(crate) fn extend(&mut self, warnings: impl IntoIterator<Item = SetWarning>) {
        for warning in warnings {
            match warning {
                SetWarning::Field { place, warning } => {
                    self.add(place, warning.path.to_string(), warning.message);
                }
                SetWarning::NotJudged { place, object } => {
                    let is_new = self.not_judged_in.insert(place.clone());
                    self.not_judged.extend(is_new.then_some((place, object)));
                }
                SetWarning::MissingRoot { ref policy, ref root } => {
                    let message = format!("there is no TrustRoot {root}; what needs it cannot be decided");
                    self.add(format!("{} {policy}", policy.kind), String::new(), message);
                }
            }
        }
    }

    /// Takes in that something is to be said of a place; `subject` is the field, and may be empty.
    pub(crate) fn add(&mut self, place: String, subject: String, message: String) {
        let index = *self.by_message.entry(message.clone()).or_insert(self.kinds.len());
        if index == self.kinds.len() {
            self.kinds.push(Kind { subject, message, first: Vec::new(), places: HashSet::new() });
        }
        if let Some(kind) = self.kinds.get_mut(index) {
            kind.add(place);
        }
    }

    /// Takes in what was passed over in folders of policies.
    pub(crate) fn passed_over(&mut self, more: PassedOver) {
        self.passed_over.extend(more);
    }

    /// Prints a line for each kind.
    pub(crate) fn say(&self, printer: &mut Printer) {
        self.lines().iter().for_each(|line| printer.note_line(format_args!("warning: {line}")));
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.kinds.iter().map(Kind::line).collect();
        lines.extend(not_judged(&self.not_judged));
        lines.extend(self.passed_over.line());
        lines
    }
}

impl Kind {
    /// A file that several tests name is read for each of them, and is one place all the same.
    fn add(&mut self, place: String) {
        if self.places.contains(&place) {
            return;
        }
        if self.first.len() <= NAMED {
            self.first.push(place.clone());
        }
        self.places.insert(place);
    }

    /// `policy.yaml:12:9: spec.rules[0].match: … (also policy.yaml:20:9 and 4 more places)`.
    fn line(&self) -> String {
        let Self { subject, message, first, places } = self;
        let (place, others) = first.split_first().map_or(("", &[][..]), |(place, rest)| (place, rest));
        let subject = if subject.is_empty() { String::new() } else { format!("{subject}: ") };
        let also = match places.len() - 1 - others.len() {
            0 if others.is_empty() => String::new(),
            0 => format!(" (also {})", others.join(", ")),
            1 => format!(" (also {} and 1 more place)", others.join(", ")),
            more => format!(" (also {} and {more} more places)", others.join(", ")),
        };
        format!("{place}: {subject}{message}{also}")
    }
}

/// One line about all policies of kinds that are not ours: how many of which kinds, and the first names.
fn not_judged(all: &[(String, ObjectRef)]) -> Option<String> {
    let (place, first) = all.first()?;
    if all.len() == 1 {
        return Some(format!("{place}: {} {} is not judged by kubectl trust", first.kind, first.name));
    }
    let mut kinds = BTreeMap::<&str, usize>::new();
    for (_, object) in all {
        *kinds.entry(&object.kind).or_default() += 1;
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let names: Vec<_> = all.iter().take(NAMED).map(|(_, object)| object.name.as_str()).collect();
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "{} policies are not judged by kubectl trust ({}): {}{more}; the first is in {place}",
        all.len(),
        kinds.join(", "),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use common::object::FieldPath;
    use common::policy::{PolicyId, PolicyWarning};

    use super::*;

    fn field(place: &str, path: &str, message: &str) -> SetWarning {
        let warning = PolicyWarning { path: FieldPath::keys([path]), message: message.to_owned() };
        SetWarning::Field { place: place.to_owned(), warning }
    }

    fn other(place: &str, kind: &str, name: &str) -> SetWarning {
        let object = ObjectRef { kind: kind.to_owned(), name: name.to_owned(), ..ObjectRef::default() };
        SetWarning::NotJudged { place: place.to_owned(), object }
    }

    fn lines(all: impl IntoIterator<Item = SetWarning>) -> Vec<String> {
        let mut warnings = Warnings::default();
        warnings.extend(all);
        warnings.lines()
    }

    #[test]
    fn a_kind_is_one_line_with_its_first_place() {
        let many = (1..=9).map(|line| field(&format!("p.yaml:{line}:3"), &format!("f{line}"), "is old"));
        let found =
            lines(many.chain([field("q.yaml:1:1", "g", "is new"), field("p.yaml:1:3", "f1", "is old")]));
        assert_eq!(
            found,
            [
                "p.yaml:1:3: f1: is old (also p.yaml:2:3, p.yaml:3:3, p.yaml:4:3 and 5 more places)",
                "q.yaml:1:1: g: is new",
            ]
        );
        assert_eq!(lines([field("a:1:1", "f", "x"), field("b:1:1", "f", "x")]), ["a:1:1: f: x (also b:1:1)"]);
    }

    #[test]
    fn policies_of_other_kinds_are_one_line() {
        assert_eq!(
            lines([other("p.yaml:3", "ValidatingPolicy", "a")]),
            ["p.yaml:3: ValidatingPolicy a is not judged by kubectl trust"]
        );
        let many = (0..5).map(|n| other(&format!("p{n}.yaml:1"), "ValidatingPolicy", &format!("v{n}")));
        assert_eq!(
            lines(
                many.chain([
                    other("c.yaml:1", "CleanupPolicy", "c"),
                    other("c.yaml:1", "CleanupPolicy", "c")
                ])
            ),
            [
                "6 policies are not judged by kubectl trust (1 CleanupPolicy, 5 ValidatingPolicy): v0, v1, v2 and 3 more; \
              the first is in p0.yaml:1"
            ]
        );
    }

    #[test]
    fn a_missing_root_is_said_once() {
        let missing = |name: &str| SetWarning::MissingRoot {
            policy: PolicyId { kind: "TrustPolicy".to_owned(), name: name.to_owned(), ..PolicyId::default() },
            root: "r".to_owned(),
        };
        assert_eq!(
            lines([missing("a"), missing("b")]),
            ["TrustPolicy a: there is no TrustRoot r; what needs it cannot be decided (also TrustPolicy b)"]
        );
    }
}
