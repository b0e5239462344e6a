//! The payload for APNs itself.

use a2::request::notification::NotificationOptions;
use a2::request::payload::Payload;
use a2::{DefaultNotificationBuilder, NotificationBuilder};
use serde_json::Value;

use super::{MAX_BODY, Message};

#[derive(Debug)]
pub(crate) struct ApnsMessage {
    pub(crate) body: String,
    /// `apns-collapse-id`
    pub(crate) collapse_id: Option<String>,
    /// `apns-expiration`, seconds since 1970.
    pub(crate) expiration: u64,
    /// `apns-priority`
    pub(crate) priority: &'static str,
}

pub(crate) fn message(message: Message<'_>) -> ApnsMessage {
    let expiration = u64::try_from(message.push.expires_at.as_second()).unwrap_or_default();
    let (collapse_id, priority) = (message.replaces(), message.apns_priority());
    ApnsMessage { body: message.fit(MAX_BODY, json), collapse_id, expiration, priority }
}

/// Returns what iOS shows.
pub(super) fn aps(message: &Message<'_>) -> Value {
    let mut aps = serde_json::to_value(payload(message).aps).unwrap_or_default();
    if let Some(level) = message.interruption_level() {
        aps["interruption-level"] = level.into();
    }
    aps
}

fn payload<'a>(message: &'a Message<'_>) -> Payload<'a> {
    let push = message.push;
    let mut builder = DefaultNotificationBuilder::new()
        .title(message.title.as_str())
        .body(message.body.as_str())
        .badge(push.badge)
        .thread_id("zmninja_alarm");
    if !message.is_silent() {
        builder = builder.sound("default");
    }
    if !push.profile.is_empty() {
        builder = builder.subtitle(push.profile.as_str());
    }
    let mut payload: Payload<'_> = builder.build("", NotificationOptions::default());
    // The builder writes a zero if there is nothing to change. With a one, iOS lets the app fetch the picture.
    payload.aps.mutable_content = message.picture.is_some().then_some(1);
    payload
}

fn json(message: &Message<'_>) -> Value {
    let mut payload = payload(message);
    payload.data = message.data().into_iter().map(|(key, value)| (key.into(), value)).collect();
    if let Some(picture) = &message.picture {
        payload.data.insert("image_url".into(), picture.as_str().into());
    }
    // Only strings and numbers, which JSON can always represent.
    let mut json = serde_json::to_value(&payload).unwrap_or_default();
    json["aps"] = aps(message);
    json
}
