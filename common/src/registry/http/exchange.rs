//! One request to a registry, with everything that belongs to it:
//!
//! 1. wait for a place among the requests to that registry
//! 2. show the credentials that it wants ([`super::authorize`])
//! 3. follow redirects, within bounds, and never with credentials to another host
//! 4. read the answer, bounded
//! 5. try again where that may help, while there is time

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::Shared;
use super::answer::Answer;
use super::endpoint::Endpoint;
use super::observer::Stage;
use super::transport::{Hop, Hosts, authority, within};
use crate::limits;
use crate::registry::credentials::Credentials;
use crate::verdict::{RegistryFault, RegistryProblem};

/// What a request does, as tokens know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Read,
    Write,
}

/// Which redirects are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirects {
    /// All that may be.
    Follow,
    /// Those to a path with this end. Others are left to the caller, as an answer.
    To(String),
    /// None.
    Never,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// Bytes that the answer may have.
    pub bound: usize,
    pub action: Action,
    pub redirects: Redirects,
}

/// Requests to one place of a repository, with one set of credentials and until one moment.
pub(super) struct Session<'c> {
    pub shared: &'c Shared,
    pub credentials: &'c Credentials,
    pub endpoint: &'c Endpoint,
    pub deadline: Instant,
    /// What the caller calls the time until then.
    pub time_limit: Option<&'c str>,
    /// How often a request is tried.
    pub attempts: u32,
}

/// Why an attempt failed, and when to make another.
pub(super) struct Failure {
    pub problem: RegistryProblem,
    pub retry_after: Option<Duration>,
    /// The request that failed, where it was made for the sake of another: to a token service, or where a redirect
    /// led.
    pub request: Option<String>,
}

/// The attempts of one request.
pub(super) struct Attempts {
    delays: ExponentialBackoff,
    /// How many there were.
    made: u32,
    allowed: u32,
    deadline: Instant,
}

impl Action {
    /// As in scopes of tokens.
    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::Read => "pull",
            Self::Write => "pull,push",
        }
    }
}

impl Ask {
    /// A read.
    pub(super) fn get(url: Url, bound: usize) -> Self {
        let (headers, body, redirects) = (HeaderMap::new(), None, Redirects::Follow);
        Self { method: Method::GET, url, headers, body, bound, action: Action::Read, redirects }
    }

    pub(super) fn header(mut self, name: reqwest::header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// For people; without the query, which may hold what opens an upload.
    fn label(&self) -> String {
        label(&self.method, &self.url)
    }

    /// A fault of this request that its answer shows.
    pub(super) fn fault(&self, problem: RegistryProblem) -> RegistryFault {
        RegistryFault::new(self.label(), brief(problem))
    }
}

/// A request, for people.
pub(super) fn label(method: &Method, url: &Url) -> String {
    format!("{method} {}{}", authority(url), url.path())
}

/// Attack A48: what a registry sent may be in the text of a problem, a megabyte of it.
fn brief(problem: RegistryProblem) -> RegistryProblem {
    match problem {
        RegistryProblem::Malformed(what) => RegistryProblem::Malformed(cut(&what)),
        RegistryProblem::Unreachable(why) => RegistryProblem::Unreachable(cut(&why)),
        RegistryProblem::Refused { host, why } => RegistryProblem::Refused { host: cut(&host), why },
        RegistryProblem::Unauthorized { .. }
        | RegistryProblem::RateLimited { .. }
        | RegistryProblem::Status(_)
        | RegistryProblem::DeadlineExceeded
        | RegistryProblem::TooLarge { .. }
        | RegistryProblem::TooMany { .. }
        | RegistryProblem::ContentMismatch { .. }
        | RegistryProblem::NotRecorded
        | RegistryProblem::SignaturesNotRecorded { .. } => problem,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(limits::FAULT_CHARACTERS).collect()
}

impl From<RegistryProblem> for Failure {
    fn from(problem: RegistryProblem) -> Self {
        Self { problem, retry_after: None, request: None }
    }
}

impl Failure {
    /// The failure of a request that was made for the sake of another. That a host must not be contacted is said of
    /// the request whose answer leads there.
    pub(super) fn of_request(method: &Method, url: &Url, problem: RegistryProblem) -> Self {
        let refused = matches!(problem, RegistryProblem::Refused { .. });
        Self { request: (!refused).then(|| label(method, url)), ..Self::from(problem) }
    }

    /// Whether another attempt may end better: connections that break, a registry that is busy or down.
    fn is_transient(&self) -> bool {
        match self.problem {
            RegistryProblem::Unreachable(_) | RegistryProblem::RateLimited { .. } => true,
            RegistryProblem::Status(status) => matches!(status, 500 | 502 | 503 | 504),
            RegistryProblem::Unauthorized { .. }
            | RegistryProblem::DeadlineExceeded
            | RegistryProblem::TooLarge { .. }
            | RegistryProblem::TooMany { .. }
            | RegistryProblem::ContentMismatch { .. }
            | RegistryProblem::Malformed(_)
            | RegistryProblem::Refused { .. }
            | RegistryProblem::NotRecorded
            | RegistryProblem::SignaturesNotRecorded { .. } => false,
        }
    }
}

impl Attempts {
    pub(super) fn new(allowed: u32, deadline: Instant) -> Self {
        let delays = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_jitter()
            .build();
        Self { delays, made: 0, allowed, deadline }
    }

    /// Counts an attempt that failed, and waits until the next one; whether there is one.
    pub(super) async fn another(
        &mut self,
        failure: &Failure,
        (method, url): (&Method, &Url),
        hosts: &Hosts,
    ) -> bool {
        self.made += 1;
        let wait = self.delays.next().unwrap_or_default().max(failure.retry_after.unwrap_or_default());
        let in_time = wait < self.deadline.saturating_duration_since(Instant::now());
        // Rather what is wrong than that there was no time for another attempt.
        if !failure.is_transient() || self.made >= self.allowed || !in_time {
            return false;
        }
        let _waiting = hosts.waits(method, url, Stage::Attempt, Instant::now() + wait);
        tokio::time::sleep(wait).await;
        true
    }
}

impl Session<'_> {
    /// Asks, until there is an answer that is worth something or no use in asking.
    pub(super) async fn perform(&self, ask: &Ask) -> Result<Answer, RegistryFault> {
        let mut attempts = Attempts::new(self.attempts, self.deadline);
        loop {
            let failure = match self.attempt(ask).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !attempts.another(&failure, (&ask.method, &ask.url), &self.shared.hosts).await {
                return Err(self.fault(ask, failure, attempts.made));
            }
        }
    }

    /// What is said of a request that failed: which request it was in the end, and which limit ended it.
    fn fault(&self, ask: &Ask, failure: Failure, attempts: u32) -> RegistryFault {
        let ended = failure.problem == RegistryProblem::DeadlineExceeded;
        let time_limit = self.time_limit.filter(|_| ended).map(str::to_owned);
        let of_ask = ask.fault(failure.problem);
        let request = failure.request.map_or(of_ask.request, |request| cut(&request));
        RegistryFault { request, problem: of_ask.problem, attempts, time_limit }
    }

    async fn attempt(&self, ask: &Ask) -> Result<Answer, Failure> {
        let registry = authority(&self.endpoint.base);
        let _place = within(self.deadline, self.shared.bulkhead.enter(&registry)).await??;
        let (response, tried) = self.authorized(ask).await?;
        let from = response.url().clone();
        let answer = {
            let _waiting = self.shared.hosts.waits(&ask.method, &from, Stage::Answer, self.deadline);
            Answer::read(response, tried, ask.bound, self.deadline).await
        };
        let answer = answer.map_err(|problem| hop_failed(ask, &from, problem))?;
        let is_fault = answer.status == StatusCode::TOO_MANY_REQUESTS || answer.status.is_server_error();
        // 501 is an answer: it says that there is no such request.
        if is_fault && answer.status != StatusCode::NOT_IMPLEMENTED {
            let retry_after = answer.retry_after();
            return Err(Failure { retry_after, ..hop_failed(ask, &from, answer.problem()) });
        }
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(answer.problem().into());
        }
        Ok(answer)
    }

    /// Sends a request and follows its redirects.
    ///
    /// Attack A37, A38: a redirect leads wherever its writer likes. Each hop is judged like the first
    /// ([`super::egress`]); none leaves HTTPS; there are few; and what authorizes us is for the registry's
    /// own scheme, host and port, and never sent again once a redirect has left them.
    pub(super) async fn follow(
        &self,
        ask: &Ask,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Failure> {
        let base = &self.endpoint.base;
        let mut url = ask.url.clone();
        let mut home = url.origin() == base.origin();
        for _ in 0..=limits::REDIRECTS {
            let hop = Hop {
                method: ask.method.clone(),
                url: url.clone(),
                headers: ask.headers.clone(),
                authorization: authorization.filter(|_| home).cloned(),
                body: ask.body.clone().map(Into::into),
            };
            let response = self.shared.hosts.send(hop, base, self.deadline).await;
            let response = response.map_err(|problem| hop_failed(ask, &url, problem))?;
            let Some(next) = next(&response, &url)? else { return Ok(response) };
            let followed = match &ask.redirects {
                Redirects::Follow => true,
                Redirects::To(end) => next.path().ends_with(end.as_str()),
                Redirects::Never => false,
            };
            if !followed {
                return Ok(response);
            }
            home &= next.origin() == base.origin();
            url = next;
        }
        Err(RegistryProblem::Malformed(format!("more than {} redirects", limits::REDIRECTS)).into())
    }
}

/// What failed at one hop of a request: the request itself, or what a redirect made of it.
fn hop_failed(ask: &Ask, url: &Url, problem: RegistryProblem) -> Failure {
    if *url == ask.url { problem.into() } else { Failure::of_request(&ask.method, url, problem) }
}

/// Where a response sends us (RFC 9110, 15.4).
pub(super) fn next(response: &Response, from: &Url) -> Result<Option<Url>, RegistryProblem> {
    let status = response.status().as_u16();
    let Some(location) =
        response.headers().get(LOCATION).filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308))
    else {
        return Ok(None);
    };
    let malformed = || RegistryProblem::Malformed("a redirect to what is no URL".to_owned());
    let url = from.join(location.to_str().map_err(|_| malformed())?).map_err(|_| malformed())?;
    let refused = |why: &str| {
        let host = url.host_str().unwrap_or_default().to_owned();
        Err(RegistryProblem::Refused { host, why: why.to_owned() })
    };
    match (from.scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => {}
        (_, "http") => return refused("a redirect leads from HTTPS to plain HTTP"),
        _ => return refused("a redirect leads to something that is not HTTPS"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("a redirect names a user");
    }
    Ok(Some(url))
}
