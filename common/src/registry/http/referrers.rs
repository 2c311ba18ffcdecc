//! Lists of referrers (OCI distribution specification, "Listing Referrers" and "Referrers Tag Schema").

use std::collections::BTreeSet;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderValue, LINK};
use url::Url;

use super::answer::Answer;
use super::exchange::{Ask, Redirects, Session};
use super::read;
use crate::digest::Digest;
use crate::image::{Tag, Version};
use crate::limits;
use crate::registry::manifest::{Descriptor, Manifest};
use crate::verdict::{RegistryFault, RegistryProblem};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a first answer of the referrers API says.
enum First {
    /// A page of the list.
    Page(Box<Answer>),
    /// There is no such API.
    Unsupported,
}

/// The manifests that name `subject`.
pub(super) async fn referrers(
    session: &Session<'_>,
    subject: &Digest,
) -> Result<Vec<Descriptor>, RegistryFault> {
    let end = format!("referrers/{subject}");
    let mut ask = page(session.endpoint.url(&end), &end);
    let mut answer = match first(&ask, session.perform(&ask).await?)? {
        First::Page(answer) => *answer,
        First::Unsupported => return fallback(session, subject).await,
    };
    let mut list = List::default();
    let mut seen = BTreeSet::from([ask.url.clone()]);
    loop {
        list.add(&answer).map_err(|problem| ask.fault(problem))?;
        let Some(next) = next(&answer).map_err(|problem| ask.fault(problem))? else {
            return Ok(list.entries);
        };
        // Attack A36: pages without end, or one that names itself. Ending the list here would hide what
        // might follow, so it is a fault.
        if !seen.insert(next.clone()) {
            return Err(
                ask.fault(RegistryProblem::Malformed("its next page is one that was read".to_owned()))
            );
        }
        if seen.len() > limits::REFERRER_PAGES {
            let what = "pages of referrers";
            return Err(ask.fault(RegistryProblem::TooMany { what, bound: limits::REFERRER_PAGES }));
        }
        ask = page(next, &end);
        answer = session.perform(&ask).await?;
        if answer.status != StatusCode::OK {
            return Err(ask.fault(answer.problem()));
        }
    }
}

fn page(url: Url, end: &str) -> Ask {
    let mut ask = Ask::get(url, limits::MANIFEST_BYTES).header(ACCEPT, HeaderValue::from_static(INDEX));
    ask.redirects = Redirects::To(format!("/{end}"));
    ask
}

/// Whether there is a referrers API. The specification says so by 404; older registries by 400 or 405, and
/// GHCR by a redirect to a page about packages. A page for people is nobody's answer
/// ([`Answer::found`] tells the attack); an answer that is about credentials is about credentials.
///
/// Attack A39: whoever is between us and a registry can hide the API in this way. The fallback tag is then
/// asked for, and what is not there either must be said by a registry. The registry itself can always
/// leave out a referrer; a policy that demands one does not pass without.
fn first(ask: &Ask, answer: Answer) -> Result<First, RegistryFault> {
    match answer.status {
        StatusCode::OK => return Ok(First::Page(Box::new(answer))),
        StatusCode::NOT_FOUND => {}
        StatusCode::BAD_REQUEST
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::NOT_ACCEPTABLE
        | StatusCode::NOT_IMPLEMENTED => return Ok(First::Unsupported),
        status if status.is_redirection() || answer.has_code(&["UNSUPPORTED"]) => {
            return Ok(First::Unsupported);
        }
        _ => return Err(ask.fault(answer.problem())),
    }
    if answer.is_page() {
        return Err(ask.fault(RegistryProblem::Malformed("a 404 that is not a registry's".to_owned())));
    }
    if answer.has_code(&["UNAUTHORIZED", "DENIED"]) {
        return Err(ask.fault(RegistryProblem::Unauthorized { tried: answer.tried }));
    }
    Ok(First::Unsupported)
}

/// Reads the tag `sha256-…`, which clients of registries without the API keep.
///
/// GitLab answers it with the subject itself, which may be an index too: its platforms are no referrers.
async fn fallback(session: &Session<'_>, subject: &Digest) -> Result<Vec<Descriptor>, RegistryFault> {
    let tag = Version::Tag(Tag::derived(subject, ""));
    let Some(found) = read::manifest(session, &tag).await? else { return Ok(Vec::new()) };
    if subject.names(&found.bytes) {
        return Ok(Vec::new());
    }
    let fault = |problem| read::ask(session, &tag).fault(problem);
    let not_index = || RegistryProblem::Malformed("the tag for referrers is no index".to_owned());
    found.index().map(|index| index.manifests.clone()).ok_or_else(|| fault(not_index()))
}

/// What was read, without repetitions.
#[derive(Default)]
struct List {
    entries: Vec<Descriptor>,
    digests: BTreeSet<Digest>,
}

impl List {
    fn add(&mut self, answer: &Answer) -> Result<(), RegistryProblem> {
        let kind = answer.header("content-type");
        let page = Manifest::parse(answer.body.to_vec().into(), kind);
        let page = page.map_err(|error| RegistryProblem::Malformed(error.to_string()))?;
        let index = page
            .index()
            .ok_or_else(|| RegistryProblem::Malformed("it is no index of referrers".to_owned()))?;
        for entry in &index.manifests {
            if self.digests.insert(entry.digest.clone()) {
                self.entries.push(entry.clone());
            }
        }
        if self.entries.len() > limits::REFERRERS {
            return Err(RegistryProblem::TooMany { what: "referrers", bound: limits::REFERRERS });
        }
        Ok(())
    }
}

/// The next page (RFC 8288, `rel="next"`): of the same list at the same host.
///
/// Attack A37: a `Link` is one more way to send us somewhere else.
fn next(answer: &Answer) -> Result<Option<Url>, RegistryProblem> {
    for link in answer.headers.get_all(LINK) {
        let text = link.to_str().unwrap_or_default();
        for one in text.split(',') {
            let Some((target, parameters)) =
                one.trim().strip_prefix('<').and_then(|rest| rest.split_once('>'))
            else {
                continue;
            };
            let is_next = |parameter: &str| {
                let (name, value) = parameter.trim().split_once('=').unwrap_or_default();
                name.trim().eq_ignore_ascii_case("rel")
                    && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
            };
            if parameters.split(';').any(is_next) {
                return same_list(target, &answer.url).map(Some);
            }
        }
    }
    Ok(None)
}

fn same_list(target: &str, from: &Url) -> Result<Url, RegistryProblem> {
    let url = from.join(target).ok();
    let same = url.filter(|url| {
        url.origin() == from.origin() && url.path() == from.path() && url.username().is_empty()
    });
    same.ok_or_else(|| RegistryProblem::Malformed("its next page is of another list".to_owned()))
}
