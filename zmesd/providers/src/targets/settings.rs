//! `[[target]]`: where to send, with which secrets, and what to say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::name::TargetName;
use super::template::Template;
use crate::picture::PictureWay;
use crate::push::{SnoozeTime, Urgency};

/// A `[[target]]`.
#[derive(Debug, Clone)]
pub struct TargetConfig {
    /// `name`; unique.
    pub name: TargetName,
    /// What it says.
    pub texts: TargetTexts,
    /// `picture` and `picture-wait`
    pub picture: TargetPicture,
    /// `snooze-buttons`, for services that have buttons.
    pub snooze_buttons: Vec<SnoozeTime>,
    /// `ca-certificate`: one more root to trust, PEM.
    pub ca_certificate: Option<PathBuf>,
    /// `kind`, with its own keys.
    pub service: TargetProvider,
}

/// What a message of a target says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTexts {
    /// `title`
    pub title: Template,
    /// `text`
    pub text: Template,
    /// `link`: what a tap opens; may be empty.
    pub link: Template,
    /// `priority`
    pub priority: TargetPriority,
}

/// What becomes of the picture of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetPicture {
    /// `picture`
    pub form: PictureForm,
    /// `picture-wait`: how long the text waits for a file.
    pub wait: Duration,
}

impl TargetPicture {
    pub(super) fn way(self) -> PictureWay {
        match self.form {
            PictureForm::None => PictureWay::Nothing,
            PictureForm::Link => PictureWay::Link,
            PictureForm::File | PictureForm::Base64 | PictureForm::Multipart => {
                PictureWay::File { wait: self.wait }
            }
        }
    }
}

/// `picture` of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureForm {
    /// None.
    None,
    /// The phone or the service opens a link.
    Link,
    /// A file, as the service takes it.
    File,
    /// Webhook: in a field of the JSON.
    Base64,
    /// Webhook: a part of a form.
    Multipart,
}

impl PictureForm {
    /// Returns the word of `picture`.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Link => "link",
            Self::File => "upload",
            Self::Base64 => "base64",
            Self::Multipart => "multipart",
        }
    }
}

/// `priority` of a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetPriority {
    /// Without a sound, where the service can.
    Low,
    /// As the service shows its messages.
    #[default]
    Normal,
    /// Above that.
    High,
    /// The loudest that the service has.
    Urgent,
}

impl TargetPriority {
    /// Returns the word of `priority`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// Returns the priority of one message: a rule makes it urgent, a message without a sound low.
    pub(super) fn of(self, urgency: Urgency) -> Self {
        match urgency {
            Urgency::Silent => Self::Low,
            Urgency::Normal => self,
            Urgency::Urgent => Self::Urgent,
        }
    }
}

/// A service with its own keys.
#[derive(Debug, Clone)]
pub enum TargetProvider {
    /// `kind = "ntfy"`
    Ntfy(NtfyConfig),
    /// `kind = "pushover"`
    Pushover(PushoverConfig),
    /// `kind = "telegram"`
    Telegram(TelegramConfig),
    /// `kind = "gotify"`
    Gotify(GotifyConfig),
    /// `kind = "webhook"`
    Webhook(Box<WebhookConfig>),
}

impl TargetProvider {
    /// The kinds, as `kind` and the names of transports have them.
    pub const KINDS: [&'static str; 5] = ["ntfy", "pushover", "telegram", "gotify", "webhook"];

    /// Returns the word of `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ntfy(_) => "ntfy",
            Self::Pushover(_) => "pushover",
            Self::Telegram(_) => "telegram",
            Self::Gotify(_) => "gotify",
            Self::Webhook(_) => "webhook",
        }
    }
}

/// ntfy
#[derive(Debug, Clone)]
pub struct NtfyConfig {
    /// `url` of the server, without the topic.
    pub url: SecretString,
    /// `topic`: who knows it can read and write it.
    pub topic: SecretString,
    /// `token`: an access token.
    pub token: Option<SecretString>,
}

/// Pushover
#[derive(Debug, Clone)]
pub struct PushoverConfig {
    /// `url` of the API.
    pub url: SecretString,
    /// `token` of the application.
    pub token: SecretString,
    /// `user-key`: of a user or a group.
    pub user_key: SecretString,
    /// `device`; empty: all.
    pub device: String,
    /// `sound`; empty: the user's own.
    pub sound: String,
}

/// Telegram
#[derive(Debug, Clone)]
pub struct TelegramConfig {
    /// `url` of the API.
    pub url: SecretString,
    /// `token` of the bot. It stands in the path of each request.
    pub token: SecretString,
    /// `chat`: a number, or `@channel`.
    pub chat: String,
    /// `thread`: a topic of a forum.
    pub thread: Option<u32>,
}

/// Gotify
#[derive(Debug, Clone)]
pub struct GotifyConfig {
    /// `url` of the server.
    pub url: SecretString,
    /// `token` of the application.
    pub token: SecretString,
}

/// A webhook
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// `url`: a secret, because its path often is the only proof that a sender may send.
    pub url: Template,
    /// `method`
    pub method: WebhookMethod,
    /// `headers`, by name.
    pub headers: BTreeMap<String, Template>,
    /// `token`, for `Authorization: Bearer`.
    pub token: Option<SecretString>,
    /// `secret`: signs, as Standard Webhooks do.
    pub secret: Option<WebhookSecret>,
    /// `body`; empty: the canonical JSON.
    pub body: Template,
    /// `content-type`
    pub content_type: String,
    /// `expect`
    pub expect: ExpectedStatus,
}

/// `method` of a webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WebhookMethod {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
    /// `GET`, without a body.
    Get,
}

/// `expect` of a webhook: the statuses that count as success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// 200 to 299.
    #[default]
    Success,
    /// These.
    Codes(Vec<u16>),
}

impl ExpectedStatus {
    pub(super) fn includes(&self, status: u16) -> bool {
        match self {
            Self::Success => (200..300).contains(&status),
            Self::Codes(codes) => codes.contains(&status),
        }
    }
}

/// The key that signs a webhook. `Debug` hides it.
#[derive(Clone)]
pub struct WebhookSecret {
    /// As it was written, so that quotes can hide it.
    pub(super) source: SecretString,
    pub(super) key: secrecy::SecretSlice<u8>,
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret([hidden])")
    }
}
