//! The session table: who is connected, as whom, with which filter.

mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::info;
use zmes_shared::SessionId;

use super::handle::{CloseReason, SessionOpening};
use super::revalidate::{CatalogStanding, standing};
use crate::domain::MonitorFilter;
use crate::monitors::Catalog;
use crate::state::Device;

pub(super) use session::{FilterOrigin, Session, SessionLogin};
use zmes_zoneminder::{AccessPass, User};

/// The sessions, and when their access tokens expire: for each session that logged in by one, one entry.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
    passes: BTreeSet<(Timestamp, SessionId)>,
}

impl Sessions {
    pub(super) fn open(&mut self, opening: SessionOpening) -> SessionId {
        let session = Session::open(opening);
        let id = session.id();
        self.by_id.insert(id, session);
        id
    }

    pub(super) fn close(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        self.forget_pass(session.expires_at(), id);
        Some(session)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    /// Returns a session to send it something; its login can only be changed by this table.
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
        let Some(session) = self.by_id.get_mut(&id) else { return };
        let before = session.expires_at();
        session.login = Some(login);
        let after = session.expires_at();
        self.forget_pass(before, id);
        self.passes.extend(after.map(|expires_at| (expires_at, id)));
    }

    /// The same app has logged in again: what it stated stays.
    pub(super) fn log_in_again(
        &mut self,
        id: SessionId,
        user: Arc<User>,
        pass: Option<AccessPass>,
        asked_at: Instant,
    ) {
        let Some(session) = self.by_id.get_mut(&id) else { return };
        let before = session.expires_at();
        if let Some(login) = session.login.take() {
            self.forget_pass(before, id);
            self.log_in(id, SessionLogin { user, asked_at, pass, ..login });
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

    /// Another session has taken this one's token over. What it once stated must not come back over what the token's
    /// app states now.
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

    /// Tells a session to end; false: there is no session of that id.
    pub(super) fn end(&mut self, id: SessionId, reason: CloseReason) -> bool {
        self.by_id.get_mut(&id).map(|session| session.end(reason)).is_some()
    }

    pub(super) fn end_expired(&mut self, now: Timestamp) {
        while let Some(&(expires_at, id)) = self.passes.first()
            && expires_at <= now
        {
            self.passes.remove(&(expires_at, id));
            info!(client = %id, reason = "the access token has expired", "closing the session");
            self.end(id, CloseReason::PassExpired);
        }
    }

    pub(super) fn any_expire(&self) -> bool {
        !self.passes.is_empty()
    }

    pub(super) fn renew_all(&mut self, catalog: &Catalog, enforced_since: Instant) {
        self.by_id.values_mut().for_each(|session| renew(session, catalog, enforced_since));
    }

    pub(super) fn renew(&mut self, id: SessionId, catalog: &Catalog, enforced_since: Instant) {
        if let Some(session) = self.by_id.get_mut(&id) {
            renew(session, catalog, enforced_since);
        }
    }

    fn forget_pass(&mut self, expires_at: Option<Timestamp>, id: SessionId) {
        if let Some(expires_at) = expires_at {
            self.passes.remove(&(expires_at, id));
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
        CatalogStanding::Unchanged => {}
        CatalogStanding::Renewed(user) => login.user = user,
        CatalogStanding::Revoked(reason) => {
            info!(client = %id, user = login.user.name, reason, "closing the session");
            session.end(CloseReason::UserRevoked);
        }
    }
}

#[cfg(test)]
mod tests;
