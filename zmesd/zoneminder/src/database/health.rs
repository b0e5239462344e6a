//! How the database answered last, for `status` and `check db`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::{DatabaseTrouble, DbError, DbHealth};

/// What a query was about. With an account that may read events but not users, successes and failures alternate: each
/// area has its own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Area {
    Monitors,
    Accounts,
    Events,
}

/// Owns the health; gets the outcome of every query.
#[derive(Debug)]
pub(super) struct Health {
    troubles: Mutex<Troubles>,
    health: watch::Sender<DbHealth>,
}

#[derive(Debug, Default)]
struct Troubles {
    /// Why the server did not answer; any answer ends this.
    unavailable: Option<DatabaseTrouble>,
    /// Why queries of an area fail; a success in the same area ends this.
    unexpected: BTreeMap<Area, DatabaseTrouble>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { troubles: Mutex::default(), health: watch::Sender::new(DbHealth::Untried) }
    }

    pub(super) fn watch(&self) -> watch::Receiver<DbHealth> {
        self.health.subscribe()
    }

    /// Records an outcome, and notifies watchers if the health changes.
    pub(super) fn record(&self, area: Area, failure: Option<&DbError>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.unavailable = None;
        match failure {
            None => drop(troubles.unexpected.remove(&area)),
            Some(DbError::Unexpected(cause)) => drop(troubles.unexpected.insert(area, cause.clone())),
            Some(DbError::Unavailable(cause)) => troubles.unavailable = Some(cause.clone()),
        }
        let now = match troubles.unavailable.iter().chain(troubles.unexpected.values()).next() {
            Some(cause) => DbHealth::Down(cause.clone()),
            None => DbHealth::Up,
        };
        self.health.send_if_modified(|health| {
            let changed = *health != now;
            *health = now;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(cause: &str) -> DbHealth {
        DbHealth::Down(DatabaseTrouble::late(cause))
    }

    #[test]
    fn any_answer_ends_an_outage() {
        let health = Health::new();
        let watch = health.watch();
        assert_eq!(*watch.borrow(), DbHealth::Untried);
        health.record(Area::Monitors, Some(&DbError::Unavailable(DatabaseTrouble::late("refused"))));
        assert_eq!(*watch.borrow(), down("refused"));
        health.record(Area::Events, None);
        assert_eq!(*watch.borrow(), DbHealth::Up);
    }

    #[test]
    fn what_one_area_may_not_read_stays_visible_while_another_answers() {
        let health = Health::new();
        let watch = health.watch();
        health.record(Area::Accounts, Some(&DbError::Unexpected(DatabaseTrouble::late("no grant"))));
        health.record(Area::Events, None);
        assert_eq!(*watch.borrow(), down("no grant"));
        health.record(Area::Accounts, None);
        assert_eq!(*watch.borrow(), DbHealth::Up);
    }

    #[test]
    fn the_same_outcome_again_wakes_nobody() {
        let health = Health::new();
        let mut watch = health.watch();
        health.record(Area::Events, None);
        watch.mark_unchanged();
        health.record(Area::Events, None);
        assert!(!watch.has_changed().unwrap());
    }
}
