//! The cluster, contacted only when an argument names something that lives there.

use std::sync::Arc;

use common::policy::KeyRef;
use common::sources::{Answer, Offline, Sources};
use common::trust::TrustRoot;

use crate::cli::ClusterArgs;

/// What a command may ask: files' trust root, and the cluster.
pub(crate) struct World {
    args: ClusterArgs,
    offline: Offline,
}

impl World {
    pub(crate) fn new(args: ClusterArgs, trust_root: Option<Arc<TrustRoot>>) -> Self {
        Self { args, offline: Offline { trust_root } }
    }

    /// Runs an evaluation to its end.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> anyhow::Result<T> {
        let _ = &self.args;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(future))
    }
}

impl Sources for World {
    fn key<'s>(&'s self, reference: &'s KeyRef) -> Answer<'s, String> {
        self.offline.key(reference)
    }

    fn trust_root(&self) -> Option<Arc<TrustRoot>> {
        self.offline.trust_root()
    }
}
