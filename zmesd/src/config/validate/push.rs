//! `[push]` and its transports: what each needs once it is enabled.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use zmes_providers::{
    ApnsConfig, ApnsEndpoint, ApnsIdentity, FcmConfig, FcmProxyConfig, PushPart, PushProxyConfig,
};

use super::{Checker, Reported};
use crate::config::file::{ApnsSection, FcmProxySection, FcmSection, File, PushProxySection};
use crate::config::problem::KeyPlace;
use crate::config::section::Setting;
use crate::config::shown::Shown;
use crate::config::{PushConfig, TargetReceiver};

/// Length of Apple's ids of keys and teams.
const APPLE_ID_LENGTH: usize = 10;

impl Checker<'_> {
    pub(super) fn push(&mut self, file: &File) -> Result<(PushConfig, Vec<TargetReceiver>), Reported> {
        let section = &file.push;
        if !section.enabled.value {
            // Nothing of it is set up then.
            self.push_look = None;
        }
        let before = self.problems.len();
        self.warn_of_picture_url(&section.picture_url);
        let proxy = file.push_proxy.enabled.value.then(|| self.push_proxy(&file.push_proxy)).transpose();
        let fcm = file.fcm.enabled.value.then(|| self.fcm(&file.fcm, &file.fcm_proxies)).transpose();
        let apns = file.apns.enabled.value.then(|| self.apns(&file.apns)).transpose();
        let (complete, targets) = (self.problems.len() == before, self.targets(file));
        let config = section.config(proxy?, fcm?, apns?, Vec::new());
        if complete {
            self.look(&PushPart::Whole(&config.providers()), &[&section.enabled.place]);
        }
        let (targets, receivers) = targets?;
        Ok((PushConfig { targets, ..config }, receivers))
    }

    fn warn_of_picture_url(&mut self, setting: &Setting<Option<SecretString>>) {
        let Some(url) = setting.value.as_ref().map(ExposeSecret::expose_secret) else { return };
        if !url.contains("EVENTID") {
            let hint = "EVENTID is replaced by the event's id: without it every push shows the same picture";
            self.warn(&setting.place, "does not contain EVENTID", hint);
        }
        let credentials = ["password=", "pass=", "user=", "username=", "token=", "auth="];
        let lower = url.to_ascii_lowercase();
        let named = |name: &&str| lower.contains(&format!("?{name}")) || lower.contains(&format!("&{name}"));
        if credentials.iter().any(named) {
            let hint = "every provider on the way to the phone can read it: remove it and set picture.base-url, whose links need none";
            self.warn(&setting.place, "contains a user, a password or a token", hint);
        }
    }

    fn push_proxy(&mut self, section: &PushProxySection) -> Result<PushProxyConfig, Reported> {
        let url = self.stated(section.url.value.clone(), &section.url);
        let app_name = self.word(&section.app_name);
        let app_key = self.secret(&section.app_key).and_then(|key| self.stated(key, &section.app_key));
        let ca_certificate = self.root(&section.ca_certificate, "the proxy's root certificate");
        self.url(section.url.value.as_deref(), &section.url);
        if section.url.value.as_ref().is_some_and(|url| url.starts_with("http://")) {
            let hint = "the app's key and the alarms are sent unencrypted: write https://";
            self.warn(&section.url.place, "is not https", hint);
        }
        Ok(PushProxyConfig {
            url: url?,
            app_name: app_name?,
            app_key: app_key?,
            sound: section.sound.value.clone(),
            ca_certificate: ca_certificate?,
        })
    }

    fn fcm(&mut self, section: &FcmSection, proxies: &[FcmProxySection]) -> Result<FcmConfig, Reported> {
        let absent = "name the JSON file of the service account, from Google's console";
        let service_account = self.file(&section.service_account, absent);
        if let Ok(Some(path)) = &service_account {
            self.look(&PushPart::ServiceAccount(path), &[&section.service_account.place]);
        }
        let ca_certificate = self.root(&section.ca_certificate, "the root certificate");
        self.url(section.endpoint.value.as_deref(), &section.endpoint);
        let (mut known, mut complete) = (Vec::<FcmProxyConfig>::new(), Ok(()));
        for proxy in proxies {
            // The default file has such an entry, to be filled in.
            let Some(url) = proxy.url.value.clone() else { continue };
            self.url(Some(&url), &proxy.url);
            let (Ok(name), Ok(key)) = (self.word(&proxy.name), self.secret(&proxy.key)) else {
                complete = Err(Reported);
                continue;
            };
            if known.iter().any(|other| other.name == name) {
                let message = format!("`{name}` is listed twice");
                self.problem(&proxy.name.place, message, "write one entry per app");
            }
            known.push(FcmProxyConfig { name, url, key });
        }
        let service_account = service_account?;
        complete?;
        if service_account.is_none() && known.is_empty() {
            let hint = "set push.fcm.service-account, or add a [[push.fcm.proxy]] with a url";
            let message = "true, but neither a service account nor a function is set";
            return Err(self.problem(&section.enabled.place, message, hint));
        }
        Ok(FcmConfig {
            service_account,
            endpoint: section.endpoint.value.clone(),
            ca_certificate: ca_certificate?,
            proxies: known,
        })
    }

    fn apns(&mut self, section: &ApnsSection) -> Result<ApnsConfig, Reported> {
        let (identity, topic) = (self.apns_identity(section), self.word(&section.topic));
        let ca_certificate = self.root(&section.ca_certificate, "the gateway's root certificate");
        if let ApnsEndpoint::Other(url) = &section.endpoint.value {
            self.url(Some(url), &section.endpoint);
        }
        Ok(ApnsConfig {
            identity: identity?,
            topic: topic?,
            endpoint: section.endpoint.value.clone(),
            ca_certificate: ca_certificate?,
        })
    }

    fn apns_identity(&mut self, section: &ApnsSection) -> Result<ApnsIdentity, Reported> {
        let absent = "name the file from Apple's developer site";
        let (key, certificate) = (self.file(&section.key, absent), self.file(&section.certificate, absent));
        if let Some(certificate) = certificate? {
            let (password, key_file) = (self.secret(&section.certificate_password)?, key?);
            let part = PushPart::Identity {
                certificate: &certificate,
                key: key_file.as_deref(),
                password: password.as_ref(),
            };
            self.look(&part, &[&section.certificate.place, &section.key.place]);
            self.unused(&section.key_id.place);
            self.unused(&section.team_id.place);
            return Ok(ApnsIdentity::Certificate { certificate, key: key_file, password });
        }
        self.unused(&section.certificate_password.place);
        let key = key.and_then(|key| self.stated(key, &section.key));
        if let Ok(path) = &key {
            self.look(&PushPart::SigningKey(path), &[&section.key.place]);
        }
        let (key_id, team_id) = (self.apple_id(&section.key_id), self.apple_id(&section.team_id));
        Ok(ApnsIdentity::Token { key: key?, key_id: key_id?, team_id: team_id? })
    }

    /// Returns the path of a root certificate, if one is named; `what`: "the proxy's root certificate".
    fn root(&mut self, setting: &Setting<Option<PathBuf>>, what: &str) -> Result<Option<PathBuf>, Reported> {
        let path = self.file(setting, &format!("name a PEM file with {what}"))?;
        if let Some(path) = &path {
            self.look(&PushPart::Root { key: setting.key, path }, &[&setting.place]);
        }
        Ok(path)
    }

    fn url<T>(&mut self, text: Option<&str>, setting: &Setting<T>) {
        if let Some(text) = text {
            self.look(&PushPart::Url { key: setting.key, text }, &[&setting.place]);
        }
    }

    /// Notes that a value counts no more than an empty one, because another way is used.
    fn unused(&mut self, place: &KeyPlace) {
        self.resolved.set(place, Shown::text(""));
    }

    fn apple_id(&mut self, setting: &Setting<String>) -> Result<String, Reported> {
        let id = self.word(setting)?;
        if id.len() == APPLE_ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(id);
        }
        let hint = "Apple's developer site shows it beside the key";
        Err(self.problem(&setting.place, "is not ten letters and digits", hint))
    }

    /// Returns a text that must not be empty.
    fn word(&mut self, setting: &Setting<String>) -> Result<String, Reported> {
        let text = Some(setting.value.clone()).filter(|text| !text.is_empty());
        self.stated(text, setting)
    }

    /// Returns a value that must be there because its transport is enabled.
    fn stated<T, S>(&mut self, value: Option<T>, setting: &Setting<S>) -> Result<T, Reported> {
        let transport = setting.key.rsplit_once('.').map_or("", |(section, _)| section);
        value.ok_or_else(|| {
            self.problem(&setting.place, "is empty", format!("set it, or do not enable {transport}"))
        })
    }
}
