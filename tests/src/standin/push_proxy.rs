//! The PushProxy of the old event server: an AirNotifier, over HTTP/1.1 in TLS.

use hyper::{Method, Version};
use serde_json::{Value, json};

use anyhow::Result;

use super::checks::Checks;
use super::request::{Request, Verdict};
use super::script::{Answer, Behaviour, Route};
use super::{Authority, Contract, StandIn};

/// An AirNotifier.
pub type PushProxy = StandIn<PushProxyContract>;

/// The requirements of AirNotifier's v2 interface.
#[derive(Debug)]
pub struct PushProxyContract {}

impl PushProxy {
    /// Name of the app that it knows.
    pub const APP_NAME: &'static str = "zmninjapro";
    /// Key of that app. Planted: no output may contain it.
    pub const APP_KEY: &'static str = "planted-push-proxy-app-key";

    /// Starts one with its own authority.
    pub async fn start() -> Result<Self> {
        Self::start_under(&Authority::new()?).await
    }

    /// Starts one under a given authority.
    pub async fn start_under(authority: &Authority) -> Result<Self> {
        Self::serve(PushProxyContract {}, authority).await
    }

    /// The app is unknown.
    pub fn wrong_app_key() -> Behaviour {
        Behaviour::Answer(wrong_app_key())
    }
}

impl Contract for PushProxyContract {
    const NAME: &'static str = "PushProxy";
    const ALPN: &'static [&'static [u8]] = &[b"http/1.1"];

    fn judge(&self, request: &Request) -> Verdict {
        let mut checks = Checks::default();
        checks.ensure(request.version == Version::HTTP_11, format!("spoken in {:?}", request.version));
        let route = match (&request.method, request.path.as_str()) {
            (&Method::GET, "/") => {
                return verdict(Route::Probe, None, checks, Answer::new(200, "AirNotifier"));
            }
            // AirNotifier checks the key before the method, and supports only POST.
            (&Method::GET, "/api/v2/push") => {
                checks.header_is(request, "x-an-app-name", PushProxy::APP_NAME);
                checks.header_is(request, "x-an-app-key", PushProxy::APP_KEY);
                let answer = if checks.is_clean() { only_post() } else { wrong_app_key() };
                return verdict(Route::Probe, None, checks, answer);
            }
            (&Method::POST, "/api/v2/tokens") => Route::Register,
            (&Method::POST, "/api/v2/push") => Route::Push,
            _ => {
                checks.add("there is no such path");
                return verdict(Route::Probe, None, checks, Answer::new(404, "404: Not Found"));
            }
        };
        checks.header_is(request, "x-an-app-name", PushProxy::APP_NAME);
        checks.header_is(request, "x-an-app-key", PushProxy::APP_KEY);
        let known = checks.is_clean();
        let body = checks.json(request);
        let answer = if route == Route::Push {
            check_push(&mut checks, &body);
            Answer::json(202, &json!({}))
        } else {
            checks.shape(&body, "", &["device", "token", "channel"], &[]);
            checks.one_of(&body, "/device", &["ios", "android"]);
            checks.one_of(&body, "/channel", &["default"]);
            Answer::json(200, &json!({"status": "ok"}))
        };
        checks.text(&body, "/token");
        let token = body["token"].as_str().map(ToOwned::to_owned);
        let answer = if known { answer } else { wrong_app_key() };
        verdict(route, token, checks, answer)
    }
}

/// Checks a message against the old event server's JSON, which differs between the two kinds of phones.
fn check_push(checks: &mut Checks, body: &Value) {
    checks.one_of(body, "/device", &["ios", "android"]);
    let custom = if body["device"] == "ios" {
        checks.shape(body, "", &["device", "token", "alert", "sound", "custom", "badge"], &[]);
        checks.count(body, "/badge");
        "/custom"
    } else {
        checks.shape(body, "", &["device", "token", "alert", "extra"], &["sound"]);
        "/extra"
    };
    checks.shape(body, custom, &["mid"], &[]);
    checks.ids(body, &format!("{custom}/mid"));
    checks.text(body, "/alert");
    checks.text(body, "/sound");
}

fn only_post() -> Answer {
    let page = "<html><title>405: Method Not Allowed</title><body>405: Method Not Allowed</body></html>";
    Answer::new(405, page).header("content-type", "text/html; charset=UTF-8")
}

fn wrong_app_key() -> Answer {
    Answer::json(401, &json!({"error": "Invalid application"}))
}

fn verdict(route: Route, token: Option<String>, checks: Checks, answer: Answer) -> Verdict {
    let refused = !checks.is_clean();
    let answer = if refused && answer.status < 300 {
        Answer::json(400, &json!({"error": "Missing parameters"}))
    } else {
        answer
    };
    Verdict { route, token, violations: checks.findings(), answer, refused }
}
