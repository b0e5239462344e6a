//! `[mqtt]` and `[mqtt.home-assistant]`: home automation.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use toml::de::DeTable;

use super::forms::{
    BROKER_URL, CLIENT_ID, Flag, Listing, MONITOR_NAMES, OPTIONAL_TOPIC, PATH_NAME, Secret, Size, Span,
    TOPIC, Text, WORDS,
};
use super::problem::Problems;
use super::reader::Reader;
use super::section::{Form, Key, Literal, Reload, Section, Setting, SettingsArea, section};
use super::settings::Resolved;
use super::shown::Shown;
use crate::rules::MonitorName;

const DAY: Duration = Duration::from_hours(24);
/// Largest `mqtt.max-picture`, in bytes.
pub const MAX_PICTURE: usize = 8 << 20;

section! {
    /// MQTT: what happens at the cameras, for Home Assistant, Node-RED and others. For each monitor: whether there is an
    /// alarm, the events, whether it is watched, its snooze. `zmesctl mqtt check` tries these settings.
    MqttSection: Mqtt = "mqtt" once {
        /// Connect to the broker.
        "enabled" enabled: Flag = Flag, Literal::Flag(false), Hot;
        /// The broker: "mqtts://broker.example.org" (port 8883), or "mqtt://127.0.0.1" (port 1883).
        "url" url: Text<Option<BrokerUrl>> = BROKER_URL, Literal::Text(""), Hot;
        /// Allow mqtt:// to other machines. The password and everything else are then sent unencrypted.
        "plaintext" plaintext: Flag = Flag, Literal::Flag(false), Hot;
        /// The user at the broker. Empty: none.
        "username" username: Text<String> = WORDS, Literal::Text(""), Hot;
        /// The user's password.
        "password" password: Secret = Secret, Literal::Text(""), Hot;
        /// Additional root certificate to trust, PEM. The broker's certificate is always verified.
        "ca-certificate" ca_certificate: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
        /// Certificate that zmesd shows to the broker, PEM. Empty: none.
        "certificate" certificate: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
        /// Its private key, PEM, without a passphrase.
        "key" key: Text<Option<PathBuf>> = PATH_NAME, Literal::Text(""), Hot;
        /// Client id, unique at the broker. Empty: "zmesd-" and the id of this installation.
        "client-id" client_id: Text<String> = CLIENT_ID, Literal::Text(""), Hot;
    }
    #[derive(Debug, Clone, PartialEq, Eq)]
    MqttConfig {
        /// How to reach the broker; `None` where `[mqtt]` is not enabled.
        broker: Option<BrokerConfig>,
        home_assistant: HomeAssistantConfig,
    } {
        /// All topics begin with this. Two servers at one broker need two.
        "topic" topic: Text<String> = TOPIC, Literal::Text("zmesd"), Hot;
        /// The user of ZoneMinder whose rights apply. Empty: all monitors.
        "user" user: Text<String> = WORDS, Literal::Text(""), Hot;
        /// Names or ids of monitors: ["Garden", 4]. Empty: all that the user may see.
        "monitors" monitors: Listing<MonitorName> = MONITOR_NAMES, Literal::List(&[]), Hot;
        /// Accept commands: snooze a monitor, end its snooze. Everyone who may publish at the broker can then silence cameras.
        "commands" commands: Flag = Flag, Literal::Flag(false), Hot;
        /// Alarms that the broker missed are published afterwards if they are not older than this.
        "keep" keep: Span = Span { min: Duration::ZERO, max: DAY }, Literal::Text("10m"), Hot;
        /// Publish the picture of the last alarm of each monitor, the first of picture.order; retained.
        "picture" picture: Flag = Flag, Literal::Flag(true), Hot;
        /// Larger pictures are not published.
        "max-picture" max_picture: Size = Size { min: 64 << 10, max: MAX_PICTURE as u64 }, Literal::Text("512KiB"), Hot;
        /// Publish alarms also as event server 6 and 7 did, at this topic and the id of the monitor: "zoneminder". Empty: do
        /// not.
        "es-topic" es_topic: Text<Option<String>> = OPTIONAL_TOPIC, Literal::Text(""), Hot;
        /// Publish ends there, too: with `state` "alarm", as those servers did.
        "es-ends" es_ends: Flag = Flag, Literal::Flag(false), Hot;
        /// Have the broker keep those messages (retain).
        "es-retain" es_retain: Flag = Flag, Literal::Flag(false), Hot;
    }
}

section! {
    /// Discovery by Home Assistant: it shows the server and each monitor as a device by itself.
    HomeAssistantSection: Mqtt = "mqtt.home-assistant" once {}
    #[derive(Debug, Clone, PartialEq, Eq)]
    HomeAssistantConfig {} {
        /// Announce devices. Harmless where no Home Assistant listens.
        "enabled" enabled: Flag = Flag, Literal::Flag(true), Hot;
        /// Its discovery prefix.
        "prefix" prefix: Text<String> = TOPIC, Literal::Text("homeassistant"), Hot;
        /// Where it says that it has started; devices are then announced again.
        "status-topic" status_topic: Text<String> = TOPIC, Literal::Text("homeassistant/status"), Hot;
    }
}

impl Default for MqttConfig {
    /// What a file that does not mention `[mqtt]` means.
    fn default() -> Self {
        let mut problems = Problems::new(Path::new(""));
        let (mut reader, nothing) = (Reader::new("", &[], &mut problems), DeTable::new());
        let home_assistant = HomeAssistantSection::once(&mut reader, &nothing).config();
        MqttSection::once(&mut reader, &nothing).config(None, home_assistant)
    }
}

impl MqttConfig {
    /// Takes over what a reload applies: all of it.
    pub(super) fn take(&mut self, new: &Self) {
        self.take_hot(new);
        self.broker.clone_from(&new.broker);
        self.home_assistant.take_hot(&new.home_assistant);
    }
}

/// How to reach a broker.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    pub url: BrokerUrl,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    /// PEM: one more root to trust.
    pub ca_certificate: Option<PathBuf>,
    pub identity: Option<BrokerIdentity>,
    /// `None`: made of the id of this installation.
    pub client_id: Option<String>,
}

impl PartialEq for BrokerConfig {
    fn eq(&self, other: &Self) -> bool {
        let password =
            |config: &Self| config.password.as_ref().map(|password| password.expose_secret().to_owned());
        self.url == other.url
            && self.username == other.username
            && password(self) == password(other)
            && self.ca_certificate == other.ca_certificate
            && self.identity == other.identity
            && self.client_id == other.client_id
    }
}

impl Eq for BrokerConfig {}

/// The certificate that a broker is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerIdentity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `mqtts://host:port`, or `mqtt://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

impl BrokerUrl {
    /// The ports that IANA lists for MQTT.
    pub(super) const PORT: u16 = 1883;
    pub(super) const TLS_PORT: u16 = 8883;
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls } = self;
        let scheme = if *tls { "mqtts" } else { "mqtt" };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}
