//! Google's token endpoint: exchanges an RS256 assertion of a service account for a bearer token that expires after an
//! hour.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use hyper::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use super::checks::Checks;
use super::request::{Request, Verdict};
use super::script::{Answer, Behaviour, Route};
use super::{Authority, Contract, StandIn};
use crate::wall_clock::epoch_seconds;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const PATH: &str = "/token";
/// How far the clocks of two machines may differ.
const SKEW: i64 = 60;

/// Google's OAuth endpoint, for one service account.
pub type OAuth = StandIn<OAuthContract>;

/// The requirements of the grant `jwt-bearer`.
#[derive(Debug)]
pub struct OAuthContract {
    account: Account,
    bearers: Arc<Bearers>,
}

/// The service account that it knows.
#[derive(Debug)]
struct Account {
    public_key: String,
    private_key: String,
}

/// The access tokens issued so far; the message endpoint checks them.
#[derive(Debug)]
pub(super) struct Bearers {
    state: Mutex<Issued>,
}

#[derive(Debug)]
struct Issued {
    count: usize,
    valid: BTreeSet<String>,
    gone: BTreeSet<String>,
    lifetime_secs: u64,
}

impl Default for Bearers {
    fn default() -> Self {
        let (valid, gone) = (BTreeSet::new(), BTreeSet::new());
        Self { state: Mutex::new(Issued { count: 0, valid, gone, lifetime_secs: 3599 }) }
    }
}

/// Whether a bearer token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Valid,
    Gone,
    NeverIssued,
}

impl Bearers {
    fn state(&self) -> MutexGuard<'_, Issued> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issue(&self) -> Answer {
        let mut state = self.state();
        state.count += 1;
        let bearer = format!("ya29.planted-bearer-{}", state.count);
        state.valid.insert(bearer.clone());
        let body = json!({"access_token": bearer, "expires_in": state.lifetime_secs, "token_type": "Bearer"});
        Answer::json(200, &body)
    }

    pub(super) fn standing(&self, bearer: &str) -> Standing {
        let state = self.state();
        if state.valid.contains(bearer) {
            return Standing::Valid;
        }
        if state.gone.contains(bearer) { Standing::Gone } else { Standing::NeverIssued }
    }

    pub(super) fn revoke_all(&self) {
        let mut state = self.state();
        let valid = std::mem::take(&mut state.valid);
        state.gone.extend(valid);
    }
}

impl OAuth {
    /// Identity of the service account.
    pub const CLIENT_EMAIL: &'static str = "zmes@zmes-test.iam.gserviceaccount.com";
    /// The id of its key.
    pub const KEY_ID: &'static str = "0123456789abcdef0123456789abcdef01234567";

    /// Starts one that issues `bearers`.
    pub(super) async fn start(authority: &Authority, bearers: Arc<Bearers>) -> Result<Self> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let account = Account { public_key: key.public_key_pem(), private_key: key.serialize_pem() };
        Self::serve(OAuthContract { account, bearers }, authority).await
    }

    /// Returns the `token_uri` of the service account.
    pub fn token_uri(&self) -> String {
        format!("{}{PATH}", self.url())
    }

    /// Sets how many seconds new bearer tokens are valid.
    pub fn set_lifetime(&self, seconds: u64) {
        self.contract().bearers.state().lifetime_secs = seconds;
    }

    /// Google no longer knows the account: its key was deleted.
    pub fn invalid_grant() -> Behaviour {
        let body = json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."});
        Behaviour::Answer(Answer::json(400, &body))
    }

    /// Writes the service account's JSON file, as exported by Google's console.
    pub(super) fn write_account(&self, project: &str) -> Result<PathBuf> {
        let account = json!({
            "type": "service_account", "project_id": project, "private_key_id": Self::KEY_ID,
            "private_key": self.contract().account.private_key, "client_email": Self::CLIENT_EMAIL,
            "client_id": "100000000000000000001", "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": self.token_uri(), "universe_domain": "googleapis.com",
        });
        self.authority().write_secret("service-account.json", &serde_json::to_vec_pretty(&account)?)
    }
}

impl Contract for OAuthContract {
    const NAME: &'static str = "OAuth endpoint";
    const ALPN: &'static [&'static [u8]] = &[b"h2", b"http/1.1"];

    fn judge(&self, request: &Request) -> Verdict {
        let mut checks = Checks::default();
        checks.ensure(request.method == Method::POST, "not a POST");
        checks.ensure(request.path == PATH, "there is no such path");
        checks.header_is(request, "content-type", "application/x-www-form-urlencoded");
        let form = form(&request.body);
        let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
        checks.ensure(names == ["grant_type", "assertion"], format!("the form has the fields {names:?}"));
        for (name, value) in &form {
            match name.as_str() {
                "grant_type" => {
                    checks.ensure(value == GRANT, format!("grant_type {value}"));
                }
                "assertion" => self.check_assertion(&mut checks, request, value),
                _ => {}
            }
        }
        let refused = !checks.is_clean();
        let answer = if refused {
            Answer::json(400, &json!({"error": "invalid_grant"}))
        } else {
            self.bearers.issue()
        };
        Verdict { route: Route::Login, token: None, violations: checks.findings(), answer, refused }
    }
}

impl OAuthContract {
    fn check_assertion(&self, checks: &mut Checks, request: &Request, assertion: &str) {
        if !checks.compact_jwt(assertion) {
            return;
        }
        let claims = match self.verified(assertion) {
            Ok(claims) => claims,
            Err(error) => return checks.add(format!("the assertion does not verify: {error:#}")),
        };
        checks.ensure(claims["iss"] == OAuth::CLIENT_EMAIL, format!("iss {}", claims["iss"]));
        let scopes = claims["scope"].as_str().unwrap_or_default();
        checks.ensure(scopes.split(' ').any(|scope| scope == SCOPE), format!("scope {scopes:?}"));
        let own = format!("https://{}{PATH}", request.host);
        checks.ensure(claims["aud"] == own, format!("aud {} is not the token_uri {own}", claims["aud"]));
        let (now, issued) = (epoch_seconds(), claims["iat"].as_i64().unwrap_or_default());
        let expires = claims["exp"].as_i64().unwrap_or_default();
        checks.ensure((now - issued).abs() <= SKEW, format!("iat is {} s away from now", now - issued));
        checks.ensure(expires > now && expires - issued <= 3600, "exp is not within an hour after iat");
    }

    fn verified(&self, assertion: &str) -> Result<Value> {
        let header = decode_header(assertion)?;
        anyhow::ensure!(header.alg == Algorithm::RS256, "algorithm {:?}", header.alg);
        let key_id = header.kid.as_deref();
        anyhow::ensure!(key_id.is_none_or(|kid| kid == OAuth::KEY_ID), "kid {key_id:?}");
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_aud = false;
        let key = DecodingKey::from_rsa_pem(self.account.public_key.as_bytes())?;
        Ok(decode::<Value>(assertion, &key, &validation)?.claims)
    }
}

/// Parses a form in the encoding of browsers.
fn form(body: &[u8]) -> Vec<(String, String)> {
    let query = format!("https://form.invalid/?{}", String::from_utf8_lossy(body));
    let Ok(url) = reqwest::Url::parse(&query) else { return Vec::new() };
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}
