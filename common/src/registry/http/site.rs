//! Files below one URL that are no registry's: bounded, by the same rules about destinations, without
//! credentials.

use std::time::Instant;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::answer::{body, retry_after};
use super::config::{Config, ConfigError};
use super::egress::is_loopback;
use super::exchange::{Attempts, Failure, next};
use super::observer::Stage;
use super::transport::{Hop, Hosts, within};
use crate::limits;
use crate::verdict::RegistryProblem;

/// A folder of files on a web server.
pub(crate) struct Site {
    hosts: Hosts,
    base: Url,
}

impl Site {
    /// # Errors
    /// [`ConfigError`]: a URL that is none, one with credentials or a query, or plain HTTP to another machine.
    pub(crate) fn new(url: &str, config: &Config) -> Result<Self, ConfigError> {
        let wrong = |why| ConfigError::Site { url: url.to_owned(), why };
        let mut base =
            Url::parse(url).ok().filter(Url::has_host).ok_or_else(|| wrong("write https://HOST/PATH"))?;
        if !base.username().is_empty() || base.password().is_some() {
            // Not the URL: the message would show the password.
            let url = base.host_str().unwrap_or_default().to_owned();
            return Err(ConfigError::Site { url, why: "it names a user" });
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it has a query or a fragment, and files are below a path"));
        }
        match base.scheme() {
            "https" => {}
            "http" if is_loopback(&base) => {}
            "http" => return Err(wrong("plain HTTP is for this machine only; write https://")),
            _ => return Err(wrong("only https:// is contacted")),
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self { hosts: Hosts::new(config)?, base })
    }

    /// Where the files are; ends with a slash.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// One file of at most `bound` bytes; `None` if the server says that there is none.
    ///
    /// 403 counts as 404: object stores answer it for what is not there.
    pub(crate) async fn get(
        &self,
        path: &str,
        bound: usize,
        deadline: Instant,
    ) -> Result<Option<Bytes>, RegistryProblem> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        let mut attempts = Attempts::new(limits::REQUEST_ATTEMPTS, deadline);
        loop {
            match self.attempt(&url, bound, deadline).await {
                Ok(found) => return Ok(found),
                Err(failure) if attempts.another(&failure, (&Method::GET, &url), &self.hosts).await => {}
                Err(failure) => return Err(failure.problem),
            }
        }
    }

    async fn attempt(&self, url: &Url, bound: usize, deadline: Instant) -> Result<Option<Bytes>, Failure> {
        let response = self.follow(url, deadline).await?;
        match response.status() {
            status if status.is_success() => {
                let _waiting = self.hosts.waits(&Method::GET, url, Stage::Answer, deadline);
                Ok(Some(within(deadline, body(response, bound)).await??))
            }
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(None),
            StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = retry_after(response.headers());
                let seconds = retry_after.map(|wait| wait.as_secs());
                let problem = RegistryProblem::RateLimited { retry_after: seconds };
                Err(Failure { retry_after, ..problem.into() })
            }
            status => Err(RegistryProblem::Status(status.as_u16()).into()),
        }
    }

    /// Attack A37: a redirect leads nowhere but to the site itself. Where its files are is the caller's choice.
    async fn follow(&self, url: &Url, deadline: Instant) -> Result<Response, RegistryProblem> {
        let mut url = url.clone();
        for _ in 0..=limits::REDIRECTS {
            let hop = Hop {
                method: Method::GET,
                url: url.clone(),
                headers: HeaderMap::new(),
                authorization: None,
                body: None,
            };
            let response = self.hosts.send(hop, &self.base, deadline).await?;
            let Some(to) = next(&response, &url)? else { return Ok(response) };
            if to.origin() != self.base.origin() {
                let host = to.host_str().unwrap_or_default().to_owned();
                return Err(RegistryProblem::Refused { host, why: "a redirect leads to it".to_owned() });
            }
            url = to;
        }
        Err(RegistryProblem::Malformed(format!("more than {} redirects", limits::REDIRECTS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Result<String, ConfigError> {
        Site::new(url, &Config::default()).map(|site| site.base.to_string())
    }

    #[test]
    fn a_site_is_a_path_behind_tls_or_on_this_machine() {
        assert_eq!(base("https://tuf.example"), Ok("https://tuf.example/".into()));
        assert_eq!(base("https://tuf.example/a/b"), Ok("https://tuf.example/a/b/".into()));
        assert_eq!(base("http://127.0.0.1:1/a/"), Ok("http://127.0.0.1:1/a/".into()));
        for url in [
            "",
            "tuf.example",
            "file:///etc",
            "ftp://tuf.example/",
            "http://tuf.example/",
            "http://127.0.0.1.evil.example/",
            "https://tuf.example/?a=b",
            "https://tuf.example/#a",
            "https://me:hunter2@tuf.example/",
        ] {
            let error = base(url).unwrap_err();
            assert!(matches!(error, ConfigError::Site { .. }), "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
