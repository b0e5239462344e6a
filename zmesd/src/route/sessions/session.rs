//! One session as the router knows it: a WebSocket, and its login once there is one.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_shared::control::ClientState;
use zmes_shared::views::{ClientView, FilterFrom as ShownOrigin};
use zmes_shared::{MonitorId, SessionId};

use crate::domain::{Decision, MonitorFilter, SkipReason};
use crate::route::handle::{CloseReason, Outgoing, SessionOpening, WriteReport};
use crate::route::tokens::SentTimes;
use crate::state::Device;
use zmes_providers::TokenHandle;
use zmes_zoneminder::{AccessPass, MonitorRights, MonitorSet, User};

#[derive(Debug)]
pub(in crate::route) struct Session {
    id: SessionId,
    address: SocketAddr,
    connected_at: Timestamp,
    outbox: mpsc::Sender<Outgoing>,
    /// Taken when the session is told to end; after that it gets nothing.
    kick: Option<oneshot::Sender<CloseReason>>,
    pub(super) login: Option<SessionLogin>,
    sent: u64,
}

#[derive(Debug)]
pub(in crate::route) struct SessionLogin {
    pub(in crate::route) user: Arc<User>,
    /// When the check of the credentials began: the user was read from the database after that.
    pub(in crate::route) asked_at: Instant,
    /// The access token of the login, if one was used: the session ends with it.
    pub(in crate::route) pass: Option<AccessPass>,
    pub(in crate::route) device: Device,
    pub(in crate::route) filter: MonitorFilter,
    pub(in crate::route) filter_origin: FilterOrigin,
    /// The number on the app's icon, for the token that it registers next.
    pub(in crate::route) badge: Option<u32>,
    pub(in crate::route) sent: SentTimes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::route) enum FilterOrigin {
    /// `auth` or `control/filter` of this session.
    Statement,
    /// `push/token` of this session: a later `push/token` may undo it.
    Registration,
    /// The token that the session is, or was, attached to.
    Token,
    /// The previous session, whose connection broke.
    Reconnect,
    Nothing,
}

impl FilterOrigin {
    /// Returns whether the app has stated it in this session.
    pub(in crate::route) fn is_stated(self) -> bool {
        matches!(self, Self::Statement | Self::Registration)
    }

    fn shown(self) -> ShownOrigin {
        match self {
            Self::Statement | Self::Registration => ShownOrigin::Stated,
            Self::Token => ShownOrigin::Token,
            Self::Reconnect => ShownOrigin::Reconnect,
            Self::Nothing => ShownOrigin::Default,
        }
    }
}

impl Session {
    pub(super) fn open(opening: SessionOpening) -> Self {
        Self {
            id: opening.id,
            address: opening.address,
            connected_at: opening.connected_at,
            outbox: opening.outbox,
            kick: Some(opening.kick),
            login: None,
            sent: 0,
        }
    }

    pub(in crate::route) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(in crate::route) fn id(&self) -> SessionId {
        self.id
    }

    pub(in crate::route) fn login(&self) -> Option<&SessionLogin> {
        self.login.as_ref()
    }

    pub(in crate::route) fn state(&self) -> ClientState {
        if self.login.is_some() { ClientState::Authenticated } else { ClientState::Pending }
    }

    /// Queues a frame without waiting. A session that does not read is told to end; it is counted when it ends.
    pub(in crate::route) fn deliver(
        &mut self,
        frame: &Utf8Bytes,
        receipts: Option<&mpsc::Sender<WriteReport>>,
    ) -> Decision {
        if self.kick.is_none() {
            return Decision::Skip(SkipReason::Ending);
        }
        let outgoing = match receipts {
            Some(receipts) => Outgoing::Tracked(Box::new((frame.clone(), receipts.clone()))),
            None => Outgoing::Frame(frame.clone()),
        };
        match self.outbox.try_send(outgoing) {
            Ok(()) => {
                self.sent += 1;
                Decision::Send
            }
            Err(TrySendError::Closed(_)) => Decision::Skip(SkipReason::Ending),
            Err(TrySendError::Full(_)) => {
                self.end(CloseReason::Slow);
                Decision::Skip(SkipReason::Slow)
            }
        }
    }

    /// Records that the session got an alarm. Returns `None` if its filter has no interval for the monitor.
    pub(in crate::route) fn note_sent(&mut self, monitor: MonitorId, at: Timestamp) -> Option<&Device> {
        let login = self.login.as_mut()?;
        login.filter.interval(monitor).filter(|interval| !interval.is_zero())?;
        login.sent.insert(monitor, at);
        Some(&login.device)
    }

    /// Tells the session to end at once. Returns false if it was told before.
    pub(in crate::route) fn end(&mut self, reason: CloseReason) -> bool {
        let Some(kick) = self.kick.take() else { return false };
        // An error only means that the session is already ending.
        kick.send(reason).ok();
        true
    }

    pub(in crate::route) fn expires_at(&self) -> Option<Timestamp> {
        Some(self.login.as_ref()?.pass?.expires_at)
    }

    /// Returns the session as `clients list` and `watch` show it; `token` is the one that it is attached to.
    pub(in crate::route) fn view(&self, monitors: &MonitorSet, token: Option<TokenHandle>) -> ClientView {
        let login = self.login.as_ref();
        ClientView {
            id: self.id,
            address: self.address.to_string(),
            user: login.map(|login| login.user.name.clone()),
            state: self.state(),
            app: login.and_then(SessionLogin::version),
            connected_at: self.connected_at,
            monitors: login.map_or(Some(Vec::new()), |login| login.visible(monitors)),
            filter_from: login.map(|login| login.filter_origin.shown()),
            token: token.map(|handle| handle.to_string()),
            queued: (self.outbox.max_capacity() - self.outbox.capacity()) as u64,
            sent: self.sent,
        }
    }
}

impl SessionLogin {
    pub(in crate::route) fn new(
        user: Arc<User>,
        pass: Option<AccessPass>,
        asked_at: Instant,
        device: Device,
    ) -> Self {
        Self {
            user,
            asked_at,
            pass,
            device,
            filter: MonitorFilter::All,
            filter_origin: FilterOrigin::Nothing,
            badge: None,
            sent: SentTimes::default(),
        }
    }

    pub(in crate::route) fn version(&self) -> Option<String> {
        self.device.is_told_apart().then(|| self.device.app.clone())
    }

    pub(in crate::route) fn stated_filter(&self) -> Option<&MonitorFilter> {
        self.filter_origin.is_stated().then_some(&self.filter)
    }

    /// Returns the monitors that both filter and rights allow; `None` means all, including future ones.
    fn visible(&self, monitors: &MonitorSet) -> Option<Vec<MonitorId>> {
        if self.filter == MonitorFilter::All && self.user.rights == MonitorRights::All {
            return None;
        }
        let both = |id: MonitorId| self.user.rights.allow(id) && self.filter.interval(id).is_some();
        Some(monitors.iter().map(|monitor| monitor.id).filter(|&id| both(id)).collect())
    }
}
