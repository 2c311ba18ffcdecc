use super::table::VERBS;
use super::*;
use crate::cli::command;

/// One command line for each form of each verb, and for circumstances that make further flags count.
const LINES: [&str; 19] = [
    "sign -f a --key k",
    "sign 127.0.0.1:1/a --key k",
    "sign --blob a --key k",
    "attest 127.0.0.1:1/a --predicate p --key k",
    "verify -f a --key k",
    "verify 127.0.0.1:1/a --key k",
    "verify 127.0.0.1:1/a --key k --images d",
    "verify --blob a --key k",
    "record 127.0.0.1:1/a --to d",
    "record 127.0.0.1:1/a --to d --images e",
    "verify-resource pod/a --key k",
    "verify-resource -f a --key k",
    "diff pod --key k",
    "diff -f a --key k -o json",
    "test -o junit",
    "apply p -r f",
    "apply p --cluster",
    "explain -f a --policy p",
    "explain --test d",
];

fn parse(line: &str) -> Option<ArgMatches> {
    let words = ["kubectl-trust"].into_iter().chain(line.split(' '));
    command("kubectl trust").try_get_matches_from(words).ok()
}

fn refused(line: &str) -> String {
    let matches = parse(line).unwrap_or_else(|| panic!("{line}: not parsed"));
    check(&command("kubectl trust"), &matches).err().map(|error| error.to_string()).unwrap_or_default()
}

/// A value that the flag's parser takes.
fn value(flag: &Arg) -> Option<String> {
    if !flag.get_num_args().is_some_and(|count| count.takes_values()) && !flag.get_action().takes_values() {
        return None;
    }
    let possible = flag.get_possible_values();
    Some(match (possible.first(), flag.get_id().as_str()) {
        (Some(value), _) => value.get_name().to_owned(),
        (None, "annotations" | "set") => "k=v".to_owned(),
        (None, "warn_exit_code") => "3".to_owned(),
        (None, "platform") => "linux/amd64".to_owned(),
        (None, _) => "x".to_owned(),
    })
}

/// Every flag of every verb, added to every form: it has an effect there, or is refused by its name.
#[test]
fn every_flag_has_an_effect_or_is_refused_by_name() {
    let command = command("kubectl trust");
    let (mut accepted, mut refusals) = (0, 0);
    for line in LINES {
        let name = line.split(' ').next().unwrap();
        let (verb, flags) = (table::verb(name).unwrap(), command.find_subcommand(name).unwrap());
        for flag in flags.get_arguments().filter(|flag| !flag.is_positional()) {
            let long = format!("--{}", flag.get_long().unwrap());
            let value = value(flag).map_or(String::new(), |value| format!(" {value}"));
            let line = format!("{line} {long}{value}");
            // What clap refuses itself (a conflict, a flag that is missing) is refused.
            let Some(matches) = parse(&line) else { continue };
            let said = refused(&line);
            let names = |refusal: &str| refusal.strip_prefix(&long).is_some_and(|rest| rest.starts_with(' '));
            let refused = said.lines().any(|refusal| names(refusal) && refusal.contains("no effect"));
            let effect = verb.has_effect(flag.get_id().as_str(), matches.subcommand().unwrap().1);
            assert_eq!(effect, !refused, "{line}: {said}");
            accepted += usize::from(effect);
            refusals += usize::from(refused);
        }
    }
    assert!(accepted > 200 && refusals > 60, "{accepted} {refusals}");
}

/// A new flag is put into the table, or this fails; and what was taken out of a verb is taken out of its row.
#[test]
fn the_table_has_every_flag_and_no_other() {
    let command = command("kubectl trust");
    let simple = ["keygen", "trust-root", "version", "completion", "man"];
    for verb in command.get_subcommands() {
        let name = verb.get_name();
        let Some(row) = table::verb(name) else {
            assert!(simple.contains(&name), "{name}: no row in the table of forms");
            continue;
        };
        let nowhere = |id: &str| row.nowhere.iter().any(|(known, _)| *known == id);
        for flag in verb.get_arguments() {
            let id = flag.get_id().as_str();
            let somewhere = hold(row.always, id) || !row.about(id).is_empty();
            assert!(
                somewhere != nowhere(id),
                "{name}: {id} stands in no form of the table, or in two places"
            );
        }
        let forms = row.forms.iter().map(|form| form.flags);
        let all = forms.chain(row.conditions.iter().map(|condition| condition.flags)).chain([row.always]);
        let one = |flags: &Flags| match flags {
            Flags::One(id) => Some(*id),
            Flags::Group(_) => None,
        };
        let ids = all.flatten().filter_map(one).chain(row.nowhere.iter().map(|(id, _)| *id));
        for id in ids {
            assert!(verb.get_arguments().any(|flag| flag.get_id() == id), "{name}: {id} is no flag of it");
        }
    }
    for row in VERBS {
        assert!(command.find_subcommand(row.name).is_some(), "{}", row.name);
        assert!(
            LINES.iter().filter(|line| line.split(' ').next() == Some(row.name)).count()
                >= row.forms.len().min(2)
        );
    }
}

#[test]
fn a_refusal_says_where_the_flag_belongs() {
    for (line, expected) in [
        (
            "verify -f a --key k --type spdx",
            "--type belongs to images (IMAGE), or to files of any content (--blob); it has no effect when manifests are \
             verified (-f)",
        ),
        (
            "verify 127.0.0.1:1/a --key k --images d --registry-ca c",
            "--registry-ca belongs to images that are read from a registry, without --images; it has no effect when \
             images are verified",
        ),
        ("verify 127.0.0.1:1/a -f b --key k --ignore-fields c --platform linux/amd64", ""),
        ("verify-resource pod deployment/a --key k -l app=a", ""),
        ("explain --test d policy=p", ""),
        ("explain image a --policy p -n shop", ""),
        ("explain -f a -n shop", ""),
        ("verify --key k --type spdx", ""),
    ] {
        assert_eq!(refused(line), expected, "{line}");
    }
}
