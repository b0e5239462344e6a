//! APNs' provider token: signed with the .p8 key, one for all pushes, renewed neither too often nor too late.
//!
//! Apple accepts a token for an hour and refuses new ones more often than every 20 minutes.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustls_pki_types::PrivateKeyDer;
use secrecy::SecretString;
use serde::Serialize;
use tokio::time::Instant;
use zmes_shared::words::FaultKind;

use super::files;
use super::problem::TransportProblem;
use crate::clock::WallClock;
use crate::push::{PushError, TransportFault};

const KEY: &str = "push.apns.key";
const RENEW_AFTER: SignedDuration = SignedDuration::from_mins(40);
const NOT_BEFORE: Duration = Duration::from_mins(20);

#[derive(Debug)]
pub(super) struct SignedToken {
    pub(super) token: SecretString,
    issued: Timestamp,
    number: u64,
}

pub(super) struct ProviderToken {
    key: EncodingKey,
    key_id: String,
    team_id: String,
    clock: WallClock,
    state: Mutex<SignerState>,
}

#[derive(Default)]
struct SignerState {
    signed: Option<Arc<SignedToken>>,
    count: u64,
    /// When a token was last replaced because Apple refused it.
    forced: Option<Instant>,
}

#[derive(Serialize)]
struct SignerClaims<'a> {
    iss: &'a str,
    iat: i64,
}

impl std::fmt::Debug for ProviderToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("ProviderToken");
        shown.field("key_id", &self.key_id).field("team_id", &self.team_id).finish_non_exhaustive()
    }
}

impl ProviderToken {
    /// Reads the signing key. Blocks.
    pub(super) fn load(
        path: &Path,
        key_id: &str,
        team_id: &str,
        clock: WallClock,
    ) -> Result<Self, TransportProblem> {
        let unusable = || TransportProblem::Unusable {
            key: KEY,
            path: path.to_owned(),
            detail: "it is not an ECDSA key of the curve P-256".to_owned(),
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
        let key = match files::private_key(KEY, path)? {
            PrivateKeyDer::Pkcs8(key) => EncodingKey::from_ec_der(key.secret_pkcs8_der()),
            // Apple hands out PKCS#8; `openssl ec` and others write SEC1.
            PrivateKeyDer::Sec1(key) => {
                let pair = EcdsaKeyPair::from_private_key_der(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    key.secret_sec1_der(),
                );
                let pkcs8 = pair.ok().and_then(|pair| pair.to_pkcs8v1().ok());
                let pkcs8 = pkcs8.ok_or_else(unusable)?;
                EncodingKey::from_ec_der(pkcs8.as_ref())
            }
            _ => return Err(unusable()),
        };
        let signer = Self {
            key,
            key_id: key_id.to_owned(),
            team_id: team_id.to_owned(),
            clock,
            state: Mutex::default(),
        };
        // Finds a key of another curve now and not at the first alarm.
        signer.sign(signer.clock.now(), 0).map_err(|_| unusable())?;
        Ok(signer)
    }

    /// Returns the current token, or a new one if that is old or is the one that was refused.
    pub(super) fn current(&self, refused: Option<&SignedToken>) -> Result<Arc<SignedToken>, PushError> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let forced = refused.is_some_and(|refused| {
            state.signed.as_ref().is_some_and(|signed| signed.number == refused.number)
                && state.forced.is_none_or(|last| last.elapsed() >= NOT_BEFORE)
        });
        let age = |signed: &Arc<SignedToken>| now.duration_since(signed.issued);
        // A negative age means that the clock was set back; Apple refuses tokens from the future.
        let good = |signed: &&Arc<SignedToken>| (SignedDuration::ZERO..RENEW_AFTER).contains(&age(signed));
        if let Some(signed) = state.signed.as_ref().filter(good).filter(|_| !forced) {
            return Ok(Arc::clone(signed));
        }
        let signed = Arc::new(self.sign(now, state.count + 1)?);
        state.count += 1;
        if forced {
            state.forced = Some(Instant::now());
        }
        state.signed = Some(Arc::clone(&signed));
        Ok(signed)
    }

    fn sign(&self, now: Timestamp, number: u64) -> Result<SignedToken, PushError> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.key_id.clone());
        let claims = SignerClaims { iss: &self.team_id, iat: now.as_second() };
        let token = encode(&header, &claims, &self.key).map_err(|_| {
            let detail = "the APNs key cannot sign";
            PushError::Transport(TransportFault::unanswered(FaultKind::Credentials, detail))
        })?;
        Ok(SignedToken { token: token.into(), issued: now, number })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A clock that stands where the test sets it, in seconds.
    type Hand = Arc<AtomicI64>;

    fn signer(hand: Hand) -> ProviderToken {
        let clock = WallClock::new(move || Timestamp::from_second(hand.load(Ordering::Relaxed)).unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        ProviderToken::load(file.path(), "ABCDE12345", "FGHIJ67890", clock).unwrap()
    }

    #[tokio::test]
    async fn a_token_is_used_for_forty_minutes_and_no_longer() {
        let clock = Hand::default();
        let signer = signer(Arc::clone(&clock));
        let number = |minutes: i64| {
            clock.store(minutes * 60, Ordering::Relaxed);
            signer.current(None).unwrap().number
        };
        assert_eq!([0, 20, 39, 40, 79, 80].map(number), [1, 1, 1, 2, 2, 3]);
        assert_eq!(number(70), 4, "the clock was set back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_replaced_once_in_twenty_minutes() {
        let signer = signer(Hand::default());
        let first = signer.current(None).unwrap();
        let second = signer.current(Some(&first)).unwrap();
        assert_eq!(second.number, 2);
        assert_eq!(signer.current(Some(&first)).unwrap().number, 2, "somebody else has renewed it already");
        assert_eq!(signer.current(Some(&second)).unwrap().number, 2, "too soon");
        tokio::time::advance(NOT_BEFORE).await;
        assert_eq!(signer.current(Some(&second)).unwrap().number, 3);
    }
}
