//! Running programs: isolated, with their output kept, and ended for certain.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How a program ended and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// The standard output of a run that must have succeeded.
    ///
    /// # Errors
    /// The exit code is not 0; the message holds all that the program said.
    pub fn success(self) -> anyhow::Result<String> {
        anyhow::ensure!(self.code == 0, "exit code {}\n{}{}", self.code, self.stdout, self.stderr);
        Ok(self.stdout)
    }
}

/// A command that sees nothing of the caller's environment but `PATH`, has `home` for its home, and can
/// reach nothing but this machine: whatever asks a proxy finds none.
pub fn isolated(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    for name in ["HOME", "TUF_ROOT", "DOCKER_CONFIG", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env(name, home);
    }
    // The discard port: a connection that should not be made is refused at once rather than timing out.
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command.env("NO_PROXY", "127.0.0.1,localhost").env("COSIGN_PASSWORD", PASSWORD).current_dir(home);
    command.stdin(Stdio::null());
    command
}

/// Distinct free ports of 127.0.0.1: all are held until the last is found.
///
/// # Errors
/// There are not so many.
pub fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let held = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    let addresses = held.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    let ports: Vec<_> = addresses.iter().map(SocketAddr::port).collect();
    ports.try_into().ok().context("no free ports")
}

/// Waits until `ready` answers; what the server said last is in the error when it does not.
///
/// # Errors
/// Nothing after [`START`].
pub fn wait_for<T>(name: &str, log: &Path, mut ready: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    // Fast at first: most servers are up in a fraction of a second.
    let mut pause = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(answer) = ready() {
            return Ok(answer);
        }
        if waited > START {
            let said = fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<_> = said.lines().collect();
            bail!("{name} did not come up:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
        std::thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// How long a server may take to come up: fractions of a second on an idle machine.
pub const START: Duration = Duration::from_secs(60);

/// The password of every key that the tests make.
pub const PASSWORD: &str = "correct horse";

/// Runs a command to its end, with `input` on its standard input.
///
/// # Errors
/// The program cannot be started, or its input not be written.
pub fn run_with(command: &mut Command, input: &[u8]) -> anyhow::Result<Run> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| name.clone())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that refuses its arguments does not read; what it says then is what counts.
        let _unread = stdin.write_all(input);
    }
    let output = child.wait_with_output().with_context(|| name)?;
    Ok(Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a command to its end, with nothing on its standard input.
///
/// # Errors
/// The program cannot be started.
pub fn run(command: &mut Command) -> anyhow::Result<Run> {
    run_with(command, b"")
}

/// A server that ends with this value, and also when this process dies without dropping it: a shell
/// holds the server as its child and kills it once its own standard input, our pipe, is closed.
#[derive(Debug)]
pub struct Server {
    keeper: Child,
}

/// `$0` is a folder to delete at the end, or empty; the rest is the command. A line of the standard input is a signal
/// to pass on. Ends as the command does.
const KEEPER: &str = r#"exec 3<&0
"$@" </dev/null 3<&- & pid=$!
{ while read -r signal; do kill -"$signal" $pid; done; kill -9 $pid; } <&3 2>/dev/null & watcher=$!
wait $pid 2>/dev/null; status=$?
kill $watcher 2>/dev/null
[ -z "$0" ] || { cat <&3 >/dev/null; rm -rf "$0"; }
exit $status"#;

impl Server {
    /// Starts a command; its output goes to `log`. `owned` is deleted once the server has ended.
    ///
    /// # Errors
    /// The log cannot be written or the program not be started.
    pub fn start(command: &Command, log: &Path, owned: Option<&Path>) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| log.display().to_string())?;
        let mut keeper = Command::new("sh");
        keeper.arg("-c").arg(KEEPER).arg(owned.map_or(OsStr::new(""), Path::as_os_str));
        keeper.arg(command.get_program()).args(command.get_args()).env_clear();
        keeper.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            keeper.current_dir(folder);
        }
        let keeper = keeper
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| command.get_program().to_string_lossy().into_owned())?;
        Ok(Self { keeper })
    }

    /// Whether it has not ended by itself.
    ///
    /// # Errors
    /// The system does not say.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.keeper.try_wait()?.is_none())
    }

    /// Tells it to end, as a kubelet does; see [`Self::ended`].
    ///
    /// # Errors
    /// It has ended already.
    pub fn terminate(&mut self) -> anyhow::Result<()> {
        let pipe = self.keeper.stdin.as_mut().context("a server without a pipe")?;
        pipe.write_all(b"TERM\n").context("SIGTERM")
    }

    /// Waits until a server that owns no folder has ended by itself, and gives its exit code.
    ///
    /// # Errors
    /// It does not within [`START`].
    pub fn ended(&mut self) -> anyhow::Result<i32> {
        let begin = Instant::now();
        while begin.elapsed() < START {
            if let Some(status) = self.keeper.try_wait()? {
                return Ok(status.code().unwrap_or(-1));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the server does not end")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _status = self.keeper.wait();
    }
}
