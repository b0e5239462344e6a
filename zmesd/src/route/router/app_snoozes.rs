//! `control/snooze`: an app snoozes its own phone, or all phones of its user.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tracing::info;
use zmes_providers::PushToken;
use zmes_shared::words::SnoozeOrigin;
use zmes_shared::{MonitorId, SessionId};

use super::Router;
use crate::domain::{MonitorFilter, Snooze, SnoozeId, SnoozeScope, TokenId};
use crate::protocol::{SnoozeRefusal, SnoozeStatement};
use crate::route::owners::Owners;
use crate::route::snooze_handle::SnoozeAuthor;
use crate::route::snoozes::MAX_SNOOZES;

/// Snoozes that one user can set with apps and buttons of notifications.
const PER_USER: usize = 100;
/// Snoozes that all users together can set so: an admin always has room for others.
const ALL_USERS: usize = MAX_SNOOZES / 2;

impl Router {
    /// Sets or ends all snoozes that the app names, or none of them. Returns until when they are set.
    ///
    /// This also changes a snooze that an admin set for the same phone and monitor. To silence a phone whatever its
    /// user does, admins have mute.
    pub(super) fn on_app_snooze(
        &mut self,
        session: SessionId,
        wish: &SnoozeStatement,
        hint: Option<&PushToken>,
    ) -> Result<Option<Timestamp>, SnoozeRefusal> {
        if !self.push.enabled {
            return Err(SnoozeRefusal::PushDisabled);
        }
        self.on_hint(session, hint);
        let Some(login) = self.sessions.login(session) else { return Ok(None) };
        let by = Owners::name(&login.user, self.auth_enabled());
        let monitors = self.named(&wish.monitors, |monitor| login.user.rights.allow(monitor))?;
        let scope = match self.attachments.token_of(session) {
            Some(token) => SnoozeScope::Token(token),
            None => SnoozeScope::User(by.clone()),
        };
        let address = self.sessions.get(session).map(|session| session.address().ip().to_string());
        if wish.minutes == 0 {
            let ended = self.woken(&monitors, &scope);
            info!(by, client = %session, address, "an app ends snoozes: {}", ended.len());
            self.end_snoozes(&ended, &SnoozeAuthor { by, origin: SnoozeOrigin::App });
            return Ok(None);
        }
        let now = Snooze::time(self.parts.clock.now());
        let until = now.saturating_add(Duration::from_mins(wish.minutes.into())).unwrap_or(Timestamp::MAX);
        self.make_room_for_snoozes(&monitors, &scope, &by)?;
        let mut ids = Vec::with_capacity(monitors.len());
        for monitor in &monitors {
            let snooze = Snooze {
                id: SnoozeId::default(),
                monitor: *monitor,
                scope: scope.clone(),
                since: now,
                until,
                hard: false,
                tell: true,
                by: by.clone(),
                origin: SnoozeOrigin::App,
            };
            let set = self.place_snooze(snooze).map_err(|_| SnoozeRefusal::TooMany)?;
            ids.push(set.snooze.id.0);
        }
        let (scope, origin) = (self.scope_named(&scope), SnoozeOrigin::App);
        info!(snoozes = ?ids, scope, %until, by, %origin, client = %session, address, "snooze set");
        Ok(Some(until))
    }

    /// Returns the monitors of a list, or `None` for all of them. Each must exist and be visible to the user.
    fn named(
        &self,
        monitors: &MonitorFilter,
        visible: impl Fn(MonitorId) -> bool,
    ) -> Result<Vec<Option<MonitorId>>, SnoozeRefusal> {
        let MonitorFilter::Only(only) = monitors else { return Ok(vec![None]) };
        let catalog = self.parts.catalog.borrow();
        let known = |id: &MonitorId| catalog.name_of(*id).is_some() && visible(*id);
        if !only.keys().all(known) {
            return Err(SnoozeRefusal::BadMonitorList);
        }
        Ok(only.keys().map(|id| Some(*id)).collect())
    }

    /// Returns the snoozes of this scope: for these monitors, or for any monitor if all are meant.
    fn woken(&self, monitors: &[Option<MonitorId>], scope: &SnoozeScope) -> Vec<SnoozeId> {
        let meant = |snooze: &&Snooze| {
            snooze.scope == *scope && (monitors.contains(&None) || monitors.contains(&snooze.monitor))
        };
        self.snoozes.all().map(|entry| &entry.snooze).filter(meant).map(|snooze| snooze.id).collect()
    }

    /// Refuses snoozes beyond the limits; those that are there already are only changed.
    pub(super) fn make_room_for_snoozes(
        &self,
        monitors: &[Option<MonitorId>],
        scope: &SnoozeScope,
        by: &str,
    ) -> Result<(), SnoozeRefusal> {
        let (mut own, mut of_apps, mut there) = (0, 0, BTreeSet::new());
        for snooze in self.snoozes.all().map(|entry| &entry.snooze) {
            if snooze.scope == *scope {
                there.insert(snooze.monitor);
            }
            if matches!(snooze.origin, SnoozeOrigin::App | SnoozeOrigin::Link) {
                of_apps += 1;
                own += usize::from(snooze.by == by);
            }
        }
        let new = monitors.iter().filter(|monitor| !there.contains(*monitor)).count();
        let fits = own + new <= PER_USER
            && of_apps + new <= ALL_USERS
            && self.snoozes.len() + new <= MAX_SNOOZES
            && self.unended.len() < MAX_SNOOZES;
        if new == 0 || fits { Ok(()) } else { Err(SnoozeRefusal::TooMany) }
    }

    /// Ends what an app or a button has set for a token that another user has registered: the phone has changed hands.
    pub(super) fn on_new_owner(&mut self, token: TokenId, owner: &str) {
        let own = |snooze: &&Snooze| {
            snooze.scope == SnoozeScope::Token(token)
                && matches!(snooze.origin, SnoozeOrigin::App | SnoozeOrigin::Link)
                && snooze.by != owner
        };
        let ids: Vec<_> =
            self.snoozes.all().map(|entry| &entry.snooze).filter(own).map(|own| own.id).collect();
        if !ids.is_empty() {
            self.end_snoozes(&ids, &SnoozeAuthor { by: owner.to_owned(), origin: SnoozeOrigin::App });
        }
    }
}
