//! Function proxies: cloud functions of the event server 6 and 7, each of which sends for one app.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::answer::{Answer, delivered};
use super::cause::Cause;
use super::check::Steps;
use super::http::{self, Http, Setup, Versions};
use super::problem::TransportProblem;
use super::reading::Content;
use super::transports::{Common, JSON};
use super::words::refusal;
use crate::payload;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::settings::FcmProxyConfig;

/// What such a function says to a request without a token; nothing is sent then.
const NO_TOKEN: &str = "No Token Found";

/// One function.
#[derive(Debug)]
pub(super) struct FcmProxy {
    common: Arc<Common>,
    name: String,
    http: Http,
    key: Option<SecretString>,
}

impl FcmProxy {
    pub(super) fn new(
        config: &FcmProxyConfig,
        root: Option<&Path>,
        common: Arc<Common>,
    ) -> Result<Self, TransportProblem> {
        let http = Http::new(Setup {
            base: http::url("push.fcm.proxy.url", &config.url)?,
            root: root.map(|path| ("push.fcm.ca-certificate", path)),
            identity: None,
            versions: Versions::Any,
            timing: common.timing,
            clock: common.clock.clone(),
        })?;
        Ok(Self { common, name: format!("fcm:{}", config.name), http, key: config.key.clone() })
    }

    async fn post(&self, body: String, deadline: Instant) -> Result<Answer, PushError> {
        let request = |client: &reqwest::Client| {
            let request = client.post(self.http.base().clone()).header(CONTENT_TYPE, JSON).body(body);
            match &self.key {
                // As it is, without "Bearer": that is how the functions want it.
                Some(key) => http::secret(request, "authorization", key.expose_secret()),
                None => request,
            }
        };
        self.http.call(deadline, request).await
    }

    fn key(&self) -> &str {
        self.key.as_ref().map_or("", ExposeSecret::expose_secret)
    }

    fn said(&self, answer: &Answer, push: Option<&Push>) -> String {
        format!("{}: {}", answer.status, answer.said(push.map(|push| &push.token), &[self.key()]))
    }

    fn judge(&self, answer: &Answer, push: &Push) -> Result<Delivered, PushError> {
        if !answer.status.is_success() {
            return Err(refusal(answer, self.said(answer, Some(push))));
        }
        if let Content::Json(json) = answer.content()
            && let Some(id) = json.get("Success")
        {
            return Ok(delivered(id.as_str().unwrap_or_default(), &push.token));
        }
        Err(answer.unexpected("the function's {\"Success\": …}", Some(&push.token), &[self.key()]))
    }

    /// Reads the answer to a request without a token: nothing is sent by it, and who answers there shows himself.
    fn recognize(&self, answer: &Answer) -> Result<((), String), Cause> {
        let said = self.said(answer, None);
        match (answer.status.as_u16(), answer.content()) {
            (200..=299, Content::Nothing | Content::Page(_) | Content::Compressed | Content::TooLong) => {
                Err(Cause::from(&answer.unexpected("the function's JSON", None, &[self.key()])))
            }
            (_, Content::Page(_)) | (300..=399 | 401 | 403..=405, _) => {
                Err(Cause::from(&answer.by_status(said)))
            }
            _ if answer.body.contains(NO_TOKEN) => {
                Ok(((), "the key is accepted; nothing was sent".to_owned()))
            }
            _ => Ok(((), format!("not refused, but {said}"))),
        }
    }
}

#[async_trait]
impl PushTransport for FcmProxy {
    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> String {
        self.http.target()
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let body = payload::fcm_proxy::body(self.common.message(push)?);
        let answer = self.post(body, self.http.deadline()).await?;
        self.judge(&answer, push)
    }

    async fn check(&self) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        if steps.connect(&self.http, self.http.base()).await.is_none() {
            return steps.into_steps();
        }
        let reach = async {
            let body = r#"{"data":{}}"#.to_owned();
            let answer = self.post(body, self.http.deadline()).await.map_err(|error| Cause::from(&error))?;
            let line = answer.status_line();
            if answer.status.is_server_error() {
                Err(Cause::from(&answer.by_status(line)))
            } else {
                Ok((answer, line))
            }
        };
        if let Some(answer) = steps.step("http", self.common.timing.total, reach).await {
            steps.step("credentials", self.common.timing.total, async { self.recognize(&answer) }).await;
        }
        steps.into_steps()
    }
}
