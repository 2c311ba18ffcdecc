//! Verbs of cosign and of k8s-manifest-sigstore's kubectl plugin that have another name here, and what to type instead.

use std::ffi::OsString;

use common::verdict::shell_word;

use super::command;

/// A verb of another program.
struct Verb {
    name: &'static str,
    instead: Instead,
}

/// What does here what a verb does there.
enum Instead {
    /// Another verb; the arguments are carried over if they mean something to it.
    Is {
        /// What stands in the place of the verb.
        words: &'static [&'static str],
        /// Whether the one argument that is no flag is the file of `--blob`.
        blob: bool,
        /// What to type where no arguments are carried over.
        typed: &'static str,
    },
    /// Several commands, or none that is the same.
    Says(&'static str),
}

const fn is(name: &'static str, words: &'static [&'static str], typed: &'static str) -> Verb {
    Verb { name, instead: Instead::Is { words, blob: false, typed } }
}

const fn of_blob(name: &'static str, words: &'static [&'static str], typed: &'static str) -> Verb {
    Verb { name, instead: Instead::Is { words, blob: true, typed } }
}

const fn says(name: &'static str, text: &'static str) -> Verb {
    Verb { name, instead: Instead::Says(text) }
}

const ATTESTED: &str = "kubectl trust verify IMAGE --type slsaprovenance1 --key cosign.pub";
const RECORDED: &str = "what verifying an image needs is saved by: kubectl trust record IMAGE --to DIR";
const EXPLAINED: &str = "what an image has beside it, and where that was looked for, is shown by: kubectl trust explain image IMAGE \
     --key cosign.pub";
const NOT_HERE: &str = "nothing does that here; cosign does";

/// github.com/sigstore/cosign, doc/cosign.md; github.com/sigstore/k8s-manifest-sigstore, cmd/kubectl-sigstore.
const VERBS: [Verb; 21] = [
    is("generate-key-pair", &["keygen"], "kubectl trust keygen"),
    of_blob("sign-blob", &["sign"], "kubectl trust sign --blob FILE --key cosign.key"),
    of_blob("verify-blob", &["verify"], "kubectl trust verify --blob FILE --bundle BUNDLE --key cosign.pub"),
    is("verify-attestation", &["verify"], ATTESTED),
    of_blob(
        "verify-blob-attestation",
        &["verify"],
        "kubectl trust verify --blob FILE --bundle BUNDLE --type TYPE --key cosign.pub",
    ),
    says(
        "attest-blob",
        "nothing attests files here. Images: kubectl trust attest IMAGE --predicate FILE --type TYPE --key cosign.key",
    ),
    is("initialize", &["trust-root"], "kubectl trust trust-root --tuf -o json > trusted-root.json"),
    is("trusted-root", &["trust-root"], "kubectl trust trust-root -o json > trusted-root.json"),
    says(
        "public-key",
        "kubectl trust keygen writes the public key beside the private one, as cosign.pub; of a private key alone, \
         cosign makes it",
    ),
    says(
        "import-key-pair",
        "keys are used as they are, PKCS#8 and SEC1 as well: kubectl trust sign -f FILE --key KEY",
    ),
    says("triangulate", EXPLAINED),
    says("tree", EXPLAINED),
    says("download", RECORDED),
    says("save", RECORDED),
    says("manifest", "policies say which images must be signed: kubectl trust apply POLICY -r FILE"),
    says("attach", NOT_HERE),
    says("clean", NOT_HERE),
    says("copy", NOT_HERE),
    says("load", NOT_HERE),
    says("upload", NOT_HERE),
    says("apply-after-verify", "kubectl trust verify -f FILE --key cosign.pub && kubectl apply -f FILE"),
];

/// What to type instead of a verb that is none here; `None` where no other program that people come from has it.
/// `args` are those behind the verb.
pub(crate) fn instead(verb: &str, args: &[OsString], called_as: &str) -> Option<String> {
    let known = VERBS.iter().find(|known| known.name == verb)?;
    let text = match &known.instead {
        Instead::Says(text) => (*text).to_owned(),
        Instead::Is { words, blob, typed } => {
            let carried = carried(verb, words, *blob, args);
            format!("did you mean: {}", carried.unwrap_or_else(|| (*typed).to_owned()))
        }
    };
    Some(format!("`{verb}` is no verb here; {}", text.replace("kubectl trust", called_as)))
}

/// The same command here, if it is one that is understood.
fn carried(verb: &str, words: &[&str], blob: bool, args: &[OsString]) -> Option<String> {
    if args.is_empty() {
        return None;
    }
    let args = args.iter().map(|arg| arg.to_str()).collect::<Option<Vec<_>>>()?;
    let args: Vec<_> = args.into_iter().filter_map(translated).collect();
    let first = words.iter().map(|word| (*word).to_owned());
    if !blob {
        let mut line: Vec<_> = first.chain(args).collect();
        // cosign demands this one where nothing else is said.
        if verb == "verify-attestation" && !line.iter().any(|word| word.starts_with("--type")) {
            line.extend(["--type", "custom"].map(str::to_owned));
        }
        return understood(&line);
    }
    // Which word is the file, and which the value of a flag, shows in what is understood.
    let files = (0..args.len()).rev().filter(|index| !args[*index].starts_with('-') || args[*index] == "-");
    let line = |file: usize| {
        let rest = args.iter().enumerate().filter(|(index, _)| *index != file).map(|(_, word)| word.clone());
        let file = ["--blob".to_owned(), args[file].clone()];
        understood(&first.clone().chain(file).chain(rest).collect::<Vec<_>>())
    };
    files.into_iter().find_map(line)
}

/// A word of cosign's as it is here; `None` for one that says what is so anyway.
fn translated(word: &str) -> Option<String> {
    let (flag, value) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
    match (flag, value) {
        // Nothing is asked for confirmation, bundles are the format, and a log is told only where one is named.
        ("--yes" | "-y" | "--new-bundle-format", None | Some("true")) | ("--tlog-upload", Some("false")) => {
            None
        }
        ("--insecure-ignore-tlog" | "--insecure-ignore-sct" | "--recursive", Some("true")) => {
            Some(flag.to_owned())
        }
        ("--mirror", Some(value)) => Some(format!("--tuf-mirror={value}")),
        ("--mirror", None) => Some("--tuf-mirror".to_owned()),
        ("--root", Some(value)) => Some(format!("--tuf-root={value}")),
        ("--root", None) => Some("--tuf-root".to_owned()),
        _ => Some(word.to_owned()),
    }
}

/// The command line as it is to be typed, if its verb knows all of it.
fn understood(words: &[String]) -> Option<String> {
    let line = ["kubectl-trust"].into_iter().chain(words.iter().map(String::as_str));
    command("kubectl trust").try_get_matches_from(line).ok()?;
    let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
    Some(format!("kubectl trust {}", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> String {
        let mut words = line.split(' ');
        let verb = words.next().unwrap();
        let args: Vec<_> = words.map(OsString::from).collect();
        let text = instead(verb, &args, "kubectl trust").unwrap();
        text.strip_prefix(&format!("`{verb}` is no verb here; ")).unwrap().to_owned()
    }

    #[test]
    fn arguments_are_carried_over() {
        for (line, expected) in [
            ("sign-blob --yes --key cosign.key app.tar", "sign --blob app.tar --key cosign.key"),
            (
                "sign-blob app.tar --key cosign.key --bundle b",
                "sign --blob app.tar --key cosign.key --bundle b",
            ),
            ("sign-blob --key=k app.tar --tlog-upload=false", "sign --blob app.tar --key=k"),
            ("verify-blob --bundle b.json --key k app.tar", "verify --blob app.tar --bundle b.json --key k"),
            ("verify-attestation --type spdx --key k reg/a:1", "verify --type spdx --key k reg/a:1"),
            ("verify-attestation --key k reg/a:1", "verify --key k reg/a:1 --type custom"),
            ("generate-key-pair --output-key-prefix x", "keygen"),
            ("generate-key-pair --output-prefix x", "keygen --output-prefix x"),
            (
                "initialize --mirror https://a.example --root r",
                "trust-root --tuf-mirror https://a.example --tuf-root r",
            ),
            ("sign-blob", "sign --blob FILE --key cosign.key"),
            ("sign-blob --output-certificate c --key k f", "sign --blob FILE --key cosign.key"),
        ] {
            assert_eq!(typed(line), format!("did you mean: kubectl trust {expected}"), "{line}");
        }
    }

    #[test]
    fn what_is_carried_over_can_be_pasted() {
        let args = ["--key", "k", "my file"].map(OsString::from);
        let text = instead("sign-blob", &args, "kubectl-trust").unwrap();
        assert!(text.ends_with("did you mean: kubectl-trust sign --blob 'my file' --key k"), "{text}");
    }

    #[test]
    fn no_verb_of_ours_is_taken_for_another_and_every_answer_names_a_command() {
        let command = command("kubectl trust");
        for Verb { name, instead: answer } in &VERBS {
            assert!(command.find_subcommand(name).is_none(), "{name}");
            let text = match answer {
                Instead::Says(text) => text,
                Instead::Is { typed, .. } => typed,
            };
            assert!(text.contains("kubectl trust ") || *text == NOT_HERE, "{name}: {text}");
        }
        assert_eq!(instead("no-such-verb", &[], "kubectl trust"), None);
    }
}
