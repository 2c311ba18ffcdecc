//! What people see, word for word: every file below `transcripts/` is a session that is run again.
//!
//! A line `$ kubectl-trust …` is run; what follows is its output, `2> ` in front of what goes to standard
//! error, then `exit` and the code. Digests are replaced. `UPDATE_TRANSCRIPTS=1` writes what was found; read
//! the difference before you keep it.

use std::fs;
use std::path::Path;

use crate::support::{CONFIG_MAP, Place, RELEASE};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/transcripts");

/// Words of a line; single quotes keep spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn session(name: &str, place: &Place) {
    let path = Path::new(FOLDER).join(format!("{name}.txt"));
    let expected = fs::read_to_string(&path).unwrap();
    let mut found = String::new();
    for line in expected.lines() {
        if line.starts_with('#') {
            found.push_str(&format!("{line}\n"));
        }
        let Some(command) = line.strip_prefix("$ ") else { continue };
        found.push_str(&format!("{line}\n"));
        let words = words(command);
        let (variables, words): (Vec<_>, Vec<_>) = words.iter().partition(|word| {
            word.split_once('=')
                .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        });
        let mut run = place.command();
        run.envs(variables.iter().filter_map(|word| word.split_once('=')));
        let ran = crate::support::ran(run.args(&words[1..]).output().unwrap());
        assert!(!ran.stderr.contains("panicked"), "{command}: {ran:?}");
        found.push_str(&ran.transcript());
    }
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    assert!(found == expected, "{}:\n{found}", path.display());
}

fn tampered(place: &Place) {
    let signed = place.read("signed.yaml");
    place.write(
        "tampered.yaml",
        signed.replace("replicas: 2", "replicas: 5").replace("nginx:1.27.2", "nginx:1.27.3"),
    );
}

#[test]
fn manifests() {
    let place = Place::signed(RELEASE);
    tampered(&place);
    place.write("moved.yaml", place.read("signed.yaml").replace("namespace: prod", "namespace: test"));
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n";
    place.write("secret.yaml", secret);
    session("manifests", &place);
}

#[test]
fn policies() {
    let place = Place::signed(CONFIG_MAP);
    crate::policies::set_up(&place);
    session("policies", &place);
}

#[test]
fn tests() {
    let place = Place::signed(CONFIG_MAP);
    crate::policies::set_up(&place);
    session("tests", &place);
}

#[test]
fn help() {
    session("help", &Place::empty());
}
