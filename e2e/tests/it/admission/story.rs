//! The story that people read (`examples/in-a-cluster`), run as it stands.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use e2e::operator::Guarded;
use e2e::process;
use e2e::programs;
use tempfile::TempDir;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Runs every `$ ` line of a transcript and gives the transcript as it really is.
fn run(transcript: &str, guarded: &Guarded, bin: &Path) -> String {
    let mut real = String::new();
    for command in transcript.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let mut shell = process::isolated("sh", bin);
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        shell.args(["-c", &format!("exec 2>&1; {command}")]).current_dir(repository());
        shell.env("PATH", path).env("KUBECONFIG", guarded.api.kubeconfig());
        write!(real, "$ {command}\n{}", process::run(&mut shell).unwrap().stdout).unwrap();
    }
    real
}

/// The names of requests are new every time.
fn without_requests(text: &str) -> String {
    let mask = |line: &str| match line.split_once("request:    ") {
        Some((before, _)) => format!("{before}request:    …\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(mask).collect()
}

/// With `UPDATE_TRANSCRIPTS` set, the page is written anew.
#[test]
fn the_story_is_what_happens() {
    let (Some(guarded), Some(kubectl)) = (Guarded::bare().unwrap(), programs::find("kubectl").unwrap())
    else {
        return;
    };
    let bin = TempDir::with_prefix("trust-e2e-story-").unwrap();
    std::os::unix::fs::symlink(kubectl, bin.path().join("kubectl")).unwrap();
    let page = repository().join("examples/in-a-cluster/README.md");
    let text = fs::read_to_string(&page).unwrap();
    let images = repository().join("examples/check-image/images").display().to_string();
    let mut real = String::new();
    for (number, part) in text.split("```console\n").enumerate() {
        let Some((transcript, rest)) = part.split_once("```").filter(|_| number > 0) else {
            real.push_str(part);
            continue;
        };
        let happened = without_requests(&run(transcript, &guarded, bin.path()));
        write!(real, "```console\n{happened}```{rest}").unwrap();
        if number == 1 {
            guarded.run(&["--images", &images]).unwrap();
        }
    }
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&page, real).unwrap();
    } else {
        assert_eq!(text, real);
    }
}
