//! Writes over HTTP. They go to the repository's own registry and never to a mirror, and follow no
//! redirects.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::answer::Answer;
use super::endpoint::Endpoint;
use super::exchange::{Action, Ask, Redirects, Session};
use super::{Client, read};
use crate::digest::Digest;
use crate::image::{Repository, Tag, Version};
use crate::limits;
use crate::registry::manifest::{Content, Descriptor, Manifest};
use crate::registry::push::{Push, Pushing};
use crate::verdict::{RegistryFault, RegistryProblem};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// By which a registry says that it keeps the list of referrers (OCI distribution specification, "Pushing
/// Manifests with Subject").
const SUBJECT: &str = "oci-subject";

impl Push for Client {
    fn put_blob<'p>(&'p self, at: &'p Repository, bytes: Arc<[u8]>) -> Pushing<'p> {
        Box::pin(async move {
            let endpoint = Endpoint::new(at.clone(), &self.shared.config)?;
            put_blob(&self.writer(&endpoint), Bytes::from_owner(bytes)).await
        })
    }

    fn put_manifest<'p>(
        &'p self,
        at: &'p Repository,
        version: &'p Version,
        media_type: &'p str,
        bytes: Arc<[u8]>,
    ) -> Pushing<'p> {
        Box::pin(async move {
            let endpoint = Endpoint::new(at.clone(), &self.shared.config)?;
            put_manifest(&self.writer(&endpoint), version, media_type, bytes).await
        })
    }
}

impl Client {
    fn writer<'c>(&'c self, endpoint: &'c Endpoint) -> Session<'c> {
        Session {
            shared: &self.shared,
            credentials: &self.credentials,
            endpoint,
            deadline: self.ends(),
            time_limit: self.time_limit(),
            attempts: limits::REQUEST_ATTEMPTS,
        }
    }
}

fn write(method: Method, url: Url, kind: HeaderValue, body: Bytes) -> Ask {
    let (action, redirects) = (Action::Write, Redirects::Never);
    let bound = limits::ERROR_BODY_BYTES;
    let ask = Ask { method, action, redirects, body: Some(body), ..Ask::get(url, bound) };
    ask.header(CONTENT_TYPE, kind)
}

/// HEAD, and unless it is there POST for a place and PUT of all at once ("Pushing a blob monolithically").
async fn put_blob(session: &Session<'_>, bytes: Bytes) -> Result<Digest, RegistryFault> {
    let digest = Digest::of(&bytes);
    let url = session.endpoint.url(&format!("blobs/{digest}"));
    let mut head =
        Ask { method: Method::HEAD, action: Action::Write, ..Ask::get(url, limits::ERROR_BODY_BYTES) };
    head.redirects = Redirects::Never;
    // A redirect leads to where it is. A 404 needs no proof here: nothing is decided by it.
    let there = session.perform(&head).await?.status;
    if there.is_success() || there.is_redirection() {
        return Ok(digest);
    }
    let begin = write(Method::POST, session.endpoint.url("blobs/uploads/"), OCTETS, Bytes::new());
    let answer = expect(&begin, session.perform(&begin).await?, StatusCode::ACCEPTED)?;
    let mut place = upload(&answer).map_err(|problem| begin.fault(problem))?;
    place.query_pairs_mut().append_pair("digest", &digest.to_string());
    let put = write(Method::PUT, place, OCTETS, bytes);
    expect(&put, session.perform(&put).await?, StatusCode::CREATED)?;
    Ok(digest)
}

/// Where an upload goes.
///
/// Attack A38: the place of an upload is a registry's word, and what is written there comes with our
/// authorization; so it must be at the registry itself.
fn upload(answer: &Answer) -> Result<Url, RegistryProblem> {
    let malformed = || RegistryProblem::Malformed("it names no place for the upload".to_owned());
    let location = answer.header(LOCATION.as_str()).ok_or_else(malformed)?;
    let url = answer.url.join(location).map_err(|_| malformed())?;
    if url.origin() == answer.url.origin() && url.username().is_empty() {
        return Ok(url);
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    Err(RegistryProblem::Refused { host, why: "the upload would leave the registry".to_owned() })
}

async fn put_manifest(
    session: &Session<'_>,
    version: &Version,
    media_type: &str,
    bytes: Arc<[u8]>,
) -> Result<Digest, RegistryFault> {
    let url = session.endpoint.url(&format!("manifests/{version}"));
    let malformed = |text: String| RegistryFault::new(url.path(), RegistryProblem::Malformed(text));
    let manifest = Manifest::parse(Arc::clone(&bytes), Some(media_type));
    let manifest = manifest.map_err(|error| malformed(error.to_string()))?;
    if let Version::Digest(digest) = version
        && !digest.names(&bytes)
    {
        return Err(malformed(format!("it is not {digest}")));
    }
    let kind = HeaderValue::from_static(manifest.media_type);
    let put = write(Method::PUT, url.clone(), kind, Bytes::from_owner(bytes));
    let answer = expect(&put, session.perform(&put).await?, StatusCode::CREATED)?;
    match manifest.subject() {
        Some(subject) if !answer.headers.contains_key(HeaderName::from_static(SUBJECT)) => {
            list(session, &subject.digest, &manifest).await?;
        }
        Some(_) | None => {}
    }
    Ok(manifest.digest)
}

/// Adds a manifest to the list of a subject's referrers that clients keep under a tag ("Referrers Tag
/// Schema").
///
/// The specification has no way to write it only if nobody else did meanwhile; of two writers at once one
/// may be lost, and pushing again adds it.
async fn list(session: &Session<'_>, subject: &Digest, manifest: &Manifest) -> Result<(), RegistryFault> {
    let tag = Version::Tag(Tag::derived(subject, ""));
    let found = read::manifest(session, &tag).await?;
    let url = session.endpoint.url(&format!("manifests/{tag}"));
    let fault = |problem| write(Method::PUT, url.clone(), OCTETS, Bytes::new()).fault(problem);
    let mut entries = match found {
        // GitLab answers with the subject itself.
        Some(found) if subject.names(&found.bytes) => Vec::new(),
        Some(found) => entries(&found).ok_or_else(|| {
            fault(RegistryProblem::Malformed("the tag for referrers is no index".to_owned()))
        })?,
        None => Vec::new(),
    };
    let digest = manifest.digest.to_string();
    if entries.iter().any(|entry| entry["digest"] == digest) {
        return Ok(());
    }
    if entries.len() >= limits::REFERRERS {
        return Err(fault(RegistryProblem::TooMany { what: "referrers", bound: limits::REFERRERS }));
    }
    entries.push(entry(manifest));
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
    let put = write(Method::PUT, url.clone(), HeaderValue::from_static(INDEX), index.into());
    expect(&put, session.perform(&put).await?, StatusCode::CREATED).map(drop)
}

/// The entries of an index as they are written, with the fields that we do not know.
fn entries(index: &Manifest) -> Option<Vec<Value>> {
    index.index()?;
    let mut value: Value = serde_json::from_slice(&index.bytes).ok()?;
    value.get_mut("manifests")?.as_array_mut().map(std::mem::take)
}

/// A manifest in the list: with its artifact type, which is that of its configuration where it has none.
fn entry(manifest: &Manifest) -> Value {
    let (artifact_type, annotations) = match &manifest.content {
        Content::Image(image) => {
            let config = image.config.as_ref().map(|config: &Descriptor| config.media_type.clone());
            (image.artifact_type.clone().or(config), &image.annotations)
        }
        Content::Index(index) => (None, &index.annotations),
    };
    let mut entry = json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest.to_string(),
        "size": manifest.bytes.len(),
    });
    if let Some(artifact_type) = artifact_type {
        entry["artifactType"] = artifact_type.into();
    }
    if !annotations.is_empty() {
        entry["annotations"] = json!(annotations);
    }
    entry
}

fn expect(ask: &Ask, answer: Answer, status: StatusCode) -> Result<Answer, RegistryFault> {
    if answer.status == status { Ok(answer) } else { Err(ask.fault(answer.problem())) }
}
