//! The session table: who is connected, as whom, with which filter.

mod session;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::info;
use zmes_shared::SessionId;

use super::handle::{CloseReason, SessionOpening};
use super::revalidate::standing;
use crate::domain::MonitorFilter;
use crate::monitors::Catalog;
use crate::state::Device;

pub(super) use session::{FilterOrigin, Session, SessionLogin};
use zmes_zoneminder::{AccessPass, User};

#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
}

impl Sessions {
    pub(super) fn open(&mut self, opening: SessionOpening) -> SessionId {
        let session = Session::open(opening);
        let id = session.id();
        self.by_id.insert(id, session);
        id
    }

    pub(super) fn close(&mut self, id: SessionId) -> Option<Session> {
        self.by_id.remove(&id)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    /// Returns a session in order to send to it. Only this table can change its login.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn login(&self, id: SessionId) -> Option<&SessionLogin> {
        self.get(id)?.login.as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn authenticated(&self) -> usize {
        self.by_id.values().filter(|session| session.login.is_some()).count()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Session> {
        self.by_id.values()
    }

    pub(super) fn after(&self, id: Option<SessionId>) -> impl Iterator<Item = &Session> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_id.range((from, Bound::Unbounded)).map(|(_, session)| session)
    }

    pub(super) fn log_in(&mut self, id: SessionId, login: SessionLogin) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.login = Some(login);
        }
    }

    /// The same app has logged in again: its filter stays.
    pub(super) fn log_in_again(
        &mut self,
        id: SessionId,
        user: Arc<User>,
        pass: Option<AccessPass>,
        asked_at: Instant,
    ) {
        if let Some(login) = self.login_mut(id) {
            (login.user, login.pass, login.asked_at) = (user, pass, asked_at);
        }
    }

    pub(super) fn set_filter(
        &mut self,
        id: SessionId,
        filter: MonitorFilter,
        origin: FilterOrigin,
    ) -> Option<Device> {
        let login = self.login_mut(id)?;
        (login.filter, login.filter_origin) = (filter, origin);
        Some(login.device.clone())
    }

    /// Gives a session that is attached to a token the token's filter; returns the device that the session belongs to.
    pub(super) fn take_filter(&mut self, id: SessionId, filter: MonitorFilter) -> Option<Device> {
        let stated = self.login(id).map(|login| login.filter_origin).filter(|origin| origin.is_stated());
        self.set_filter(id, filter, stated.unwrap_or(FilterOrigin::Token))
    }

    /// Another session has taken over this one's token. The filter that this session once stated must not overwrite
    /// what the token's app states now.
    pub(super) fn lose_token(&mut self, id: SessionId) {
        if let Some(login) = self.login_mut(id) {
            login.filter_origin = FilterOrigin::Token;
        }
    }

    pub(super) fn set_badge(&mut self, id: SessionId, badge: u32) {
        if let Some(login) = self.login_mut(id) {
            login.badge = Some(badge);
        }
    }

    pub(super) fn take_badge(&mut self, id: SessionId) -> Option<u32> {
        self.login_mut(id)?.badge.take()
    }

    /// Tells a session to end. Returns false if no session has that id.
    pub(super) fn end(&mut self, id: SessionId, reason: CloseReason) -> bool {
        self.by_id.get_mut(&id).map(|session| session.end(reason)).is_some()
    }

    pub(super) fn end_expired(&mut self, now: Timestamp) {
        for session in self.by_id.values_mut() {
            let expired = session.expires_at().is_some_and(|expires_at| expires_at <= now);
            if expired && session.end(CloseReason::PassExpired) {
                info!(client = %session.id(), reason = "the access token has expired", "closing the session");
            }
        }
    }

    pub(super) fn renew_all(&mut self, catalog: &Catalog, enforced_since: Instant) {
        self.by_id.values_mut().for_each(|session| renew(session, catalog, enforced_since));
    }

    pub(super) fn renew(&mut self, id: SessionId, catalog: &Catalog, enforced_since: Instant) {
        if let Some(session) = self.by_id.get_mut(&id) {
            renew(session, catalog, enforced_since);
        }
    }

    fn login_mut(&mut self, id: SessionId) -> Option<&mut SessionLogin> {
        self.by_id.get_mut(&id)?.login.as_mut()
    }
}

fn renew(session: &mut Session, catalog: &Catalog, enforced_since: Instant) {
    let id = session.id();
    let Some(login) = &mut session.login else { return };
    match standing(login, catalog, enforced_since) {
        Ok(None) => {}
        Ok(Some(user)) => login.user = user,
        Err(reason) => {
            info!(client = %id, user = login.user.name, reason, "closing the session");
            session.end(CloseReason::UserRevoked);
        }
    }
}

#[cfg(test)]
mod tests;
