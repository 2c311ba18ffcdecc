//! Where a repository is reached: at its mirrors, and at its own registry.

use url::Url;

use super::config::{Config, ConfigError, Rewrite, Transport};
use super::egress::is_loopback;
use crate::image::Repository;
use crate::verdict::{RegistryFault, RegistryProblem};

/// The registry of Docker Hub's images.
const DOCKER_HUB: &str = "docker.io";
/// The host that speaks its protocol.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// One place where a repository is reached.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// The repository as this place calls it. Credentials are looked up by it, so a mirror never sees
    /// those of the original.
    pub repository: Repository,
    /// `https://ghcr.io/v2/acme/app/`.
    pub base: Url,
}

impl Endpoint {
    /// # Errors
    /// [`RegistryProblem::Malformed`] for a name that is no URL.
    pub(super) fn new(repository: Repository, config: &Config) -> Result<Self, RegistryFault> {
        let host = host(repository.registry());
        let path = repository.path();
        let base = |scheme: &str| Url::parse(&format!("{scheme}://{host}/v2/{path}/"));
        let malformed = |error: url::ParseError| {
            RegistryFault::new(repository.to_string(), RegistryProblem::Malformed(error.to_string()))
        };
        let secure = base("https").map_err(malformed)?;
        let plain = match config.transports.get(repository.registry()).copied().unwrap_or_default() {
            Transport::Standard => is_loopback(&secure),
            Transport::Tls | Transport::InsecureTls => false,
            Transport::InsecureHttp => true,
        };
        let base = if plain { base("http").map_err(malformed)? } else { secure };
        Ok(Self { repository, base })
    }

    /// The URL of something in the repository. `within` is made of tags, digests and words of ours, whose
    /// characters have no meaning in a URL.
    pub(super) fn url(&self, within: &str) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}{within}", self.base.path());
        url.set_path(&path);
        url
    }
}

/// Where a registry speaks its protocol.
pub(super) fn host(registry: &str) -> &str {
    if registry == DOCKER_HUB { DOCKER_HUB_HOST } else { registry }
}

/// The places of a repository in the order in which they are asked, and whether the last of them is its
/// own registry.
pub(super) fn places(at: &Repository, config: &Config) -> Result<(Vec<Endpoint>, bool), RegistryFault> {
    let name = at.to_string();
    let below = |rewrite: &&Rewrite| rest(&name, &rewrite.prefix).is_some();
    let rewrite = config.rewrites.iter().filter(below).max_by_key(|rewrite| rewrite.prefix.len());
    let Some(rewrite) = rewrite else {
        return Ok((vec![Endpoint::new(at.clone(), config)?], true));
    };
    let rest = rest(&name, &rewrite.prefix).unwrap_or_default();
    let mut places = Vec::new();
    for mirror in &rewrite.mirrors {
        let repository = Repository::parse(&format!("{mirror}{rest}"))
            .map_err(|error| RegistryFault::new(&name, RegistryProblem::Malformed(error.to_string())))?;
        places.push(Endpoint::new(repository, config)?);
    }
    if !rewrite.exclusive || places.is_empty() {
        places.push(Endpoint::new(at.clone(), config)?);
    }
    Ok((places, !rewrite.exclusive))
}

/// What follows the prefix, from a slash on.
fn rest<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    name.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the names in rewrites are names.
///
/// Attack: `mirror/acme` without a dot would be read as a repository of Docker Hub.
pub(super) fn check_rewrites(rewrites: &[Rewrite]) -> Result<(), ConfigError> {
    let names = rewrites.iter().flat_map(|rewrite| rewrite.mirrors.iter().chain([&rewrite.prefix]));
    for name in names {
        let host = name.split('/').next().unwrap_or_default();
        let is_host = host == "localhost" || host.contains(['.', ':']);
        if !is_host || name.ends_with('/') || Repository::parse(&format!("{name}/x")).is_err() {
            return Err(ConfigError::Place(name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(name: &str, config: &Config) -> Vec<String> {
        let (places, _) = places(&Repository::parse(name).unwrap(), config).unwrap();
        places.iter().map(|place| place.base.to_string()).collect()
    }

    #[test]
    fn plain_http_is_for_this_machine_or_by_name() {
        let mut config = Config::default();
        assert_eq!(bases("nginx", &config), ["https://registry-1.docker.io/v2/library/nginx/"]);
        assert_eq!(bases("127.0.0.1:5000/a", &config), ["http://127.0.0.1:5000/v2/a/"]);
        assert_eq!(bases("localhost/a", &config), ["http://localhost/v2/a/"]);
        assert_eq!(bases("10.0.0.1:5000/a", &config), ["https://10.0.0.1:5000/v2/a/"]);
        assert_eq!(bases("localhost.evil.example/a", &config), ["https://localhost.evil.example/v2/a/"]);
        config.transports.insert("10.0.0.1:5000".into(), Transport::InsecureHttp);
        config.transports.insert("localhost".into(), Transport::Tls);
        assert_eq!(bases("10.0.0.1:5000/a", &config), ["http://10.0.0.1:5000/v2/a/"]);
        assert_eq!(bases("localhost/a", &config), ["https://localhost/v2/a/"]);
    }

    #[test]
    fn the_longest_prefix_of_whole_components_counts() {
        let rewrite = |prefix: &str, mirrors: &[&str], exclusive| Rewrite {
            prefix: prefix.into(),
            mirrors: mirrors.iter().map(|&mirror| mirror.to_owned()).collect(),
            exclusive,
        };
        let rewrites = vec![
            rewrite("ghcr.io", &["m.example/gh", "n.example"], false),
            rewrite("ghcr.io/acme", &["acme.example"], true),
        ];
        assert_eq!(check_rewrites(&rewrites), Ok(()));
        let config = Config { rewrites, ..Config::default() };
        assert_eq!(
            bases("ghcr.io/other/app", &config),
            [
                "https://m.example/v2/gh/other/app/",
                "https://n.example/v2/other/app/",
                "https://ghcr.io/v2/other/app/"
            ]
        );
        assert_eq!(bases("ghcr.io/acme/app", &config), ["https://acme.example/v2/app/"]);
        assert_eq!(bases("ghcr.io/acme-evil/app", &config).len(), 3);
        let wrong = rewrite("ghcr.io", &["mirror/acme"], false);
        assert_eq!(check_rewrites(&[wrong]), Err(ConfigError::Place("mirror/acme".into())));
    }
}
