//! A scripted HTTP/1.1 server on 127.0.0.1: it answers well, badly, slowly or not at all, and notes what it
//! was asked. One request a connection.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// One step of an answer.
#[derive(Clone, Debug)]
enum Act {
    Send(Vec<u8>),
    /// A byte a second.
    Drip(Vec<u8>),
    /// As long as anybody reads.
    Endless(Vec<u8>),
    Pause(Duration),
    /// Never again.
    Stall,
    /// The connection is cut, with a TCP reset.
    Reset,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    head: Option<String>,
    acts: Vec<Act>,
}

type Script = dyn Fn(&Request, usize) -> Reply + Send + Sync;

pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { head: Some(format!("HTTP/1.1 {status} X\r\nconnection: close\r\n")), acts: Vec::new() }
    }

    /// Nothing that is HTTP.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self { head: None, acts: vec![Act::Send(bytes.to_vec())] }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.as_mut().unwrap().push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// With its length.
    pub(crate) fn body(self, bytes: &[u8]) -> Self {
        self.header("content-length", &bytes.len().to_string()).send(bytes)
    }

    /// Without.
    pub(crate) fn send(self, bytes: &[u8]) -> Self {
        self.act(Act::Send(bytes.to_vec()))
    }

    pub(crate) fn drip(self, bytes: &[u8]) -> Self {
        self.act(Act::Drip(bytes.to_vec()))
    }

    pub(crate) fn endless(self, bytes: &[u8]) -> Self {
        self.act(Act::Endless(bytes.to_vec()))
    }

    pub(crate) fn pause(self, time: Duration) -> Self {
        self.act(Act::Pause(time))
    }

    pub(crate) fn stall(self) -> Self {
        self.act(Act::Stall)
    }

    pub(crate) fn reset(self) -> Self {
        self.act(Act::Reset)
    }

    /// A head that never ends.
    pub(crate) fn headless(mut self) -> Self {
        let head = self.head.take().unwrap();
        self.acts.insert(0, Act::Send(head.into_bytes()));
        self
    }

    fn act(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }
}

impl Server {
    /// Answers request number so-and-so, from 0, as the script says.
    pub(crate) async fn start(script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Arc::new(script), None).await
    }

    pub(crate) async fn start_tls(
        acceptor: TlsAcceptor,
        script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Arc::new(script), Some(acceptor)).await
    }

    async fn listen(script: Arc<Script>, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self { port, requests, task }
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Methods and paths.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Request>>>,
) {
    if let Some(acceptor) = tls {
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        if let Some(reply) = hear(&mut stream, &script, &seen).await {
            play(&mut stream, reply).await;
            let _ = stream.shutdown().await;
        }
        return;
    }
    let mut stream = stream;
    if let Some(reply) = hear(&mut stream, &script, &seen).await {
        if play(&mut stream, reply).await {
            stream.set_zero_linger().unwrap();
        } else {
            let _ = stream.shutdown().await;
        }
    }
}

async fn hear(
    stream: &mut (impl AsyncRead + Unpin),
    script: &Arc<Script>,
    seen: &Arc<Mutex<Vec<Request>>>,
) -> Option<Reply> {
    let request = read(stream).await?;
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    Some(script(&request, number))
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).ok()?;
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let header =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let mut request = Request { method, path, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

/// Plays an answer; whether it ends with a reset.
async fn play(stream: &mut (impl AsyncWrite + Unpin), reply: Reply) -> bool {
    if let Some(head) = reply.head {
        let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
        let _ = stream.flush().await;
    }
    for act in reply.acts {
        match act {
            Act::Send(bytes) => drop(stream.write_all(&bytes).await),
            Act::Drip(bytes) => drip(stream, &bytes).await,
            Act::Endless(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            Act::Pause(time) => tokio::time::sleep(time).await,
            Act::Stall => std::future::pending().await,
            Act::Reset => return true,
        }
        let _ = stream.flush().await;
    }
    false
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    for byte in bytes {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}
