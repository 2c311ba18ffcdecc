//! Files are written whole or not at all, however many there are and whatever ends the process.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{CONFIG_MAP, Place, ran};

fn unfinished(place: &Place, folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".kubectl-trust-"))
        .collect()
}

fn fill(place: &Place, count: usize) {
    for index in 0..count {
        place.write(&format!("many/{index}.yaml"), CONFIG_MAP);
    }
}

/// More files than the process may have open.
#[test]
fn many_files_need_few_open_ones() {
    let place = Place::new();
    fill(&place, 200);
    let program = env!("CARGO_BIN_EXE_kubectl-trust");
    let script = format!("ulimit -n 40; exec '{program}' sign -f many --in-place --key cosign.key");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(place.path(".")).env("COSIGN_PASSWORD", crate::support::PASSWORD);
    let ran = ran(shell.output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr.lines().next().unwrap_or_default());
    assert_eq!(ran.stderr.matches("1 document signed").count(), 200);
    assert_eq!(place.run("verify -f many --key cosign.pub").code, Some(0));
}

/// Ctrl-C leaves nothing behind, and every file is whole: signed, or as it was.
#[test]
fn who_interrupts_finds_no_unfinished_files() {
    for signal in ["INT", "TERM"] {
        let place = Place::new();
        fill(&place, 400);
        let mut command = place.command();
        command.args(["sign", "-f", "many", "--in-place", "--key", "cosign.key"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while unfinished(&place, "many").is_empty() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!unfinished(&place, "many").is_empty(), "it was never seen at work");
        let kill =
            Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap();
        assert!(kill.success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "a signal ends it: {status}");
        assert!(unfinished(&place, "many").is_empty(), "{signal}");
        let files = place.files();
        let signed = files.iter().filter(|(path, text)| {
            let text = String::from_utf8_lossy(text);
            let whole = text == CONFIG_MAP || text.contains("cosign.sigstore.dev/signature");
            assert!(whole || !path.to_string_lossy().contains("many"), "{text}");
            path.to_string_lossy().contains("many") && text != CONFIG_MAP
        });
        assert!([0, 400].contains(&signed.count()), "either all or none");
    }
}

/// What a run left that was ended by force goes; what a run may be at work with stays.
#[test]
fn what_earlier_runs_left_behind_is_removed() {
    let place = Place::new();
    place.write("app.yaml", CONFIG_MAP);
    let (old, new, other) = (".kubectl-trust-aBc", ".kubectl-trust-dEf", "kubectl-trust-old.yaml");
    for name in [old, new, other] {
        place.write(name, "x");
    }
    fs::create_dir(place.path(".kubectl-trust-folder")).unwrap();
    for name in [old, other] {
        let file = File::options().write(true).open(place.path(name)).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - Duration::from_secs(2 * 60 * 60)).unwrap();
    }
    assert_eq!(place.run("sign -f app.yaml --in-place --key cosign.key").code, Some(0));
    assert!(!place.path(old).exists());
    for name in [new, other, ".kubectl-trust-folder"] {
        assert!(place.path(name).exists(), "{name}");
    }
}

/// Whether the two files are halves of one pair.
fn belong_together(place: &Place) -> bool {
    let ran = place.run("keygen --from new.key --output-prefix of");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let same = place.read("of.pub") == place.read("new.pub");
    fs::remove_file(place.path("of.pub")).unwrap();
    same
}

#[test]
fn pairs_that_are_replaced_at_once_stay_pairs() {
    let place = Place::new();
    let start = || {
        let mut command = place.command();
        command.args("keygen --force --output-prefix new".split(' '));
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    for mut child in (0..6).map(|_| start()).collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    assert!(belong_together(&place));
    // Another run is at work: this one waits, and changes nothing until then.
    let before = place.read("new.pub");
    let lock = File::open(place.path(".")).unwrap();
    lock.lock().unwrap();
    let mut child = start();
    std::thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().unwrap().is_none(), "it did not wait");
    assert_eq!(place.read("new.pub"), before);
    drop(lock);
    assert!(child.wait().unwrap().success());
    assert_ne!(place.read("new.pub"), before);
    assert!(belong_together(&place));
}

#[test]
fn a_public_key_is_made_of_its_private_one() {
    let place = Place::new();
    place.refuses("keygen --from cosign.key", &["cosign.pub: is there already; --force overwrites it"]);
    place.refuses("keygen --from nope.key --output-prefix x", &["nope.key: no such file or directory"]);
    let (private, public) = (place.read("cosign.key"), place.read("cosign.pub"));
    place.write("cosign.pub", place.read("other.pub"));
    let ran = place.run("keygen --from cosign.key --force");
    ran.is("Public key:  cosign.pub (sha256:<DIGEST>)\nexit 0\n");
    assert_eq!((place.read("cosign.key"), place.read("cosign.pub")), (private, public));
}
