//! Secrets of the cluster: keys of policies, logins of registries, and which of them service accounts have.
//!
//! None is watched, and none is read that nobody asked for by name. What rights there are is for the administrator to
//! say: without one, the answer names the right that is missing.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::registry::credentials::{Credentials, DockerConfig};
use common::verdict::Unavailable;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::{Api, Client};
use lru::LruCache;
use tokio::time::Instant;

/// For how long a Secret is used without asking again: so long a new key goes unnoticed, and a lost right.
const FRESH: Duration = Duration::from_secs(10);
/// The same where there was none, or no right.
const ABSENT: Duration = Duration::from_secs(2);
/// Pull secrets of one service account that are read.
const SECRETS_OF_ACCOUNT: usize = 8;
/// Secrets that are remembered.
const KEPT: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// The name of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for SecretName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The name of a service account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for AccountName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a Secret holds.
type Data = Arc<BTreeMap<String, Vec<u8>>>;
/// Answers, and when they were given.
type Known<K, T> = Mutex<LruCache<K, (Instant, Result<T, Unavailable>)>>;

/// The Secrets of a cluster.
pub struct Secrets {
    client: Client,
    known: Known<SecretName, Data>,
    accounts: Known<AccountName, Vec<SecretName>>,
}

impl Secrets {
    /// Those that `client` may read.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let (known, accounts) = (Mutex::new(LruCache::new(KEPT)), Mutex::new(LruCache::new(KEPT)));
        Self { client, known, accounts }
    }

    /// The public key of a Secret, as cosign keeps it.
    ///
    /// # Errors
    /// Why there is none to be had.
    pub async fn public_key(&self, name: &SecretName) -> Result<String, Unavailable> {
        let data = self.get(name).await?;
        let key = data.get("cosign.pub").and_then(|key| String::from_utf8(key.clone()).ok());
        key.ok_or_else(|| Unavailable::Unreadable("the Secret has no `cosign.pub`".to_owned()))
    }

    /// The logins of a pull secret.
    ///
    /// # Errors
    /// Why there are none to be had.
    pub async fn logins(&self, name: &SecretName) -> Result<Credentials, Unavailable> {
        let data = self.get(name).await?;
        let text = |key: &str| data.get(key).map(|text| String::from_utf8_lossy(text).into_owned());
        let source = format!("the Secret {name}");
        let parsed = match (text(".dockerconfigjson"), text(".dockercfg")) {
            (Some(text), _) => DockerConfig::parse(&text, &source),
            (None, Some(text)) => DockerConfig::parse_dockercfg(&text, &source),
            (None, None) => {
                return Err(Unavailable::Unreadable("it holds no logins of registries".to_owned()));
            }
        };
        // Helpers it may name are never run: the text of a Secret must not choose a program.
        parsed.map(|config| config.credentials).map_err(|error| Unavailable::Unreadable(error.to_string()))
    }

    /// The pull secrets that a service account gives to Pods.
    ///
    /// # Errors
    /// Why nobody can say.
    pub async fn of_account(&self, account: &AccountName) -> Result<Vec<SecretName>, Unavailable> {
        remembered(&self.accounts, account, self.read_account(account)).await
    }

    async fn get(&self, name: &SecretName) -> Result<Data, Unavailable> {
        remembered(&self.known, name, self.read(name)).await
    }

    async fn read_account(&self, account: &AccountName) -> Result<Vec<SecretName>, Unavailable> {
        let AccountName { namespace, name } = account;
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let found =
            api.get(name).await.map_err(|error| unavailable(&error, "serviceaccounts", namespace, name))?;
        let secrets = found.image_pull_secrets.unwrap_or_default().into_iter();
        let named = |name| SecretName { namespace: namespace.clone(), name };
        Ok(secrets.map(|secret| named(secret.name)).take(SECRETS_OF_ACCOUNT).collect())
    }

    async fn read(&self, name: &SecretName) -> Result<Data, Unavailable> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &name.namespace);
        let SecretName { namespace, name } = name;
        let secret = api.get(name).await.map_err(|error| unavailable(&error, "secrets", namespace, name))?;
        let data = secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
        Ok(Arc::new(data.collect()))
    }
}

/// The answer to a question that was asked not long ago, or the one that `asking` brings.
async fn remembered<K: Clone + Eq + Hash, T: Clone>(
    known: &Known<K, T>,
    name: &K,
    asking: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((since, answer)) = known().get(name) {
        let fresh = if answer.is_ok() { FRESH } else { ABSENT };
        if since.elapsed() < fresh {
            return answer.clone();
        }
    }
    let began = Instant::now();
    let answer = asking.await;
    known().put(name.clone(), (began, answer.clone()));
    answer
}

fn unavailable(error: &kube::Error, what: &str, namespace: &str, name: &str) -> Unavailable {
    if let kube::Error::Api(status) = error {
        return match status.code {
            404 => Unavailable::NotFound,
            403 => Unavailable::Forbidden(format!("get {what}/{name} in namespace {namespace}")),
            _ => Unavailable::Unreachable(status.message.clone()),
        };
    }
    Unavailable::Unreachable(deepest(error))
}

/// The last cause says what happened, without the system's number; those above name parts of libraries.
fn deepest(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}
