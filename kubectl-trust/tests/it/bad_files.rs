//! Files that are not there, folders without manifests, places that cannot be written to.

use std::fs;
use std::process::Stdio;

use crate::support::{CONFIG_MAP, Place, RELEASE, ran};

#[test]
fn files_that_are_not_there_are_named() {
    let place = Place::new();
    for line in [
        "verify -f nope.yaml --key cosign.pub",
        "verify-resource -f nope.yaml --key cosign.pub",
        "diff -f nope.yaml --key cosign.pub",
        "explain -f nope.yaml --key cosign.pub",
        "sign -f nope.yaml --key cosign.key",
        "apply nope.yaml -r nope.yaml",
        "test nope.yaml",
    ] {
        place.refuses(line, &["error: nope.yaml: no such file or directory"]);
    }
}

#[test]
fn a_folder_without_manifests_is_undecided() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    place.write("words/README.md", "words");
    for folder in ["empty", "words"] {
        let fragment = format!("{folder}: no .yaml, .yml, .json or .signed file");
        place.refuses(&format!("verify -f {folder} --key cosign.pub"), &[&fragment, "nothing was verified"]);
        place.refuses(&format!("verify -R -f {folder} --key cosign.pub"), &[&fragment]);
        place.refuses(&format!("apply {folder} -r {folder}"), &[&fragment]);
    }
}

/// A link to a folder is not followed below a folder, as in kubectl; a link to a file is a file, because
/// mounted config maps are made of such links.
#[cfg(unix)]
#[test]
fn links_make_no_circle() {
    let place = Place::signed(CONFIG_MAP);
    fs::create_dir(place.path("folder")).unwrap();
    std::os::unix::fs::symlink(".", place.path("folder/self")).unwrap();
    std::os::unix::fs::symlink("../signed.yaml", place.path("folder/a.yaml")).unwrap();
    let ran = place.run("verify -R -f folder --key cosign.pub");
    ran.is("✓ folder/a.yaml: ConfigMap prod/app  signed by key sha256:<12>…, unchanged\n1 of 1 trusted\nexit 0\n");
}

#[test]
fn standard_input_is_read_once() {
    let place = Place::signed(CONFIG_MAP);
    place.refuses("verify -f - -f - --key cosign.pub", &["standard input (-) can be read only once"]);
    place.refuses("sign -f - --in-place --key cosign.key", &["--in-place needs files"]);
    let ran = place.run_input("verify -f - --key cosign.pub", place.read("signed.yaml").as_bytes());
    ran.is("✓ -: ConfigMap prod/app  signed by key sha256:<12>…, unchanged\n1 of 1 trusted\nexit 0\n");
    assert_eq!(place.run_input("verify -f - --key cosign.pub", b"").code, Some(2));
}

#[test]
fn what_cannot_be_written_leaves_the_old_file_whole() {
    let place = Place::signed(CONFIG_MAP);
    fs::create_dir(place.path("folder")).unwrap();
    let sign = |output: &str| format!("sign -f app.yaml --key cosign.key -o {output}");
    place.refuses(&sign("folder"), &["folder: cannot be written: is a directory"]);
    place.refuses(
        &sign("nowhere/out.yaml"),
        &["nowhere/out.yaml: cannot be written: no such file or directory"],
    );
    place.refuses(&sign("app.yaml/out.yaml"), &["app.yaml/out.yaml: cannot be written: not a directory"]);
    place.refuses(&sign("/dev/full"), &["/dev/full: cannot be written: no space left on device"]);
    place.refuses("keygen --output-prefix nowhere/k", &["nowhere/k.key: cannot be written"]);
}

/// A device stays a device: whoever writes to it must not put a file in its place.
#[cfg(unix)]
#[test]
fn devices_and_links_stay_what_they_are() {
    use std::os::unix::fs::FileTypeExt as _;
    let place = Place::signed(CONFIG_MAP);
    assert_eq!(place.run("sign -f app.yaml --key cosign.key -o /dev/null").code, Some(0));
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    std::os::unix::fs::symlink("app.yaml", place.path("link.yaml")).unwrap();
    assert_eq!(place.run("sign -f link.yaml --in-place --key cosign.key").code, Some(0));
    assert!(fs::symlink_metadata(place.path("link.yaml")).unwrap().is_symlink());
    assert_eq!(place.run("verify -f app.yaml --key cosign.pub").code, Some(0));
}

#[test]
fn a_full_disk_behind_standard_output_is_a_fault() {
    let place = Place::signed(CONFIG_MAP);
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for line in ["verify -f signed.yaml --key cosign.pub", "version", "sign -f app.yaml --key cosign.key"] {
        let ran = ran(place.command().args(line.split(' ')).stdout(full()).output().unwrap());
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        ran.says(line, &["error: the output cannot be written: no space left on device"]);
    }
}

/// `| head -1`: whoever has read enough gets no complaint.
#[test]
fn a_closed_pipe_ends_quietly() {
    let place = Place::signed(RELEASE);
    for line in ["verify -f signed.yaml --key cosign.pub -o json", "completion bash", "--help"] {
        let mut command = place.command();
        command.args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
        assert!(output.status.code().is_some_and(|code| code < 3), "{line}: {:?}", output.status);
    }
}

#[test]
fn either_all_files_are_signed_or_none() {
    let place = Place::new();
    place.write("a.yaml", CONFIG_MAP);
    place.write("b.yaml", "kind: ConfigMap\n");
    place.write("c.yaml", "a: [\n");
    place.refuses(
        "sign -f a.yaml -f b.yaml --in-place --key cosign.key",
        &["b.yaml: document 1: apiVersion is missing"],
    );
    place.refuses("sign -f a.yaml -f c.yaml --in-place --key cosign.key", &["c.yaml: line "]);
    place.refuses("sign -f a.yaml -f nope.yaml --in-place --key cosign.key", &["nope.yaml"]);
}

#[test]
fn a_json_file_stays_one() {
    let place = Place::new();
    place.write("a.json", r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}"#);
    assert_eq!(place.run("sign -f a.json --in-place --key cosign.key").code, Some(0));
    let value: serde_json::Value = serde_json::from_str(&place.read("a.json")).unwrap();
    assert_eq!(value["kind"], "ConfigMap");
    place.answers("verify -f a.json --key cosign.pub", 0, &["✓ a.json: ConfigMap a"]);
    place.write("b.yaml", "# why\n".to_owned() + CONFIG_MAP + "---\n" + RELEASE);
    assert_eq!(place.run("sign -f b.yaml --in-place --key cosign.key").code, Some(0));
    assert_eq!(place.run("sign -f b.yaml -f a.json -o all.json --key cosign.key").code, Some(0));
    place.answers("verify -f all.json --key cosign.pub", 0, &["4 of 4 trusted"]);
}

#[test]
fn two_who_sign_the_same_file_leave_a_whole_one() {
    let place = Place::new();
    place.write("a.yaml", RELEASE.to_owned() + "---\n" + &CONFIG_MAP.replace("one", &"x".repeat(90_000)));
    let start = || {
        let mut command = place.command();
        command.args("sign -f a.yaml --in-place --key cosign.key".split(' '));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    place.answers("verify -f a.yaml --key cosign.pub", 0, &["3 of 3 trusted"]);
    let left = place.files().into_iter().any(|(path, _)| path.to_string_lossy().contains(".kubectl-trust-"));
    assert!(!left, "a temporary file was left behind");
}

/// Whoever judges no image needs no readable logins; whoever does is told, and nothing is trusted.
#[test]
fn unreadable_logins_are_a_fault_of_images_only() {
    let place = Place::signed(CONFIG_MAP);
    crate::policies::set_up(&place);
    place.write("docker/config.json", "{");
    let docker = place.path("docker");
    let variables = [("DOCKER_CONFIG", docker.to_str().unwrap())];
    let ran = place.run_env("apply policy.yaml -r signed.yaml", &variables);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = place.run_env("verify 127.0.0.1:1/a:1 --key cosign.pub", &variables);
    assert!(ran.code == Some(2) && ran.stdout.contains("config.json"), "{ran:?}");
}
