//! Decides about logins.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use zmes_shared::text::bounded;
use zmes_shared::views::RefusalReason;
use zmes_zoneminder::password::{MAX_PASSWORD, PasswordOutcome, StoredPassword};
use zmes_zoneminder::{AccessPass, AccountStore, DbError, MonitorRights, User, access_token};

use super::checks::Passwords;
use super::costs::Costs;
use super::limiter::{Fingerprint, Limiter, Standing};
use super::pace::LoginPace;
use crate::config::AuthConfig;
use crate::domain::{Credentials, Login, LoginVerdict, SHOWN_NAME};
use crate::limits::network;
use crate::monitors::Catalog;
use crate::ports::{Clock, LoginCheck};
use crate::telemetry::{self, Counters};

/// Maximum length of a user name that is checked; ZoneMinder's have at most 64 characters.
const MAX_NAME: usize = 256;

/// Maximum number of users whose unusable password is logged.
const MAX_TOLD: usize = 1024;

/// The reason while the database is unreachable. An app that gets `BADAUTH` instead might never reconnect.
const NO_DATABASE: &str = "the database is not available";

/// Checks credentials against ZoneMinder's current users; shared by all sessions.
///
/// Owns the record of failures. Each login queries the database, so that a changed password or a disabled user takes
/// effect at once. Ends within about 20 s whatever the database does.
#[derive(Debug)]
pub struct Authenticator {
    accounts: Arc<dyn AccountStore>,
    config: watch::Receiver<AuthConfig>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    limiter: Limiter,
    passwords: Passwords,
    costs: Costs,
    pace: LoginPace,
    told: Mutex<HashSet<String>>,
}

#[derive(Debug)]
struct Attempt {
    address: IpAddr,
    /// As sent by the app, bounded and cleaned; for a token, only once its signature is verified.
    user: Option<String>,
}

impl Authenticator {
    /// Returns an authenticator that follows changes of its configuration, and uses the catalog's users for the cost of
    /// their passwords.
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        config: watch::Receiver<AuthConfig>,
        catalog: watch::Receiver<Arc<Catalog>>,
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
            costs: Costs::new(catalog),
            pace: LoginPace::new(),
            told: Mutex::default(),
        }
    }

    async fn by_password(
        &self,
        address: IpAddr,
        name: &str,
        password: SecretString,
    ) -> Result<User, LoginRefusal> {
        if name.len() > MAX_NAME || password.expose_secret().len() > MAX_PASSWORD {
            // Not worth remembering; counted only for the network.
            self.limiter.failed(address, None, None, "");
            return Err(LoginRefusal::again("user name or password too long"));
        }
        let mut standing = self.limiter.standing(address, Some(name));
        if standing == Standing::Locked {
            return Err(LoginRefusal::Locked);
        }
        let user = self.accounts.find(name).await.map_err(|error| unavailable(&error))?;
        let credential = self.limiter.password(name, &password, user.as_ref());
        if standing == Standing::Open
            && let Some(reason) = self.limiter.known(address, credential)
        {
            self.limiter.failed(address, Some(name), Some(credential), reason);
            return Err(LoginRefusal::again(reason));
        }
        let busy = || LoginRefusal::Unavailable("too many logins at once");
        let turn = self.passwords.turn(network(address)).await.ok_or_else(busy)?;
        // Logins that waited together with this one may have failed meanwhile.
        standing = self.limiter.standing(address, Some(name));
        if standing == Standing::Locked {
            return Err(LoginRefusal::Locked);
        }
        let stored = StoredPassword {
            hash: user.as_ref().map(|user| user.password.clone()),
            barred: user.as_ref().is_some_and(|user| user.barred().is_some()),
            cost: self.costs.highest(user.as_ref()),
        };
        let outcome = Passwords::check(turn, stored, password).await.ok_or_else(busy)?;
        let reason = match (outcome, user) {
            (PasswordOutcome::Match, Some(user)) => match user.barred() {
                None => {
                    self.limiter.succeeded(address, &user.name);
                    return Ok(user);
                }
                Some(reason) => reason,
            },
            (PasswordOutcome::Mismatch, Some(_)) => "wrong password",
            (PasswordOutcome::Unusable(reason), Some(user)) => {
                self.tell(&user.name, reason);
                reason
            }
            (PasswordOutcome::Match | PasswordOutcome::Mismatch | PasswordOutcome::Unusable(_), None) => {
                "unknown user"
            }
        };
        Err(self.failed(address, Some(name), credential, reason, standing))
    }

    /// Decides by an access token. Also returns its user, if the signature is valid.
    async fn by_token(
        &self,
        address: IpAddr,
        token: &SecretString,
    ) -> (Option<String>, Result<(User, AccessPass), LoginRefusal>) {
        if self.limiter.standing(address, None) == Standing::Locked {
            return (None, Err(LoginRefusal::Throttled));
        }
        let credential = self.limiter.token(token);
        let rejected =
            |reason, user: Option<&str>| self.failed(address, user, credential, reason, Standing::Open);
        let secret = match self.accounts.token_secret().await {
            Ok(secret) => secret,
            Err(error) => return (None, Err(unavailable(&error))),
        };
        let secret = secret.as_ref().map_or("", |secret| secret.expose_secret());
        let claims = match access_token::read(token.expose_secret(), secret, self.clock.now()) {
            Ok(claims) => claims,
            Err(reason) => return (None, Err(rejected(reason, None))),
        };
        let outcome = match self.accounts.find(&claims.user).await {
            Err(error) => Err(unavailable(&error)),
            Ok(None) => Err(rejected("unknown user", None)),
            Ok(Some(user)) if claims.pass().revoked_for(&user) => {
                Err(rejected("the user's tokens of that time were revoked", None))
            }
            Ok(Some(user)) => {
                if let Some(reason) = user.barred() {
                    Err(rejected(reason, None))
                } else {
                    self.limiter.succeeded(address, &user.name);
                    Ok((user, claims.pass()))
                }
            }
        };
        (Some(claims.user), outcome)
    }

    fn failed(
        &self,
        address: IpAddr,
        user: Option<&str>,
        credential: Fingerprint,
        reason: &'static str,
        standing: Standing,
    ) -> LoginRefusal {
        let new = self.limiter.failed(address, user, Some(credential), reason);
        match standing {
            Standing::Familiar => LoginRefusal::Throttled,
            Standing::Open | Standing::Locked => LoginRefusal::Rejected { reason, new, hashed: true },
        }
    }

    /// Turns the outcome into a verdict, and records it in the log and the table of refusals.
    fn conclude(&self, attempt: &Attempt, outcome: Result<User, LoginRefusal>) -> LoginVerdict {
        let Attempt { address, user } = attempt;
        match outcome {
            Ok(user) => {
                self.counters.refusals.welcomed(*address, Some(&user.name));
                LoginVerdict::Accepted(Arc::new(user))
            }
            Err(LoginRefusal::Rejected { reason, new, .. }) => {
                // The line that fail2ban reads (docs/security.md): one per guess, none for a repeated one.
                if new {
                    info!(%address, ?user, reason, "Bad authentication provided by {address}");
                } else {
                    debug!(%address, ?user, reason, "Bad authentication provided by {address}, as before");
                }
                self.refuse(attempt, RefusalReason::BadCredentials, reason);
                LoginVerdict::Rejected(reason)
            }
            Err(LoginRefusal::Locked | LoginRefusal::Throttled) => {
                debug!(%address, ?user, "login throttled: too many failures");
                self.refuse(attempt, RefusalReason::Throttled, "too many wrong logins");
                LoginVerdict::Throttled
            }
            Err(LoginRefusal::Unavailable(reason)) => {
                debug!(%address, ?user, reason, "login not decided");
                self.refuse(attempt, RefusalReason::LoginUnavailable, reason);
                LoginVerdict::Unavailable(reason)
            }
        }
    }

    fn refuse(&self, attempt: &Attempt, reason: RefusalReason, detail: &str) {
        let Attempt { address, user } = attempt;
        let detail = Some(detail.to_owned());
        let refusal = telemetry::Refusal { address: *address, reason, user: user.clone(), detail };
        self.counters.refuse(refusal, self.clock.now());
    }

    /// Logs once that a user's password cannot be used: only the operator can fix that.
    fn tell(&self, name: &str, reason: &'static str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MAX_TOLD && told.insert(name.to_owned()) {
            warn!(user = ?name, reason, "this user cannot log in");
        }
    }
}

#[async_trait]
impl LoginCheck for Authenticator {
    async fn verify(&self, login: Login) -> LoginVerdict {
        let Login { credentials, address } = login;
        let address = address.to_canonical();
        if !self.config.borrow().enabled {
            let user = unchecked_user(&credentials);
            return LoginVerdict::Accepted(Arc::new(user));
        }
        match credentials {
            Credentials::Password { user, password } => {
                let begun = Instant::now();
                let outcome = self.by_password(address, &user, password).await;
                match &outcome {
                    Err(LoginRefusal::Locked | LoginRefusal::Rejected { hashed: false, .. }) => {
                        self.pace.keep(begun).await;
                    }
                    Ok(_) | Err(LoginRefusal::Unavailable(_)) => {}
                    Err(_) => self.pace.took(begun.elapsed()),
                }
                let attempt = Attempt { address, user: Some(bounded(&user, SHOWN_NAME)) };
                self.conclude(&attempt, outcome)
            }
            Credentials::AccessToken(token) => {
                let (user, outcome) = self.by_token(address, &token).await;
                let (outcome, pass) = match outcome {
                    Ok((user, pass)) => (Ok(user), Some(pass)),
                    Err(refusal) => (Err(refusal), None),
                };
                let attempt = Attempt { address, user: user.map(|user| bounded(&user, SHOWN_NAME)) };
                match (self.conclude(&attempt, outcome), pass) {
                    (LoginVerdict::Accepted(user), Some(pass)) => LoginVerdict::AcceptedUntil(user, pass),
                    (verdict, _) => verdict,
                }
            }
        }
    }
}

#[derive(Debug)]
enum LoginRefusal {
    /// Wrong. `new`: not sent from this network before. `hashed`: a password was hashed for the check.
    Rejected {
        reason: &'static str,
        new: bool,
        hashed: bool,
    },
    /// Not checked.
    Locked,
    /// Not checked, or answered as if it had not been.
    Throttled,
    Unavailable(&'static str),
}

impl LoginRefusal {
    /// Returns the refusal of a credential that needs no check.
    fn again(reason: &'static str) -> Self {
        Self::Rejected { reason, new: false, hashed: false }
    }
}

fn unavailable(error: &DbError) -> LoginRefusal {
    debug!(%error, "user lookup failed");
    LoginRefusal::Unavailable(NO_DATABASE)
}

/// Returns the user of a login while `auth.enabled` is false.
fn unchecked_user(credentials: &Credentials) -> User {
    let name = match credentials {
        Credentials::Password { user, .. } if !user.trim().is_empty() => bounded(user, SHOWN_NAME),
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

#[cfg(test)]
mod tests;
