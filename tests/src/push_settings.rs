//! `[push…]` of `zmesd.toml` for the stand-ins: addresses, credentials, root certificates.

use crate::settings::Settings;
use crate::standin::{Apns, Fcm, FcmFunction, PushProxy};
use crate::world::WorldBuilder;

impl Settings {
    /// Sends through a PushProxy.
    pub fn use_push_proxy(&mut self, proxy: &PushProxy) {
        let table = "push.proxy";
        self.set(table, "enabled", "true");
        self.set_text(table, "url", &proxy.url());
        self.set_text(table, "app-name", PushProxy::APP_NAME);
        self.set_text(table, "app-key", PushProxy::APP_KEY);
        self.set_path(table, "ca-certificate", &proxy.ca());
    }

    /// Sends through FCM HTTP v1.
    pub fn use_fcm(&mut self, fcm: &Fcm) {
        let table = "push.fcm";
        self.set(table, "enabled", "true");
        self.set_path(table, "service-account", fcm.service_account());
        self.set_text(table, "endpoint", &fcm.messages.url());
        self.set_path(table, "ca-certificate", &fcm.messages.ca());
    }

    /// Adds a function proxy. One root signs all of them: see [`FcmFunction::start_under`].
    pub fn add_fcm_function(&mut self, name: &str, function: &FcmFunction) {
        self.set("push.fcm", "enabled", "true");
        self.set_path("push.fcm", "ca-certificate", &function.ca());
        let keys = [("name", name), ("url", &function.send_url()), ("key", FcmFunction::KEY)];
        self.add_block("push.fcm.proxy", &keys);
    }

    /// Sends through APNs, with the signing key or the PEM certificate, whichever the stand-in requires.
    pub fn use_apns(&mut self, apns: &Apns) {
        let table = "push.apns";
        self.set(table, "enabled", "true");
        self.set_text(table, "topic", Apns::TOPIC);
        self.set_text(table, "endpoint", &apns.url());
        self.set_path(table, "ca-certificate", &apns.ca());
        if let Some(key) = apns.key() {
            self.set_path(table, "key", key);
            self.set_text(table, "key-id", Apns::KEY_ID);
            self.set_text(table, "team-id", Apns::TEAM_ID);
        }
        if let Some(identity) = apns.identity() {
            self.set_path(table, "certificate", &identity.certificate);
            self.set_path(table, "key", &identity.key);
        }
    }
}

impl WorldBuilder {
    /// A daemon that sends through a PushProxy.
    #[must_use]
    pub fn with_push_proxy(mut self, proxy: &PushProxy) -> Self {
        self.settings.use_push_proxy(proxy);
        self
    }

    /// A daemon that sends through FCM HTTP v1.
    #[must_use]
    pub fn with_fcm(mut self, fcm: &Fcm) -> Self {
        self.settings.use_fcm(fcm);
        self
    }

    /// A daemon that sends through a function proxy; repeat for more of them.
    #[must_use]
    pub fn with_fcm_function(mut self, name: &str, function: &FcmFunction) -> Self {
        self.settings.add_fcm_function(name, function);
        self
    }

    /// A daemon that sends through APNs.
    #[must_use]
    pub fn with_apns(mut self, apns: &Apns) -> Self {
        self.settings.use_apns(apns);
        self
    }
}
