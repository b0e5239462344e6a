//! Why a session ends, and what the app is told.

use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use zmes_shared::views::RefusalReason;

use super::connection_limits::LimitReached;
use crate::route::{CloseReason, SessionEnd};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    ByApp,
    Lost,
    NoAuth,
    BadAuth,
    /// It had not logged in, and a newer connection took its slot.
    Evicted,
    /// Logged in, but a connection limit is reached.
    Full(LimitReached),
    LoginUnavailable,
    /// The router did not answer.
    Busy,
    Slow,
    Disconnected,
    /// The user was deleted, disabled, changed the password, or revoked all access tokens.
    UserRevoked,
    PassExpired,
    Stopping,
    /// No sign of life within the deadline after a ping.
    NoPong,
    /// More frames, or more pieces of one, than any app sends.
    Rate,
    Protocol,
    NotUtf8,
    TooBig,
}

impl End {
    pub(super) fn close_code(self) -> Option<CloseCode> {
        self.meaning().0
    }

    pub(super) fn refusal(self) -> Option<RefusalReason> {
        self.meaning().1
    }

    pub(super) fn as_str(self) -> &'static str {
        self.meaning().2
    }

    /// Returns the close code for the app (`None` if it closed the session itself or the connection is lost); the
    /// refusal to count for a session without a login (`None` if it was not refused, or the login check has recorded
    /// it); and the text for the log, `watch` and the close frame (at most 123 bytes).
    fn meaning(self) -> (Option<CloseCode>, Option<RefusalReason>, &'static str) {
        let (policy, again) = (Some(CloseCode::Policy), Some(CloseCode::Again));
        let misuse = Some(RefusalReason::Protocol);
        match self {
            Self::ByApp => (None, None, "closed by the app"),
            Self::Lost => (None, None, "connection lost"),
            Self::NoAuth => (policy, Some(RefusalReason::AuthTimeout), "authentication timeout"),
            Self::BadAuth => (policy, None, "bad authentication"),
            Self::Evicted => (again, Some(RefusalReason::Evicted), "no login yet, and others wait"),
            Self::Full(full @ LimitReached::MaxClients) => {
                (again, Some(full.reason()), "max-clients reached")
            }
            Self::Full(full) => (again, Some(full.reason()), "max-clients-per-address reached"),
            Self::LoginUnavailable => (again, None, "login not possible now"),
            Self::Busy => (again, None, "server is busy"),
            Self::Slow => (again, misuse, "does not read"),
            Self::Disconnected => (policy, None, "disconnected by an admin"),
            Self::UserRevoked => (policy, None, "the user's access has changed"),
            Self::PassExpired => (policy, None, "the access token has expired"),
            Self::Stopping => (Some(CloseCode::Away), None, "server is stopping"),
            Self::NoPong => (policy, misuse, "no pong"),
            Self::Rate => (policy, misuse, "rate"),
            Self::Protocol => (Some(CloseCode::Protocol), misuse, "protocol error"),
            Self::NotUtf8 => (Some(CloseCode::Invalid), misuse, "text is not UTF-8"),
            Self::TooBig => (Some(CloseCode::Size), misuse, "message too big"),
        }
    }

    /// Returns how the session ended for the app's filter: only a close frame from the app discards the filter.
    pub(super) fn left(self) -> SessionEnd {
        if self == Self::ByApp {
            SessionEnd::ByApp
        } else if self == Self::Stopping {
            SessionEnd::Stopping
        } else {
            SessionEnd::Broken
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
