//! Where facts from outside come from. Front ends implement it: a laptop without a cluster, a laptop
//! with one, the operator.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::policy::KeyRef;
use crate::policy::images::RegistryCredentials;
use crate::registry::{Nowhere, Registry};
use crate::trust::TrustRoot;
use crate::verdict::Unavailable;

/// A boxed future, so that front ends can be chosen at run time.
pub type Answer<'s, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 's>>;

/// What an evaluation may ask of the world. Every answer is data; none is a verdict.
pub trait Sources: Send + Sync {
    /// The PEM text of the public keys that a reference names.
    fn key<'s>(&'s self, reference: &'s KeyRef) -> Answer<'s, String>;

    /// The registries, asked with the credentials that a policy names.
    fn registry<'s>(&'s self, credentials: &RegistryCredentials) -> &'s dyn Registry;

    /// The trust root for identities, where a policy names none; `None` where there is none to be had.
    fn trust_root(&self) -> Option<Arc<TrustRoot>>;
}

/// The world of a command that contacts nothing: no cluster, and the public-good trust root or the one
/// that was given.
#[derive(Default)]
pub struct Offline {
    /// Replaces the public-good trust root.
    pub trust_root: Option<Arc<TrustRoot>>,
    /// Recorded images; without any, none can be judged.
    pub images: Option<Arc<dyn Registry>>,
}

impl Sources for Offline {
    fn key<'s>(&'s self, reference: &'s KeyRef) -> Answer<'s, String> {
        let problem = match reference {
            KeyRef::Secret { .. } => Unavailable::NeedsCluster,
            KeyRef::Kms(_) => Unavailable::KeyService,
            KeyRef::Variable(_) => Unavailable::Unreadable("the variable has no value here".to_owned()),
        };
        Box::pin(std::future::ready(Err(problem)))
    }

    fn registry<'s>(&'s self, _credentials: &RegistryCredentials) -> &'s dyn Registry {
        self.images.as_deref().unwrap_or(&Nowhere)
    }

    fn trust_root(&self) -> Option<Arc<TrustRoot>> {
        self.trust_root.clone().or_else(TrustRoot::public_good)
    }
}
