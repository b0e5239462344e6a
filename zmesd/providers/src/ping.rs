//! Pings: requests that tell a service outside that all is well, or what is not.
//!
//! Made for healthchecks.io and Uptime Kuma: a GET while all is well, a POST with a text to another address otherwise.
//! The URL is a secret: who knows it can report in this machine's place. It is in no error and in no `Debug`.

use std::fmt;
use std::time::Duration;

use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::TransportProblem;
use crate::cause::ConnectCause;
use crate::http::{self, Timing};

/// How long one attempt may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where pings go.
#[derive(Clone)]
pub struct PingUrl(SecretString);

impl fmt::Debug for PingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PingUrl([hidden])")
    }
}

impl PartialEq for PingUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for PingUrl {}

/// Why a URL cannot be pinged. It does not quote the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PingUrlProblem {
    /// It is no URL of a web server.
    #[error("is not a URL that starts with https:// or http:// and names a host")]
    NotWeb,
}

impl PingUrl {
    /// Reads a URL.
    pub fn parse(secret: &SecretString) -> Result<Self, PingUrlProblem> {
        let url = Url::parse(secret.expose_secret()).map_err(|_| PingUrlProblem::NotWeb)?;
        let web = ["https", "http"].contains(&url.scheme()) && url.host_str().is_some();
        if web { Ok(Self(secret.clone())) } else { Err(PingUrlProblem::NotWeb) }
    }

    /// Says whether the URL crosses the network unencrypted.
    pub fn is_exposed(&self) -> bool {
        let Ok(url) = Url::parse(self.0.expose_secret()) else { return false };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address: Option<std::net::IpAddr> = host.parse().ok();
        let local = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        url.scheme() == "http" && !local
    }

    /// Returns the URL with `suffix` at the end of its path.
    fn with(&self, suffix: &str) -> Result<Url, PingUrlProblem> {
        let mut url = Url::parse(self.0.expose_secret()).map_err(|_| PingUrlProblem::NotWeb)?;
        if !suffix.is_empty() {
            let path = format!("{}{suffix}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        Ok(url)
    }
}

/// Sends pings, one at a time.
#[derive(Debug)]
pub struct Pinger(Client);

/// Why a ping did not arrive; without the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PingFault(String);

impl Pinger {
    /// Sets up TLS with the roots of this machine. Reads files, so it blocks.
    pub fn new() -> Result<Self, TransportProblem> {
        http::bare(Timing::default()).map(Self)
    }

    /// Tells that all is well: a GET.
    pub async fn well(&self, url: &PingUrl) -> Result<(), PingFault> {
        let url = url.with("").map_err(|problem| PingFault(problem.to_string()))?;
        finish(self.0.get(url)).await
    }

    /// Tells what is wrong: a POST of `report` to the URL with `suffix`.
    pub async fn ill(&self, url: &PingUrl, suffix: &str, report: String) -> Result<(), PingFault> {
        let url = url.with(suffix).map_err(|problem| PingFault(problem.to_string()))?;
        let request = self.0.post(url).header("content-type", "text/plain; charset=utf-8");
        finish(request.body(report)).await
    }
}

/// Only the status counts; redirects are not followed, because the URL is for its server alone.
async fn finish(request: reqwest::RequestBuilder) -> Result<(), PingFault> {
    match timeout(DEADLINE, request.send()).await {
        Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
        Ok(Ok(answer)) if answer.status().is_redirection() => {
            Err(PingFault(format!("the server redirects ({})", answer.status().as_u16())))
        }
        Ok(Ok(answer)) => Err(PingFault(format!("the server answered {}", answer.status().as_u16()))),
        Ok(Err(error)) => Err(PingFault(ConnectCause::of(&error.without_url()).text)),
        Err(_) => Err(PingFault(format!("no answer within {} s", DEADLINE.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<PingUrl, PingUrlProblem> {
        PingUrl::parse(&SecretString::from(text))
    }

    #[test]
    fn only_web_servers_are_pinged() {
        for text in ["", "hc-ping.com/uuid", "ftp://example.org/x", "file:///etc/passwd", "https://"] {
            assert_eq!(url(text), Err(PingUrlProblem::NotWeb), "{text}");
        }
        assert!(url("https://hc-ping.com/5f3c").is_ok());
    }

    #[test]
    fn the_suffix_belongs_to_the_path() {
        let with = |text: &str| url(text).unwrap().with("/fail").unwrap().to_string();
        assert_eq!(with("https://hc-ping.com/5f3c"), "https://hc-ping.com/5f3c/fail");
        assert_eq!(with("https://hc-ping.com/5f3c/"), "https://hc-ping.com/5f3c/fail");
        assert_eq!(with("http://kuma/api/push/k?status=up"), "http://kuma/api/push/k/fail?status=up");
    }

    #[test]
    fn a_url_is_exposed_only_beyond_this_machine() {
        assert!(url("http://kuma.lan:3001/api/push/k").unwrap().is_exposed());
        for text in
            ["https://hc-ping.com/x", "http://127.0.0.1:1/x", "http://[::1]:1/x", "http://localhost/x"]
        {
            assert!(!url(text).unwrap().is_exposed(), "{text}");
        }
    }

    #[test]
    fn the_url_is_not_printed() {
        assert!(!format!("{:?}", url("https://hc-ping.com/secret").unwrap()).contains("secret"));
    }
}
