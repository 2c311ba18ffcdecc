//! Registries with the logins of a policy and of a Pod.
//!
//! 1. The logins that a policy names are used for the images that it is about.
//! 2. Those of the Pod (`imagePullSecrets`, or of its service account) are read only where a registry refuses us without
//!    them: most images are open to everybody, and reading Secrets takes a right that need not be there.
//! 3. Each login is for the registry that it is written for, and what is remembered with one set of logins does not
//!    answer for another (`common::registry::credentials`, `common::registry::cached`). Attack A38: an image in a
//!    registry of one's own, to which the logins of others would be sent.

use std::fmt;
use std::sync::Arc;

use common::digest::Digest;
use common::image::{Repository, Version};
use common::policy::images::RegistryCredentials;
use common::registry::{Descriptor, Fetch, Fetched, Manifest, Registry, Until};
use common::verdict::{RegistryFault, RegistryProblem};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::registries::Registries;
use crate::secrets::{AccountName, SecretName};

/// Where the specification of a Pod may stand in what makes Pods.
const TEMPLATES: [&str; 2] = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
/// Pull secrets of one object that are read. Each costs a question to the API server.
const SECRETS: usize = 8;
/// The service account of Pods that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// What an object names for pulling its images, all of it in its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulls {
    /// Secrets.
    pub secrets: Vec<SecretName>,
    /// The service account that will give a template's Pods its own, where the template names no Secret. The API server
    /// has given them to Pods before it asks about them (admission plugin `ServiceAccount`).
    pub account: Option<AccountName>,
}

impl Pulls {
    /// Those of an object.
    #[must_use]
    pub fn of(object: &Value, namespace: &str) -> Self {
        let template = TEMPLATES.iter().find_map(|place| object.pointer(place));
        let Some(spec) = template.or_else(|| object.get("spec")) else { return Self::default() };
        let secrets = names(spec.get("imagePullSecrets"), namespace);
        let named = spec.get("serviceAccountName").and_then(Value::as_str).filter(|name| !name.is_empty());
        let account = (template.is_some() && secrets.is_empty()).then(|| AccountName {
            namespace: namespace.to_owned(),
            name: named.unwrap_or(DEFAULT_ACCOUNT).to_owned(),
        });
        Self { secrets, account }
    }

    fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.account.is_none()
    }
}

/// The Secrets of a list `[{name}]`.
fn names(list: Option<&Value>, namespace: &str) -> Vec<SecretName> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let names = list.filter_map(|secret| secret.get("name")?.as_str()).filter(|name| !name.is_empty());
    let named = |name: &str| SecretName { namespace: namespace.to_owned(), name: name.to_owned() };
    names.map(named).take(SECRETS).collect()
}

/// The Secrets that a policy names: `namespace/name`, or `name` in our own namespace.
#[must_use]
pub fn of_policy(credentials: &RegistryCredentials, own: &str) -> Vec<SecretName> {
    let named = |text: &String| {
        let (namespace, name) = text.split_once('/').unwrap_or((own, text));
        SecretName { namespace: namespace.to_owned(), name: name.to_owned() }
    };
    credentials.secrets.iter().map(named).collect()
}

/// Registries as one request sees them for one policy.
pub struct WithLogins<'w> {
    registries: &'w Registries,
    end: Instant,
    /// Those of the policy.
    own: Vec<SecretName>,
    /// Those of the object.
    pulls: Arc<Pulls>,
    opened: OnceCell<Opened>,
    refused: OnceCell<Opened>,
}

/// A registry with some logins, or why these are not to be had.
type Opened = Result<Until, String>;

impl<'w> WithLogins<'w> {
    /// With the Secrets of a policy, and those of an object where need be, until `end`.
    #[must_use]
    pub fn new(registries: &'w Registries, own: Vec<SecretName>, pulls: Arc<Pulls>, end: Instant) -> Self {
        Self { registries, end, own, pulls, opened: OnceCell::new(), refused: OnceCell::new() }
    }

    /// With the logins of the policy.
    async fn first(&self, what: &What<'_>) -> Result<&Until, RegistryFault> {
        let open = self.registries.open(&self.own, self.end);
        usable(self.opened.get_or_init(|| open).await, what)
    }

    /// With those of the object as well, where the registry refused us without; `None` where that changes nothing.
    async fn again<T>(&self, answer: &Fetched<T>, what: &What<'_>) -> Result<Option<&Until>, RegistryFault> {
        let denied =
            matches!(answer, Err(RegistryFault { problem: RegistryProblem::Unauthorized { .. }, .. }));
        if !denied || self.pulls.is_empty() {
            return Ok(None);
        }
        usable(self.refused.get_or_init(|| self.with_pulls()).await, what).map(Some)
    }

    async fn with_pulls(&self) -> Opened {
        let mut all = [&self.own[..], &self.pulls.secrets].concat();
        if let (Some(account), Some(secrets)) = (&self.pulls.account, self.registries.secrets()) {
            let of_it = secrets.of_account(account).await;
            all.extend(
                of_it.map_err(|why| format!("the service account {account}, which is not at hand: {why}"))?,
            );
        }
        self.registries.open(&all, self.end).await
    }
}

/// A question, for people; only one that is refused is put into words.
enum What<'w> {
    Manifest(&'w Repository, &'w Version),
    Blob(&'w Repository, &'w Digest),
    Referrers(&'w Repository, &'w Digest),
    SignedDigests(&'w Repository),
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(at, version) => write!(f, "{at}{}", version.suffix()),
            Self::Blob(at, digest) => write!(f, "{at}@{digest}"),
            Self::Referrers(at, subject) => write!(f, "referrers of {at}@{subject}"),
            Self::SignedDigests(at) => write!(f, "the tags of {at}"),
        }
    }
}

fn usable<'o>(opened: &'o Opened, what: &What<'_>) -> Result<&'o Until, RegistryFault> {
    let fault = |tried: &String| {
        RegistryFault::new(what.to_string(), RegistryProblem::Unauthorized { tried: tried.clone() })
    };
    opened.as_ref().map_err(fault)
}

impl Registry for WithLogins<'_> {
    fn manifest<'r>(&'r self, at: &'r Repository, version: &'r Version) -> Fetch<'r, Arc<Manifest>> {
        Box::pin(async move {
            let what = What::Manifest(at, version);
            let answer = self.first(&what).await?.manifest(at, version).await;
            match self.again(&answer, &what).await? {
                Some(registry) => registry.manifest(at, version).await,
                None => answer,
            }
        })
    }

    fn blob<'r>(&'r self, at: &'r Repository, digest: &'r Digest, bound: usize) -> Fetch<'r, Arc<[u8]>> {
        Box::pin(async move {
            let what = What::Blob(at, digest);
            let answer = self.first(&what).await?.blob(at, digest, bound).await;
            match self.again(&answer, &what).await? {
                Some(registry) => registry.blob(at, digest, bound).await,
                None => answer,
            }
        })
    }

    fn referrers<'r>(&'r self, at: &'r Repository, subject: &'r Digest) -> Fetch<'r, Vec<Descriptor>> {
        Box::pin(async move {
            let what = What::Referrers(at, subject);
            let answer = self.first(&what).await?.referrers(at, subject).await;
            match self.again(&answer, &what).await? {
                Some(registry) => registry.referrers(at, subject).await,
                None => answer,
            }
        })
    }

    fn signed_digests<'r>(&'r self, at: &'r Repository) -> Fetch<'r, Vec<Digest>> {
        Box::pin(async move {
            let what = What::SignedDigests(at);
            let answer = self.first(&what).await?.signed_digests(at).await;
            match self.again(&answer, &what).await? {
                Some(registry) => registry.signed_digests(at).await,
                None => answer,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(all: &[SecretName]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pull_secrets_are_those_of_the_namespace() {
        let secrets = json!([{"name": "a"}, {"name": ""}, {}, {"name": "other/b"}]);
        let spec = json!({"imagePullSecrets": secrets});
        for object in [
            json!({"spec": spec}),
            json!({"spec": {"template": {"spec": spec}}}),
            json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}),
        ] {
            // A name holds no slash, so nothing outside of the namespace can be named.
            assert_eq!(texts(&Pulls::of(&object, "shop").secrets), ["shop/a", "shop/other/b"]);
        }
        assert!(Pulls::of(&json!({"spec": {"imagePullSecrets": "a"}}), "shop").is_empty());
        let many: Vec<_> = (0..99).map(|n| json!({"name": format!("n{n}")})).collect();
        assert_eq!(Pulls::of(&json!({"spec": {"imagePullSecrets": many}}), "shop").secrets.len(), SECRETS);
    }

    /// Pods have them already when we are asked.
    #[test]
    fn a_template_has_those_of_its_service_account_where_it_names_none() {
        let of = |spec: Value| {
            let account = Pulls::of(&json!({"spec": {"template": {"spec": spec}}}), "shop").account;
            account.map(|account| account.to_string())
        };
        assert_eq!(of(json!({})), Some("shop/default".to_owned()));
        assert_eq!(of(json!({"serviceAccountName": "web"})), Some("shop/web".to_owned()));
        assert_eq!(of(json!({"serviceAccountName": "web", "imagePullSecrets": [{"name": "a"}]})), None);
        assert_eq!(Pulls::of(&json!({"spec": {"serviceAccountName": "web"}}), "shop").account, None);
    }

    #[test]
    fn secrets_of_a_policy_are_in_our_namespace_or_in_the_one_it_names() {
        let secrets = vec!["a".to_owned(), "shop/b".to_owned()];
        let credentials = RegistryCredentials { secrets, ..RegistryCredentials::default() };
        assert_eq!(texts(&of_policy(&credentials, "trust")), ["trust/a", "shop/b"]);
    }
}
