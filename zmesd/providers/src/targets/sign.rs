//! Signatures of webhooks, as Standard Webhooks write them (standard-webhooks/spec; svix-webhooks `webhooks.rs`):
//! HMAC-SHA256 over `id.timestamp.body`, the secret as `whsec_` and base64.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::settings::WebhookSecret;

const PREFIX: &str = "whsec_";
/// Shortest and longest key, in bytes, as the specification has them.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a text is no secret for signatures. It does not quote the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookSecretProblem {
    /// Not base64.
    #[error("must be `whsec_` followed by base64")]
    Encoding,
    /// Too short to be safe, or too long.
    #[error("must decode to 24 to 64 bytes")]
    Length,
}

impl WebhookSecret {
    /// Reads `whsec_` and base64; the prefix may be left out.
    pub fn parse(secret: &SecretString) -> Result<Self, WebhookSecretProblem> {
        let text = secret.expose_secret();
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let key = STANDARD.decode(text).map_err(|_| WebhookSecretProblem::Encoding)?;
        if !LENGTHS.contains(&key.len()) {
            return Err(WebhookSecretProblem::Length);
        }
        Ok(Self { source: SecretString::from(text), key: SecretSlice::from(key) })
    }

    /// Returns the key itself.
    pub(crate) fn key(&self) -> &[u8] {
        self.key.expose_secret()
    }

    /// Returns the value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key());
        let mut signed = hmac::Context::with_key(&key);
        signed.update(format!("{id}.{timestamp}.").as_bytes());
        signed.update(body);
        let signature = signed.sign();
        format!("v1,{}", STANDARD.encode(signature.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<WebhookSecret, WebhookSecretProblem> {
        WebhookSecret::parse(&SecretString::from(text))
    }

    #[test]
    fn the_example_of_the_specification_is_signed() {
        // standard-webhooks, libraries/python/tests/test_webhooks.py.
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_quoted() {
        assert_eq!(secret("whsec_not base64").unwrap_err(), WebhookSecretProblem::Encoding);
        assert_eq!(secret("c2hvcnQ=").unwrap_err(), WebhookSecretProblem::Length);
        let good = secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert!(!format!("{good:?}").contains("MfKQ"));
    }
}
