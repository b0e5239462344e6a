//! FCM HTTP v1 with a service account.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{ProviderAnswer, delivered};
use super::check::{Steps, is_no_server_error};
use super::fcm_error::judge;
use super::fcm_oauth::{Bearer, GoogleAccount};
use super::http::{self, Http};
use super::problem::TransportProblem;
use super::transports::{JSON, TransportContext};
use crate::payload;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::settings::FcmConfig;

const ENDPOINT: &str = "https://fcm.googleapis.com";

#[derive(Debug)]
pub(super) struct Fcm {
    common: Arc<TransportContext>,
    account: GoogleAccount,
    http: Http,
    send: Url,
}

impl Fcm {
    pub(super) fn new(
        config: &FcmConfig,
        account: &Path,
        common: Arc<TransportContext>,
    ) -> Result<Self, TransportProblem> {
        let root = config.ca_certificate.as_deref();
        let base = http::url("push.fcm.endpoint", config.endpoint.as_deref().unwrap_or(ENDPOINT))?;
        let root = root.map(|path| ("push.fcm.ca-certificate", path));
        let account = GoogleAccount::load(account, root, &common)?;
        let send = http::below(&base, &format!("v1/projects/{}/messages:send", account.project));
        let http = Http::new(base, root, &common)?;
        Ok(Self { common, account, http, send })
    }

    async fn post(
        &self,
        body: &str,
        bearer: &Bearer,
        deadline: Instant,
    ) -> Result<ProviderAnswer, PushError> {
        let request = |client: &reqwest::Client| {
            let request = client.post(self.send.clone()).header(CONTENT_TYPE, JSON);
            request.bearer_auth(bearer.token.expose_secret()).body(body.to_owned())
        };
        self.http.call(deadline, request).await
    }
}

#[async_trait]
impl PushTransport for Fcm {
    fn name(&self) -> &'static str {
        "fcm"
    }

    fn target(&self) -> String {
        self.http.target()
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let body = payload::fcm::body(self.common.message(push)?);
        let deadline = self.http.deadline();
        let mut bearer = self.account.bearer(deadline, None).await?;
        let mut again = true;
        loop {
            let answer = self.post(&body, &bearer, deadline).await?;
            if answer.status.is_success()
                && let Ok(json) = serde_json::from_str::<Value>(&answer.body)
                && let Some(name) = json["name"].as_str().filter(|name| !name.is_empty())
            {
                return Ok(delivered(name, &push.token));
            }
            let refusal = judge(&answer, &push.token, bearer.token.expose_secret());
            if !refusal.unauthenticated || !std::mem::take(&mut again) {
                return Err(refusal.error);
            }
            bearer = self.account.bearer(deadline, Some(&bearer)).await?;
        }
    }

    async fn check(&self) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        // There is nothing at its root: any answer but a server error means that it works.
        let root = async {
            let base = self.http.base.clone();
            self.http.call(self.http.deadline(), |client| client.get(base)).await
        };
        if steps.reach(&self.http, root, is_no_server_error).await.is_none() {
            return steps.0;
        }
        let credentials = async {
            self.account.bearer(self.http.deadline(), None).await?;
            Ok(((), format!("{} issued a token for {}", self.account.http.target(), self.account.project)))
        };
        steps.step("credentials", self.common.timing.total, credentials).await;
        steps.0
    }
}
