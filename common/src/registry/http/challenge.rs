//! What a registry says of the credentials that it wants: `WWW-Authenticate` (RFC 9110, 11.6.1; RFC 6750;
//! distribution specification of Docker, "Token Authentication").

use http_auth::ChallengeRef;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use url::Url;

use super::exchange::Action;
use crate::verdict::RegistryProblem;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user and a password in each request.
    Basic,
    /// A token of a service.
    Bearer(TokenService),
}

/// Where tokens are got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenService {
    /// Its URL, without the question.
    pub realm: Url,
    /// What it calls the registry.
    pub service: Option<String>,
    /// What is asked for.
    pub scope: String,
}

impl Challenge {
    /// Reads the challenge of a registry that is reached at `registry`, to a request for `path`. A token is
    /// preferred: it says less than a password.
    ///
    /// `None` if there is none that we can meet.
    pub(super) fn of(
        headers: &HeaderMap,
        registry: &Url,
        path: &str,
        action: Action,
    ) -> Result<Option<Self>, RegistryProblem> {
        let mut basic = None;
        for header in headers.get_all(WWW_AUTHENTICATE) {
            let text = header.to_str().map_err(|_| malformed("a challenge that is not text"))?;
            let unreadable = |_| malformed("a challenge that cannot be read");
            let challenges = http_auth::parse_challenges(text).map_err(unreadable)?;
            let of_scheme = |name: &str| challenges.iter().find(|one| one.scheme.eq_ignore_ascii_case(name));
            if let Some(bearer) = of_scheme("bearer") {
                return TokenService::of(bearer, registry, path, action)
                    .map(|service| Some(Self::Bearer(service)));
            }
            basic = basic.or(of_scheme("basic").map(|_| Self::Basic));
        }
        Ok(basic)
    }
}

impl TokenService {
    fn of(
        challenge: &ChallengeRef<'_>,
        registry: &Url,
        path: &str,
        action: Action,
    ) -> Result<Self, RegistryProblem> {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        Ok(Self {
            realm: realm(&parameter("realm").unwrap_or_default(), registry)?,
            service: parameter("service").filter(|service| !service.is_empty()),
            scope: scope(parameter("scope"), path, action),
        })
    }
}

/// The URL of a token service.
///
/// Attack A37: a realm may be any text. It must be HTTPS, or HTTP of a registry that is itself spoken to
/// in clear; `file:` and everything else is refused, and so is a URL with a user. Where it leads is judged
/// by the rules about destinations when it is asked.
fn realm(text: &str, registry: &Url) -> Result<Url, RegistryProblem> {
    let url = Url::parse(text).map_err(|_| malformed("a challenge whose realm is no URL"))?;
    let refused = |why: &str| {
        let host = url.host_str().unwrap_or_default().to_owned();
        Err(RegistryProblem::Refused { host, why: why.to_owned() })
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refused("the registry's token service is named with a user");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if registry.scheme() == "http" => Ok(url),
        "http" => refused("the registry's token service is named by plain HTTP"),
        _ => refused("the registry's token service is not named by HTTPS"),
    }
}

/// What to ask the token service for: what the registry says, as it may know a repository by another name,
/// but never for more than the request needs.
///
/// Attack: a registry that is read from must not be handed a token that writes, or one for everything.
fn scope(asked: Option<String>, path: &str, action: Action) -> String {
    let ours = format!("repository:{path}:{}", action.scope());
    let modest = |part: &str| {
        let (kind, rest) = part.split_once(':').unwrap_or_default();
        let (_, actions) = rest.rsplit_once(':').unwrap_or_default();
        kind == "repository" && actions.split(',').all(|one| action.scope().split(',').any(|own| own == one))
    };
    match asked {
        // One repository and no list of them.
        Some(text) if modest(&text) && !text.contains(' ') => text,
        Some(_) | None => ours,
    }
}

fn malformed(what: &str) -> RegistryProblem {
    RegistryProblem::Malformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn of(texts: &[&str], registry: &str) -> Result<Option<Challenge>, RegistryProblem> {
        let header = |text: &&str| (WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap());
        let headers = texts.iter().map(header).collect();
        Challenge::of(&headers, &registry.parse().unwrap(), "acme/app", Action::Read)
    }

    fn scope_of(text: &str) -> String {
        let bearer = format!(r#"Bearer realm="https://auth.example/token",service="reg",scope="{text}""#);
        match of(&[&bearer], "https://reg.example/").unwrap().unwrap() {
            Challenge::Bearer(service) => service.scope,
            Challenge::Basic => panic!(),
        }
    }

    #[test]
    fn a_token_is_preferred_to_a_password() {
        let bearer = r#"bearer REALM="https://auth.example/token?x=1",service="reg""#;
        let expected = Challenge::Bearer(TokenService {
            realm: "https://auth.example/token?x=1".parse().unwrap(),
            service: Some("reg".into()),
            scope: "repository:acme/app:pull".into(),
        });
        assert_eq!(of(&["Basic realm=\"x\"", bearer], "https://r/"), Ok(Some(expected.clone())));
        assert_eq!(of(&[bearer], "https://r/"), Ok(Some(expected)));
        assert_eq!(of(&["Basic realm=\"x\""], "https://r/"), Ok(Some(Challenge::Basic)));
        assert_eq!(of(&["Negotiate"], "https://r/"), Ok(None));
        assert_eq!(of(&[], "https://r/"), Ok(None));
        assert!(matches!(of(&["Bearer realm=\""], "https://r/"), Err(RegistryProblem::Malformed(_))));
        assert!(matches!(of(&["Bearer service=\"x\""], "https://r/"), Err(RegistryProblem::Malformed(_))));
    }

    /// Attack A37.
    #[test]
    fn a37_a_realm_is_https() {
        for (realm, registry) in [
            ("http://auth.example/", "https://r/"),
            ("file:///etc/passwd", "https://r/"),
            ("ftp://auth.example/", "http://r/"),
            ("https://me:pw@auth.example/", "https://r/"),
        ] {
            let refused = of(&[&format!("Bearer realm=\"{realm}\"")], registry);
            assert!(matches!(refused, Err(RegistryProblem::Refused { .. })), "{realm}");
        }
        assert!(of(&["Bearer realm=\"http://auth.example/\""], "http://r/").is_ok());
    }

    /// Attack A38: no token that could do more than the request needs.
    #[test]
    fn a38_a_scope_is_not_widened() {
        assert_eq!(scope_of("repository:cache/acme/app:pull"), "repository:cache/acme/app:pull");
        for wide in [
            "repository:acme/app:pull,push",
            "repository:acme/app:*",
            "registry:catalog:*",
            "repository:a:pull repository:b:pull",
            "",
        ] {
            assert_eq!(scope_of(wide), "repository:acme/app:pull", "{wide}");
        }
    }
    proptest::proptest! {
        #[test]
        fn whatever_a_challenge_says_is_read_or_refused(text in "[ -~]{0,80}", scope in "[ -~]{0,40}") {
            let bearer = format!("Bearer realm=\"https://a.example/\",scope=\"{scope}\",{text}");
            for header in [text.as_str(), &bearer] {
                if let Ok(Some(Challenge::Bearer(service))) = of(&[header], "https://r/") {
                    assert!(!service.scope.contains("push") && service.scope.ends_with(":pull"));
                }
            }
        }
    }
}
