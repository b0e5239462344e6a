//! The session table: who is connected, as whom, with which filter.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use zmes_shared::control::ClientState;
use zmes_shared::views::ClientView;
use zmes_shared::{MonitorId, SessionId};

use super::handle::{CloseReason, Outgoing, SessionOpening};
use super::policy::{Receiver, decide};
use crate::domain::{Decision, MonitorFilter, MonitorRights, MonitorSet, SkipReason, User};
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
    pub(super) device: Device,
    pub(super) filter: MonitorFilter,
    pub(super) last_sent: BTreeMap<MonitorId, Timestamp>,
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

    /// Decides on an alarm of `monitor`; `throttled` says whether intervals count (they do not for tests).
    pub(super) fn decide(&self, monitor: MonitorId, now: Timestamp, throttled: bool) -> Decision {
        let Some(login) = &self.login else { return Decision::Skip(SkipReason::Pending) };
        let last_sent = login.last_sent.get(&monitor).copied().filter(|_| throttled);
        decide(monitor, now, Receiver { rights: &login.user.rights, filter: &login.filter, last_sent })
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

    /// Returns the session as `clients list` and `watch` show it.
    pub(super) fn view(&self, monitors: &MonitorSet) -> ClientView {
        let login = self.login.as_ref();
        ClientView {
            id: self.id,
            address: self.address.to_string(),
            user: login.map(|login| login.user.name.clone()),
            state: if login.is_some() { ClientState::Authenticated } else { ClientState::Pending },
            app: login.and_then(|login| login.app.clone()),
            connected_at: self.connected_at,
            monitors: login.map_or(Some(Vec::new()), |login| login.visible(monitors)),
            token: None,
            queued: (self.outbox.max_capacity() - self.outbox.capacity()) as u64,
            sent: self.sent,
        }
    }
}

impl LoggedIn {
    /// Returns the monitors that both filter and rights let through; `None`: all, also those to come.
    fn visible(&self, monitors: &MonitorSet) -> Option<Vec<MonitorId>> {
        if self.filter == MonitorFilter::All && self.user.rights == MonitorRights::All {
            return None;
        }
        let wanted = |id: MonitorId| self.user.rights.allow(id) && self.filter.interval(id).is_some();
        Some(monitors.iter().map(|monitor| monitor.id).filter(|&id| wanted(id)).collect())
    }
}
