//! Credential helpers of Docker: programs `docker-credential-NAME` that keep logins.
//!
//! A helper is a program of the user, and may still hang (a locked keychain, a cloud that does not answer) or say too
//! much. It blocks its thread, so it is run on one for that.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use common::limits;
use common::registry::credentials::{HelperProblem, Login, Secret};
use serde::Deserialize;

use crate::io_error::problem;
use crate::waiting;

/// How long a helper may take. Those that ask a cloud for a token need a second or two; one that waits for a person
/// behind a locked keychain must not hold up everything for ever.
const LONGEST: Duration = Duration::from_secs(10);
/// Between two looks at whether a helper that has closed its output has ended.
const BETWEEN: Duration = Duration::from_millis(5);
/// How a helper says that it knows no login, exactly (docker-credential-helpers, `credentials/error.go`,
/// `errCredentialsNotFoundMessage`). It is part of the protocol: exit code and place are those of every other problem.
const NOT_FOUND: &[u8] = b"credentials not found in native keychain";
/// The user by which a helper says that the secret is a refresh token (the same, `credentials.Credentials`).
const TOKEN: &str = "<token>";

/// What a helper answers (docker-credential-helpers, `credentials.Credentials`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Runs `docker-credential-NAME get`, as Docker does; `None` if it knows no login for the server.
///
/// # Errors
/// [`HelperProblem`].
pub(super) fn login(name: &str, server: &str) -> Result<Option<Login>, HelperProblem> {
    // A name is part of a program's name, never a path.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(HelperProblem::Name);
    }
    let _waiting = waiting::for_at_most(format_args!("docker-credential-{name} get {server}"), LONGEST);
    let (is_success, output) = ask(name, server, LONGEST)?;
    if !is_success {
        let said = output.trim_ascii();
        return if said == NOT_FOUND { Ok(None) } else { Err(HelperProblem::refused(said)) };
    }
    let answer: Answer = serde_json::from_slice(&output).map_err(|_| HelperProblem::Malformed)?;
    if answer.username.is_empty() && answer.secret.is_empty() {
        return Ok(None);
    }
    let secret = Secret::new(answer.secret);
    Ok(Some(match answer.username.as_str() {
        TOKEN => Login::IdentityToken(secret),
        _ => Login::Basic { user: answer.username, password: secret },
    }))
}

/// Whether the helper ended well, and what it wrote. One that takes too long or writes too much is killed.
fn ask(name: &str, server: &str, longest: Duration) -> Result<(bool, Vec<u8>), HelperProblem> {
    let end = Instant::now() + longest;
    let mut helper = Command::new(format!("docker-credential-{name}"));
    helper.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let mut child = helper.spawn().map_err(|error| {
        if missing(&error) { HelperProblem::Missing } else { HelperProblem::NotRun(problem(&error)) }
    })?;
    let answered = answer(&mut child, server, end);
    if answered.is_err() {
        // It may have ended just now.
        drop(child.kill());
        drop(child.wait());
    }
    answered
}

fn answer(child: &mut Child, server: &str, end: Instant) -> Result<(bool, Vec<u8>), HelperProblem> {
    let not_run = |error: &io::Error| HelperProblem::NotRun(problem(error));
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read answers all the same. A server's name fits into the pipe.
        drop(stdin.write_all(server.as_bytes()));
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        // It ends with the helper, or with what the helper left behind; nobody waits for it beyond the end.
        thread::spawn(move || {
            let mut output = Vec::new();
            let read = stdout.take(limits::TOKEN_BYTES as u64 + 1).read_to_end(&mut output);
            drop(sender.send(read.map(|_| output)));
        });
    }
    let output = match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Ok(output) => output.map_err(|error| not_run(&error))?,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(timed_out()),
    };
    if output.len() > limits::TOKEN_BYTES {
        return Err(HelperProblem::TooMuch);
    }
    loop {
        match child.try_wait().map_err(|error| not_run(&error))? {
            Some(status) => return Ok((status.success(), output)),
            None if Instant::now() >= end => return Err(timed_out()),
            None => thread::sleep(BETWEEN),
        }
    }
}

fn timed_out() -> HelperProblem {
    HelperProblem::TimedOut { seconds: LONGEST.as_secs() }
}
