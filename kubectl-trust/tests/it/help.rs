//! Help: of every verb, in the form it was called by, and into a pipe whose reader is gone.

use std::io;

use crate::support::{Place, Ran, ran};

/// The verbs that `--help` lists.
fn verbs(place: &Place) -> Vec<String> {
    let help = place.run("--help").stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let named = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let verbs: Vec<_> = named.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(verbs.len() > 12 && verbs.contains(&"help".to_owned()), "{verbs:?}");
    verbs
}

#[test]
fn help_is_a_verb_that_says_what_the_flag_says() {
    let place = Place::empty();
    for line in ["help", "help --help", "help -h"] {
        assert_eq!(place.run(line), place.run("--help"), "{line}");
    }
    for verb in verbs(&place).iter().filter(|verb| *verb != "help") {
        let shown = place.run(&format!("help {verb}"));
        assert_eq!(shown.code, Some(0), "{verb}");
        assert_eq!(shown, place.run(&format!("{verb} --help")), "{verb}");
    }
    place.refuses("help verfy", &["verfy"]);
}

/// The whole help, examples and wrong usage: one form, and that which was typed.
#[test]
fn help_names_the_form_it_was_called_by() {
    let place = Place::empty();
    let plugin = |line: &str| place.run_env(line, &[("_", "/usr/bin/kubectl")]);
    let direct = |line: &str| place.run_env(line, &[("_", "/usr/local/bin/kubectl-trust")]);
    for verb in verbs(&place) {
        let line = if verb == "help" { "--help".to_owned() } else { format!("{verb} --help") };
        let (kubectl, own) = (plugin(&line).stdout, direct(&line).stdout);
        assert!(kubectl.contains("Usage: kubectl trust "), "{verb}: {kubectl}");
        assert!(kubectl.contains("Examples:\n"), "{verb}: {kubectl}");
        assert!(own.contains("Usage: kubectl-trust ") && !own.contains("\n  kubectl trust"), "{verb}: {own}");
    }
    assert!(plugin("verify --nonsense").stderr.contains("Usage: kubectl trust verify"));
    assert!(direct("verify --nonsense").stderr.contains("Usage: kubectl-trust verify"));
}

/// As `kubectl trust --help | head -1`: the reader is gone before the last byte is written.
#[test]
fn a_closed_pipe_ends_help_quietly() {
    let place = Place::empty();
    for line in ["--help", "-h", "help verify", "verify --help", "--version", "version", "completion bash"] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = place.command();
        let ended = ran(command.args(line.split(' ')).stdout(writer).output().unwrap());
        assert_eq!(ended, Ran { code: Some(0), stdout: String::new(), stderr: String::new() }, "{line}");
    }
}

/// A full disk is not a help that was shown.
#[test]
fn help_that_cannot_be_written_is_no_success() {
    let place = Place::empty();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = ran(place.command().arg("--help").stdout(full).output().unwrap());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    ended.says("--help", &["error: the output cannot be written"]);
}
