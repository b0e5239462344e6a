//! Apple's push service over HTTP/2, with a signing key or a certificate.

use std::sync::Arc;

use a2::request::notification::PushType;
use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, StatusCode, Version};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::Instant;
use zmes_shared::words::FaultKind;

use super::answer::{ProviderAnswer, delivered, quote};
use super::apns_token::{ProviderToken, SignedToken};
use super::cause::ConnectCause;
use super::check::{Steps, is_no_server_error};
use super::files;
use super::http::{self, Http, Versions};
use super::problem::TransportProblem;
use super::reading::BodyContent;
use super::transports::{JSON, TransportContext};
use crate::payload::apns::{ApnsMessage, message};
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::settings::{ApnsConfig, ApnsIdentity};
use crate::token::PushToken;

/// A token that no device has: the answer to it tells a check whether Apple accepts our credentials.
const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug)]
pub(super) struct Apns {
    common: Arc<TransportContext>,
    http: Http,
    topic: String,
    /// `None`: the client certificate identifies us.
    signer: Option<ProviderToken>,
}

impl Apns {
    pub(super) fn new(config: &ApnsConfig, common: Arc<TransportContext>) -> Result<Self, TransportProblem> {
        let (signer, identity) = match &config.identity {
            ApnsIdentity::Token { key, key_id, team_id } => {
                (Some(ProviderToken::load(key, key_id, team_id, common.clock.clone())?), None)
            }
            ApnsIdentity::Certificate { certificate, key, password } => {
                let password = password.as_ref().map_or("", ExposeSecret::<str>::expose_secret);
                (None, Some(files::identity(certificate, key.as_deref(), password)?))
            }
        };
        let base = http::url("push.apns.endpoint", config.endpoint.url())?;
        let root = config.ca_certificate.as_deref().map(|path| ("push.apns.ca-certificate", path));
        let http = Http::with_identity(base, root, identity, Versions::Http2, &common)?;
        Ok(Self { common, http, topic: config.topic.clone(), signer })
    }

    /// Sends; renews the provider token once if Apple calls it expired.
    async fn post(
        &self,
        token: &str,
        sent: &ApnsMessage,
        deadline: Instant,
    ) -> Result<ProviderAnswer, PushError> {
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

    fn signed(&self, refused: Option<&SignedToken>) -> Result<Option<Arc<SignedToken>>, PushError> {
        self.signer.as_ref().map(|signer| signer.current(refused)).transpose()
    }

    fn request(
        &self,
        client: &Client,
        token: &str,
        sent: &ApnsMessage,
        signed: Option<&SignedToken>,
    ) -> RequestBuilder {
        let url = http::below(&self.http.base, &format!("3/device/{token}"));
        let mut request = client
            .post(url)
            .version(Version::HTTP_2)
            .header(CONTENT_TYPE, JSON)
            .header("apns-topic", &self.topic)
            .header("apns-push-type", PushType::Alert.to_string())
            .header("apns-priority", sent.priority)
            .header("apns-expiration", sent.expiration)
            .body(sent.body.clone());
        if let Some(id) = &sent.collapse_id {
            request = request.header("apns-collapse-id", id);
        }
        match signed {
            Some(signed) => request.bearer_auth(signed.token.expose_secret()),
            None => request,
        }
    }
}

fn reason(answer: &ProviderAnswer) -> String {
    let json = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
    json["reason"].as_str().unwrap_or_default().to_owned()
}

/// Reads an answer: the status counts first, because Apple adds new reasons at any time.
pub(super) fn judge(answer: &ProviderAnswer, token: &PushToken) -> Result<Delivered, PushError> {
    // "For a successful request, the body of the response is empty" (Apple: Handling notification responses from APNs).
    if answer.status == StatusCode::OK
        && answer.content() == BodyContent::Nothing
        && let Some(id) = answer.header("apns-id")
    {
        return Ok(delivered(id, token));
    }
    if answer.status.is_success() {
        return Err(answer.unexpected("APNs' 200 with an apns-id", Some(token), &[]));
    }
    let reason = reason(answer);
    let said = if reason.is_empty() { answer.said(Some(token), &[]) } else { reason.clone() };
    let detail = quote(&format!("{} {said}", answer.status.as_u16()), Some(token), &[]);
    Err(match (answer.status.as_u16(), reason.as_str()) {
        // Apple always gives a reason; without one, another server said Gone.
        (410, "") => answer.by_status(detail),
        (410, _) | (400, "BadDeviceToken" | "DeviceTokenNotForTopic") => PushError::Dead(detail),
        (400, "BadTopic" | "MissingTopic" | "TopicDisallowed") => {
            answer.fault(FaultKind::Credentials, detail)
        }
        (400, "IdleTimeout") => answer.fault(FaultKind::Provider, detail),
        (403, "InvalidProviderToken" | "ExpiredProviderToken") => answer.signature_refused(detail),
        (429, "TooManyRequests") => PushError::Phone { detail, retry_after: answer.retry_after() },
        _ => answer.by_status(detail),
    })
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
        // It becomes part of the path.
        if !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(PushError::Message("it is not an APNs token".to_owned()));
        }
        let sent = message(self.common.message(push)?);
        let answer = self.post(token, &sent, self.http.deadline()).await?;
        judge(&answer, &push.token)
    }

    async fn check(&self) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        let probe = async {
            let body = r#"{"aps":{"alert":"zmesd"}}"#.to_owned();
            let sent = ApnsMessage { body, collapse_id: None, expiration: 0, priority: "10" };
            self.post(NOBODY, &sent, self.http.deadline()).await
        };
        let Some(answer) = steps.reach(&self.http, probe, is_no_server_error).await else {
            return steps.0;
        };
        let known = async {
            let reason = reason(&answer);
            match reason.as_str() {
                // Apple checks credentials first, then the device.
                "BadDeviceToken" | "DeviceTokenNotForTopic" | "Unregistered" => {
                    Ok(((), format!("accepted; {reason} for a device that does not exist, as expected")))
                }
                _ if answer.status.is_success() => {
                    Err(ConnectCause::from(answer.unexpected("APNs' reason", None, &[])))
                }
                _ => {
                    let said = format!("{} {}", answer.status.as_u16(), answer.said(None, &[]));
                    Err(ConnectCause::from(answer.by_status(said)))
                }
            }
        };
        steps.step("credentials", self.common.timing.total, known).await;
        steps.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{answer_with, kind};

    fn judged(status: u16, headers: &[(&str, &str)], body: &str) -> &'static str {
        kind(&judge(
            &answer_with(status, headers, body),
            &PushToken::parse("ab".repeat(32).as_str()).unwrap(),
        ))
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
            (403, "BadDeviceToken", "credentials"),
            (404, "BadPath", "not_found"),
            (405, "MethodNotAllowed", "not_found"),
            (429, "TooManyRequests", "phone"),
            (429, "TooManyProviderTokenUpdates", "limited"),
            (429, "Unregistered", "limited"),
            (500, "InternalServerError", "provider"),
            (503, "BadDeviceToken", "provider"),
            (503, "Shutdown", "provider"),
        ] {
            let body = format!(r#"{{"reason":"{reason}","timestamp":1700000000000}}"#);
            assert_eq!(judged(status, &[], &body), expected, "{status} {reason}");
        }
        let slow = [("date", "Sun, 06 Nov 1994 10:49:07 GMT")];
        assert_eq!(judged(403, &slow, r#"{"reason":"InvalidProviderToken"}"#), "clock");
    }

    #[test]
    fn only_apples_own_answer_is_a_delivery() {
        let id = [("apns-id", "EC1BF194-B3B2-424A-89A9-5A918A6E6B5E")];
        for (status, headers, body, expected) in [
            (200, &id[..], "", "delivered"),
            (200, &[], "", "bad_answer"),
            (200, &id, "<!DOCTYPE html>", "web_page"),
            (200, &[], "{}", "bad_answer"),
            (204, &id, "", "bad_answer"),
            (302, &[], "", "redirect"),
            (410, &[], "", "not_found"),
            (410, &[], "<html><title>Gone</title>", "not_found"),
            (400, &[], "<html><title>400 Bad Request</title>", "web_page"),
        ] {
            assert_eq!(judged(status, headers, body), expected, "{status} {body}");
        }
    }
}
