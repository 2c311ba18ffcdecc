//! Showing a registry the credentials that it wants.
//!
//! 1. What worked before for this repository, action and set of credentials is shown at once.
//! 2. A 401 says what is wanted. One of us finds it, the others of the same kind wait for the result.
//! 3. The credentials *for this registry* are tried in order, and none at last (a token service gives
//!    strangers what is public).
//!
//! Attack A38: credentials are chosen by the registry and repository that the image names and by nothing
//! that an answer says. A registry may name any token service, and the credentials that are for it go
//! there, as with every container runtime: it could ask for them itself. Those of another registry never
//! do, whatever service or realm a challenge names. No secret travels in clear, except on this machine.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::answer::{Answer, body};
use super::challenge::{Challenge, TokenService};
use super::egress::is_loopback;
use super::exchange::{Ask, Failure, Session};
use super::observer::Stage;
use super::tokens::{Grant, Key};
use super::transport::{Hop, within};
use crate::limits;
use crate::registry::credentials::{Candidate, Candidates, Login, Secret};
use crate::verdict::RegistryProblem;

const NO_CREDENTIALS: &str = "no credentials";
/// What we call ourselves where OAuth 2 wants a name.
const CLIENT_ID: &str = "kubectl-trust";
/// Seconds that a token lasts whose service does not say (distribution specification of Docker).
const DEFAULT_TOKEN_SECONDS: u64 = 60;

/// What trying one login came to.
enum Outcome {
    /// An `Authorization`, and how long it lasts.
    Header(HeaderValue, Duration),
    /// The token service does not want it, or it is not what the challenge asks for.
    Denied,
    /// It must not be sent there.
    InClear,
}

/// The answer of a token service (distribution specification of Docker, "Token Authentication").
#[derive(Deserialize)]
struct Issued {
    #[serde(default)]
    token: Secret,
    #[serde(default)]
    access_token: Secret,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Session<'_> {
    /// Sends a request with the credentials that the registry wants. With it, which they were.
    pub(super) async fn authorized(&self, ask: &Ask) -> Result<(Response, String), Failure> {
        let endpoint = self.endpoint;
        let key = Key {
            origin: endpoint.base.origin().ascii_serialization(),
            path: endpoint.repository.path().to_owned(),
            action: ask.action,
            credentials: self.credentials.fingerprint(),
        };
        let slot = self.shared.tokens.slot(key);
        let known = within(self.deadline, slot.lock()).await?.clone().filter(Grant::is_fresh);
        let response = self.follow(ask, known.as_ref().map(|grant| &grant.header)).await?;
        let label = known.as_ref().map_or_else(|| NO_CREDENTIALS.to_owned(), |grant| grant.label.clone());
        // A host that a redirect led to may want what it likes.
        let from_home = response.url().origin() == endpoint.base.origin();
        if response.status() != StatusCode::UNAUTHORIZED || !from_home {
            return Ok((response, label));
        }
        let path = endpoint.repository.path();
        let Some(challenge) = Challenge::of(response.headers(), &endpoint.base, path, ask.action)? else {
            return Ok((response, label));
        };
        let mut slot = within(self.deadline, slot.lock()).await?;
        // Another request may have found it while we waited.
        if let Some(grant) = slot.clone().filter(|grant| grant.is_fresh() && Some(grant) != known.as_ref()) {
            let response = self.follow(ask, Some(&grant.header)).await?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok((response, grant.label));
            }
        }
        *slot = None;
        let (response, grant) = self.answer(ask, &challenge).await?;
        let label = grant.label.clone();
        *slot = Some(grant);
        Ok((response, label))
    }

    /// Tries one login after the other.
    async fn answer(&self, ask: &Ask, challenge: &Challenge) -> Result<(Response, Grant), Failure> {
        let mut tried = Vec::new();
        let Candidates { logins, problem } = self.candidates().await?;
        let anonymous =
            problem.map_or_else(|| NO_CREDENTIALS.to_owned(), |why| format!("{NO_CREDENTIALS} ({why})"));
        let logins = logins.into_iter().map(|Candidate { label, login }| (label, Some(login)));
        for (label, login) in logins.chain([(anonymous.clone(), None)]) {
            let (header, lasts) = match self.try_login(challenge, login.as_ref()).await? {
                Outcome::Header(header, lasts) => (header, lasts),
                Outcome::InClear => {
                    tried.push(format!("{label} (not sent over plain HTTP)"));
                    continue;
                }
                Outcome::Denied => {
                    tried.extend(login.map(|_| label));
                    continue;
                }
            };
            let response = self.follow(ask, Some(&header)).await?;
            if !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                return Ok((response, Grant { header, label, until: Instant::now() + lasts }));
            }
            tried.push(label);
        }
        let tried = if tried.is_empty() { anonymous } else { tried.join(", ") };
        Err(RegistryProblem::Unauthorized { tried }.into())
    }

    async fn candidates(&self) -> Result<Candidates, RegistryProblem> {
        let repository = self.endpoint.repository.clone();
        if !self.credentials.needs_helper(&repository) {
            return Ok(self.credentials.candidates(&repository));
        }
        let credentials = self.credentials.clone();
        let found = tokio::task::spawn_blocking(move || credentials.candidates(&repository));
        let failed = |_| RegistryProblem::Unreachable("a credential helper failed".to_owned());
        within(self.deadline, found).await?.map_err(failed)
    }

    async fn try_login(&self, challenge: &Challenge, login: Option<&Login>) -> Result<Outcome, Failure> {
        // A token is a secret as well, if one was needed to get it.
        if login.is_some() && !is_private(&self.endpoint.base) {
            return Ok(Outcome::InClear);
        }
        let longest = Duration::from_secs(limits::TOKEN_SECONDS);
        match (challenge, login) {
            (_, Some(Login::RegistryToken(token))) => Ok(Outcome::Header(bearer(token)?, longest)),
            (Challenge::Basic, Some(Login::Basic { user, password })) => {
                Ok(Outcome::Header(basic(user, password)?, longest))
            }
            (Challenge::Basic, Some(Login::IdentityToken(_)) | None) => Ok(Outcome::Denied),
            (Challenge::Bearer(service), Some(_)) if !is_private(&service.realm) => Ok(Outcome::InClear),
            (Challenge::Bearer(service), login) => self.fetch_token(service, login).await,
        }
    }

    /// Asks a token service. Redirects are not followed: it would be handed on what is secret.
    async fn fetch_token(&self, service: &TokenService, login: Option<&Login>) -> Result<Outcome, Failure> {
        let question = question(service, login)?;
        let method = question.method.clone();
        let failed = |problem| Failure::of_request(&method, &service.realm, problem);
        let sent = self.shared.hosts.send(question, &self.endpoint.base, self.deadline).await;
        let response = sent.map_err(failed)?;
        let _waiting = self.shared.hosts.waits(&method, &service.realm, Stage::Answer, self.deadline);
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Ok(Outcome::Denied),
            // Of OAuth 2: `invalid_grant` (RFC 6749, 5.2).
            StatusCode::BAD_REQUEST if login.is_some() => return Ok(Outcome::Denied),
            _ => {
                let answer = Answer::read(response, String::new(), limits::TOKEN_BYTES, self.deadline).await;
                let answer = answer.map_err(failed)?;
                return Err(Failure { retry_after: answer.retry_after(), ..failed(answer.problem()) });
            }
        }
        let body = within(self.deadline, body(response, limits::TOKEN_BYTES)).await;
        let body = body.and_then(|body| body).map_err(failed)?;
        let malformed =
            || failed(RegistryProblem::Malformed("the token service's answer holds no token".to_owned()));
        let Issued { token, access_token, expires_in } =
            serde_json::from_slice(&body).map_err(|_| malformed())?;
        let token = if token.expose().is_empty() { access_token } else { token };
        if token.expose().is_empty() {
            return Err(malformed());
        }
        let seconds = expires_in.unwrap_or(DEFAULT_TOKEN_SECONDS).min(limits::TOKEN_SECONDS);
        // A tenth less, for the way.
        Ok(Outcome::Header(bearer(&token)?, Duration::from_secs(seconds) * 9 / 10))
    }
}

/// The request for a token: a GET with a password or none, or for an identity token a POST (distribution
/// specification of Docker, "Oauth2 Token Authentication").
fn question(service: &TokenService, login: Option<&Login>) -> Result<Hop, RegistryProblem> {
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let mut url = service.realm.clone();
    if let Some(Login::IdentityToken(token)) = login {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token").append_pair("client_id", CLIENT_ID);
        form.append_pair("scope", &service.scope).append_pair("refresh_token", token.expose());
        form.extend_pairs(service.service.iter().map(|name| ("service", name)));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let body = Some(form.finish().into());
        return Ok(Hop { method: Method::POST, url, headers, authorization: None, body });
    }
    url.query_pairs_mut().append_pair("scope", &service.scope);
    if let Some(name) = &service.service {
        url.query_pairs_mut().append_pair("service", name);
    }
    let authorization = match login {
        Some(Login::Basic { user, password }) => Some(basic(user, password)?),
        Some(Login::IdentityToken(_) | Login::RegistryToken(_)) | None => None,
    };
    Ok(Hop { method: Method::GET, url, headers, authorization, body: None })
}

/// Whether a secret may be sent there.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

/// RFC 7617.
fn basic(user: &str, password: &Secret) -> Result<HeaderValue, RegistryProblem> {
    let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
    let mut text = Zeroizing::new("Basic ".to_owned());
    STANDARD.encode_string(pair.as_bytes(), &mut text);
    header(&text)
}

/// RFC 6750.
fn bearer(token: &Secret) -> Result<HeaderValue, RegistryProblem> {
    header(&Zeroizing::new(format!("Bearer {}", token.expose())))
}

fn header(text: &str) -> Result<HeaderValue, RegistryProblem> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        RegistryProblem::Malformed(format!("a token that no {AUTHORIZATION} header may hold"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack A38: nobody on the way reads a secret.
    #[test]
    fn a38_secrets_travel_in_tls_or_not_at_all() {
        for (url, expected) in [
            ("https://ghcr.io/", true),
            ("http://127.0.0.1:5000/", true),
            ("http://localhost/", true),
            ("http://10.0.0.1/", false),
            ("http://ghcr.io/", false),
        ] {
            assert_eq!(is_private(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
