//! Real registries on loopback, in memory, and small images pushed to them.
//!
//! Two programs, since registries differ where it counts for signatures: some have the referrers API,
//! others want the tags that stand in for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{self, Server};
use crate::programs;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Which program, and how it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// go-containerregistry's, with the referrers API as the specification has it.
    Referrers,
    /// The same as that library answers by itself: the media type of the config where `artifactType`
    /// belongs, and no filter.
    RawReferrers,
    /// The same without the API: clients fall back to tags.
    NoReferrers,
    /// The distribution project's registry, which has no referrers API.
    Distribution,
    /// The same for those who log in as [`USER`] with [`process::PASSWORD`].
    Private,
}

/// Who may read and write a private registry.
pub const USER: &str = "shop";
/// The password file of a private registry: the user, and bcrypt of the password.
const LOGIN: &str = "shop:$2b$04$A/h6qryUn3IAQoslbT1m5OEUAT3CGh2zykOU0vGDeVZshRg202HIu\n";

impl Kind {
    /// Two implementations: one with the referrers API, one without.
    pub const BOTH: [Self; 2] = [Self::Referrers, Self::Distribution];
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Referrers, Self::RawReferrers, Self::NoReferrers, Self::Distribution];

    /// Whether the referrers API answers.
    #[must_use]
    pub const fn has_referrers(self) -> bool {
        matches!(self, Self::Referrers | Self::RawReferrers)
    }

    const fn program(self) -> &'static str {
        if matches!(self, Self::Distribution | Self::Private) { "distribution" } else { "registry" }
    }
}

/// A running registry. It ends when dropped, and with the process however that ends.
#[derive(Debug)]
pub struct Registry {
    kind: Kind,
    host: String,
    client: Client,
    _server: Server,
}

/// An image, or an index of images, that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `127.0.0.1:PORT/path`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// `sha256:…` of the manifest, or of the index.
    pub digest: String,
    /// The images of an index, as (`os/architecture`, digest); empty for a single image.
    pub platforms: Vec<(String, String)>,
}

impl Image {
    /// `REPOSITORY:TAG`.
    #[must_use]
    pub fn by_tag(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// `REPOSITORY@DIGEST`.
    #[must_use]
    pub fn by_digest(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }
}

impl Registry {
    /// Starts a registry on a free port. `None` where [`programs::find`] says so.
    ///
    /// # Errors
    /// The program is missing or does not come up.
    pub fn start(kind: Kind) -> anyhow::Result<Option<Self>> {
        let Some(program) = programs::find(kind.program())? else { return Ok(None) };
        // Kept: it is deleted by whoever ends the server.
        let folder = TempDir::with_prefix("trust-e2e-registry-")?.keep();
        let log = folder.join("log");
        let server = Server::start(&command(kind, &program, &folder)?, &log, Some(&folder))?;
        let host = process::wait_for(kind.program(), &log, || listening(&log))?;
        let login = HeaderValue::from_str(&format!("Basic {}", Self::login()))?;
        let headers = HeaderMap::from_iter((kind == Kind::Private).then_some((AUTHORIZATION, login)));
        let client = Client::builder().no_proxy().default_headers(headers).build()?;
        Ok(Some(Self { kind, host, client, _server: server }))
    }

    /// The `auth` of a private registry, as Docker's configuration has it.
    #[must_use]
    pub fn login() -> String {
        STANDARD.encode(format!("{USER}:{}", process::PASSWORD))
    }

    /// Which it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Pushes an image with one small layer for `linux/amd64`; another `content` is another digest.
    ///
    /// # Errors
    /// The registry refuses it.
    pub fn push(&self, repository: &str, tag: &str, content: &str) -> anyhow::Result<Image> {
        let manifest = self.push_layers(repository, content, "amd64")?;
        let digest = self.put_manifest(repository, tag, MANIFEST, &manifest)?.digest;
        Ok(self.image(repository, tag, digest, Vec::new()))
    }

    /// Pushes an index of two images, for `linux/amd64` and `linux/arm64`.
    ///
    /// # Errors
    /// The registry refuses it.
    pub fn push_index(&self, repository: &str, tag: &str, content: &str) -> anyhow::Result<Image> {
        let mut manifests = Vec::new();
        let mut platforms = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let manifest = self.push_layers(repository, content, architecture)?;
            let reference = sha256(manifest.to_string().as_bytes());
            let pushed = self.put_manifest(repository, &reference, MANIFEST, &manifest)?;
            platforms.push((format!("linux/{architecture}"), pushed.digest.clone()));
            let mut entry = pushed.descriptor(MANIFEST);
            entry["platform"] = json!({"os": "linux", "architecture": architecture});
            manifests.push(entry);
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let digest = self.put_manifest(repository, tag, INDEX, &index)?.digest;
        Ok(self.image(repository, tag, digest, platforms))
    }

    /// The tags of a repository, sorted.
    ///
    /// # Errors
    /// There is no such repository.
    pub fn tags(&self, repository: &str) -> anyhow::Result<Vec<String>> {
        let list = self.json(&format!("{repository}/tags/list"))?;
        let list = list.with_context(|| format!("{repository}: not in this registry"))?;
        let tags = list["tags"].as_array().into_iter().flatten();
        let mut tags: Vec<_> = tags.filter_map(|tag| tag.as_str().map(ToOwned::to_owned)).collect();
        tags.sort();
        Ok(tags)
    }

    /// A manifest or an index, by tag or digest; `None` when it is not there.
    ///
    /// # Errors
    /// The registry answers something else.
    pub fn manifest(&self, repository: &str, reference: &str) -> anyhow::Result<Option<Value>> {
        self.json(&format!("{repository}/manifests/{reference}"))
    }

    /// What the referrers API says of a digest; `None` where there is no such API.
    ///
    /// # Errors
    /// The registry answers something else.
    pub fn referrers(&self, repository: &str, digest: &str) -> anyhow::Result<Option<Value>> {
        self.json(&format!("{repository}/referrers/{digest}"))
    }

    fn image(&self, repository: &str, tag: &str, digest: String, platforms: Vec<(String, String)>) -> Image {
        let repository = format!("{}/{repository}", self.host);
        Image { repository, tag: tag.to_owned(), digest, platforms }
    }

    /// Pushes what a manifest points to, and gives the manifest.
    fn push_layers(&self, repository: &str, content: &str, architecture: &str) -> anyhow::Result<Value> {
        let archive = layer(content)?;
        let packed = gzip(&archive)?;
        let config = json!({
            "os": "linux", "architecture": architecture, "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(&archive)]},
        });
        let config = self.put_blob(repository, config.to_string().as_bytes())?.descriptor(CONFIG);
        let layers = [self.put_blob(repository, &packed)?.descriptor(LAYER)];
        Ok(json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}))
    }

    fn put_blob(&self, repository: &str, content: &[u8]) -> anyhow::Result<Content> {
        let begun = self.client.post(self.url(&format!("{repository}/blobs/uploads/"))?).send()?;
        let begun = expect(begun, StatusCode::ACCEPTED)?;
        let location = begun.headers().get(LOCATION).context("an upload without a location")?;
        let mut url = begun.url().join(location.to_str()?)?;
        let content = Content::of(content);
        url.query_pairs_mut().append_pair("digest", &content.digest);
        self.put(url, "application/octet-stream", content)
    }

    fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        manifest: &Value,
    ) -> anyhow::Result<Content> {
        let url = self.url(&format!("{repository}/manifests/{reference}"))?;
        self.put(url, media_type, Content::of(manifest.to_string().as_bytes()))
    }

    fn put(&self, url: Url, media_type: &str, content: Content) -> anyhow::Result<Content> {
        let request = self.client.request(Method::PUT, url).header(CONTENT_TYPE, media_type);
        expect(request.body(content.bytes.clone()).send()?, StatusCode::CREATED)?;
        Ok(content)
    }

    fn json(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let response =
            self.client.get(self.url(path)?).header("Accept", format!("{MANIFEST}, {INDEX}")).send()?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(expect(response, StatusCode::OK)?.json()?))
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        Url::parse(&format!("http://{}/v2/{path}", self.host)).with_context(|| path.to_owned())
    }
}

/// Bytes in a registry.
struct Content {
    bytes: Vec<u8>,
    digest: String,
}

impl Content {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), digest: sha256(bytes) }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

fn expect(response: Response, status: StatusCode) -> anyhow::Result<Response> {
    let (url, found) = (response.url().clone(), response.status());
    if found != status {
        let said = response.text().unwrap_or_default();
        anyhow::bail!("{url}: expected {status}, got {found}: {said}");
    }
    Ok(response)
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

/// An archive with one file, the same for the same content.
fn layer(content: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(content.len())?);
    header.set_mode(0o644);
    archive.append_data(&mut header, "content", content.as_bytes())?;
    Ok(archive.into_inner()?)
}

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// The server chooses its port, so that nobody can take it in between.
fn command(kind: Kind, program: &Path, folder: &Path) -> anyhow::Result<Command> {
    let mut command = process::isolated(program, folder);
    match kind {
        Kind::Referrers => {}
        Kind::RawReferrers => drop(command.arg("-raw")),
        Kind::NoReferrers => drop(command.arg("-referrers=false")),
        Kind::Distribution | Kind::Private => {
            command.arg("serve").arg(distribution_config(kind, folder)?).env("OTEL_TRACES_EXPORTER", "none");
        }
    }
    Ok(command)
}

fn distribution_config(kind: Kind, folder: &Path) -> anyhow::Result<PathBuf> {
    let mut config = json!({
        "version": "0.1",
        "storage": {"inmemory": {}},
        "http": {"addr": "127.0.0.1:0", "secret": "e2e"},
        "log": {"level": "info", "accesslog": {"disabled": true}},
    });
    if kind == Kind::Private {
        let file = folder.join("htpasswd");
        fs::write(&file, LOGIN)?;
        config["auth"] = json!({"htpasswd": {"realm": "e2e", "path": file}});
    }
    let path = folder.join("config.yaml");
    fs::write(&path, config.to_string()).with_context(|| path.display().to_string())?;
    Ok(path)
}

/// The address that a log says the server listens on.
fn listening(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    let (_, rest) = text.split_once("listening on ")?;
    // A digit is followed by something else once the number is complete.
    let end =
        rest.find(|character: char| character != '.' && character != ':' && !character.is_ascii_digit())?;
    Some(rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_log_once_its_line_is_complete() {
        let log = tempfile::NamedTempFile::new().unwrap();
        for (text, expected) in [
            ("", None),
            ("x listening on 127.0.0.1:40", None),
            ("x listening on 127.0.0.1:401\n", Some("127.0.0.1:401")),
            ("msg=\"listening on 127.0.0.1:401\" go.version=x\n", Some("127.0.0.1:401")),
        ] {
            fs::write(log.path(), text).unwrap();
            assert_eq!(listening(log.path()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_same_content_is_the_same_layer() {
        let layer = |content| gzip(&layer(content).unwrap()).unwrap();
        assert_eq!(layer("a"), layer("a"));
        assert_ne!(layer("a"), layer("b"));
    }
}
