//! Telegram (core.telegram.org/bots/api). The token stands in the path of every request, so no URL is ever quoted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::Instant;
use zmes_shared::words::FaultKind;

use super::frame::{self, PictureTried, Question, TargetFrame, too_large};
use super::message::{TargetMessage, Words};
use super::multipart::Form;
use super::settings::{TargetConfig, TargetPriority, TelegramConfig};
use crate::answer::ProviderAnswer;
use crate::cause::ConnectCause;
use crate::http;
use crate::picture::{PictureFile, PictureWay, PushedPicture};
use crate::problem::TransportProblem;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport, SnoozeButton, SnoozeTime};
use crate::transports::TransportContext;

/// Longest text, in units of UTF-16, which Telegram counts.
const TEXT_MAX: usize = 4096;
const CAPTION_MAX: usize = 1024;
/// Largest photo, in bytes.
const PHOTO_MAX: usize = 10_000_000;

#[derive(Debug)]
pub(super) struct Telegram {
    frame: TargetFrame,
    config: TelegramConfig,
}

impl Telegram {
    pub(super) fn new(
        target: &TargetConfig,
        config: &TelegramConfig,
        common: &Arc<TransportContext>,
    ) -> Result<Self, TransportProblem> {
        let frame = TargetFrame::new(target, config.url.expose_secret(), vec![config.token.clone()], common)?;
        Ok(Self { frame, config: config.clone() })
    }

    /// Returns title, text and link, with at most `limit` units of UTF-16.
    fn text(&self, message: &TargetMessage<'_>, limit: usize) -> String {
        let words = message.words(&self.frame.texts);
        let link = if words.link.is_empty() { String::new() } else { format!("\n{}", words.link) };
        let room = limit.saturating_sub(units(&link));
        let Words { title, text, .. } = words;
        // The title stands in for an empty text.
        let told = if text == title { text } else { format!("{title}\n{text}") };
        format!("{}{link}", cut_units(&told, room))
    }

    /// Puts a better picture, or what is known now, into the message that was sent. Telegram makes no sound for it.
    async fn edit(&self, message: &TargetMessage<'_>, id: &str) -> Result<Delivered, PushError> {
        let mut without_picture = None;
        match message.push.picture.as_ref().and_then(PushedPicture::file) {
            Some(file) if file.bytes().len() <= PHOTO_MAX => {
                match self.edit_photo(message, file, id).await? {
                    PictureTried::Delivered(delivered) => return Ok(delivered),
                    PictureTried::Refused { why, .. } => without_picture = Some(why),
                }
            }
            Some(file) => without_picture = Some(too_large(file.bytes().len(), PHOTO_MAX)),
            None => {}
        }
        if let Some(why) = without_picture.clone().filter(|_| message.is_picture_alone()) {
            return Err(PushError::Message(why));
        }
        // A message with a photo has a caption, and no text; which it is was not kept.
        let caption = self.edit_text(message, "editMessageCaption", ("caption", CAPTION_MAX), id).await;
        let edited = match caption {
            Err(PushError::Message(_)) => {
                self.edit_text(message, "editMessageText", ("text", TEXT_MAX), id).await?
            }
            edited => edited?,
        };
        Ok(Delivered { without_picture, ..edited })
    }

    async fn edit_photo(
        &self,
        message: &TargetMessage<'_>,
        file: &PictureFile,
        id: &str,
    ) -> Result<PictureTried, PushError> {
        let media =
            json!({ "type": "photo", "media": "attach://photo", "caption": self.text(message, CAPTION_MAX) });
        let form = Form::new().map(|form| {
            let form = form.text("chat_id", &self.config.chat).text("message_id", id);
            let form = form.text("media", &media.to_string());
            // Without it the buttons would vanish.
            let form = match keyboard(message) {
                Some(keyboard) => form.text("reply_markup", &keyboard.to_string()),
                None => form,
            };
            form.picture("photo", file)
        });
        let Some(form) = form else {
            return Ok(PictureTried::refused("it does not fit into a form".to_owned()));
        };
        let url = http::below(&self.frame.http.base, &self.path("editMessageMedia"));
        let answer =
            self.frame.http.call(self.frame.picture_deadline(), |client| form.onto(client.post(url))).await;
        self.frame.tried(answer, |answer| self.edited(self.result(answer)))
    }

    async fn edit_text(
        &self,
        message: &TargetMessage<'_>,
        method: &str,
        (name, limit): (&str, usize),
        id: &str,
    ) -> Result<Delivered, PushError> {
        let mut body =
            json!({ "chat_id": self.config.chat, "message_id": id, name: self.text(message, limit) });
        if let Some(keyboard) = keyboard(message) {
            body["reply_markup"] = keyboard;
        }
        self.edited(self.call(method, &body).await)
    }

    /// An edit that changes nothing is refused, and done.
    fn edited(&self, answer: Result<Value, PushError>) -> Result<Delivered, PushError> {
        match answer {
            Err(PushError::Message(why)) if why.contains("message is not modified") => {
                Ok(Delivered::default())
            }
            edited => Ok(self.delivered(&edited?)),
        }
    }

    /// Returns the message as the caption of a photo. A file, never a URL: Telegram would fetch and keep it.
    fn form(&self, message: &TargetMessage<'_>, file: &PictureFile, with_buttons: bool) -> Option<Form> {
        let silent = message.priority == TargetPriority::Low;
        let form = Form::new()?
            .text("chat_id", &self.config.chat)
            .text("caption", &self.text(message, CAPTION_MAX))
            .text("disable_notification", if silent { "true" } else { "false" });
        let form = match self.config.thread {
            Some(thread) => form.text("message_thread_id", &thread.to_string()),
            None => form,
        };
        let form = match keyboard(message).filter(|_| with_buttons) {
            Some(keyboard) => form.text("reply_markup", &keyboard.to_string()),
            None => form,
        };
        Some(form.picture("photo", file))
    }

    fn delivered(&self, sent: &Value) -> Delivered {
        let id = frame::id(sent, "message_id");
        Delivered::with_id(id.map(|id| self.frame.quote(&id)))
    }

    fn body(&self, message: &TargetMessage<'_>) -> Value {
        let mut body = json!({
            "chat_id": self.config.chat,
            "text": self.text(message, TEXT_MAX),
            "disable_notification": message.priority == TargetPriority::Low,
            "link_preview_options": { "is_disabled": true },
        });
        if let Some(thread) = self.config.thread {
            body["message_thread_id"] = thread.into();
        }
        if let Some(keyboard) = keyboard(message) {
            body["reply_markup"] = keyboard;
        }
        body
    }

    /// Sends the text. Telegram refuses a message whose buttons lead to an address that is not public; the alarm is then sent
    /// without them.
    async fn text_alone(&self, message: &TargetMessage<'_>) -> Result<Delivered, PushError> {
        let mut body = self.body(message);
        let why = match self.call("sendMessage", &body).await {
            Err(PushError::Message(why)) if body.get("reply_markup").is_some() => why,
            sent => return Ok(self.delivered(&sent?)),
        };
        body.as_object_mut().and_then(|body| body.remove("reply_markup"));
        let sent = self.call("sendMessage", &body).await?;
        Ok(Delivered { without_buttons: Some(why), ..self.delivered(&sent) })
    }

    async fn photo(
        &self,
        message: &TargetMessage<'_>,
        file: &PictureFile,
        with_buttons: bool,
        until: Instant,
    ) -> Result<PictureTried, PushError> {
        let Some(form) = self.form(message, file, with_buttons) else {
            return Ok(PictureTried::refused("it does not fit into a form".to_owned()));
        };
        let url = http::below(&self.frame.http.base, &self.path("sendPhoto"));
        let request = |client: &Client| form.onto(client.post(url));
        let answer = self.frame.http.call(until, request).await;
        let judge = |answer: &ProviderAnswer| self.result(answer).map(|sent| self.delivered(&sent));
        self.frame.tried(answer, judge)
    }

    fn path(&self, method: &str) -> String {
        format!("bot{}/{method}", self.config.token.expose_secret())
    }

    /// Returns `result` of an answer.
    fn result(&self, answer: &ProviderAnswer) -> Result<Value, PushError> {
        let json = frame::json(answer).unwrap_or_default();
        if answer.status.is_success() {
            let ok = json.get("ok").and_then(Value::as_bool) == Some(true);
            let result = json.get("result").filter(|_| ok);
            return result
                .cloned()
                .ok_or_else(|| self.frame.unexpected(answer, "Telegram's JSON with \"ok\": true"));
        }
        let said = json.get("description").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let parameter = |name: &str| json.pointer(&format!("/parameters/{name}"));
        if let Some(moved) = parameter("migrate_to_chat_id").and_then(Value::as_i64) {
            let detail =
                format!("{}: the group has the new id {moved}: set target.chat to it", answer.status);
            return Err(answer.fault(FaultKind::Credentials, detail));
        }
        Err(match answer.status.as_u16() {
            // Telegram's 404 is a token of the wrong form.
            401 | 404 if !answer.is_page() => self.frame.fault(answer, FaultKind::Credentials),
            400 if said.contains("chat not found") => self.frame.fault(answer, FaultKind::Credentials),
            // The user has blocked the bot, or a group has removed it.
            403 => PushError::Message(self.frame.said(answer)),
            429 => {
                let wait = parameter("retry_after").and_then(Value::as_u64).map(Duration::from_secs);
                self.frame.fault_for(answer, FaultKind::Limited, wait.or(answer.retry_after()))
            }
            _ => self.frame.by_status(answer),
        })
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Value, PushError> {
        self.result(&self.frame.post(&self.path(method), body, |request| request).await?)
    }

    async fn bot(&self) -> Result<String, ConnectCause> {
        let bot = self.call("getMe", &json!({})).await?;
        let name = bot.get("username").and_then(Value::as_str).unwrap_or("the bot");
        Ok(format!("the token belongs to {}", self.frame.quote(name)))
    }

    async fn chat(&self) -> Result<String, ConnectCause> {
        let chat = self.call("getChat", &json!({ "chat_id": self.config.chat })).await?;
        let kind = chat.get("type").and_then(Value::as_str).unwrap_or("chat");
        Ok(format!("the bot can see the {}; nothing was sent", self.frame.quote(kind)))
    }
}

/// Returns the snooze buttons, in one row. Telegram opens a page; it sends no POST.
fn keyboard(message: &TargetMessage<'_>) -> Option<Value> {
    let button = |button: &SnoozeButton| json!({ "text": button.label(), "url": button.url.expose_secret() });
    let row: Vec<_> = message.push.snooze.iter().map(button).collect();
    (!row.is_empty()).then(|| json!({ "inline_keyboard": [row] }))
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn cut_units(text: &str, limit: usize) -> String {
    if units(text) <= limit {
        return text.to_owned();
    }
    let mut left = limit.saturating_sub(1);
    let fits = |character: &char| {
        let rest = left.checked_sub(character.len_utf16());
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    let cut: String = text.chars().take_while(fits).collect();
    format!("{cut}…")
}

#[async_trait]
impl PushTransport for Telegram {
    fn name(&self) -> &str {
        &self.frame.name
    }

    fn target(&self) -> String {
        self.frame.http.target()
    }

    fn picture_way(&self) -> PictureWay {
        self.frame.picture.way()
    }

    fn snooze_buttons(&self) -> &[SnoozeTime] {
        &self.frame.snooze_buttons
    }

    fn edits(&self) -> bool {
        true
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let message = self.frame.message(push)?;
        if let Some(id) = &push.replaces {
            return self.edit(&message, id).await;
        }
        if message.is_picture_alone() {
            return Err(PushError::Message(
                "it is not known which message the picture belongs to".to_owned(),
            ));
        }
        let mut without_picture = None;
        match push.picture.as_ref().and_then(PushedPicture::file) {
            Some(file) if file.bytes().len() <= PHOTO_MAX => {
                let until = self.frame.picture_deadline();
                match self.photo(&message, file, true, until).await? {
                    PictureTried::Delivered(delivered) => return Ok(delivered),
                    // It may be the buttons that are refused: the picture is worth more than they are.
                    PictureTried::Refused { why, of_message: true } if keyboard(&message).is_some() => {
                        match self.photo(&message, file, false, until).await? {
                            PictureTried::Delivered(delivered) => {
                                return Ok(Delivered { without_buttons: Some(why), ..delivered });
                            }
                            PictureTried::Refused { why, .. } => without_picture = Some(why),
                        }
                    }
                    PictureTried::Refused { why, .. } => without_picture = Some(why),
                }
            }
            Some(file) => without_picture = Some(too_large(file.bytes().len(), PHOTO_MAX)),
            None => {}
        }
        Ok(Delivered { without_picture, ..self.text_alone(&message).await? })
    }

    async fn check(&self) -> Vec<CheckStep> {
        let questions: Vec<Question<'_>> =
            vec![("credentials", Box::pin(self.bot())), ("chat", Box::pin(self.chat()))];
        self.frame.check(questions).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::Urgency;
    use crate::targets::fixtures::{context, push, target, template};
    use crate::targets::settings::TargetProvider;
    use crate::tests::{answer, kind};

    fn telegram() -> Telegram {
        let config = TelegramConfig {
            url: "https://api.telegram.org".into(),
            token: "12345:AAs3cret".into(),
            chat: "-100123".to_owned(),
            thread: Some(7),
        };
        Telegram::new(&target(TargetProvider::Telegram(config.clone())), &config, &context()).unwrap()
    }

    #[test]
    fn each_answer_has_its_meaning() {
        for (status, body, wanted) in [
            (200, r#"{"ok":true,"result":{"message_id":42}}"#, "delivered"),
            (200, r#"{"ok":false}"#, "bad_answer"),
            (200, "<html>", "web_page"),
            (401, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#, "credentials"),
            (404, r#"{"ok":false,"error_code":404,"description":"Not Found"}"#, "credentials"),
            (404, "<html>", "not_found"),
            (400, r#"{"ok":false,"description":"Bad Request: chat not found"}"#, "credentials"),
            (400, r#"{"ok":false,"description":"Bad Request: message text is empty"}"#, "message"),
            (400, r#"{"ok":false,"parameters":{"migrate_to_chat_id":-1009}}"#, "credentials"),
            (403, r#"{"ok":false,"description":"Forbidden: bot was blocked by the user"}"#, "message"),
            (429, r#"{"ok":false,"parameters":{"retry_after":7}}"#, "limited"),
            (500, "", "provider"),
            (302, "", "redirect"),
        ] {
            assert_eq!(kind(&telegram().result(&answer(status, body))), wanted, "{status} {body}");
        }
        let limited = answer(429, r#"{"ok":false,"parameters":{"retry_after":7}}"#);
        let Err(PushError::Transport(fault)) = telegram().result(&limited) else { panic!("no fault") };
        assert_eq!(fault.retry_after, Some(Duration::from_secs(7)));
        let moved = answer(400, r#"{"ok":false,"parameters":{"migrate_to_chat_id":-1009}}"#);
        assert!(telegram().result(&moved).unwrap_err().to_string().contains("-1009"));
    }

    #[test]
    fn a_message_is_short_enough_and_keeps_its_link() {
        let (mut telegram, mut push) = (telegram(), push(32_910));
        assert_eq!(
            telegram.body(&telegram.frame.message(&push).unwrap()),
            json!({"chat_id": "-100123", "text": "Garage\nMotion: All", "disable_notification": false,
                "message_thread_id": 7, "link_preview_options": {"is_disabled": true}})
        );
        push.urgency = Urgency::Silent;
        assert_eq!(telegram.body(&telegram.frame.message(&push).unwrap())["disable_notification"], true);
        telegram.frame.texts.text = template("");
        assert_eq!(telegram.body(&telegram.frame.message(&push).unwrap())["text"], "Garage");
        let long = cut_units(&"🚨".repeat(3000), TEXT_MAX);
        assert!(units(&long) <= TEXT_MAX && long.ends_with("🚨…"));
    }

    #[test]
    fn no_quote_shows_the_token() {
        let error = telegram().result(&answer(500, "/bot12345:AAs3cret/sendMessage")).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert!(!format!("{:?}", telegram()).contains("s3cret"));
    }
}
