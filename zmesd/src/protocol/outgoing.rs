//! Replies to apps.
//!
//! All values are strings, including counts and flags: the apps compare strings. Members may be added, but these are
//! never renamed: the apps read `event`, `type`, `status`, `reason` and `version`.

use jiff::{Timestamp, Unit};
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::incoming::{FilterFault, SinceFault};
use super::push::TokenFault;
use super::snooze::SnoozeRefusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerIdentity {
    /// The protocol level that apps compare with: zmNinja asks for at least "6.0".
    pub version: String,
    /// The daemon itself: `zmesd/0.2.0`.
    pub server: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppReply<'a> {
    AuthSuccess(&'a ServerIdentity),
    BadAuth,
    NoAuth,
    /// Remote administration by WebSocket does not exist here; reply to `auth` or to `escontrol`.
    EscontrolDisabled {
        event: &'static str,
    },
    NotAuthorized {
        event: &'a str,
        kind: &'a str,
    },
    Version(&'a ServerIdentity),
    /// The filter is unchanged.
    FilterFault(FilterFault),
    /// The alarms before this reply are all that were missed.
    Replayed {
        count: usize,
        gap: bool,
    },
    SinceFault(SinceFault),
    /// No replay, because the record cannot be read at the moment.
    ReplayUnavailable,
    /// Pushes are withheld until then; `None`: no longer withheld.
    Snoozed(Option<Timestamp>),
    /// Nothing was changed.
    SnoozeRefused(SnoozeRefusal),
    PushDisabled,
    TokenFault(TokenFault),
    BadJson,
    NotSupported {
        event: &'a str,
        /// `type` of a `control`, otherwise empty.
        kind: &'a str,
    },
}

/// Members in the order of the old event server's examples; members that are `None` are omitted.
#[derive(Serialize, Default)]
struct ReplyFrame<'a> {
    event: &'a str,
    r#type: &'a str,
    /// The old event server's documentation prints the version reply with a colon inside the key; the apps need it
    /// without.
    #[serde(rename = "type:", skip_serializing_if = "Option::is_none")]
    type_colon: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
}

impl<'a> ReplyFrame<'a> {
    fn success(event: &'a str, kind: &'a str) -> Self {
        Self { event, r#type: kind, status: "Success", ..Self::default() }
    }

    fn fail(event: &'a str, kind: &'a str, reason: impl Into<String>) -> Self {
        Self { event, r#type: kind, status: "Fail", reason: Some(reason.into()), ..Self::default() }
    }

    fn introduced(self, identity: &'a ServerIdentity) -> Self {
        Self {
            version: Some(&identity.version),
            reason: Some(String::new()),
            server: Some(&identity.server),
            ..self
        }
    }
}

impl AppReply<'_> {
    pub fn to_frame(&self) -> Utf8Bytes {
        let frame = match *self {
            Self::AuthSuccess(identity) => ReplyFrame::success("auth", "").introduced(identity),
            Self::BadAuth => ReplyFrame::fail("auth", "", "BADAUTH"),
            Self::NoAuth => ReplyFrame::fail("auth", "", "NOAUTH"),
            Self::EscontrolDisabled { event } => ReplyFrame::fail(event, "", "ESCONTROLDISABLED"),
            Self::NotAuthorized { event, kind } => ReplyFrame::fail(event, kind, "NOTAUTHORIZED"),
            Self::Version(identity) => ReplyFrame {
                type_colon: Some("version"),
                ..ReplyFrame::success("control", "version").introduced(identity)
            },
            Self::FilterFault(fault) => ReplyFrame::fail("control", "filter", fault.to_string()),
            Self::Replayed { count, gap } => ReplyFrame {
                count: Some(count.to_string()),
                gap: Some(if gap { "true" } else { "false" }),
                ..ReplyFrame::success("control", "replay")
            },
            Self::SinceFault(fault) => ReplyFrame::fail("control", "replay", fault.to_string()),
            Self::ReplayUnavailable => ReplyFrame::fail("control", "replay", "UNAVAILABLE"),
            Self::Snoozed(until) => ReplyFrame {
                until: until.map(|until| until.round(Unit::Second).unwrap_or(until).to_string()),
                ..ReplyFrame::success("control", "snooze")
            },
            Self::SnoozeRefused(refusal) => ReplyFrame::fail("control", "snooze", refusal.to_string()),
            Self::TokenFault(fault) => ReplyFrame::fail("push", fault.kind(), fault.to_string()),
            Self::PushDisabled => ReplyFrame::fail("push", "", "PUSHDISABLED"),
            Self::BadJson => ReplyFrame::fail("malformed", "", "BADJSON"),
            Self::NotSupported { event, kind } => ReplyFrame::fail(event, kind, "NOTSUPPORTED"),
        };
        serde_json::to_string(&frame).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> ServerIdentity {
        ServerIdentity { version: "7.0.0".to_owned(), server: "zmesd/0.2.0".to_owned() }
    }

    #[test]
    fn successes_are_to_the_letter() {
        let identity = identity();
        for (reply, text) in [
            (
                AppReply::AuthSuccess(&identity),
                r#"{"event":"auth","type":"","version":"7.0.0","status":"Success","reason":"","server":"zmesd/0.2.0"}"#,
            ),
            (
                AppReply::Version(&identity),
                r#"{"event":"control","type":"version","type:":"version","version":"7.0.0","status":"Success","reason":"","server":"zmesd/0.2.0"}"#,
            ),
            (
                AppReply::Replayed { count: 3, gap: false },
                r#"{"event":"control","type":"replay","status":"Success","count":"3","gap":"false"}"#,
            ),
            (
                AppReply::Replayed { count: 0, gap: true },
                r#"{"event":"control","type":"replay","status":"Success","count":"0","gap":"true"}"#,
            ),
            (
                AppReply::Snoozed(Some("2026-11-30T18:00:00.4Z".parse().unwrap())),
                r#"{"event":"control","type":"snooze","status":"Success","until":"2026-11-30T18:00:00Z"}"#,
            ),
            (AppReply::Snoozed(None), r#"{"event":"control","type":"snooze","status":"Success"}"#),
        ] {
            assert_eq!(reply.to_frame().as_str(), text);
        }
    }

    #[test]
    fn refusals_are_to_the_letter() {
        for (reply, text) in [
            (AppReply::BadAuth, r#"{"event":"auth","type":"","status":"Fail","reason":"BADAUTH"}"#),
            (AppReply::NoAuth, r#"{"event":"auth","type":"","status":"Fail","reason":"NOAUTH"}"#),
            (
                AppReply::EscontrolDisabled { event: "auth" },
                r#"{"event":"auth","type":"","status":"Fail","reason":"ESCONTROLDISABLED"}"#,
            ),
            (
                AppReply::NotAuthorized { event: "control", kind: "filter" },
                r#"{"event":"control","type":"filter","status":"Fail","reason":"NOTAUTHORIZED"}"#,
            ),
            (
                AppReply::FilterFault(FilterFault::NoMonitorList),
                r#"{"event":"control","type":"filter","status":"Fail","reason":"NOMONITORLIST"}"#,
            ),
            (
                AppReply::SinceFault(SinceFault::Unreadable),
                r#"{"event":"control","type":"replay","status":"Fail","reason":"BADSINCE"}"#,
            ),
            (
                AppReply::ReplayUnavailable,
                r#"{"event":"control","type":"replay","status":"Fail","reason":"UNAVAILABLE"}"#,
            ),
            (AppReply::PushDisabled, r#"{"event":"push","type":"","status":"Fail","reason":"PUSHDISABLED"}"#),
            (
                AppReply::SnoozeRefused(SnoozeRefusal::BadMinutes),
                r#"{"event":"control","type":"snooze","status":"Fail","reason":"BADMINUTES"}"#,
            ),
            (
                AppReply::TokenFault(TokenFault::MissingPlatform),
                r#"{"event":"push","type":"token","status":"Fail","reason":"MISSINGPLATFORM"}"#,
            ),
            (
                AppReply::TokenFault(TokenFault::BadBadge),
                r#"{"event":"push","type":"badge","status":"Fail","reason":"BADBADGE"}"#,
            ),
            (AppReply::BadJson, r#"{"event":"malformed","type":"","status":"Fail","reason":"BADJSON"}"#),
            (
                AppReply::NotSupported { event: "a\"b", kind: "" },
                r#"{"event":"a\"b","type":"","status":"Fail","reason":"NOTSUPPORTED"}"#,
            ),
        ] {
            assert_eq!(reply.to_frame().as_str(), text);
        }
    }
}
