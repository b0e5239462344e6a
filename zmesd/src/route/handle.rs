//! Requests that others may send to the router, and what the router sends to sessions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_providers::{App, Platform, PushToken, TokenHandle};
use zmes_shared::control::ClientFilter;
use zmes_shared::views::{ClientCounts, ClientView};
use zmes_shared::{EventId, MonitorId, SessionId};
use zmes_zoneminder::{AccessPass, MonitorRights, User};

use super::better::PictureCommand;
use super::devices::SessionEnd;
use super::labels::LabelCommand;
use super::ledger::LedgerCommand;
use super::rule_hits::RulesReply;
use super::snooze_handle::SnoozeCommand;
use super::token_handle::TokenCommand;
use super::trouble_handle::TroubleCommand;
use crate::domain::{DecidedBy, Decision, MonitorFilter, TokenId};
use crate::links::LinkMaker;
use crate::route::PushReceipt;
use crate::telemetry::TokenState;

/// How long a caller waits for the router before it gets [`Busy`].
pub(super) const COMMAND_DEADLINE: Duration = Duration::from_secs(2);

/// The router did not answer in time, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the router is busy")]
pub struct Busy;

#[derive(Debug)]
pub enum Outgoing {
    /// One text frame, shared by all sessions that get the same JSON.
    Frame(Utf8Bytes),
    /// A frame for which the session reports whether it was written.
    Tracked(Box<(Utf8Bytes, mpsc::Sender<WriteReport>)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteReport {
    pub session: SessionId,
    /// False: the session ended first.
    pub written: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The app does not read: close 1013.
    Slow,
    /// An admin closed the session: close 1008.
    Disconnected,
    /// The user was deleted, disabled, changed the password, or revoked all access tokens: close 1008.
    UserRevoked,
    /// The access token by which the app logged in has expired: close 1008.
    PassExpired,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedLogin {
    /// The user name that the app sent, bounded and cleaned.
    pub user: String,
    /// How often it failed from that address.
    pub count: u64,
}

#[derive(Debug)]
pub struct SessionOpening {
    pub id: SessionId,
    /// The app's address. Behind a trusted proxy: the address that the proxy reports.
    pub address: SocketAddr,
    pub connected_at: Timestamp,
    /// Its outbox; the router only ever uses `try_send`.
    pub outbox: mpsc::Sender<Outgoing>,
    /// Ends the session at once, even during a write.
    pub kick: oneshot::Sender<CloseReason>,
}

#[derive(Debug)]
pub struct NewLogin {
    pub user: Arc<User>,
    /// The access token by which the app logged in; `None`: a password.
    pub pass: Option<AccessPass>,
    /// The app's version from `auth`, bounded and cleaned.
    pub app: Option<String>,
    /// The filter in the `auth` message; `None` if the app sent none.
    pub filter: Option<MonitorFilter>,
    pub kind: App,
    /// The push token that zmNinja names in every message. It counts only if this user has registered it.
    pub hint: Option<PushToken>,
}

/// What a session may see. The session uses it for replays, which it writes itself.
#[derive(Debug, Clone)]
pub struct Visibility {
    /// Its user's rights; [`MonitorRights::none`] before authentication.
    pub rights: MonitorRights,
    pub filter: MonitorFilter,
    /// Makes links to pictures for the session's user; `None` if links are off.
    pub links: Option<SessionLinks>,
}

/// Links to pictures for the user of a session.
#[derive(Debug, Clone)]
pub struct SessionLinks {
    pub(super) maker: LinkMaker,
    /// `None`: auth is off.
    pub(super) user: Option<String>,
    pub(super) now: Timestamp,
}

impl SessionLinks {
    /// Returns the link to the picture of an alarm that was found at `at`.
    pub fn picture(&self, event: EventId, at: Timestamp) -> Option<SecretString> {
        self.maker.for_user(event, self.user.as_deref(), at, self.now)
    }
}

/// `zmesctl alarm test`.
#[derive(Debug, Clone)]
pub struct AlarmTestRequest {
    pub monitor: MonitorId,
    pub monitor_name: Arc<str>,
    /// Decide, but send nothing.
    pub dry_run: bool,
    /// Where to report written frames; its capacity must be at least the number of sessions.
    pub receipts: Option<mpsc::Sender<WriteReport>>,
    /// Only for these sessions, and for no token; empty: for all.
    pub only: Vec<SessionId>,
    /// Only for this token, and for no session.
    pub token: Option<TokenId>,
    /// Where to report the outcomes of pushes; its capacity must be at least the number of tokens.
    pub push_receipts: Option<mpsc::Sender<PushReceipt>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmTarget {
    Session(SessionId),
    Token(TokenId, TokenHandle),
}

#[derive(Debug, Clone)]
pub struct TestTarget {
    pub target: AlarmTarget,
    pub decision: Decision,
    /// The rule or snooze that decided.
    pub by: Option<DecidedBy>,
}

#[derive(Debug, Clone)]
pub struct AlarmTestReport {
    pub alarm: u64,
    pub event: EventId,
    /// Authenticated sessions, then tokens that are not revoked. A test for one token lists only that token, if it is
    /// known.
    pub targets: Vec<TestTarget>,
}

#[derive(Debug, Clone, Default)]
pub struct ClientPage {
    /// The matching sessions, ordered by id.
    pub clients: Vec<ClientView>,
    /// The id after which the next page begins; `None`: this is the last.
    pub next: Option<SessionId>,
}

/// Counts of sessions and tokens, for `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Sessions that have not authenticated.
    pub pending: u64,
    pub authenticated: u64,
    pub tokens: Vec<((Platform, TokenState), u64)>,
    pub snoozes: u64,
}

/// A command for the router, documented at the method of [`RouterHandle`] that sends it.
#[derive(Debug)]
pub enum RouterCommand {
    Open(SessionOpening),
    /// The `Instant` is when the check of the credentials began; the user was read from the database after that.
    Attach(SessionId, Instant, NewLogin, oneshot::Sender<()>),
    SetFilter(SessionId, MonitorFilter, Option<PushToken>, oneshot::Sender<()>),
    Close(SessionId, &'static str, SessionEnd, Option<FailedLogin>),
    Visibility(SessionId, oneshot::Sender<Visibility>),
    /// As `Visibility`, for a session that asks for a replay: it is not also sent missed alarms unasked.
    Replays(SessionId, oneshot::Sender<Visibility>),
    List(ClientFilter, Option<SessionId>, oneshot::Sender<ClientPage>),
    Count(oneshot::Sender<ClientCounts>),
    Census(oneshot::Sender<Census>),
    Disconnect(SessionId, oneshot::Sender<bool>),
    Test(AlarmTestRequest, oneshot::Sender<AlarmTestReport>),
    Token(TokenCommand),
    Snooze(SnoozeCommand),
    Rules(RulesReply),
    Trouble(Box<TroubleCommand>),
    Labels(LabelCommand),
    Picture(Box<PictureCommand>),
    Ledger(Box<LedgerCommand>),
    Ping(oneshot::Sender<()>),
}

/// Sends commands to the router: cheap to clone.
#[derive(Debug, Clone)]
pub struct RouterHandle {
    commands: mpsc::Sender<RouterCommand>,
}

impl RouterHandle {
    pub fn new(commands: mpsc::Sender<RouterCommand>) -> Self {
        Self { commands }
    }

    pub async fn open(&self, opening: SessionOpening) -> Result<(), Busy> {
        self.send(RouterCommand::Open(opening)).await
    }

    pub async fn attach(&self, session: SessionId, asked_at: Instant, login: NewLogin) -> Result<(), Busy> {
        self.call(|reply| RouterCommand::Attach(session, asked_at, login, reply)).await
    }

    /// Replaces a session's filter. When this returns, the filter applies to the next alarm.
    pub async fn set_filter(
        &self,
        session: SessionId,
        filter: MonitorFilter,
        hint: Option<PushToken>,
    ) -> Result<(), Busy> {
        self.call(|reply| RouterCommand::SetFilter(session, filter, hint, reply)).await
    }

    /// Ends a session. The arguments say why (for `watch` and the log), how, and after which failed login.
    pub async fn close(
        &self,
        session: SessionId,
        reason: &'static str,
        left: SessionEnd,
        tried: Option<FailedLogin>,
    ) -> Result<(), Busy> {
        self.send(RouterCommand::Close(session, reason, left, tried)).await
    }

    pub async fn visibility(&self, session: SessionId) -> Result<Visibility, Busy> {
        self.call(|reply| RouterCommand::Visibility(session, reply)).await
    }

    pub async fn replays(&self, session: SessionId) -> Result<Visibility, Busy> {
        self.call(|reply| RouterCommand::Replays(session, reply)).await
    }

    /// Returns the matching sessions, ordered by id. Reads page by page, so that alarms are handled in between.
    pub async fn list(&self, filter: ClientFilter) -> Result<Vec<ClientView>, Busy> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let filter = filter.clone();
            let page = self.call(|reply| RouterCommand::List(filter, after, reply)).await?;
            all.extend(page.clients);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    pub async fn count(&self) -> Result<ClientCounts, Busy> {
        self.call(RouterCommand::Count).await
    }

    pub async fn census(&self) -> Result<Census, Busy> {
        self.call(RouterCommand::Census).await
    }

    /// Ends a session. Returns false if no session has that id.
    pub async fn disconnect(&self, session: SessionId) -> Result<bool, Busy> {
        self.call(|reply| RouterCommand::Disconnect(session, reply)).await
    }

    pub async fn test(&self, request: AlarmTestRequest) -> Result<AlarmTestReport, Busy> {
        self.call(|reply| RouterCommand::Test(request, reply)).await
    }

    /// Returns once the router has handled all earlier commands.
    pub async fn ping(&self) -> Result<(), Busy> {
        self.call(RouterCommand::Ping).await
    }

    pub(super) async fn send(&self, command: RouterCommand) -> Result<(), Busy> {
        self.commands.send_timeout(command, COMMAND_DEADLINE).await.map_err(|_| Busy)
    }

    pub(super) async fn call<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> RouterCommand,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        match tokio::time::timeout(COMMAND_DEADLINE, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}
