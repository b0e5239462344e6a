//! `[push]` and its transports: what each needs once it is enabled.

use super::{Checker, Reported};
use crate::config::file::{ApnsSection, FcmProxySection, FcmSection, File, PushProxySection};
use crate::config::push::{ApnsConfig, ApnsIdentity, FcmConfig, FcmProxyConfig, PushConfig, PushProxyConfig};
use crate::config::section::Setting;

/// Length of Apple's ids of keys and teams.
const APPLE_ID_LENGTH: usize = 10;

impl Checker<'_> {
    pub(super) fn push(&mut self, file: &File) -> Result<PushConfig, Reported> {
        let section = &file.push;
        let proxy = file.push_proxy.enabled.value.then(|| self.push_proxy(&file.push_proxy)).transpose();
        let fcm = file.fcm.enabled.value.then(|| self.fcm(&file.fcm, &file.fcm_proxies)).transpose();
        let apns = file.apns.enabled.value.then(|| self.apns(&file.apns)).transpose();
        Ok(PushConfig {
            enabled: section.enabled.value,
            interval_default: section.interval_default.value,
            retry_for: section.retry_for.value,
            mode: section.mode.value,
            storm_limit: section.storm_limit.value,
            proxy: proxy?,
            fcm: fcm?,
            apns: apns?,
        })
    }

    fn push_proxy(&mut self, section: &PushProxySection) -> Result<PushProxyConfig, Reported> {
        let url = self.stated(section.url.value.clone(), &section.url);
        let app_name = self.word(&section.app_name);
        let app_key = self.secret(&section.app_key).and_then(|key| self.stated(key, &section.app_key));
        let ca_certificate =
            self.file(&section.ca_certificate, "name a PEM file with the proxy's root certificate");
        if section.url.value.as_ref().is_some_and(|url| url.starts_with("http://")) {
            let hint = "the app's key and what the cameras see travel in the clear: write https://";
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
        let service_account = self.file(
            &section.service_account,
            "name the JSON file of the service account, from Google's console",
        );
        let mut known = Vec::<FcmProxyConfig>::new();
        for proxy in proxies {
            // The default file has such an entry, to be filled in.
            let Some(url) = proxy.url.value.clone() else { continue };
            let (name, key) = (self.word(&proxy.name)?, self.secret(&proxy.key)?);
            if known.iter().any(|other| other.name == name) {
                self.problem(&proxy.name.place, format!("`{name}` is there twice"), "one entry for each app");
            }
            known.push(FcmProxyConfig { name, url, key });
        }
        let service_account = service_account?;
        if service_account.is_none() && known.is_empty() {
            let hint = "give push.fcm.service-account, or a [[push.fcm.proxy]] with a url";
            return Err(self.problem(&section.enabled.place, "true, but there is no way to send", hint));
        }
        Ok(FcmConfig { service_account, proxies: known })
    }

    fn apns(&mut self, section: &ApnsSection) -> Result<ApnsConfig, Reported> {
        let (identity, topic) = (self.apns_identity(section), self.word(&section.topic));
        Ok(ApnsConfig { identity: identity?, topic: topic?, endpoint: section.endpoint.value.clone() })
    }

    fn apns_identity(&mut self, section: &ApnsSection) -> Result<ApnsIdentity, Reported> {
        let absent = "name the file that Apple's developer site gave you";
        let (key, certificate) = (self.file(&section.key, absent), self.file(&section.certificate, absent));
        if let Some(certificate) = certificate? {
            return Ok(ApnsIdentity::Certificate { certificate, key: key? });
        }
        let key = key.and_then(|key| self.stated(key, &section.key));
        let (key_id, team_id) = (self.apple_id(&section.key_id), self.apple_id(&section.team_id));
        Ok(ApnsIdentity::Token { key: key?, key_id: key_id?, team_id: team_id? })
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
        let transport = setting.place.key.rsplit_once('.').map_or("", |(section, _)| section);
        let transport = transport.split('[').next().unwrap_or_default();
        value.ok_or_else(|| {
            self.problem(&setting.place, "is empty", format!("give it, or do not enable {transport}"))
        })
    }
}
