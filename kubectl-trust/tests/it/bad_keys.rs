//! Keys that are none, or not the right ones.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{CONFIG_MAP, Place};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n";

#[test]
fn what_is_no_public_key_is_named() {
    let place = Place::signed(CONFIG_MAP);
    fs::create_dir(place.path("folder")).unwrap();
    place.write("cert.pem", CERTIFICATE);
    place.write("words.pub", "hello\n");
    place.write("empty.pub", "");
    place.write("bytes.pub", b"\xff\xfe");
    let whole = place.read("cosign.pub");
    place.write("cut.pub", whole.clone() + &whole[..whole.len() - 40]);
    place.write("large.pub", "x".repeat(300 * 1024));
    for (key, words) in [
        ("nope.pub", "nope.pub: no such file or directory"),
        ("folder", "folder: is a directory"),
        ("cert.pem", "cert.pem: found a PEM block `CERTIFICATE` where"),
        ("cosign.key", "cosign.key: found a PEM block `ENCRYPTED SIGSTORE PRIVATE KEY` where"),
        ("words.pub", "words.pub: not a key: no PEM block"),
        ("empty.pub", "empty.pub: not a key: no PEM block"),
        ("bytes.pub", "bytes.pub: not a text file"),
        ("cut.pub", "cut.pub: PEM block 2 cannot be read: it is cut off or not base64"),
        ("large.pub", "large.pub: larger than 256 KiB"),
        ("awskms:///alias/a", "awskms:// keys are not supported"),
        ("k8s://one", "write k8s://NAMESPACE/SECRET"),
    ] {
        place.refuses(&format!("verify -f signed.yaml --key {key}"), &[words]);
    }
}

#[test]
fn what_is_no_private_key_is_named() {
    let place = Place::signed(CONFIG_MAP);
    place.write("cert.pem", CERTIFICATE);
    for (key, words) in [
        ("nope.key", "nope.key: no such file or directory"),
        ("cosign.pub", "cosign.pub: found a PEM block `PUBLIC KEY` where"),
        ("cert.pem", "cert.pem: found a PEM block `CERTIFICATE` where"),
        ("gcpkms://a/b", "signing with gcpkms:// keys is not supported"),
    ] {
        place.refuses(&format!("sign -f app.yaml --key {key}"), &[words]);
    }
}

#[test]
fn a_wrong_password_says_where_it_came_from() {
    let place = Place::signed(CONFIG_MAP);
    let ran = place.run_env("sign -f app.yaml --key cosign.key", &[("COSIGN_PASSWORD", "wrong")]);
    ran.is("2> error: cosign.key: wrong password (COSIGN_PASSWORD is set; unset it to be asked)\nexit 2\n");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let place = Place::signed(CONFIG_MAP);
    for line in ["sign -f app.yaml --key cosign.key", "keygen --output-prefix new"] {
        let mut command = place.command();
        command.args(line.split(' ')).env_remove("COSIGN_PASSWORD");
        let ran = crate::support::ran(command.output().unwrap());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        ran.says(line, &["a password is needed and there is no terminal to ask at; set COSIGN_PASSWORD"]);
    }
    assert!(!place.path("new.key").exists() && !place.path("new.pub").exists());
}

#[test]
fn keys_are_private_and_never_overwritten_unasked() {
    let place = Place::empty();
    assert_eq!(place.run("keygen --output-prefix k").code, Some(0));
    place.refuses("keygen --output-prefix k", &["k.key: is there already; --force overwrites it"]);
    fs::remove_file(place.path("k.key")).unwrap();
    place.refuses("keygen --output-prefix k", &["k.pub: is there already; --force overwrites it"]);
    let before = place.read("k.pub");
    assert_eq!(place.run("keygen --output-prefix k --force").code, Some(0));
    assert_ne!(place.read("k.pub"), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(place.path("k.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Ctrl-C while the password is asked for: nothing was written, and what is typed next is shown. `script` gives the program a terminal;
/// where there is none the test has nothing to say.
#[test]
fn an_interrupted_prompt_writes_nothing() {
    let place = Place::signed(CONFIG_MAP);
    let before = place.files();
    let program = env!("CARGO_BIN_EXE_kubectl-trust");
    // Only the shell that goes on says how the terminal was left.
    let line =
        format!("trap : INT; '{program}' sign -f app.yaml --key cosign.key --in-place; stty -a; exit 9");
    let mut script = Command::new("/usr/bin/script");
    script.args(["-q", "-e", "-c", &line, "/dev/null"]).current_dir(place.path("."));
    script.env_remove("COSIGN_PASSWORD").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = script.spawn() else { return };
    let mut output = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("Password of cosign.key:") {
        let mut byte = [0];
        let read = std::io::Read::read(&mut output, &mut byte).unwrap();
        assert_eq!(read, 1, "it ended unasked: {}", String::from_utf8_lossy(&seen));
        seen.extend(byte);
    }
    std::thread::sleep(Duration::from_millis(100));
    // What the terminal's driver makes of Ctrl-C.
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\x03").unwrap();
    std::io::Read::read_to_end(&mut output, &mut seen).unwrap();
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert_eq!(child.wait().unwrap().code(), Some(9), "{seen}");
    assert!(seen.contains(" echo ") && !seen.contains(" -echo "), "{seen}");
    assert!(place.files() == before, "something was written");
}
