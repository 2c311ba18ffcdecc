//! The cluster, contacted only when an argument names something that lives there.

mod client;
mod discovery;
mod names;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use common::dialect::{self, PolicySet};
use common::manifest::{Annotations, DEFAULT_DOMAIN, Message};
use common::object::ObjectRef;
use common::policy::images::RegistryCredentials;
use common::policy::{Body, KeyRef, Policy, Rule};
use common::registry::Registry;
use common::sources::{Answer, Offline, Sources};
use common::trust::TrustRoot;
use common::verdict::Unavailable;
use serde_json::Value;
use tokio::sync::OnceCell;

pub(crate) use self::client::duration;
use self::client::{Client, ClusterError};
use self::discovery::Resource;
use self::names::Named;
use crate::cli::ClusterArgs;
use crate::testing::values::Labels;

/// What a command may ask: the trust root it was given, and the cluster. Nothing is contacted before
/// the first question that needs it.
pub(crate) struct World {
    args: ClusterArgs,
    offline: Offline,
    client: OnceCell<Result<Client, String>>,
}

/// A live object and what it was asked for as.
#[derive(Debug)]
pub(crate) struct Live {
    /// `deployment/web`.
    pub(crate) source: String,
    /// It.
    pub(crate) object: Value,
}

impl World {
    pub(crate) fn new(args: ClusterArgs, trust_root: Option<Arc<TrustRoot>>) -> Self {
        Self { args, offline: Offline { trust_root, images: None }, client: OnceCell::new() }
    }

    /// The same, with images from there.
    pub(crate) fn with_images(mut self, images: Arc<dyn Registry>) -> Self {
        self.offline.images = Some(images);
        self
    }

    /// The objects that arguments name as kubectl's do, each at the `apiVersion` it was signed as.
    ///
    /// # Errors
    /// No cluster, no such kind, no such object, no right to read it, nothing found.
    pub(crate) async fn objects(&self, arguments: &[String], domain: &str) -> anyhow::Result<Vec<Live>> {
        let named = names::parse(arguments)?;
        let client = self.client().await.map_err(anyhow::Error::msg)?;
        let resources = discovery::resources(client).await?;
        let (mut objects, mut places) = (Vec::new(), Vec::new());
        for Named { kind, name } in named {
            let resource = discovery::find(&resources, &kind).with_context(|| client.server().to_owned())?;
            let namespace = self.namespace(client, resource, name.as_deref())?;
            let place = place(resource, name.as_deref(), namespace, client);
            let found = read(client, resource, name.as_deref(), namespace, self.args.selector.as_deref());
            for object in found.await.with_context(|| place.clone())? {
                let object = as_signed(client, &resources, resource, object, domain).await?;
                let source = format!("{}/{}", resource.singular, ObjectRef::of(&object).name);
                objects.push(Live { source, object });
            }
            places.push(place);
        }
        if objects.is_empty() {
            bail!("{}: none there; nothing was verified", places.join(", "));
        }
        Ok(objects)
    }

    /// The labels of the namespaces that objects are in. What cannot be read is left out: whatever depends on it is a
    /// fault of its own.
    pub(crate) async fn namespace_labels(&self, objects: &[Live]) -> Vec<(String, Labels)> {
        let names: BTreeSet<_> = objects.iter().map(|live| ObjectRef::of(&live.object).namespace).collect();
        let mut names = names.into_iter().filter(|name| !name.is_empty()).peekable();
        let (Some(_), Ok(client)) = (names.peek(), self.client().await) else { return Vec::new() };
        let all: Vec<_> = names.collect();
        let read = match all.as_slice() {
            [name] => client
                .get(&format!("/api/v1/namespaces/{}", client::escaped(name)))
                .await
                .map(|one| vec![one]),
            _ => client.list("/api/v1/namespaces", None).await,
        };
        read.unwrap_or_default().iter().map(labels).filter(|(name, _)| all.contains(name)).collect()
    }

    /// The cluster's own policies and exceptions.
    ///
    /// # Errors
    /// No cluster, no policy kind in it, a policy that does not compile.
    pub(crate) async fn policies(&self) -> anyhow::Result<PolicySet> {
        let client = self.client().await.map_err(anyhow::Error::msg)?;
        let resources = discovery::resources(client).await?;
        let mut set = PolicySet::default();
        // Several versions of a kind hold the same objects.
        let mut kinds = BTreeSet::new();
        for resource in &resources {
            let Resource { group, version, kind, .. } = resource;
            if !dialect::reads(group, version, kind) || !kinds.insert((group, kind)) {
                continue;
            }
            let listed = client.list(&resource.path(None), None).await;
            for mut value in listed.with_context(|| place(resource, None, None, client))? {
                restore_type(&mut value, resource);
                let name = format!("{}/{}", resource.plural, ObjectRef::of(&value).name);
                set.add_object(&name, &value)?;
            }
        }
        set.name_roots();
        if set.policies.is_empty() {
            bail!("{} has no policies of a kind that kubectl trust reads", client.server());
        }
        Ok(set)
    }

    /// The objects of every kind that a policy's rules name, in the namespace that the arguments choose.
    ///
    /// # Errors
    /// No cluster, no right to read a kind.
    pub(crate) async fn matched(&self, policies: &[Policy]) -> anyhow::Result<Vec<Live>> {
        let client = self.client().await.map_err(anyhow::Error::msg)?;
        let resources = discovery::resources(client).await?;
        let mut objects = Vec::new();
        let mut seen = Vec::new();
        for resource in resources.iter().filter(|resource| is_named(policies, resource)) {
            if seen.contains(&(&resource.group, &resource.kind)) {
                continue;
            }
            seen.push((&resource.group, &resource.kind));
            let namespace = self.args.namespace.as_deref().filter(|_| resource.namespaced);
            let listed = client.list(&resource.path(namespace), self.args.selector.as_deref()).await;
            for object in listed.with_context(|| place(resource, None, namespace, client))? {
                let object = as_signed(client, &resources, resource, object, DEFAULT_DOMAIN).await?;
                let source = format!("{}/{}", resource.singular, ObjectRef::of(&object).name);
                objects.push(Live { source, object });
            }
        }
        Ok(objects)
    }

    /// The namespace to read in; `None` for kinds without one, and for all of them.
    fn namespace<'a>(
        &'a self,
        client: &'a Client,
        resource: &Resource,
        name: Option<&str>,
    ) -> anyhow::Result<Option<&'a str>> {
        match (resource.namespaced, self.args.all_namespaces, name) {
            (false, _, _) | (true, true, None) => Ok(None),
            (true, true, Some(_)) => bail!("a name and --all-namespaces do not go together"),
            (true, false, _) => {
                Ok(Some(self.args.namespace.as_deref().unwrap_or(client.default_namespace())))
            }
        }
    }

    async fn client(&self) -> Result<&Client, String> {
        let connect = || async { Client::connect(&self.args).await.map_err(|error| format!("{error:#}")) };
        self.client.get_or_init(connect).await.as_ref().map_err(Clone::clone)
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<String, Unavailable> {
        let client = self.client().await.map_err(Unavailable::Unreachable)?;
        let path =
            format!("/api/v1/namespaces/{}/secrets/{}", client::escaped(namespace), client::escaped(name));
        let secret = client.get(&path).await.map_err(|error| match error {
            ClusterError::NotFound => Unavailable::NotFound,
            ClusterError::Forbidden(_) => {
                Unavailable::Forbidden(format!("get secrets/{name} in namespace {namespace}"))
            }
            ClusterError::Other(problem) => Unavailable::Unreachable(problem),
        })?;
        public_key(&secret)
            .ok_or_else(|| Unavailable::Unreadable("the Secret has no `cosign.pub`".to_owned()))
    }
}

/// One object, or all of a kind that the selector chooses.
async fn read(
    client: &Client,
    resource: &Resource,
    name: Option<&str>,
    namespace: Option<&str>,
    selector: Option<&str>,
) -> anyhow::Result<Vec<Value>> {
    let path = resource.path(namespace);
    match name {
        Some(name) => Ok(vec![client.get(&format!("{path}/{}", client::escaped(name))).await?]),
        None => Ok(client.list(&path, selector).await?),
    }
}

/// `deployment/web in namespace prod of https://10.0.0.1:6443`.
fn place(resource: &Resource, name: Option<&str>, namespace: Option<&str>, client: &Client) -> String {
    let what = match name {
        Some(name) => format!("{}/{name}", resource.singular),
        None => resource.plural.clone(),
    };
    let namespace = namespace.map(|name| format!(" in namespace {name}")).unwrap_or_default();
    format!("{what}{namespace} of {}", client.server())
}

/// The name and the labels of a Namespace.
fn labels(namespace: &Value) -> (String, Labels) {
    let labels = namespace.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let labels = labels.filter_map(|(key, label)| Some((key.clone(), label.as_str()?.to_owned())));
    (ObjectRef::of(namespace).name, labels.collect())
}

/// `cosign.pub` of a Secret, as cosign keeps key pairs in a cluster. `stringData` wins over `data`, as it does when an
/// API server makes `data` of it; a Secret that a cluster holds has none.
pub(crate) fn public_key(secret: &Value) -> Option<String> {
    use base64::Engine as _;
    if let Some(text) = secret.get("stringData").and_then(|data| data.get("cosign.pub")) {
        return text.as_str().map(str::to_owned);
    }
    let text = secret.get("data")?.get("cosign.pub")?.as_str()?;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).ok()?).ok()
}

/// The object at the version of its group that its message names: two versions of one object hold
/// different fields, and only one of them was signed.
async fn as_signed(
    client: &Client,
    resources: &[Resource],
    read_as: &Resource,
    object: Value,
    domain: &str,
) -> anyhow::Result<Value> {
    let mut object = object;
    restore_type(&mut object, read_as);
    let identity = ObjectRef::of(&object);
    let message = Annotations::read(&object, domain).message.and_then(|text| Message::read(text).ok());
    let versions = message.map(|message| {
        message
            .candidates(&identity)
            .into_iter()
            .map(|signed| ObjectRef::of(signed).api_version)
            .collect::<Vec<_>>()
    });
    let Some(version) = versions.and_then(|versions| versions.into_iter().next()) else { return Ok(object) };
    if version == identity.api_version {
        return Ok(object);
    }
    let signed_as =
        resources.iter().find(|resource| resource.api_version() == version && resource.kind == identity.kind);
    let Some(resource) = signed_as else { return Ok(object) };
    let namespace = Some(identity.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let path = format!("{}/{}", resource.path(namespace), client::escaped(&identity.name));
    let mut again = client.get(&path).await?;
    restore_type(&mut again, resource);
    Ok(again)
}

/// Whether a rule that is ours to judge names a kind.
fn is_named(policies: &[Policy], resource: &Resource) -> bool {
    let ours = |rule: &Rule| !matches!(rule.body, Body::NotHandled { .. });
    let filters = policies.iter().flat_map(|policy| &policy.rules).filter(|rule| ours(rule));
    let mut kinds = filters.flat_map(|rule| &rule.selector.matching.filters).flat_map(|filter| &filter.kinds);
    let object = ObjectRef {
        api_version: resource.api_version(),
        kind: resource.kind.clone(),
        ..ObjectRef::default()
    };
    kinds.any(|kind| kind.matches(&object, ""))
}

/// Items of a list come without `apiVersion` and `kind`.
fn restore_type(object: &mut Value, resource: &Resource) {
    if let Some(object) = object.as_object_mut() {
        object.entry("apiVersion").or_insert_with(|| resource.api_version().into());
        object.entry("kind").or_insert_with(|| resource.kind.clone().into());
    }
}

impl Sources for World {
    fn key<'s>(&'s self, reference: &'s KeyRef) -> Answer<'s, String> {
        match reference {
            KeyRef::Secret { namespace, name } => Box::pin(self.secret(namespace, name)),
            KeyRef::Kms(_) | KeyRef::Variable(_) => self.offline.key(reference),
        }
    }

    fn registry<'s>(&'s self, credentials: &RegistryCredentials) -> &'s dyn Registry {
        self.offline.registry(credentials)
    }

    fn trust_root(&self) -> Option<Arc<TrustRoot>> {
        self.offline.trust_root()
    }
}
