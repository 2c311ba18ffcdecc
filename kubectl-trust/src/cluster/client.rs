//! Reading from an API server, with kubectl's own configuration.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Config, Error};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::ClusterArgs;
use crate::io_error::problem;
use crate::waiting;

/// Objects of one page of a list.
const PAGE: usize = 500;
/// Pages of one list; more objects than this are not listed by a laptop.
const PAGES: usize = 400;

/// A connection to one API server.
pub(crate) struct Client {
    inner: kube::Client,
    /// Where it is, as the kubeconfig says.
    server: String,
    namespace: String,
    timeout: Option<Duration>,
}

/// Why an object cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// It is not there.
    #[error("not found")]
    NotFound,
    /// A missing right, in the server's words.
    #[error("{0}")]
    Forbidden(String),
    /// No answer, or one that is not understood.
    #[error("no answer: {0}")]
    Other(String),
}

/// Why the files that a kubeconfig is put together of give none.
#[derive(Debug, thiserror::Error)]
#[error("no kubeconfig: none of the files in KUBECONFIG is there ({0}); name one with --kubeconfig")]
struct NoneThere(String);

/// Why there is no configuration, without what its reader wraps around it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others say it themselves")]
fn unusable(error: &KubeconfigError) -> anyhow::Error {
    match error {
        KubeconfigError::ReadConfig(error, path) => anyhow::anyhow!(
            "no kubeconfig: {}: {}; name one with --kubeconfig",
            path.display(),
            problem(error)
        ),
        other => anyhow::anyhow!("the kubeconfig cannot be used: {other}"),
    }
}

/// The files that KUBECONFIG lists, merged, else kubectl's own. As kubectl does it, files that are not there are passed
/// over: a list often names one that a tool has yet to write.
fn from_environment() -> anyhow::Result<Kubeconfig> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<_> = std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
    if listed.is_empty() {
        return Kubeconfig::read().map_err(|error| unusable(&error));
    }
    // One that may be there and cannot be looked at is not passed over: another cluster would be asked.
    let there: Vec<_> = listed.iter().filter(|path| path.try_exists().unwrap_or(true)).collect();
    if there.is_empty() {
        let names: Vec<_> = listed.iter().map(|path| path.display().to_string()).collect();
        return Err(NoneThere(names.join(", ")).into());
    }
    let merged = there.into_iter().try_fold(Kubeconfig::default(), |merged, path| {
        Kubeconfig::read_from(path).and_then(|next| merged.merge(next))
    });
    merged.map_err(|error| unusable(&error))
}

impl Client {
    /// Reads the kubeconfig as kubectl does; contacts nothing yet.
    ///
    /// # Errors
    /// No kubeconfig, no such context, an unreadable timeout.
    pub(crate) async fn connect(args: &ClusterArgs) -> anyhow::Result<Self> {
        // Two providers may be linked in; the choice is made here, once, and a second call changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
        let timeout = duration(&args.request_timeout).context("--request-timeout")?;
        let file = match &args.kubeconfig {
            Some(path) => Kubeconfig::read_from(path).map_err(|error| unusable(&error))?,
            None => from_environment()?,
        };
        let config = Config::from_custom_kubeconfig(file, &options).await;
        let mut config = config.map_err(|error| unusable(&error))?;
        config.read_timeout = timeout;
        config.connect_timeout = timeout;
        if let Some(user) = &args.as_user {
            config.auth_info.impersonate = Some(user.clone());
        }
        let namespace = config.default_namespace.clone();
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        Ok(Self { inner: kube::Client::try_from(config)?, server, namespace, timeout })
    }

    /// The API server's address.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The namespace of the context.
    pub(crate) fn default_namespace(&self) -> &str {
        &self.namespace
    }

    /// Reads one object.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClusterError> {
        self.get_as(path, "application/json").await
    }

    /// Reads one document in a format the server offers.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Result<Value, ClusterError> {
        let request = Request::get(path).header("Accept", accept).body(Vec::new());
        let request = request.map_err(|error| ClusterError::Other(error.to_string()))?;
        let until = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let _waiting = waiting::for_(format_args!("GET {}{path}", self.server), until);
        let answer = self.inner.request_text(request);
        let text = match self.timeout {
            None => answer.await,
            Some(timeout) => tokio::time::timeout(timeout, answer)
                .await
                .map_err(|_| ClusterError::Other(format!("none within {} s", timeout.as_secs())))?,
        };
        let text = text.map_err(cluster_error)?;
        common::yaml::read_json(text.as_bytes()).map_err(|error| ClusterError::Other(error.to_string()))
    }

    /// Reads every object of a list, page by page.
    ///
    /// # Errors
    /// [`ClusterError`]; a list that was read in part is no list.
    pub(crate) async fn list(&self, path: &str, selector: Option<&str>) -> Result<Vec<Value>, ClusterError> {
        let mut objects = Vec::new();
        let mut next = String::new();
        for _ in 0..PAGES {
            let mut page = format!("{path}?limit={PAGE}");
            if let Some(selector) = selector {
                page.push_str(&format!("&labelSelector={}", escaped(selector)));
            }
            if !next.is_empty() {
                page.push_str(&format!("&continue={}", escaped(&next)));
            }
            let mut list = self.get(&page).await?;
            objects.extend(items(&mut list)?);
            list.pointer("/metadata/continue")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .clone_into(&mut next);
            if next.is_empty() {
                return Ok(objects);
            }
        }
        Err(ClusterError::Other(format!("more than {} objects; choose some with -l", PAGE * PAGES)))
    }
}

/// The items of a list; `null` is how servers write none. An answer without any is no list: taken for an
/// empty one, policies would be missing in silence.
fn items(list: &mut Value) -> Result<Vec<Value>, ClusterError> {
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) | None => {
            Err(ClusterError::Other("the server's answer is no list".to_owned()))
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other error is no answer")]
fn cluster_error(error: Error) -> ClusterError {
    match error {
        Error::Api(status) if status.code == 404 => ClusterError::NotFound,
        Error::Api(status) if status.code == 403 => ClusterError::Forbidden(status.message),
        Error::Api(status) => ClusterError::Other(status.message),
        error => ClusterError::Other(deepest(&error)),
    }
}

/// The last cause says what happened; those above say what was being done.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Everything but the unreserved characters of RFC 3986, 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encoding, so that no name leaves its place in a path.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// kubectl's durations: `30s`, `2m`, `1h`, `500ms`; a bare number is seconds; 0 is no limit.
pub(crate) fn duration(text: &str) -> anyhow::Result<Option<Duration>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => bail!("{text} is not a duration; write 30s, 2m or 0"),
    };
    let Some(milliseconds) = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) else {
        bail!("{text} is not a duration; write 30s, 2m or 0");
    };
    Ok(Some(Duration::from_millis(milliseconds)).filter(|duration| !duration.is_zero()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_those_of_kubectl() {
        for (text, expected) in [("30s", 30_000), ("2m", 120_000), ("500ms", 500), ("7", 7_000)] {
            assert_eq!(duration(text).unwrap(), Some(Duration::from_millis(expected)), "{text}");
        }
        assert_eq!(duration("0").unwrap(), None);
        for text in ["", "s", "1y", "-1s", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_list_is_read_as_one() {
        let read = |mut list: Value| items(&mut list).map(|items| items.len());
        assert_eq!(read(json!({"items": [{}, {}]})).unwrap(), 2);
        assert_eq!(read(json!({"items": null})).unwrap(), 0);
        for answer in [json!({}), json!({"items": {}}), json!({"kind": "Status"}), json!([])] {
            assert!(read(answer.clone()).is_err(), "{answer}");
        }
    }

    #[test]
    fn a_name_stays_in_its_place() {
        assert_eq!(escaped("../../secrets/x?a=b"), "..%2F..%2Fsecrets%2Fx%3Fa%3Db");
    }
}
