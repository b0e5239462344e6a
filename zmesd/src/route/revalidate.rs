//! Rights are not frozen at login: each new catalog renews them or ends the session.
//!
//! Logins read the database by themselves, so a login and the catalog may each know what the other does not yet. Of
//! the two, the later reading counts.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::time::Instant;
use zmes_zoneminder::User;

use super::sessions::SessionLogin;
use crate::monitors::Catalog;

#[derive(Debug)]
pub(super) enum CatalogStanding {
    /// The login knows more than the catalog: the next one decides.
    Unchanged,
    Renewed(Arc<User>),
    /// No longer: deleted, disabled, with another password, or by an access token that was revoked.
    Revoked(&'static str),
}

/// Compares a login with the catalog, unless its credentials were checked after the catalog was read. A login of before
/// `enforced_since`, when no credentials were asked for, proves nothing.
pub(super) fn standing(login: &SessionLogin, catalog: &Catalog, enforced_since: Instant) -> CatalogStanding {
    let knows_more = catalog.read_at.is_none_or(|read_at| read_at < login.asked_at);
    if knows_more && login.asked_at >= enforced_since {
        return CatalogStanding::Unchanged;
    }
    let user = &login.user;
    let Some(now) = catalog.users.get(&user.name) else {
        return CatalogStanding::Revoked("the user was deleted");
    };
    if let Some(reason) = now.barred() {
        return CatalogStanding::Revoked(reason);
    }
    if now.password.expose_secret() != user.password.expose_secret() {
        return CatalogStanding::Revoked("the password was changed");
    }
    if login.pass.is_some_and(|pass| pass.revoked_for(now)) {
        return CatalogStanding::Revoked("the user's access tokens were revoked");
    }
    CatalogStanding::Renewed(Arc::clone(now))
}
