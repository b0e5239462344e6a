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
        // A target has a transport of its own.
        Platform::Android | Platform::Target => {
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
    let mut headers = json!({
        "apns-priority": message.apns_priority(),
        "apns-push-type": "alert",
        "apns-expiration": message.push.expires_at.as_second().to_string(),
    });
    if let Some(id) = message.replaces() {
        headers["apns-collapse-id"] = id.into();
    }
    let mut apns = json!({ "payload": { "aps": super::apns::aps(message) }, "headers": headers });
    if let Some(picture) = &message.picture {
        apns["fcm_options"] = json!({ "image": picture });
    }
    apns
}
