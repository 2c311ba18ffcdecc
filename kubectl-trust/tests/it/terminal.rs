//! A terminal that a program writes to, and what stands on it.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A program whose output and talk go to one terminal.
pub(crate) struct Terminal {
    child: Child,
    began: Instant,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a program, with or without its result on the terminal.
    pub(crate) fn run(mut command: Command, result: bool) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave: OwnedFd = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&slave, Winsize { ws_row: 24, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let result = if result { slave.try_clone().unwrap().into() } else { Stdio::null() };
        let child = command.stdin(Stdio::null()).stdout(result).stderr(slave).spawn().unwrap();
        // The command holds the other side open.
        drop(command);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let shared = Arc::clone(&written);
        thread::spawn(move || {
            let (mut master, mut chunk) = (File::from(master), [0; 4096]);
            // Ends with an error when the program does.
            while let Ok(read) = master.read(&mut chunk) {
                shared.lock().unwrap().extend(&chunk[..read]);
            }
        });
        Self { child, began: Instant::now(), written }
    }

    /// Everything that was written so far.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Waits until something is written, at most so long after the start.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str, longest: Duration) {
        while !self.written().contains(text) {
            assert!(self.began.elapsed() < longest, "no `{text}` in {:?}", self.written());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the program.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the program: its code, and what stands on the terminal then.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>) {
        let code = self.child.wait().unwrap().code();
        // The reader has the rest in a moment.
        thread::sleep(Duration::from_millis(100));
        (code, screen(&self.written()))
    }
}

/// The lines that stand on a terminal after all this: of what terminals obey, what the program writes is understood.
fn screen(written: &str) -> Vec<String> {
    let (mut lines, mut column) = (vec![Vec::new()], 0);
    let mut rest = written.chars();
    while let Some(c) = rest.next() {
        let line: &mut Vec<char> = lines.last_mut().unwrap();
        match c {
            '\r' => column = 0,
            '\n' => lines.push(Vec::new()),
            '\u{1b}' => {
                assert_eq!(rest.next(), Some('['), "{written:?}");
                let sequence: String = rest.by_ref().take_while(|c| *c != 'K' && *c != 'm').collect();
                // A colour has numbers, wiping the rest of a line has none.
                if sequence.is_empty() {
                    line.truncate(column);
                }
            }
            c => {
                line.truncate(line.len().max(column));
                if column < line.len() {
                    line[column] = c;
                } else {
                    line.push(c);
                }
                column += 1;
            }
        }
    }
    lines.into_iter().map(|line| line.into_iter().collect()).collect()
}
