//! What all targets have in common: where they may connect, how answers become outcomes.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;
use zmes_shared::words::FaultKind;

use super::message::TargetMessage;
use super::settings::{TargetConfig, TargetPicture, TargetTexts};
use crate::answer::{MAX_WAIT, ProviderAnswer};
use crate::cause::ConnectCause;
use crate::check::Steps;
use crate::http::{self, Http};
use crate::problem::TransportProblem;
use crate::push::{CheckStep, Delivered, Push, PushError, SnoozeTime, TransportFault};
use crate::reach::Reach;
use crate::reading::BodyContent;
use crate::transports::{JSON, TransportContext};

/// Of the longer deadline for phones' providers: a target that does not answer must not hold others up.
const CONNECT: Duration = Duration::from_secs(3);
/// The share of a message's time that its picture may take.
const PICTURE_SHARE: f32 = 0.6;
/// The key in `zmesd.toml` that URLs come from.
pub(super) const URL: &str = "target.url";

/// One question to a service, with the name of its step; it sends nothing.
pub(super) type Question<'a> =
    (&'static str, Pin<Box<dyn Future<Output = Result<String, ConnectCause>> + Send + 'a>>);

/// A client for one target, and what it says.
#[derive(Debug)]
pub(super) struct TargetFrame {
    common: Arc<TransportContext>,
    /// `ntfy:night-guard`
    pub(super) name: String,
    pub(super) http: Http,
    pub(super) texts: TargetTexts,
    pub(super) picture: TargetPicture,
    pub(super) snooze_buttons: Vec<SnoozeTime>,
    /// What no quote of an answer may show.
    secrets: Vec<SecretString>,
}

impl TargetFrame {
    /// Reads files, so it blocks.
    pub(super) fn new(
        config: &TargetConfig,
        url: &str,
        secrets: Vec<SecretString>,
        common: &TransportContext,
    ) -> Result<Self, TransportProblem> {
        let root = config.ca_certificate.as_deref().map(|path| ("target.ca-certificate", path));
        let base = http::url(URL, url)?;
        let reach = Reach::of(&base);
        let mut own = common.clone();
        own.timing.connect = own.timing.connect.min(CONNECT);
        let http = Http::reaching(base, root, reach, &own)?;
        let name = format!("{}:{}", config.service.kind(), config.name);
        Ok(Self {
            common: Arc::new(own),
            name,
            http,
            texts: config.texts.clone(),
            picture: config.picture,
            snooze_buttons: config.snooze_buttons.clone(),
            secrets,
        })
    }

    pub(super) fn message<'a>(&'a self, push: &'a Push) -> Result<TargetMessage<'a>, PushError> {
        TargetMessage::new(push, &self.texts, self.common.zone())
            .ok_or_else(|| PushError::Message("the push contains no alarm".to_owned()))
    }

    /// Returns the deadline for a request with a picture; the text alone has its own afterwards.
    pub(super) fn picture_deadline(&self) -> Instant {
        Instant::now() + self.http.timing.total.mul_f32(PICTURE_SHARE)
    }

    /// Judges a request with a picture.
    ///
    /// Services, and proxies before them, have many ways to fail at a picture alone: a full disk (ntfy answers 500), a
    /// method or a size that is not allowed, a connection that is reset. So after each failure that is not about pace or
    /// credentials the text is sent alone, and the answer to that counts.
    pub(super) fn tried(
        &self,
        answer: Result<ProviderAnswer, PushError>,
        judge: impl FnOnce(&ProviderAnswer) -> Result<Delivered, PushError>,
    ) -> Result<PictureTried, PushError> {
        match answer {
            Ok(answer) => match judge(&answer) {
                Ok(delivered) => Ok(PictureTried::Delivered(delivered)),
                Err(error)
                    if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS) =>
                {
                    Err(error)
                }
                Err(error) => {
                    let of_message = matches!(error, PushError::Message(_));
                    Ok(PictureTried::Refused { why: self.said(&answer), of_message })
                }
            },
            // A slow line must not keep the text back.
            Err(PushError::Transport(fault)) if fault.kind == FaultKind::Timeout => {
                Ok(PictureTried::refused("it was not taken in time".to_owned()))
            }
            Err(PushError::Transport(fault)) if fault.kind == FaultKind::Closed => {
                Ok(PictureTried::refused(fault.detail))
            }
            Err(error) => Err(error),
        }
    }

    /// Posts JSON to a path below the URL, within one deadline. `with` adds what else the service needs.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &Value,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<ProviderAnswer, PushError> {
        self.post_until(self.http.deadline(), path, body, with).await
    }

    /// The same within another deadline.
    pub(super) async fn post_until(
        &self,
        deadline: Instant,
        path: &str,
        body: &Value,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<ProviderAnswer, PushError> {
        let url = http::below(&self.http.base, path);
        let request =
            |client: &Client| with(client.post(url).header(CONTENT_TYPE, JSON).body(body.to_string()));
        self.http.call(deadline, request).await
    }

    /// Connects, then asks one question after the other, until one fails.
    pub(super) async fn check(&self, questions: Vec<Question<'_>>) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        if steps.connect(&self.http, &self.http.base).await.is_none() {
            return steps.0;
        }
        for (name, question) in questions {
            let asked = async { question.await.map(|detail| ((), detail)) };
            if steps.step(name, self.common.timing.total, asked).await.is_none() {
                break;
            }
        }
        steps.0
    }

    fn hidden(&self) -> Vec<&str> {
        self.secrets.iter().map(ExposeSecret::expose_secret).collect()
    }

    /// Returns status and words of an answer, without secrets.
    pub(super) fn said(&self, answer: &ProviderAnswer) -> String {
        format!("{}: {}", answer.status, answer.said(None, &self.hidden()))
    }

    /// Returns a text of an answer, without secrets.
    pub(super) fn quote(&self, text: &str) -> String {
        crate::answer::quote(text, None, &self.hidden())
    }

    /// Returns the fault of an answer that is a success by its status, and not by what it says.
    pub(super) fn unexpected(&self, answer: &ProviderAnswer, due: &str) -> PushError {
        answer.unexpected(due, None, &self.hidden())
    }

    /// Returns the fault of an answer that does not say what is due: by its status, unless that is a success.
    pub(super) fn not_due(&self, answer: &ProviderAnswer, due: &str) -> PushError {
        if answer.status.is_success() { self.unexpected(answer, due) } else { self.by_status(answer) }
    }

    /// Returns what a status alone means; a token is never dead, a redirect never followed.
    pub(super) fn by_status(&self, answer: &ProviderAnswer) -> PushError {
        answer.by_status(self.said(answer))
    }

    pub(super) fn fault(&self, answer: &ProviderAnswer, kind: FaultKind) -> PushError {
        answer.fault(kind, self.said(answer))
    }

    /// The same, with how long to wait where the answer does not say it.
    pub(super) fn fault_for(
        &self,
        answer: &ProviderAnswer,
        kind: FaultKind,
        wait: Option<Duration>,
    ) -> PushError {
        let asked = answer.header("retry-after").and_then(|_| answer.retry_after());
        let retry_after = asked.or(wait.map(|wait| wait.min(MAX_WAIT)));
        let (status, detail) = (Some(answer.status.as_u16()), self.said(answer));
        PushError::Transport(TransportFault { kind, status, detail, retry_after })
    }
}

/// Says why a picture is not sent to a service that takes smaller ones.
pub(super) fn too_large(size: usize, limit: usize) -> String {
    format!("the picture has {size} bytes, and the service takes at most {limit}")
}

/// What came of a request with a picture.
#[derive(Debug)]
pub(super) enum PictureTried {
    /// The message and its picture were taken.
    Delivered(Delivered),
    /// The picture is not taken. `of_message`: the message itself was judged, perhaps for something else in it.
    Refused { why: String, of_message: bool },
}

impl PictureTried {
    /// The picture is not taken, and nothing was said about the message.
    pub(super) fn refused(why: String) -> Self {
        Self::Refused { why, of_message: false }
    }
}

/// Returns the JSON of an answer, if it is some.
pub(super) fn json(answer: &ProviderAnswer) -> Option<Value> {
    match answer.content() {
        BodyContent::Json(json) => Some(json),
        BodyContent::Nothing
        | BodyContent::Page(_)
        | BodyContent::Compressed
        | BodyContent::TooLong
        | BodyContent::Text => None,
    }
}

/// Returns an id of a JSON answer: a text or a number.
pub(super) fn id(json: &Value, name: &str) -> Option<String> {
    match json.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the literal address of a URL's host.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}
