//! On a terminal, whatever takes longer than a second says what it waits for; elsewhere nothing is said.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::registry::Registry;
use crate::support::{Place, ran};
use crate::terminal::Terminal;

/// The longest time for which nothing is said.
const SILENCE: Duration = Duration::from_secs(2);

fn command(place: &Place, line: &str) -> Command {
    let mut command = place.command();
    command.args(line.split_whitespace()).env("NO_COLOR", "1");
    command
}

#[test]
fn a_registry_that_hangs_is_named_with_the_time_and_its_end_and_then_wiped() {
    let (place, registry) = (Place::new(), Registry::new());
    let image = registry.push("app", "1");
    registry.silence("/manifests/");
    let line = format!("verify {image} --key cosign.pub --registry-timeout 3s");
    let url = format!("http://{}/v2/app/manifests/1", registry.host);
    let terminal = Terminal::run(command(&place, &line), true);
    terminal.shows(&format!("waiting for GET {url} (1 s, until 3 s)"), SILENCE);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(2));
    let screen = screen.join("\n");
    assert!(!screen.contains("waiting for"), "{screen}");
    assert!(screen.contains("could not be checked"), "{screen}");
    assert!(screen.contains("no answer within 3s (--registry-timeout)"), "{screen}");
    // Without a terminal there is nobody to tell.
    let began = Instant::now();
    let ran = ran(command(&place, &line).output().unwrap());
    assert!(began.elapsed() > SILENCE, "{ran:?}");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), ""), "{ran:?}");
}

#[test]
fn an_api_server_that_hangs_is_named() {
    let (place, server) = (Place::new(), Registry::new());
    server.silence("/");
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: 'http://{}'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\n",
        server.host
    );
    place.write("kubeconfig", config);
    let line = "verify-resource deploy/web --key cosign.pub --kubeconfig kubeconfig --request-timeout 3s";
    let terminal = Terminal::run(command(&place, line), false);
    terminal.shows(&format!("waiting for GET http://{}/api", server.host), SILENCE);
    terminal.shows("(1 s, until 3 s)", SILENCE);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(2));
    assert!(!screen.join("\n").contains("waiting for"), "{screen:?}");
    assert!(screen[0].starts_with("error: "), "{screen:?}");
}

#[test]
fn a_tuf_repository_that_hangs_is_named() {
    let place = crate::tuf::place();
    let mirror = Registry::new();
    mirror.silence("/");
    let line = format!(
        "verify -f signed.yaml --key cosign.pub --tuf-mirror http://{}/tuf --tuf-root root.json",
        mirror.host
    );
    let terminal = Terminal::run(command(&place, &line), false);
    terminal.shows(&format!("waiting for GET http://{}/tuf/", mirror.host), SILENCE);
    terminal.shows("until 60 s)", SILENCE);
    terminal.kill();
}

#[test]
fn a_log_that_hangs_is_named() {
    let (place, log) = (Place::new(), Registry::new());
    log.silence("/");
    place.write("file", "content");
    let line = format!("sign --blob file --key cosign.key --bundle b.json --rekor-url http://{}", log.host);
    let terminal = Terminal::run(command(&place, &line), false);
    terminal.shows(&format!("waiting for http://{}", log.host), SILENCE);
    terminal.shows("until 60 s)", SILENCE);
    terminal.kill();
}

#[test]
fn a_process_that_writes_to_the_folder_is_named() {
    let (place, registry) = (Place::empty(), Registry::new());
    let image = registry.push("app", "1");
    place.write("images/.lock", "4711");
    let lock = std::fs::File::open(place.path("images/.lock")).unwrap();
    lock.lock().unwrap();
    let terminal = Terminal::run(command(&place, &format!("record {image} --to images")), true);
    terminal.shows("waiting for process 4711, which writes to images (1 s, until 30 s)", SILENCE);
    lock.unlock().unwrap();
    let (code, screen) = terminal.end();
    assert_eq!((code, screen[1].as_str()), (Some(0), "1 of 1 images recorded"), "{screen:?}");
    assert!(!screen.join("\n").contains("waiting for"), "{screen:?}");
}

/// A program in the folder of helpers.
fn helper(place: &Place, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = format!("bin/docker-credential-{name}");
    place.write(&file, format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(place.path(&file), std::fs::Permissions::from_mode(0o755)).unwrap();
    place.write("docker/config.json", format!(r#"{{"credsStore":"{name}"}}"#));
}

fn with_helpers(place: &Place, line: &str) -> Command {
    let mut command = command(place, line);
    command.env("PATH", format!("{}:/usr/bin:/bin", place.path("bin").display()));
    command.env("DOCKER_CONFIG", place.path("docker"));
    command
}

#[test]
fn a_credential_helper_that_hangs_is_named_and_killed() {
    let (place, registry) = (Place::new(), Registry::new());
    let image = registry.push("app", "1");
    registry.close();
    helper(&place, "hangs", "echo $$ > pid; exec sleep 60");
    let line = format!("verify {image} --key cosign.pub");
    let terminal = Terminal::run(with_helpers(&place, &line), true);
    terminal.shows(
        &format!("waiting for docker-credential-hangs get {} (1 s, until 10 s)", registry.host),
        SILENCE,
    );
    let (code, screen) = terminal.end();
    let screen = screen.join("\n");
    assert_eq!(code, Some(2), "{screen}");
    assert!(screen.contains("docker-credential-hangs: it gave no answer within 10 s"), "{screen}");
    assert!(!screen.contains("waiting for"), "{screen}");
    let pid = place.read("pid");
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "the helper {pid} lives on");
}

#[test]
fn what_is_wrong_with_a_credential_helper_is_told_where_a_login_is_wanted() {
    let (place, registry) = (Place::new(), Registry::new());
    let image = registry.push("app", "1");
    let line = format!("verify {image} --key cosign.pub");
    for (script, told) in [
        ("echo locked; exit 1", "no credentials (docker-credential-bad: it failed: locked)"),
        ("exit 1", "no credentials (docker-credential-bad: it failed)"),
        ("echo hello", "no credentials (docker-credential-bad: its answer is not the JSON of a login)"),
        ("cat /dev/zero", "no credentials (docker-credential-bad: it wrote more than 262144 bytes)"),
        ("echo 'credentials not found in native keychain'; exit 1", "not allowed with no credentials  ["),
    ] {
        helper(&place, "bad", script);
        let fails = |registry: &Registry| {
            registry.close();
            ran(with_helpers(&place, &line).output().unwrap())
        };
        let ran = fails(&registry);
        assert_eq!(ran.code, Some(2), "{script}: {ran:?}");
        ran.says(script, &[told.trim_end_matches("  [")]);
        assert_eq!(told.ends_with('['), !ran.stdout.contains("docker-credential-bad"), "{script}: {ran:?}");
    }
    place.write("docker/config.json", r#"{"credsStore":"gone"}"#);
    let ran = ran(with_helpers(&place, &line).output().unwrap());
    ran.says("missing", &["docker-credential-gone: there is no such program; install it"]);
}
