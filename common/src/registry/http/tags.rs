//! Lists of tags (OCI distribution specification, "Listing Tags").

use serde::Deserialize;

use super::exchange::{Ask, Session};
use crate::digest::Digest;
use crate::image::Tag;
use crate::limits;
use crate::registry::{Fetched, derived_from};
use crate::verdict::RegistryProblem;

#[derive(Deserialize)]
struct Listed {
    /// Absent or null where a repository has none.
    tags: Option<Vec<String>>,
}

/// The images that tags of the first page were derived from. What is no tag counts for nothing: names come from
/// the registry, and only ours are looked for.
pub(super) async fn signed_digests(session: &Session<'_>) -> Fetched<Vec<Digest>> {
    let mut url = session.endpoint.url("tags/list");
    url.set_query(Some(&format!("n={}", limits::LISTED_TAGS)));
    let ask = Ask::get(url, limits::MANIFEST_BYTES);
    let answer = session.perform(&ask).await?;
    let Some(answer) = answer.found().map_err(|problem| ask.fault(problem))? else { return Ok(None) };
    let listed: Listed = serde_json::from_slice(&answer.body)
        .map_err(|error| ask.fault(RegistryProblem::Malformed(error.to_string())))?;
    let tags: Vec<_> =
        listed.tags.unwrap_or_default().iter().filter_map(|text| Tag::parse(text).ok()).collect();
    Ok(Some(derived_from(&tags)))
}
