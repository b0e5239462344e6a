//! The address of a phone: its push token, platform and app.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zmes_shared::text::is_hidden;

use crate::targets::TargetName;

/// Longest token, in bytes. FCM's have 150 to 200, APNs' 64; no provider documents a limit.
const MAX_TOKEN: usize = 4096;
/// Hexadecimal digits of a handle that people see.
const HANDLE_DIGITS: usize = 8;
/// Prefix of a target's entry in place of a token. Providers do not issue such tokens.
const TARGET: &str = "target:";

/// A device's push token, as FCM or APNs issued it. It allows sending to the phone, so it prints as its handle:
/// no character of it reaches a log. Only transports, the state, and commands that reveal tokens call
/// [`PushToken::expose`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PushToken(Arc<str>);

/// Why a text is not a push token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// It is empty.
    #[error("the token is empty")]
    Empty,
    /// More than 4096 bytes.
    #[error("the token is longer than {MAX_TOKEN} bytes")]
    TooLong,
    /// White space or control characters, which no provider uses.
    #[error("the token contains white space or control characters")]
    Characters,
    /// It is what stands for a `[[target]]`.
    #[error("the token is that of a [[target]]")]
    Target,
}

impl PushToken {
    /// Checks a token of an app or a file.
    pub fn parse(text: &str) -> Result<Self, TokenProblem> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenProblem::Empty);
        }
        if text.len() > MAX_TOKEN {
            return Err(TokenProblem::TooLong);
        }
        if text.chars().any(|character| is_hidden(character) || character.is_whitespace()) {
            return Err(TokenProblem::Characters);
        }
        if text.starts_with(TARGET) {
            return Err(TokenProblem::Target);
        }
        Ok(Self(text.into()))
    }

    /// Returns what stands for a target in place of a token.
    pub fn of_target(name: TargetName) -> Self {
        Self(format!("{TARGET}{name}").into())
    }

    /// Reads what the state file has: the token of an app, or what stands for a target.
    pub fn stored(text: &str) -> Result<Self, TokenProblem> {
        match text.strip_prefix(TARGET).and_then(TargetName::parse) {
            Some(name) => Ok(Self::of_target(name)),
            None => Self::parse(text),
        }
    }

    /// Returns the target that it stands for; `None`: it is the token of an app.
    pub fn target(&self) -> Option<TargetName> {
        self.0.strip_prefix(TARGET).and_then(TargetName::parse)
    }

    /// Returns the token itself: only for providers, the state file, and admins who ask for it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the name by which admins call it.
    pub fn handle(&self) -> TokenHandle {
        match self.target() {
            Some(name) => TokenHandle(HandleForm::Target(name)),
            None => TokenHandle(HandleForm::Digest(Sha256::digest(self.0.as_bytes()).into())),
        }
    }

    /// Returns its last characters; `None`: it is not longer.
    pub fn end(&self, characters: usize) -> Option<&str> {
        let (at, _) = self.0.char_indices().rev().nth(characters.checked_sub(1)?)?;
        if at == 0 { None } else { self.0.get(at..) }
    }

    /// Says whether it looks like APNs' own: 64 hexadecimal digits.
    pub fn is_apns(&self) -> bool {
        self.0.len() == 64 && self.0.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl fmt::Display for PushToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

impl fmt::Debug for PushToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushToken({self})")
    }
}

/// Names a token without revealing it: SHA-256, of which the first 8 hexadecimal digits are printed. A target is named by
/// `@` and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHandle(HandleForm);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum HandleForm {
    Digest([u8; 32]),
    Target(TargetName),
}

impl TokenHandle {
    /// Returns all 64 digits, of which any unique prefix names the token; of a target `@` and its name.
    pub fn digits(&self) -> String {
        match &self.0 {
            HandleForm::Digest(digest) => each_digit(digest).collect(),
            HandleForm::Target(name) => format!("@{name}"),
        }
    }

    /// Says whether its digits begin with those, or whether it is that of the target.
    pub fn begins_with(&self, digits: &str) -> bool {
        match &self.0 {
            HandleForm::Digest(digest) => {
                let mut own = each_digit(digest);
                digits.chars().all(|digit| own.next() == Some(digit))
            }
            HandleForm::Target(name) => digits.strip_prefix('@') == Some(name.as_str()),
        }
    }

    /// Returns the SHA-256 of the token, or of what stands for the target.
    pub fn digest(&self) -> [u8; 32] {
        match &self.0 {
            HandleForm::Digest(digest) => *digest,
            HandleForm::Target(name) => Sha256::digest(format!("{TARGET}{name}")).into(),
        }
    }

    /// Says whether it is that of a target.
    pub fn is_target(&self) -> bool {
        matches!(self.0, HandleForm::Target(_))
    }
}

fn each_digit(digest: &[u8; 32]) -> impl Iterator<Item = char> {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    digest.iter().flat_map(move |byte| [digit(byte >> 4), digit(byte & 0xF)])
}

impl fmt::Display for TokenHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            HandleForm::Digest(digest) => {
                digest.iter().take(HANDLE_DIGITS / 2).try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            HandleForm::Target(name) => write!(f, "@{name}"),
        }
    }
}

/// What kind of phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// `ios`
    Ios,
    /// `android`
    Android,
    /// No phone but a `[[target]]`.
    Target,
}

impl Platform {
    /// Returns the apps' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Target => "target",
        }
    }

    /// Reads the word that the state file has.
    pub fn stored(text: &str) -> Option<Self> {
        if text == Self::Target.as_str() { Some(Self::Target) } else { Self::parse(text) }
    }

    /// Reads the apps' word, in any case. No app is a target.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "ios" => Some(Self::Ios),
            "android" => Some(Self::Android),
            _ => None,
        }
    }
}

/// The app that registered a token, recognized by its messages. Its tokens belong to that app's Firebase project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum App {
    /// zmNinja: a `token` at the top of every message.
    ZmNinja,
    /// zmNinjaNg: a `category` in `auth`, or a `profile`.
    ZmNinjaNg,
    /// Unknown, as for tokens from a file.
    Unknown,
}

impl App {
    /// Returns the word for the state file and JSON, which is also a name for a `[[push.fcm.proxy]]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ZmNinja => "zmninja",
            Self::ZmNinjaNg => "zmninjang",
            Self::Unknown => "",
        }
    }

    /// Reads the word of [`App::as_str`].
    pub fn parse(text: &str) -> Self {
        match text {
            "zmninja" => Self::ZmNinja,
            "zmninjang" => Self::ZmNinjaNg,
            _ => Self::Unknown,
        }
    }
}

/// What decides which transport takes a token.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The token.
    pub token: &'a PushToken,
    /// Which kind of phone.
    pub platform: Platform,
    /// Which app registered it.
    pub app: App,
    /// The transport that last accepted it, if another one refused it as belonging to another app.
    pub proven: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_token_is_printed() {
        let token = PushToken::parse(" cXyz:APA91bHPRgkFLJu6sg ").unwrap();
        assert_eq!(token.to_string(), token.handle().to_string());
        assert_eq!(format!("{token:?}"), format!("PushToken({})", token.handle()));
        assert_eq!(token.expose(), "cXyz:APA91bHPRgkFLJu6sg");
    }

    #[test]
    fn a_handle_is_the_start_of_the_hash() {
        let handle = PushToken::parse("abc").unwrap().handle();
        assert_eq!(handle.to_string(), "ba7816bf");
        assert_eq!(handle.digits().len(), 64);
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_with_a_reason() {
        assert_eq!(PushToken::parse(" "), Err(TokenProblem::Empty));
        assert_eq!(PushToken::parse("a\nb"), Err(TokenProblem::Characters));
        assert_eq!(PushToken::parse("a\u{200b}b"), Err(TokenProblem::Characters));
        assert_eq!(PushToken::parse(&"x".repeat(4097)), Err(TokenProblem::TooLong));
    }

    #[test]
    fn no_app_can_register_what_stands_for_a_target() {
        let name = TargetName::parse("night-guard").unwrap();
        let token = PushToken::of_target(name);
        assert_eq!(PushToken::parse("target:night-guard"), Err(TokenProblem::Target));
        assert_eq!(PushToken::parse("target:"), Err(TokenProblem::Target));
        assert_eq!(PushToken::stored("target:night-guard").unwrap(), token);
        assert_eq!(token.target(), Some(name));
        let handle = token.handle();
        assert_eq!(
            (handle.to_string(), handle.digits()),
            ("@night-guard".to_owned(), "@night-guard".to_owned())
        );
        assert!(handle.begins_with("@night-guard") && !handle.begins_with("@night") && handle.is_target());
        assert_eq!((Platform::parse("target"), Platform::stored("target")), (None, Some(Platform::Target)));
    }
}
