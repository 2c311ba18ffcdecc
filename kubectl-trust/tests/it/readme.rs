//! The README is executed: its transcript is run as it stands and must print what it shows.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Fenced blocks of one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// A folder where `kubectl trust` is our binary, whether or not there is a kubectl on this machine.
fn bin(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let script = format!("#!/bin/sh\nshift\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_kubectl-trust"));
    fs::write(bin.join("kubectl"), script).unwrap();
    Command::new("chmod").arg("+x").arg(bin.join("kubectl")).status().unwrap();
    bin
}

/// Runs every `$ ` line of a transcript and returns the transcript as it really is.
fn run(transcript: &str, folder: &Path) -> String {
    let path = format!("{}:{}", bin(folder).display(), env::var("PATH").unwrap());
    let mut real = String::new();
    for command in transcript.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(folder)
            .env("PATH", &path)
            .env("COSIGN_PASSWORD", "")
            .env("HOME", folder)
            .env("LC_ALL", "C.UTF-8")
            .env("_", "/usr/bin/kubectl")
            .output()
            .unwrap();
        write!(real, "$ {command}\n{}", String::from_utf8(output.stdout).unwrap()).unwrap();
    }
    real
}

/// Keys are new every time; their fingerprints say so.
fn without_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit()).trim_start_matches('…');
        write!(masked, "sha256:…{rest}").unwrap();
    }
    masked
}

#[test]
fn the_transcript_is_what_happens() {
    let page = fs::read_to_string(repository().join("README.md")).unwrap();
    let transcripts = blocks(&page, "console");
    assert!(!transcripts.is_empty(), "the README shows no transcript");
    let folder = tempfile::tempdir().unwrap();
    let manifest = blocks(&page, "yaml").into_iter().next().unwrap();
    fs::write(folder.path().join("web.yaml"), manifest).unwrap();
    // What a command reads stands where it does for people who are at the root of the repository.
    std::os::unix::fs::symlink(repository().join("examples"), folder.path().join("examples")).unwrap();
    for transcript in transcripts {
        let real = run(&transcript, folder.path());
        let same = without_digests(&real) == without_digests(&transcript);
        assert!(same, "the README shows:\n{transcript}\nand this happens:\n{real}");
    }
}

/// Two commands for a fresh machine, and no third; the second is the one that CI runs.
#[test]
fn two_commands_are_enough() {
    let page = fs::read_to_string(repository().join("README.md")).unwrap();
    let commands: Vec<_> = blocks(&page, "sh").iter().map(|block| block.trim().to_owned()).collect();
    assert_eq!(
        commands[..2],
        ["cargo run --release --bin kubectl-trust -- test examples", "cargo test --workspace"]
    );
    let ci = fs::read_to_string(repository().join(".ci/run")).unwrap();
    assert!(ci.contains("cargo test --workspace"), "CI must run the README's command");
}

/// Every command of an example's README, except those that need more than the files.
#[test]
fn the_examples_do_what_their_pages_say() {
    for entry in fs::read_dir(repository().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(page) = fs::read_to_string(folder.join("README.md")) else { continue };
        let work = tempfile::tempdir().unwrap();
        let path = format!("{}:{}", bin(work.path()).display(), env::var("PATH").unwrap());
        let commands: Vec<_> = blocks(&page, "sh")
            .iter()
            .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        assert!(!commands.is_empty(), "{}: no command", folder.display());
        for command in commands {
            let status = Command::new("sh")
                .args(["-c", &command])
                .current_dir(repository())
                .env("PATH", &path)
                .output()
                .unwrap();
            // A test passes; an explanation of bad input is a refusal.
            let expected = i32::from(command.contains("explain"));
            let shown = String::from_utf8_lossy(&status.stdout).into_owned()
                + &String::from_utf8_lossy(&status.stderr);
            assert_eq!(status.status.code(), Some(expected), "{command}\n{shown}");
        }
    }
}

/// The README says how many examples there are.
#[test]
fn the_examples_are_counted() {
    const WORDS: [&str; 13] = [
        "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    let folders = fs::read_dir(repository().join("examples")).unwrap();
    let tests =
        folders.filter(|folder| folder.as_ref().unwrap().path().join("kyverno-test.yaml").is_file()).count();
    let page = fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(page.contains(&format!("{} scenarios to copy", WORDS[tests])), "{tests} examples have a test");
}

/// Flags of the commands that CI is shown are flags of ours: none is misspelt, none belongs to another form.
#[test]
fn what_ci_is_shown_can_be_typed() {
    let page = fs::read_to_string(repository().join("README.md")).unwrap();
    let steps = blocks(&page, "yaml").concat();
    let commands: Vec<_> = steps.lines().filter_map(|line| line.split_once("kubectl trust ")).collect();
    assert_eq!(commands.len(), 6, "{steps}");
    let folder = tempfile::tempdir().unwrap();
    for (_, command) in commands {
        let words = command.split(['#', ')', ']']).next().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-trust"))
            .args(words.split_whitespace().filter(|word| !word.contains("registry.example.com")))
            .current_dir(folder.path())
            .env_clear()
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words}: there is nothing to judge");
        assert!(!said.contains("Usage:") && !said.contains("unexpected argument"), "{words}: {said}");
    }
}
