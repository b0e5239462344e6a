//! Firebase Cloud Messaging, HTTP v1: `POST /v1/projects/<id>/messages:send` over HTTP/2, with a bearer token.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use hyper::{Method, Version};
use serde_json::{Value, json};

use super::checks::{Checks, is_number};
use super::oauth::{Bearers, OAuth, Standing};
use super::request::{Request, Verdict};
use super::script::{Answer, Behaviour, Route};
use super::{Authority, Contract, StandIn};

/// Google's size limit of a message.
const MAX_MESSAGE: usize = 4096;
/// Maximum length of `apns-collapse-id` in bytes.
const MAX_COLLAPSE_ID: usize = 64;
const ERROR_TYPE: &str = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
const BAD_REQUEST_TYPE: &str = "type.googleapis.com/google.rpc.BadRequest";

/// FCM, with the OAuth endpoint that issues its bearer tokens.
#[derive(Debug)]
pub struct Fcm {
    /// The endpoint for messages.
    pub messages: StandIn<FcmContract>,
    /// The endpoint for bearer tokens.
    pub oauth: OAuth,
    service_account: PathBuf,
}

/// The requirements of the method `messages:send`.
#[derive(Debug)]
pub struct FcmContract {
    bearers: Arc<Bearers>,
    messages: AtomicU64,
}

impl Fcm {
    /// Id of the Firebase project.
    pub const PROJECT: &'static str = "zmes-test";

    /// Starts both endpoints under one authority, and writes the service account's file.
    pub async fn start() -> Result<Self> {
        let (authority, bearers) = (Authority::new()?, Arc::new(Bearers::default()));
        let oauth = OAuth::start(&authority, Arc::clone(&bearers)).await?;
        let service_account = oauth.write_account(Self::PROJECT)?;
        let messages =
            StandIn::serve(FcmContract { bearers, messages: AtomicU64::new(0) }, &authority).await?;
        Ok(Self { messages, oauth, service_account })
    }

    /// Returns the service account's JSON file.
    pub fn service_account(&self) -> &Path {
        &self.service_account
    }

    /// Invalidates every bearer token issued so far: 401 until a new one is fetched.
    pub fn revoke_bearers(&self) {
        self.messages.contract().bearers.revoke_all();
    }

    /// Fails with all contract violations at either endpoint.
    pub fn ensure_no_violations(&self) -> Result<()> {
        self.messages.ensure_no_violations()?;
        self.oauth.ensure_no_violations()
    }

    /// 404: the app was removed from the phone, or the token has expired.
    pub fn unregistered() -> Behaviour {
        error(404, "NOT_FOUND", "Requested entity was not found.", &json!([fcm_error("UNREGISTERED")]))
    }

    /// 403: the token belongs to another Firebase project.
    pub fn sender_mismatch() -> Behaviour {
        let details = json!([fcm_error("SENDER_ID_MISMATCH")]);
        error(403, "PERMISSION_DENIED", "SenderId mismatch", &details)
    }

    /// 400 about `message.token`.
    pub fn invalid_token() -> Behaviour {
        let what = "The registration token is not a valid FCM registration token";
        invalid_argument(what, "message.token")
    }

    /// 400 about the message itself.
    pub fn invalid_data() -> Behaviour {
        invalid_argument("Invalid value at 'message.data[0].value' (TYPE_STRING), 1", "message.data[0].value")
    }

    /// 403: the service account may not send.
    pub fn permission_denied() -> Behaviour {
        let what = "Permission 'cloudmessaging.messages.create' denied on resource \
                    '//cloudresourcemanager.googleapis.com/projects/zmes-test' (or it may not exist).";
        error(403, "PERMISSION_DENIED", what, &json!([]))
    }

    /// 429 with `Retry-After`.
    pub fn quota_exceeded(retry_after: u64) -> Behaviour {
        let details = json!([fcm_error("QUOTA_EXCEEDED")]);
        let answer = error_answer(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", &details);
        Behaviour::Answer(answer.retry_after(retry_after))
    }

    /// 503
    pub fn unavailable() -> Behaviour {
        let details = json!([fcm_error("UNAVAILABLE")]);
        error(503, "UNAVAILABLE", "The service is currently unavailable.", &details)
    }

    /// 500
    pub fn internal() -> Behaviour {
        error(500, "INTERNAL", "Internal error encountered.", &json!([fcm_error("INTERNAL")]))
    }

    /// 401
    pub fn unauthenticated() -> Behaviour {
        Behaviour::Answer(unauthenticated())
    }
}

impl Contract for FcmContract {
    const NAME: &'static str = "FCM";
    const ALPN: &'static [&'static [u8]] = &[b"h2"];

    fn judge(&self, request: &Request) -> Verdict {
        let mut checks = Checks::default();
        checks.ensure(request.version == Version::HTTP_2, format!("spoken in {:?}", request.version));
        if request.method == Method::GET && request.path == "/" {
            // A check without a message: the contract of a push does not apply.
            let (violations, answer) = (checks.findings(), Answer::new(404, ""));
            return Verdict { route: Route::Probe, token: None, violations, answer, refused: true };
        }
        checks.ensure(request.method == Method::POST, "not a POST");
        let path = format!("/v1/projects/{}/messages:send", Fcm::PROJECT);
        checks.ensure(request.path == path, "there is no such path");
        let standing = self.standing(&mut checks, request);
        let body = checks.json(request);
        checks.ensure(request.body.len() <= MAX_MESSAGE, format!("{} bytes", request.body.len()));
        check_message(&mut checks, &body);
        let token = body.pointer("/message/token").and_then(Value::as_str).map(ToOwned::to_owned);
        let refused = !checks.is_clean() || standing != Standing::Valid;
        let answer = match standing {
            Standing::Valid if refused => {
                error_answer(400, "INVALID_ARGUMENT", "Request contains an invalid argument.", &json!([]))
            }
            Standing::Valid => {
                let number = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
                let name = format!("projects/{}/messages/0:{number}", Fcm::PROJECT);
                Answer::json(200, &json!({ "name": name }))
            }
            Standing::Gone | Standing::NeverIssued => unauthenticated(),
        };
        Verdict { route: Route::Push, token, violations: checks.findings(), answer, refused }
    }
}

impl FcmContract {
    /// An expired bearer token is not a violation: it may expire at any time.
    fn standing(&self, checks: &mut Checks, request: &Request) -> Standing {
        let Some(authorization) = checks.header(request, "authorization") else {
            return Standing::NeverIssued;
        };
        let Some(bearer) = authorization.strip_prefix("Bearer ") else {
            checks.add("authorization is no Bearer");
            return Standing::NeverIssued;
        };
        let standing = self.bearers.standing(bearer);
        checks.ensure(standing != Standing::NeverIssued, "a bearer that was never given out");
        standing
    }
}

fn check_message(checks: &mut Checks, body: &Value) {
    checks.shape(body, "", &["message"], &["validate_only"]);
    checks.value(body, "/validate_only", "a boolean", Value::is_boolean);
    // The content of a dry run does not matter.
    let dry = body["validate_only"] == true;
    let (platform, content) = (["android", "apns"], ["token", "notification", "data"]);
    let optional = [&platform[..], &content[1..], &["fcm_options"]].concat();
    checks.shape(body, "/message", content.get(..if dry { 1 } else { 3 }).unwrap_or_default(), &optional);
    checks.text(body, "/message/token");
    checks.shape(body, "/message/notification", &["title", "body"], &["image"]);
    for text in ["title", "body", "image"] {
        checks.text(body, &format!("/message/notification/{text}"));
    }
    let kinds = platform.iter().filter(|name| body["message"].get(name).is_some()).count();
    checks.ensure(kinds == 1 || (dry && kinds == 0), "neither android nor apns, or both");
    check_data(checks, body, "/message/data");
    check_android(checks, body);
    check_apns(checks, body);
}

/// Checks what the apps read: `mid` and `eid` as strings, and the word that shows a message in the foreground.
pub(super) fn check_data(checks: &mut Checks, body: &Value, pointer: &str) {
    checks.strings(body, pointer);
    let Some(data) = body.pointer(pointer).and_then(Value::as_object) else { return };
    for name in ["mid", "notification_foreground"] {
        checks.ensure(data.contains_key(name), format!("{pointer}/{name} is missing"));
    }
    checks.ids(body, &format!("{pointer}/mid"));
    checks.ids(body, &format!("{pointer}/eid"));
    checks.one_of(body, &format!("{pointer}/notification_foreground"), &["true"]);
    for name in data.keys() {
        let reserved = ["from", "message_type", "notification"].contains(&name.as_str())
            || ["google.", "gcm."].iter().any(|prefix| name.starts_with(prefix));
        checks.ensure(!reserved, format!("{pointer}/{name} is a reserved word"));
    }
}

fn check_android(checks: &mut Checks, body: &Value) {
    let android = "/message/android";
    checks.shape(body, android, &["priority", "notification"], &["ttl", "collapse_key"]);
    checks.one_of(body, &format!("{android}/priority"), &["high", "normal", "HIGH", "NORMAL"]);
    checks.value(body, &format!("{android}/ttl"), "seconds with an s", |ttl| {
        ttl.as_str().and_then(|text| text.strip_suffix('s')).is_some_and(is_number)
    });
    let shown = format!("{android}/notification");
    let texts = ["icon", "sound", "tag", "channel_id", "image", "color"];
    let others = ["notification_count", "notification_priority"];
    checks.shape(body, &shown, &["icon"], &[&texts[1..], &others].concat());
    let priorities = ["MIN", "LOW", "DEFAULT", "HIGH", "MAX"].map(|word| format!("PRIORITY_{word}"));
    let priorities = priorities.each_ref().map(String::as_str);
    checks.one_of(body, &format!("{shown}/notification_priority"), &priorities);
    for text in texts {
        checks.text(body, &format!("{shown}/{text}"));
    }
    checks.count(body, &format!("{shown}/notification_count"));
}

fn check_apns(checks: &mut Checks, body: &Value) {
    let apns = "/message/apns";
    checks.shape(body, apns, &["payload", "headers"], &["fcm_options"]);
    checks.shape(body, "/message/apns/fcm_options", &[], &["image", "analytics_label"]);
    checks.text(body, "/message/apns/fcm_options/image");
    checks.strings(body, "/message/apns/headers");
    checks.one_of(body, "/message/apns/headers/apns-priority", &["10", "5"]);
    checks.one_of(body, "/message/apns/headers/apns-push-type", &["alert"]);
    checks.value(body, "/message/apns/headers/apns-expiration", "seconds since 1970 in a string", |value| {
        value.as_str().is_some_and(is_number)
    });
    checks.value(body, "/message/apns/headers/apns-collapse-id", "at most 64 bytes", |value| {
        value.as_str().is_some_and(|id| !id.is_empty() && id.len() <= MAX_COLLAPSE_ID)
    });
    check_aps(checks, body, "/message/apns/payload/aps");
    if body.pointer("/message/apns").is_some() {
        for name in ["payload/aps/alert", "payload/aps/badge", "headers/apns-push-type"] {
            checks.ensure(
                body.pointer(&format!("{apns}/{name}")).is_some(),
                format!("{apns}/{name} is missing"),
            );
        }
    }
}

/// Checks Apple's part of a message.
pub(super) fn check_aps(checks: &mut Checks, body: &Value, aps: &str) {
    let optional = ["badge", "sound", "thread-id", "mutable-content", "category", "interruption-level"];
    checks.shape(body, aps, &["alert"], &optional);
    let alert = format!("{aps}/alert");
    checks.shape(body, &alert, &["title", "body"], &["subtitle"]);
    for text in ["title", "body", "subtitle"] {
        checks.text(body, &format!("{alert}/{text}"));
    }
    checks.count(body, &format!("{aps}/badge"));
    checks.text(body, &format!("{aps}/sound"));
    checks.text(body, &format!("{aps}/thread-id"));
    // Apple: UNNotificationInterruptionLevel.
    let levels = ["passive", "active", "time-sensitive", "critical"];
    checks.one_of(body, &format!("{aps}/interruption-level"), &levels);
    checks.value(body, &format!("{aps}/mutable-content"), "the number 1", |value| value == 1);
}

fn fcm_error(code: &str) -> Value {
    json!({"@type": ERROR_TYPE, "errorCode": code})
}

fn invalid_argument(what: &str, field: &str) -> Behaviour {
    let violation =
        json!({"@type": BAD_REQUEST_TYPE, "fieldViolations": [{"field": field, "description": what}]});
    error(400, "INVALID_ARGUMENT", what, &json!([fcm_error("INVALID_ARGUMENT"), violation]))
}

fn error(code: u16, status: &str, message: &str, details: &Value) -> Behaviour {
    Behaviour::Answer(error_answer(code, status, message, details))
}

fn error_answer(code: u16, status: &str, message: &str, details: &Value) -> Answer {
    let body = json!({"error": {"code": code, "message": message, "status": status, "details": details}});
    Answer::json(code, &body)
}

fn unauthenticated() -> Answer {
    let what = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                other valid authentication credential.";
    let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_EXPIRED",
                         "domain": "googleapis.com", "metadata": {"service": "fcm.googleapis.com"}}]);
    error_answer(401, "UNAUTHENTICATED", what, &details)
}
