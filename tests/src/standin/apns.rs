//! Apple's provider API: `POST /3/device/<token>` over HTTP/2, with an ES256 token or a client certificate.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use hyper::{Method, Version};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::checks::{Checks, is_number};
use super::fcm::check_aps;
use super::identity::{Identity, SigningKey};
use super::request::{Request, Verdict};
use super::script::{Answer, Behaviour, Route};
use super::{Authority, Contract, StandIn};
use crate::wall_clock::epoch_seconds;

/// Apple's size limit of a message.
const MAX_MESSAGE: usize = 4096;
/// Maximum length of `apns-collapse-id` in bytes.
const MAX_COLLAPSE_ID: usize = 64;
/// How long a provider token is valid, in seconds.
const TOKEN_AGE: i64 = 3600;
/// How far the clocks of two machines may differ, in seconds.
const SKEW: i64 = 60;

/// Apple's push service.
pub type Apns = StandIn<ApnsContract>;

/// Apple's requirements.
#[derive(Debug)]
pub struct ApnsContract {
    credentials: Credentials,
    provider_tokens: Mutex<BTreeSet<String>>,
    sent: AtomicU64,
}

/// How clients authenticate.
#[derive(Debug)]
enum Credentials {
    Key(SigningKey),
    Certificate(Identity),
}

/// A reason for refusing a request, in Apple's words.
struct Reason(u16, &'static str);

impl Apns {
    /// The app's bundle id.
    pub const TOPIC: &'static str = "org.example.alarms";
    /// Id of the signing key.
    pub const KEY_ID: &'static str = "ABC123DEFG";
    /// Id of the team.
    pub const TEAM_ID: &'static str = "DEF123GHIJ";

    /// Starts a stand-in that requires provider tokens of a signing key (.p8).
    pub async fn with_key() -> Result<Self> {
        let authority = Authority::new()?;
        let key = SigningKey::write(&authority, Self::KEY_ID)?;
        Self::start(Credentials::Key(key), &authority).await
    }

    /// Starts a stand-in that requires a client certificate.
    pub async fn with_certificate() -> Result<Self> {
        let authority = Authority::new()?;
        let identity = Identity::write(&authority, Self::TOPIC)?;
        Self::start(Credentials::Certificate(identity), &authority).await
    }

    async fn start(credentials: Credentials, authority: &Authority) -> Result<Self> {
        let (provider_tokens, sent) = (Mutex::default(), AtomicU64::new(0));
        Self::serve(ApnsContract { credentials, provider_tokens, sent }, authority).await
    }

    /// Returns the signing key's file; `None` if a certificate is required.
    pub fn key(&self) -> Option<&Path> {
        match &self.contract().credentials {
            Credentials::Key(key) => Some(&key.path),
            Credentials::Certificate(_) => None,
        }
    }

    /// Returns the client's certificate; `None` if a signing key is required.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.contract().credentials {
            Credentials::Key(_) => None,
            Credentials::Certificate(identity) => Some(identity),
        }
    }

    /// Returns how many different provider tokens were used: one is enough for twenty minutes or more.
    pub fn provider_tokens(&self) -> usize {
        self.contract().provider_tokens.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Refuses with one of Apple's reasons.
    pub fn refusal(status: u16, reason: &str) -> Behaviour {
        Behaviour::Answer(refusal(status, reason))
    }

    /// 400: the token is not for this app, or for the other environment.
    pub fn bad_device_token() -> Behaviour {
        Self::refusal(400, "BadDeviceToken")
    }

    /// 400: the token belongs to another app.
    pub fn wrong_topic() -> Behaviour {
        Self::refusal(400, "DeviceTokenNotForTopic")
    }

    /// 410: the app was removed, at this time (milliseconds since 1970).
    pub fn unregistered(timestamp: i64) -> Behaviour {
        let body = json!({"reason": "Unregistered", "timestamp": timestamp});
        Behaviour::Answer(Answer::json(410, &body).header("apns-id", &apns_id(0)))
    }

    /// 403
    pub fn expired_provider_token() -> Behaviour {
        Self::refusal(403, "ExpiredProviderToken")
    }

    /// 429
    pub fn too_many_requests() -> Behaviour {
        Self::refusal(429, "TooManyRequests")
    }

    /// 500
    pub fn internal_server_error() -> Behaviour {
        Self::refusal(500, "InternalServerError")
    }

    /// 413
    pub fn payload_too_large() -> Behaviour {
        Self::refusal(413, "PayloadTooLarge")
    }
}

impl Contract for ApnsContract {
    const NAME: &'static str = "APNs";
    const ALPN: &'static [&'static [u8]] = &[b"h2"];

    fn client_certificates(&self) -> bool {
        matches!(self.credentials, Credentials::Certificate(_))
    }

    fn judge(&self, request: &Request) -> Verdict {
        let mut checks = Checks::default();
        let token = request.path.strip_prefix("/3/device/").map(ToOwned::to_owned);
        let found = self.complaint(&mut checks, request, token.as_deref());
        let answer = if let Some(Reason(status, reason)) = &found {
            refusal(*status, reason)
        } else {
            let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
            let id = request.header("apns-id").map_or_else(|| apns_id(number), ToOwned::to_owned);
            Answer::new(200, "").header("apns-id", &id)
        };
        let refused = found.is_some();
        // No device has this token: the request only checks the credentials.
        let route = if token.as_deref().is_some_and(is_nobody) { Route::Probe } else { Route::Push };
        Verdict { route, token, violations: checks.findings(), answer, refused }
    }
}

/// Returns whether a token is the one that no device has.
fn is_nobody(token: &str) -> bool {
    token.len() == 64 && token.bytes().all(|digit| digit == b'0')
}

impl ApnsContract {
    /// Finds all violations. Returns the first one in Apple's words.
    fn complaint(&self, checks: &mut Checks, request: &Request, token: Option<&str>) -> Option<Reason> {
        let mut first = None;
        let mut note = |checks: &Checks, status, reason| {
            if first.is_none() && !checks.is_clean() {
                first = Some(Reason(status, reason));
            }
        };
        checks.ensure(request.version == Version::HTTP_2, format!("spoken in {:?}", request.version));
        checks.ensure(request.method == Method::POST, "not a POST");
        note(checks, 405, "MethodNotAllowed");
        checks.ensure(token.is_some(), "there is no such path");
        note(checks, 404, "BadPath");
        self.check_credentials(checks, request);
        note(checks, 403, "InvalidProviderToken");
        let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        checks.ensure(token.is_none_or(hex), "the token in the path is not hexadecimal");
        note(checks, 400, "BadDeviceToken");
        if token.is_some_and(is_nobody) {
            return first.or(Some(Reason(400, "BadDeviceToken")));
        }
        checks.header_is(request, "apns-topic", Apns::TOPIC);
        note(checks, 400, "BadTopic");
        check_headers(checks, request);
        note(checks, 400, "BadMessageId");
        checks.ensure(request.body.len() <= MAX_MESSAGE, format!("{} bytes", request.body.len()));
        note(checks, 413, "PayloadTooLarge");
        check_body(checks, request);
        note(checks, 400, "BadMessage");
        first
    }

    fn check_credentials(&self, checks: &mut Checks, request: &Request) {
        match &self.credentials {
            Credentials::Certificate(identity) => {
                let shown = request.certificate.as_ref() == Some(&identity.der);
                checks.ensure(shown, "the client's certificate is another one");
                let both = request.header("authorization").is_some();
                checks.ensure(!both, "a provider token beside the certificate");
            }
            Credentials::Key(key) => {
                let Some(authorization) = checks.header(request, "authorization") else { return };
                let scheme = authorization.get(..7).unwrap_or_default();
                if !checks.ensure(scheme.eq_ignore_ascii_case("bearer "), "authorization is no bearer") {
                    return;
                }
                let token = authorization.get(7..).unwrap_or_default();
                if checks.compact_jwt(token) {
                    self.check_provider_token(checks, key, token);
                }
            }
        }
    }

    fn check_provider_token(&self, checks: &mut Checks, key: &SigningKey, token: &str) {
        let claims = match verified(key, token) {
            Ok(claims) => claims,
            Err(error) => return checks.add(format!("the provider token does not verify: {error:#}")),
        };
        checks.ensure(claims["iss"] == Apns::TEAM_ID, format!("iss {}", claims["iss"]));
        let age = claims["iat"].as_i64().map(|issued| epoch_seconds() - issued);
        checks.ensure(
            age.is_some_and(|age| (-SKEW..=TOKEN_AGE).contains(&age)),
            format!("iat is missing, or too old, or of the future: age {age:?} s"),
        );
        self.provider_tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned());
    }
}

fn verified(key: &SigningKey, token: &str) -> Result<Value> {
    let header = decode_header(token)?;
    anyhow::ensure!(header.alg == Algorithm::ES256, "algorithm {:?}", header.alg);
    anyhow::ensure!(header.kid.as_deref() == Some(Apns::KEY_ID), "kid {:?}", header.kid);
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims::<&str>(&[]);
    let public = DecodingKey::from_ec_pem(key.public_key.as_bytes())?;
    Ok(decode::<Value>(token, &public, &validation)?.claims)
}

fn check_headers(checks: &mut Checks, request: &Request) {
    checks.header_is(request, "apns-push-type", "alert");
    if let Some(priority) = checks.header(request, "apns-priority") {
        checks.ensure(["10", "5"].contains(&priority), format!("apns-priority {priority}"));
    }
    if let Some(expiration) = checks.header(request, "apns-expiration") {
        checks.ensure(is_number(expiration), format!("apns-expiration {expiration}"));
    }
    let collapse = request.header_values("apns-collapse-id");
    let short = collapse.iter().all(|id| !id.is_empty() && id.len() <= MAX_COLLAPSE_ID);
    checks.ensure(short && collapse.len() <= 1, format!("apns-collapse-id {collapse:?}"));
}

fn check_body(checks: &mut Checks, request: &Request) {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_else(|error| {
        checks.add(format!("the body is not JSON: {error}"));
        Value::Null
    });
    checks.value(&body, "", "an object", |body| body.get("aps").is_some());
    check_aps(checks, &body, "/aps");
    for pointer in ["/mid", "/eid"] {
        checks.ids(&body, pointer);
    }
    for (name, value) in body.as_object().into_iter().flatten() {
        checks.ensure(!value.is_null(), format!("/{name} is null"));
    }
}

fn refusal(status: u16, reason: &str) -> Answer {
    Answer::json(status, &json!({"reason": reason})).header("apns-id", &apns_id(0))
}

/// Returns an id in Apple's form.
fn apns_id(number: u64) -> String {
    format!("EC1BF194-B3B2-424A-89F6-{number:012X}")
}
