//! The bcrypt cost that every wrong login is padded to: the highest of any user in this installation.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret;
use tokio::sync::watch;
use zmes_zoneminder::User;
use zmes_zoneminder::password::{USUAL_COST, cost};

use crate::monitors::Catalog;

#[derive(Debug)]
pub(super) struct Costs {
    catalog: watch::Receiver<Arc<Catalog>>,
    /// The last catalog used, with its highest cost.
    last: Mutex<Option<(Arc<Catalog>, u32)>>,
}

impl Costs {
    pub(super) fn new(catalog: watch::Receiver<Arc<Catalog>>) -> Self {
        Self { catalog, last: Mutex::default() }
    }

    /// Returns the highest cost of all users, including the user just found.
    pub(super) fn highest(&self, found: Option<&User>) -> u32 {
        let own = found.and_then(|user| cost(user.password.expose_secret()));
        self.of_catalog().max(own.unwrap_or_default())
    }

    fn of_catalog(&self) -> u32 {
        let now = Arc::clone(&self.catalog.borrow());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seen, highest)) = &*last
            && Arc::ptr_eq(seen, &now)
        {
            return *highest;
        }
        let costs = now.users.values().filter_map(|user| cost(user.password.expose_secret()));
        let highest = costs.max().unwrap_or(USUAL_COST);
        *last = Some((now, highest));
        highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zmes_zoneminder::MonitorRights;

    fn user(stored: &str) -> Arc<User> {
        Arc::new(User {
            name: "amy".to_owned(),
            password: stored.to_owned().into(),
            enabled: true,
            api_enabled: true,
            may_see_events: true,
            token_min_expiry: 0,
            rights: MonitorRights::All,
        })
    }

    fn of_cost(cost: u32) -> Arc<User> {
        user(&format!("$2y${cost:02}$zmesdzmesdzmesdzmesdze.TI.Jsg1LanDzRN/YejBoG4./yZrisC"))
    }

    #[test]
    fn the_cost_is_that_of_the_users_and_changes_with_them() {
        let (catalog, costs) = watch::channel(Arc::default());
        let costs = Costs::new(costs);
        assert_eq!(costs.highest(None), USUAL_COST, "no user is known yet");
        let put = |users: Vec<Arc<User>>| {
            let users = users.into_iter().enumerate().map(|(id, user)| (id.to_string(), user)).collect();
            catalog.send_replace(Arc::new(Catalog { users, ..Catalog::default() }));
        };
        put(vec![of_cost(10), of_cost(12), user("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19")]);
        assert_eq!(costs.highest(None), 12, "PHP 8.4 made some of them");
        assert_eq!(costs.highest(Some(&of_cost(13))), 13, "newer than the catalog");
        put(vec![of_cost(11)]);
        assert_eq!(costs.highest(None), 11);
        put(vec![user("plain")]);
        assert_eq!(costs.highest(None), USUAL_COST);
    }
}
