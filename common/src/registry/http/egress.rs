//! Where requests may go. Image references, redirects and token services are named by strangers.
//!
//! Attack: an image `169.254.169.254/x/y`, a redirect to `http://localhost:10250/`, or a token service at
//! a name that resolves to a metadata address turns the verifier into the attacker's client inside the
//! cluster. So each destination is judged twice: its name before a request, and its addresses at the very
//! moment they are connected to. The resolver judges what it hands to the connector, so a name that
//! resolves otherwise the second time (DNS rebinding) gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::policy::wildcard;
use crate::verdict::RegistryProblem;

/// Rules about destinations. What is in no list: public and private addresses are reached; loopback only as
/// [`Egress::loopback`] says; link-local, unspecified, multicast, broadcast and reserved addresses and the
/// metadata services of clouds never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// Never contacted, whatever else allows it.
    pub deny: Vec<Destination>,
    /// Contacted although it would be refused.
    pub allow: Vec<Destination>,
    /// Whether everything that [`Egress::allow`] does not name is refused.
    pub only_allowed: bool,
    /// Whether this machine is contacted.
    pub loopback: Loopback,
}

/// Whether addresses of this machine are contacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loopback {
    /// For a registry that is itself named by a loopback address or `localhost`.
    #[default]
    OfRegistry,
    /// Never. For a service whose image references come from strangers: its own machine is not theirs.
    Never,
}

/// A destination in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A host name, perhaps with `*` and `?`: `*.internal.example`.
    Host(String),
    /// A network: `10.0.0.0/8`, or a single address.
    Network(IpNet),
}

/// Why a destination is not contacted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host}: {why}")]
pub(super) struct Refusal {
    host: String,
    why: &'static str,
}

/// The rules at work, and the resolver that applies them.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    egress: Arc<Egress>,
    /// The hosts of the proxies: the caller chose them, so they are contacted wherever they are.
    proxies: Arc<[String]>,
}

impl FromStr for Destination {
    type Err = std::convert::Infallible;

    /// A network or address where it reads as one, otherwise a host.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        Ok(network.map_or_else(|_| Self::Host(text.to_ascii_lowercase()), Self::Network))
    }
}

impl Destination {
    fn is_host(&self, name: &str) -> bool {
        matches!(self, Self::Host(pattern) if wildcard::matches(pattern, name))
    }

    fn holds(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if network.contains(&address))
    }
}

impl From<Refusal> for RegistryProblem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { host: refusal.host, why: refusal.why.to_owned() }
    }
}

impl Guard {
    pub(super) fn new(egress: Egress, proxies: &[Url]) -> Self {
        let hosts = proxies.iter().filter_map(Url::host_str).map(str::to_owned).collect();
        Self { egress: Arc::new(egress), proxies: hosts }
    }

    /// Whether a request for a registry may go to a URL. `registry` is the URL that the registry itself is
    /// reached by: only one on this machine may send us to this machine.
    pub(super) fn check(&self, url: &Url, registry: &Url) -> Result<(), Refusal> {
        let loopback = self.egress.loopback == Loopback::OfRegistry && is_loopback(registry);
        match url.host() {
            Some(Host::Domain(name)) => self.check_name(&canonical(name), loopback),
            Some(Host::Ipv4(address)) => self.check_address(None, address.into(), loopback),
            Some(Host::Ipv6(address)) => self.check_address(None, address.into(), loopback),
            None => Err(refusal("", "it names no host")),
        }
    }

    fn check_name(&self, name: &str, loopback: bool) -> Result<(), Refusal> {
        let Egress { deny, allow, only_allowed, .. } = &*self.egress;
        if deny.iter().any(|place| place.is_host(name)) {
            return Err(refusal(name, "the rules deny it"));
        }
        if allow.iter().any(|place| place.is_host(name)) {
            return Ok(());
        }
        if is_localhost(name) && !loopback {
            return Err(refusal(name, LOOPBACK));
        }
        // Its addresses may still be allowed, but only we can see that: a proxy resolves for itself.
        let network = allow.iter().any(|place| matches!(place, Destination::Network(_)));
        if *only_allowed && (!network || !self.proxies.is_empty()) {
            return Err(refusal(name, "the rules do not name it"));
        }
        Ok(())
    }

    fn check_address(&self, name: Option<&str>, address: IpAddr, loopback: bool) -> Result<(), Refusal> {
        let address = embedded(address);
        let text = || name.map_or_else(|| address.to_string(), |name| format!("{name} ({address})"));
        let host = name.map_or_else(|| address.to_string(), str::to_owned);
        let fits = |place: &Destination| place.holds(address) || place.is_host(&host);
        if self.egress.deny.iter().any(fits) {
            return Err(refusal(&text(), "the rules deny it"));
        }
        if self.egress.allow.iter().any(fits) {
            return Ok(());
        }
        if self.egress.only_allowed {
            return Err(refusal(&text(), "the rules do not name it"));
        }
        if address.is_loopback() {
            return if loopback { Ok(()) } else { Err(refusal(&text(), LOOPBACK)) };
        }
        special(address).map_or(Ok(()), |why| Err(refusal(&text(), why)))
    }

    /// Judges the addresses of a name. One address that must not be contacted refuses the name: an honest
    /// one has none, and which of them is connected to would be chance.
    fn check_resolved(&self, name: &str, addresses: &[std::net::SocketAddr]) -> Result<(), Refusal> {
        let name = canonical(name);
        if self.proxies.contains(&name) {
            return Ok(());
        }
        let loopback = is_localhost(&name) && self.egress.loopback == Loopback::OfRegistry;
        addresses.iter().try_for_each(|address| self.check_address(Some(&name), address.ip(), loopback))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<_> = found.collect();
            guard.check_resolved(name.as_str(), &addresses)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether a URL names this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(&canonical(name)),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => embedded(address.into()).is_loopback(),
        None => false,
    }
}

const LOOPBACK: &str = "it is this machine, and the registry is not";

fn refusal(host: &str, why: &'static str) -> Refusal {
    Refusal { host: host.to_owned(), why }
}

/// Attack: `metadata.google.internal.` is the same host as without the dot.
fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// RFC 6761, 6.3.
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// The IPv4 address that an IPv6 address leads to.
///
/// Attack: `::ffff:169.254.169.254` and, through a translator, `64:ff9b::a9fe:a9fe` are the metadata
/// service; likewise the prefixes of 6to4 (RFC 3056) and of NAT64 (RFC 6052).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let part = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, _] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => part(high, low),
        _ => address,
    }
}

/// What kind of address is never contacted.
fn special(address: IpAddr) -> Option<&'static str> {
    let metadata = [
        // Of Alibaba, Azure and Oracle; the others use link-local addresses.
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
        IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
        // Of AWS and Google.
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
        IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    ];
    if metadata.contains(&address) {
        return Some("it is the metadata service of a cloud");
    }
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if link_local {
        return Some("it is a link-local address");
    }
    let reserved = match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.octets()[0] >= 240,
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    (reserved || address.is_multicast()).then_some("it is no address of a host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(egress: Egress) -> Guard {
        Guard::new(egress, &[])
    }

    fn places(texts: &[&str]) -> Vec<Destination> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn check(guard: &Guard, url: &str, registry: &str) -> bool {
        guard.check(&url.parse().unwrap(), &registry.parse().unwrap()).is_ok()
    }

    /// Attack A37: every spelling of an address that only we can reach.
    #[test]
    fn a37_special_addresses_are_refused_in_every_spelling() {
        let guard = guard(Egress::default());
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::1]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "[::]",
            "224.0.0.1",
            "[ff02::1]",
            "255.255.255.255",
            "127.0.0.1",
            "2130706433",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "localhost",
            "localhost.",
            "LOCALHOST",
            "a.localhost",
        ] {
            assert!(!check(&guard, &format!("http://{host}/"), "https://ghcr.io/"), "{host}");
        }
        for host in ["10.0.0.1", "192.168.1.1", "[fd12::1]", "1.1.1.1", "ghcr.io"] {
            assert!(check(&guard, &format!("https://{host}/"), "https://ghcr.io/"), "{host}");
        }
    }

    #[test]
    fn this_machine_is_reached_by_its_own_registries_only() {
        let default = guard(Egress::default());
        assert!(check(&default, "http://localhost:1/", "http://127.0.0.1:5000/"));
        assert!(!check(&default, "http://localhost:1/", "https://ghcr.io/"));
        let never = guard(Egress { loopback: Loopback::Never, ..Egress::default() });
        assert!(!check(&never, "http://127.0.0.1:5000/", "http://127.0.0.1:5000/"));
        let allowed = guard(Egress { allow: places(&["127.0.0.0/8"]), ..Egress::default() });
        assert!(check(&allowed, "http://127.0.0.1:5000/", "https://ghcr.io/"));
    }

    #[test]
    fn lists_name_hosts_and_networks() {
        let deny = guard(Egress { deny: places(&["10.0.0.0/8", "*.svc"]), ..Egress::default() });
        assert!(!check(&deny, "https://10.1.2.3/", "https://ghcr.io/"));
        assert!(!check(&deny, "https://kube.default.svc/", "https://ghcr.io/"));
        let both =
            Egress { allow: places(&["10.1.2.3"]), deny: places(&["10.0.0.0/8"]), ..Egress::default() };
        assert!(!check(&guard(both), "https://10.1.2.3/", "https://ghcr.io/"));
        let only = Egress { allow: places(&["*.example"]), only_allowed: true, ..Egress::default() };
        let only = guard(only);
        assert!(check(&only, "https://a.example/", "https://a.example/"));
        assert!(!check(&only, "https://ghcr.io/", "https://a.example/"));
        assert!(!check(&only, "https://1.1.1.1/", "https://a.example/"));
    }

    /// Attack A37: the addresses are judged where they are connected to.
    #[test]
    fn a37_a_name_is_refused_for_any_of_its_addresses() {
        let resolved = |egress: Egress, name: &str, addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            guard(egress).check_resolved(name, &addresses)
        };
        let default = Egress::default;
        assert!(resolved(default(), "evil.example", &["1.1.1.1:0"]).is_ok());
        assert!(resolved(default(), "evil.example", &["1.1.1.1:0", "169.254.169.254:0"]).is_err());
        assert!(resolved(default(), "evil.example", &["127.0.0.1:0"]).is_err());
        assert!(resolved(default(), "localhost", &["127.0.0.1:0", "[::1]:0"]).is_ok());
        let allowed = Egress { allow: places(&["evil.example"]), ..default() };
        assert!(resolved(allowed, "evil.example", &["127.0.0.1:0"]).is_ok());
        let only = Egress { allow: places(&["192.168.0.0/16"]), only_allowed: true, ..default() };
        assert!(resolved(only.clone(), "in.example", &["192.168.1.1:0"]).is_ok());
        assert!(resolved(only, "out.example", &["1.1.1.1:0"]).is_err());
    }
}
