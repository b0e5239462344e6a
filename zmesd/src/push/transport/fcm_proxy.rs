//! Function proxies: cloud functions of the event server 6 and 7, each of which sends for one app.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::{Answer, delivered, quote};
use super::check::Steps;
use super::http::{self, Http, Setup, Versions};
use super::problem::TransportProblem;
use super::{Common, JSON, dead_words};
use crate::config::FcmProxyConfig;
use crate::ports::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::push::payload;

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

/// What it answers when all went well.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Success {
    #[serde(rename = "Success")]
    id: String,
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
            clock: Arc::clone(&common.clock),
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

    fn quote(&self, answer: &Answer, push: Option<&Push>) -> String {
        let key = self.key.as_ref().map_or("", ExposeSecret::expose_secret);
        format!("{}: {}", answer.status, quote(&answer.body, push.map(|push| &push.token), &[key]))
    }

    fn judge(&self, answer: &Answer, push: &Push) -> Result<Delivered, PushError> {
        if answer.status.is_success() {
            let id = serde_json::from_str::<Success>(&answer.body).unwrap_or_default().id;
            return Ok(delivered(&id, &push.token));
        }
        let detail = self.quote(answer, Some(push));
        let said = answer.body.to_lowercase();
        let ours = answer.status.as_u16() == 401 || answer.status.as_u16() == 429;
        if !ours && !answer.status.is_server_error() && is_mismatch(&said) {
            return Err(PushError::WrongApp(detail));
        }
        if dead_words(answer) {
            return Err(PushError::Dead(detail));
        }
        Err(answer.by_status(detail))
    }
}

/// `SenderId mismatch`, and what newer libraries make of it.
pub(super) fn is_mismatch(said: &str) -> bool {
    ["senderid mismatch", "sender_id_mismatch", "mismatched-credential", "mismatchsenderid"]
        .iter()
        .any(|words| said.contains(words))
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
            let answer = self.post(body, self.http.deadline()).await.map_err(|error| error.to_string())?;
            let line = answer.status_line();
            if answer.status.is_server_error() { Err(line) } else { Ok((answer, line)) }
        };
        let Some(answer) = steps.step("http", self.common.timing.total, reach).await else {
            return steps.into_steps();
        };
        let key = async {
            match answer.status.as_u16() {
                401 | 403 | 404 => Err(self.quote(&answer, None)),
                _ if answer.body.contains(NO_TOKEN) => {
                    Ok(((), "the key is accepted; nothing was sent".to_owned()))
                }
                _ => Ok(((), format!("not refused, but {}", self.quote(&answer, None)))),
            }
        };
        steps.step("credentials", self.common.timing.total, key).await;
        steps.into_steps()
    }
}
