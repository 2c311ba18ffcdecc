//! Tab keys: in bash, zsh and fish as people have them, and the questions that kubectl asks.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use crate::support::{Place, Ran, ran};

/// What is typed before the tab key, and the last word that must then stand there.
const LINES: [(&str, &str); 8] = [
    ("kubectl-trust verify --ke", "--key"),
    ("kubectl-trust verify --key co", "cosign.pub"),
    ("kubectl-trust verify --key=co", "--key=cosign.pub"),
    ("kubectl-trust verify registry.example:5000/app --format leg", "legacy"),
    ("kubectl-trust verify -f app.yaml -o js", "json"),
    ("kubectl-trust explain image a --images im", "images/"),
    ("kubectl-trust verify-resource pod --context st", "staging"),
    ("kubectl-trust trust-r", "trust-root"),
];

const KUBECONFIG: &str =
    "apiVersion: v1\nkind: Config\ncontexts:\n- {name: staging, context: {cluster: a}}\n";

/// A place with a key, a folder and a kubeconfig, where `kubectl-trust` is on `PATH`.
fn place() -> Place {
    let place = Place::empty();
    for (name, content) in
        [("cosign.pub", ""), ("app.yaml", ""), ("images/index.json", ""), ("kube", KUBECONFIG)]
    {
        place.write(name, content);
    }
    fs::create_dir(place.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_kubectl-trust"), place.path("bin/kubectl-trust")).unwrap();
    place
}

/// A shell in that place; `None`, after a loud word, where it is not installed. In CI that is a failure.
fn shell(place: &Place, name: &str) -> Option<Command> {
    if Command::new(name).arg("--version").output().is_err() {
        let advice = format!("{name} is not installed (on Debian: apt-get install {name})");
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{advice}, and CI must not skip");
        // Past the test harness, which would keep it to itself when the test passes.
        let _closed = writeln!(std::io::stderr(), "SKIPPED: {advice}");
        return None;
    }
    let mut command = Command::new(name);
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", place.path("bin").display());
    command.env_clear().current_dir(place.path(".")).env("PATH", path).env("LC_ALL", "C.UTF-8");
    command
        .env("HOME", place.path("..").join("home"))
        .env("TERM", "dumb")
        .env("KUBECONFIG", place.path("kube"));
    Some(command)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Interactive bash reads its keys with readline, from a pipe as from a terminal; Control-U empties the line.
#[test]
fn bash_completes_words_flags_and_values() {
    let place = place();
    let Some(mut bash) = shell(&place, "bash") else { return };
    place.write(
        "bashrc",
        "source <(kubectl-trust completion bash)\nPS1=\nbind 'set completion-query-items 0'\n",
    );
    let mut child = bash
        .args(["--noprofile", "--rcfile", "bashrc", "-i"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Control-A goes to the beginning of the line: what was completed becomes the arguments of printf.
    let mut keys: String = LINES.map(|(typed, _)| format!("{typed}\t\x01printf '<%s>' \n")).concat();
    // Two tabs list all that can stand there.
    keys.push_str("kubectl-trust verify --allow-\t\t\x15exit\n");
    child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
    let shown = text(&child.wait_with_output().unwrap());
    for (typed, expected) in LINES {
        assert!(shown.contains(&format!("<{expected}>")), "{typed}: no {expected} in {shown}");
    }
    let listed: Vec<_> = shown.split_whitespace().collect();
    assert!(listed.contains(&"--allow-namespace") && listed.contains(&"--allow-finalizer"), "{shown}");
}

#[test]
fn zsh_completes_words_flags_and_values() {
    let place = place();
    let Some(mut zsh) = shell(&place, "zsh") else { return };
    place.write("type.zsh", include_str!("completion/type.zsh"));
    let pairs = LINES.iter().flat_map(|(typed, expected)| [typed, expected]);
    let output = zsh.args(["-f", "type.zsh"]).args(pairs).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn fish_completes_words_flags_and_values() {
    let place = place();
    for (typed, expected) in LINES {
        let Some(mut fish) = shell(&place, "fish") else { return };
        let script = format!("kubectl-trust completion fish | source; complete -C '{typed}'");
        let shown = text(&fish.args(["--no-config", "-c", &script]).output().unwrap());
        let found = shown.lines().any(|line| line.split('\t').next() == Some(expected));
        assert!(found, "{typed}: no {expected} in {shown}");
    }
}

/// What kubectl reads: candidates, one a line, each with its description, then a colon and a number.
#[test]
fn kubectl_is_answered_as_cobra_answers() {
    let place = place();
    let asks = |words: &[&str]| place.run_words(&[&["__complete"], words].concat());
    let says = |stdout: &str| Ran { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() };
    assert_eq!(asks(&["verify", "--key", "co"]), says("cosign.pub\n:4\n"));
    assert_eq!(asks(&["verify", "--images", "im"]), says("images/\n:6\n"));
    assert_eq!(asks(&["verify", "--certificate-identity", ""]), says(":4\n"));
    assert_eq!(asks(&["no-such-verb", "--x", ""]).code, Some(0));
    let verbs = asks(&["veri"]).stdout;
    assert!(verbs.starts_with("verify\tVerify signed manifests"), "{verbs}");
    assert!(asks(&[]).stdout.contains("\nexplain\t"));
}

/// The script is what kubectl runs, with the words behind `kubectl trust`.
#[test]
fn the_script_for_kubectl_hands_its_words_on() {
    let place = place();
    let Some(mut sh) = shell(&place, "bash") else { return };
    let script = "kubectl-trust completion kubectl > bin/kubectl_complete-trust && chmod +x bin/kubectl_complete-trust \
                  && exec kubectl_complete-trust verify --format ''";
    let ran = ran(sh.args(["-c", script]).output().unwrap());
    assert_eq!(
        ran,
        Ran { code: Some(0), stdout: "any\nbundle\nlegacy\n:4\n".to_owned(), stderr: String::new() }
    );
}

/// A variable that was set for another purpose, or by an attacker, must not turn a refusal into success.
#[test]
fn the_variable_of_the_scripts_does_not_replace_a_command() {
    let place = place();
    let ran = place.run_env("verify -f app.yaml --key cosign.pub", &[("KUBECTL_TRUST_COMPLETE", "bash")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let ran = place.run_env("-- kubectl-trust v", &[("KUBECTL_TRUST_COMPLETE", "csh")]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    ran.says("csh", &["error: KUBECTL_TRUST_COMPLETE=csh: no such shell"]);
}
