//! Snooze buttons of notifications: who holds the link of one silences one camera for one token, and undoes that.

use std::time::Duration;

use jiff::Timestamp;
use tracing::info;
use zmes_shared::words::SnoozeOrigin;

use super::Router;
use crate::domain::{Snooze, SnoozeId, SnoozeScope};
use crate::route::snooze_handle::{LinkSnooze, LinkSnoozed, SnoozeAuthor};

impl Router {
    /// A second press changes nothing but the time, and never shortens a snooze.
    pub(super) fn on_link_snooze(&mut self, wish: &LinkSnooze) -> LinkSnoozed {
        let LinkSnooze { token, monitor, minutes, address } = *wish;
        if !self.may_see(token, monitor) {
            return LinkSnoozed::Refused;
        }
        let Some(entry) = self.tokens.get(token) else { return LinkSnoozed::Refused };
        let (by, handle) = (entry.token().user.clone(), entry.token().handle);
        // While auth is off a target has no user.
        let by = if by.is_empty() { handle.to_string() } else { by };
        let (scope, monitor, origin) = (SnoozeScope::Token(token), Some(monitor), SnoozeOrigin::Link);
        let own = |snooze: &&Snooze| snooze.scope == scope && snooze.monitor == monitor;
        let same = self.snoozes.all().map(|entry| &entry.snooze).find(own).cloned();
        if minutes == 0 {
            // Only what a button has set.
            if let Some(own) = same.filter(|snooze| snooze.origin == origin) {
                info!(snooze = %own.id, by, %origin, %address, "a button ends a snooze");
                self.end_snoozes(&[own.id], &SnoozeAuthor { by, origin });
            }
            return LinkSnoozed::Ended;
        }
        let now = Snooze::time(self.parts.clock.now());
        let until = now.saturating_add(Duration::from_mins(minutes.into())).unwrap_or(Timestamp::MAX);
        if let Some(longer) = same.as_ref().filter(|snooze| snooze.until >= until) {
            return LinkSnoozed::Set(longer.until);
        }
        if self.make_room_for_snoozes(&[monitor], &scope, &by).is_err() {
            return LinkSnoozed::TooMany;
        }
        let hard = same.is_some_and(|snooze| snooze.hard);
        let id = SnoozeId::default();
        let named = self.scope_named(&scope);
        let snooze =
            Snooze { id, monitor, scope, since: now, until, hard, tell: true, by: by.clone(), origin };
        let Ok(set) = self.place_snooze(snooze) else { return LinkSnoozed::TooMany };
        let monitor = monitor.map(|monitor| monitor.0);
        info!(snooze = %set.snooze.id, monitor, scope = named, %until, by, %origin, %address, "snooze set");
        LinkSnoozed::Set(until)
    }
}
