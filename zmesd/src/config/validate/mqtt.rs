//! `[mqtt]`: what a connection to the broker needs, and who could read it.

use zmes_providers::PushPart;
use zmes_shared::host;

use super::{Checker, Reported};
use crate::config::file::File;
use crate::config::mqtt::{BrokerConfig, BrokerIdentity, BrokerUrl, MqttConfig, MqttSection};

/// The default of `mqtt.topic`. Two servers that publish there have one last will, and one state of the server.
const TOPIC: &str = "zmesd";

impl Checker<'_> {
    pub(super) fn mqtt(&mut self, file: &File) -> Result<MqttConfig, Reported> {
        let (section, home_assistant) = (&file.mqtt, &file.home_assistant);
        let broker = section.enabled.value.then(|| self.broker(section)).transpose();
        if section.enabled.value && home_assistant.enabled.value {
            let ours = format!("{}/status", section.topic.value);
            if ours == home_assistant.status_topic.value {
                let hint = "choose another topic: Home Assistant's own status stands there";
                self.problem(&section.topic.place, format!("makes `{ours}` zmesd's status topic"), hint);
            }
        }
        if section.enabled.value && file.cluster.enabled.value && section.topic.value == TOPIC {
            let hint = "give each node its own topic: mqtt.topic = \"zmesd/nvr1\" at node nvr1";
            self.warn(&section.topic.place, "the default: other nodes of the cluster may use it, too", hint);
        }
        Ok(section.config(broker?, home_assistant.config()))
    }

    fn broker(&mut self, section: &MqttSection) -> Result<BrokerConfig, Reported> {
        let url = self.broker_url(section);
        let password = self.secret(&section.password);
        let username = Some(section.username.value.clone()).filter(|name| !name.is_empty());
        if username.is_none() && matches!(password, Ok(Some(_))) {
            let hint = "set mqtt.username: MQTT has no password without a user";
            self.problem(&section.username.place, "is empty, but mqtt.password is set", hint);
        }
        let ca_certificate =
            self.file(&section.ca_certificate, "name a PEM file with the broker's root certificate");
        if let Ok(Some(path)) = &ca_certificate {
            let part = PushPart::Root { key: section.ca_certificate.key, path };
            self.look(&part, &[&section.ca_certificate.place]);
        }
        let identity = self.broker_identity(section);
        let url = url?;
        if !url.tls {
            for setting in [&section.ca_certificate, &section.certificate, &section.key] {
                if setting.value.is_some() {
                    self.warn(
                        &setting.place,
                        "has no effect with mqtt://",
                        "write mqtts:// in mqtt.url, or remove it",
                    );
                }
            }
        }
        let client_id = Some(section.client_id.value.clone()).filter(|id| !id.is_empty());
        Ok(BrokerConfig {
            url,
            username,
            password: password?,
            ca_certificate: ca_certificate?,
            identity: identity?,
            client_id,
        })
    }

    fn broker_url(&mut self, section: &MqttSection) -> Result<BrokerUrl, Reported> {
        let Some(url) = section.url.value.clone() else {
            let hint = "set it, or do not enable mqtt: \"mqtts://broker.example.org\"";
            return Err(self.problem(&section.url.place, "is empty", hint));
        };
        if !url.tls && !host::is_this_machine(&url.host) {
            if !section.plaintext.value {
                let hint = "write mqtts://, or allow it with mqtt.plaintext = true";
                return Err(self.problem(
                    &section.url.place,
                    "is not encrypted, and the broker is another machine",
                    hint,
                ));
            }
            let hint = "others in the network can read the password and all alarms: write mqtts:// if the broker has it";
            self.warn(&section.plaintext.place, "true, and the broker is another machine", hint);
        }
        Ok(url)
    }

    fn broker_identity(&mut self, section: &MqttSection) -> Result<Option<BrokerIdentity>, Reported> {
        let certificate =
            self.file(&section.certificate, "name the PEM file with the certificate that zmesd shows");
        let key = self.file(&section.key, "name the PEM file with the key of mqtt.certificate");
        match (certificate?, key?) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let part = PushPart::Identity { certificate: &certificate, key: Some(&key), password: None };
                self.look(&part, &[&section.certificate.place, &section.key.place]);
                Ok(Some(BrokerIdentity { certificate, key }))
            }
            (Some(_), None) => {
                Err(self.problem(&section.key.place, "is empty", "name the key of mqtt.certificate"))
            }
            (None, Some(_)) => {
                let hint = "name the certificate that belongs to mqtt.key";
                Err(self.problem(&section.certificate.place, "is empty", hint))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{LEAST, Place};

    fn complaints(text: &str) -> String {
        let place = Place::new();
        match place.read(&format!("{LEAST}{text}")) {
            Ok(loaded) => {
                let warnings: Vec<_> =
                    loaded.warnings.iter().map(|warning| format!("warning {warning}\n")).collect();
                warnings.concat()
            }
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn an_enabled_mqtt_needs_a_broker_that_may_be_reached_so() {
        assert_eq!(complaints("mqtt.url = 'mqtt://broker'"), "", "not enabled");
        assert!(complaints("mqtt.enabled = true").contains("mqtt.url"));
        for local in [
            "mqtt://127.0.0.1",
            "mqtt://localhost:18830",
            "mqtt://LOCALHOST",
            "mqtt://[::1]",
            "mqtts://broker",
        ] {
            assert_eq!(complaints(&format!("mqtt = {{ enabled = true, url = '{local}' }}")), "", "{local}");
        }
        let remote = complaints("mqtt = { enabled = true, url = 'mqtt://192.0.2.1' }");
        assert!(remote.contains("mqtt.plaintext = true"), "{remote}");
        let allowed = complaints("mqtt = { enabled = true, url = 'mqtt://192.0.2.1', plaintext = true }");
        assert!(allowed.starts_with("warning "), "{allowed}");
    }

    #[test]
    fn what_belongs_together_is_asked_for_together() {
        let with =
            |rest: &str| complaints(&format!("mqtt = {{ enabled = true, url = 'mqtts://broker', {rest} }}"));
        assert!(with("password = 'hunter2'").contains("mqtt.username"));
        assert!(!with("password = 'hunter2'").contains("hunter2"));
        assert!(with("certificate = 'cert.pem'").contains("mqtt.key"));
        assert!(with("key = 'key.pem'").contains("mqtt.certificate"));
        assert!(with("topic = 'homeassistant'").contains("homeassistant/status"));
        assert_eq!(with("topic = 'homeassistant', home-assistant = { enabled = false }"), "");
    }

    #[test]
    fn nodes_of_a_cluster_need_topics_of_their_own() {
        let with = |topic: &str, cluster: bool| {
            complaints(&format!(
                "zoneminder.server-id = 2\nmqtt = {{ enabled = true, url = 'mqtts://broker', {topic} }}\n\
                 [cluster]\nenabled = {cluster}\n"
            ))
        };
        let shared = with("", true);
        assert!(shared.contains("mqtt.topic: the default") && shared.contains("zmesd/nvr1"), "{shared}");
        assert_eq!(with("topic = 'zmesd/nvr1'", true), "");
        assert_eq!(with("", false), "");
    }
}
