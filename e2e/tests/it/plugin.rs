//! Called as users call it: `kubectl trust …`.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use e2e::process::{Run, run};
use e2e::trust::Verdict;

use crate::world::{CONFIG_MAP, World};

/// Real kubectl, with our binary on the path as its plugin.
struct Kubectl {
    world: World,
}

impl Kubectl {
    fn new() -> Option<Self> {
        let world = World::with(&["kubectl"])?;
        let folder = world.trust.path("bin");
        std::fs::create_dir(&folder).unwrap();
        symlink(world.trust.binary(), folder.join("kubectl-trust")).unwrap();
        Some(Self { world })
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = self.world.trust.other(self.world.program("kubectl"), arguments.split_whitespace());
        command.env("PATH", self.world.trust.path("bin"));
        command
    }

    fn run(&self, arguments: &str) -> Run {
        run(&mut self.command(arguments)).unwrap()
    }
}

#[test]
fn kubectl_finds_the_plugin_and_hands_on_exit_codes() {
    let Some(kubectl) = Kubectl::new() else { return };
    let trust = &kubectl.world.trust;
    trust.write("m.yaml", CONFIG_MAP).unwrap();
    for arguments in [
        "trust keygen --output-prefix k",
        "trust sign -f m.yaml --key k.key -o s.yaml",
        "trust verify -f s.yaml --key k.pub",
    ] {
        let run = kubectl.run(arguments);
        assert_eq!(run.code, 0, "{arguments}: {}{}", run.stdout, run.stderr);
    }
    let signed = trust.read("s.yaml").unwrap();
    trust.write("changed.yaml", signed.replace("mode: production", "mode: test")).unwrap();
    let verdict = Verdict::of(&kubectl.run("trust verify -f changed.yaml --key k.pub -o json")).unwrap();
    assert_eq!(verdict.codes(), (1, vec!["manifest-differs"]), "{}", verdict.json);
    assert_eq!(verdict.paths(), ["data.mode"]);
}

#[test]
fn what_cannot_be_decided_is_exit_code_2_through_kubectl_as_well() {
    let Some(kubectl) = Kubectl::new() else { return };
    kubectl.world.trust.keygen("k").unwrap();
    kubectl.world.trust.write("empty.yaml", "# nothing\n").unwrap();
    let verdict = Verdict::of(&kubectl.run("trust verify -f empty.yaml --key k.pub -o json")).unwrap();
    assert_eq!(verdict.codes(), (2, vec!["input-empty"]), "{}", verdict.json);
    assert_eq!(kubectl.run("trust verify --no-such-flag").code, 2);
}

#[test]
fn help_names_the_form_it_was_called_by() {
    let Some(kubectl) = Kubectl::new() else { return };
    let help = kubectl.run("trust --help");
    assert_eq!(help.code, 0, "{}", help.stderr);
    assert!(help.stdout.contains("Usage: kubectl trust "), "{}", help.stdout);
    let verify = kubectl.run("trust verify --help");
    assert!(verify.stdout.contains("Usage: kubectl trust verify "), "{}", verify.stdout);
}

#[test]
fn kubectl_lists_the_plugin() {
    let Some(kubectl) = Kubectl::new() else { return };
    let list = kubectl.run("plugin list");
    assert!(list.code == 0 && list.stdout.contains("bin/kubectl-trust"), "{}{}", list.stdout, list.stderr);
}

/// `-k` is what kubectl builds, patched and named as it would be applied.
#[test]
fn a_kustomization_is_built_by_kubectl() {
    let Some(kubectl) = Kubectl::new() else { return };
    let trust = &kubectl.world.trust;
    symlink(kubectl.world.program("kubectl"), trust.path("bin/kubectl")).unwrap();
    trust.keygen("k").unwrap();
    let folder = trust.path("overlay");
    std::fs::create_dir(&folder).unwrap();
    trust.write("overlay/kustomization.yaml", "resources: [m.yaml]\nnamespace: shop\n").unwrap();
    trust.write("overlay/m.yaml", CONFIG_MAP).unwrap();
    let unsigned = Verdict::of(&kubectl.run("trust verify -k overlay --key k.pub -o json")).unwrap();
    assert_eq!(unsigned.codes(), (1, vec!["signature-missing"]), "{}", unsigned.json);
    assert_eq!(unsigned.json["results"][0]["subject"]["source"], "-k overlay#0");
    let hint = unsigned.json["results"][0]["reason"]["hint"].as_str().unwrap();
    assert_eq!(hint, "kubectl trust sign -k overlay --key cosign.key -o signed.yaml");
    assert_eq!(unsigned.json["results"][0]["subject"]["namespace"], "shop");
    let signed = kubectl.run("trust sign -k overlay --key k.key -o signed.yaml");
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    assert_eq!(kubectl.run("trust verify -f signed.yaml --key k.pub").code, 0);
    let in_place = kubectl.run("trust sign -k overlay --key k.key --in-place");
    assert!(in_place.code == 2 && in_place.stderr.contains("-k overlay is none"), "{}", in_place.stderr);
    trust.write("overlay/kustomization.yaml", "resources: [none.yaml]\n").unwrap();
    let broken = kubectl.run("trust verify -k overlay --key k.pub");
    assert_eq!(broken.code, 2);
    assert!(
        broken.stderr.contains("-k overlay: kubectl kustomize: ") && broken.stderr.contains("none.yaml"),
        "{}",
        broken.stderr
    );
}

/// What a shell asks kubectl, when its own completion of kubectl is installed, and kubectl asks the plugin's script.
#[test]
fn kubectl_completes_what_is_typed_behind_the_plugin() {
    let Some(kubectl) = Kubectl::new() else { return };
    let trust = &kubectl.world.trust;
    let script = kubectl.run("trust completion kubectl");
    assert_eq!(script.code, 0, "{}", script.stderr);
    let path = trust.write("bin/kubectl_complete-trust", script.stdout).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    trust.write("cosign.pub", "").unwrap();
    trust.write("images/index.json", "").unwrap();
    for (words, expected) in [
        (&["veri"][..], "verify\tVerify signed manifests"),
        (&["verify", "--insecure-ignore-t"], "--insecure-ignore-tlog\t"),
        (&["verify", "--key", "cos"], "cosign.pub\n:4\n"),
        (&["verify", "--format", ""], "any\nbundle\nlegacy\n:4\n"),
        (&["explain", "image", "a", "--images", "im"], "images/\n:6\n"),
    ] {
        let mut command = kubectl.command("__complete trust");
        command.args(words).env("PATH", format!("{}:/usr/bin:/bin", trust.path("bin").display()));
        let run = run(&mut command).unwrap();
        assert!(run.code == 0 && run.stdout.contains(expected), "{words:?}: {}{}", run.stdout, run.stderr);
    }
}
