//! The receivers that a rule applies to.

use zmes_providers::targets::TargetName;
use zmes_providers::{Platform, TokenHandle};

/// The channel by which an alarm reaches a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Pushes, to phones and targets.
    Push,
    /// Connected apps.
    WebSocket,
    /// Events at the MQTT broker; states are not alarms.
    Mqtt,
}

impl Channel {
    pub const ALL: [Self; 3] = [Self::Push, Self::WebSocket, Self::Mqtt];

    /// Returns the word used in `channels` in `zmesd.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::WebSocket => "websocket",
            Self::Mqtt => "mqtt",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.word() == text)
    }
}

/// What rules can use about a receiver at the moment of an alarm.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverFacts<'a> {
    pub channel: Channel,
    /// The user who is logged in or owns the token.
    pub user: &'a str,
    /// The token; `None` for an app without one.
    pub handle: Option<TokenHandle>,
    pub platform: Option<Platform>,
}

/// One entry of `receivers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverName {
    /// `ios` or `android`; `target`: all targets.
    Platform(Platform),
    /// The leading digits of a token's handle, 8 to 64; or `@` and the name of a target.
    Handle(String),
    /// A ZoneMinder user. Names are compared as in MySQL: without regard to case.
    User(String),
}

impl ReceiverName {
    /// Parses an entry. Anything but a platform or a handle is a user; `user:ios` means a user named `ios`.
    pub fn parse(text: &str) -> Self {
        if let Some(user) = text.strip_prefix("user:") {
            return Self::User(user.to_owned());
        }
        let is_target = text.eq_ignore_ascii_case(Platform::Target.as_str());
        if let Some(platform) = Platform::parse(text).or(is_target.then_some(Platform::Target)) {
            return Self::Platform(platform);
        }
        if TargetName::of_handle(text).is_some() {
            return Self::Handle(text.to_owned());
        }
        let is_handle = (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_handle { Self::Handle(text.to_ascii_lowercase()) } else { Self::User(text.to_owned()) }
    }

    pub(super) fn names(&self, receiver: &ReceiverFacts<'_>) -> bool {
        match self {
            Self::Platform(platform) => receiver.platform == Some(*platform),
            Self::Handle(start) => receiver.handle.is_some_and(|handle| handle.begins_with(start)),
            Self::User(user) => is_same_name(user, receiver.user),
        }
    }
}

/// Compares names without regard to case. Almost all names are ASCII; for those nothing is allocated.
pub fn is_same_name(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    left.to_lowercase() == right.to_lowercase()
}

impl std::fmt::Display for ReceiverName {
    /// Writes the entry in the form of `zmesd.toml`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Platform(platform) => f.write_str(platform.as_str()),
            Self::Handle(start) => f.write_str(start),
            Self::User(user) if Self::parse(user) == *self => f.write_str(user),
            Self::User(user) => write!(f, "user:{user}"),
        }
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
