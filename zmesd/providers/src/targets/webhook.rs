//! Webhooks: a request of the admin's own making, signed as Standard Webhooks do.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use zmes_shared::words::FaultKind;

use super::canonical;
use super::frame::{self, PictureTried, TargetFrame, URL};
use super::message::TargetMessage;
use super::multipart::Form;
use super::settings::{PictureForm, TargetConfig, WebhookConfig, WebhookMethod};
use super::template::Encoding;
use crate::answer::ProviderAnswer;
use crate::http;
use crate::picture::{PictureFile, PictureWay, PushedPicture};
use crate::problem::TransportProblem;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::transports::TransportContext;

/// Longest body, in bytes.
const BODY_MAX: usize = 256 * 1024;
/// Shortest part of a URL that is taken for a secret, in bytes.
const SECRET_MIN: usize = 6;
/// Where a provider's own id of the message may stand in its answer.
const IDS: [&str; 2] = ["id", "request_id"];

struct WebhookBody {
    content_type: String,
    bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Webhook {
    frame: TargetFrame,
    config: WebhookConfig,
}

impl Webhook {
    pub(super) fn new(
        target: &TargetConfig,
        config: &WebhookConfig,
        common: &Arc<TransportContext>,
    ) -> Result<Self, TransportProblem> {
        let secrets = secrets(config);
        // The host is fixed: what an alarm says must not choose whom it is sent to.
        let url = origin(config)?;
        let frame = TargetFrame::new(target, url.as_str(), secrets, common)?;
        Ok(Self { frame, config: config.clone() })
    }

    fn url(&self, message: &TargetMessage<'_>) -> Result<Url, PushError> {
        let text = self.config.url.render(message, Encoding::Url);
        let url = Url::parse(&text).ok().filter(|url| same_host(url, &self.frame.http.base));
        url.ok_or_else(|| PushError::Message("target.url makes no URL of this alarm".to_owned()))
    }

    /// Returns what is sent, with the picture where it is a file. With `multipart` each message is a form, so that its
    /// receiver need not know two ways.
    fn body(
        &self,
        message: &TargetMessage<'_>,
        file: Option<&PictureFile>,
    ) -> Result<WebhookBody, PushError> {
        let plain = self.plain(message)?;
        let content_type = self.config.content_type.clone();
        match (self.frame.picture.form, file) {
            (PictureForm::Base64, Some(file)) => {
                Ok(WebhookBody { content_type, bytes: canonical::body(message, Some(file)).into_bytes() })
            }
            (PictureForm::Multipart, file) if let Some(form) = Form::new() => {
                let form = form.document("payload", &content_type, &plain.bytes);
                let form = if let Some(file) = file { form.picture("picture", file) } else { form };
                let (content_type, bytes) = form.finish();
                Ok(WebhookBody { content_type, bytes })
            }
            (_, _) => Ok(plain),
        }
    }

    /// The text alone, whatever `picture` says.
    fn plain(&self, message: &TargetMessage<'_>) -> Result<WebhookBody, PushError> {
        let bytes = self.text(message)?.into_bytes();
        Ok(WebhookBody { content_type: self.config.content_type.clone(), bytes })
    }

    fn text(&self, message: &TargetMessage<'_>) -> Result<String, PushError> {
        let body = if self.config.body.is_empty() {
            canonical::body(message, None)
        } else {
            self.config.body.render(message, Encoding::of_body(&self.config.content_type))
        };
        if body.len() > BODY_MAX {
            return Err(PushError::Message(format!(
                "the body has {} bytes: the limit is {BODY_MAX}",
                body.len()
            )));
        }
        Ok(body)
    }

    fn request(
        &self,
        client: &Client,
        url: Url,
        message: &TargetMessage<'_>,
        body: WebhookBody,
    ) -> RequestBuilder {
        let method = match self.config.method {
            WebhookMethod::Post => Method::POST,
            WebhookMethod::Put => Method::PUT,
            WebhookMethod::Get => Method::GET,
        };
        let has_body = method != Method::GET;
        let mut request = client.request(method, url);
        for (name, value) in &self.config.headers {
            let value = HeaderValue::try_from(value.render(message, Encoding::Header));
            if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
                value.set_sensitive(true);
                request = request.header(name, value);
            }
        }
        if let Some(token) = &self.config.token {
            request = http::secret(request, "authorization", &format!("Bearer {}", token.expose_secret()));
        }
        let WebhookBody { bytes, content_type } = body;
        let bytes = if has_body { bytes } else { Vec::new() };
        if let Some(secret) = &self.config.secret {
            let (id, at) = (message.id(), self.frame.http.clock.now().as_second());
            request = request
                .header("webhook-signature", secret.sign(&id, at, &bytes))
                .header("webhook-timestamp", at.to_string());
        }
        request = request.header("webhook-id", message.id());
        if !has_body {
            return request;
        }
        request.header(CONTENT_TYPE, content_type).body(bytes)
    }

    fn judge(&self, answer: &ProviderAnswer) -> Result<Delivered, PushError> {
        let status = answer.status.as_u16();
        if self.config.expect.includes(status) {
            let json = frame::json(answer);
            let id = json.and_then(|json| IDS.iter().find_map(|name| frame::id(&json, name)));
            return Ok(Delivered::with_id(id.map(|id| self.frame.quote(&id))));
        }
        Err(match status {
            401 | 403 | 407 => self.frame.fault(answer, FaultKind::Credentials),
            429 => self.frame.fault(answer, FaultKind::Limited),
            408 | 409 | 425 | 500.. => self.frame.fault(answer, FaultKind::Provider),
            300..400 => self.frame.by_status(answer),
            400..500 => PushError::Message(self.frame.said(answer)),
            // A success, but not one that was expected.
            _ => self.frame.unexpected(answer, "a status of target.expect"),
        })
    }
}

/// Returns the URL without its path, which may hold placeholders and secrets.
fn origin(config: &WebhookConfig) -> Result<Url, TransportProblem> {
    let fixed = TransportProblem::PlaceholderInHost { key: URL };
    if split_behind_host(&config.url.with_each("\n")).0.contains('\n') {
        return Err(fixed);
    }
    // What a text hides from this (`https:///${cause}`), two values show.
    let mut url = http::url(URL, &config.url.with_each("0"))?;
    let other = http::url(URL, &config.url.with_each("1"))?;
    if !same_host(&url, &other) {
        return Err(fixed);
    }
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn same_host(left: &Url, right: &Url) -> bool {
    left.scheme() == right.scheme()
        && left.host() == right.host()
        && left.port_or_known_default() == right.port_or_known_default()
        && left.username().is_empty()
        && left.password().is_none()
}

/// Splits a URL into scheme and host, and what follows.
fn split_behind_host(url: &str) -> (&str, &str) {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let length = url.get(start..).and_then(|rest| rest.find(['/', '?', '#']));
    length.and_then(|length| url.split_at_checked(start + length)).unwrap_or((url, ""))
}

/// Returns what no quote of an answer may show: token, headers, and the parts of the URL.
fn secrets(config: &WebhookConfig) -> Vec<SecretString> {
    let source = config.url.with_each("\n");
    let (_, behind_host) = split_behind_host(&source);
    let parts = behind_host.split(['/', '?', '&', '=', '\n', '#']).map(str::to_owned);
    let headers =
        config.headers.values().flat_map(|value| value.fixed().map(str::to_owned).collect::<Vec<_>>());
    let long = parts.chain(headers).filter(|part| part.trim().len() >= SECRET_MIN);
    let signing = config.secret.as_ref().map(|secret| secret.source.clone());
    long.map(SecretString::from).chain(config.token.clone()).chain(signing).collect()
}

#[async_trait]
impl PushTransport for Webhook {
    fn name(&self) -> &str {
        &self.frame.name
    }

    fn target(&self) -> String {
        self.frame.http.target()
    }

    fn picture_way(&self) -> PictureWay {
        self.frame.picture.way()
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let message = self.frame.message(push)?;
        let (url, http, deadline) = (self.url(&message)?, &self.frame.http, self.frame.http.deadline());
        let send = async |body: WebhookBody, deadline| {
            let request = |client: &Client| self.request(client, url.clone(), &message, body);
            http.call(deadline, request).await
        };
        let mut without_picture = None;
        if let Some(file) = push.picture.as_ref().and_then(PushedPicture::file) {
            let answer = send(self.body(&message, Some(file))?, self.frame.picture_deadline()).await;
            match self.frame.tried(answer, |answer| self.judge(answer))? {
                PictureTried::Delivered(delivered) => return Ok(delivered),
                PictureTried::Refused { why, .. } => without_picture = Some(why),
            }
        }
        // A form that was refused may have been refused for being one.
        let body = if without_picture.is_some() { self.plain(&message)? } else { self.body(&message, None)? };
        let delivered = self.judge(&send(body, deadline).await?)?;
        Ok(Delivered { without_picture, ..delivered })
    }

    /// Connects. Any request could be taken for an alarm, so none is made.
    async fn check(&self) -> Vec<CheckStep> {
        self.frame.check(Vec::new()).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::targets::fixtures::{context, push, target, template};
    use crate::targets::settings::{ExpectedStatus, TargetProvider};
    use crate::tests::{answer, answer_with, kind};

    fn config(url: &str) -> WebhookConfig {
        WebhookConfig {
            url: template(url),
            method: WebhookMethod::Post,
            headers: BTreeMap::from([("X-Key".to_owned(), template("s3cret-header"))]),
            token: Some("s3cret-token".into()),
            secret: None,
            body: template(""),
            content_type: "application/json".to_owned(),
            expect: ExpectedStatus::Success,
        }
    }

    fn webhook(config: &WebhookConfig) -> Result<Webhook, TransportProblem> {
        Webhook::new(&target(TargetProvider::Webhook(Box::new(config.clone()))), config, &context())
    }

    fn plain() -> Webhook {
        webhook(&config("https://hooks.example.org/services/s3cret-path/${monitor.id}?c=${cause}")).unwrap()
    }

    #[test]
    fn each_status_has_its_meaning() {
        for (status, body, wanted) in [
            (200, "ok", "delivered"),
            (204, "", "delivered"),
            (401, "", "credentials"),
            (403, "", "credentials"),
            (407, "", "credentials"),
            (408, "", "provider"),
            (409, "", "provider"),
            (425, "", "provider"),
            (429, "", "limited"),
            (500, "", "provider"),
            (503, "", "provider"),
            (301, "", "redirect"),
            (400, "<html>", "message"),
            (404, "", "message"),
            (410, "", "message"),
            (413, "", "message"),
        ] {
            assert_eq!(kind(&plain().judge(&answer(status, body))), wanted, "{status}");
        }
        let only = WebhookConfig {
            expect: ExpectedStatus::Codes(vec![202]),
            ..config("https://hooks.example.org/")
        };
        let only = webhook(&only).unwrap();
        assert_eq!(kind(&only.judge(&answer(202, ""))), "delivered");
        assert_eq!(kind(&only.judge(&answer(200, "{}"))), "bad_answer");
    }

    #[test]
    fn an_answer_may_name_its_id_and_how_long_to_wait() {
        let id = |body| plain().judge(&answer(200, body)).unwrap().provider_id;
        assert_eq!(id(r#"{"id":"abc"}"#).as_deref(), Some("abc"));
        assert_eq!(id(r#"{"request_id":7}"#).as_deref(), Some("7"));
        assert_eq!((id("[]"), id("")), (None, None));
        let Err(PushError::Transport(fault)) = plain().judge(&answer_with(503, &[("retry-after", "7")], ""))
        else {
            panic!("no fault")
        };
        assert_eq!(fault.retry_after.map(|wait| wait.as_secs()), Some(7));
    }

    #[test]
    fn no_quote_shows_a_part_of_the_url_a_header_or_the_token() {
        let said = "no /services/s3cret-path/1 for s3cret-token and s3cret-header";
        let error = plain().judge(&answer(403, said)).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
        assert!(!format!("{:?}", plain()).contains("s3cret"));
        assert_eq!(plain().target(), "hooks.example.org:443");
        for url in ["https://hooks.example.org?key=s3cret", "https://hooks.example.org#s3cret"] {
            let hook = webhook(&config(url)).unwrap();
            let error = hook.judge(&answer(403, "no s3cret here")).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_alarm_cannot_choose_the_host() {
        for url in [
            "https://${monitor.name}.example.org/",
            "https://hooks.${event}?x",
            "https://h${event}",
            "https://h:${event}/",
            "https:///${cause}/",
        ] {
            let refused = webhook(&config(url));
            assert!(matches!(refused, Err(TransportProblem::PlaceholderInHost { .. })), "{url}: {refused:?}");
        }
        let mut push = push(32_910);
        push.alarms[0].cause = "@evil.example.org/../..?x#y".into();
        let hook = webhook(&config("https://hooks.example.org/${cause}")).unwrap();
        let url = hook.url(&hook.frame.message(&push).unwrap()).unwrap();
        assert_eq!(url.host_str(), Some("hooks.example.org"));
        assert_eq!(url.path(), "/%40evil.example.org%2F..%2F..%3Fx%23y");
    }

    #[test]
    fn with_multipart_each_message_is_a_form_also_one_without_a_picture() {
        let config = config("https://hooks.example.org/");
        let mut target = target(TargetProvider::Webhook(Box::new(config.clone())));
        target.picture.form = PictureForm::Multipart;
        let hook = Webhook::new(&target, &config, &context()).unwrap();
        let push = push(32_910);
        let message = hook.frame.message(&push).unwrap();
        let file = PictureFile::new(vec![0xff, 0xd8, 0xff, 0xff, 0xd9]);
        for (file, parts) in [(Some(&file), 2), (None, 1)] {
            let WebhookBody { content_type, bytes } = hook.body(&message, file).unwrap();
            assert!(content_type.starts_with("multipart/form-data; boundary="), "{content_type}");
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(text.matches("Content-Disposition: form-data; name=").count(), parts, "{text}");
            assert!(text.contains("name=\"payload\""), "{text}");
        }
        // What a service has refused as a form it gets as plain JSON.
        let text = hook.plain(&message).unwrap();
        assert_eq!(text.content_type, "application/json");
    }

    #[test]
    fn values_in_a_body_are_escaped_for_its_type() {
        let mut push = push(32_910);
        push.alarms[0].cause = "\"},{\"x\":1 & more".into();
        let body = |content_type: &str, body: &str| {
            let config = WebhookConfig {
                body: template(body),
                content_type: content_type.to_owned(),
                ..config("https://hooks.example.org/")
            };
            let hook = webhook(&config).unwrap();
            let body = hook.body(&hook.frame.message(&push).unwrap(), None).unwrap();
            String::from_utf8(body.bytes).unwrap()
        };
        let json = body("application/json", r#"{"text":"${cause}"}"#);
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["text"], "\"},{\"x\":1 & more");
        assert_eq!(
            body("application/x-www-form-urlencoded", "m=${cause}"),
            "m=%22%7D%2C%7B%22x%22%3A1%20%26%20more"
        );
        assert_eq!(body("text/plain", "${cause}"), "\"},{\"x\":1 & more");
    }
}
