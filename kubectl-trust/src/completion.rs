//! What shells and kubectl ask while a command line is being typed, and the answers.
//!
//! The scripts that `completion SHELL` prints hold no flags. They run this program with the words typed so far, and
//! the engine of `clap_complete` finds what can stand next: verbs, flags, the values of a flag, files.

mod bash;
pub(crate) mod values;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::bail;
use clap::Command;
use clap_complete::CompletionCandidate;
use clap_complete::engine::complete;
use clap_complete::env::Shells;

use self::bash::Typed;

/// The environment variable by which a script says for which shell it asks.
pub(crate) const VARIABLE: &str = "KUBECTL_TRUST_COMPLETE";
/// The first argument of kubectl's question, which is also cobra's.
pub(crate) const WORD: &str = "__complete";

/// A question that is no command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    /// A shell asks; the words begin with the program's name.
    Shell {
        /// Its name, or the path of its program.
        shell: OsString,
        /// The words typed so far. Which of them is completed stands in variables of the script.
        words: &'a [OsString],
    },
    /// kubectl asks: the last word is the one to complete, and may be empty.
    Kubectl(&'a [OsString]),
}

/// The question that arguments ask, if they ask one. `shell` is the value of [`VARIABLE`]. The variable alone is no
/// question: inherited by mistake, it must not turn `verify` into a program that prints a script and ends well.
pub(crate) fn asked(args: &[OsString], shell: Option<OsString>) -> Option<Question<'_>> {
    let (first, words) = args.get(1..)?.split_first()?;
    if first == WORD {
        return Some(Question::Kubectl(words));
    }
    let shell = shell.filter(|shell| !shell.is_empty())?;
    (first == "--").then_some(Question::Shell { shell, words })
}

/// The answer, for standard output as it is.
///
/// # Errors
/// No such shell, or no answer that it could read.
pub(crate) fn answer(question: &Question<'_>, mut command: Command) -> anyhow::Result<Vec<u8>> {
    let folder = env::current_dir().ok();
    match question {
        Question::Shell { shell, words } => for_shell(shell, words, &mut command, folder.as_deref()),
        Question::Kubectl(words) => Ok(for_kubectl(words, &mut command, folder.as_deref()).into_bytes()),
    }
}

fn for_shell(
    shell: &OsStr,
    words: &[OsString],
    command: &mut Command,
    folder: Option<&Path>,
) -> anyhow::Result<Vec<u8>> {
    let name = Path::new(shell).file_stem().unwrap_or(shell).to_string_lossy();
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(&name) else {
        bail!("{VARIABLE}={name}: no such shell; `kubectl trust completion SHELL` prints a script that asks");
    };
    if shell.name() == "bash" {
        return Ok(for_bash(words, command, folder).into_bytes());
    }
    let mut answer = Vec::new();
    shell.write_complete(command, words.to_vec(), folder, &mut answer)?;
    Ok(answer)
}

fn for_kubectl(words: &[OsString], command: &mut Command, folder: Option<&Path>) -> String {
    let mut typed = vec![OsString::from(command.get_name())];
    typed.extend_from_slice(words);
    if words.is_empty() {
        typed.push(OsString::new());
    }
    let last = typed.len() - 1;
    for_cobra(&complete(command, typed, last, folder).unwrap_or_default())
}

/// The answer as the script for bash reads it. The index of the word to complete and what parts candidates stand in
/// variables of that script (`clap_complete::env::Bash`).
fn for_bash(parts: &[OsString], command: &mut Command, folder: Option<&Path>) -> String {
    let variable = |name| env::var(name).ok();
    let index = variable("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok()).unwrap_or_default();
    let between = variable("_CLAP_IFS").unwrap_or_else(|| "\n".to_owned());
    let Typed { words, index, kept } = bash::typed(parts, index);
    let found = complete(command, words, index, folder).unwrap_or_default();
    let values = found.iter().map(|candidate| bash::put_in(candidate.get_value(), &kept));
    values.collect::<Vec<_>>().join(&between)
}

/// `ShellCompDirective` of github.com/spf13/cobra, completions.go: no blank behind the candidate.
const NO_SPACE: u8 = 2;
/// As above: the shell must not offer file names of its own.
const NO_FILES: u8 = 4;

/// The answer as kubectl reads it (`pluginCompletion` in k8s.io/kubectl/pkg/cmd/plugin): one candidate a line, a tab
/// and its description behind it, and in the last line a colon and the directive.
fn for_cobra(found: &[CompletionCandidate]) -> String {
    let mut text = String::new();
    let mut directive = NO_FILES;
    for candidate in found {
        // Attack: a file whose name holds a line feed, and so a candidate or a directive of its own.
        let Some(value) = candidate.get_value().to_str().filter(|value| !value.contains(char::is_control))
        else {
            continue;
        };
        text.push_str(value);
        if let Some(help) = candidate.get_help() {
            let help = help.to_string();
            let line = help.lines().next().unwrap_or_default();
            text.push('\t');
            text.extend(line.chars().filter(|c| !c.is_control()));
        }
        text.push('\n');
        if value.ends_with(['/', '=']) {
            directive |= NO_SPACE;
        }
    }
    text + &format!(":{directive}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn an_inherited_variable_alone_asks_nothing() {
        let bash = || Some(OsString::from("bash"));
        for line in ["kubectl-trust verify -f x", "kubectl-trust", "kubectl-trust verify --"] {
            assert_eq!(asked(&words(line), bash()), None, "{line}");
        }
        assert_eq!(asked(&words("kubectl-trust -- kubectl-trust v"), None), None);
        assert_eq!(asked(&words("kubectl-trust -- kubectl-trust v"), Some(OsString::new())), None);
        let typed = words("kubectl-trust v");
        let expected = Question::Shell { shell: "bash".into(), words: &typed };
        assert_eq!(asked(&words("kubectl-trust -- kubectl-trust v"), bash()), Some(expected));
        let typed = words("verify --help");
        assert_eq!(
            asked(&words("kubectl-trust __complete verify --help"), None),
            Some(Question::Kubectl(&typed))
        );
    }

    #[test]
    fn cobra_reads_candidates_and_a_directive() {
        let plain = CompletionCandidate::new("verify").help(Some("Verify\ta\nb".into()));
        assert_eq!(for_cobra(&[plain]), "verify\tVerifya\n:4\n");
        assert_eq!(for_cobra(&[]), ":4\n");
        let hostile = CompletionCandidate::new("a\n:1");
        assert_eq!(for_cobra(&[hostile, "dir/".into()]), "dir/\n:6\n");
    }
}
