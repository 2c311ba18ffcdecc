//! Asking for a password: nothing typed is shown, and whoever interrupts gets the terminal back as it was.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::sync::Once;

use anyhow::{Context as _, bail};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::interruption;

use crate::waiting;

/// Asks at the terminal.
///
/// # Errors
/// No terminal to ask at.
pub(crate) fn password(prompt: &str) -> anyhow::Result<String> {
    static GUARDED: Once = Once::new();
    if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
        bail!("a password is needed and there is no terminal to ask at; set COSIGN_PASSWORD");
    }
    GUARDED.call_once(|| drop(guard()));
    waiting::wiped(|| rpassword::prompt_password(prompt))
        .context("the password cannot be read; set COSIGN_PASSWORD")
}

/// A signal that ends the process while nothing typed is shown would leave the shell like that. From here
/// on it first puts the terminal back, then does what it always does.
fn guard() -> io::Result<()> {
    let terminal = File::open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    interruption::before_end(move || {
        // Where it fails there is nothing left to be done.
        let _ = tcsetattr(&terminal, OptionalActions::Now, &before);
    });
    Ok(())
}
