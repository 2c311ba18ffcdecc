//! The cluster that we work in: how it is reached, and what is started for it.

use std::sync::Arc;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::watch;

use crate::args::Args;
use crate::certificate::{self, Served};
use crate::conditions::Conditions;
use crate::controllers::assembly::Settings;
use crate::controllers::certificates::{self, Place, Renewal, Renewed};
use crate::controllers::registration::{self, Registration};
use crate::controllers::webhooks::Reach;
use crate::controllers::{engines, namespaces, policies, roles};
use crate::secrets::Secrets;
use crate::supervision::supervise;
use crate::webhook::server::Server;

/// A connection to the cluster.
pub(crate) struct Cluster {
    client: Client,
}

impl Cluster {
    /// The cluster of `--kubeconfig`, or the one of the Pod that this runs in.
    ///
    /// # Errors
    /// There is none, or its configuration cannot be read.
    pub(crate) async fn connect(args: &Args) -> anyhow::Result<Self> {
        let config = match &args.cluster.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).context("--kubeconfig")?;
                Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                    .await
                    .context("--kubeconfig")?
            }
            None => Config::incluster()
                .context("not in a Pod; outside of a cluster it takes --kubeconfig or --standalone")?,
        };
        Ok(Self { client: Client::try_from(config)? })
    }

    /// The certificate to serve with: that of the flags, or that of the Secret.
    ///
    /// # Errors
    /// It can neither be read nor made.
    pub(crate) async fn certificate(&self, args: &Args) -> anyhow::Result<Served> {
        if args.tls_cert.is_some() {
            certificate::of(args)
        } else {
            certificates::ensure(&self.client, &place(args)).await
        }
    }

    /// The Secrets that we may read.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::new(self.client.clone())
    }

    /// Who knows whether conditions of policies can be evaluated.
    pub(crate) fn conditions(&self) -> Conditions {
        Conditions::of(self.client.clone())
    }

    /// Starts everything that keeps in step with the cluster.
    pub(crate) fn follow(self, args: &Args, server: &Arc<Server>, served: Served, renewal: Renewal) {
        let client = || self.client.clone();
        let authority = served.authority.clone().unwrap_or_default().into_bytes();
        let (sender, receiver) = watch::channel(authority);
        let follow = |task, start: Start| {
            let (client, followed) = (client(), Arc::clone(server));
            supervise(task, Arc::clone(server), move || start(client.clone(), Arc::clone(&followed)));
        };
        let settings = Settings {
            exceptions_from: args.cluster.exceptions_from.iter().cloned().collect(),
            enforcement: args.cluster.enforce.clone(),
        };
        follow(
            "policies",
            Box::new(move |client, server| policies::follow(client, server, settings.clone()).boxed()),
        );
        follow("engines", Box::new(|client, server| engines::follow(client, server).boxed()));
        follow("namespaces", Box::new(|client, server| namespaces::follow(client, server).boxed()));
        follow("roles", Box::new(|client, server| roles::follow(client, server).boxed()));
        let registration = Registration {
            reach: reach(args),
            exempt: exempt(args),
            owner: args.cluster.owner.clone(),
            authority: receiver,
        };
        follow(
            "registration",
            Box::new(move |client, server| {
                registration::follow(client, server, registration.clone()).boxed()
            }),
        );
        if args.tls_cert.is_none() {
            let renewed = Renewed { place: place(args), served, renewal, authority: sender };
            follow(
                "certificates",
                Box::new(move |client, server| certificates::follow(client, server, renewed.clone()).boxed()),
            );
        }
    }
}

/// What starts a task that keeps in step with the cluster.
type Start = Box<dyn Fn(Client, Arc<Server>) -> BoxFuture<'static, ()> + Send>;

fn place(args: &Args) -> Place {
    let (service, namespace) = (&args.cluster.service, &args.cluster.namespace);
    let mut names = certificate::names(args);
    names.extend([format!("{service}.{namespace}.svc"), format!("{service}.{namespace}.svc.cluster.local")]);
    Place { namespace: namespace.clone(), secret: args.cluster.tls_secret.clone(), names }
}

fn reach(args: &Args) -> Reach {
    if let Some(url) = &args.cluster.webhook_url {
        return Reach::Url(url.clone());
    }
    Reach::Service { namespace: args.cluster.namespace.clone(), name: args.cluster.service.clone() }
}

fn exempt(args: &Args) -> Vec<String> {
    let mut exempt = args.cluster.exempt_namespace.clone();
    exempt.push(args.cluster.namespace.clone());
    exempt
}
