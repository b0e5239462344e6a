//! Gotify (gotify/server, docs/spec.json).

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use zmes_shared::words::FaultKind;

use super::frame::{self, TargetFrame};
use super::message::{TargetMessage, cut_bytes, cut_characters};
use super::settings::{GotifyConfig, TargetConfig, TargetPriority};
use crate::answer::ProviderAnswer;
use crate::cause::ConnectCause;
use crate::http;
use crate::picture::PictureWay;
use crate::problem::TransportProblem;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::transports::TransportContext;

/// Gotify names no limits; these are far above what phones show.
const TITLE_MAX: usize = 250;
const MESSAGE_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Gotify {
    frame: TargetFrame,
    token: SecretString,
}

impl Gotify {
    pub(super) fn new(
        target: &TargetConfig,
        config: &GotifyConfig,
        common: &Arc<TransportContext>,
    ) -> Result<Self, TransportProblem> {
        let frame = TargetFrame::new(target, config.url.expose_secret(), vec![config.token.clone()], common)?;
        Ok(Self { frame, token: config.token.clone() })
    }

    fn body(&self, message: &TargetMessage<'_>) -> Value {
        let words = message.words(&self.frame.texts);
        let mut body = json!({
            "title": cut_characters(&words.title, TITLE_MAX),
            "message": cut_bytes(&words.text, MESSAGE_MAX),
            "priority": priority(message.priority),
        });
        let mut notification = serde_json::Map::new();
        if !words.link.is_empty() {
            notification.insert("click".to_owned(), json!({ "url": words.link }));
        }
        // The phone fetches it.
        if let Some(picture) = message.picture_link() {
            notification.insert("bigImageUrl".to_owned(), picture.into());
        }
        if !notification.is_empty() {
            body["extras"] = json!({ "client::notification": notification });
        }
        body
    }

    fn judge(&self, answer: &ProviderAnswer) -> Result<Delivered, PushError> {
        if !answer.status.is_success() {
            return Err(self.frame.by_status(answer));
        }
        match frame::json(answer).as_ref().and_then(|json| frame::id(json, "id")) {
            Some(id) => Ok(Delivered::with_id(Some(self.frame.quote(&id)))),
            None => Err(self.frame.unexpected(answer, "Gotify's JSON with the id of the message")),
        }
    }

    async fn health(&self) -> Result<String, ConnectCause> {
        let (http, url) = (&self.frame.http, http::below(&self.frame.http.base, "health"));
        let answer = http.call(http.deadline(), |client| client.get(url)).await?;
        let json = frame::json(&answer);
        let state = |name: &str| {
            let state = json.as_ref().and_then(|json| frame::id(json, name));
            state.map(|state| self.frame.quote(&state))
        };
        match (state("health").as_deref(), state("database").as_deref()) {
            (Some("green"), Some("green")) if answer.status.is_success() => {
                Ok("the server is healthy; only a message proves the token".to_owned())
            }
            (Some(health), database) => {
                let detail = format!("health {health}, database {}", database.unwrap_or("unknown"));
                Err(ConnectCause::new(FaultKind::Provider, detail))
            }
            (None, _) => Err(ConnectCause::from(self.frame.not_due(&answer, "Gotify's health"))),
        }
    }
}

fn priority(priority: TargetPriority) -> u8 {
    match priority {
        TargetPriority::Low => 2,
        TargetPriority::Normal => 5,
        TargetPriority::High => 7,
        TargetPriority::Urgent => 10,
    }
}

#[async_trait]
impl PushTransport for Gotify {
    fn name(&self) -> &str {
        &self.frame.name
    }

    fn target(&self) -> String {
        self.frame.http.target()
    }

    fn picture_way(&self) -> PictureWay {
        self.frame.picture.way()
    }

    /// It shows a second message.
    fn replaces(&self) -> bool {
        false
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let body = self.body(&self.frame.message(push)?);
        let with_token = |request| http::secret(request, "x-gotify-key", self.token.expose_secret());
        self.judge(&self.frame.post("message", &body, with_token).await?)
    }

    async fn check(&self) -> Vec<CheckStep> {
        self.frame.check(vec![("http", Box::pin(self.health()))]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::fixtures::{context, push, target, template};
    use crate::targets::settings::TargetProvider;
    use crate::tests::{answer, kind};

    fn gotify() -> Gotify {
        let config = GotifyConfig { url: "https://gotify.example.org/sub/".into(), token: "As3cret".into() };
        let mut target = target(TargetProvider::Gotify(config.clone()));
        target.texts.link = template("https://zm/?e=${event}");
        Gotify::new(&target, &config, &context()).unwrap()
    }

    #[test]
    fn each_answer_has_its_meaning() {
        for (status, body, wanted) in [
            (200, r#"{"id":25,"appid":5,"message":"x"}"#, "delivered"),
            (200, "<html>", "web_page"),
            (200, "{}", "bad_answer"),
            (400, r#"{"error":"Bad Request","errorCode":400}"#, "message"),
            (401, r#"{"error":"Unauthorized"}"#, "credentials"),
            (403, r#"{"error":"Forbidden"}"#, "credentials"),
            (404, "", "not_found"),
            (308, "", "redirect"),
            (429, "", "limited"),
            (503, "", "provider"),
        ] {
            assert_eq!(kind(&gotify().judge(&answer(status, body))), wanted, "{status} {body}");
        }
        let error = gotify().judge(&answer(401, "no As3cret")).unwrap_err().to_string();
        assert!(!error.contains("As3cret"), "{error}");
    }

    #[test]
    fn a_message_has_a_priority_and_opens_its_link() {
        let gotify = gotify();
        let push = push(32_910);
        assert_eq!(
            gotify.body(&gotify.frame.message(&push).unwrap()),
            json!({"title": "Garage", "message": "Motion: All", "priority": 5,
                "extras": {"client::notification": {"click": {"url": "https://zm/?e=32910"}}}})
        );
    }
}
