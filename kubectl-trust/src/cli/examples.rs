//! What the help of each verb shows to be copied. A test parses every line.

/// The program itself, then verbs; each with lines as they are typed, and comments above them.
const EXAMPLES: [(&str, &str); 14] = [
    (
        "kubectl-trust",
        "\
kubectl trust keygen
kubectl trust sign -f app.yaml --key cosign.key -o signed.yaml
kubectl trust verify -f signed.yaml --key cosign.pub
kubectl trust apply policy.yaml -r signed.yaml",
    ),
    (
        "keygen",
        "\
kubectl trust keygen
kubectl trust keygen --output-prefix release",
    ),
    (
        "sign",
        "\
# Manifests: into a new file, back into their files, beside an earlier signature
kubectl trust sign -f app.yaml --key cosign.key -o signed.yaml
kubectl trust sign -f deploy/ -R --key cosign.key --in-place
kubectl trust sign -f signed.yaml --key security.key --append --in-place
# An image in its registry, with every image of its index
kubectl trust sign registry.example.com/web:1.4.2 --key cosign.key --recursive
# A file of any content
kubectl trust sign --blob release.tar.gz --key cosign.key --bundle release.sigstore.json",
    ),
    (
        "attest",
        "\
kubectl trust attest registry.example.com/web:1.4.2 --predicate sbom.json --type spdx --key cosign.key",
    ),
    (
        "verify",
        "\
# Manifests; a count that an autoscaler changes may differ
kubectl trust verify -f signed.yaml --key cosign.pub
kubectl trust verify -f signed.yaml --key cosign.pub --ignore-fields 'Deployment:spec.replicas'
# Images: signed by an identity, attested, in a recording instead of a registry
kubectl trust verify registry.example.com/web:1.4.2 --certificate-identity release@example.com \\
  --certificate-oidc-issuer https://accounts.example.com
kubectl trust verify registry.example.com/web:1.4.2 --type slsaprovenance1 --key cosign.pub
kubectl trust verify registry.example.com/web:1.4.2 --images images --key cosign.pub
# A file of any content
kubectl trust verify --blob release.tar.gz --bundle release.sigstore.json --key cosign.pub",
    ),
    (
        "record",
        "\
kubectl trust record registry.example.com/web:1.4.2 --to images",
    ),
    (
        "verify-resource",
        "\
kubectl trust verify-resource deployment/web -n shop --key cosign.pub
kubectl trust verify-resource deployment -A -l app=web --key k8s://trust/release
kubectl get deployment web -o yaml | kubectl trust verify-resource -f - --key cosign.pub",
    ),
    (
        "diff",
        "\
kubectl trust diff -f signed.yaml --key cosign.pub
kubectl trust diff deployment/web -n shop --key cosign.pub --all",
    ),
    (
        "test",
        "\
kubectl trust test
kubectl trust test policies/ --fail-only
kubectl trust test . -t 'policy=check-image,resource=bad*' -o junit",
    ),
    (
        "apply",
        "\
kubectl trust apply policy.yaml -r pod.yaml --images images
kubectl trust apply policies/ --cluster -n shop --audit-warn",
    ),
    (
        "explain",
        "\
# By policies, of files or in the cluster
kubectl trust explain -f pod.yaml --policy policy.yaml --images images
kubectl trust explain deployment/web -n shop
# An image; a case of a test
kubectl trust explain image registry.example.com/web:1.4.2 --policy policy.yaml
kubectl trust explain --test . 'policy=check-image,rule=check-image,resource=bad'",
    ),
    (
        "trust-root",
        "\
kubectl trust trust-root
kubectl trust trust-root --tuf -o json > trusted-root.json",
    ),
    (
        "version",
        "\
kubectl trust version -o json",
    ),
    (
        "completion",
        "\
# `kubectl trust`, in every shell where kubectl itself is completed: a program in a folder of PATH
kubectl trust completion kubectl > ~/.local/bin/kubectl_complete-trust
chmod +x ~/.local/bin/kubectl_complete-trust
# `kubectl-trust`: a line for ~/.bashrc, for ~/.zshrc (behind compinit), for ~/.config/fish/config.fish
source <(kubectl-trust completion bash)
source <(kubectl-trust completion zsh)
kubectl-trust completion fish | source",
    ),
];

/// The examples of a command as its help shows them, in the form that it was called by.
pub(super) fn of(command: &str, called_as: &str) -> Option<String> {
    let (_, lines) = EXAMPLES.iter().find(|(name, _)| *name == command)?;
    let shown = |line: &str| {
        let comment = line.starts_with('#');
        format!("\n  {}", if comment { line.to_owned() } else { line.replace("kubectl trust", called_as) })
    };
    Some(format!("Examples:{}", lines.lines().map(shown).collect::<Vec<_>>().concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    /// The words of a line as a shell parts them, as far as examples go: single quotes, no variables.
    fn words(line: &str) -> Vec<String> {
        let quoted = line.split('\'').enumerate().map(|(index, part)| match index % 2 {
            0 => part.replace(' ', "\0"),
            _ => part.to_owned(),
        });
        let line = quoted.collect::<String>();
        line.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// The arguments of every example that runs this program, without what the shell does with its output.
    fn commands(lines: &str) -> Vec<Vec<String>> {
        let lines = lines.replace("\\\n", "");
        let commands = lines.lines().flat_map(|line| line.split(" | ")).filter_map(|part| {
            let arguments = part.trim().strip_prefix("kubectl trust")?;
            Some(arguments.split(" > ").next().unwrap().to_owned())
        });
        commands.map(|arguments| words(&arguments)).collect()
    }

    #[test]
    fn every_example_is_understood() {
        for (name, lines) in EXAMPLES {
            let commands = commands(lines);
            assert!(!commands.is_empty(), "{name}");
            for arguments in commands {
                assert!(name == "kubectl-trust" || arguments[0] == name, "{name}: {arguments:?}");
                let line = ["kubectl-trust".to_owned()].into_iter().chain(arguments.clone());
                let parsed = command("kubectl trust").try_get_matches_from(line);
                assert!(parsed.is_ok(), "{arguments:?}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn every_verb_has_examples() {
        for verb in command("kubectl trust").get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(of(verb.get_name(), "kubectl trust").is_some(), "{}", verb.get_name());
        }
        assert!(of("keygen", "kubectl-trust").unwrap().starts_with("Examples:\n  kubectl-trust keygen\n"));
    }
}
