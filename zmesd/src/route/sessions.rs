//! The session table: who is connected, as whom, with which filter.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use zmes_shared::control::ClientState;
use zmes_shared::views::{ClientView, FilterFrom as Shown};
use zmes_shared::{MonitorId, SessionId};
use zmes_zoneminder::{AccessPass, MonitorRights, MonitorSet, User};

use super::handle::{CloseReason, Outgoing, SessionOpening};
use super::tokens::Tokens;
use crate::domain::{App, MonitorFilter, TokenId};
use crate::state::Device;

/// One WebSocket connection, as the router knows it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) address: SocketAddr,
    connected_at: Timestamp,
    outbox: mpsc::Sender<Outgoing>,
    /// Taken when the session is told to end; from then on it gets nothing.
    kick: Option<oneshot::Sender<CloseReason>>,
    pub(super) login: Option<LoggedIn>,
    sent: u64,
}

/// What authentication adds to a session.
#[derive(Debug)]
pub(super) struct LoggedIn {
    pub(super) user: Arc<User>,
    pub(super) app: Option<String>,
    /// Its user was read from the database later than this.
    pub(super) asked_at: Instant,
    /// Which app it seems to be.
    pub(super) kind: App,
    pub(super) device: Device,
    pub(super) filter: MonitorFilter,
    /// Who stated that filter.
    pub(super) filter_from: FilterFrom,
    /// It came in by an access token, and must leave with it.
    pub(super) pass: Option<AccessPass>,
    /// The token that the session is attached to.
    pub(super) token: Option<TokenId>,
    /// The number on the app's icon, for the token that it registers next.
    pub(super) badge: Option<u32>,
    pub(super) last_sent: BTreeMap<MonitorId, Timestamp>,
}

/// Where a session's filter comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterFrom {
    /// `auth` or `control/filter` of this session.
    Statement,
    /// `push/token` of this session: a later one may take it back.
    Registration,
    /// The token that the session is, or was, attached to.
    Token,
    /// The session before, which broke.
    Reconnect,
    /// Nothing: all monitors.
    Nothing,
}

impl FilterFrom {
    /// Says whether the app has stated it in this session.
    pub(super) fn is_stated(self) -> bool {
        matches!(self, Self::Statement | Self::Registration)
    }

    fn shown(self) -> Shown {
        match self {
            Self::Statement | Self::Registration => Shown::Stated,
            Self::Token => Shown::Token,
            Self::Reconnect => Shown::Reconnect,
            Self::Nothing => Shown::Default,
        }
    }
}

/// What became of an attempt to put a frame into an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queued {
    /// It is there.
    Yes,
    /// The outbox is full: the app does not read.
    Full,
    /// The session is ending.
    Gone,
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

    /// Queues a frame without waiting.
    pub(super) fn queue(&mut self, frame: Outgoing) -> Queued {
        if self.kick.is_none() {
            return Queued::Gone;
        }
        match self.outbox.try_send(frame) {
            Ok(()) => {
                self.sent += 1;
                Queued::Yes
            }
            Err(TrySendError::Full(_)) => Queued::Full,
            Err(TrySendError::Closed(_)) => Queued::Gone,
        }
    }

    /// Tells the session to end at once; a second call does nothing.
    pub(super) fn end(&mut self, reason: CloseReason) {
        if let Some(kick) = self.kick.take() {
            // An error only says that the session is ending already.
            kick.send(reason).ok();
        }
    }

    /// Returns when the access token expires by which it came in.
    pub(super) fn pass_expires_at(&self) -> Option<Timestamp> {
        Some(self.login.as_ref()?.pass?.expires_at)
    }

    /// Returns the session as `clients list` and `watch` show it.
    pub(super) fn view(&self, monitors: &MonitorSet, tokens: &Tokens) -> ClientView {
        let login = self.login.as_ref();
        let entry = login.and_then(|login| tokens.get(login.token?));
        ClientView {
            id: self.id,
            address: self.address.to_string(),
            user: login.map(|login| login.user.name.clone()),
            state: if login.is_some() { ClientState::Authenticated } else { ClientState::Pending },
            app: login.and_then(|login| login.app.clone()),
            connected_at: self.connected_at,
            monitors: login.map_or(Some(Vec::new()), |login| login.visible(monitors)),
            filter_from: login.map(|login| login.filter_from.shown()),
            token: entry.map(|entry| entry.token().handle.to_string()),
            queued: (self.outbox.max_capacity() - self.outbox.capacity()) as u64,
            sent: self.sent,
        }
    }
}

impl LoggedIn {
    /// Somebody who has just come in, of whom nothing is known yet.
    pub(super) fn new(
        user: Arc<User>,
        pass: Option<AccessPass>,
        asked_at: Instant,
        app: Option<String>,
        device: Device,
    ) -> Self {
        Self {
            user,
            app,
            asked_at,
            kind: device.kind,
            device,
            filter: MonitorFilter::All,
            filter_from: FilterFrom::Nothing,
            pass,
            token: None,
            badge: None,
            last_sent: BTreeMap::new(),
        }
    }

    /// Returns the monitors that both filter and rights let through; `None`: all, also those to come.
    fn visible(&self, monitors: &MonitorSet) -> Option<Vec<MonitorId>> {
        if self.filter == MonitorFilter::All && self.user.rights == MonitorRights::All {
            return None;
        }
        let wanted = |id: MonitorId| self.user.rights.allow(id) && self.filter.interval(id).is_some();
        Some(monitors.iter().map(|monitor| monitor.id).filter(|&id| wanted(id)).collect())
    }
}
