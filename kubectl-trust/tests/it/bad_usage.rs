//! Arguments that do not make sense: exit 2, and what to write instead.

use crate::support::{CONFIG_MAP, Place, RELEASE};

#[test]
fn wrong_usage_is_exit_2_and_says_what_to_write() {
    let place = Place::signed(CONFIG_MAP);
    for (line, words) in [
        ("verify --key cosign.pub", "what shall be verified? Give -f FILE"),
        ("verify -f signed.yaml", "whom do you trust? Give --key FILE, or --certificate-identity"),
        ("verify 127.0.0.1:1/acme/app:1", "whom do you trust? Give --key FILE, or --certificate-identity"),
        ("verify --blob app.yaml --key cosign.pub", "what was it signed with? Give --bundle FILE or"),
        ("verify 127.0.0.1:1/a:1 --key cosign.pub --images nope", "nope"),
        ("verify 127.0.0.1:1/a:1 --key cosign.pub --registry-timeout soon", "--registry-timeout"),
        (
            "verify 127.0.0.1:1/a:1 --key cosign.pub --insecure-registry a/b",
            "--insecure-registry: `a/b` is not a registry",
        ),
        ("sign 127.0.0.1:1/Acme/app:1 --key cosign.key", "`Acme/app` is not the name of a repository"),
        ("sign --blob app.yaml --bundle a --output-signature b --key cosign.key", "are two signatures"),
        ("attest 127.0.0.1:1/a:1 --predicate app.yaml --key cosign.key", "app.yaml: not JSON"),
        ("record 127.0.0.1:1/a 127.0.0.1:1/b --to r --as c", "--as is the name of one image"),
        ("sign --key cosign.key", "what shall be signed? Give -f FILE"),
        ("verify-resource --key cosign.pub", "what shall be verified? Give KIND, KIND/NAME or -f FILE"),
        ("diff --key cosign.pub", "what shall be compared? Give KIND/NAME or -f FILE"),
        ("verify a@b --key cosign.pub", "a@b: `b` is not a digest: a digest has the form sha256:…"),
        (
            "verify 127.0.0.1:1/a:1 ../b --key cosign.pub",
            "../b: is a file, and no image; did you mean -f ../b?",
        ),
        ("explain image a@b --key cosign.pub", "a@b: `b` is not a digest"),
        ("explain image a", "no --policy and no --key or identity is given"),
        ("explain", "what shall be explained? Give KIND/NAME, image IMAGE, -f FILE or --test PATH"),
        ("apply app.yaml", "apply to what? Give -r FILE or --cluster"),
        (
            "verify -f signed.yaml --certificate-identity a@b.c",
            "--certificate-identity needs --certificate-oidc-issuer as well",
        ),
        (
            "verify -f signed.yaml --certificate-oidc-issuer https://a",
            "--certificate-oidc-issuer needs --certificate-identity as well",
        ),
        (
            "verify -f signed.yaml --certificate-identity-regexp ( --certificate-oidc-issuer a",
            "--certificate-identity",
        ),
        ("verify -f signed.yaml --key cosign.pub --ignore-fields spec..a", "--ignore-fields"),
        ("verify -f signed.yaml --key cosign.pub --trusted-root app.yaml", "app.yaml"),
        (
            "explain -f signed.yaml --policy app.yaml --key cosign.pub",
            "--policy says whom to trust, and so do --key",
        ),
        ("sign -f app.yaml --key cosign.key -a cosign.sigstore.dev/signature=x", "are the signature's own"),
        (
            "verify-resource pod/a --key cosign.pub",
            ".kube/config: no such file or directory; name one with --kubeconfig",
        ),
        (
            "verify-resource pod/a --key cosign.pub --kubeconfig nope",
            "no kubeconfig: nope: no such file or directory",
        ),
        ("verify-resource pod/a --key cosign.pub --request-timeout abc", "abc"),
        ("apply app.yaml --cluster", "app.yaml:1:1: apiVersion"),
        ("test -t nonsense .", "--test-case-selector: `nonsense` is none of policy=…, rule=…, resource=…"),
    ] {
        place.refuses(line, &[words]);
    }
}

#[test]
fn unknown_words_get_the_nearest_known_one() {
    let place = Place::signed(CONFIG_MAP);
    for (line, words) in [
        ("verify -f signed.yaml --kee cosign.pub", "a similar argument exists: '--key'"),
        (
            "verify signed.yaml --key cosign.pub",
            "signed.yaml: is a file, and no image; did you mean -f signed.yaml?",
        ),
        ("sign app.yaml --key cosign.key", "did you mean -f app.yaml?"),
        ("record ./images --to x", "did you mean -f ./images?"),
        ("verify ./none --key cosign.pub", "did you mean -f ./none?"),
        ("explain image signed.yaml --key cosign.pub", "did you mean -f signed.yaml?"),
        ("verify-resource signed.yaml --key cosign.pub", "did you mean -f signed.yaml?"),
        ("diff signed.yaml --key cosign.pub", "did you mean -f signed.yaml?"),
        ("verify -f signed.yaml,app.yaml --key cosign.pub", "one name each: -f signed.yaml -f app.yaml"),
        (
            "verify -f https://example.com/a.yaml --key cosign.pub",
            "https://example.com/a.yaml: URLs are not read",
        ),
        ("verify -k signed.yaml --key cosign.pub", "-k signed.yaml: not a folder"),
        ("verfy -f signed.yaml", "similar subcommands exist: 'verify-resource', 'verify'"),
        ("verify -f signed.yaml --key cosign.pub -o jsno", "a similar value exists: 'json'"),
        ("sign -f app.yaml", "who signs? Give --key FILE"),
        ("verify -f a -a novalue --key k", "`novalue` is not KEY=VALUE"),
        ("verify -f a --key k --annotation-domain a/b", "`a/b` is not a domain such as example.com"),
        ("sign -f a --key k --annotation-domain A", "`A` is not a domain such as example.com"),
        ("sign -f app.yaml --key k --in-place -o x", "cannot be used with"),
        (
            "sign -f signed.yaml --key cosign.key -o json",
            "this names a file here and no format; write ./json",
        ),
        ("attest a --key k --predicate p --type slsaprovenence", "did you mean `slsaprovenance`?"),
        ("verify a --key k --type slsaprovenence", "did you mean `slsaprovenance`?"),
    ] {
        place.refuses(line, &[words]);
    }
}

/// Fingers that know cosign, or the plugin of k8s-manifest-sigstore.
#[test]
fn verbs_of_other_programs_get_the_command_to_type() {
    let place = Place::new();
    for (line, words) in [
        ("generate-key-pair", "did you mean: kubectl trust keygen"),
        ("sign-blob --yes --key cosign.key a", "did you mean: kubectl trust sign --blob a --key cosign.key"),
        ("--color never sign-blob a --key k", "did you mean: kubectl trust sign --blob a --key k"),
        ("verify-blob", "did you mean: kubectl trust verify --blob FILE --bundle BUNDLE --key cosign.pub"),
        (
            "verify-attestation a --type spdx --key k",
            "did you mean: kubectl trust verify a --type spdx --key k",
        ),
        ("attest-blob a", "nothing attests files here. Images: kubectl trust attest IMAGE"),
        ("public-key --key cosign.key", "kubectl trust keygen writes the public key beside the private one"),
        ("triangulate a", "kubectl trust explain image IMAGE --key cosign.pub"),
        ("tree a", "kubectl trust explain image IMAGE --key cosign.pub"),
        ("initialize", "did you mean: kubectl trust trust-root --tuf -o json > trusted-root.json"),
        ("download signature a", "kubectl trust record IMAGE --to DIR"),
        ("apply-after-verify -f a", "kubectl trust verify -f FILE --key cosign.pub && kubectl apply -f FILE"),
    ] {
        place.refuses(line, &[words]);
    }
}

#[test]
fn a_file_may_be_called_as_a_format() {
    let place = Place::signed(CONFIG_MAP);
    assert_eq!(place.run("sign -f app.yaml --key cosign.key -o ./json").code, Some(0));
    place.answers("verify -f json --key cosign.pub", 0, &["1 of 1 trusted"]);
}

#[test]
fn no_arguments_show_the_help_and_are_wrong_usage() {
    let ran = Place::empty().run("");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    for words in ["Usage: kubectl trust", "verify-resource", "Run the policy tests"] {
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
}

#[test]
fn sign_wants_objects() {
    let place = Place::new();
    for (content, words) in [
        (
            "apiVersion: v1\nkind: A\n",
            "bad.yaml: document 1: metadata.name is missing, so this is not a Kubernetes object",
        ),
        ("apiVersion: v1\nmetadata: {name: a}\n", "bad.yaml: document 1: kind is missing"),
        ("kind: A\nmetadata: {name: a}\n", "bad.yaml: document 1: apiVersion is missing"),
        ("hello\n", "bad.yaml: document 1: "),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a, annotations: [x]}\n",
            "document 1: metadata.annotations: expected a map",
        ),
        ("# nothing\n", "bad.yaml: holds nothing to sign"),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\nnull\n",
            "bad.yaml: document 2 (line 5) is empty",
        ),
    ] {
        place.write("bad.yaml", content);
        place.refuses("sign -f bad.yaml --key cosign.key", &[words]);
        place.refuses("sign -f bad.yaml --key cosign.key --in-place", &[words]);
    }
}

#[test]
fn append_wants_what_was_not_changed() {
    let place = Place::signed(CONFIG_MAP);
    place.write("half.yaml", place.read("signed.yaml") + "---\n" + RELEASE);
    place.refuses(
        "sign -f half.yaml --append --whole-file --key other.key --in-place",
        &["half.yaml: document 2 (Deployment prod/web) is not signed yet, others of the file are"],
    );
    place.refuses(
        "sign -f signed.yaml --append -a team=a --key other.key --in-place",
        &["signed.yaml: document 1 (ConfigMap prod/app): its earlier signature cannot be extended: the annotation team"],
    );
    place.write("changed.yaml", place.read("signed.yaml").replace("a: one", "a: two"));
    place.refuses(
        "sign -f changed.yaml --append --key other.key --in-place",
        &["changed.yaml: document 1 (ConfigMap prod/app) was changed after it was signed; --replace"],
    );
    assert_eq!(place.run("sign -f signed.yaml --append --key other.key --in-place").code, Some(0));
    place.answers("verify -f signed.yaml --key other.pub", 0, &["1 of 1 trusted"]);
    place.answers("verify -f signed.yaml --key cosign.pub", 0, &["1 of 1 trusted"]);
}

#[test]
fn a_kustomization_needs_kubectl() {
    let ran = Place::new().run_env("verify -k . --key cosign.pub", &[("PATH", "/nowhere")]);
    assert_eq!(ran.code, Some(2));
    ran.says("-k", &["-k .: kubectl builds kustomizations, and it is not in PATH"]);
}
