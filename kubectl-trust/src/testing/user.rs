//! Who asks: what a test or a command says instead of an admission request.

use std::path::Path;

use anyhow::Context as _;
use common::policy::UserInfo;
use serde::Deserialize;
use serde_json::Value;

use super::document::single;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserFile {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(rename = "metadata")]
    _metadata: Option<Value>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    cluster_roles: Vec<String>,
    #[serde(default)]
    user_info: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default, rename = "uid")]
    _uid: Option<String>,
    #[serde(default, rename = "extra")]
    _extra: Option<Value>,
}

/// Reads a `UserInfo` document.
///
/// # Errors
/// An unreadable file, an unknown field, a wrong type.
pub(crate) fn read(path: &Path) -> anyhow::Result<UserInfo> {
    let place = path.display().to_string();
    let file: UserFile = serde_json::from_value(single(path)?).with_context(|| place)?;
    let User { username, groups, _uid: _, _extra: _ } = file.user_info;
    Ok(UserInfo { username, groups, roles: file.roles, cluster_roles: file.cluster_roles })
}
