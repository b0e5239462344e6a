//! The one who decides about a login.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::limiter::Limiter;
use super::password::{MAX_PASSWORD, Outcome, Passwords};
use super::{Credentials, Login, Verdict, jwt};
use crate::config::AuthConfig;
use crate::domain::{AccessPass, MonitorRights, User};
use crate::ports::{AccountStore, Clock, DbError, LoginCheck};
use crate::telemetry::Counters;

/// Longest user name that is looked up; ZoneMinder's have at most 64 characters.
const MAX_NAME: usize = 256;

/// Characters of a user name that nobody has vouched for, in logs and as a name where `auth.enabled` is false.
const SHOWN_NAME: usize = 64;

/// Users of whose unusable password the operator was told; more than that get it at debug level only.
const MAX_TOLD: usize = 1024;

/// What is said when the database is away; an app that hears `BADAUTH` instead might never come again.
const NO_DATABASE: &str = "the database is not available";

/// Checks credentials against ZoneMinder's users as they are now; shared by all sessions.
///
/// Owns the record of failures. Each login asks the database, so that a password that was changed, and a user who was
/// disabled, count at once. Ends within about 20 s whatever the database does.
#[derive(Debug)]
pub struct Authenticator {
    accounts: Arc<dyn AccountStore>,
    config: watch::Receiver<AuthConfig>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    limiter: Limiter,
    passwords: Passwords,
    told: Mutex<HashSet<String>>,
}

impl Authenticator {
    /// Makes an authenticator that follows changes of its configuration.
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        config: watch::Receiver<AuthConfig>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            accounts,
            config,
            clock,
            counters,
            limiter: Limiter::new(),
            passwords: Passwords::new(),
            told: Mutex::default(),
        }
    }

    /// Decides about a login.
    pub async fn verify(&self, login: Login) -> Verdict {
        let Login { credentials, address } = login;
        let address = address.to_canonical();
        if !self.config.borrow().enabled {
            let user = anybody(&credentials);
            return Verdict::Accepted(Arc::new(user));
        }
        match credentials {
            Credentials::Password { user, password } => {
                let verdict = self.by_password(address, &user, password).await;
                self.conclude(address, Some(&user), verdict)
            }
            Credentials::AccessToken(token) => {
                let (user, pass) = match self.by_token(address, &token).await {
                    Ok((user, pass)) => (Ok(user), Some(pass)),
                    Err(refusal) => (Err(refusal), None),
                };
                match (self.conclude(address, None, user), pass) {
                    (Verdict::Accepted(user), Some(pass)) => Verdict::AcceptedUntil(user, pass),
                    (verdict, _) => verdict,
                }
            }
        }
    }

    async fn by_password(
        &self,
        address: IpAddr,
        name: &str,
        password: SecretString,
    ) -> Result<User, Refusal> {
        if !self.limiter.allows(address, Some(name)) {
            return Err(Refusal::Throttled);
        }
        if name.len() > MAX_NAME || password.expose_secret().len() > MAX_PASSWORD {
            return Err(Refusal::Rejected("user name or password too long"));
        }
        let user = self.accounts.find(name).await.map_err(|error| unavailable(&error))?;
        let busy = || Refusal::Unavailable("too many logins at once");
        let turn = self.passwords.turn().await.ok_or_else(busy)?;
        // Those who waited beside this one may have failed meanwhile.
        if !self.limiter.allows(address, Some(name)) {
            return Err(Refusal::Throttled);
        }
        let stored = user.as_ref().map(|user| user.password.clone());
        let outcome = Passwords::check(turn, stored, password).await;
        let user = user.ok_or(Refusal::Rejected("unknown user"))?;
        match outcome {
            Outcome::Match => admit(user),
            Outcome::Mismatch => Err(Refusal::Rejected("wrong password")),
            Outcome::Unusable(reason) => {
                self.tell(&user.name, reason);
                Err(Refusal::Rejected(reason))
            }
            Outcome::Busy => Err(busy()),
        }
    }

    async fn by_token(&self, address: IpAddr, token: &SecretString) -> Result<(User, AccessPass), Refusal> {
        if !self.limiter.allows(address, None) {
            return Err(Refusal::Throttled);
        }
        let secret = self.accounts.token_secret().await.map_err(|error| unavailable(&error))?;
        let secret = secret.as_ref().map_or("", |secret| secret.expose_secret());
        let claims = jwt::read(token.expose_secret(), secret, self.clock.now()).map_err(Refusal::Rejected)?;
        let user = self.accounts.find(&claims.user).await.map_err(|error| unavailable(&error))?;
        let user = user.ok_or(Refusal::Rejected("unknown user"))?;
        let pass = claims.pass();
        if pass.revoked_for(&user) {
            return Err(Refusal::Rejected("the user's tokens of that time were revoked"));
        }
        Ok((admit(user)?, pass))
    }

    /// Turns the outcome into a verdict, in the log and in the record of failures.
    fn conclude(&self, address: IpAddr, name: Option<&str>, outcome: Result<User, Refusal>) -> Verdict {
        let user = name.map(shown);
        match outcome {
            Ok(user) => Verdict::Accepted(Arc::new(user)),
            Err(Refusal::Rejected(reason)) => {
                self.limiter.failed(address, name.filter(|name| name.len() <= MAX_NAME));
                self.counters.rejected.increment();
                info!(%address, ?user, reason, "Bad authentication provided by {address}");
                Verdict::Rejected(reason)
            }
            Err(Refusal::Throttled) => {
                self.counters.rejected.increment();
                debug!(%address, ?user, reason = "too many failures", "Bad authentication provided by {address}");
                Verdict::Throttled
            }
            Err(Refusal::Unavailable(reason)) => {
                debug!(%address, ?user, reason, "login not decided");
                Verdict::Unavailable(reason)
            }
        }
    }

    /// Tells the operator once of a password that only the operator can mend.
    fn tell(&self, name: &str, reason: &'static str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MAX_TOLD && told.insert(name.to_owned()) {
            warn!(user = ?name, reason, "this user cannot log in");
        }
    }
}

#[async_trait]
impl LoginCheck for Authenticator {
    async fn verify(&self, login: Login) -> Verdict {
        Self::verify(self, login).await
    }
}

/// Why a login does not succeed.
#[derive(Debug)]
enum Refusal {
    Rejected(&'static str),
    Throttled,
    Unavailable(&'static str),
}

fn unavailable(error: &DbError) -> Refusal {
    debug!(%error, "cannot look up the user");
    Refusal::Unavailable(NO_DATABASE)
}

/// Lets in who has proved to be that user, unless ZoneMinder bars the user.
fn admit(user: User) -> Result<User, Refusal> {
    match user.barred() {
        Some(reason) => Err(Refusal::Rejected(reason)),
        None => Ok(user),
    }
}

/// Makes the user that everybody is where `auth.enabled` is false.
fn anybody(credentials: &Credentials) -> User {
    let name = match credentials {
        Credentials::Password { user, .. } if !user.trim().is_empty() => shown(user),
        Credentials::Password { .. } | Credentials::AccessToken(_) => "anonymous".to_owned(),
    };
    User {
        name,
        password: SecretString::default(),
        enabled: true,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: 0,
        rights: MonitorRights::All,
    }
}

/// Makes a name that anybody may have typed fit to be shown.
fn shown(name: &str) -> String {
    zmes_shared::text::bounded(name, SHOWN_NAME)
}

#[cfg(test)]
mod tests;
