//! Pushover (pushover.net/api).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};
use zmes_shared::words::FaultKind;

use super::frame::{self, PictureTried, TargetFrame, too_large};
use super::message::{TargetMessage, cut_characters};
use super::settings::{PushoverConfig, TargetConfig, TargetPriority};
use crate::answer::ProviderAnswer;
use crate::cause::ConnectCause;
use crate::picture::{PictureFile, PictureWay, PushedPicture};
use crate::problem::TransportProblem;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport};
use crate::transports::TransportContext;

/// Longest texts, in characters.
const TITLE_MAX: usize = 250;
const MESSAGE_MAX: usize = 1024;
const LINK_MAX: usize = 512;
const MESSAGES: &str = "1/messages.json";
/// Largest picture, in bytes.
const PICTURE_MAX: usize = 5_242_880;
/// What an emergency needs: it rings every 30 s, for half an hour.
const EMERGENCY: Emergency = Emergency { retry: 30, expire: 1800 };

/// The members of a message with priority 2, in seconds.
#[derive(Debug, Serialize)]
struct Emergency {
    retry: u32,
    expire: u32,
}

#[derive(Debug)]
pub(super) struct Pushover {
    frame: TargetFrame,
    config: PushoverConfig,
}

impl Pushover {
    pub(super) fn new(
        target: &TargetConfig,
        config: &PushoverConfig,
        common: &Arc<TransportContext>,
    ) -> Result<Self, TransportProblem> {
        let secrets = vec![config.token.clone(), config.user_key.clone()];
        let frame = TargetFrame::new(target, config.url.expose_secret(), secrets, common)?;
        Ok(Self { frame, config: config.clone() })
    }

    /// The members that both requests have.
    fn account(&self) -> Value {
        let mut body = json!({
            "token": self.config.token.expose_secret(),
            "user": self.config.user_key.expose_secret(),
        });
        if !self.config.device.is_empty() {
            body["device"] = self.config.device.as_str().into();
        }
        body
    }

    fn body(&self, message: &TargetMessage<'_>) -> Value {
        let words = message.words(&self.frame.texts);
        let mut body = self.account();
        body["title"] = cut_characters(&words.title, TITLE_MAX).into();
        body["message"] = cut_characters(&words.text, MESSAGE_MAX).into();
        body["timestamp"] = message.newest.at.as_second().into();
        body["priority"] = match message.priority {
            TargetPriority::Low => -1,
            TargetPriority::Normal => 0,
            TargetPriority::High => 1,
            TargetPriority::Urgent => 2,
        }
        .into();
        if message.priority == TargetPriority::Urgent
            && let (Some(members), Value::Object(rings)) = (body.as_object_mut(), json!(EMERGENCY))
        {
            members.extend(rings);
        }
        if !self.config.sound.is_empty() {
            body["sound"] = self.config.sound.as_str().into();
        }
        // A link that is cut leads nowhere.
        if !words.link.is_empty() && words.link.chars().count() <= LINK_MAX {
            body["url"] = words.link.into();
        }
        body
    }

    fn judge(&self, answer: &ProviderAnswer) -> Result<Delivered, PushError> {
        let json = frame::json(answer);
        let status = json.as_ref().and_then(|json| json.get("status")).and_then(Value::as_i64);
        match (answer.status.as_u16(), status, &json) {
            (200..=299, Some(1), Some(json)) => {
                let id = frame::id(json, "request").map(|id| self.frame.quote(&id));
                Ok(Delivered::with_id(id))
            }
            (200..=299, _, _) => Err(self.frame.unexpected(answer, "Pushover's JSON with status 1")),
            (400, _, Some(json)) if names_account(json) => {
                Err(self.frame.fault(answer, FaultKind::Credentials))
            }
            (429, _, _) => Err(self.frame.fault_for(answer, FaultKind::Limited, until_reset(answer))),
            (_, _, _) => Err(self.frame.by_status(answer)),
        }
    }

    async fn validate(&self) -> Result<String, ConnectCause> {
        let answer = self.frame.post("1/users/validate.json", &self.account(), |request| request).await?;
        self.judge(&answer)?;
        Ok("token and user key are accepted; nothing was sent".to_owned())
    }
}

/// Says whether an error is about token or user: `{"user":"invalid","errors":["user identifier is invalid"]}`.
fn names_account(json: &Value) -> bool {
    let invalid = |name: &str| json.get(name).is_some_and(|value| value == "invalid");
    let errors = json.get("errors").and_then(Value::as_array);
    let mut said = errors.into_iter().flatten().filter_map(Value::as_str);
    invalid("token") || invalid("user") || said.any(|text| text.contains("token") || text.contains("user"))
}

/// Returns how long it is until the month's quota begins anew.
fn until_reset(answer: &ProviderAnswer) -> Option<Duration> {
    let reset: i64 = answer.header("x-limit-app-reset")?.parse().ok()?;
    u64::try_from(reset.saturating_sub(answer.at.as_second())).ok().map(Duration::from_secs)
}

#[async_trait]
impl PushTransport for Pushover {
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
        let mut without_picture = None;
        match push.picture.as_ref().and_then(PushedPicture::file).map(PictureFile::bytes) {
            Some(file) if file.len() <= PICTURE_MAX => {
                let mut whole = body.clone();
                whole["attachment_base64"] = STANDARD.encode(file).into();
                whole["attachment_type"] = PictureFile::TYPE.into();
                let answer = self
                    .frame
                    .post_until(self.frame.picture_deadline(), MESSAGES, &whole, |request| request)
                    .await;
                match self.frame.tried(answer, |answer| self.judge(answer))? {
                    PictureTried::Delivered(delivered) => return Ok(delivered),
                    PictureTried::Refused { why, .. } => without_picture = Some(why),
                }
            }
            Some(file) => without_picture = Some(too_large(file.len(), PICTURE_MAX)),
            None => {}
        }
        let delivered = self.judge(&self.frame.post(MESSAGES, &body, |request| request).await?)?;
        Ok(Delivered { without_picture, ..delivered })
    }

    async fn check(&self) -> Vec<CheckStep> {
        self.frame.check(vec![("credentials", Box::pin(self.validate()))]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::Urgency;
    use crate::targets::fixtures::{context, push, target};
    use crate::targets::settings::TargetProvider;
    use crate::tests::{answer, answer_with, kind};

    fn pushover() -> Pushover {
        let config = PushoverConfig {
            url: "https://api.pushover.net".into(),
            token: "azGDs3cretORmqtT".into(),
            user_key: "uQiRzs3cretpo4DX".into(),
            device: "phone".to_owned(),
            sound: "siren".to_owned(),
        };
        Pushover::new(&target(TargetProvider::Pushover(config.clone())), &config, &context()).unwrap()
    }

    #[test]
    fn each_answer_has_its_meaning() {
        for (status, body, wanted) in [
            (200, r#"{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b"}"#, "delivered"),
            (200, r#"{"status":0}"#, "bad_answer"),
            (200, "<html>", "web_page"),
            (400, r#"{"user":"invalid","errors":["user identifier is invalid"],"status":0}"#, "credentials"),
            (
                400,
                r#"{"token":"invalid","errors":["application token is invalid"],"status":0}"#,
                "credentials",
            ),
            (
                400,
                r#"{"message":"cannot be blank","errors":["message cannot be blank"],"status":0}"#,
                "message",
            ),
            (413, "", "message"),
            (429, r#"{"errors":["application has exceeded its quota"],"status":0}"#, "limited"),
            (500, "", "provider"),
            (302, "", "redirect"),
        ] {
            assert_eq!(kind(&pushover().judge(&answer(status, body))), wanted, "{status} {body}");
        }
        let id = pushover().judge(&answer(200, r#"{"status":1,"request":"r1"}"#)).unwrap().provider_id;
        assert_eq!(id.as_deref(), Some("r1"));
    }

    #[test]
    fn a_quota_says_until_when() {
        // The answer came at 784111747.
        let limited = answer_with(429, &[("x-limit-app-reset", "784111807")], "{}");
        let Err(PushError::Transport(fault)) = pushover().judge(&limited) else { panic!("no fault") };
        assert_eq!(fault.retry_after, Some(Duration::from_mins(1)));
    }

    #[test]
    fn an_urgent_message_rings_until_it_is_seen() {
        let (pushover, mut push) = (pushover(), push(32_910));
        let body = pushover.body(&pushover.frame.message(&push).unwrap());
        assert_eq!(
            body,
            json!({"token": "azGDs3cretORmqtT", "user": "uQiRzs3cretpo4DX", "device": "phone", "sound": "siren",
                "title": "Garage", "message": "Motion: All", "timestamp": 1_795_622_520, "priority": 0})
        );
        push.urgency = Urgency::Urgent;
        push.alarms[0].cause = "x".repeat(5000).into();
        let body = pushover.body(&pushover.frame.message(&push).unwrap());
        assert_eq!(
            (&body["priority"], &body["retry"], &body["expire"]),
            (&json!(2), &json!(30), &json!(1800))
        );
        assert!(body["message"].as_str().unwrap().chars().count() <= 1024);
    }

    #[test]
    fn no_quote_shows_token_or_user() {
        let error = pushover().judge(&answer(500, "azGDs3cretORmqtT of uQiRzs3cretpo4DX")).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert!(!format!("{:?}", pushover()).contains("s3cret"));
    }
}
