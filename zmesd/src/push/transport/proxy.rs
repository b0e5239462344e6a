//! The PushProxy, in the style of AirNotifier: what the event server 0.93 sent through.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::answer::{Answer, quote};
use super::check::Steps;
use super::http::{self, Http, Setup, Versions};
use super::problem::TransportProblem;
use super::{Common, JSON, dead_words};
use crate::config::PushProxyConfig;
use crate::domain::{Platform, PushToken};
use crate::ports::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::push::payload;

/// The PushProxy.
#[derive(Debug)]
pub(super) struct Proxy {
    common: Arc<Common>,
    http: Http,
    push: Url,
    tokens: Url,
    app_name: String,
    app_key: SecretString,
    sound: String,
}

impl Proxy {
    pub(super) fn new(config: &PushProxyConfig, common: Arc<Common>) -> Result<Self, TransportProblem> {
        let base = http::url("push.proxy.url", &config.url)?;
        let root = config.ca_certificate.as_deref().map(|path| ("push.proxy.ca-certificate", path));
        let (push, tokens) = (http::below(&base, "api/v2/push"), http::below(&base, "api/v2/tokens"));
        let http = Http::new(Setup {
            base,
            root,
            identity: None,
            versions: Versions::Any,
            timing: common.timing,
            clock: Arc::clone(&common.clock),
        })?;
        let (app_name, app_key) = (config.app_name.clone(), config.app_key.clone());
        Ok(Self { common, http, push, tokens, app_name, app_key, sound: config.sound.clone() })
    }

    async fn post(&self, url: &Url, body: String, deadline: Instant) -> Result<Answer, PushError> {
        self.http.call(deadline, |client| self.request(client, url).body(body)).await
    }

    fn request(&self, client: &Client, url: &Url) -> RequestBuilder {
        let request = client.post(url.clone()).header(CONTENT_TYPE, JSON);
        let request = request.header("X-AN-APP-NAME", self.app_name.as_str());
        http::secret(request, "X-AN-APP-KEY", self.app_key.expose_secret())
    }

    fn judge(&self, answer: &Answer, token: &PushToken) -> Result<Delivered, PushError> {
        if answer.status.is_success() {
            return Ok(Delivered::default());
        }
        let said = quote(&answer.body, Some(token), &[self.app_key.expose_secret()]);
        let detail = format!("{}: {said}", answer.status);
        if dead_words(answer) {
            return Err(PushError::Dead(detail));
        }
        Err(answer.by_status(detail))
    }
}

#[async_trait]
impl PushTransport for Proxy {
    fn name(&self) -> &'static str {
        "proxy"
    }

    fn target(&self) -> String {
        self.http.target()
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let body = payload::proxy::body(self.common.message(push)?, &self.sound);
        let answer = self.post(&self.push, body, self.http.deadline()).await?;
        self.judge(&answer, &push.token)
    }

    async fn register(&self, token: &PushToken, platform: Platform) -> Result<(), PushError> {
        let body = payload::proxy::registration(token, platform);
        let answer = self.post(&self.tokens, body, self.http.deadline()).await?;
        self.judge(&answer, token).map(|_| ())
    }

    async fn check(&self) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        if steps.connect(&self.http, self.http.base()).await.is_some() {
            let reach = async {
                let base = self.http.base().clone();
                let answer = self.http.call(self.http.deadline(), |client| client.get(base)).await;
                let answer = answer.map_err(|error| error.to_string())?;
                let line = answer.status_line();
                if answer.status.is_success() { Ok(((), line)) } else { Err(line) }
            };
            steps.step("http", self.common.timing.total, reach).await;
        }
        steps.into_steps()
    }
}
