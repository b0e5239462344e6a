//! Function proxies: cloud functions of the event server 6 and 7, each of which sends for one app.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::answer::{ProviderAnswer, delivered};
use super::cause::ConnectCause;
use super::check::{Steps, is_no_server_error};
use super::http::{self, Http};
use super::problem::TransportProblem;
use super::reading::BodyContent;
use super::transports::{JSON, TransportContext};
use super::words::refusal;
use crate::payload;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::settings::FcmProxyConfig;

/// A function's answer to a request without a token; it sends nothing.
const NO_TOKEN: &str = "No Token Found";

#[derive(Debug)]
pub(super) struct FcmProxy {
    common: Arc<TransportContext>,
    name: String,
    http: Http,
    key: Option<SecretString>,
}

impl FcmProxy {
    pub(super) fn new(
        config: &FcmProxyConfig,
        root: Option<&Path>,
        common: Arc<TransportContext>,
    ) -> Result<Self, TransportProblem> {
        let root = root.map(|path| ("push.fcm.ca-certificate", path));
        let http = Http::new(http::url("push.fcm.proxy.url", &config.url)?, root, &common)?;
        Ok(Self { common, name: format!("fcm:{}", config.name), http, key: config.key.clone() })
    }

    async fn post(&self, body: String, deadline: Instant) -> Result<ProviderAnswer, PushError> {
        let request = |client: &reqwest::Client| {
            let request = client.post(self.http.base.clone()).header(CONTENT_TYPE, JSON).body(body);
            match &self.key {
                // The functions want the key without "Bearer".
                Some(key) => http::secret(request, "authorization", key.expose_secret()),
                None => request,
            }
        };
        self.http.call(deadline, request).await
    }

    fn key(&self) -> &str {
        self.key.as_ref().map_or("", ExposeSecret::expose_secret)
    }

    fn said(&self, answer: &ProviderAnswer, push: Option<&Push>) -> String {
        format!("{}: {}", answer.status, answer.said(push.map(|push| &push.token), &[self.key()]))
    }

    fn judge(&self, answer: &ProviderAnswer, push: &Push) -> Result<Delivered, PushError> {
        if !answer.status.is_success() {
            return Err(refusal(answer, self.said(answer, Some(push))));
        }
        if let BodyContent::Json(json) = answer.content()
            && let Some(id) = json.get("Success")
        {
            return Ok(delivered(id.as_str().unwrap_or_default(), &push.token));
        }
        Err(answer.unexpected("the function's {\"Success\": …}", Some(&push.token), &[self.key()]))
    }

    /// Reads the answer to a request without a token, which sends nothing and shows what kind of server answers.
    fn recognize(&self, answer: &ProviderAnswer) -> Result<((), String), ConnectCause> {
        let said = self.said(answer, None);
        match (answer.status.as_u16(), answer.content()) {
            (
                200..=299,
                BodyContent::Nothing | BodyContent::Page(_) | BodyContent::Compressed | BodyContent::TooLong,
            ) => Err(ConnectCause::from(answer.unexpected("the function's JSON", None, &[self.key()]))),
            (_, BodyContent::Page(_)) | (300..=399 | 401 | 403..=405, _) => {
                Err(ConnectCause::from(answer.by_status(said)))
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
        let probe = async { self.post(r#"{"data":{}}"#.to_owned(), self.http.deadline()).await };
        if let Some(answer) = steps.reach(&self.http, probe, is_no_server_error).await {
            steps.step("credentials", self.common.timing.total, async { self.recognize(&answer) }).await;
        }
        steps.0
    }
}
