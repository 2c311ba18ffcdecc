//! A registry on this machine, as slow as a test wants it: what verifying and signing ask of one, and no more.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::digest::Digest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// It ends with the test.
pub(crate) struct Registry {
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
    shelf: Arc<Mutex<Shelf>>,
}

/// What it holds, and how it behaves.
#[derive(Default)]
struct Shelf {
    /// By path: `app/manifests/1`, `app/blobs/sha256:…`; with its media type.
    files: BTreeMap<String, (String, Vec<u8>)>,
    /// Waited before each answer.
    delay: Duration,
    /// Requests whose path holds this text are never answered.
    silent: Option<String>,
    /// Whether a login is wanted, which none satisfies.
    is_closed: bool,
}

impl Registry {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shelf = Arc::<Mutex<Shelf>>::default();
        let shared = Arc::clone(&shelf);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&shared);
                // The other side may end at any time.
                thread::spawn(move || drop(answer(stream, &shelf)));
            }
        });
        Self { host, shelf }
    }

    /// From now on each answer takes this long.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.shelf.lock().unwrap().delay = delay;
    }

    /// From now on requests whose path holds a text are never answered.
    pub(crate) fn silence(&self, path: &str) {
        self.shelf.lock().unwrap().silent = Some(path.to_owned());
    }

    /// From now on it wants a login, and takes none.
    pub(crate) fn close(&self) {
        self.shelf.lock().unwrap().is_closed = true;
    }

    /// Puts an image of its own there, without layers; its whole name.
    pub(crate) fn push(&self, repository: &str, tag: &str) -> String {
        let config = format!(r#"{{"config":{{"Labels":{{"name":"{repository}:{tag}"}}}}}}"#);
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[]}}"#,
            Digest::of(config.as_bytes()),
            config.len()
        );
        let mut shelf = self.shelf.lock().unwrap();
        shelf.put_blob(repository, config.into_bytes());
        shelf.put_manifest(repository, tag, MANIFEST, manifest.as_bytes());
        format!("{}/{repository}:{tag}", self.host)
    }

    /// Takes everything that is signed of an image out of its repository and puts it into another.
    pub(crate) fn move_signatures(&self, repository: &str, to: &str) {
        let mut shelf = self.shelf.lock().unwrap();
        let of_image = |path: &String| path.starts_with(&format!("{repository}/manifests/sha256-"));
        let tags: Vec<_> = shelf.files.keys().filter(|path| of_image(path)).cloned().collect();
        assert!(!tags.is_empty(), "nothing is signed in {repository}");
        for tag in tags {
            let file = shelf.files.remove(&tag).unwrap();
            shelf.files.insert(tag.replacen(repository, to, 1), file);
        }
        let blobs = format!("{repository}/blobs/");
        let blobs: Vec<_> = shelf
            .files
            .range(blobs.clone()..)
            .map_while(|(path, file)| {
                path.starts_with(&blobs).then(|| (path.replacen(repository, to, 1), file.clone()))
            })
            .collect();
        shelf.files.extend(blobs);
    }
}

impl Shelf {
    fn put_blob(&mut self, repository: &str, bytes: Vec<u8>) {
        let path = format!("{repository}/blobs/{}", Digest::of(&bytes));
        self.files.insert(path, ("application/octet-stream".to_owned(), bytes));
    }

    fn put_manifest(&mut self, repository: &str, name: &str, kind: &str, bytes: &[u8]) {
        for name in [name, &Digest::of(bytes).to_string()] {
            self.files.insert(format!("{repository}/manifests/{name}"), (kind.to_owned(), bytes.to_vec()));
        }
    }

    /// Status, further headers, body.
    fn reply(&mut self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> (u16, String, Vec<u8>) {
        if self.is_closed {
            return (401, "www-authenticate: Basic realm=\"r\"\r\n".to_owned(), Vec::new());
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match method {
            "POST" => (202, format!("location: /v2/{path}it\r\n"), Vec::new()),
            "PUT" => {
                let created = (201, String::new(), Vec::new());
                if let Some((repository, _)) = path.split_once("/blobs/uploads/") {
                    assert!(query.starts_with("digest="), "{query}");
                    self.put_blob(repository, body);
                } else {
                    let (repository, name) = path.split_once("/manifests/").unwrap();
                    self.put_manifest(repository, name, kind, &body);
                }
                created
            }
            _ => match self.files.get(path) {
                Some((kind, bytes)) => (200, format!("content-type: {kind}\r\n"), bytes.clone()),
                None => (404, String::new(), br#"{"errors":[{"code":"NOT_FOUND"}]}"#.to_vec()),
            },
        }
    }
}

/// One connection, with any number of requests.
fn answer(mut stream: TcpStream, shelf: &Mutex<Shelf>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let (mut length, mut kind) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "content-type" => value.clone_into(&mut kind),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap().trim_start_matches("/v2/"));
        let (delay, silent) = {
            let shelf = shelf.lock().unwrap();
            (shelf.delay, shelf.silent.as_ref().is_some_and(|text| path.contains(text.as_str())))
        };
        if silent {
            // Until the other side gives up.
            return reader.read_exact(&mut [0]);
        }
        thread::sleep(delay);
        let (status, headers, body) = shelf.lock().unwrap().reply(method, path, &kind, body);
        write!(stream, "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len())?;
        if method != "HEAD" {
            stream.write_all(&body)?;
        }
    }
}
