//! The PushProxy, in the style of AirNotifier: what the event server 0.93 sent through.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::answer::ProviderAnswer;
use super::cause::ConnectCause;
use super::check::Steps;
use super::http::{self, Http};
use super::problem::TransportProblem;
use super::reading::BodyContent;
use super::transports::{JSON, TransportContext};
use super::words::{error_of, refusal};
use crate::payload;
use crate::picture::PictureWay;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::settings::PushProxyConfig;
use crate::token::{Platform, PushToken};

#[derive(Debug)]
pub(super) struct Proxy {
    common: Arc<TransportContext>,
    http: Http,
    push: Url,
    tokens: Url,
    app_name: String,
    app_key: SecretString,
    sound: String,
}

impl Proxy {
    pub(super) fn new(
        config: &PushProxyConfig,
        common: Arc<TransportContext>,
    ) -> Result<Self, TransportProblem> {
        let base = http::url("push.proxy.url", &config.url)?;
        let root = config.ca_certificate.as_deref().map(|path| ("push.proxy.ca-certificate", path));
        let (push, tokens) = (http::below(&base, "api/v2/push"), http::below(&base, "api/v2/tokens"));
        let http = Http::new(base, root, &common)?;
        let (app_name, app_key) = (config.app_name.clone(), config.app_key.clone());
        Ok(Self { common, http, push, tokens, app_name, app_key, sound: config.sound.clone() })
    }

    async fn post(&self, url: &Url, body: String, deadline: Instant) -> Result<ProviderAnswer, PushError> {
        self.http.call(deadline, |client| self.request(client, url).body(body)).await
    }

    fn request(&self, client: &Client, url: &Url) -> RequestBuilder {
        self.with_key(client.post(url.clone()).header(CONTENT_TYPE, JSON))
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("X-AN-APP-NAME", self.app_name.as_str());
        http::secret(request, "X-AN-APP-KEY", self.app_key.expose_secret())
    }

    fn judge(
        &self,
        answer: &ProviderAnswer,
        token: &PushToken,
        took: fn(&ProviderAnswer) -> bool,
    ) -> Result<Delivered, PushError> {
        let secrets = [self.app_key.expose_secret()];
        if took(answer) {
            return Ok(Delivered::default());
        }
        if answer.status.is_success() {
            return Err(answer.unexpected("what a PushProxy answers (202, or JSON)", Some(token), &secrets));
        }
        Err(refusal(answer, format!("{}: {}", answer.status, answer.said(Some(token), &secrets))))
    }

    /// Sends a GET to the path of pushes: the server must not be an ordinary web server and must not
    /// refuse the key. AirNotifier checks the key, then answers 405; others may not know GET on this path.
    async fn probe(&self) -> Result<((), String), ConnectCause> {
        let request = |client: &Client| self.with_key(client.get(self.push.clone()));
        let answer = self.http.call(self.http.deadline(), request).await?;
        let secrets = [self.app_key.expose_secret()];
        let said = answer.said(None, &secrets);
        if answer.status.is_success() && answer.is_page() {
            return Err(ConnectCause::from(answer.unexpected("what a PushProxy answers", None, &secrets)));
        }
        if answer.status.is_success() || matches!(answer.status.as_u16(), 404 | 405) {
            return Ok(((), format!("not refused ({})", answer.status)));
        }
        match refusal(&answer, format!("{}: {said}", answer.status)) {
            error @ PushError::Transport(_) => Err(ConnectCause::from(error)),
            PushError::Dead(_) | PushError::WrongApp(_) | PushError::Message(_) | PushError::Phone { .. } => {
                Ok(((), format!("not refused ({})", answer.status)))
            }
        }
    }
}

/// AirNotifier answers 202 without a body; others in its style answer JSON without an error.
fn took_push(answer: &ProviderAnswer) -> bool {
    match answer.content() {
        BodyContent::Json(json) => {
            answer.status.is_success() && json.is_object() && error_of(&json).is_none()
        }
        BodyContent::Nothing | BodyContent::Text => answer.status == StatusCode::ACCEPTED,
        BodyContent::Page(_) | BodyContent::Compressed | BodyContent::TooLong => false,
    }
}

/// AirNotifier answers 200 without a body.
fn took_registration(answer: &ProviderAnswer) -> bool {
    match answer.content() {
        BodyContent::Json(json) => answer.status.is_success() && error_of(&json).is_none(),
        BodyContent::Nothing | BodyContent::Text => answer.status.is_success(),
        BodyContent::Page(_) | BodyContent::Compressed | BodyContent::TooLong => false,
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

    /// It supports only text.
    fn picture_way(&self) -> PictureWay {
        PictureWay::Nothing
    }

    /// Phones behind it show a second message.
    fn replaces(&self) -> bool {
        false
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let body = payload::proxy::body(self.common.message(push)?, &self.sound);
        let answer = self.post(&self.push, body, self.http.deadline()).await?;
        self.judge(&answer, &push.token, took_push)
    }

    async fn register(&self, token: &PushToken, platform: Platform) -> Result<(), PushError> {
        let body = payload::proxy::registration(token, platform);
        let answer = self.post(&self.tokens, body, self.http.deadline()).await?;
        self.judge(&answer, token, took_registration).map(|_| ())
    }

    async fn check(&self) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        let root = async {
            let base = self.http.base.clone();
            self.http.call(self.http.deadline(), |client| client.get(base)).await
        };
        if steps.reach(&self.http, root, |status| status.is_success()).await.is_some() {
            steps.step("credentials", self.common.timing.total, self.probe()).await;
        }
        steps.0
    }
}
