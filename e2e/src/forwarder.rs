//! What lies between a client and servers: the Service in front of replicas, a network that stands still for a while.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Takes connections on a port of its own and passes each on to the next server that takes it. It ends with the
/// process.
#[derive(Clone, Debug)]
pub struct Forwarder {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The ports of the servers that get connections.
    servers: Vec<u16>,
    /// Whose turn it is.
    turn: usize,
    /// Whether new connections wait, and how many do.
    held: bool,
    waiting: usize,
    /// Both ends of the connections there have been, by the port of the server.
    connections: Vec<(u16, [TcpStream; 2])>,
}

impl Forwarder {
    /// A forwarder to servers of this machine, by their ports; those that are dead are skipped.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start(servers: &[u16]) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let state = State { servers: servers.to_vec(), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), ..Shared::default() });
        let this = Self { port: listener.local_addr()?.port(), shared };
        let accepting = this.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let this = accepting.clone();
                // A client whose connection comes to nothing sees it end; there is nobody else to tell.
                thread::spawn(move || this.pass(&client));
            }
        });
        Ok(this)
    }

    /// The port that it takes connections on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on connections are for these servers only; those to others end.
    pub fn only(&self, servers: &[u16]) {
        let mut state = self.state();
        state.servers = servers.to_vec();
        state.connections.retain(|(server, ends)| servers.contains(server) || !close(ends));
    }

    /// New connections wait from now on.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// They wait no longer.
    pub fn release(&self) {
        self.state().held = false;
        self.shared.released.notify_all();
    }

    /// How many connections wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One connection, to its end.
    fn pass(&self, client: &TcpStream) -> io::Result<()> {
        let mut state = self.state();
        state.waiting += 1;
        let held = |state: &mut State| state.held;
        let mut state = self.shared.released.wait_while(state, held).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.turn += 1;
        let count = state.servers.len().max(1);
        let (before, first) = state.servers.split_at(state.turn % count);
        let alive = |port: &u16| {
            TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], *port))).ok().map(|stream| (*port, stream))
        };
        // Under the lock: nobody connects to a server that is no longer one of ours. On loopback it takes no time.
        let (port, server) =
            first.iter().chain(before).find_map(alive).ok_or(io::ErrorKind::ConnectionRefused)?;
        state.connections.push((port, [client.try_clone()?, server.try_clone()?]));
        drop(state);
        thread::scope(|both| {
            both.spawn(|| copy(client, &server));
            copy(&server, client);
        });
        Ok(())
    }
}

/// Copies until either side ends, and then ends both: neither protocol that passes here goes on with half of a
/// connection.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _bytes = io::copy(&mut from, &mut to);
    for end in [from, to] {
        let _gone = end.shutdown(Shutdown::Both);
    }
}

fn close(ends: &[TcpStream; 2]) -> bool {
    for end in ends {
        let _gone = end.shutdown(Shutdown::Both);
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// A server that says its name, and ends each connection.
    fn named(name: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming() {
                client.unwrap().write_all(name.as_bytes()).unwrap();
            }
        });
        port
    }

    fn ask(forwarder: &Forwarder) -> String {
        let mut said = String::new();
        let mut stream = TcpStream::connect(("127.0.0.1", forwarder.port())).unwrap();
        stream.read_to_string(&mut said).unwrap();
        said
    }

    #[test]
    fn connections_go_round_and_skip_the_dead() {
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (a, b) = (named("a"), named("b"));
        let forwarder = Forwarder::start(&[a, dead, b]).unwrap();
        let mut said: Vec<_> = (0..6).map(|_| ask(&forwarder)).collect();
        said.sort();
        said.dedup();
        assert_eq!(said, ["a", "b"]);
        forwarder.only(&[a]);
        assert!((0..3).all(|_| ask(&forwarder) == "a"));
        forwarder.only(&[]);
        assert_eq!(ask(&forwarder), "");
    }

    #[test]
    fn what_is_held_waits() {
        let forwarder = Forwarder::start(&[named("a")]).unwrap();
        forwarder.hold();
        thread::scope(|scope| {
            let asked = scope.spawn(|| ask(&forwarder));
            while forwarder.waiting() == 0 {
                thread::yield_now();
            }
            assert!(!asked.is_finished());
            forwarder.release();
            assert_eq!(asked.join().unwrap(), "a");
        });
    }
}
