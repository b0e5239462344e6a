//! `[mqtt]`: the broker, and the topic at which the old server published alarms.

use std::net::{IpAddr, Ipv6Addr};

use super::draft::NewValue;
use super::report::Fate;
use super::takeover::{OldValue, Takeover};
use super::values;

const SECTION: &str = "mqtt";
/// Broker and topic of an old server whose file named none.
const SERVER: &str = "127.0.0.1";
const TOPIC: &str = "zoneminder";
/// Settings that say something only while MQTT is on.
const KEYS: [&str; 8] =
    ["server", "topic", "username", "password", "retain", "tls_ca", "tls_cert", "tls_key"];

/// How the old server reached its broker.
#[derive(Debug, PartialEq, Eq)]
struct OldBroker {
    /// As a URL has it: an IPv6 address in brackets.
    host: String,
    port: Option<u16>,
    loopback: bool,
}

pub(super) fn take(taking: &mut Takeover<'_>) {
    let switch = taking.flag(SECTION, "enable");
    let Some((true, switch)) = switch else {
        taking.idle(switch.as_ref().map(|(_, got)| got), "it was off");
        for entry in KEYS.iter().filter_map(|key| taking.old.latest(SECTION, key)) {
            taking.say(entry, Fate::Idle("it belongs to a feature that was off".to_owned()));
        }
        return;
    };
    // An empty value was none.
    let [server, topic, user, password, retain, authority, certificate, key] = KEYS.map(|key| {
        let got = taking.get(SECTION, key)?;
        let empty = got.value.text().is_empty();
        taking.idle(Some(&got).filter(|_| empty), "it is empty");
        Some(got).filter(|_| !empty)
    });
    let login = user.is_some() && password.is_some();
    let tls = login && authority.is_some();
    let reached = broker(taking, &switch, server.as_ref(), authority.as_ref().filter(|_| tls));
    if reached {
        taking.take(&[switch.entry], SECTION, "enabled", NewValue::Flag(true));
    }
    credentials(taking, user, password);
    identity(taking, tls, authority, certificate, key);
    match &topic {
        Some(got) => drop(taking.take_word(got, SECTION, "es-topic")),
        None => {
            taking.take(&[switch.entry], SECTION, "es-topic", NewValue::Text(TOPIC.to_owned()));
        }
    }
    if let Some(got) = retain {
        match values::flag(got.value.word()) {
            Some(retain) => {
                taking.take(&[got.entry], SECTION, "es-retain", NewValue::Flag(retain));
            }
            None => taking.open(got.entry, "neither yes nor no", "set mqtt.es-retain in zmesd.toml"),
        }
    }
    ends(taking);
    taking.note(
        "alarms are published to the old topic at once and with QoS 1: they do not wait for hooks, `hookvalue` is \
         always 0, and `detection` has only what ZoneMinder's database knows by then; what is found late is not published there",
    );
    taking.note(
        "everything is also published below mqtt.topic (`zmesd`), and Home Assistant shows each camera as a device; \
         mqtt.home-assistant.enabled = false turns that off",
    );
    taking.next("once zmesd runs: `zmesctl mqtt check` shows whether the broker takes what zmesd publishes");
}

/// Takes over the broker; says whether it could.
fn broker(
    taking: &mut Takeover<'_>,
    switch: &OldValue<'_>,
    server: Option<&OldValue<'_>>,
    tls: Option<&OldValue<'_>>,
) -> bool {
    let named = server.unwrap_or(switch).entry;
    let word = server.map_or(SERVER, |got| got.value.word());
    let Some(OldBroker { host, port, loopback }) = OldBroker::of(word) else {
        let why = "not the name or the address of a broker, with or without a port";
        taking.open(
            named,
            why,
            "set mqtt.url in zmesd.toml (mqtts://broker.example.org), and mqtt.enabled = true",
        );
        taking.say(switch.entry, Fate::Idle("its broker could not be taken over".to_owned()));
        return false;
    };
    let scheme = if tls.is_some() { "mqtts" } else { "mqtt" };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let secret = server.is_some_and(|got| got.value.secret);
    let url = format!("{scheme}://{host}{port}");
    let value = if secret { NewValue::Private(url.into()) } else { NewValue::Text(url) };
    let taken = taking.take(&[named], SECTION, "url", value);
    if taken && tls.is_none() && !loopback {
        taking.take(&[named], SECTION, "plaintext", NewValue::Flag(true));
        let why = "the connection to the broker is not encrypted, as before: the network can read its password and \
                   every alarm";
        taking.open(named, why, "if the broker has TLS, set mqtt.url to mqtts:// and mqtt.plaintext = false");
    }
    taken
}

fn credentials(taking: &mut Takeover<'_>, user: Option<OldValue<'_>>, password: Option<OldValue<'_>>) {
    match (user, password) {
        (Some(user), Some(password)) => {
            let name = user.value.text().to_owned();
            let value = if user.value.secret { NewValue::Private(name.into()) } else { NewValue::Text(name) };
            taking.take(&[user.entry], SECTION, "username", value);
            taking.take_secret(&password, SECTION, "password");
        }
        (user, password) => {
            let why = "the old server logged in only with a user and a password";
            for got in [user, password] {
                taking.idle(got.as_ref(), why);
            }
        }
    }
}

/// Takes over the certificates, if TLS was used.
fn identity(
    taking: &mut Takeover<'_>,
    tls: bool,
    authority: Option<OldValue<'_>>,
    certificate: Option<OldValue<'_>>,
    key: Option<OldValue<'_>>,
) {
    if !tls {
        let why = "the old server used TLS only with a user, a password and tls_ca: the connection was not encrypted";
        if let Some(got) = &authority {
            taking.open(
                got.entry,
                why,
                "if the broker has TLS, set mqtt.ca-certificate, and mqtt.url to mqtts://",
            );
        }
        for got in [certificate, key] {
            taking.idle(got.as_ref(), why);
        }
        return;
    }
    if let Some(got) = authority {
        taking.take_word(&got, SECTION, "ca-certificate");
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            taking.take_word(&certificate, SECTION, "certificate");
            taking.take_word(&key, SECTION, "key");
        }
        (certificate, key) => {
            for got in [certificate, key] {
                taking.idle(got.as_ref(), "the old server used a certificate of its own only with its key");
            }
        }
    }
}

/// Takes over whether ends were published to the old topic.
fn ends(taking: &mut Takeover<'_>) {
    let customize = "customize";
    let Some(entry) = taking.old.latest(customize, "send_event_end_notification") else { return };
    if !taking.is_on((customize, "send_event_end_notification")) {
        return;
    }
    // With a hook, the list of channels for its result decided.
    let hook =
        taking.is_on((customize, "use_hooks")).then(|| taking.old.latest("hook", "event_end_hook")).flatten();
    let hooked = hook.is_some_and(|hook| !values::word(&hook.value).is_empty());
    let listed = taking.old.latest("hook", "event_end_notify_on_hook_success").is_some_and(|entry| {
        let list = values::word(&entry.value);
        list.split(',').any(|channel| ["mqtt", "all"].contains(&channel.trim()))
    });
    if !hooked || listed {
        taking.take(&[entry], SECTION, "es-ends", NewValue::Flag(true));
    }
}

impl OldBroker {
    /// Reads what `Net::MQTT::Simple` took: a host or an address, and a port if it is not the usual one.
    fn of(word: &str) -> Option<Self> {
        if let Ok(address) = word.parse::<Ipv6Addr>() {
            return Some(Self { host: format!("[{address}]"), port: None, loopback: address.is_loopback() });
        }
        let (host, port) = match word.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0)?))
            }
            Some(_) | None => (word, None),
        };
        let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => Some(IpAddr::V6(inner.parse().ok()?)),
            None => host.parse().ok(),
        };
        let named = !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if address.is_none() && !named {
            return None;
        }
        let loopback =
            address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback());
        Some(Self { host: host.to_owned(), port, loopback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read_as_the_old_server_read_them() {
        let read = |word: &str| OldBroker::of(word).map(|old| (old.host, old.port, old.loopback));
        for (word, host, port, loopback) in [
            ("127.0.0.1", "127.0.0.1", None, true),
            ("localhost:1884", "localhost", Some(1884), true),
            ("broker.example.org", "broker.example.org", None, false),
            ("192.0.2.9:8883", "192.0.2.9", Some(8883), false),
            ("::1", "[::1]", None, true),
            ("[fd00::9]:1883", "[fd00::9]", Some(1883), false),
            ("[::1]", "[::1]", None, true),
            ("core-mosquitto", "core-mosquitto", None, false),
        ] {
            assert_eq!(read(word), Some((host.to_owned(), port, loopback)), "{word}");
        }
        for word in ["", ":1883", "a:b", "a:0", "mqtt://a", "a b", "a,b", "[x]", "[::1", "host:99999"] {
            assert_eq!(read(word), None, "{word}");
        }
    }
}
