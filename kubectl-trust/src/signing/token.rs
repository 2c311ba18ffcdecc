//! OIDC tokens: given, or found where CI systems have them for their jobs.

use std::env::{VarError, var};
use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::limits;
use serde_json::Value;
use sigstore_sign::oidc::IdentityToken;
use sigstore_sign::reqwest::Url;
use zeroize::Zeroizing;

use super::services::{client, line, secret};
use crate::{input, runtime};

/// Where cosign, too, finds the token that a job has been given (cosign `pkg/providers/envvar`).
const GIVEN: &str = "SIGSTORE_ID_TOKEN";
/// Where a job of GitHub Actions asks for one, and what it shows then (GitHub documentation, "`OpenID` Connect
/// reference", "Methods for requesting the OIDC token").
const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// Where SPIFFE's workload API is (SPIFFE Workload Endpoint, 4).
const SPIFFE: &str = "SPIFFE_ENDPOINT_SOCKET";
/// Whom the token is for: Fulcio takes no other.
const AUDIENCE: &str = "sigstore";

/// A token from a file or standard input.
///
/// # Errors
/// It cannot be read, is none, or has expired; the token itself stands where a file was meant.
pub(super) fn of_file(path: &Path) -> anyhow::Result<IdentityToken> {
    if is_token(&path.to_string_lossy()) {
        bail!(
            "--identity-token: this is a token itself. All users of a machine can read arguments: write it to a file, \
             or into {GIVEN}, and get a new one"
        );
    }
    let text = Zeroizing::new(input::text(path, limits::TOKEN_BYTES)?);
    read(&text, &format!("--identity-token {}", path.display()))
}

/// The token that the environment has for this job, and in which words that is said; `None` where there is none.
///
/// # Errors
/// What is there is no token, has expired, or is not supported; GitHub does not answer.
pub(super) fn of_job() -> anyhow::Result<Option<(IdentityToken, &'static str)>> {
    if let Some(text) = variable(GIVEN)? {
        return Ok(Some((read(&text, GIVEN)?, "the identity token in SIGSTORE_ID_TOKEN")));
    }
    if let (Some(url), Some(bearer)) = (variable(REQUEST_URL)?, variable(REQUEST_TOKEN)?) {
        let text = runtime::block_on(of_github(&url, &bearer))?;
        let text = text.context("the identity token of this GitHub Actions job")?;
        return Ok(Some((read(&text, "GitHub Actions")?, "the identity token of this GitHub Actions job")));
    }
    if variable(SPIFFE)?.is_some() {
        bail!(
            "{SPIFFE} is set, and identities of SPIFFE are not asked for by themselves: write a JWT-SVID for the \
             audience {AUDIENCE} to a file (spire-agent api fetch jwt -audience {AUDIENCE}) and give \
             --identity-token FILE"
        );
    }
    Ok(None)
}

fn read(text: &str, name: &str) -> anyhow::Result<IdentityToken> {
    let token = IdentityToken::from_jwt(text.trim())
        .map_err(|_| anyhow::anyhow!("{name}: not an OIDC token (three parts in base64url, between dots)"))?;
    if token.is_expired() {
        bail!("{name}: it expired at {}; get a new one", token.expiration());
    }
    Ok(token)
}

/// Whether a text is a JSON Web Token (RFC 7515, 3.1): three parts, the first of which is a JSON object.
fn is_token(text: &str) -> bool {
    let parts: Vec<_> = text.trim().split('.').collect();
    let header = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    parts.len() == 3 && header(parts[0]).is_some_and(|header| header.is_object())
}

/// A variable that is set and not empty.
fn variable(name: &str) -> anyhow::Result<Option<Zeroizing<String>>> {
    match var(name) {
        Ok(text) => Ok(Some(Zeroizing::new(text)).filter(|text| !text.trim().is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => bail!("{name} is not UTF-8 text"),
    }
}

/// Asks GitHub for the token of the job.
async fn of_github(url: &str, bearer: &str) -> anyhow::Result<Zeroizing<String>> {
    secret(url).context(REQUEST_URL)?;
    let mut url = Url::parse(url).context(REQUEST_URL)?;
    url.query_pairs_mut().append_pair("audience", AUDIENCE);
    let host = url.host_str().unwrap_or_default().to_owned();
    // The address is not part of the message: it may say more than the host.
    let failed =
        |error: sigstore_sign::reqwest::Error| anyhow::anyhow!("{host}: {}", line(&error.without_url()));
    let asked = client()?.get(url).bearer_auth(bearer).send().await.map_err(failed)?;
    if !asked.status().is_success() {
        bail!("{host}: it answers {}; does the job have the permission `id-token: write`?", asked.status());
    }
    let (mut answer, mut body) = (asked, Zeroizing::new(Vec::new()));
    while let Some(part) = answer.chunk().await.map_err(failed)? {
        if body.len() + part.len() > limits::TOKEN_BYTES {
            bail!("{host}: its answer is larger than {} KiB", limits::TOKEN_BYTES / 1024);
        }
        body.extend_from_slice(&part);
    }
    let answer = serde_json::from_slice::<Value>(&body).ok();
    let token = answer.as_ref().and_then(|answer| answer["value"].as_str());
    let token = token.with_context(|| format!("{host}: its answer holds no token (`value`)"))?;
    Ok(Zeroizing::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_a_file() {
        let token = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        assert!(is_token(&token) && is_token(&format!(" {token}\n")));
        for file in ["token", "a.b.c", "./id.token.jwt", "/run/secrets/token", "-", "", "..", "MQ.MQ.MQ"] {
            assert!(!is_token(file), "{file}");
        }
    }
}
