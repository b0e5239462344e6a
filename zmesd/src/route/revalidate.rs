//! Rights are not fixed at login: each new catalog renews them or ends the session.
//!
//! Logins read the database themselves, so a login and the catalog may each know something that the other does not. The
//! later reading counts.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::time::Instant;
use zmes_zoneminder::User;

use super::sessions::SessionLogin;
use crate::monitors::Catalog;

/// Returns a login's user as in the catalog; `None` if the login is newer, so that the next catalog decides; `Err` with
/// the reason to end the session. A login from before `enforced_since`, when no credentials were required, proves
/// nothing.
pub(super) fn standing(
    login: &SessionLogin,
    catalog: &Catalog,
    enforced_since: Instant,
) -> Result<Option<Arc<User>>, &'static str> {
    let knows_more = catalog.read_at.is_none_or(|read_at| read_at < login.asked_at);
    if knows_more && login.asked_at >= enforced_since {
        return Ok(None);
    }
    let user = &login.user;
    let now = catalog.users.get(&user.name).ok_or("the user was deleted")?;
    if let Some(reason) = now.barred() {
        return Err(reason);
    }
    if now.password.expose_secret() != user.password.expose_secret() {
        return Err("the password was changed");
    }
    if login.pass.is_some_and(|pass| pass.revoked_for(now)) {
        return Err("the user's access tokens were revoked");
    }
    Ok(Some(Arc::clone(now)))
}
