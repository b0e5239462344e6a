//! Why a session ends, and what the app is told.

use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::connection_limits::LimitReached;
use crate::route::{CloseReason, SessionEnd};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    ByApp,
    Lost,
    /// No credentials in time.
    NoAuth,
    BadAuth,
    /// It had not logged in, and a newer connection took its slot.
    Evicted,
    /// Logged in, but a connection limit is reached.
    Full(LimitReached),
    /// Credentials could not be checked.
    LoginUnavailable,
    /// The router did not answer.
    Busy,
    /// The app does not read what it is sent.
    Slow,
    /// An admin asked for it.
    Disconnected,
    /// The user was deleted, disabled, changed the password, or revoked all access tokens.
    UserRevoked,
    PassExpired,
    Stopping,
    /// No sign of life within the deadline after a ping.
    NoPong,
    /// More frames, or more pieces of one, than any app sends.
    Rate,
    /// Not WebSocket.
    Protocol,
    NotUtf8,
    TooBig,
}

impl End {
    /// Returns the close code for the app; `None`: it closed the session itself, or the connection is lost.
    pub(super) fn close_code(self) -> Option<CloseCode> {
        Some(match self {
            Self::ByApp | Self::Lost => return None,
            Self::NoAuth
            | Self::BadAuth
            | Self::Disconnected
            | Self::UserRevoked
            | Self::PassExpired
            | Self::NoPong
            | Self::Rate => CloseCode::Policy,
            Self::LoginUnavailable | Self::Busy | Self::Slow | Self::Evicted | Self::Full(_) => {
                CloseCode::Again
            }
            Self::Stopping => CloseCode::Away,
            Self::Protocol => CloseCode::Protocol,
            Self::NotUtf8 => CloseCode::Invalid,
            Self::TooBig => CloseCode::Size,
        })
    }

    /// Returns what becomes of the app's filter: only a close frame of the app means that it is not wanted any more.
    pub(super) fn left(self) -> SessionEnd {
        match self {
            Self::ByApp => SessionEnd::ByApp,
            Self::Stopping => SessionEnd::Stopping,
            Self::Lost
            | Self::NoAuth
            | Self::BadAuth
            | Self::LoginUnavailable
            | Self::Busy
            | Self::Slow
            | Self::Disconnected
            | Self::UserRevoked
            | Self::PassExpired
            | Self::NoPong
            | Self::Rate
            | Self::Protocol
            | Self::NotUtf8
            | Self::TooBig
            | Self::Evicted
            | Self::Full(_) => SessionEnd::Broken,
        }
    }

    /// Returns the text for the log, for `watch` and for the close frame (at most 123 bytes).
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ByApp => "closed by the app",
            Self::Lost => "connection lost",
            Self::NoAuth => "authentication timeout",
            Self::BadAuth => "bad authentication",
            Self::LoginUnavailable => "login not possible now",
            Self::Evicted => "no login yet, and others wait",
            Self::Full(LimitReached::MaxClients) => "max-clients reached",
            Self::Full(LimitReached::MaxClientsPerAddress | LimitReached::Rate | LimitReached::Pending) => {
                "max-clients-per-address reached"
            }
            Self::Busy => "server is busy",
            Self::Slow => "does not read",
            Self::Disconnected => "disconnected by an admin",
            Self::UserRevoked => "the user's access has changed",
            Self::PassExpired => "the access token has expired",
            Self::Stopping => "server is stopping",
            Self::NoPong => "no pong",
            Self::Rate => "rate",
            Self::Protocol => "protocol error",
            Self::NotUtf8 => "text is not UTF-8",
            Self::TooBig => "message too big",
        }
    }
}

impl From<CloseReason> for End {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Slow => Self::Slow,
            CloseReason::Disconnected => Self::Disconnected,
            CloseReason::UserRevoked => Self::UserRevoked,
            CloseReason::PassExpired => Self::PassExpired,
        }
    }
}

impl From<&Error> for End {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum: all other errors are broken connections"
    )]
    fn from(error: &Error) -> Self {
        match error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Lost,
            Error::Protocol(_) | Error::AttackAttempt => Self::Protocol,
            Error::Utf8(_) => Self::NotUtf8,
            Error::Capacity(CapacityError::MessageTooLong { .. } | CapacityError::TooManyHeaders) => {
                Self::TooBig
            }
            _ => Self::Lost,
        }
    }
}
