//! What others may ask of the router, and what it sends to sessions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_providers::{App, PushToken, TokenHandle};
use zmes_shared::control::ClientFilter;
use zmes_shared::views::{ClientCounts, ClientView};
use zmes_shared::{EventId, MonitorId, SessionId};
use zmes_zoneminder::{AccessPass, MonitorRights, User};

use super::census::Census;
use super::devices::Left;
use super::token_handle::TokenCommand;
use crate::domain::{Decision, MonitorFilter, TokenId};
use crate::ports::PushReceipt;

/// How long a caller waits for the router before it hears [`Busy`].
const COMMAND_DEADLINE: Duration = Duration::from_secs(2);

/// The router did not answer in time, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the router is busy")]
pub struct Busy;

/// What the router puts into a session's outbox.
#[derive(Debug)]
pub enum Outgoing {
    /// One text frame, shared by all sessions that get the same JSON.
    Frame(Utf8Bytes),
    /// A frame whose writing is to be reported.
    Tracked(Box<(Utf8Bytes, mpsc::Sender<Written>)>),
}

/// The report that a tracked frame was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// By which session.
    pub session: SessionId,
    /// False: the session ended first.
    pub written: bool,
}

/// Why the router wants a session to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The app does not read: close 1013.
    Slow,
    /// An admin asked for it: close 1008.
    Disconnected,
    /// The user was deleted, disabled, changed the password, or revoked all access tokens: close 1008.
    UserRevoked,
    /// The access token by which the app came in has expired: close 1008.
    PassExpired,
}

/// A login that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The user name that the app sent, fit to be shown.
    pub user: String,
    /// How often wrong credentials for it came from that address.
    pub count: u64,
}

/// A new WebSocket connection, not yet authenticated.
#[derive(Debug)]
pub struct SessionOpening {
    /// Its number, unique since the daemon started.
    pub id: SessionId,
    /// The app's address (behind a trusted proxy: what the proxy says).
    pub address: SocketAddr,
    /// When the WebSocket was open.
    pub connected_at: Timestamp,
    /// Its outbox; the router only ever uses `try_send`.
    pub outbox: mpsc::Sender<Outgoing>,
    /// Ends it at once, even in the middle of a write.
    pub kick: oneshot::Sender<CloseReason>,
}

/// A login that has succeeded.
#[derive(Debug)]
pub struct NewLogin {
    /// As whom.
    pub user: Arc<User>,
    /// The access token by which the app logged in; `None`: a password.
    pub pass: Option<AccessPass>,
    /// The app's version as it told in `auth`, cleaned and bounded.
    pub app: Option<String>,
    /// The filter that `auth` carried; `None`: no statement.
    pub filter: Option<MonitorFilter>,
    /// Which app it seems to be.
    pub kind: App,
    /// The push token that zmNinja names in every message; it counts where this user has registered it.
    pub hint: Option<PushToken>,
}

/// What a session may see: for replays, which the session writes itself.
#[derive(Debug, Clone)]
pub struct Visibility {
    /// Its user's rights; [`MonitorRights::none`] before authentication.
    pub rights: MonitorRights,
    /// Its filter.
    pub filter: MonitorFilter,
}

/// `zmesctl alarm test`.
#[derive(Debug, Clone)]
pub struct AlarmTestRequest {
    /// The monitor that it pretends to come from.
    pub monitor: MonitorId,
    /// Its name.
    pub monitor_name: Arc<str>,
    /// Decide, but send nothing.
    pub dry_run: bool,
    /// Where to report written frames; its bound must be at least the number of sessions it should hear of.
    pub receipts: Option<mpsc::Sender<Written>>,
    /// Only for these sessions, and for no token; empty: for all.
    pub only: Vec<SessionId>,
    /// Only for this token, and for no session.
    pub token: Option<TokenId>,
    /// Where to report what became of pushes; its bound must be at least the number of tokens it should hear of.
    pub push_receipts: Option<mpsc::Sender<PushReceipt>>,
}

/// Who may get an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A connected app.
    Session(SessionId),
    /// A registered device.
    Token(TokenId, TokenHandle),
}

/// One target of a test alarm.
#[derive(Debug, Clone, Copy)]
pub struct TestTarget {
    /// Who.
    pub target: Target,
    /// What was decided.
    pub decision: Decision,
}

/// The answer to [`AlarmTestRequest`].
#[derive(Debug, Clone)]
pub struct Tested {
    /// The alarm's number, as `watch` shows it.
    pub alarm: u64,
    /// The synthetic event id.
    pub event: EventId,
    /// Every authenticated session, then every token that is not revoked. Of a test for one token that one alone;
    /// none: there is no such token.
    pub targets: Vec<TestTarget>,
}

/// Sessions, as many as the router looks at in one turn.
#[derive(Debug, Clone, Default)]
pub struct ClientPage {
    /// Those that match, ordered by id.
    pub clients: Vec<ClientView>,
    /// After which id the next page begins; `None`: this is the last.
    pub next: Option<SessionId>,
}

/// What the router is asked. Each `reply` is sent when the thing is done.
#[derive(Debug)]
pub enum Command {
    /// A connection is open.
    Open(SessionOpening),
    /// It has authenticated (perhaps again), by credentials that were checked from that moment on: the user was read from
    /// the database later.
    Attach(SessionId, Instant, NewLogin, oneshot::Sender<()>),
    /// It wants another filter; with the token that its app names, if it does.
    SetFilter(SessionId, MonitorFilter, Option<PushToken>, oneshot::Sender<()>),
    /// It is gone: why, how, and with which login that failed, if one did.
    Close(SessionId, &'static str, Left, Option<Tried>),
    /// What it may see.
    Visibility(SessionId, oneshot::Sender<Visibility>),
    /// The same, for a session that asks for what it missed: then that is not told to it unasked.
    Replays(SessionId, oneshot::Sender<Visibility>),
    /// Who is connected, one page: those after that id.
    List(ClientFilter, Option<SessionId>, oneshot::Sender<ClientPage>),
    /// How many are connected.
    Count(oneshot::Sender<ClientCounts>),
    /// What there is, in numbers.
    Census(oneshot::Sender<Census>),
    /// End one; false: there is none of that id.
    Disconnect(SessionId, oneshot::Sender<bool>),
    /// A synthetic alarm.
    Test(AlarmTestRequest, oneshot::Sender<Tested>),
    /// Something about push tokens.
    Token(TokenCommand),
    /// Prove that the router moves.
    Ping(oneshot::Sender<()>),
}

/// The way to the router: cheap to clone.
#[derive(Debug, Clone)]
pub struct RouterHandle {
    commands: mpsc::Sender<Command>,
}

impl RouterHandle {
    /// Wraps the sending side of the router's command channel.
    pub fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Registers a connection.
    pub async fn open(&self, opening: SessionOpening) -> Result<(), Busy> {
        self.send(Command::Open(opening)).await
    }

    /// Makes a connection an authenticated session.
    pub async fn attach(&self, session: SessionId, asked_at: Instant, login: NewLogin) -> Result<(), Busy> {
        self.call(|reply| Command::Attach(session, asked_at, login, reply)).await
    }

    /// Replaces a session's filter; when this returns, the next alarm is decided by it.
    pub async fn set_filter(
        &self,
        session: SessionId,
        filter: MonitorFilter,
        hint: Option<PushToken>,
    ) -> Result<(), Busy> {
        self.call(|reply| Command::SetFilter(session, filter, hint, reply)).await
    }

    /// Says that a connection is gone, why (for `watch` and the log), and how.
    pub async fn close(&self, session: SessionId, reason: &'static str, left: Left) -> Result<(), Busy> {
        self.send(Command::Close(session, reason, left, None)).await
    }

    /// The same after a login that failed: there is no filter to remember.
    pub async fn close_tried(
        &self,
        session: SessionId,
        reason: &'static str,
        tried: Tried,
    ) -> Result<(), Busy> {
        self.send(Command::Close(session, reason, Left::Broken, Some(tried))).await
    }

    /// Returns what a session may see.
    pub async fn visibility(&self, session: SessionId) -> Result<Visibility, Busy> {
        self.call(|reply| Command::Visibility(session, reply)).await
    }

    /// Returns what a session may see that asks for what it missed.
    pub async fn replays(&self, session: SessionId) -> Result<Visibility, Busy> {
        self.call(|reply| Command::Replays(session, reply)).await
    }

    /// Returns the sessions that match, ordered by id. The router is asked page by page, so that alarms come between.
    pub async fn list(&self, filter: ClientFilter) -> Result<Vec<ClientView>, Busy> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let filter = filter.clone();
            let page = self.call(|reply| Command::List(filter, after, reply)).await?;
            all.extend(page.clients);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Returns how many sessions there are.
    pub async fn count(&self) -> Result<ClientCounts, Busy> {
        self.call(Command::Count).await
    }

    /// Returns what there is, in numbers.
    pub async fn census(&self) -> Result<Census, Busy> {
        self.call(Command::Census).await
    }

    /// Ends a session; false: there is none of that id.
    pub async fn disconnect(&self, session: SessionId) -> Result<bool, Busy> {
        self.call(|reply| Command::Disconnect(session, reply)).await
    }

    /// Announces a synthetic alarm.
    pub async fn test(&self, request: AlarmTestRequest) -> Result<Tested, Busy> {
        self.call(|reply| Command::Test(request, reply)).await
    }

    /// Returns once the router has come round to it.
    pub async fn ping(&self) -> Result<(), Busy> {
        self.call(Command::Ping).await
    }

    pub(super) async fn send(&self, command: Command) -> Result<(), Busy> {
        self.commands.send_timeout(command, COMMAND_DEADLINE).await.map_err(|_| Busy)
    }

    pub(super) async fn call<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        match tokio::time::timeout(COMMAND_DEADLINE, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}
