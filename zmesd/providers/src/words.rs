//! What the words of a proxy mean. Proxies stand between zmesd and the provider and pass on its answer as text: the
//! published function turns every exception of Google's library into a 400 (`examples/send_push.py` of the event server),
//! AirNotifier says "Invalid access key" with the same status as "Invalid device type" (`api/__init__.py`).

use serde_json::Value;
use zmes_shared::words::FaultKind;

use super::answer::ProviderAnswer;
use super::reading::BodyContent;
use crate::push::PushError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProxyVerdict {
    Dead,
    WrongApp,
    /// This phone cannot be reached now.
    Phone,
    /// Only this message.
    Message,
    Fault(FaultKind),
}

/// Texts in lower case; the first that is found decides. Those of Google are what `firebase_admin` puts into its
/// exceptions: FCM's own messages, and its words for a connection that failed.
const VERDICTS: [(&str, ProxyVerdict); 36] = [
    ("unregistered", ProxyVerdict::Dead),
    ("notregistered", ProxyVerdict::Dead),
    ("registration-token-not-registered", ProxyVerdict::Dead),
    ("requested entity was not found", ProxyVerdict::Dead),
    ("not a valid fcm registration token", ProxyVerdict::Dead),
    ("invalidregistration", ProxyVerdict::Dead),
    ("invalid-registration-token", ProxyVerdict::Dead),
    ("baddevicetoken", ProxyVerdict::Dead),
    ("senderid mismatch", ProxyVerdict::WrongApp),
    ("sender_id_mismatch", ProxyVerdict::WrongApp),
    ("mismatched-credential", ProxyVerdict::WrongApp),
    ("mismatchsenderid", ProxyVerdict::WrongApp),
    ("message rate exceeded for this device", ProxyVerdict::Phone),
    ("device-message-rate-exceeded", ProxyVerdict::Phone),
    // The function's Firebase project has no key for APNs: Android phones still ring.
    ("auth error from apns", ProxyVerdict::Phone),
    ("third_party_auth_error", ProxyVerdict::Phone),
    // AirNotifier does not say whether the token, the message or its own connection was to blame.
    ("error response from apns", ProxyVerdict::Phone),
    ("quota", ProxyVerdict::Fault(FaultKind::Limited)),
    ("resource_exhausted", ProxyVerdict::Fault(FaultKind::Limited)),
    ("resource has been exhausted", ProxyVerdict::Fault(FaultKind::Limited)),
    ("rate exceeded", ProxyVerdict::Fault(FaultKind::Limited)),
    ("too many requests", ProxyVerdict::Fault(FaultKind::Limited)),
    ("unavailable", ProxyVerdict::Fault(FaultKind::Provider)),
    ("internal error", ProxyVerdict::Fault(FaultKind::Provider)),
    ("internal server error", ProxyVerdict::Fault(FaultKind::Provider)),
    ("unexpected http response with status", ProxyVerdict::Fault(FaultKind::Provider)),
    ("timed out while making an api call", ProxyVerdict::Fault(FaultKind::Provider)),
    ("failed to establish a connection", ProxyVerdict::Fault(FaultKind::Provider)),
    ("unknown error while making a remote service call", ProxyVerdict::Fault(FaultKind::Provider)),
    // Google no longer accepts the function itself: only its operator can fix that.
    ("request had invalid authentication credentials", ProxyVerdict::Fault(FaultKind::Provider)),
    ("permission 'cloudmessaging.messages.create' denied", ProxyVerdict::Fault(FaultKind::Provider)),
    ("invalid access key", ProxyVerdict::Fault(FaultKind::Credentials)),
    ("invalid application", ProxyVerdict::Fault(FaultKind::Credentials)),
    ("app key is required", ProxyVerdict::Fault(FaultKind::Credentials)),
    ("app name is required", ProxyVerdict::Fault(FaultKind::Credentials)),
    ("you have no permission", ProxyVerdict::Fault(FaultKind::Credentials)),
];

/// Reads the refusal of a proxy: its words first, if its status allows that, then the status.
pub(super) fn refusal(answer: &ProviderAnswer, detail: String) -> PushError {
    let content = answer.content();
    let Some(said) = words(&content, &answer.body) else { return answer.by_status(detail) };
    let said = said.to_lowercase();
    let verdict = VERDICTS.iter().find(|(text, _)| said.contains(text)).map(|(_, verdict)| *verdict);
    let verdict = match answer.status.as_u16() {
        // AirNotifier passes on FCM's status and nothing else. 404 is a token that FCM does not know, or a project:
        // not clear enough for the token, and nothing to change here.
        400 | 404 if said.contains("error response from fcm") => Some(ProxyVerdict::Message),
        401 | 403 if said.contains("error response from fcm") => {
            Some(ProxyVerdict::Fault(FaultKind::Provider))
        }
        // A server that refuses us has not checked the token.
        401 | 403 | 407 | 408 | 429 => None,
        // A failing proxy may say anything about a token as text; as JSON it passes on what it was told.
        500.. if !matches!(content, BodyContent::Json(_)) => None,
        _ => verdict,
    };
    match verdict {
        Some(ProxyVerdict::Dead) => PushError::Dead(detail),
        Some(ProxyVerdict::WrongApp) => PushError::WrongApp(detail),
        Some(ProxyVerdict::Phone) => PushError::Phone { detail, retry_after: answer.retry_after() },
        Some(ProxyVerdict::Message) => PushError::Message(detail),
        Some(ProxyVerdict::Fault(kind)) => answer.fault(kind, detail),
        None => answer.by_status(detail),
    }
}

/// Returns the words that count: those of an error in JSON, or a bare text. Words of a web page do not count.
fn words(content: &BodyContent, body: &str) -> Option<String> {
    match content {
        BodyContent::Json(json) => Some(error_of(json).map_or_else(|| json.to_string(), ToOwned::to_owned)),
        BodyContent::Text => Some(body.to_owned()),
        BodyContent::Nothing | BodyContent::Page(_) | BodyContent::Compressed | BodyContent::TooLong => None,
    }
}

pub(super) fn error_of(json: &Value) -> Option<&str> {
    let error = json.get("Error").or_else(|| json.get("error"))?;
    error.as_str().or_else(|| error.get("message")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{answer, kind};

    fn judged(status: u16, body: &str) -> &'static str {
        kind(&Err::<(), _>(refusal(&answer(status, body), "x".to_owned())))
    }

    /// What the published function answers when Google's library raises, recorded from its own code
    /// (`examples/send_push.py` with `firebase_admin` 7 against an FCM that answers so).
    #[test]
    fn the_published_functions_400_is_read() {
        for (message, wanted) in [
            ("Requested entity was not found.", "dead"),
            ("The registration token is not a valid FCM registration token", "dead"),
            ("SenderId mismatch", "wrong app"),
            ("Message rate exceeded for this device", "phone"),
            ("Quota exceeded for quota metric", "limited"),
            ("The service is currently unavailable.", "provider"),
            ("Internal error encountered.", "provider"),
            ("Auth error from APNS or Web Push Service", "phone"),
            (
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
                "provider",
            ),
            (
                "Permission 'cloudmessaging.messages.create' denied on resource '//cloudresourcemanager.googleapis.com/projects/p' (or it may not exist).",
                "provider",
            ),
            (
                "Unexpected HTTP response with status: 502; body: <html><title>Error 502 (Server Error)!!1</title></html>",
                "provider",
            ),
            ("Unexpected HTTP response with status: 500; body: ", "provider"),
            (
                "Unknown error while making a remote service call: Expecting value: line 1 column 1 (char 0)",
                "provider",
            ),
            (
                "Failed to establish a connection: HTTPSConnectionPool(host='fcm.googleapis.com', port=443): Max retries exceeded with url: /v1/projects/p/messages:send",
                "provider",
            ),
            (
                "Timed out while making an API call: HTTPSConnectionPool(host='fcm.googleapis.com', port=443): Read timed out.",
                "provider",
            ),
            ("Message is too big", "message"),
            ("Request contains an invalid argument.", "message"),
        ] {
            let body = serde_json::json!({ "Error": format!("token:RgkFLJu6sg=>{message}") }).to_string();
            for status in [400, 404, 410, 422, 500, 503] {
                let wanted = match (status, wanted) {
                    (404 | 410, "message") => "not_found",
                    (500 | 503, "message") => "provider",
                    _ => wanted,
                };
                assert_eq!(judged(status, &body), wanted, "{status} {message}");
            }
            for (status, wanted) in [(401, "credentials"), (403, "credentials"), (429, "limited")] {
                assert_eq!(judged(status, &body), wanted, "{status} {message}");
            }
        }
        assert_eq!(judged(401, r#"{"Error":"Invalid credentials: Not enough segments"}"#), "credentials");
    }

    /// AirNotifier's own answers (`api/__init__.py`, `api/push.py`).
    #[test]
    fn airnotifiers_400_is_read() {
        for (status, error, wanted) in [
            (400, "Invalid access key", "credentials"),
            (400, "Invalid application name", "credentials"),
            (400, "app key is required", "credentials"),
            (400, "Unknow token and you have no permission to create", "credentials"),
            (403, "No permission to send notification", "credentials"),
            (423, "Blocked IP", "credentials"),
            (400, "Invalid device type", "message"),
            (400, "error response from apns", "phone"),
            (400, "error response from fcm", "message"),
            (404, "error response from fcm", "message"),
            (401, "error response from fcm", "provider"),
            (429, "error response from fcm", "limited"),
            (503, "error response from fcm", "provider"),
            (500, "APNs is offline", "provider"),
            (400, "NotRegistered", "dead"),
            (404, "InvalidRegistration", "dead"),
        ] {
            let body = serde_json::json!({ "error": error }).to_string();
            assert_eq!(judged(status, &body), wanted, "{status} {error}");
        }
    }

    #[test]
    fn a_pages_words_are_nobodys_verdict() {
        let page = "<html><title>404</title>Requested entity was not found. NotRegistered. Quota.";
        let of = |status| judged(status, page);
        assert_eq!([400, 404, 500].map(of), ["web_page", "not_found", "provider"]);
        assert_eq!(judged(500, "NotRegistered"), "provider", "a bare text of a proxy that is not well");
        assert_eq!((judged(404, "NotRegistered"), judged(404, "Not Found")), ("dead", "not_found"));
        assert_eq!(judged(400, ""), "message");
    }
}
