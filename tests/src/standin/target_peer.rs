//! Services that a `[[target]]` sends to, each according to its documentation: ntfy, Pushover, Telegram, Gotify, a
//! webhook.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};

use super::checks::Checks;
use super::request::{Request, Verdict};
use super::script::{Answer, Route};
use super::{Authority, Contract, StandIn};

/// A service.
pub type TargetPeer = StandIn<TargetPeerContract>;

/// The requirements of a service.
#[derive(Debug)]
pub struct TargetPeerContract(Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Ntfy,
    Pushover,
    Telegram,
    Gotify,
    Webhook,
}

impl TargetPeer {
    /// The topic. This and the tokens below are planted: no output may contain them.
    pub const TOPIC: &'static str = "planted-topic-of-the-guard";
    /// The access token of ntfy.
    pub const NTFY_TOKEN: &'static str = "tk_plantedaccesstoken";
    /// The token of the application, for Pushover and Gotify.
    pub const APP_TOKEN: &'static str = "plantedapplicationtoken";
    /// The key of Pushover's user.
    pub const USER_KEY: &'static str = "planteduserkeyofpushover";
    /// The token of Telegram's bot.
    pub const BOT_TOKEN: &'static str = "110201543:plantedbottokenAAHdqTcv";
    /// The path of the webhook.
    pub const HOOK_PATH: &'static str = "/hooks/planted-path-of-the-hook";
    /// The bearer token of the webhook.
    pub const HOOK_TOKEN: &'static str = "planted-token-of-the-hook";

    /// Starts an ntfy server.
    pub async fn ntfy() -> Result<Self> {
        Self::serve(TargetPeerContract(Kind::Ntfy), &Authority::new()?).await
    }

    /// Starts Pushover's API.
    pub async fn pushover() -> Result<Self> {
        Self::serve(TargetPeerContract(Kind::Pushover), &Authority::new()?).await
    }

    /// Starts Telegram's API for bots.
    pub async fn telegram() -> Result<Self> {
        Self::serve(TargetPeerContract(Kind::Telegram), &Authority::new()?).await
    }

    /// Starts a Gotify server.
    pub async fn gotify() -> Result<Self> {
        Self::serve(TargetPeerContract(Kind::Gotify), &Authority::new()?).await
    }

    /// Starts a receiver of webhooks.
    pub async fn webhook() -> Result<Self> {
        Self::serve(TargetPeerContract(Kind::Webhook), &Authority::new()?).await
    }
}

impl Contract for TargetPeerContract {
    const NAME: &'static str = "service of a target";
    const ALPN: &'static [&'static [u8]] = &[b"h2", b"http/1.1"];

    fn judge(&self, request: &Request) -> Verdict {
        let mut checks = Checks::default();
        let (route, answer) = match self.0 {
            Kind::Ntfy => ntfy(request, &mut checks),
            Kind::Pushover => pushover(request, &mut checks),
            Kind::Telegram => telegram(request, &mut checks),
            Kind::Gotify => gotify(request, &mut checks),
            Kind::Webhook => webhook(request, &mut checks),
        };
        let refused = !checks.is_clean();
        let answer = if refused && answer.status < 300 { Answer::new(400, "") } else { answer };
        Verdict { route, token: None, violations: checks.findings(), answer, refused }
    }
}

/// binwiederhier/ntfy, docs/publish.md: JSON goes to the root of the server, not to the topic.
fn ntfy(request: &Request, checks: &mut Checks) -> (Route, Answer) {
    checks.header_is(request, "authorization", &format!("Bearer {}", TargetPeer::NTFY_TOKEN));
    let known = checks.is_clean();
    match (&request.method, request.path.as_str()) {
        (&Method::GET, "/v1/health") => return (Route::Probe, Answer::json(200, &json!({"healthy": true}))),
        (&Method::GET, path) if path == format!("/{}/auth", TargetPeer::TOPIC) => {
            return (Route::Probe, Answer::json(200, &json!({"success": true})));
        }
        (&Method::POST, "/") => {}
        (&Method::PUT, path) if path == format!("/{}", TargetPeer::TOPIC) => {
            checks.ensure(is_jpeg(&request.body), "the body is not a JPEG");
            for header in ["x-title", "x-message", "x-priority", "x-tags", "x-filename"] {
                checks.header(request, header);
            }
            if let Some(sequence) = request.header("x-sequence-id") {
                checks.ensure(is_sequence(sequence), "that is not the id of a sequence");
            }
            if let Some(text) = request.header("x-actions") {
                actions(&serde_json::from_str(text).unwrap_or_default(), checks);
            }
            let answer = json!({"id": "hwQ2YpKdmg", "time": 1_635_528_741, "event": "message",
                "attachment": {"name": "alarm.jpg", "type": "image/jpeg", "size": request.body.len()}});
            return (Route::Push, Answer::json(200, &answer));
        }
        _ => {
            checks.add("there is no such path");
            return (Route::Probe, Answer::new(404, ""));
        }
    }
    let body = checks.json(request);
    checks.shape(
        &body,
        "",
        &["topic", "title", "message", "priority", "tags"],
        &["click", "attach", "filename", "actions", "sequence_id"],
    );
    let sequence = &body["sequence_id"];
    checks.ensure(
        sequence.is_null() || sequence.as_str().is_some_and(is_sequence),
        "that is not the id of a sequence",
    );
    actions(&body["actions"], checks);
    checks.one_of(&body, "/topic", &[TargetPeer::TOPIC]);
    checks.text(&body, "/message");
    checks.value(&body, "/priority", "1 to 5", |priority| {
        priority.as_u64().is_some_and(|priority| (1..=5).contains(&priority))
    });
    checks.value(&body, "/tags", "a list", Value::is_array);
    if !known {
        return (
            Route::Push,
            Answer::json(401, &json!({"code": 40101, "http": 401, "error": "unauthorized"})),
        );
    }
    let answer = json!({"id": "hwQ2YpKdmg", "time": 1_635_528_741, "event": "message"});
    (Route::Push, Answer::json(200, &answer))
}

/// server/actions.go: at most three, each with a label and a URL.
fn actions(actions: &Value, checks: &mut Checks) {
    let Some(list) = actions.as_array() else {
        checks.ensure(actions.is_null(), "actions is not a list");
        return;
    };
    checks.ensure(list.len() <= 3, "more than three actions");
    for action in list {
        checks.shape(action, "", &["action", "label", "url"], &["method", "clear"]);
        checks.one_of(action, "/action", &["http"]);
        checks.text(action, "/label");
        checks.text(action, "/url");
    }
}

/// pushover.net/api
fn pushover(request: &Request, checks: &mut Checks) -> (Route, Answer) {
    let body = checks.json(request);
    checks.one_of(&body, "/token", &[TargetPeer::APP_TOKEN]);
    checks.one_of(&body, "/user", &[TargetPeer::USER_KEY]);
    let accepted =
        Answer::json(200, &json!({"status": 1, "request": "647d2300-702c-4b38-8b2f-d56326ae460b"}));
    match (&request.method, request.path.as_str()) {
        (&Method::POST, "/1/users/validate.json") => (Route::Probe, accepted),
        (&Method::POST, "/1/messages.json") => {
            let optional =
                ["device", "sound", "url", "retry", "expire", "attachment_base64", "attachment_type"];
            if let Some(file) = body["attachment_base64"].as_str() {
                let file = STANDARD.decode(file).unwrap_or_default();
                checks.ensure(is_jpeg(&file), "the attachment is not a JPEG in base64");
                checks.one_of(&body, "/attachment_type", &["image/jpeg"]);
            }
            checks.shape(
                &body,
                "",
                &["token", "user", "title", "message", "priority", "timestamp"],
                &optional,
            );
            checks.text(&body, "/message");
            let emergency = body["priority"] == 2;
            checks.ensure(emergency == body["retry"].is_u64(), "retry is for priority 2, which needs it");
            checks.ensure(emergency == body["expire"].is_u64(), "expire is for priority 2, which needs it");
            (Route::Push, accepted)
        }
        _ => {
            checks.add("there is no such path");
            (Route::Probe, Answer::new(404, ""))
        }
    }
}

/// core.telegram.org/bots/api
fn telegram(request: &Request, checks: &mut Checks) -> (Route, Answer) {
    let Some(method) = request.path.strip_prefix(&format!("/bot{}/", TargetPeer::BOT_TOKEN)) else {
        checks.add("the token is not the bot's");
        let answer = json!({"ok": false, "error_code": 401, "description": "Unauthorized"});
        return (Route::Probe, Answer::json(401, &answer));
    };
    let ok = |result: Value| Answer::json(200, &json!({"ok": true, "result": result}));
    if method == "sendPhoto" {
        let parts = form(request);
        let part = |name: &str| parts.iter().find(|(own, _)| own == name).map(|(_, value)| &value[..]);
        checks
            .ensure(part("chat_id").is_some() && part("caption").is_some(), "chat_id and caption are needed");
        checks.ensure(part("photo").is_some_and(is_jpeg), "the photo is not a JPEG");
        return (Route::Push, ok(json!({"message_id": 4711})));
    }
    if method == "editMessageMedia" {
        let parts = form(request);
        let part = |name: &str| parts.iter().find(|(own, _)| own == name).map(|(_, value)| &value[..]);
        checks.ensure(part("chat_id").is_some(), "chat_id is needed");
        checks.ensure(part("message_id") == Some(b"4711"), "that message was not sent");
        let media: Value = serde_json::from_slice(part("media").unwrap_or_default()).unwrap_or_default();
        let photo = media["type"] == "photo" && media["media"] == "attach://photo";
        checks.ensure(photo && media["caption"].is_string(), "media is not a photo of this form");
        checks.ensure(part("photo").is_some_and(is_jpeg), "the photo is not a JPEG");
        return (Route::Push, ok(json!({"message_id": 4711})));
    }
    let body = checks.json(request);
    match method {
        "editMessageText" | "editMessageCaption" => {
            let text = if method == "editMessageText" { "text" } else { "caption" };
            checks.shape(&body, "", &["chat_id", "message_id", text], &["reply_markup"]);
            checks.text(&body, &format!("/{text}"));
            checks.ensure(body["message_id"] == "4711", "that message was not sent");
            (Route::Push, ok(json!({"message_id": 4711})))
        }
        "getMe" => (Route::Probe, ok(json!({"id": 110_201_543, "is_bot": true, "username": "zm_bot"}))),
        "getChat" => (Route::Probe, ok(json!({"id": -100, "type": "supergroup"}))),
        "sendMessage" => {
            let required = ["chat_id", "text", "disable_notification", "link_preview_options"];
            checks.shape(&body, "", &required, &["message_thread_id", "reply_markup"]);
            checks.text(&body, "/text");
            checks.text(&body, "/chat_id");
            (Route::Push, ok(json!({"message_id": 4711})))
        }
        _ => {
            checks.add("there is no such method");
            (Route::Probe, Answer::json(404, &json!({"ok": false, "error_code": 404})))
        }
    }
}

/// ntfy, server/message.go: what names a sequence of messages.
fn is_sequence(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9])
}

/// Returns the parts of a form, by name (RFC 7578); empty if it is not a form.
pub fn form(request: &Request) -> Vec<(String, Vec<u8>)> {
    let kind = request.header("content-type").unwrap_or_default();
    let Some(boundary) = kind.strip_prefix("multipart/form-data; boundary=") else { return Vec::new() };
    let (first, between) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}"));
    let mut rest = request.body.strip_prefix(first.as_bytes()).unwrap_or_default();
    let mut parts = Vec::new();
    while let (Some(head), Some(end)) = (find(rest, b"\r\n\r\n"), find(rest, between.as_bytes())) {
        let name = String::from_utf8_lossy(&rest[..head]).into_owned();
        let name = name.split("name=\"").nth(1).and_then(|name| name.split('"').next()).unwrap_or_default();
        parts.push((name.to_owned(), rest.get(head + 4..end).unwrap_or_default().to_vec()));
        rest = rest[end + between.len()..].strip_prefix(b"\r\n").unwrap_or_default();
    }
    parts
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// gotify/server, docs/spec.json
fn gotify(request: &Request, checks: &mut Checks) -> (Route, Answer) {
    match (&request.method, request.path.as_str()) {
        (&Method::GET, "/health") => {
            (Route::Probe, Answer::json(200, &json!({"health": "green", "database": "green"})))
        }
        (&Method::POST, "/message") => {
            checks.header_is(request, "x-gotify-key", TargetPeer::APP_TOKEN);
            let body = checks.json(request);
            checks.shape(&body, "", &["title", "message", "priority"], &["extras"]);
            checks.text(&body, "/message");
            checks.count(&body, "/priority");
            (Route::Push, Answer::json(200, &json!({"id": 25, "appid": 5})))
        }
        _ => {
            checks.add("there is no such path");
            (Route::Probe, Answer::new(404, ""))
        }
    }
}

/// standard-webhooks: requirements of every request.
fn webhook(request: &Request, checks: &mut Checks) -> (Route, Answer) {
    checks.ensure(request.path.starts_with(TargetPeer::HOOK_PATH), "there is no such path");
    checks.header_is(request, "authorization", &format!("Bearer {}", TargetPeer::HOOK_TOKEN));
    checks.header(request, "webhook-id");
    checks.header(request, "webhook-timestamp");
    checks.header(request, "webhook-signature");
    (Route::Push, Answer::new(204, ""))
}
