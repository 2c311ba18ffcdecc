//! What came back: its bytes, bounded while they arrive, and what a status means.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_ENCODING, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use url::Url;

use super::transport::{network, within};
use crate::limits;
use crate::verdict::RegistryProblem;

/// Codes by which a registry says that something is not there (OCI distribution specification, "Error
/// Codes"; the last two are those of Harbor and GitLab, and of blobs that a manifest names).
const NOT_THERE: [&str; 5] =
    ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "NOT_FOUND", "MANIFEST_BLOB_UNKNOWN"];

/// Codes by which a registry hides behind a 404 that it would need other credentials.
const NOT_ALLOWED: [&str; 2] = ["UNAUTHORIZED", "DENIED"];

/// The header that a registry may put into any answer (distribution specification of Docker, "API Version
/// Check").
const API_VERSION: &str = "docker-distribution-api-version";

/// An answer whose body was read.
#[derive(Debug)]
pub(super) struct Answer {
    /// Where it came from, after redirects.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The whole body, or of an error its beginning.
    pub body: Bytes,
    /// Which credentials were shown.
    pub tried: String,
}

#[derive(Default, Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Coded>,
}

#[derive(Deserialize)]
struct Coded {
    #[serde(default)]
    code: String,
}

impl Answer {
    /// Reads the body of at most `bound` bytes.
    pub(super) async fn read(
        response: Response,
        tried: String,
        bound: usize,
        deadline: Instant,
    ) -> Result<Self, RegistryProblem> {
        let (url, status, headers) = (response.url().clone(), response.status(), response.headers().clone());
        let body = if status.is_success() {
            within(deadline, body(response, bound)).await??
        } else {
            within(deadline, beginning(response)).await?
        };
        Ok(Self { url, status, headers, body, tried })
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer if it is what was asked for, `None` if it is not there.
    ///
    /// Attack A40: only a registry can say that something is not there. A 404 counts if its body has one of
    /// the specification's codes, or if it has the header of registries. The page of a captive portal or of
    /// a proxy has neither, and would make every image look unsigned, and every attestation that refuses
    /// one look absent. A registry that answers 404 where it means "not for you" says so in its code.
    pub(super) fn found(self) -> Result<Option<Self>, RegistryProblem> {
        if self.status.is_success() {
            return Ok(Some(self));
        }
        if self.status != StatusCode::NOT_FOUND {
            return Err(self.problem());
        }
        if self.has_code(&NOT_ALLOWED) {
            return Err(RegistryProblem::Unauthorized { tried: self.tried });
        }
        if self.has_code(&NOT_THERE) || self.headers.contains_key(API_VERSION) {
            return Ok(None);
        }
        Err(RegistryProblem::Malformed("a 404 that is not a registry's".to_owned()))
    }

    /// What a status says that is neither success nor "not there".
    pub(super) fn problem(&self) -> RegistryProblem {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                RegistryProblem::Unauthorized { tried: self.tried.clone() }
            }
            StatusCode::TOO_MANY_REQUESTS => {
                RegistryProblem::RateLimited { retry_after: self.retry_after().map(|wait| wait.as_secs()) }
            }
            status => RegistryProblem::Status(status.as_u16()),
        }
    }

    /// Whether the body has one of the codes.
    pub(super) fn has_code(&self, codes: &[&str]) -> bool {
        let errors: Errors = serde_json::from_slice(&self.body).unwrap_or_default();
        errors.errors.iter().any(|error| codes.contains(&error.code.as_str()))
    }

    /// Whether it is a page for people.
    pub(super) fn is_page(&self) -> bool {
        let html = self.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html"));
        html || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// When to ask again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, which is counted from the answer's own `Date` so
/// that two clocks need not agree.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let parser = DateTimeParser::new();
    let at = parser.parse_timestamp(text).ok()?;
    let now = parser.parse_timestamp(headers.get(DATE)?.to_str().ok()?).ok()?;
    let seconds = at.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// All of a body.
///
/// Attack A35: a body without end, a `Content-Length` of gigabytes, or a compressed body. The length that
/// is announced may refuse early; what arrives is counted whatever was announced.
pub(super) async fn body(mut response: Response, bound: usize) -> Result<Bytes, RegistryProblem> {
    let encoding = response.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(RegistryProblem::Malformed("it is compressed, which was not asked for".to_owned()));
    }
    let announced =
        response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > bound {
        return Err(RegistryProblem::TooLarge { bound });
    }
    let mut read = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| network(&error))? {
        if read.len().saturating_add(chunk.len()) > bound {
            return Err(RegistryProblem::TooLarge { bound });
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

/// The beginning of a body that only explains; a broken one explains nothing.
async fn beginning(mut response: Response) -> Bytes {
    let mut read = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limits::ERROR_BODY_BYTES.saturating_sub(read.len());
        read.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    read.freeze()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn after(texts: &[(reqwest::header::HeaderName, &str)]) -> Option<u64> {
        let header = |(name, text): &(_, &str)| {
            (reqwest::header::HeaderName::clone(name), HeaderValue::from_str(text).unwrap())
        };
        retry_after(&texts.iter().map(header).collect()).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(after(&[(RETRY_AFTER, "7")]), Some(7));
        let now = (DATE, "Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(after(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:28:30 GMT"), now.clone()]), Some(30));
        assert_eq!(after(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:27:00 GMT"), now]), Some(0));
        assert_eq!(after(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:28:30 GMT")]), None);
        assert_eq!(after(&[(RETRY_AFTER, "-1")]), None);
        assert_eq!(after(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(after(&[]), None);
    }
}
