//! The body for the function proxies of the event server 6 and 7.

use serde_json::{Value, json};

use super::{MAX_BODY, Message};
use crate::token::Platform;

/// Returns the body of the only request that such a function has. Of urgency it knows priorities: it builds `aps` itself.
pub(crate) fn body(message: Message<'_>) -> String {
    let limit = MAX_BODY + message.push.token.expose().len();
    message.fit(limit, json)
}

fn json(message: &Message<'_>) -> Value {
    let push = message.push;
    let mut body = json!({
        "token": push.token.expose(),
        "title": message.title,
        "body": message.body,
        "sound": "default",
        "badge": push.badge,
        "log_message_id": "NONE",
        "data": message.data(),
    });
    match push.platform {
        // A target has a transport of its own.
        Platform::Android | Platform::Target => {
            body["body"] = message.body_with_profile().into();
            body["android"] = android(message);
        }
        Platform::Ios => body["ios"] = ios(message),
    }
    if let Some(picture) = &message.picture {
        body["image_url"] = picture.as_str().into();
    }
    body
}

fn android(message: &Message<'_>) -> Value {
    let mut android = json!({ "icon": "ic_stat_notification", "priority": message.android_priority() });
    // The function takes zero for "no limit".
    if message.ttl > 0 {
        android["ttl"] = message.ttl.into();
    }
    if let Some(tag) = message.replaces() {
        android["tag"] = tag.into();
    }
    if let Some(channel) = message.channel() {
        android["channel"] = channel.into();
    }
    android
}

fn ios(message: &Message<'_>) -> Value {
    let mut headers = json!({ "apns-priority": message.apns_priority(), "apns-push-type": "alert" });
    if let Some(id) = message.replaces() {
        headers["apns-collapse-id"] = id.into();
    }
    let mut ios = json!({ "thread_id": "zmninja_alarm", "headers": headers });
    if !message.push.profile.is_empty() {
        ios["subtitle"] = message.push.profile.as_str().into();
    }
    ios
}
