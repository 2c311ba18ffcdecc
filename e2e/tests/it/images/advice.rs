//! What a refusal advises about an image is done as it is printed, against a real registry, and the image passes.

use e2e::registry::{Kind, Registry};
use e2e::trust::Trust;

/// The private keys, in the order in which policies name their public keys.
const KEYS: [&str; 2] = ["first", "second"];

struct Desk {
    trust: Trust,
    registry: Registry,
}

impl Desk {
    fn open() -> Option<Self> {
        Registry::start(Kind::BOTH[0]).unwrap().map(Self::with)
    }

    fn with(registry: Registry) -> Self {
        let trust = Trust::new().unwrap();
        for key in KEYS {
            trust.keygen(key).unwrap();
        }
        trust.write("predicate.json", r#"{"tests": "passed"}"#).unwrap();
        Self { trust, registry }
    }

    /// `attestors` of an entry: a set of keys, of which so many must have signed.
    fn attestors(&self, keys: usize, count: usize) -> String {
        let entry = |key: &&str| {
            let pem = self.trust.read(&format!("{key}.pub")).unwrap().replace('\n', "\\n");
            format!(r#"{{keys: {{publicKeys: "{pem}", rekor: {{ignoreTlog: true}}}}}}"#)
        };
        let entries: Vec<_> = KEYS.iter().take(keys).map(entry).collect();
        format!("[{{count: {count}, entries: [{}]}}]", entries.join(", "))
    }

    /// Whether a Pod of an image passes a policy of one entry; else what the refusal says.
    fn refusal(&self, image: &str, demand: &str) -> Option<String> {
        let policy = format!(
            "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: advised}}
spec:
  rules:
  - name: images
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    verifyImages:
    - imageReferences: ['*']
      failureAction: Enforce
      {demand}
"
        );
        let pod = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{containers: [{{name: c, image: '{image}'}}]}}}}"
        );
        self.trust.write("policy.yaml", policy).unwrap();
        self.trust.write("pod.yaml", pod).unwrap();
        let run = self.trust.run("apply policy.yaml -r pod.yaml").unwrap();
        assert!(run.code <= 1, "{run:?}");
        (run.code == 1).then_some(run.stdout)
    }
}

/// The commands of a refusal. People fill in what only they have: the files of their keys and of the predicate.
fn commands(refusal: &str) -> Vec<String> {
    let printed = refusal.lines().filter_map(|line| Some(line.split_once("kubectl trust ")?.1));
    let signing = printed.filter(|line| line.starts_with("sign ") || line.starts_with("attest "));
    let filled = signing.zip(KEYS).map(|(line, key)| {
        let command = line.split("   #").next().unwrap();
        let file = format!("--key {key}.key");
        let command = command.replace("--key cosign.key", &file).replace("--key FILE", &file);
        command.replace("--predicate FILE", "--predicate predicate.json")
    });
    filled.collect()
}

/// Attack: a tag is moved to an image of the attacker's, and advice has its owner sign that.
#[test]
fn a_tag_that_was_moved_is_said_to_be() {
    for kind in Kind::BOTH {
        let Some(registry) = Registry::start(kind).unwrap() else { return };
        let desk = Desk::with(registry);
        let demand = format!("attestors: {}", desk.attestors(1, 1));
        let good = desk.registry.push("advice/moved", "1", "good").unwrap();
        let sign = format!("sign {} --key first.key --format legacy", good.by_tag());
        desk.trust.run(&sign).unwrap().success().unwrap();
        assert_eq!(desk.refusal(&good.by_tag(), &demand), None);
        let evil = desk.registry.push("advice/moved", "1", "evil").unwrap();
        let refusal = desk.refusal(&evil.by_tag(), &demand).expect("what nobody signed is refused");
        assert!(
            refusal.contains("the tag may have been moved") && refusal.contains(&good.digest),
            "{refusal}"
        );
        assert!(commands(&refusal).is_empty(), "{refusal}");
        assert_eq!(desk.refusal(&good.by_digest(), &demand), None);
    }
}

#[test]
fn what_is_advised_about_an_image_makes_it_pass() {
    let Some(desk) = Desk::open() else { return };
    let attestation = |keys, count| {
        format!(
            "attestations: [{{type: https://example.com/tests/v1, attestors: {}}}]",
            desk.attestors(keys, count)
        )
    };
    let signature = |keys, count| format!("attestors: {}", desk.attestors(keys, count));
    for (name, demand, number) in [
        ("one", signature(1, 1), 1),
        ("both", signature(2, 2), 2),
        ("either", signature(2, 1), 1),
        ("attested", attestation(1, 1), 1),
        ("attested-by-both", attestation(2, 2), 2),
    ] {
        let image = desk.registry.push(&format!("advice/{name}"), "1", name).unwrap().by_tag();
        let refusal = desk.refusal(&image, &demand).unwrap_or_else(|| panic!("{name} passes unsigned"));
        let commands = commands(&refusal);
        assert_eq!(commands.len(), number, "{name}: {refusal}");
        for command in &commands {
            desk.trust.run(command).unwrap().success().unwrap_or_else(|error| panic!("{command}: {error}"));
        }
        let after = desk.refusal(&image, &demand);
        assert_eq!(after, None, "{name}: {commands:?}");
    }
}
