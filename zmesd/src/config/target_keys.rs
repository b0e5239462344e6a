//! `[[target]]` in the table of keys: one section for all kinds, because a name is unique among them.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;
use zmes_providers::SnoozeTime;
use zmes_providers::targets::{PictureForm, TargetName, TargetPriority, Template, WebhookMethod};

use super::forms::{
    BODY, CHAT, Choice, Expected, Flag, Headers, Listing, MONITOR_NAMES, Number, PATH_NAME, PHASES,
    SNOOZE_BUTTONS, Secret, Span, TARGET_NAME, TEMPLATE, Text, WORDS,
};
use super::problem::KeyPlace;
use super::reader::Reader;
use super::section::{Form, Key, Literal, Reload, Section, Setting, SettingsArea, section};
use super::settings::{Resolved, Settings};
use super::shown::Shown;
use super::target::{PictureChoice, ProviderKind, TargetPhase};
use crate::rules::MonitorName;

const DAY: Duration = Duration::from_hours(24);

section! {
    /// Services beside the apps' own pushes: ntfy, Pushover, Telegram, Gotify, webhooks. A target is told of alarms as a
    /// phone is; commands call it @name. One block per target; an entry without a name is ignored. In title, text, link,
    /// url, headers and body these are replaced: ${monitor.name} ${monitor.id} ${event} ${cause} ${detected} ${at}
    /// ${at.local} ${id} ${event_type} ${late} ${url} ${picture} ${digest}.
    TargetSection: Target = "target" many {
        /// Unique: "night-guard". Its handle is @night-guard.
        "name" name: Text<Option<TargetName>> = TARGET_NAME, Literal::Text(""), Hot;
        /// The service.
        "kind" kind: Choice<ProviderKind> = Choice(&[
            ("ntfy", ProviderKind::Ntfy),
            ("pushover", ProviderKind::Pushover),
            ("telegram", ProviderKind::Telegram),
            ("gotify", ProviderKind::Gotify),
            ("webhook", ProviderKind::Webhook),
        ]), Literal::Text("ntfy"), Hot;
        /// The user of ZoneMinder whose rights apply. Required while auth.enabled is true.
        "user" user: Text<String> = WORDS, Literal::Text(""), Hot;
        /// Names or ids of monitors: ["Garden", 4]. Empty: all that the user may see.
        "monitors" monitors: Listing<MonitorName> = MONITOR_NAMES, Literal::List(&[]), Hot;
        /// Shortest time between two messages about one monitor; "0s": every alarm.
        "interval" interval: Span = Span { min: Duration::ZERO, max: DAY }, Literal::Text("0s"), Hot;
        /// "start" for alarms; "update" also when labels of an alarm become known that was sent without; "end" also when
        /// they are over; "trouble" also for what keeps zmesd from seeing or telling, as for those of watchdog.notify.
        "phases" phases: Listing<TargetPhase> = PHASES, Literal::List(&["start"]), Hot;
        /// Title of a message.
        "title" title: Text<Template> = TEMPLATE, Literal::Text("${monitor.name}"), Hot;
        /// Text of a message.
        "text" text: Text<Template> = TEMPLATE, Literal::Text("${detected}"), Hot;
        /// What a tap opens: "https://zm.example.org/zm/?view=event&eid=${event}". Empty: that of picture.link-url.
        "link" link: Text<Template> = TEMPLATE, Literal::Text(""), Hot;
        /// How loud a message is. A rule with action = "urgent" makes it "urgent".
        "priority" priority: Choice<TargetPriority> = Choice(&[
            ("low", TargetPriority::Low),
            ("normal", TargetPriority::Normal),
            ("high", TargetPriority::High),
            ("urgent", TargetPriority::Urgent),
        ]), Literal::Text("normal"), Hot;
        /// The picture of an alarm. "auto": a file where the service takes one (ntfy, Pushover, Telegram), for Gotify a link,
        /// for a webhook nothing. "upload": as a file; "link": a link of [picture], for ntfy, Gotify and webhooks; a webhook
        /// also takes "base64" (member picture_base64 of the JSON) and "multipart" (each message is a form with payload, and
        /// picture if there is one).
        "picture" picture: Choice<PictureChoice> = Choice(&[
            ("auto", PictureChoice::Auto),
            ("upload", PictureChoice::This(PictureForm::File)),
            ("link", PictureChoice::This(PictureForm::Link)),
            ("none", PictureChoice::This(PictureForm::None)),
            ("base64", PictureChoice::This(PictureForm::Base64)),
            ("multipart", PictureChoice::This(PictureForm::Multipart)),
        ]), Literal::Text("auto"), Hot;
        /// ntfy and Telegram: buttons that snooze the camera for this target, at most three: ["1h", "8h"]. They work for an hour
        /// after the message, by picture.base-url.
        "snooze-buttons" snooze_buttons: Listing<SnoozeTime> = SNOOZE_BUTTONS, Literal::List(&[]), Hot;
        /// How long the text waits for a picture that is sent as a file.
        "picture-wait" picture_wait: Span =
            Span { min: Duration::ZERO, max: Duration::from_secs(10) }, Literal::Text("2s"), Hot;
        /// Where to send. ntfy: the server without the topic; Pushover and Telegram: only for a gateway of your own. Webhook:
        /// the whole URL, with placeholders only after the host; it is never shown.
        "url" url: Secret = Secret, Literal::Text(""), Hot;
        /// Allow http:// to this machine and to private networks. Everything is then sent unencrypted.
        "plaintext" plaintext: Flag = Flag, Literal::Flag(false), Hot;
        /// Additional root certificate to trust, PEM: that of a server of your own.
        "ca-certificate" ca_certificate: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
        /// ntfy: an access token, if the topic needs one. Pushover, Gotify: the token of the application. Telegram: that of the
        /// bot. Webhook: sent as "Authorization: Bearer".
        "token" token: Secret = Secret, Literal::Text(""), Hot;
        /// ntfy: the topic. Who knows it can read it, so choose one that cannot be guessed.
        "topic" topic: Secret = Secret, Literal::Text(""), Hot;
        /// Pushover: the key of the user or group.
        "user-key" user_key: Secret = Secret, Literal::Text(""), Hot;
        /// Pushover: only this device. Empty: all.
        "device" device: Text<String> = WORDS, Literal::Text(""), Hot;
        /// Pushover: the sound. Empty: the user's own.
        "sound" sound: Text<String> = WORDS, Literal::Text(""), Hot;
        /// Telegram: the id of the chat, or "@channel".
        "chat" chat: Text<String> = CHAT, Literal::Text(""), Hot;
        /// Telegram: the topic of a forum; 0: none.
        "thread" thread: Number<u32> = Number { min: 0, max: u32::MAX }, Literal::Number(0), Hot;
        /// Webhook: how it is requested. A GET has no body.
        "method" method: Choice<WebhookMethod> = Choice(&[
            ("POST", WebhookMethod::Post),
            ("PUT", WebhookMethod::Put),
            ("GET", WebhookMethod::Get),
        ]), Literal::Text("POST"), Hot;
        /// Webhook: headers by name: { X-Source = "zmesd" }. Their values are never shown.
        "headers" headers: Headers = Headers, Literal::Pairs(&[]), Hot;
        /// Webhook: signs the request as Standard Webhooks do: "whsec_" followed by 24 to 64 bytes in base64.
        "secret" secret: Secret = Secret, Literal::Text(""), Hot;
        /// Webhook: the body. Empty: a JSON object with all that is known of the alarm. It is never shown.
        "body" body: Text<Template> = BODY, Literal::Text(""), Hot;
        /// Webhook: the type of the body. Values are written for it: escaped in JSON, percent-encoded in a form.
        "content-type" content_type: Text<String> = WORDS, Literal::Text("application/json"), Hot;
        /// Webhook: the statuses that count as success.
        "expect" expect: Expected = Expected, Literal::Text("2xx"), Hot;
    }
}

/// The section for the table.
pub(super) const SECTION: &Section = TargetSection::SECTION;

/// A key that not every kind has.
struct KindKey<'a> {
    place: &'a KeyPlace,
    /// Its dotted name in the table.
    key: &'static str,
    /// This kind has it.
    counts: bool,
}

impl TargetSection {
    /// Reads all targets, in the order of the document.
    pub(super) fn read_all(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Vec<Self> {
        Self::all(reader, root)
    }

    /// Adds the values in use; keys of other kinds do not count.
    pub(super) fn add(&self, index: usize, resolved: &Resolved, settings: &mut Settings) {
        let others: Vec<_> =
            self.of_kinds().into_iter().filter(|kind| !kind.counts).map(|kind| kind.key).collect();
        let counts = |key: &Key| !others.iter().any(|other| other.rsplit('.').next() == Some(key.name));
        settings.add_those(Self::SECTION, Some(index), self.values(resolved), counts);
    }

    /// Returns the places of keys that the file has, and that this kind does not know.
    pub(super) fn unused(&self) -> Vec<KeyPlace> {
        let kinds = self.of_kinds().into_iter();
        let unused = kinds.filter(|kind| !kind.counts && kind.place.line.is_some());
        unused.map(|kind| kind.place.clone()).collect()
    }

    fn of_kinds(&self) -> [KindKey<'_>; 17] {
        fn key<T>(setting: &Setting<T>, counts: bool) -> KindKey<'_> {
            KindKey { place: &setting.place, key: setting.key, counts }
        }
        let kind = self.kind.value;
        let (pushover, telegram) = (kind == ProviderKind::Pushover, kind == ProviderKind::Telegram);
        let webhook = kind == ProviderKind::Webhook;
        [
            key(&self.title, !webhook),
            key(&self.text, !webhook),
            key(&self.priority, !webhook),
            key(&self.picture_wait, kind != ProviderKind::Gotify),
            key(&self.snooze_buttons, telegram || kind == ProviderKind::Ntfy),
            key(&self.topic, kind == ProviderKind::Ntfy),
            key(&self.user_key, pushover),
            key(&self.device, pushover),
            key(&self.sound, pushover),
            key(&self.chat, telegram),
            key(&self.thread, telegram),
            key(&self.method, webhook),
            key(&self.headers, webhook),
            key(&self.secret, webhook),
            key(&self.body, webhook),
            key(&self.content_type, webhook),
            key(&self.expect, webhook),
        ]
    }
}
