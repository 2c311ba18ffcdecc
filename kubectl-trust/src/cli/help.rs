//! The command line as its help shows it: under which heading a flag stands, and examples.

use clap::{Args as _, Command, CommandFactory as _};

use super::{Cli, ClusterArgs, ImageArgs, MatchArgs, SigningArgs, TrustArgs, TufArgs, examples};

/// What adds flags to a verb, as clap derives it.
type Add = fn(Command) -> Command;

/// Flags that several verbs have, with their heading.
const GROUPS: [(Add, &str); 6] = [
    (TrustArgs::augment_args, "Trust"),
    (TufArgs::augment_args, "Trust"),
    (SigningArgs::augment_args, "Signer"),
    (ImageArgs::augment_args, "Images"),
    (MatchArgs::augment_args, "Matching"),
    (ClusterArgs::augment_args, "Cluster"),
];

/// Flags of single verbs that belong to one of those headings.
const FLAGS: [(&str, &str); 6] = [
    ("trusted_root", "Trust"),
    ("offline", "Trust"),
    ("format", "Images"),
    ("signature_repository", "Images"),
    ("signed_reference", "Images"),
    ("platform", "Images"),
];

/// The command line, with help that names the form it was called by.
pub(crate) fn command(called_as: &'static str) -> Command {
    let command = Cli::command().bin_name(called_as);
    let root = examples::of(command.get_name(), called_as);
    let verbs: Vec<_> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let command = command.after_help(root.unwrap_or_default());
    verbs.iter().fold(command, |command, verb| command.mut_subcommand(verb, |verb| shown(verb, called_as)))
}

/// A verb with headings and examples. Every flag gets its heading, also none.
fn shown(verb: Command, called_as: &str) -> Command {
    let groups = groups(&verb);
    let examples = examples::of(verb.get_name(), called_as).unwrap_or_default();
    verb.mut_args(|flag| {
        let heading = heading(flag.get_id().as_str(), &groups);
        flag.help_heading(heading)
    })
    .after_help(examples)
}

/// The groups that a verb has, with their headings. Another verb's flag of the same name is another flag.
fn groups(verb: &Command) -> Vec<(Command, &'static str)> {
    let groups = GROUPS.map(|(add, heading)| (add(Command::new("")), heading));
    let has = |group: &Command| group.get_groups().all(|group| verb.get_groups().any(|has| has == group));
    groups.into_iter().filter(|(group, _)| has(group)).collect()
}

fn heading(flag: &str, groups: &[(Command, &'static str)]) -> Option<&'static str> {
    let holds = |group: &Command| group.get_arguments().any(|known| known.get_id() == flag);
    let group = groups.iter().find(|(group, _)| holds(group)).map(|(_, heading)| *heading);
    group.or_else(|| FLAGS.into_iter().find(|(name, _)| *name == flag).map(|(_, heading)| heading))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(flag: &str) -> Option<&'static str> {
        match flag {
            "keys" | "trusted_root" | "offline" | "tuf_cache" | "insecure_ignore_sct" => Some("Trust"),
            "recordings" | "registry_timeout" | "platform" => Some("Images"),
            "key" | "identity_token" | "signing_config" => Some("Signer"),
            "ignore_fields" => Some("Matching"),
            "kubeconfig" | "namespace" | "request_timeout" => Some("Cluster"),
            _ => None,
        }
    }

    #[test]
    fn every_flag_stands_under_the_heading_of_its_group() {
        let command = command("kubectl trust");
        let own = ["output", "all", "live", "in_place", "append", "files", "blob", "to", "policies"];
        let flags = command.get_subcommands().flat_map(Command::get_arguments);
        let known = flags.filter(|flag| {
            let id = flag.get_id().as_str();
            expected(id).is_some() || own.contains(&id)
        });
        let wrong = |flag: &&clap::Arg| flag.get_help_heading() != expected(flag.get_id().as_str());
        let known: Vec<_> = known.collect();
        assert!(known.len() > 50, "{}", known.len());
        assert_eq!(known.into_iter().find(wrong), None);
    }

    /// Shared flags without a row would stand among those of the verb.
    #[test]
    fn every_shared_group_has_a_heading() {
        let command = command("kubectl trust");
        let groups: Vec<_> = command.get_subcommands().flat_map(Command::get_groups).collect();
        let rows: Vec<_> = GROUPS.into_iter().map(|(add, _)| add(Command::new(""))).collect();
        let known = |id: &clap::Id| rows.iter().flat_map(Command::get_groups).any(|row| row.get_id() == id);
        for group in &groups {
            let id = group.get_id();
            let shared = groups.iter().filter(|other| other.get_id() == id).count() > 1;
            // What is judged and what is printed of it are a verb's own, whatever else it shares.
            let own = ["FileArgs", "VerdictOutput"].contains(&id.as_str());
            assert!(!shared || known(id) || own, "{id}");
        }
    }
}
