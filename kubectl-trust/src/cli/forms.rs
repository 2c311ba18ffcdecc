//! Which flags have an effect in which form of a verb, and the refusal of those that have none.
//!
//! A verb that takes manifests, images and files shares its flags among them. A flag that is accepted and does nothing
//! is a promise that is not kept: `sign IMAGE --images DIR` would write to the registry, and `verify -f FILE
//! --platform P` would look at no platform. [`table`] says what belongs to which form; this file compares it with
//! what was typed.

mod table;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// What adds flags to a verb, as clap derives it.
type Add = fn(Command) -> Command;

/// A verb, and all of its flags.
struct Verb {
    name: &'static str,
    /// Flags that have an effect in every form, or do no harm where they have none.
    always: &'static [Flags],
    /// The forms. Several may be chosen at once; where none is, the verb itself says what is missing.
    forms: &'static [Form],
    /// Circumstances under which further flags have an effect.
    conditions: &'static [Condition],
    /// Flags without effect in any form, and what to do instead. They are the verb's by a group that it shares.
    nowhere: &'static [(&'static str, &'static str)],
}

/// A way to call a verb.
struct Form {
    /// What its flags are about: "--type belongs to …".
    about: &'static str,
    /// What is done in this form: "it has no effect when …".
    when: &'static str,
    is_chosen: fn(&ArgMatches) -> bool,
    flags: &'static [Flags],
}

/// A circumstance within forms.
struct Condition {
    /// What its flags are about: "--registry-ca belongs to …".
    about: &'static str,
    holds: fn(&ArgMatches) -> bool,
    flags: &'static [Flags],
}

/// Flags, by the names that clap has for them.
enum Flags {
    One(&'static str),
    /// All of a group, also those that are added to it later.
    Group(Add),
}

impl Flags {
    fn holds(&self, id: &str) -> bool {
        match self {
            Self::One(known) => *known == id,
            Self::Group(add) => add(Command::new("")).get_arguments().any(|flag| flag.get_id() == id),
        }
    }
}

fn hold(flags: &[Flags], id: &str) -> bool {
    flags.iter().any(|flags| flags.holds(id))
}

impl Verb {
    /// What a flag is about, in all forms and circumstances in which it has an effect.
    fn about(&self, id: &str) -> Vec<&'static str> {
        let forms = self.forms.iter().filter(|form| hold(form.flags, id)).map(|form| form.about);
        let conditions = self.conditions.iter().filter(|condition| hold(condition.flags, id));
        forms.chain(conditions.map(|condition| condition.about)).collect()
    }

    fn has_effect(&self, id: &str, matches: &ArgMatches) -> bool {
        let in_form = |form: &Form| (form.is_chosen)(matches) && hold(form.flags, id);
        let under = |condition: &Condition| (condition.holds)(matches) && hold(condition.flags, id);
        hold(self.always, id) || self.forms.iter().any(in_form) || self.conditions.iter().any(under)
    }

    /// Why a flag that was typed is refused.
    fn refusal(&self, flag: &Arg, chosen: &[&Form]) -> String {
        let id = flag.get_id().as_str();
        if let Some((_, instead)) = self.nowhere.iter().find(|(known, _)| *known == id) {
            return format!("{} has no effect with `{}`: {instead}", typed(flag), self.name);
        }
        let about = self.about(id).join(", or to ");
        let when = chosen.iter().map(|form| form.when).collect::<Vec<_>>().join(" and ");
        format!("{} belongs to {about}; it has no effect when {when}", typed(flag))
    }
}

/// A flag as people know it.
fn typed(flag: &Arg) -> String {
    match (flag.get_long(), flag.get_short()) {
        (Some(long), Some(short)) => format!("--{long} (-{short})"),
        (Some(long), None) => format!("--{long}"),
        (None, _) => flag.get_id().to_string(),
    }
}

/// Whether an argument stands on the command line.
fn given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// That every flag on the command line has an effect. `command` is what it was parsed by.
///
/// # Errors
/// The flags that have none, a line for each.
pub(crate) fn check(command: &Command, matches: &ArgMatches) -> anyhow::Result<()> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let (Some(verb), Some(flags)) = (table::verb(name), command.find_subcommand(name)) else { return Ok(()) };
    let chosen: Vec<_> = verb.forms.iter().filter(|form| (form.is_chosen)(matches)).collect();
    if chosen.is_empty() {
        return Ok(());
    }
    let idle = |flag: &&Arg| {
        let id = flag.get_id().as_str();
        given(matches, id) && !verb.has_effect(id, matches)
    };
    let refusals: Vec<_> =
        flags.get_arguments().filter(idle).map(|flag| verb.refusal(flag, &chosen)).collect();
    if refusals.is_empty() { Ok(()) } else { Err(anyhow::Error::msg(refusals.join("\n"))) }
}

#[cfg(test)]
mod tests;
