//! Rights are not frozen at login: each new catalog renews them or ends the session.

use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::domain::User;
use crate::monitors::Catalog;

/// What a new catalog means for a user who is connected.
#[derive(Debug)]
pub(super) enum Standing {
    /// Still welcome, with these rights.
    Renewed(Arc<User>),
    /// No longer: deleted, disabled, or with another password.
    Revoked(&'static str),
}

/// Looks a connected user up in a new catalog.
pub(super) fn standing(user: &User, catalog: &Catalog) -> Standing {
    let Some(now) = catalog.users.get(&user.name) else { return Standing::Revoked("the user was deleted") };
    if let Some(reason) = now.barred() {
        return Standing::Revoked(reason);
    }
    if now.password.expose_secret() != user.password.expose_secret() {
        return Standing::Revoked("the password was changed");
    }
    Standing::Renewed(Arc::clone(now))
}
