//! Apple's push service over HTTP/2, with a signing key or a certificate.

use std::sync::Arc;

use a2::request::notification::{CollapseId, NotificationOptions, Priority, PushType};
use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Version};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::{Answer, delivered, quote};
use super::apns_token::{ProviderToken, Signed};
use super::check::Steps;
use super::http::{self, Http, Setup, Versions};
use super::problem::TransportProblem;
use super::{Common, JSON, files};
use crate::config::{ApnsConfig, ApnsEndpoint, ApnsIdentity};
use crate::domain::PushToken;
use crate::ports::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::push::payload::apns::{ApnsMessage, message};

const PRODUCTION: &str = "https://api.push.apple.com";
const SANDBOX: &str = "https://api.sandbox.push.apple.com";
/// No device has that token: a check learns from the answer whether Apple knows us.
const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// APNs, directly.
#[derive(Debug)]
pub(super) struct Apns {
    common: Arc<Common>,
    http: Http,
    topic: String,
    /// `None`: the certificate in TLS says who we are.
    signer: Option<ProviderToken>,
}

/// What it answers when something went wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refused {
    reason: String,
}

impl Apns {
    pub(super) fn new(config: &ApnsConfig, common: Arc<Common>) -> Result<Self, TransportProblem> {
        let (signer, identity) = match &config.identity {
            ApnsIdentity::Token { key, key_id, team_id } => {
                (Some(ProviderToken::load(key, key_id, team_id, Arc::clone(&common.clock))?), None)
            }
            ApnsIdentity::Certificate { certificate, key, password } => {
                let password = password.as_ref().map_or("", ExposeSecret::<str>::expose_secret);
                (None, Some(files::identity(certificate, key.as_deref(), password)?))
            }
        };
        let endpoint = match &config.endpoint {
            ApnsEndpoint::Production => PRODUCTION,
            ApnsEndpoint::Sandbox => SANDBOX,
            ApnsEndpoint::Other(url) => url,
        };
        let http = Http::new(Setup {
            base: http::url("push.apns.endpoint", endpoint)?,
            root: config.ca_certificate.as_deref().map(|path| ("push.apns.ca-certificate", path)),
            identity,
            versions: Versions::Http2,
            timing: common.timing,
            clock: Arc::clone(&common.clock),
        })?;
        Ok(Self { common, http, topic: config.topic.clone(), signer })
    }

    /// Sends; a provider token that Apple calls expired is renewed once.
    async fn post(&self, token: &str, sent: &ApnsMessage, deadline: Instant) -> Result<Answer, PushError> {
        let mut signed = self.signed(None)?;
        let mut again = true;
        loop {
            let request = |client: &Client| self.request(client, token, sent, signed.as_deref());
            let answer = self.http.call(deadline, request).await?;
            let expired = answer.status.as_u16() == 403 && reason(&answer) == "ExpiredProviderToken";
            if !expired || signed.is_none() || !std::mem::take(&mut again) {
                return Ok(answer);
            }
            signed = self.signed(signed.as_deref())?;
        }
    }

    fn signed(&self, refused: Option<&Signed>) -> Result<Option<Arc<Signed>>, PushError> {
        self.signer.as_ref().map(|signer| signer.current(refused)).transpose()
    }

    fn request(
        &self,
        client: &Client,
        token: &str,
        sent: &ApnsMessage,
        signed: Option<&Signed>,
    ) -> RequestBuilder {
        let options = NotificationOptions {
            apns_id: None,
            apns_push_type: Some(PushType::Alert),
            apns_expiration: Some(sent.expiration),
            apns_priority: Some(Priority::High),
            apns_topic: Some(&self.topic),
            apns_collapse_id: sent.collapse_id.as_deref().and_then(|id| CollapseId::new(id).ok()),
        };
        let url = http::below(self.http.base(), &format!("3/device/{token}"));
        let mut request =
            client.post(url).version(Version::HTTP_2).header(CONTENT_TYPE, JSON).body(sent.body.clone());
        let headers = [
            ("apns-topic", options.apns_topic.map(ToOwned::to_owned)),
            ("apns-push-type", options.apns_push_type.map(|kind| kind.to_string())),
            ("apns-priority", options.apns_priority.map(|priority| priority.to_string())),
            ("apns-expiration", options.apns_expiration.map(|at| at.to_string())),
            ("apns-collapse-id", options.apns_collapse_id.map(|id| id.value.to_owned())),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        match signed {
            Some(signed) => request.bearer_auth(signed.token.expose_secret()),
            None => request,
        }
    }
}

fn reason(answer: &Answer) -> String {
    serde_json::from_str::<Refused>(&answer.body).unwrap_or_default().reason
}

/// Reads an answer: the status counts first, for Apple adds reasons as it likes.
pub(super) fn judge(answer: &Answer, token: &PushToken) -> PushError {
    let reason = reason(answer);
    let said = if reason.is_empty() { &answer.body } else { &reason };
    let detail = quote(&format!("{} {said}", answer.status.as_u16()), Some(token), &[]);
    match (answer.status.as_u16(), reason.as_str()) {
        (410, _) | (400, "BadDeviceToken" | "DeviceTokenNotForTopic") => PushError::Dead(detail),
        (400, "BadTopic" | "MissingTopic" | "TopicDisallowed") => PushError::Credentials(detail),
        (400, "IdleTimeout") => answer.temporary(detail),
        (429, "TooManyRequests") => PushError::Phone { detail, retry_after: answer.retry_after() },
        _ => answer.by_status(detail),
    }
}

#[async_trait]
impl PushTransport for Apns {
    fn name(&self) -> &'static str {
        "apns"
    }

    fn target(&self) -> String {
        self.http.target()
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let token = push.token.expose();
        // It becomes a part of the path.
        if !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(PushError::Message("the token is none of APNs' own".to_owned()));
        }
        let sent = message(self.common.message(push)?);
        let answer = self.post(token, &sent, self.http.deadline()).await?;
        if !answer.status.is_success() {
            return Err(judge(&answer, &push.token));
        }
        Ok(delivered(answer.header("apns-id").unwrap_or_default(), &push.token))
    }

    async fn check(&self) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        if steps.connect(&self.http, self.http.base()).await.is_none() {
            return steps.into_steps();
        }
        let reach = async {
            let body = r#"{"aps":{"alert":"zmesd"}}"#.to_owned();
            let sent = ApnsMessage { body, collapse_id: None, expiration: 0 };
            let answer = self.post(NOBODY, &sent, self.http.deadline()).await;
            let answer = answer.map_err(|error| error.to_string())?;
            let line = answer.status_line();
            if answer.status.is_server_error() { Err(line) } else { Ok((answer, line)) }
        };
        let Some(answer) = steps.step("http", self.common.timing.total, reach).await else {
            return steps.into_steps();
        };
        let known = async {
            let reason = reason(&answer);
            match reason.as_str() {
                // Apple looks at who we are first, and at the device then.
                "BadDeviceToken" | "DeviceTokenNotForTopic" | "Unregistered" => {
                    Ok(((), format!("accepted; {reason} for a device that does not exist, as it should be")))
                }
                _ => Err(quote(&format!("{} {}", answer.status.as_u16(), answer.body), None, &[])),
            }
        };
        steps.step("credentials", self.common.timing.total, known).await;
        steps.into_steps()
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn kind(status: u16, reason: &str) -> &'static str {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: format!(r#"{{"reason":"{reason}","timestamp":1700000000000}}"#),
            http2: true,
            at: "2026-11-25T12:00:00Z".parse().unwrap(),
        };
        match judge(&answer, &PushToken::parse("ab".repeat(32).as_str()).unwrap()) {
            PushError::Dead(_) => "dead",
            PushError::WrongApp(_) => "wrong app",
            PushError::Message(_) => "message",
            PushError::Credentials(_) => "credentials",
            PushError::Temporary { .. } => "temporary",
            PushError::Phone { .. } => "phone",
        }
    }

    #[test]
    fn the_status_counts_and_then_the_reason() {
        for (status, reason, expected) in [
            (410, "Unregistered", "dead"),
            (410, "ExpiredToken", "dead"),
            (410, "ANewReason", "dead"),
            (400, "BadDeviceToken", "dead"),
            (400, "DeviceTokenNotForTopic", "dead"),
            (400, "BadCollapseId", "message"),
            (413, "PayloadTooLarge", "message"),
            (400, "TopicDisallowed", "credentials"),
            (403, "InvalidProviderToken", "credentials"),
            (403, "ExpiredProviderToken", "credentials"),
            (403, "BadCertificate", "credentials"),
            (404, "BadPath", "credentials"),
            (429, "TooManyRequests", "phone"),
            (429, "TooManyProviderTokenUpdates", "temporary"),
            (500, "InternalServerError", "temporary"),
            (503, "BadDeviceToken", "temporary"),
        ] {
            assert_eq!(kind(status, reason), expected, "{status} {reason}");
        }
    }
}
