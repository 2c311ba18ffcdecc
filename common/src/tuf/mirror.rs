//! The files of a repository over HTTP.

use std::sync::Arc;
use std::time::Instant;

use sigstore_tuf::Repository;
use sigstore_tuf::transport::FetchFuture;

use super::{Asked, TufProblem};
use crate::registry::http::Site;

/// A mirror, until one moment that all its files share.
pub(super) struct Mirror {
    pub(super) site: Arc<Site>,
    pub(super) deadline: Instant,
    pub(super) asked: Asked,
}

impl Mirror {
    async fn read(&self, file: &str, bound: u64) -> Result<Option<Vec<u8>>, TufProblem> {
        self.asked.note(file);
        let bound = usize::try_from(bound).unwrap_or(usize::MAX);
        Ok(self.site.get(file, bound, self.deadline).await?.map(Vec::from))
    }
}

impl Repository for Mirror {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move {
            match self.read(name, max_length).await? {
                None if !is_root(name) => Err(TufProblem::Missing.into()),
                found => Ok(found),
            }
        })
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move {
            let found = self.read(&format!("targets/{path}"), max_length).await?;
            found.map(Some).ok_or_else(|| TufProblem::Missing.into())
        })
    }
}

/// `7.root.json`: the only file whose absence means something, that there is no newer one.
pub(super) fn is_root(name: &str) -> bool {
    name.strip_suffix(".root.json").is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit()))
}
