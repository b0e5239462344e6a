//! Readers of bytes from outside, with what must hold for all bytes; a violation is a panic. `zmesd::fuzzing` lists them for the fuzzer.

use std::path::Path;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::Value;

use crate::access_token;
use crate::conf::{Continuation, ZmConf};
use crate::password::{PasswordOutcome, Scheme};

pub use crate::shm::fuzzing::shared_memory;

/// No input knows it, so that none can be signed with it.
const SECRET: &str = "planted-Zq7-5b20-signing-secret";
/// Seconds since 1970 at which tokens are checked.
const NOW: i64 = 1_900_000_000;
/// A password that no stored hash is of.
const WRONG: &str = "planted-Zq7-e41c-password";

/// An access token, claims that are signed rightly, and what `Users.Password` may hold.
pub fn credentials(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(now) = Timestamp::from_second(NOW) else { return };
    assert!(access_token::read(text, SECRET, now).is_err(), "a forged token is taken");
    if let Ok(claims) = serde_json::from_str::<Value>(text) {
        signed(&claims, now);
    }
    // Each step of the cost doubles the time: expensive hashes are only parsed.
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
    let verdict = access_token::read(&token, SECRET, now);
    assert!(good || verdict.is_err(), "taken against the rules: {claims}");
}

/// Returns the cost of a bcrypt hash: `$2y$10$…`.
fn cost(stored: &str) -> Option<u32> {
    stored.split('$').nth(2)?.parse().ok()
}

/// ZoneMinder's file: names and values are pieces of it, and their places are in it.
pub fn zm_conf(bytes: &[u8]) {
    for continuation in [Continuation::Never, Continuation::Always, Continuation::Guess] {
        zm_conf_of(bytes, continuation);
    }
}

fn zm_conf_of(bytes: &[u8], continuation: Continuation) {
    let mut conf = ZmConf::default();
    conf.add(bytes, Path::new("zm.conf"), continuation);
    let lines = lines(bytes);
    let values = conf.values().inspect(|(name, value)| {
        assert!((1..=lines).contains(&value.line), "{name} in line {} of {lines}", value.line);
        assert!(!name.contains(['=', '\n']) && !value.text.contains('\n'), "{name:?}");
    });
    // A byte that is no UTF-8 becomes three.
    let kept: usize = values.map(|(name, value)| name.len() + value.text.len()).sum();
    assert!(kept <= 3 * bytes.len(), "{kept} bytes out of {}", bytes.len());
    for (_, line) in conf.ignored() {
        assert!((1..=lines).contains(line), "line {line} of {lines}");
    }
}

fn lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count()
}
