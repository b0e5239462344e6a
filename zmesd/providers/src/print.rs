//! Hashes of what a transport is made of, so that a reload replaces only transports that changed, and notices files
//! with new contents under the same name (a renewed key, a root that was installed on this machine).

use std::collections::BTreeMap;
use std::path::Path;

use rustls::RootCertStore;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::files;
use crate::settings::{ApnsConfig, ApnsIdentity, FcmConfig, FcmProxyConfig, PushProxyConfig};
use crate::targets::{
    ExpectedStatus, TargetConfig, TargetProvider, TargetTexts, Template, WebhookConfig, WebhookSecret,
};

/// Hashes by key of the configuration; the empty key is this machine's roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Print(BTreeMap<&'static str, [u8; 32]>);

impl Print {
    fn new(machine: &MachineRoots) -> Self {
        Self(BTreeMap::from([("", machine.0)]))
    }

    /// Returns the keys whose values or files differ.
    pub(super) fn changes<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'static str> + 'a {
        let keys = self.0.keys().chain(other.0.keys().filter(|key| !self.0.contains_key(*key)));
        keys.copied().filter(|key| !key.is_empty() && self.0.get(key) != other.0.get(key))
    }

    fn text(mut self, key: &'static str, text: &str) -> Self {
        self.0.insert(key, Sha256::digest(text).into());
        self
    }

    fn bytes(mut self, key: &'static str, bytes: &[u8]) -> Self {
        self.0.insert(key, Sha256::digest(bytes).into());
        self
    }

    fn secret(self, key: &'static str, secret: Option<&SecretString>) -> Self {
        self.text(key, secret.map_or("", ExposeSecret::expose_secret))
    }

    /// Adds the name and the content of a file. A file that cannot be read fails when the transport is built.
    fn file(mut self, key: &'static str, path: Option<&Path>) -> Self {
        let mut hash = Sha256::new();
        if let Some(path) = path {
            hash.update(path.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(files::read(key, path).unwrap_or_default());
        }
        self.0.insert(key, hash.finalize().into());
        self
    }

    pub(super) fn proxy(config: &PushProxyConfig, machine: &MachineRoots) -> Self {
        Self::new(machine)
            .text("push.proxy.url", &config.url)
            .text("push.proxy.app-name", &config.app_name)
            .secret("push.proxy.app-key", Some(&config.app_key))
            .text("push.proxy.sound", &config.sound)
            .file("push.proxy.ca-certificate", config.ca_certificate.as_deref())
    }

    pub(super) fn fcm(config: &FcmConfig, picture: Option<&SecretString>, machine: &MachineRoots) -> Self {
        Self::new(machine)
            .file("push.fcm.service-account", config.service_account.as_deref())
            .text("push.fcm.endpoint", config.endpoint.as_deref().unwrap_or_default())
            .file("push.fcm.ca-certificate", config.ca_certificate.as_deref())
            .secret("push.picture-url", picture)
    }

    pub(super) fn function(
        config: &FcmProxyConfig,
        root: Option<&Path>,
        picture: Option<&SecretString>,
        machine: &MachineRoots,
    ) -> Self {
        Self::new(machine)
            .text("push.fcm.proxy.url", &config.url)
            .secret("push.fcm.proxy.key", config.key.as_ref())
            .file("push.fcm.ca-certificate", root)
            .secret("push.picture-url", picture)
    }

    pub(super) fn apns(config: &ApnsConfig, picture: Option<&SecretString>, machine: &MachineRoots) -> Self {
        let print = Self::new(machine);
        let print = match &config.identity {
            ApnsIdentity::Token { key, key_id, team_id } => print
                .file("push.apns.key", Some(key))
                .text("push.apns.key-id", key_id)
                .text("push.apns.team-id", team_id),
            ApnsIdentity::Certificate { certificate, key, password } => print
                .file("push.apns.certificate", Some(certificate))
                .file("push.apns.key", key.as_deref())
                .secret("push.apns.certificate-password", password.as_ref()),
        };
        print
            .text("push.apns.topic", &config.topic)
            .text("push.apns.endpoint", config.endpoint.url())
            .file("push.apns.ca-certificate", config.ca_certificate.as_deref())
            .secret("push.picture-url", picture)
    }

    pub(super) fn target(target: &TargetConfig, machine: &MachineRoots) -> Self {
        let TargetTexts { title, text, link, priority } = &target.texts;
        let print = Self::new(machine)
            .text("target.title", title.source())
            .text("target.text", text.source())
            .text("target.link", link.source())
            .text("target.priority", priority.word())
            .text("target.picture", target.picture.form.word())
            .text("target.picture-wait", &format!("{:?}", target.picture.wait))
            .text("target.snooze-buttons", &format!("{:?}", target.snooze_buttons))
            .file("target.ca-certificate", target.ca_certificate.as_deref());
        match &target.service {
            TargetProvider::Ntfy(config) => print
                .secret("target.url", Some(&config.url))
                .secret("target.topic", Some(&config.topic))
                .secret("target.token", config.token.as_ref()),
            TargetProvider::Pushover(config) => print
                .secret("target.url", Some(&config.url))
                .secret("target.token", Some(&config.token))
                .secret("target.user-key", Some(&config.user_key))
                .text("target.device", &config.device)
                .text("target.sound", &config.sound),
            TargetProvider::Telegram(config) => print
                .secret("target.url", Some(&config.url))
                .secret("target.token", Some(&config.token))
                .text("target.chat", &config.chat)
                .text("target.thread", &format!("{:?}", config.thread)),
            TargetProvider::Gotify(config) => {
                print.secret("target.url", Some(&config.url)).secret("target.token", Some(&config.token))
            }
            TargetProvider::Webhook(config) => print.webhook(config),
        }
    }

    fn webhook(self, config: &WebhookConfig) -> Self {
        let header = |(name, value): (&String, &Template)| format!("{name}: {}\n", value.source());
        let headers: String = config.headers.iter().map(header).collect();
        let expect = match &config.expect {
            ExpectedStatus::Success => "2xx".to_owned(),
            ExpectedStatus::Codes(codes) => format!("{codes:?}"),
        };
        let print = self
            .text("target.url", config.url.source())
            .text("target.method", &format!("{:?}", config.method))
            .text("target.headers", &headers)
            .secret("target.token", config.token.as_ref())
            .text("target.body", config.body.source())
            .text("target.content-type", &config.content_type)
            .text("target.expect", &expect);
        print.bytes("target.secret", config.secret.as_ref().map_or(&[], WebhookSecret::key))
    }
}

pub(super) struct MachineRoots([u8; 32]);

impl MachineRoots {
    pub(super) fn new(roots: &RootCertStore) -> Self {
        let mut hash = Sha256::new();
        for root in &roots.roots {
            hash.update(&root.subject);
            hash.update(&root.subject_public_key_info);
        }
        Self(hash.finalize().into())
    }
}
