//! Docker's configuration: `config.json`, the Secret key `.dockerconfigjson` (the same text), and the
//! older `.dockercfg`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Credentials, HelperNames, Login, Secret};
use crate::limits;

/// What a Docker configuration says of credentials.
#[derive(Clone, Debug, Default)]
pub struct DockerConfig {
    /// Those that are written in it.
    pub credentials: Credentials,
    /// Programs that know others. Running them is the caller's decision
    /// ([`Credentials::with_helpers`]); the text of a Secret must never choose a program.
    pub helpers: HelperNames,
}

/// Why a text is no Docker configuration. Never with any of the text: it holds passwords.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// Longer than [`limits::DOCKER_CONFIG_BYTES`].
    #[error("it is longer than {} bytes", limits::DOCKER_CONFIG_BYTES)]
    TooLong,
    /// Not JSON, or another JSON.
    #[error("it is not the JSON of a Docker configuration (line {line}, column {column})")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// An `auth` that is not the base64 of `user:password`.
    #[error("the `auth` of {registry} is not the base64 of user:password")]
    Auth {
        /// The key beside it.
        registry: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Secret,
    username: String,
    password: Secret,
    identitytoken: Secret,
    registrytoken: Secret,
}

impl DockerConfig {
    /// Reads `config.json` or a `.dockerconfigjson`. `source` is what to call it in messages.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn parse(text: &str, source: &str) -> Result<Self, CredentialsError> {
        let File { auths, creds_store, cred_helpers } = json(text)?;
        let store = creds_store.filter(|name| !name.is_empty());
        let helpers = HelperNames { store, by_registry: cred_helpers };
        Ok(Self { credentials: credentials(auths, source)?, helpers })
    }

    /// Reads a `.dockercfg`, which has the registries at its top.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn parse_dockercfg(text: &str, source: &str) -> Result<Self, CredentialsError> {
        Ok(Self { credentials: credentials(json(text)?, source)?, helpers: HelperNames::default() })
    }
}

fn json<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, CredentialsError> {
    if text.len() > limits::DOCKER_CONFIG_BYTES {
        return Err(CredentialsError::TooLong);
    }
    let position =
        |error: serde_json::Error| CredentialsError::Json { line: error.line(), column: error.column() };
    serde_json::from_str(text).map_err(position)
}

fn credentials(auths: BTreeMap<String, Entry>, source: &str) -> Result<Credentials, CredentialsError> {
    let mut credentials = Credentials::default();
    for (place, entry) in auths {
        // Docker leaves an empty entry for what its helper keeps.
        let login = login(entry).map_err(|NotBase64| CredentialsError::Auth { registry: place.clone() })?;
        if let Some(login) = login {
            credentials = credentials.with_login(&place, login, source);
        }
    }
    Ok(credentials)
}

/// An `auth` that cannot be read.
struct NotBase64;

/// The login of an entry, tokens before passwords as Docker takes them.
fn login(entry: Entry) -> Result<Option<Login>, NotBase64> {
    let Entry { auth, username, password, identitytoken, registrytoken } = entry;
    let given = |secret: &Secret| !secret.expose().is_empty();
    if given(&registrytoken) {
        return Ok(Some(Login::RegistryToken(registrytoken)));
    }
    if given(&identitytoken) {
        return Ok(Some(Login::IdentityToken(identitytoken)));
    }
    if given(&auth) {
        return decode(&auth).map(Some).ok_or(NotBase64);
    }
    Ok((!username.is_empty()).then_some(Login::Basic { user: username, password }))
}

/// `base64(user:password)`, with or without padding.
fn decode(auth: &Secret) -> Option<Login> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient);
    let bytes = Zeroizing::new(engine.decode(auth.expose().trim()).ok()?);
    let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    // Old versions of Docker padded with zeros.
    let password = Secret::new(password.trim_end_matches('\0'));
    Some(Login::Basic { user: user.to_owned(), password })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Repository;

    fn logins(config: &DockerConfig, name: &str) -> Vec<Login> {
        let candidates = config.credentials.candidates(&Repository::parse(name).unwrap());
        candidates.logins.into_iter().map(|candidate| candidate.login).collect()
    }

    #[test]
    fn a_configuration_is_read_with_its_helpers() {
        let text = r#"{"auths": {
            "ghcr.io": {"auth": "bWU6cGFzczp3b3Jk"},
            "https://index.docker.io/v1/": {"username": "hub", "password": "pw"},
            "acr.example": {"auth": "AAAA", "identitytoken": "refresh"},
            "token.example": {"registrytoken": "bearer"},
            "kept.example": {}
        }, "credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}, "HttpHeaders": {"a": "b"}}"#;
        let config = DockerConfig::parse(text, "config.json").unwrap();
        let basic =
            |user: &str, password: &str| Login::Basic { user: user.into(), password: Secret::new(password) };
        assert_eq!(logins(&config, "ghcr.io/a"), [basic("me", "pass:word")]);
        assert_eq!(logins(&config, "nginx"), [basic("hub", "pw")]);
        assert_eq!(logins(&config, "acr.example/a"), [Login::IdentityToken(Secret::new("refresh"))]);
        assert_eq!(logins(&config, "token.example/a"), [Login::RegistryToken(Secret::new("bearer"))]);
        assert_eq!(logins(&config, "kept.example/a"), []);
        assert_eq!(config.helpers.store.as_deref(), Some("desktop"));
        assert_eq!(config.helpers.by_registry["gcr.io"], "gcloud");
        let old =
            DockerConfig::parse_dockercfg(r#"{"ghcr.io": {"auth": "bWU6cHc", "email": "x"}}"#, "s").unwrap();
        assert_eq!(logins(&old, "ghcr.io/a"), [basic("me", "pw")]);
    }

    #[test]
    fn what_cannot_be_read_is_named_without_its_text() {
        let wrong = DockerConfig::parse(r#"{"auths": {"a.example": "hunter2"}}"#, "s").unwrap_err();
        assert!(matches!(wrong, CredentialsError::Json { line: 1, .. }));
        assert!(!format!("{wrong} {wrong:?}").contains("hunter2"));
        let wrong =
            DockerConfig::parse(r#"{"auths": {"a.example": {"auth": "hunter2!"}}}"#, "s").unwrap_err();
        assert_eq!(wrong, CredentialsError::Auth { registry: "a.example".into() });
        let long = " ".repeat(limits::DOCKER_CONFIG_BYTES + 1);
        assert_eq!(DockerConfig::parse(&long, "s").unwrap_err(), CredentialsError::TooLong);
    }
}
