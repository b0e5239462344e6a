//! Passwords against what `Users.Password` holds. Bcrypt costs tens of milliseconds, so it runs beside the event loop.

use std::sync::Arc;
use std::time::Duration;

use bcrypt::HashParts;
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Longest password that is looked at. Bcrypt takes 72 bytes; this only keeps nonsense away from SHA-1.
pub(super) const MAX_PASSWORD: usize = 4096;

/// Bcrypt checks at the same time: not more than cores, and never all the blocking threads that others need too.
const MAX_PARALLEL: usize = 4;

/// Longest wait for one's turn; an app gives up after 20 s.
const QUEUE_DEADLINE: Duration = Duration::from_secs(5);

/// Highest bcrypt cost that is taken, about 3 s of one core. A hash with cost 31 would keep it busy for two days.
const MAX_COST: u32 = 15;

/// ZoneMinder's own cost. As much is spent where there is nothing to check, so that the time of an answer does not
/// tell which users exist.
const USUAL_COST: u32 = 10;

/// What `zmupdate.pl` puts before a bcrypt hash that it made of an old `*HEX` hash.
const OVERLAY: &str = "-ZM-";

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is the password.
    Match,
    /// It is not.
    Mismatch,
    /// No password can be checked against what is stored: the operator must do something.
    Unusable(&'static str),
    /// Too many are waiting for their turn.
    Busy,
}

/// Checks passwords, a bounded number at a time.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { turns: Arc::new(Semaphore::new(cores.min(MAX_PARALLEL))) }
    }

    /// Waits for a turn. It lasts until the check that it is given to has ended.
    pub(super) async fn turn(&self) -> Option<Turn> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        tokio::time::timeout(QUEUE_DEADLINE, turn).await.ok()?.ok().map(Turn)
    }

    /// Checks a password against a row's; `None` stands for a user who does not exist.
    pub(super) async fn check(turn: Turn, stored: Option<SecretString>, given: SecretString) -> Outcome {
        let work = tokio::task::spawn_blocking(move || {
            // Held in here: the core is busy until the hash is done, even if nobody waits for it any more.
            let _turn = turn;
            check(stored.as_ref().map(ExposeSecret::expose_secret), given.expose_secret())
        });
        // The runtime drops blocking work only when it ends.
        work.await.unwrap_or(Outcome::Busy)
    }
}

/// The right to keep one core busy.
#[derive(Debug)]
pub(super) struct Turn(
    #[expect(dead_code, reason = "it counts by being alive")] tokio::sync::OwnedSemaphorePermit,
);

fn check(stored: Option<&str>, given: &str) -> Outcome {
    let scheme = match stored.map(Scheme::read) {
        Some(Ok(scheme)) => scheme,
        Some(Err(reason)) => {
            waste_time(given);
            return Outcome::Unusable(reason);
        }
        None => {
            waste_time(given);
            return Outcome::Mismatch;
        }
    };
    if scheme.matches(given) {
        return Outcome::Match;
    }
    if matches!(scheme, Scheme::Mysql(_)) {
        waste_time(given);
    }
    Outcome::Mismatch
}

fn waste_time(given: &str) {
    std::hint::black_box(bcrypt::hash_with_salt(given, USUAL_COST, [0; 16])).ok();
}

/// The formats of `Users.Password`.
pub(super) enum Scheme<'a> {
    /// `$2a$`, `$2b$`, `$2y$`: what ZoneMinder writes since 1.34.
    Bcrypt(&'a str),
    /// `-ZM-` and a bcrypt hash of the `*HEX` form: an old hash made stronger without knowing the password.
    Overlay(&'a str),
    /// `*HEX`: MySQL's `PASSWORD()` since 4.1, SHA-1 twice.
    Mysql([u8; 20]),
}

impl<'a> Scheme<'a> {
    pub(super) fn read(stored: &'a str) -> Result<Self, &'static str> {
        if let Some(rest) = stored.strip_prefix(OVERLAY) {
            return bcrypt_hash(rest).map(Self::Overlay);
        }
        if stored.starts_with("$2") {
            return bcrypt_hash(stored).map(Self::Bcrypt);
        }
        if let Some(hash) = stored.strip_prefix('*').and_then(from_hex) {
            return Ok(Self::Mysql(hash));
        }
        Err(match stored {
            "" => "no password is stored; set one in ZoneMinder's console",
            old if old.len() == 16 && old.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                "the password is stored in the format of MySQL before 4.1; set it again in ZoneMinder's console"
            }
            _ => {
                "the password is stored in plain text; set it again in ZoneMinder's console (Options, Users)"
            }
        })
    }

    pub(super) fn matches(&self, given: &str) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(given, hash).unwrap_or(false),
            Self::Overlay(hash) => bcrypt::verify(mysql_text(given), hash).unwrap_or(false),
            Self::Mysql(hash) => mysql_hash(given).ct_eq(hash).into(),
        }
    }
}

/// Refuses what would panic, take for ever, or was made by a broken bcrypt (`$2x$`).
fn bcrypt_hash(hash: &str) -> Result<&str, &'static str> {
    if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
        return Err("the stored bcrypt hash is of a kind that is not supported; set the password again");
    }
    let Ok(parts) = hash.parse::<HashParts>() else {
        return Err("the stored bcrypt hash is damaged; set the password again in ZoneMinder's console");
    };
    if parts.get_cost() > MAX_COST {
        return Err("the stored bcrypt hash has a cost above 15, which would stop all other logins");
    }
    Ok(hash)
}

fn mysql_hash(password: &str) -> [u8; 20] {
    Sha1::digest(Sha1::digest(password.as_bytes())).into()
}

/// The form over which `-ZM-` hashes are made: upper case, as MySQL writes it.
fn mysql_text(password: &str) -> String {
    let bytes = mysql_hash(password);
    std::iter::once("*".to_owned()).chain(bytes.iter().map(|byte| format!("{byte:02X}"))).collect()
}

fn from_hex(text: &str) -> Option<[u8; 20]> {
    if text.len() != 40 {
        return None;
    }
    let mut bytes = [0; 20];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
