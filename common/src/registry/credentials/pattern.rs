//! What credentials are for: a registry, a pattern of registries, or a path of one.

use std::cmp::Reverse;
use std::fmt;

use crate::policy::wildcard;

/// `ghcr.io`, `*.example:5000`, `ghcr.io/acme`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    host: String,
    port: Option<String>,
    path: String,
}

impl Pattern {
    /// Reads a key of Docker's `auths`: perhaps with a scheme, and with the version of an API behind it.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        let (authority, path) = bare.split_once('/').unwrap_or((bare, ""));
        let path = path.trim_end_matches('/');
        let path = match path.split_once('/') {
            Some(("v1" | "v2", below)) => below,
            None if matches!(path, "v1" | "v2") => "",
            Some(_) | None => path,
        };
        let (host, port) = split_port(authority);
        let host = host.to_ascii_lowercase();
        let host = match host.as_str() {
            "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
            _ => host,
        };
        let port = port.filter(|port| *port != "443").map(str::to_owned);
        Self { host, port, path: path.to_owned() }
    }

    /// Whether it is for a repository. A wildcard stands for one label of a host, or a part of one, as in
    /// Kubernetes; paths are compared by whole components, so `acme` is not for `acme-evil`, where
    /// Kubernetes compares characters.
    pub(super) fn matches(&self, registry: &str, path: &str) -> bool {
        let (host, port) = split_port(registry);
        let mut labels = host.split('.');
        let mut patterns = self.host.split('.');
        let same = patterns
            .by_ref()
            .all(|pattern| labels.next().is_some_and(|label| wildcard::matches(pattern, label)));
        let rest = path.strip_prefix(&self.path);
        let below = self.path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        same && labels.next().is_none() && port == self.port.as_deref() && below
    }

    /// Smaller is tried earlier.
    pub(super) fn rank(&self) -> (Reverse<usize>, bool) {
        (Reverse(self.path.len()), wildcard::is_pattern(&self.host))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.iter().try_for_each(|port| write!(f, ":{port}"))?;
        if self.path.is_empty() { Ok(()) } else { write!(f, "/{}", self.path) }
    }
}

/// Host and port; an IPv6 address is in brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_docker_are_read_in_all_their_forms() {
        for (key, expected) in [
            ("https://index.docker.io/v1/", "docker.io"),
            ("index.docker.io/v1", "docker.io"),
            ("https://GHCR.io", "ghcr.io"),
            ("http://127.0.0.1:5000/v2/", "127.0.0.1:5000"),
            ("ghcr.io:443/acme/", "ghcr.io/acme"),
            ("[::1]:5000", "[::1]:5000"),
            ("ghcr.io/v2/acme", "ghcr.io/acme"),
        ] {
            assert_eq!(Pattern::parse(key).to_string(), expected, "{key}");
        }
        assert!(Pattern::parse("[::1]:5000").matches("[::1]:5000", "a"));
        assert!(!Pattern::parse("").matches("ghcr.io", "a"));
    }
}
