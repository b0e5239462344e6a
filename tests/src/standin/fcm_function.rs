//! A function proxy of the event servers 6 and 7: a cloud function that sends to FCM on behalf of one app.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use hyper::Method;
use serde_json::{Value, json};

use super::checks::Checks;
use super::fcm::check_data;
use super::request::{Request, Verdict};
use super::script::{Answer, Behaviour, Route};
use super::{Authority, Contract, StandIn};

const PATH: &str = "/send_push";
/// The function shows only the end of a token.
const SHOWN: usize = 10;

/// A cloud function.
pub type FcmFunction = StandIn<FcmFunctionContract>;

/// The requirements of the published function.
#[derive(Debug)]
pub struct FcmFunctionContract {
    sent: AtomicU64,
}

impl FcmFunction {
    /// The key that it requires: an HS256 JWT without an expiry. Planted: no output may contain it.
    pub const KEY: &'static str = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJwbGFudGVkIn0.planted-function-key";

    /// Starts one with its own authority.
    pub async fn start() -> Result<Self> {
        Self::start_under(&Authority::new()?).await
    }

    /// Starts one under a given authority: the daemon trusts one root for all functions.
    pub async fn start_under(authority: &Authority) -> Result<Self> {
        Self::serve(FcmFunctionContract { sent: AtomicU64::new(0) }, authority).await
    }

    /// Returns the URL to send to.
    pub fn send_url(&self) -> String {
        format!("{}{PATH}", self.url())
    }

    /// 400: FCM no longer knows the token.
    pub fn not_found(token: &str) -> Behaviour {
        Self::firebase_error(token, "Requested entity was not found.")
    }

    /// 400: FCM never knew the token.
    pub fn not_valid(token: &str) -> Behaviour {
        Self::firebase_error(token, "The registration token is not a valid FCM registration token")
    }

    /// 400: the token belongs to another Firebase project.
    pub fn sender_mismatch(token: &str) -> Behaviour {
        Self::firebase_error(token, "SenderId mismatch")
    }

    /// 400 with any of Firebase's messages about a token.
    pub fn firebase_error(token: &str, message: &str) -> Behaviour {
        let start = token.char_indices().rev().nth(SHOWN - 1).map_or(0, |(at, _)| at);
        let shown = token.get(start..).unwrap_or_default();
        Behaviour::Answer(Answer::json(400, &json!({"Error": format!("token:{shown}=>{message}")})))
    }

    /// 401: the key was changed.
    pub fn invalid_credentials() -> Behaviour {
        Behaviour::Answer(invalid_credentials())
    }
}

impl Contract for FcmFunctionContract {
    const NAME: &'static str = "FCM function";
    const ALPN: &'static [&'static [u8]] = &[b"h2", b"http/1.1"];

    fn judge(&self, request: &Request) -> Verdict {
        let mut checks = Checks::default();
        if request.method == Method::GET && request.path == PATH {
            // A reachability check has no token; that is not a violation.
            let answer = Answer::json(400, &json!({"Error": "No Token Found"}));
            let violations = checks.findings();
            return Verdict { route: Route::Probe, token: None, violations, answer, refused: false };
        }
        checks.ensure(request.method == Method::POST, "not a POST");
        checks.ensure(request.path == PATH, "there is no such path");
        checks.header_is(request, "authorization", FcmFunction::KEY);
        let known = checks.is_clean();
        let body = checks.json(request);
        if body == json!({"data": {}}) {
            // Checks the key: without a token nothing is sent.
            let no_token = Answer::json(400, &json!({"Error": "No Token Found"}));
            let answer = if known { no_token } else { invalid_credentials() };
            let violations = checks.findings();
            return Verdict { route: Route::Probe, token: None, violations, answer, refused: true };
        }
        check_body(&mut checks, &body);
        let token = body["token"].as_str().map(ToOwned::to_owned);
        let refused = !checks.is_clean();
        let answer = match (known, &token) {
            (false, _) => invalid_credentials(),
            (true, None) => Answer::json(400, &json!({"Error": "No Token Found"})),
            (true, Some(_)) if refused => Answer::json(400, &json!({"Error": "Bad request"})),
            (true, Some(_)) => {
                let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
                Answer::json(200, &json!({"Success": format!("projects/zmes-test/messages/0:{number}")}))
            }
        };
        Verdict { route: Route::Push, token, violations: checks.findings(), answer, refused }
    }
}

fn check_body(checks: &mut Checks, body: &Value) {
    let required = ["token", "title", "body", "sound", "badge", "log_message_id", "data"];
    checks.shape(body, "", &required, &["android", "ios", "image_url", "log_raw_message"]);
    for text in ["token", "title", "body", "sound", "log_message_id", "image_url"] {
        checks.text(body, &format!("/{text}"));
    }
    checks.count(body, "/badge");
    checks.one_of(body, "/log_raw_message", &["yes"]);
    check_data(checks, body, "/data");
    let one = body.get("android").is_some() != body.get("ios").is_some();
    checks.ensure(one, "neither android nor ios, or both");
    checks.shape(body, "/android", &["icon", "priority"], &["ttl", "tag", "channel"]);
    for text in ["icon", "tag", "channel"] {
        checks.text(body, &format!("/android/{text}"));
    }
    checks.one_of(body, "/android/priority", &["high", "normal"]);
    checks.count(body, "/android/ttl");
    checks.shape(body, "/ios", &["thread_id", "headers"], &["subtitle"]);
    checks.text(body, "/ios/thread_id");
    checks.text(body, "/ios/subtitle");
    checks.strings(body, "/ios/headers");
    let optional = ["apns-collapse-id", "apns-expiration"];
    checks.shape(body, "/ios/headers", &["apns-priority", "apns-push-type"], &optional);
    checks.one_of(body, "/ios/headers/apns-priority", &["10", "5"]);
    checks.one_of(body, "/ios/headers/apns-push-type", &["alert"]);
}

fn invalid_credentials() -> Answer {
    Answer::json(401, &json!({"Error": "Invalid credentials: Signature verification failed"}))
}
