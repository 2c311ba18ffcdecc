//! Image references: `nginx`, `ghcr.io/acme/app:1.4`, `registry.k8s.io/etcd@sha256:…`.
//!
//! One reader for the matcher and the registry client, so that both speak of the same image. The grammar
//! is that of the OCI distribution specification (`<name>`, `<reference>`), with Docker's short forms.

use std::fmt;
use std::sync::Arc;

use crate::digest::{Digest, DigestError};
use crate::limits;

/// The registry that short names are of.
pub(super) const DOCKER_HUB: &str = "docker.io";
/// Its older name.
pub(super) const DOCKER_HUB_ALIAS: &str = "index.docker.io";
/// Where Docker Hub keeps images without a namespace.
const LIBRARY: &str = "library/";
/// The tag of a reference that names none.
const LATEST: &str = "latest";

/// A repository of a registry: where manifests and blobs are. Copies share the texts, as those of tags do: they
/// are part of every question and of every key under which its answer is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    registry: Arc<str>,
    path: Arc<str>,
}

/// A tag whose form was checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

/// Which manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// The one that the registry says the tag points to.
    Tag(Tag),
    /// Exactly this one.
    Digest(Digest),
}

/// A reference to an image, as somebody typed it and as it is understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageRef {
    typed: Box<str>,
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Nothing, or only blanks.
    #[error("the reference is empty")]
    Empty,
    /// Longer than [`limits::REFERENCE_BYTES`].
    #[error("the reference is longer than {} bytes", limits::REFERENCE_BYTES)]
    TooLong,
    /// The host or port in front.
    #[error("`{0}` is not the name of a registry")]
    Registry(String),
    /// The path of the repository.
    #[error("`{0}` is not the name of a repository (lower-case letters, digits and . _ - between them)")]
    Path(String),
    /// What follows the colon.
    #[error("`{0}` is not a tag")]
    Tag(String),
    /// What follows the `@`.
    #[error("`{typed}` is not a digest: {why}")]
    Digest {
        /// As typed.
        typed: String,
        /// Why.
        why: DigestError,
    },
}

impl ImageRef {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`ReferenceError`]. Nothing is repaired: what a container runtime would refuse is refused, so an
    /// image cannot be called differently here and there.
    pub fn parse(typed: &str) -> Result<Self, ReferenceError> {
        if typed.trim().is_empty() {
            return Err(ReferenceError::Empty);
        }
        if typed.len() > limits::REFERENCE_BYTES {
            return Err(ReferenceError::TooLong);
        }
        let (name, digest) = match typed.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (typed, None),
        };
        let digest = digest.map(|typed| {
            Digest::parse(typed).map_err(|why| ReferenceError::Digest { typed: typed.to_owned(), why })
        });
        let digest = digest.transpose()?;
        // A colon before the last slash belongs to a port.
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match name[last..].split_once(':') {
            Some((_, tag)) => (&name[..name.len() - tag.len() - 1], Some(Tag::parse(tag)?)),
            None => (name, None),
        };
        Ok(Self { typed: typed.into(), repository: Repository::parse(name)?, tag, digest })
    }

    /// As somebody typed it.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// Where it is.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag that was typed.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest that was typed.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether the registry was typed, too: `latest` and `acme/app` are names only where it is known which
    /// registry is meant.
    #[must_use]
    pub fn names_registry(&self) -> bool {
        self.typed.split_once('/').is_some_and(|(first, _)| is_host(first))
    }

    /// Which manifest it names: a digest says all, and a tag beside it nothing; without either, `latest`.
    #[must_use]
    pub fn version(&self) -> Version {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Version::Digest(digest.clone()),
            (None, Some(tag)) => Version::Tag(tag.clone()),
            (None, None) => Version::Tag(Tag(LATEST.into())),
        }
    }

    /// The same image, pinned: what was typed with `@digest` behind it, instead of any digest it had.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> String {
        let name = self.typed.split_once('@').map_or(&*self.typed, |(name, _)| name);
        format!("{name}@{digest}")
    }
}

impl fmt::Display for ImageRef {
    /// The normal form: `docker.io/library/nginx:latest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.repository, self.version().suffix())
    }
}

impl Version {
    /// `:tag` or `@digest`.
    #[must_use]
    pub fn suffix(&self) -> String {
        match self {
            Self::Tag(tag) => format!(":{tag}"),
            Self::Digest(digest) => format!("@{digest}"),
        }
    }
}

impl fmt::Display for Version {
    /// As it stands in the path of a request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl Repository {
    /// Reads `host[:port]/path`, or a path of Docker Hub.
    ///
    /// # Errors
    /// [`ReferenceError::Registry`], [`ReferenceError::Path`].
    pub fn parse(name: &str) -> Result<Self, ReferenceError> {
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if is_host(first) => (registry(first)?, rest),
            Some(_) | None => (DOCKER_HUB.to_owned(), name),
        };
        if path.len() > limits::REPOSITORY_BYTES || !path.split('/').all(is_component) {
            return Err(ReferenceError::Path(path.to_owned()));
        }
        let library = registry == DOCKER_HUB && !path.contains('/');
        let path = if library { format!("{LIBRARY}{path}") } else { path.to_owned() };
        Ok(Self { registry: registry.into(), path: path.into() })
    }

    /// Host, and port unless it is that of HTTPS: `docker.io`, `127.0.0.1:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path below the registry: `library/nginx`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name without Docker Hub's `library/`, as Kyverno writes it (`spec/kyverno.md` 2.2).
    #[must_use]
    pub fn without_library(&self) -> Option<String> {
        let path = self.path.strip_prefix(LIBRARY).filter(|_| &*self.registry == DOCKER_HUB)?;
        Some(format!("{DOCKER_HUB}/{path}"))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl Tag {
    /// Reads a tag (OCI distribution specification: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
    ///
    /// # Errors
    /// [`ReferenceError::Tag`].
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first = text.bytes().next().is_some_and(word);
        let rest = text.bytes().all(|byte| word(byte) || b".-".contains(&byte));
        if first && rest && text.len() <= 128 {
            return Ok(Self(text.into()));
        }
        Err(ReferenceError::Tag(text.to_owned()))
    }

    /// The tag that cosign and the referrers fallback derive from a digest.
    #[must_use]
    pub fn derived(digest: &Digest, suffix: &str) -> Self {
        Self(format!("{}{suffix}", digest.tag()).into())
    }

    /// The digest that the tag was derived from, whatever the suffix.
    #[must_use]
    pub fn derived_from(&self) -> Option<Digest> {
        let (algorithm, rest) = self.0.split_once('-')?;
        let digits = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        Digest::parse(&format!("{algorithm}:{}", &rest[..digits])).ok()
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the first part of a name is a host: everybody asks for a dot, a port, `localhost` or a capital
/// letter, which no path may have.
pub(super) fn is_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':', '[']) || first.bytes().any(|b| b.is_ascii_uppercase())
}

/// The registry's name in its normal form: lower-case as DNS compares it, without the port that HTTPS has
/// anyway, and Docker Hub under one name.
///
/// Attack: `GHCR.io`, `ghcr.io:443` and `index.docker.io` are the same servers as without, and must not be
/// a way around a policy that names them.
fn registry(typed: &str) -> Result<String, ReferenceError> {
    let lower = typed.to_ascii_lowercase();
    let wrong = || ReferenceError::Registry(typed.to_owned());
    let (host, port) = match lower.rsplit_once(':') {
        Some((host, port)) if !lower.ends_with(']') => (host, Some(port)),
        Some(_) | None => (lower.as_str(), None),
    };
    let number = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !is_domain(host) || !port.is_none_or(number) {
        return Err(wrong());
    }
    let host = if host == DOCKER_HUB_ALIAS { DOCKER_HUB } else { host };
    Ok(match port {
        None | Some("443") => host.to_owned(),
        Some(port) => format!("{host}:{port}"),
    })
}

/// A DNS name, an IPv4 address, or an IPv6 address in brackets. No trailing dot, no user, nothing that is
/// not ASCII: none of these has a second spelling.
fn is_domain(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        let inside = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    host.split('.').all(label)
}

/// A part of a repository's path: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(part: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    part.bytes().next().is_some_and(word)
        && part.bytes().next_back().is_some_and(word)
        && separators.all(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(typed: &str) -> String {
        ImageRef::parse(typed).unwrap().to_string()
    }

    #[test]
    fn short_forms_mean_what_they_mean_to_a_container_runtime() {
        let hex = "a".repeat(64);
        for (typed, expected) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
            ("docker.io/library/nginx", "docker.io/library/nginx:latest"),
            ("314315960/nginx-demo:signed", "docker.io/314315960/nginx-demo:signed"),
            ("localhost/app", "localhost/app:latest"),
            ("127.0.0.1:5000/a/b__c/d-e.f:v1", "127.0.0.1:5000/a/b__c/d-e.f:v1"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            ("host:5000/app", "host:5000/app:latest"),
        ] {
            assert_eq!(normal(typed), expected, "{typed}");
        }
        assert_eq!(normal(&format!("a/b:tag@sha256:{hex}")), format!("docker.io/a/b@sha256:{hex}"));
    }

    /// Attack A5: other spellings of a registry are the same registry, or no reference at all.
    #[test]
    fn a5_a_registry_has_one_spelling() {
        for typed in ["GHCR.io/acme/app:1", "ghcr.io:443/acme/app:1", "ghcr.io/acme/app:1"] {
            assert_eq!(normal(typed), "ghcr.io/acme/app:1", "{typed}");
        }
        for typed in [
            "ghcr.io./acme/app",
            "ghcr.io:99999/acme/app",
            "user@ghcr.io/acme/app",
            "user:password@ghcr.io/acme/app",
            "ɡhcr.io/acme/app",
            "ghcr.io/Acme/app",
            "ghcr.io//app",
            "ghcr.io/acme/app/",
            "https://ghcr.io/acme/app",
            "ghcr.io/acme/../app",
            "ghcr.io/acme/a___b",
            "ghcr.io/acme/app:",
            "ghcr.io/acme/app: 1",
            "ghcr.io/acme/app@",
            "ghcr.io/acme/app@sha256:xyz",
            "ghcr.io/acme/app\n",
            " nginx",
            "-nginx",
            "",
            "  ",
            ":tag",
            "@sha256:aa",
        ] {
            assert!(ImageRef::parse(typed).is_err(), "{typed:?}");
        }
        assert_eq!(ImageRef::parse(&"a".repeat(3_000)), Err(ReferenceError::TooLong));
    }

    #[test]
    fn a_derived_tag_says_of_what() {
        let digest = Digest::of(b"x");
        for suffix in ["", ".sig", ".att", ".sbom", "-more"] {
            assert_eq!(Tag::derived(&digest, suffix).derived_from().as_ref(), Some(&digest), "{suffix}");
        }
        for other in ["latest", "sha256-", "sha256-ab.sig", "md5-0123", &format!("sha256-{}a", digest.hex())]
        {
            assert_eq!(Tag::parse(other).unwrap().derived_from(), None, "{other}");
        }
    }

    #[test]
    fn short_names_name_no_registry() {
        for (typed, expected) in [
            ("latest", false),
            ("acme/app", false),
            ("ghcr.io/a", true),
            ("localhost/a", true),
            ("h:5000/a", true),
        ] {
            assert_eq!(ImageRef::parse(typed).unwrap().names_registry(), expected, "{typed}");
        }
    }

    #[test]
    fn a_digest_wins_over_a_tag_and_pinning_keeps_what_was_typed() {
        let digest = Digest::of(b"x");
        let typed = format!("nginx:1.27@{}", Digest::of(b"y"));
        let image = ImageRef::parse(&typed).unwrap();
        assert_eq!(image.version(), Version::Digest(Digest::of(b"y")));
        assert_eq!(image.pinned(&digest), format!("nginx:1.27@{digest}"));
        assert_eq!(ImageRef::parse("nginx").unwrap().pinned(&digest), format!("nginx@{digest}"));
        let repository = image.repository();
        assert_eq!((repository.registry(), repository.path()), ("docker.io", "library/nginx"));
        assert_eq!(repository.without_library().as_deref(), Some("docker.io/nginx"));
    }
}
