//! What proves who somebody is, as a target of the fuzzer: see [`crate::fuzzing`].

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::Value;

use super::jwt;
use super::password::{PasswordOutcome, Scheme};

/// No input knows it, so that none can be signed with it.
const SECRET: &str = "planted-Zq7-5b20-signing-secret";
/// Seconds since 1970 at which tokens are looked at.
const NOW: i64 = 1_900_000_000;
/// A password that no stored hash is of.
const WRONG: &str = "planted-Zq7-e41c-password";

/// An access token, claims that are signed rightly, and what `Users.Password` may hold.
pub(crate) fn credentials(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(now) = Timestamp::from_second(NOW) else { return };
    assert!(jwt::read(text, SECRET, now).is_err(), "a forged token is taken");
    if let Ok(claims) = serde_json::from_str::<Value>(text) {
        signed(&claims, now);
    }
    // Each step of the cost doubles the time: what is dear is only read.
    if let Ok(scheme) = Scheme::read(text)
        && cost(text).is_none_or(|cost| cost <= 4)
    {
        assert!(scheme.compare(WRONG).0 != PasswordOutcome::Match, "a wrong password is taken");
    }
}

fn signed(claims: &Value, now: Timestamp) {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let Ok(token) = encode(&Header::new(Algorithm::HS256), claims, &key) else { return };
    let good = claims["iss"] == "ZoneMinder"
        && claims["type"] == "access"
        && claims["exp"].as_i64().is_some_and(|exp| exp > NOW);
    let verdict = jwt::read(&token, SECRET, now);
    assert!(good || verdict.is_err(), "taken against the rules: {claims}");
}

/// Returns the cost of a bcrypt hash: `$2y$10$…`.
fn cost(stored: &str) -> Option<u32> {
    stored.split('$').nth(2)?.parse().ok()
}
