//! The rights of a token's owner at the moment of an alarm.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use zmes_zoneminder::{MonitorRights, User};

use crate::monitors::Catalog;

/// Suffix for owners of tokens that are registered while auth is off, so that an unauthenticated app cannot claim an
/// existing user such as `admin`. Once auth is on again, nothing is pushed to such a token until its app has registered
/// anew.
const UNPROVEN: &str = " (unproven)";

/// Owners missing from the catalog so far: users whose login read the database after the catalog did.
#[derive(Debug, Default)]
pub(super) struct Owners {
    fresh: BTreeMap<String, (Arc<User>, Instant)>,
}

impl Owners {
    pub(super) fn name(user: &User, auth_enabled: bool) -> String {
        let proven = if auth_enabled { "" } else { UNPROVEN };
        format!("{}{proven}", user.name)
    }

    /// Remembers a user whose login began to read the database at `asked_at`, unless the catalog has that name.
    pub(super) fn remember(&mut self, user: Arc<User>, asked_at: Instant, catalog: &Catalog) {
        if !catalog.users.contains_key(&user.name) {
            self.fresh.insert(user.name.clone(), (user, asked_at));
        }
    }

    /// Returns the names of those whom the catalog does not have.
    pub(super) fn fresh_names(&self) -> Vec<String> {
        self.fresh.keys().cloned().collect()
    }

    /// Forgets users who logged in before the catalog was read: it has them, or they are gone.
    pub(super) fn on_catalog(&mut self, catalog: &Catalog) {
        self.fresh.retain(|_, (_, asked_at)| catalog.read_at.is_none_or(|read_at| read_at < *asked_at));
    }

    /// Returns the current rights of an owner; `None` if the user does not exist or is barred.
    ///
    /// A token without an owner (imported), and every token while auth is off, may get all monitors. Until the catalog
    /// has been read for the first time, owners have no rights: an alarm that a user must not see is worse than a late
    /// one. (Without a catalog no monitor is polled, so the only possible alarm is a test.)
    pub(super) fn rights<'a>(
        &'a self,
        owner: &str,
        auth_enabled: bool,
        catalog: &'a Catalog,
    ) -> Option<&'a MonitorRights> {
        if owner.is_empty() || !auth_enabled {
            return Some(&MonitorRights::All);
        }
        let fresh = || self.fresh.get(owner).map(|(user, _)| user);
        let user = catalog.users.get(owner).or_else(fresh)?;
        user.barred().is_none().then_some(&user.rights)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn amy(enabled: bool) -> Arc<User> {
        Arc::new(User {
            name: "amy".to_owned(),
            password: String::new().into(),
            enabled,
            api_enabled: true,
            may_see_events: true,
            token_min_expiry: 0,
            rights: MonitorRights::All,
        })
    }

    fn catalog(users: &[Arc<User>], read_at: Instant) -> Catalog {
        let users = users.iter().map(|user| (user.name.clone(), Arc::clone(user))).collect();
        Catalog { users, read_at: Some(read_at), ..Catalog::default() }
    }

    #[test]
    fn a_user_who_logged_in_after_the_catalog_was_read_counts_until_the_next_catalog() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let (mut owners, empty) = (Owners::default(), catalog(&[], now));
        assert_eq!(owners.rights("amy", true, &empty), None);
        owners.remember(amy(true), later, &empty);
        owners.on_catalog(&empty);
        assert_eq!(owners.rights("amy", true, &empty), Some(&MonitorRights::All));
        let next = catalog(&[], later);
        owners.on_catalog(&next);
        assert_eq!(owners.rights("amy", true, &next), None, "deleted meanwhile");
    }

    #[test]
    fn the_catalog_counts_for_more_than_a_login() {
        let now = Instant::now();
        let mut owners = Owners::default();
        owners.remember(amy(true), now, &catalog(&[], now));
        assert_eq!(owners.rights("amy", true, &catalog(&[amy(false)], now)), None, "disabled");
    }

    #[test]
    fn tokens_without_an_owner_and_all_tokens_without_auth_may_get_everything() {
        let (owners, catalog) = (Owners::default(), catalog(&[], Instant::now()));
        assert_eq!(owners.rights("", true, &catalog), Some(&MonitorRights::All));
        assert_eq!(owners.rights("bob", false, &catalog), Some(&MonitorRights::All));
        let unproven = Owners::name(&amy(true), false);
        assert_eq!(unproven, "amy (unproven)");
        assert_eq!(owners.rights(&unproven, true, &catalog), None);
    }
}
