//! What apps send.
//!
//! Lenient where apps differ (numbers for strings, arrays for lists, unknown keys), strict about the shape: anything
//! but an object with an `event` is [`Malformed`]. Parses only; does not decide anything.

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value};
use zmes_shared::EventId;
use zmes_shared::control::Since;
use zmes_shared::text::bounded;

use super::push::{self, PushFrame};
use super::snooze::{self, SnoozeRefusal, SnoozeStatement};
use crate::domain::{Credentials, FilterProblem, MonitorFilter};
use zmes_providers::{App, PushToken};

/// The list that means "unchanged".
pub(super) const KEEP: &str = "-1";
/// Maximum length in characters of an app's text that is repeated to it, to logs or to `zmesctl`. Invisible and control
/// characters are replaced: an app must not be able to move a terminal's cursor or to fill a log.
pub(super) const LONGEST_WORD: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object of the expected shape")]
pub struct Malformed;

#[derive(Debug)]
pub struct IncomingFrame {
    /// Its `event`, bounded and cleaned, for repetition in a refusal.
    pub event: String,
    /// Its `data.type`, likewise; empty if missing.
    pub kind: String,
    pub app: App,
    /// The push token that the app includes in the frame.
    pub hint: Option<PushToken>,
    pub body: FrameBody,
}

#[derive(Debug)]
pub enum FrameBody {
    Auth(Box<AuthFrame>),
    /// `control/filter`
    Filter(Result<FilterStatement, FilterFault>),
    /// `control/version`
    Version,
    /// `control/replay`
    Replay(Result<Since, SinceFault>),
    /// `control/snooze`
    Snooze(Result<SnoozeStatement, SnoozeRefusal>),
    OtherControl,
    /// `push/*`: tokens and badges.
    Push(PushFrame),
    /// `escontrol`: remote administration in later event servers, which has its own socket here.
    Escontrol,
    Unknown,
}

#[derive(Debug)]
pub struct AuthFrame {
    /// The `category` of an administration tool, not of an app.
    pub escontrol: bool,
    /// The credentials; user and password are empty if it sent none.
    pub credentials: Credentials,
    /// `appversion`, bounded and cleaned.
    pub app: Option<String>,
    /// The lists; `Ok(None)` if the app does not state a filter.
    pub filter: Result<Option<MonitorFilter>, FilterFault>,
    pub since: Option<Result<Since, SinceFault>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterStatement {
    /// `monlist` is `-1`: unchanged.
    Keep,
    Replace(MonitorFilter),
    /// `intlist` is `-1`: these monitors, each with its previous interval (0 if it had none).
    KeepIntervals(MonitorFilter),
}

/// Why a filter is refused, in the words of the protocol. The first two are from the old event server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    #[error("NOMONITORLIST")]
    NoMonitorList,
    #[error("NOINTERVALLIST")]
    NoIntervalList,
    /// `monlist` contains something other than monitor ids, or too many.
    #[error("BADMONITORLIST")]
    BadMonitorList,
    /// `intlist` contains something other than seconds.
    #[error("BADINTERVALLIST")]
    BadIntervalList,
}

impl From<FilterProblem> for FilterFault {
    fn from(problem: FilterProblem) -> Self {
        match problem {
            FilterProblem::Monitor(_) | FilterProblem::TooLong => Self::BadMonitorList,
            FilterProblem::Interval(_) => Self::BadIntervalList,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SinceFault {
    #[error("NOSINCE")]
    Missing,
    /// It is neither an event id nor an RFC 3339 time.
    #[error("BADSINCE")]
    Unreadable,
}

/// Parses one text frame. `serde_json` limits the nesting (128), the socket the length (64 KiB).
pub fn parse(text: &str) -> Result<IncomingFrame, Malformed> {
    let Ok(Value::Object(mut frame)) = serde_json::from_str(text) else { return Err(Malformed) };
    let Some(Value::String(event)) = frame.remove("event") else { return Err(Malformed) };
    let data = match frame.remove("data") {
        None | Some(Value::Null) => None,
        Some(Value::Object(data)) => Some(data),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Malformed);
        }
    };
    let kind = data.as_ref().and_then(|data| data.get("type")).and_then(Value::as_str).unwrap_or_default();
    let (event_echo, kind) = (bounded(&event, LONGEST_WORD), bounded(kind, LONGEST_WORD));
    let (app, hint) = (push::app(&frame, data.as_ref()), push::hint(&event, &frame, data.as_ref()));
    let body = match event.as_str() {
        "auth" => FrameBody::Auth(Box::new(auth(&frame, data.ok_or(Malformed)?)?)),
        "control" => control(&kind, data.ok_or(Malformed)?)?,
        "push" => FrameBody::Push(push::push(&kind, data.unwrap_or_default(), app)?),
        "escontrol" => FrameBody::Escontrol,
        _ => FrameBody::Unknown,
    };
    Ok(IncomingFrame { event: event_echo, kind, app, hint, body })
}

fn auth(frame: &Map<String, Value>, mut data: Map<String, Value>) -> Result<AuthFrame, Malformed> {
    let escontrol = frame.get("category").and_then(Value::as_str) == Some("escontrol");
    let user = text(data.remove("user"))?.unwrap_or_default();
    let password = text(data.remove("password"))?.unwrap_or_default();
    // A `token` beside `event` is zmNinja's push token; only one in `data`, without a user, is an access token.
    let token = text(data.remove("token"))?.filter(|token| !token.is_empty());
    let credentials = match token {
        Some(token) if user.is_empty() && password.is_empty() => Credentials::AccessToken(token.into()),
        Some(_) | None => Credentials::Password { user, password: SecretString::from(password) },
    };
    let (monlist, intlist) = (list(data.remove("monlist"))?, list(data.remove("intlist"))?);
    Ok(AuthFrame {
        escontrol,
        credentials,
        app: push::app_version(&data),
        filter: statement(monlist, intlist),
        since: match since(data.remove("since")) {
            Err(SinceFault::Missing) => None,
            given => Some(given),
        },
    })
}

/// In `auth`, `""` and `-1` state nothing: zmNinja sends them until its settings are saved.
pub(super) fn statement(
    monlist: Option<String>,
    intlist: Option<String>,
) -> Result<Option<MonitorFilter>, FilterFault> {
    let (monlist, intlist) = (monlist.unwrap_or_default(), intlist.unwrap_or_default());
    if monlist.trim() == KEEP {
        return Ok(None);
    }
    let intlist = if intlist.trim() == KEEP { "" } else { &intlist };
    match MonitorFilter::parse(&monlist, intlist)? {
        MonitorFilter::All => Ok(None),
        only @ MonitorFilter::Only(_) => Ok(Some(only)),
    }
}

fn control(kind: &str, mut data: Map<String, Value>) -> Result<FrameBody, Malformed> {
    Ok(match kind {
        "filter" => {
            let (monlist, intlist) = (list(data.remove("monlist"))?, list(data.remove("intlist"))?);
            FrameBody::Filter(filter(monlist, intlist))
        }
        "version" => FrameBody::Version,
        "replay" => FrameBody::Replay(since(data.remove("since"))),
        "snooze" => FrameBody::Snooze(snooze::snooze(data)),
        _ => FrameBody::OtherControl,
    })
}

fn filter(monlist: Option<String>, intlist: Option<String>) -> Result<FilterStatement, FilterFault> {
    let monlist = monlist.ok_or(FilterFault::NoMonitorList)?;
    let intlist = intlist.ok_or(FilterFault::NoIntervalList)?;
    if monlist.trim() == KEEP {
        return Ok(FilterStatement::Keep);
    }
    if intlist.trim() == KEEP {
        return Ok(FilterStatement::KeepIntervals(MonitorFilter::parse(&monlist, "")?));
    }
    Ok(FilterStatement::Replace(MonitorFilter::parse(&monlist, &intlist)?))
}

fn since(value: Option<Value>) -> Result<Since, SinceFault> {
    let text = text(value).map_err(|Malformed| SinceFault::Unreadable)?.unwrap_or_default();
    let text = text.trim();
    if text.is_empty() {
        return Err(SinceFault::Missing);
    }
    if let Ok(event) = text.parse::<EventId>() {
        return Ok(Since::Event(event));
    }
    text.parse::<Timestamp>().map(Since::Time).map_err(|_| SinceFault::Unreadable)
}

/// Parses a string, or a number in place of one; `null` means missing.
pub(super) fn text(value: Option<Value>) -> Result<Option<String>, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(Malformed),
    }
}

/// Parses a comma-separated list, a single number, or an array of strings and numbers.
pub(super) fn list(value: Option<Value>) -> Result<Option<String>, Malformed> {
    let Some(Value::Array(entries)) = value else { return text(value) };
    let entries: Result<Vec<String>, Malformed> =
        entries.into_iter().map(|entry| Ok(text(Some(entry))?.unwrap_or_default())).collect();
    Ok(Some(entries?.join(",")))
}

#[cfg(test)]
mod tests;
