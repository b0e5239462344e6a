//! Checks passwords against `Users.Password`.
//!
//! Every wrong login costs the same work, whatever is stored: the highest bcrypt cost of this installation. Otherwise
//! the response time would reveal which user names exist (a dummy of cost 10 is four times faster than PHP 8.4's 12).

use bcrypt::HashParts;
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// Maximum length of a password. Bcrypt uses 72 bytes; this bounds the work of SHA-1.
pub const MAX_PASSWORD: usize = 4096;

/// Highest accepted bcrypt cost, about 3 s of one core. A hash with cost 31 would take two days.
const MAX_COST: u32 = 15;

const MIN_COST: u32 = 4;

/// ZoneMinder's own cost, for installations in which no user has a bcrypt hash.
pub const USUAL_COST: u32 = 10;

/// What `zmupdate.pl` puts before a bcrypt hash that it made of an old `*HEX` hash.
const OVERLAY: &str = "-ZM-";

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordOutcome {
    /// It is the password.
    Match,
    /// It is not.
    Mismatch,
    /// No password can be checked against what is stored: the operator must do something.
    Unusable(&'static str),
}

/// What a password is compared with.
#[derive(Debug, Clone)]
pub struct StoredPassword {
    /// The row's `Password`; `None`: there is no such user.
    pub hash: Option<SecretString>,
    /// The user may not log in even with the right password: it must take as long as a wrong one.
    pub barred: bool,
    /// The bcrypt cost that every wrong login amounts to.
    pub cost: u32,
}

impl StoredPassword {
    /// Checks a password. Takes as long as bcrypt takes, up to 3 s: not for the event loop.
    pub fn check(&self, given: &str) -> PasswordOutcome {
        self.measured(given).0
    }

    /// Returns the outcome and the work that it took, in rounds of bcrypt.
    fn measured(&self, given: &str) -> (PasswordOutcome, u32) {
        let hash = self.hash.as_ref().map(ExposeSecret::expose_secret);
        let (outcome, spent) = match hash.map(Scheme::read) {
            Some(Ok(scheme)) => scheme.compare(given),
            Some(Err(reason)) => (PasswordOutcome::Unusable(reason), None),
            None => (PasswordOutcome::Mismatch, None),
        };
        let wrong = outcome != PasswordOutcome::Match || self.barred;
        let missing = if wrong { spend(spent, self.cost) } else { 0 };
        (outcome, spent.map_or(0, rounds) + missing)
    }
}

/// Returns the bcrypt cost of what is stored, if it is bcrypt that can be checked.
pub fn cost(stored: &str) -> Option<u32> {
    match Scheme::read(stored) {
        Ok(Scheme::Bcrypt(hash) | Scheme::Overlay(hash)) => {
            hash.parse::<HashParts>().ok().map(|parts| parts.get_cost()).filter(|cost| *cost >= MIN_COST)
        }
        Ok(Scheme::Mysql(_)) | Err(_) => None,
    }
}

fn rounds(cost: u32) -> u32 {
    1 << cost.min(MAX_COST)
}

/// Does the work that is missing: 2^c is spent, and 2^c + 2^(c+1) + … + 2^(target−1) more make 2^target.
fn spend(spent: Option<u32>, target: u32) -> u32 {
    // A fixed password: bcrypt takes as long for any, but refuses one with a zero byte at once.
    let hash = |cost| match std::hint::black_box(bcrypt::hash_with_salt("zmesd", cost, [0; 16])) {
        Ok(_) => rounds(cost),
        Err(_) => 0,
    };
    match spent {
        Some(spent) => (spent..target).map(hash).sum(),
        None => hash(target),
    }
}

/// The formats of `Users.Password`.
pub(crate) enum Scheme<'a> {
    /// `$2a$`, `$2b$`, `$2y$`: what ZoneMinder writes since 1.34.
    Bcrypt(&'a str),
    /// `-ZM-` and a bcrypt hash of the `*HEX` form: an old hash made stronger without knowing the password.
    Overlay(&'a str),
    /// `*HEX`: MySQL's `PASSWORD()` since 4.1, SHA-1 twice.
    Mysql([u8; 20]),
}

impl<'a> Scheme<'a> {
    pub(crate) fn read(stored: &'a str) -> Result<Self, &'static str> {
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
            _ => "the password is stored in plain text; set it again in ZoneMinder (Options > Users)",
        })
    }

    /// Returns the outcome and the bcrypt cost that it took.
    pub(crate) fn compare(&self, given: &str) -> (PasswordOutcome, Option<u32>) {
        let by_bcrypt = |given: &str, hash: &str| match bcrypt::verify(given, hash) {
            Ok(matches) => (matches, hash.parse::<HashParts>().ok().map(|parts| parts.get_cost())),
            // Refused without any work: a cost below 4, a zero byte in the password.
            Err(_) => (false, None),
        };
        let (matches, spent) = match self {
            Self::Bcrypt(hash) => by_bcrypt(given, hash),
            Self::Overlay(hash) => by_bcrypt(&mysql_text(given), hash),
            Self::Mysql(hash) => (mysql_hash(given).ct_eq(hash).into(), None),
        };
        (if matches { PasswordOutcome::Match } else { PasswordOutcome::Mismatch }, spent)
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
