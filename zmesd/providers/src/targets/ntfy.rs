//! ntfy: JSON to the root of the server (binwiederhier/ntfy, docs/publish.md; codes in server/errors.go).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SpanRound, Timestamp, ToSpan, Unit};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;
use zmes_shared::words::{FaultKind, MachineKind};

use super::frame::{self, PictureTried, Question, TargetFrame};
use super::message::{TargetMessage, cut_bytes, cut_characters};
use super::settings::{NtfyConfig, TargetConfig, TargetPriority};
use crate::answer::ProviderAnswer;
use crate::cause::ConnectCause;
use crate::http;
use crate::picture::{PictureFile, PictureWay, PushedPicture};
use crate::problem::TransportProblem;
use crate::push::{CheckStep, Delivered, Push, PushError, PushTransport, SnoozeButton, SnoozeTime};
use crate::transports::TransportContext;

/// Longest message, in bytes: a longer one becomes a file (server/config.go, `DefaultMessageSizeLimit`).
const MESSAGE_MAX: usize = 4096;
/// The same in a header, which proxies bound to 8 KiB with all others.
const HEADER_MESSAGE_MAX: usize = 2048;
/// Bytes of an encoded word of at most 75 characters (RFC 2047 2).
const ENCODED_WORD: usize = 45;
/// Pause for files after the share of attachments was used up.
const FILES_USED_UP: Duration = Duration::from_hours(1);
/// Longest title, in characters: more than phones show.
const TITLE_MAX: usize = 250;
/// Wait after "too many requests": the server gives one back every five seconds (`DefaultVisitorRequestLimitReplenish`).
const TOO_MANY: Duration = Duration::from_secs(10);
/// Wait after too many failed logins from this address.
const LOCKED_OUT: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(super) struct Ntfy {
    frame: TargetFrame,
    topic: SecretString,
    token: Option<SecretString>,
    no_files_until: Mutex<Option<Instant>>,
}

impl Ntfy {
    pub(super) fn new(
        target: &TargetConfig,
        config: &NtfyConfig,
        common: &Arc<TransportContext>,
    ) -> Result<Self, TransportProblem> {
        let secrets = std::iter::once(config.topic.clone()).chain(config.token.clone()).collect();
        let frame = TargetFrame::new(target, config.url.expose_secret(), secrets, common)?;
        Ok(Self {
            frame,
            topic: config.topic.clone(),
            token: config.token.clone(),
            no_files_until: Mutex::default(),
        })
    }

    fn body(&self, message: &TargetMessage<'_>) -> Value {
        let words = message.words(&self.frame.texts);
        let mut body = json!({
            "topic": self.topic.expose_secret(),
            "title": cut_characters(&words.title, TITLE_MAX),
            "message": cut_bytes(&words.text, MESSAGE_MAX),
            "priority": priority(message.priority),
            "tags": [tag(message)],
        });
        if !words.link.is_empty() {
            body["click"] = words.link.into();
        }
        if let Some(actions) = actions(message) {
            body["actions"] = actions;
        }
        if let Some(sequence) = sequence(message) {
            body["sequence_id"] = sequence.into();
        }
        // The phone fetches it.
        if let Some(picture) = message.picture_link() {
            body["attach"] = picture.into();
            body["filename"] = PictureFile::NAME.into();
        }
        body
    }

    /// The same as a file with its texts in headers: to the topic, not to the root.
    fn upload(&self, client: &Client, message: &TargetMessage<'_>, file: &PictureFile) -> RequestBuilder {
        let words = message.words(&self.frame.texts);
        let request = client
            .put(http::below(&self.frame.http.base, self.topic.expose_secret()))
            .header("x-title", header(&cut_characters(&words.title, TITLE_MAX)))
            .header("x-message", header(&cut_bytes(&words.text, HEADER_MESSAGE_MAX)))
            .header("x-priority", priority(message.priority).to_string())
            .header("x-tags", tag(message))
            .header("x-filename", PictureFile::NAME);
        let request =
            if words.link.is_empty() { request } else { request.header("x-click", header(&words.link)) };
        let request = match sequence(message) {
            Some(sequence) => request.header("x-sequence-id", sequence),
            None => request,
        };
        // The header takes the same JSON (server/actions.go, `parseActions`).
        let request = match actions(message) {
            Some(actions) => request.header("x-actions", header(&actions.to_string())),
            None => request,
        };
        self.with_token(request).body(file.bytes().to_vec())
    }

    /// Says whether the day's share of attachments is used up: it is not asked for again in the next hour. Unlike all other
    /// answers with 429, this one is about the file alone.
    fn has_used_up_files(&self, answer: &ProviderAnswer) -> bool {
        let used_up = code(frame::json(answer).as_ref()) == Some(42_905);
        if used_up {
            let until = Instant::now() + FILES_USED_UP;
            *self.no_files_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
        used_up
    }

    fn takes_files(&self) -> bool {
        let until = *self.no_files_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_none_or(|until| until <= Instant::now())
    }

    fn with_token(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => {
                http::secret(request, "authorization", &format!("Bearer {}", token.expose_secret()))
            }
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Result<ProviderAnswer, PushError> {
        let (http, url) = (&self.frame.http, http::below(&self.frame.http.base, path));
        http.call(http.deadline(), |client| self.with_token(client.get(url))).await
    }

    fn judge(&self, answer: &ProviderAnswer) -> Result<Delivered, PushError> {
        let json = frame::json(answer);
        if answer.status.is_success() {
            // A proxy in front of it may answer 200 with an error page.
            return match json.as_ref().and_then(|json| frame::id(json, "id")) {
                Some(id) => Ok(Delivered::with_id(Some(self.frame.quote(&id)))),
                None => Err(self.frame.unexpected(answer, "ntfy's JSON with the id of the message")),
            };
        }
        Err(self.refusal(answer, code(json.as_ref())))
    }

    fn refusal(&self, answer: &ProviderAnswer, code: Option<u64>) -> PushError {
        let frame = &self.frame;
        match code {
            Some(40_009) => PushError::Message(frame.said(answer)),
            Some(42_901) => frame.fault_for(answer, FaultKind::Limited, Some(TOO_MANY)),
            Some(42_908) => frame.fault_for(answer, FaultKind::Limited, until_midnight(answer.at)),
            Some(42_909) => frame.fault_for(answer, FaultKind::Credentials, Some(LOCKED_OUT)),
            Some(50_701) => {
                PushError::Phone { detail: frame.said(answer), retry_after: answer.retry_after() }
            }
            Some(_) | None => frame.by_status(answer),
        }
    }

    async fn health(&self) -> Result<String, ConnectCause> {
        let answer = self.get("v1/health").await?;
        let healthy = frame::json(&answer).and_then(|json| json.get("healthy")?.as_bool());
        match healthy {
            Some(true) if answer.status.is_success() => Ok("the server is healthy".to_owned()),
            Some(_) => Err(ConnectCause::new(FaultKind::Provider, "the server says that it is not healthy")),
            None => Err(ConnectCause::from(self.frame.not_due(&answer, "ntfy's health"))),
        }
    }

    /// Asks whether the token is known and may use the topic; sends nothing.
    async fn allowed(&self) -> Result<String, ConnectCause> {
        let answer = self.get(&format!("{}/auth", self.topic.expose_secret())).await?;
        Ok(self.access(&answer)?)
    }

    /// ntfy answers whether the topic may be read (server/server.go, `authorizeTopicRead`): 401 where the token is unknown,
    /// 403 also to those who may only publish.
    fn access(&self, answer: &ProviderAnswer) -> Result<String, PushError> {
        let with = if self.token.is_some() { "with this token" } else { "without a token" };
        match answer.status.as_u16() {
            200..=299 => Ok(format!("the topic can be read {with}; nothing was sent")),
            403 if !answer.is_page() => Ok(format!(
                "the topic cannot be read {with}; only a message proves that it can be published to"
            )),
            _ => Err(self.frame.by_status(answer)),
        }
    }
}

/// Returns ntfy's own number of a refusal.
fn code(json: Option<&Value>) -> Option<u64> {
    json?.get("code")?.as_u64()
}

/// Returns the snooze buttons: the phone sends the POST itself, and removes the message.
fn actions(message: &TargetMessage<'_>) -> Option<Value> {
    let action = |button: &SnoozeButton| {
        json!({
            "action": "http", "label": button.label(), "url": button.url.expose_secret(), "method": "POST",
            "clear": true,
        })
    };
    let actions: Vec<_> = message.push.snooze.iter().map(action).collect();
    (!actions.is_empty()).then_some(Value::Array(actions))
}

/// Returns what an alarm and its update have in common: apps show the newest message of a sequence, since ntfy 2.16 (docs,
/// "Updating notifications"). Older ones pass over it and show both.
fn sequence(message: &TargetMessage<'_>) -> Option<String> {
    if message.digest().is_some() {
        return None;
    }
    match message.kind() {
        MachineKind::AlarmStart => Some(message.id()),
        MachineKind::AlarmUpdate => message.id_of_start(),
        MachineKind::AlarmEnd
        | MachineKind::Trouble
        | MachineKind::Resolved
        | MachineKind::Test
        | MachineKind::SnoozeEnd
        | MachineKind::Unknown => None,
    }
}

fn tag(message: &TargetMessage<'_>) -> &'static str {
    match (message.is_trouble(), message.priority) {
        (true, _) => "warning",
        (false, TargetPriority::Urgent) => "rotating_light",
        (false, _) => "camera",
    }
}

/// Writes a text as the value of a header: by RFC 2047, which ntfy decodes, where it is not plain ASCII of one line.
fn header(text: &str) -> String {
    let plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if text.bytes().all(plain) && !text.contains("=?") {
        return text.to_owned();
    }
    let (mut words, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (word, behind) = rest.split_at(rest.floor_char_boundary(ENCODED_WORD));
        words.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
        rest = behind;
    }
    words.join(" ")
}

fn priority(priority: TargetPriority) -> u8 {
    match priority {
        TargetPriority::Low => 2,
        TargetPriority::Normal => 3,
        TargetPriority::High => 4,
        TargetPriority::Urgent => 5,
    }
}

/// Returns how long it is until the day's quota begins anew (server/config.go, `DefaultVisitorStatsResetTime`).
fn until_midnight(now: Timestamp) -> Option<Duration> {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC);
    let midnight = today.start_of_day().ok()?.checked_add(1.day()).ok()?;
    let left = now.until(midnight.timestamp()).ok()?;
    let left = left.round(SpanRound::new().largest(Unit::Second)).ok()?;
    u64::try_from(left.get_seconds()).ok().map(Duration::from_secs)
}

#[async_trait]
impl PushTransport for Ntfy {
    fn name(&self) -> &str {
        &self.frame.name
    }

    fn target(&self) -> String {
        self.frame.http.target()
    }

    fn picture_way(&self) -> PictureWay {
        self.frame.picture.way()
    }

    fn snooze_buttons(&self) -> &[SnoozeTime] {
        &self.frame.snooze_buttons
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        let message = self.frame.message(push)?;
        let mut without_picture = None;
        if let Some(file) = push.picture.as_ref().and_then(PushedPicture::file) {
            if self.takes_files() {
                let upload = |client: &Client| self.upload(client, &message, file);
                let answer = self.frame.http.call(self.frame.picture_deadline(), upload).await;
                without_picture = match answer {
                    Ok(answer) if self.has_used_up_files(&answer) => Some(self.frame.said(&answer)),
                    answer => match self.frame.tried(answer, |answer| self.judge(answer))? {
                        PictureTried::Delivered(delivered) => return Ok(delivered),
                        PictureTried::Refused { why, .. } => Some(why),
                    },
                };
            } else {
                without_picture =
                    Some("the server's share of attachments was used up within the last hour".to_owned());
            }
        }
        let body = self.body(&message);
        let answer = self.frame.post("", &body, |request| self.with_token(request)).await?;
        Ok(Delivered { without_picture, ..self.judge(&answer)? })
    }

    async fn check(&self) -> Vec<CheckStep> {
        let questions: Vec<Question<'_>> =
            vec![("http", Box::pin(self.health())), ("credentials", Box::pin(self.allowed()))];
        self.frame.check(questions).await
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::push::{PushSubject, PushedAlarm, Urgency};
    use crate::targets::fixtures::{context, message_texts, push, target};
    use crate::targets::settings::TargetProvider;
    use crate::tests::{answer, answer_with, kind};

    #[test]
    fn texts_in_headers_are_plain_or_encoded_words() {
        assert_eq!(header("Motion: All (95%)"), "Motion: All (95%)");
        assert_eq!(header("H\u{f6}f"), "=?UTF-8?B?SMO2Zg==?=");
        assert_eq!(header("a\r\nX-Click: b"), "=?UTF-8?B?YQ0KWC1DbGljazogYg==?=");
        assert_eq!(header("=?x?="), "=?UTF-8?B?PT94Pz0=?=");
        let long = header(&"\u{e4}".repeat(100));
        assert!(long.split(' ').all(|word| word.len() <= 75 && word.starts_with("=?UTF-8?B?")), "{long}");
        assert_eq!(long.split(' ').count(), 5);
    }

    #[test]
    fn a_refusal_of_the_file_lets_the_text_go_alone_and_a_used_up_share_is_remembered() {
        let ntfy = ntfy();
        let refused = |status, code: u32| answer(status, &format!(r#"{{"code":{code}}}"#));
        let tried = |answer| ntfy.frame.tried(Ok(answer), |answer| ntfy.judge(answer));
        for (status, code) in [(400, 40_014), (413, 41_301)] {
            assert!(!ntfy.has_used_up_files(&refused(status, code)), "{code}");
            assert!(matches!(tried(refused(status, code)), Ok(PictureTried::Refused { .. })), "{code}");
        }
        for (status, code) in [(429, 42_901), (401, 40_101)] {
            assert!(!ntfy.has_used_up_files(&refused(status, code)), "{code}");
            assert!(tried(refused(status, code)).is_err(), "{code}");
        }
        assert!(ntfy.takes_files());
        assert!(ntfy.has_used_up_files(&refused(429, 42_905)) && !ntfy.takes_files());
    }

    fn ntfy() -> Ntfy {
        let config = NtfyConfig {
            url: "https://ntfy.example.org".into(),
            topic: "zm-s3cret-topic".into(),
            token: Some("tk_s3cret".into()),
        };
        Ntfy::new(&target(TargetProvider::Ntfy(config.clone())), &config, &context()).unwrap()
    }

    #[test]
    fn an_update_takes_the_place_of_its_alarm_and_nothing_else_does() {
        let (texts, zone) = (message_texts(), TimeZone::UTC);
        let sequence = |push: &Push| sequence(&TargetMessage::new(push, &texts, &zone).unwrap());
        let start = push(32_910);
        let of_start = sequence(&start).unwrap();
        // As ntfy wants it: `^[-_A-Za-z0-9]{1,64}$`.
        assert!(of_start.len() == 26 && of_start.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let changed = |change: fn(&mut PushedAlarm)| {
            let mut push = start.clone();
            change(&mut push.alarms[0]);
            push
        };
        let update = changed(|alarm| {
            alarm.updates = Some(alarm.at);
            alarm.at = "2026-11-25T16:02:12Z".parse().unwrap();
        });
        assert_eq!(sequence(&update).as_ref(), Some(&of_start));
        assert_ne!(sequence(&push(32_911)), Some(of_start));
        let end = changed(|alarm| alarm.ended = Some(Duration::from_secs(3)));
        let digest = Push { digest: Some(3), ..start.clone() };
        let test = changed(|alarm| alarm.test = true);
        for other in [end, digest, test, changed(|alarm| alarm.subject = PushSubject::Trouble)] {
            assert_eq!(sequence(&other), None, "{other:?}");
        }
        let ntfy = ntfy();
        let json = ntfy.body(&TargetMessage::new(&update, &texts, &zone).unwrap());
        assert_eq!(json["sequence_id"].as_str(), sequence(&update).as_deref());
    }

    #[test]
    fn each_code_of_the_server_has_its_meaning() {
        for (status, body, wanted) in [
            (200, r#"{"id":"hwQ2YpKdmg","time":1635528741}"#, "delivered"),
            (200, "<html><title>Login</title>", "web_page"),
            (200, r#"{"error":"nope"}"#, "bad_answer"),
            (200, "", "bad_answer"),
            (400, r#"{"code":40009,"http":400,"error":"invalid request: topic invalid"}"#, "message"),
            (401, r#"{"code":40101,"http":401,"error":"unauthorized"}"#, "credentials"),
            (403, r#"{"code":40301,"http":403,"error":"forbidden"}"#, "credentials"),
            (413, r#"{"code":41301,"http":413,"error":"attachment too large"}"#, "message"),
            (429, r#"{"code":42901,"http":429,"error":"limit reached: too many requests"}"#, "limited"),
            (429, r#"{"code":42908,"http":429,"error":"limit reached: daily message quota"}"#, "limited"),
            (429, r#"{"code":42909,"http":429,"error":"too many authentication failures"}"#, "credentials"),
            (507, r#"{"code":50701,"http":507,"error":"no subscriber"}"#, "phone"),
            (500, r#"{"code":50001,"http":500,"error":"internal server error"}"#, "provider"),
            (502, "<html>Bad Gateway", "provider"),
            (301, "", "redirect"),
            (404, "", "not_found"),
        ] {
            assert_eq!(kind(&ntfy().judge(&answer(status, body))), wanted, "{status} {body}");
        }
    }

    #[test]
    fn a_token_that_may_only_publish_passes_the_check() {
        let access = |status, body| ntfy().access(&answer(status, body));
        assert_eq!(
            access(403, r#"{"code":40301,"http":403,"error":"forbidden"}"#).unwrap(),
            "the topic cannot be read with this token; only a message proves that it can be published to"
        );
        assert_eq!(
            access(200, r#"{"success":true}"#).unwrap(),
            "the topic can be read with this token; nothing was sent"
        );
        assert_eq!(kind(&access(401, r#"{"code":40101,"error":"unauthorized"}"#)), "credentials");
        assert_eq!(kind(&access(403, "<html>blocked")), "credentials", "that is not ntfy's answer");
    }

    fn wait(status: u16, headers: &[(&str, &str)], body: &str) -> Option<u64> {
        let refused = ntfy().judge(&answer_with(status, headers, body));
        let Err(PushError::Transport(fault)) = refused else { panic!("{refused:?}") };
        fault.retry_after.map(|wait| wait.as_secs())
    }

    #[test]
    fn how_long_to_wait_is_bounded_and_the_servers_word_counts_first() {
        assert_eq!(wait(429, &[], r#"{"code":42901}"#), Some(10));
        assert_eq!(wait(429, &[("retry-after", "3")], r#"{"code":42901}"#), Some(3));
        assert_eq!(wait(429, &[], r#"{"code":42908}"#), Some(600), "until midnight, at most ten minutes");
        assert_eq!(wait(429, &[], r#"{"code":42909}"#), Some(600));
        let late = "1994-11-06T23:59:30Z".parse().unwrap();
        assert_eq!(until_midnight(late), Some(Duration::from_secs(30)));
    }

    #[test]
    fn no_quote_shows_topic_or_token() {
        let said = r#"{"code":40301,"error":"zm-s3cret-topic is not for tk_s3cret"}"#;
        let error = ntfy().judge(&answer(403, said)).unwrap_err().to_string();
        assert!(!error.contains("s3cret") && error.contains("… is not for …"), "{error}");
        assert!(!format!("{:?}", ntfy()).contains("s3cret"));
    }

    #[test]
    fn a_message_has_priority_tag_and_link() {
        let (ntfy, mut push) = (ntfy(), push(32_910));
        let mut body = |urgency, subject| {
            push.urgency = urgency;
            push.alarms[0].subject = subject;
            ntfy.body(&ntfy.frame.message(&push).unwrap())
        };
        let normal = body(Urgency::Normal, PushSubject::Alarm);
        assert_eq!(
            normal,
            json!({"topic": "zm-s3cret-topic", "title": "Garage", "message": "Motion: All", "priority": 3,
                "tags": ["camera"], "sequence_id": "01M89Q2H600000000G0000104E"})
        );
        assert_eq!(message_texts().link.source(), "");
        let urgent = body(Urgency::Urgent, PushSubject::Alarm);
        assert_eq!((&urgent["priority"], &urgent["tags"][0]), (&json!(5), &json!("rotating_light")));
        let over = body(Urgency::Silent, PushSubject::Trouble);
        assert_eq!((&over["priority"], &over["tags"][0]), (&json!(2), &json!("warning")));
    }
}
