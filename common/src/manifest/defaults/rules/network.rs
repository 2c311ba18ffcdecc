//! Computed effects of Services and network policies.
//!
//! The type of a Service is the *signed* one: a Service turned into a `LoadBalancer` must
//! not justify the ports that come with it.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::super::site::{Site, dig};

fn kind<'w>(site: &Site<'w>) -> &'w str {
    let kind = site.signed_root(&["spec", "type"]).and_then(Value::as_str).unwrap_or_default();
    if kind.is_empty() { "ClusterIP" } else { kind }
}

/// Whether the signed Service has session affinity.
pub(in super::super) fn is_sticky(site: &Site<'_>) -> bool {
    site.signed_root(&["spec", "sessionAffinity"]).is_some_and(|affinity| affinity == "ClientIP")
}

/// Whether the signed Service has endpoints in the cluster.
pub(in super::super) fn is_internal(site: &Site<'_>) -> bool {
    kind(site) != "ExternalName"
}

/// Whether the signed Service is opened to the outside.
pub(in super::super) fn is_reached_from_outside(site: &Site<'_>) -> bool {
    matches!(kind(site), "NodePort" | "LoadBalancer")
}

/// Whether the signed Service asks for a load balancer.
pub(in super::super) fn is_load_balancer(site: &Site<'_>) -> bool {
    kind(site) == "LoadBalancer"
}

/// `targetPort` = `port`.
pub(in super::super) fn target_port(site: &Site<'_>) -> Option<Value> {
    site.signed(1, "port").cloned()
}

/// A node port, where the signed type has them and they were not declined.
pub(in super::super) fn node_port(site: &Site<'_>) -> Option<Value> {
    let declined = site.signed_root(&["spec", "allocateLoadBalancerNodePorts"]) == Some(&json!(false));
    let allocated = match kind(site) {
        "NodePort" => true,
        "LoadBalancer" => !declined,
        _ => false,
    };
    port(site).filter(|_| allocated)
}

/// The health check port of a load balancer that keeps traffic local.
pub(in super::super) fn health_port(site: &Site<'_>) -> Option<Value> {
    let local = site.signed_root(&["spec", "externalTrafficPolicy"]).is_some_and(|policy| policy == "Local");
    port(site).filter(|_| local && is_load_balancer(site))
}

fn port(site: &Site<'_>) -> Option<Value> {
    site.here().filter(|port| port.as_u64().is_some_and(|port| (1..=65535).contains(&port))).cloned()
}

fn is_headless(site: &Site<'_>) -> bool {
    site.signed_root(&["spec", "clusterIP"]).is_some_and(|ip| ip == "None")
}

fn has_selector(site: &Site<'_>) -> bool {
    let selector = site.signed_root(&["spec", "selector"]).and_then(Value::as_object);
    selector.is_some_and(|selector| !selector.is_empty())
}

fn address(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

/// One address of the cluster.
pub(in super::super) fn cluster_ip(site: &Site<'_>) -> Option<Value> {
    site.here().filter(|ip| is_internal(site) && address(ip).is_some()).cloned()
}

/// `clusterIP` and at most one address of the other family; `["None"]` without an address.
pub(in super::super) fn cluster_ips(site: &Site<'_>) -> Option<Value> {
    let first = site.found_root(&["spec", "clusterIP"])?;
    if !is_internal(site) {
        return None;
    }
    if is_headless(site) {
        return Some(json!(["None"]));
    }
    let one = address(first)?;
    let second = site.here().and_then(|list| list.get(1)).filter(|_| is_dual(site));
    let second = second.filter(|ip| address(ip).is_some_and(|two| two.is_ipv4() != one.is_ipv4()));
    Some([first].into_iter().chain(second).cloned().collect())
}

/// Whether the signed Service asks for addresses of both families.
fn is_dual(site: &Site<'_>) -> bool {
    let policy = site.signed_root(&["spec", "ipFamilyPolicy"]).and_then(Value::as_str);
    let families = site.signed_root(&["spec", "ipFamilies"]).and_then(Value::as_array);
    policy.is_some_and(|policy| policy.ends_with("DualStack")) || families.is_some_and(|list| list.len() > 1)
}

/// `SingleStack`; both families for headless Services without selector.
pub(in super::super) fn family_policy(site: &Site<'_>) -> Option<Value> {
    let both = is_headless(site) && !has_selector(site);
    is_internal(site).then(|| if both { "RequireDualStack" } else { "SingleStack" }.into())
}

/// The families of the addresses. Headless Services have none, so the cluster's are accepted.
pub(in super::super) fn families(site: &Site<'_>) -> Option<Value> {
    let found = site.here()?;
    if !is_internal(site) {
        return None;
    }
    if is_headless(site) {
        let both = !has_selector(site) || is_dual(site);
        return headless_families(found, !has_selector(site), both);
    }
    let addresses = dig(site.found_root(&["spec"])?, &["clusterIPs"])?.as_array()?;
    let family = |ip: &Value| Some(if address(ip)?.is_ipv4() { "IPv4" } else { "IPv6" });
    addresses.iter().map(family).collect::<Option<Vec<_>>>().map(Value::from)
}

fn headless_families(found: &Value, must: bool, may: bool) -> Option<Value> {
    let choices = [json!(["IPv4"]), json!(["IPv6"]), json!(["IPv4", "IPv6"]), json!(["IPv6", "IPv4"])];
    let allowed = if must {
        choices.get(2..)?
    } else if may {
        &choices
    } else {
        choices.get(..2)?
    };
    allowed.iter().find(|choice| *choice == found).or(allowed.first()).cloned()
}

/// `Ingress`, and `Egress` where the signed policy has rules for it.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every rule")]
pub(in super::super) fn policy_types(site: &Site<'_>) -> Option<Value> {
    let egress = site.signed(1, "egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    Some(if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) })
}
