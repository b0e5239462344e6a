//! What FCM's errors mean for the token, the message and the transport.

use std::time::Duration;

use serde::Deserialize;
use zmes_shared::words::FaultKind;

use super::answer::{MAX_WAIT, ProviderAnswer, quote};
use crate::push::{PushError, TransportFault};
use crate::token::PushToken;

/// `{"error": {…}}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FcmErrorBody {
    error: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    message: String,
    status: String,
    #[serde(rename = "details")]
    parts: Vec<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    error_code: String,
    field_violations: Vec<Violation>,
    /// Of `google.rpc.RetryInfo`: `30s`, `3.5s`.
    retry_delay: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Violation {
    field: String,
}

#[derive(Debug)]
pub(super) struct FcmRefusal {
    pub(super) error: PushError,
    /// FCM refused our OAuth token; a new one may be accepted.
    pub(super) unauthenticated: bool,
}

/// Reads an unsuccessful answer: FCM's code counts if the status agrees with it.
pub(super) fn judge(answer: &ProviderAnswer, token: &PushToken, bearer: &str) -> FcmRefusal {
    let error = serde_json::from_str::<FcmErrorBody>(&answer.body).unwrap_or_default().error;
    let codes = || error.parts.iter().map(|part| part.error_code.as_str());
    let code = codes().find(|code| !code.is_empty()).unwrap_or_default();
    if answer.status.is_success() && error.message.is_empty() && code.is_empty() {
        let error = answer.unexpected("FCM's {\"name\": …}", Some(token), &[bearer]);
        return FcmRefusal { error, unauthenticated: false };
    }
    let said =
        if error.message.is_empty() { answer.said(Some(token), &[bearer]) } else { error.message.clone() };
    let word = if code.is_empty() { error.status.as_str() } else { code };
    let word = if word.is_empty() { String::new() } else { format!(" {word}") };
    let detail = quote(&format!("{}{word}: {said}", answer.status.as_u16()), Some(token), &[bearer]);
    let status = answer.status.as_u16();
    let unauthenticated = status == 401 && code != "THIRD_PARTY_AUTH_ERROR";
    // A gateway that fails or refuses us has not checked the token.
    let of_the_token = matches!(status, 200..300 | 400 | 404 | 410);
    let error = match code {
        "UNREGISTERED" if of_the_token => PushError::Dead(detail),
        "SENDER_ID_MISMATCH" if of_the_token || status == 403 => PushError::WrongApp(detail),
        "INVALID_ARGUMENT" if of_the_token && concerns_token(&error) => PushError::Dead(detail),
        "INVALID_ARGUMENT" if of_the_token => PushError::Message(detail),
        // The app's project has no key for APNs (or Web Push); Android tokens still work.
        "THIRD_PARTY_AUTH_ERROR" => PushError::Phone { detail, retry_after: None },
        // FCM has two quotas with this code; the message names the one per device.
        "QUOTA_EXCEEDED" if error.message.contains("for this device") => {
            PushError::Phone { detail, retry_after: wait(answer, &error) }
        }
        "QUOTA_EXCEEDED" => limited(answer, &error, FaultKind::Limited, detail),
        "UNAVAILABLE" | "INTERNAL" => limited(answer, &error, FaultKind::Provider, detail),
        // The same errors without FCM's code, by Google's general ones.
        _ if status == 400 && concerns_token(&error) => PushError::Dead(detail),
        _ if status == 404 && error.message.contains("entity was not found") => PushError::Dead(detail),
        _ => answer.by_status(detail),
    };
    FcmRefusal { error, unauthenticated }
}

fn limited(answer: &ProviderAnswer, error: &Details, kind: FaultKind, detail: String) -> PushError {
    let (status, retry_after) = (Some(answer.status.as_u16()), wait(answer, error));
    PushError::Transport(TransportFault { kind, status, detail, retry_after })
}

/// Returns how long FCM asks to wait, in the header or in Google's `RetryInfo`; both have the same bound.
fn wait(answer: &ProviderAnswer, error: &Details) -> Option<Duration> {
    let asked = error.parts.iter().find_map(|part| part.retry_delay.strip_suffix('s')?.parse::<f64>().ok());
    let asked = asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let asked = asked.filter(|asked| !asked.is_zero()).map(|asked| asked.min(MAX_WAIT));
    asked.max(answer.retry_after())
}

/// Says whether the token is the only invalid argument.
fn concerns_token(error: &Details) -> bool {
    let mut fields = error.parts.iter().flat_map(|part| &part.field_violations).peekable();
    if fields.peek().is_some() {
        return fields.all(|violation| violation.field == "message.token");
    }
    error.message.contains("not a valid FCM registration token")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{answer, answer_with, kind};

    fn judged(status: u16, body: &str) -> (&'static str, bool) {
        let token = PushToken::parse("cXyz:APA91bHPRgkFLJu6sg").unwrap();
        let refusal = judge(&answer(status, body), &token, "ya29.bearer");
        let unauthenticated = refusal.unauthenticated;
        let error = refusal.error;
        let text = error.to_string();
        assert!(!text.contains("APA91b") && !text.contains("ya29"), "{text}");
        (kind(&Err::<(), _>(error)), unauthenticated)
    }

    fn fcm(status: &str, code: &str, message: &str) -> String {
        format!(
            r#"{{"error":{{"code":1,"message":"{message}","status":"{status}","details":[
            {{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"{code}"}}]}}}}"#
        )
    }

    #[test]
    fn fcms_codes_decide() {
        let invalid = "The registration token is not a valid FCM registration token";
        for (status, body, expected) in [
            (404, fcm("NOT_FOUND", "UNREGISTERED", "Requested entity was not found."), "dead"),
            (400, fcm("INVALID_ARGUMENT", "INVALID_ARGUMENT", invalid), "dead"),
            (400, fcm("INVALID_ARGUMENT", "INVALID_ARGUMENT", "Invalid value at 'message.data'"), "message"),
            (403, fcm("PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"), "wrong app"),
            (429, fcm("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded"), "limited"),
            (503, fcm("UNAVAILABLE", "UNAVAILABLE", "busy"), "provider"),
            (500, fcm("INTERNAL", "INTERNAL", "cXyz:APA91bHPRgkFLJu6sg"), "provider"),
            (401, fcm("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", "APNs key"), "phone"),
        ] {
            assert_eq!(judged(status, &body), (expected, false), "{body}");
        }
    }

    #[test]
    fn a_provider_that_is_not_well_lays_no_token_to_rest() {
        // Found by the fuzzer: 500 with the body of a 404.
        let unregistered = fcm("NOT_FOUND", "UNREGISTERED", "Requested entity was not found.");
        let invalid = "The registration token is not a valid FCM registration token";
        let invalid = fcm("INVALID_ARGUMENT", "INVALID_ARGUMENT", invalid);
        for status in [500, 502, 503] {
            assert_eq!(judged(status, &unregistered).0, "provider", "{status}");
        }
        assert_eq!(judged(429, &unregistered).0, "limited");
        assert_eq!(judged(401, &unregistered).0, "credentials");
        assert_eq!(judged(503, &invalid).0, "provider");
        assert_eq!(judged(404, &unregistered).0, "dead");
    }

    #[test]
    fn violations_tell_the_token_from_the_rest() {
        let body = |fields: &str| {
            format!(
                r#"{{"error":{{"code":400,"message":"Request contains an invalid argument.","status":"INVALID_ARGUMENT",
                "details":[{{"errorCode":"INVALID_ARGUMENT"}},{{"fieldViolations":[{fields}]}}]}}}}"#
            )
        };
        let token = r#"{"field":"message.token","description":"Invalid registration token"}"#;
        assert_eq!(judged(400, &body(token)).0, "dead");
        assert_eq!(judged(400, &body(&format!(r#"{token},{{"field":"message.data"}}"#))).0, "message");
    }

    #[test]
    fn what_does_not_speak_fcm_kills_no_token() {
        for (status, body, wanted) in [
            (404, "<html>404 page not found</html>", "not_found"),
            (403, r#"{"error":{"status":"PERMISSION_DENIED"}}"#, "credentials"),
            (502, "", "provider"),
            (400, "[1]", "message"),
            (400, "<html>400", "web_page"),
            (200, "<!DOCTYPE html><title>Welcome to nginx!</title>", "web_page"),
            (200, "", "bad_answer"),
            (200, "{}", "bad_answer"),
            (200, r#"{"name":7}"#, "bad_answer"),
            (204, "", "bad_answer"),
            (302, "", "redirect"),
            (511, "<html>", "web_page"),
        ] {
            assert_eq!(judged(status, body).0, wanted, "{status} {body}");
        }
        assert_eq!(judged(401, r#"{"error":{"status":"UNAUTHENTICATED"}}"#), ("credentials", true));
    }

    #[test]
    fn a_code_counts_only_where_the_status_agrees() {
        let unregistered = fcm("NOT_FOUND", "UNREGISTERED", "Requested entity was not found.");
        for (status, wanted) in [
            (200, "dead"),
            (400, "dead"),
            (404, "dead"),
            (401, "credentials"),
            (429, "limited"),
            (503, "provider"),
        ] {
            assert_eq!(judged(status, &unregistered).0, wanted, "{status}");
        }
        let device = fcm("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Message rate exceeded for this device");
        assert_eq!(judged(429, &device).0, "phone");
    }

    #[test]
    fn googles_retry_info_counts_and_is_bounded() {
        let wait = |delay: &str, header: Option<&str>| {
            let body = format!(
                r#"{{"error":{{"message":"Quota","details":[{{"errorCode":"QUOTA_EXCEEDED"}},{{"retryDelay":"{delay}"}}]}}}}"#
            );
            let headers: Vec<_> = header.map(|value| ("retry-after", value)).into_iter().collect();
            let token = PushToken::parse("cXyz").unwrap();
            let PushError::Transport(fault) = judge(&answer_with(503, &headers, &body), &token, "").error
            else {
                panic!("{body}")
            };
            fault.retry_after.map(|wait| wait.as_millis())
        };
        assert_eq!((wait("30s", None), wait("3.5s", None)), (Some(30_000), Some(3_500)));
        assert_eq!((wait("30s", Some("40")), wait("50s", Some("40"))), (Some(40_000), Some(50_000)));
        assert_eq!((wait("-3s", None), wait("soon", None), wait("NaNs", None)), (None, None, None));
        assert_eq!((wait("1e99s", None), wait("86400s", None)), (None, Some(600_000)));
    }
}
