//! The body of FCM HTTP v1.

use serde_json::{Map, Value, json};

use super::{MAX_BODY, Message};
use crate::push::Urgency;
use crate::token::Platform;

/// Returns the body of `messages:send`.
pub(crate) fn body(message: Message<'_>) -> String {
    let limit = MAX_BODY + message.push.token.expose().len();
    message.fit(limit, json)
}

fn json(message: &Message<'_>) -> Value {
    let push = message.push;
    let mut sent = Map::new();
    sent.insert("token".to_owned(), push.token.expose().into());
    sent.insert("data".to_owned(), message.data().into());
    match push.platform {
        Platform::Android => {
            let mut words = json!({ "title": message.title, "body": message.body_with_profile() });
            if let Some(picture) = &message.picture {
                words["image"] = picture.as_str().into();
            }
            sent.insert("notification".to_owned(), words);
            sent.insert("android".to_owned(), android(message));
        }
        Platform::Ios => {
            sent.insert("notification".to_owned(), json!({ "title": message.title, "body": message.body }));
            sent.insert("apns".to_owned(), apns(message));
        }
    }
    json!({ "message": sent })
}

fn android(message: &Message<'_>) -> Value {
    let mut words = json!({ "icon": "ic_stat_notification" });
    // Counts up to Android 7; later ones take sound and importance from the app's channel.
    match message.push.urgency {
        Urgency::Silent => words["notification_priority"] = "PRIORITY_LOW".into(),
        Urgency::Normal => words["sound"] = "default".into(),
        Urgency::Urgent => {
            words["sound"] = "default".into();
            words["notification_priority"] = "PRIORITY_MAX".into();
        }
    }
    if let Some(channel) = message.channel() {
        words["channel_id"] = channel.into();
    }
    if let Some(tag) = message.replaces() {
        words["tag"] = tag.into();
    }
    json!({ "priority": message.android_priority(), "ttl": format!("{}s", message.ttl), "notification": words })
}

fn apns(message: &Message<'_>) -> Value {
    let push = message.push;
    let mut alert = json!({ "title": message.title, "body": message.body });
    if !push.profile.is_empty() {
        alert["subtitle"] = push.profile.as_str().into();
    }
    let mut aps = json!({ "alert": alert, "badge": push.badge, "thread-id": "zmninja_alarm" });
    if !message.is_silent() {
        aps["sound"] = "default".into();
    }
    if let Some(level) = message.interruption_level() {
        aps["interruption-level"] = level.into();
    }
    let mut headers = json!({
        "apns-priority": message.apns_priority(),
        "apns-push-type": "alert",
        "apns-expiration": push.expires_at.as_second().to_string(),
    });
    if let Some(id) = message.replaces() {
        headers["apns-collapse-id"] = id.into();
    }
    let Some(picture) = &message.picture else {
        return json!({ "payload": { "aps": aps }, "headers": headers });
    };
    // Without it, iOS does not let the app fetch the picture.
    aps["mutable-content"] = 1.into();
    json!({ "payload": { "aps": aps }, "headers": headers, "fcm_options": { "image": picture } })
}
