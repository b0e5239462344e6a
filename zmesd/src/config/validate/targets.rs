//! `[[target]]`: what each kind needs, and what it does not know.

use std::collections::BTreeSet;
use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use zmes_providers::PushPart;
use zmes_providers::targets::{
    GotifyConfig, NtfyConfig, PictureForm, PushoverConfig, TargetConfig, TargetName, TargetPicture,
    TargetPriority, TargetProvider, TargetTexts, TelegramConfig, Template, WebhookConfig, WebhookMethod,
    WebhookSecret, has_private_address,
};

use super::{Checker, Reported};
use crate::config::file::File;
use crate::config::forms::{SecretSource, parsed};
use crate::config::section::Setting;
use crate::config::shown::Shown;
use crate::config::target::{PictureChoice, ProviderKind, TargetPhase, TargetReceiver};
use crate::config::target_keys::TargetSection;

/// Most targets.
const TARGETS_MAX: usize = 64;
const PUSHOVER: &str = "https://api.pushover.net";
const TELEGRAM: &str = "https://api.telegram.org";
const NTFY: &str = "https://ntfy.sh";

/// What the file says of targets: where they send, and who hears of what.
pub(super) type Targets = (Vec<TargetConfig>, Vec<TargetReceiver>);

impl Checker<'_> {
    /// Returns the targets in the order of the file. An entry as the default file has it is none yet.
    pub(super) fn targets(&mut self, file: &File) -> Result<Targets, Reported> {
        let (mut configs, mut receivers, mut complete) = (Vec::new(), Vec::new(), Ok(()));
        let mut names = BTreeSet::new();
        for section in file.targets.iter().filter(|section| section.is_filled_in()) {
            let before = self.problems.len();
            match self.target(section, file, &mut names) {
                Ok((config, receiver)) => {
                    self.look_at_target(section, &config, before);
                    configs.push(config);
                    receivers.push(receiver);
                }
                Err(Reported) => complete = Err(Reported),
            }
        }
        if let (Some(first), false) =
            (file.targets.iter().find(|one| one.is_filled_in()), file.push.enabled.value)
        {
            let hint = "set push.enabled = true: targets are pushes, too";
            self.warn(&first.name.place, "a target is configured, but push.enabled is false", hint);
        }
        complete.map(|()| (configs, receivers))
    }

    fn target(
        &mut self,
        section: &TargetSection,
        file: &File,
        names: &mut BTreeSet<TargetName>,
    ) -> Result<(TargetConfig, TargetReceiver), Reported> {
        let name = self.target_name(section, names);
        let user = self.target_user(section, file.auth.enabled.value);
        let service = self.service(section);
        self.unknown_to_kind(section);
        let root = self.file(&section.ca_certificate, "name a PEM file with the server's root certificate");
        if let Ok(Some(path)) = &root {
            let part = PushPart::Root { key: section.ca_certificate.key, path };
            self.look(&part, &[&section.ca_certificate.place]);
        }
        if section.phases.value.is_empty() {
            let hint = "write [\"start\"] for alarms, [\"trouble\"] for troubles, or both";
            self.problem(&section.phases.place, "is empty", hint);
        }
        let has = |phase| section.phases.value.contains(&phase);
        if has(TargetPhase::End) && !has(TargetPhase::Start) {
            let hint = "add \"start\": an end is only told to those who were told that the alarm had begun";
            self.problem(&section.phases.place, "has \"end\" without \"start\"", hint);
        }
        if has(TargetPhase::Update) && !has(TargetPhase::Start) {
            let hint =
                "add \"start\": an update is only sent to those who were told that the alarm had begun";
            self.problem(&section.phases.place, "has \"update\" without \"start\"", hint);
        }
        if has(TargetPhase::Update) && !file.labels.config().sources().any() {
            let hint = "write source = [\"notes\", \"tags\"] in [labels]";
            self.warn(&section.phases.place, "\"update\" has no effect: labels.source is empty", hint);
        }
        if section.kind.value == ProviderKind::Telegram && section.priority.value > TargetPriority::Normal {
            let hint = "Telegram knows only messages with a sound and, as \"low\", without one";
            self.warn(&section.priority.place, "has no effect", hint);
        }
        let texts = TargetTexts {
            title: section.title.value.clone(),
            text: section.text.value.clone(),
            link: if section.link.value.is_empty() { &file.picture.link_url } else { &section.link }
                .value
                .clone(),
            priority: section.priority.value,
        };
        let links = file.picture.base_url.value.is_some();
        let picture = self.target_picture(section, links);
        let (buttons, kinds) = (&section.snooze_buttons, [ProviderKind::Ntfy, ProviderKind::Telegram]);
        if !buttons.value.is_empty() && kinds.contains(&section.kind.value) && !links {
            let hint = "set picture.base-url: how phones reach this server from outside";
            self.warn(&buttons.place, "has no effect, because picture.base-url is empty", hint);
        }
        let snooze_buttons = buttons.value.clone();
        let name = name?;
        let receiver = TargetReceiver {
            name,
            user: user?,
            monitors: section.monitors.value.clone(),
            interval: section.interval.value,
            phases: section.phases.value.clone(),
        };
        let (ca_certificate, service) = (root?, service?);
        Ok((TargetConfig { name, texts, picture, snooze_buttons, ca_certificate, service }, receiver))
    }

    /// Returns what becomes of pictures. `links`: there are links to pictures.
    fn target_picture(&mut self, section: &TargetSection, links: bool) -> TargetPicture {
        let (kind, place) = (section.kind.value, &section.picture.place);
        let offered = kind.pictures();
        let best = offered.first().copied().unwrap_or(PictureForm::None);
        let form = match section.picture.value {
            PictureChoice::Auto => best,
            PictureChoice::This(form) if offered.contains(&form) => form,
            PictureChoice::This(form) => {
                let words: Vec<_> = offered.iter().map(|form| format!("\"{}\"", form.word())).collect();
                let message = format!("`{}` is nothing for {}", form.word(), kind.word());
                self.problem(place, message, format!("write {}", words.join(" or ")));
                PictureForm::None
            }
        };
        if section.picture.value == PictureChoice::This(PictureForm::Link) && !links {
            let hint = "set picture.base-url: how phones reach this server from outside";
            self.warn(place, "there are no links, because picture.base-url is empty", hint);
        }
        if matches!(form, PictureForm::Base64 | PictureForm::Multipart)
            && section.method.value == WebhookMethod::Get
        {
            self.problem(place, "is a part of the body, and a GET has none", "set method = \"POST\"");
        }
        if form == PictureForm::Base64 && !section.body.value.is_empty() {
            let hint = "write picture = \"multipart\", or remove body";
            self.problem(place, "is a member of zmesd's own JSON, and body replaces that", hint);
        }
        TargetPicture { form, wait: section.picture_wait.value }
    }

    /// Has the whole target built, unless something is wrong with it already.
    fn look_at_target(&mut self, section: &TargetSection, config: &TargetConfig, before: usize) {
        if self.problems.len() == before {
            let settings = zmes_providers::ProviderSettings {
                targets: vec![config.clone()],
                ..zmes_providers::ProviderSettings::default()
            };
            self.look(&PushPart::Whole(&settings), &[&section.name.place, &section.url.place]);
        }
    }

    fn target_name(
        &mut self,
        section: &TargetSection,
        names: &mut BTreeSet<TargetName>,
    ) -> Result<TargetName, Reported> {
        let place = &section.name.place;
        let Some(name) = section.name.value else {
            let hint = "give the target a name, such as \"night-guard\": its handle is @night-guard";
            return Err(self.problem(place, "is empty", hint));
        };
        if !names.insert(name) {
            let hint = "give each target a name of its own";
            return Err(self.problem(place, format!("`{name}` is listed twice"), hint));
        }
        if names.len() > TARGETS_MAX {
            let hint = "a webhook can tell many receivers";
            return Err(self.problem(place, format!("too many targets (limit {TARGETS_MAX})"), hint));
        }
        Ok(name)
    }

    fn target_user(&mut self, section: &TargetSection, auth: bool) -> Result<String, Reported> {
        if section.user.value.is_empty() && auth {
            let hint = "name the user of ZoneMinder whose rights apply: the target hears of the monitors that this user may see";
            return Err(self.problem(&section.user.place, "is empty", hint));
        }
        Ok(section.user.value.clone())
    }

    fn service(&mut self, section: &TargetSection) -> Result<TargetProvider, Reported> {
        match section.kind.value {
            ProviderKind::Ntfy => {
                let (url, topic) =
                    (self.target_url(section, Some(NTFY)), self.needed(&section.topic, "the topic"));
                let url = url.and_then(|url| self.plain_server(section, url));
                let (topic, token) = (self.plain_topic(section, topic), self.secret(&section.token));
                Ok(TargetProvider::Ntfy(NtfyConfig { url: url?, topic: topic?, token: token? }))
            }
            ProviderKind::Pushover => {
                let url = self.target_url(section, Some(PUSHOVER));
                let token = self.needed(&section.token, "the token of the application");
                let user_key = self.needed(&section.user_key, "the key of the user or group");
                let (device, sound) = (section.device.value.clone(), section.sound.value.clone());
                let (url, token, user_key) = (url?, token?, user_key?);
                Ok(TargetProvider::Pushover(PushoverConfig { url, token, user_key, device, sound }))
            }
            ProviderKind::Telegram => {
                let url = self.target_url(section, Some(TELEGRAM));
                let token = self.needed(&section.token, "the token of the bot, from @BotFather");
                let token = token.and_then(|token| self.bot_token(section, token));
                let chat = section.chat.value.clone();
                let complete = if chat.is_empty() {
                    let hint = "write the id of the chat, or \"@channel\"";
                    Err(self.problem(&section.chat.place, "is empty", hint))
                } else {
                    Ok(())
                };
                let thread = Some(section.thread.value).filter(|thread| *thread > 0);
                let (url, token) = (url?, token?);
                complete.map(|()| TargetProvider::Telegram(TelegramConfig { url, token, chat, thread }))
            }
            ProviderKind::Gotify => {
                let url = self.target_url(section, None);
                let token = self.needed(&section.token, "the token of the application");
                Ok(TargetProvider::Gotify(GotifyConfig { url: url?, token: token? }))
            }
            ProviderKind::Webhook => {
                self.webhook(section).map(|config| TargetProvider::Webhook(Box::new(config)))
            }
        }
    }

    fn webhook(&mut self, section: &TargetSection) -> Result<WebhookConfig, Reported> {
        let url = self.target_url(section, None);
        let url = url.and_then(|url| self.url_template(section, &url));
        let (token, secret) = (self.secret(&section.token), self.secret(&section.secret));
        let has_authorization =
            section.headers.value.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
        if has_authorization && matches!(token, Ok(Some(_))) {
            let hint = "remove one of them: token is sent as \"Authorization: Bearer\"";
            self.problem(&section.headers.place, "has `Authorization`, and token is set, too", hint);
        }
        let secret = secret.and_then(|secret| {
            let parsed = secret.map(|secret| WebhookSecret::parse(&secret)).transpose();
            parsed.map_err(|problem| {
                let hint = "`echo whsec_$(openssl rand -base64 32)` makes one; give it to the receiver, too";
                self.problem(&section.secret.place, problem.to_string(), hint)
            })
        });
        if section.content_type.value.is_empty() {
            self.problem(&section.content_type.place, "is empty", "write \"application/json\"");
        }
        Ok(WebhookConfig {
            url: url?,
            method: section.method.value,
            headers: section.headers.value.clone(),
            token: token?,
            secret: secret?,
            body: section.body.value.clone(),
            content_type: section.content_type.value.clone(),
            expect: section.expect.value.clone(),
        })
    }

    fn url_template(&mut self, section: &TargetSection, url: &SecretString) -> Result<Template, Reported> {
        parsed(url.expose_secret()).map_err(|complaint| {
            self.problem(&section.url.place, complaint.message, complaint.hint.unwrap_or_default())
        })
    }

    /// Returns the URL, which is never quoted: its path may be a secret.
    fn target_url(
        &mut self,
        section: &TargetSection,
        default: Option<&str>,
    ) -> Result<SecretString, Reported> {
        let place = &section.url.place;
        let Some(url) = self.secret(&section.url)?.or_else(|| default.map(SecretString::from)) else {
            return Err(self.problem(place, "is empty", "write the URL of the server: \"https://…\""));
        };
        let text = url.expose_secret().to_owned();
        if text.contains('@')
            && text.split_once("://").is_some_and(|(_, rest)| {
                rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@'))
            })
        {
            let hint = "write the token into `token`, or a header into `headers`";
            return Err(self.problem(place, "contains a user or a password", hint));
        }
        // Who hides it in a file, or has a secret in its path, finds it hidden here.
        if section.kind.value != ProviderKind::Webhook && matches!(section.url.value, SecretSource::Inline(_))
        {
            self.resolved.set(place, Shown::text(&text));
        }
        self.target_scheme(section, &text)?;
        Ok(url)
    }

    fn target_scheme(&mut self, section: &TargetSection, url: &str) -> Result<(), Reported> {
        let place = &section.url.place;
        if url.starts_with("https://") {
            return Ok(());
        }
        if !url.starts_with("http://") {
            return Err(self.problem(place, "does not begin with https://", "write \"https://…\""));
        }
        if !section.plaintext.value {
            let hint = "write https://; for a server in your own network, set plaintext = true";
            return Err(self.problem(place, "is not encrypted", hint));
        }
        if has_private_address(url) == Some(false) && !is_named_local(url) {
            let hint = "http:// is only for this machine and private networks: write https://";
            return Err(self.problem(place, "is not encrypted, and its address is not a private one", hint));
        }
        Ok(())
    }

    fn needed(&mut self, setting: &Setting<SecretSource>, what: &str) -> Result<SecretString, Reported> {
        self.secret(setting)?.ok_or_else(|| {
            let key = setting.key.rsplit('.').next().unwrap_or_default();
            let hint = format!("set {what}, or {key}-file to a file that holds it");
            self.problem(&setting.place, "is empty", hint)
        })
    }

    /// Refuses a path: ntfy takes messages at the root of a server only.
    fn plain_server(&mut self, section: &TargetSection, url: SecretString) -> Result<SecretString, Reported> {
        if matches!(behind_host(url.expose_secret()), "" | "/") {
            return Ok(url);
        }
        let hint = "write the server only, such as \"https://ntfy.sh\": the topic goes into topic";
        Err(self.problem(&section.url.place, "has a path", hint))
    }

    fn plain_topic(
        &mut self,
        section: &TargetSection,
        topic: Result<SecretString, Reported>,
    ) -> Result<SecretString, Reported> {
        let topic = topic?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let text = topic.expose_secret();
        if text.len() <= 64 && text.bytes().all(plain) {
            return Ok(topic);
        }
        let hint = "a topic has 1 to 64 letters, digits, - and _; the server's address goes into url";
        Err(self.problem(&section.topic.place, "is not a topic of ntfy", hint))
    }

    fn bot_token(&mut self, section: &TargetSection, token: SecretString) -> Result<SecretString, Reported> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = token.expose_secret().split_once(':').is_some_and(|(id, key)| {
            !id.is_empty()
                && id.bytes().all(|byte| byte.is_ascii_digit())
                && !key.is_empty()
                && key.bytes().all(plain)
        });
        if fits {
            return Ok(token);
        }
        let hint = "@BotFather shows it: digits, a colon, letters and digits";
        Err(self.problem(&section.token.place, "is not the token of a bot", hint))
    }

    /// Warns of keys that this kind does not use.
    fn unknown_to_kind(&mut self, section: &TargetSection) {
        for place in section.unused() {
            let kind = section.kind.value.word();
            self.warn(&place, format!("has no effect for kind \"{kind}\""), "remove it");
        }
    }
}

/// Returns path, query and fragment of a URL.
fn behind_host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or_default()
}

/// Says whether a URL names an address that must be named: a link-local one.
fn is_named_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let address: Option<IpAddr> = host
        .trim_start_matches('[')
        .split_once(']')
        .map_or_else(|| host.split(':').next().unwrap_or_default(), |(host, _)| host)
        .parse()
        .ok();
    match address {
        Some(IpAddr::V4(address)) => address.is_link_local(),
        Some(IpAddr::V6(address)) => address.is_unicast_link_local(),
        None => false,
    }
}

impl ProviderKind {
    pub(in crate::config) fn word(self) -> &'static str {
        match self {
            Self::Ntfy => "ntfy",
            Self::Pushover => "pushover",
            Self::Telegram => "telegram",
            Self::Gotify => "gotify",
            Self::Webhook => "webhook",
        }
    }
}

impl TargetSection {
    /// Says whether it differs from the entry in the default file.
    pub(in crate::config) fn is_filled_in(&self) -> bool {
        let unset = |secret: &SecretSource| matches!(secret, SecretSource::Unset);
        let secrets = [&self.url, &self.token, &self.topic, &self.user_key, &self.secret];
        self.name.value.is_some()
            || !self.user.value.is_empty()
            || !self.chat.value.is_empty()
            || secrets.iter().any(|secret| !unset(&secret.value))
    }
}

#[cfg(test)]
mod tests;
