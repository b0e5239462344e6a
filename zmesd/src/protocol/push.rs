//! `push/token` and `push/badge`, and which app and token a frame indicates.

use serde_json::{Map, Value};
use zmes_providers::{App, Platform, PushToken, TokenProblem};
use zmes_shared::text::bounded;

use super::incoming::{FilterFault, LONGEST_WORD, Malformed, list, statement, text};
use crate::domain::{MonitorFilter, PushState, Registration};

/// Maximum length of a stored `profile` in characters: the apps' own limit.
const LONGEST_PROFILE: usize = 128;

#[derive(Debug)]
pub enum PushFrame {
    /// `push/token`; `Ok(None)` if it contains no token, and so means nothing.
    Token(Result<Option<TokenFrame>, TokenFault>),
    Badge(Result<u32, TokenFault>),
    Other,
}

#[derive(Debug)]
pub struct TokenFrame {
    pub registration: Box<Registration>,
    /// Why its lists are ignored, if they are.
    pub ignored: Option<FilterFault>,
}

/// Why a token or a badge is refused, in the words of the protocol. The first is from the old event server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    #[error("MISSINGPLATFORM")]
    MissingPlatform,
    #[error("BADPLATFORM")]
    BadPlatform,
    #[error("BADTOKEN")]
    BadToken,
    #[error("TOOMANYTOKENS")]
    TooManyTokens,
    #[error("TOKENBLOCKED")]
    Blocked,
    /// The token is accepted, its lists are not.
    #[error("{0}")]
    Filter(FilterFault),
    #[error("BADBADGE")]
    BadBadge,
}

impl TokenFault {
    /// Returns the `type` of the frame that this answers.
    pub fn kind(self) -> &'static str {
        match self {
            Self::BadBadge => "badge",
            Self::MissingPlatform
            | Self::BadPlatform
            | Self::BadToken
            | Self::TooManyTokens
            | Self::Blocked
            | Self::Filter(_) => "token",
        }
    }
}

pub(super) fn push(kind: &str, mut data: Map<String, Value>, app: App) -> Result<PushFrame, Malformed> {
    Ok(match kind {
        "token" => PushFrame::Token(token(data, app)?),
        "badge" => PushFrame::Badge(badge(text(data.remove("badge"))?)),
        _ => PushFrame::Other,
    })
}

fn token(
    mut data: Map<String, Value>,
    kind: App,
) -> Result<Result<Option<TokenFrame>, TokenFault>, Malformed> {
    let platform = text(data.remove("platform"))?.unwrap_or_default();
    let token = text(data.remove("token"))?.unwrap_or_default();
    let state = PushState::parse(&text(data.remove("state"))?.unwrap_or_default());
    let (filter, ignored) = match lists(list(data.remove("monlist"))?, list(data.remove("intlist"))?) {
        Ok(filter) => (filter, None),
        Err(fault) => (None, Some(fault)),
    };
    let profile = data.get("profile").and_then(Value::as_str);
    let profile = profile.map(|profile| bounded(profile, LONGEST_PROFILE));
    let app_version = app_version(&data);
    // Values that are false in Perl, the language of the old event server.
    if matches!(platform.trim(), "" | "0") {
        return Ok(Err(TokenFault::MissingPlatform));
    }
    let Some(platform) = Platform::parse(&platform) else { return Ok(Err(TokenFault::BadPlatform)) };
    Ok(match PushToken::parse(&token) {
        Ok(token) => {
            let registration = Registration { token, platform, state, filter, kind, app_version, profile };
            Ok(Some(TokenFrame { registration: Box::new(registration), ignored }))
        }
        Err(TokenProblem::Empty) => Ok(None),
        Err(TokenProblem::TooLong | TokenProblem::Characters | TokenProblem::Target) => {
            Err(TokenFault::BadToken)
        }
    })
}

/// Without a `monlist`, or with `-1`, no filter is stated: zmNinja omits both keys. An empty one means all monitors:
/// zmNinjaNg sends it if no monitor has settings of its own.
fn lists(monlist: Option<String>, intlist: Option<String>) -> Result<Option<MonitorFilter>, FilterFault> {
    let is_blank =
        monlist.as_deref().is_some_and(|list| list.split(',').all(|entry| entry.trim().is_empty()));
    if is_blank { Ok(Some(MonitorFilter::All)) } else { statement(monlist, intlist) }
}

/// Parses an integer, or a string that contains one; negative numbers become 0.
fn badge(text: Option<String>) -> Result<u32, TokenFault> {
    let number = text.unwrap_or_default().trim().parse::<f64>().map_err(|_| TokenFault::BadBadge)?;
    if !number.is_finite() {
        return Err(TokenFault::BadBadge);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates"
    )]
    Ok(number as u32)
}

pub(super) fn app_version(data: &Map<String, Value>) -> Option<String> {
    let version = data.get("appversion").and_then(Value::as_str).filter(|version| !version.is_empty());
    version.map(|version| bounded(version, LONGEST_WORD))
}

/// Identifies the app by the shape of its frame: zmNinja puts its push token beside `event` (on desktops an empty one),
/// zmNinjaNg sends a `category`, or a `profile` in `data`.
pub(super) fn app(frame: &Map<String, Value>, data: Option<&Map<String, Value>>) -> App {
    if frame.contains_key("token") {
        App::ZmNinja
    } else if frame.contains_key("category") || data.is_some_and(|data| data.contains_key("profile")) {
        App::ZmNinjaNg
    } else {
        App::Unknown
    }
}

/// Returns the push token that the app includes in a frame. In `auth`, `data.token` is an access token.
pub(super) fn hint(
    event: &str,
    frame: &Map<String, Value>,
    data: Option<&Map<String, Value>>,
) -> Option<PushToken> {
    let named = |object: &Map<String, Value>| PushToken::parse(object.get("token")?.as_str()?).ok();
    named(frame).or_else(|| named(data.filter(|_| event != "auth")?))
}

#[cfg(test)]
mod tests;
