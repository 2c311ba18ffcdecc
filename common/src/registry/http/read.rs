//! Manifests and blobs (OCI distribution specification, "Pull").

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderValue};

use super::exchange::{Ask, Session};
use crate::digest::Digest;
use crate::image::Version;
use crate::limits;
use crate::registry::Fetched;
use crate::registry::manifest::Manifest;
use crate::verdict::RegistryProblem;

/// [`crate::registry::MANIFEST_MEDIA_TYPES`] in one header.
const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// The request for a manifest.
pub(super) fn ask(session: &Session<'_>, version: &Version) -> Ask {
    let url = session.endpoint.url(&format!("manifests/{version}"));
    Ask::get(url, limits::MANIFEST_BYTES).header(ACCEPT, HeaderValue::from_static(ACCEPTED))
}

/// A manifest whose bytes have the digest that was asked for, or by tag the one that the registry says.
///
/// Attack A2: the header of a registry may say what it likes of bytes that were asked for by digest; the
/// bytes decide. By tag a header that contradicts the bytes shows that one of them is not the registry's.
pub(super) async fn manifest(session: &Session<'_>, version: &Version) -> Fetched<Arc<Manifest>> {
    let ask = ask(session, version);
    let answer = session.perform(&ask).await?;
    let fault = |problem| ask.fault(problem);
    let Some(answer) = answer.found().map_err(fault)? else { return Ok(None) };
    let malformed = |error: &dyn std::fmt::Display| fault(RegistryProblem::Malformed(error.to_string()));
    let expected = match (version, answer.header("docker-content-digest")) {
        (Version::Digest(digest), _) => Some(digest.clone()),
        (Version::Tag(_), Some(text)) => Some(Digest::parse(text.trim()).map_err(|error| malformed(&error))?),
        (Version::Tag(_), None) => None,
    };
    expected.iter().try_for_each(|digest| check(digest, &answer.body)).map_err(fault)?;
    let bytes: Arc<[u8]> = answer.body.to_vec().into();
    let mut manifest =
        Manifest::parse(bytes, answer.header("content-type")).map_err(|error| malformed(&error))?;
    // Under the name that it was asked by, which may be of another hash function.
    if let Version::Digest(digest) = version {
        manifest.digest = digest.clone();
    }
    Ok(Some(Arc::new(manifest)))
}

/// A blob of at most `bound` bytes.
pub(super) async fn blob(session: &Session<'_>, digest: &Digest, bound: usize) -> Fetched<Arc<[u8]>> {
    let ask = Ask::get(session.endpoint.url(&format!("blobs/{digest}")), bound);
    let answer = session.perform(&ask).await?;
    let Some(answer) = answer.found().map_err(|problem| ask.fault(problem))? else { return Ok(None) };
    check(digest, &answer.body).map_err(|problem| ask.fault(problem))?;
    Ok(Some(answer.body.to_vec().into()))
}

fn check(digest: &Digest, bytes: &Bytes) -> Result<(), RegistryProblem> {
    if digest.names(bytes) {
        return Ok(());
    }
    let found = Digest::of(bytes).to_string();
    Err(RegistryProblem::ContentMismatch { expected: digest.to_string(), found })
}
