//! ZoneMinder's access tokens: JSON Web Tokens that its API hands out (1.34 and later).
//!
//! ZoneMinder's C++ programs take expired tokens and refresh tokens; here every rule counts: HS256 and nothing else,
//! the signature by `ZM_AUTH_HASH_SECRET`, not expired, an access token, issued by ZoneMinder, and not before the
//! user's tokens were revoked. The user's own flags are checked by whoever looks the user up.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::AccessPass;

/// Maximum length of a token; ZoneMinder's have about 200 bytes.
pub const MAX_TOKEN: usize = 4096;

/// The claims of a token. ZoneMinder's tokens have all of them.
#[derive(Debug, Deserialize)]
pub struct Claims {
    /// The user's name.
    pub user: String,
    iss: String,
    #[serde(rename = "type")]
    kind: String,
    /// Seconds since 1970.
    iat: i64,
    /// Seconds since 1970.
    exp: i64,
}

/// Checks everything that can be checked without knowing the user; the error is the reason for the log.
pub fn read(token: &str, secret: &str, now: Timestamp) -> Result<Claims, &'static str> {
    if secret.is_empty() {
        return Err("ZM_AUTH_HASH_SECRET is empty, so anybody could sign tokens");
    }
    if token.len() > MAX_TOKEN {
        return Err("the token is too long");
    }
    let mut rules = Validation::new(Algorithm::HS256);
    // Times are checked below, against the clock that we were given.
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let key = DecodingKey::from_secret(secret.as_bytes());
    let claims = decode::<Claims>(token, &key, &rules)
        .map_err(|_| "the token is not one of ZoneMinder's, or signed with another ZM_AUTH_HASH_SECRET")?
        .claims;
    if claims.iss != "ZoneMinder" {
        return Err("the token was not issued by ZoneMinder");
    }
    if claims.kind != "access" {
        return Err("the token is no access token");
    }
    if claims.exp <= now.as_second() {
        return Err("the token has expired");
    }
    Ok(claims)
}

impl Claims {
    /// Returns the validity of the token. One that expires after the last representable time expires then.
    pub fn pass(&self) -> AccessPass {
        let expires_at = Timestamp::from_second(self.exp).unwrap_or(Timestamp::MAX);
        AccessPass { issued_at: self.iat, expires_at }
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "lab-secret";
    const NOW: i64 = 1_900_000_000;

    fn claims() -> Value {
        json!({"iss": "ZoneMinder", "iat": NOW - 60, "exp": NOW + 60, "user": "amy", "type": "access"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims.as_object_mut().unwrap().insert(name.to_owned(), value);
        claims
    }

    fn signed(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    fn verdict(claims: &Value) -> Result<String, &'static str> {
        let token = signed(claims, Algorithm::HS256, SECRET);
        read(&token, SECRET, Timestamp::from_second(NOW).unwrap()).map(|claims| claims.user)
    }

    fn refused(token: &str) -> bool {
        read(token, SECRET, Timestamp::from_second(NOW).unwrap()).is_err()
    }

    #[test]
    fn a_good_token_names_its_user() {
        assert_eq!(verdict(&claims()), Ok("amy".to_owned()));
    }

    #[test]
    fn a_token_of_zoneminders_own_making() {
        // HS256 over {"iss":"ZoneMinder","iat":1899999940,"exp":1900000060,"user":"amy","type":"access"} as PHP
        // writes it, made with another implementation.
        let token = include_str!("access_token/access.txt").trim();
        assert_eq!(read(token, SECRET, Timestamp::from_second(NOW).unwrap()).unwrap().user, "amy");
    }

    #[test]
    fn each_rule_counts() {
        assert_eq!(verdict(&with("exp", json!(NOW))), Err("the token has expired"), "no leeway");
        assert_eq!(verdict(&with("exp", json!(NOW + 1))), Ok("amy".to_owned()));
        assert_eq!(verdict(&with("type", json!("refresh"))), Err("the token is no access token"));
        assert_eq!(verdict(&with("iss", json!("zoneminder"))), Err("the token was not issued by ZoneMinder"));
        for name in ["iss", "iat", "exp", "user", "type"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert!(verdict(&claims).is_err(), "without {name}");
            assert!(verdict(&with(name, json!([1]))).is_err(), "{name} of a wrong type");
        }
    }

    #[test]
    fn only_hs256_with_the_right_secret() {
        assert!(refused(&signed(&claims(), Algorithm::HS384, SECRET)));
        assert!(refused(&signed(&claims(), Algorithm::HS512, SECRET)));
        assert!(refused(&signed(&claims(), Algorithm::HS256, "other")));
        let good = signed(&claims(), Algorithm::HS256, SECRET);
        let [_, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        // {"alg":"none","typ":"JWT"}
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        assert!(refused(&format!("{none}.{payload}.")));
        assert!(refused(&format!("{none}.{payload}.{signature}")));
        assert!(!refused(&good));
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        let token = signed(&claims(), Algorithm::HS256, "");
        assert!(read(&token, "", Timestamp::from_second(NOW).unwrap()).is_err());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for token in ["", ".", "..", "a.b.c", "…", &"x".repeat(MAX_TOKEN + 1)] {
            assert!(refused(token));
        }
    }
}
