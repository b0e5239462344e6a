//! The values of `[mqtt]`.

use std::net::Ipv6Addr;

use super::{Text, bounded};
use crate::config::BrokerUrl;
use crate::config::problem::quotable;
use crate::config::section::Complaint;
use crate::config::shown::Shown;

/// Longest topic in the configuration, in bytes; what is appended to it is short.
const TOPIC_MAX: usize = 128;
/// Longest name of a host, in bytes (RFC 1035 2.3.4).
const HOST_MAX: usize = 253;
/// Longest client id, in bytes. Brokers must take 23 (MQTT 3.1.1, 3.1.3.1); all that are in use take more.
const CLIENT_ID_MAX: usize = 64;

const URLS: &str = "a URL such as \"mqtts://broker.example.org\" or \"mqtt://127.0.0.1:1883\"";

/// Where a broker is; `None` where the text is empty. Never quoted: it may hold a password.
pub(in crate::config) const BROKER_URL: Text<Option<BrokerUrl>> = Text {
    takes: URLS,
    read: |text| if text.is_empty() { Ok(None) } else { broker_url(bounded(text)?).map(Some) },
    show: |url| Shown::text(&url.as_ref().map(ToString::to_string).unwrap_or_default()),
};

fn broker_url(text: &str) -> Result<BrokerUrl, Complaint> {
    let (tls, rest) = match (text.strip_prefix("mqtts://"), text.strip_prefix("mqtt://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(other_scheme(text)),
    };
    if rest.contains('@') {
        return Err(Complaint::new("contains a user or a password")
            .hint("remove it: URLs appear in logs; write mqtt.username and mqtt.password"));
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let malformed = || Complaint::new("has no valid host and port").hint(format!("write {URLS}"));
    if authority.contains(['/', '?', '#']) {
        return Err(Complaint::new("has something behind host and port")
            .hint("remove it; topics are set by mqtt.topic"));
    }
    let default = if tls { BrokerUrl::TLS_PORT } else { BrokerUrl::PORT };
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(malformed)?;
            host.parse::<Ipv6Addr>().map_err(|_| malformed())?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(malformed)?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Ok(default), |port| port.parse().map_err(|_| malformed()))?;
    let plain = |character: char| !character.is_whitespace() && !"\"<>\\^`{|}".contains(character);
    if host.is_empty() || host.len() > HOST_MAX || port == 0 || !host.chars().all(plain) {
        return Err(malformed());
    }
    Ok(BrokerUrl { host: host.to_owned(), port, tls })
}

fn other_scheme(text: &str) -> Complaint {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    let hint = match scheme {
        "tcp" => "write mqtt:// in place of tcp://".to_owned(),
        "ssl" | "tls" | "mqtt+ssl" => format!("write mqtts:// in place of {scheme}://"),
        "ws" | "wss" => "MQTT over WebSockets is not supported: use the broker's own port".to_owned(),
        _ => format!("write {URLS}"),
    };
    Complaint::new("is not a URL that starts with mqtts:// or mqtt://").hint(hint)
}

/// A topic to publish at, or the beginning of one.
pub(in crate::config) const TOPIC: Text<String> = Text {
    takes: "a topic such as \"zmesd\" or \"home/zmesd\"",
    read: |text| topic(text),
    show: |topic| Shown::text(topic),
};

/// The same; `None` where the text is empty.
pub(in crate::config) const OPTIONAL_TOPIC: Text<Option<String>> = Text {
    takes: "a topic such as \"zoneminder\", or \"\"",
    read: |text| if text.is_empty() { Ok(None) } else { topic(text).map(Some) },
    show: |topic| Shown::text(topic.as_deref().unwrap_or_default()),
};

/// Reads a topic name (MQTT 3.1.1, 4.7).
fn topic(text: &str) -> Result<String, Complaint> {
    let text = bounded(text)?;
    let complaint = |what: &str| Complaint::new(format!("`{}` {what}", quotable(text)));
    if text.is_empty() {
        return Err(Complaint::new("is empty").hint("write a topic such as \"zmesd\""));
    }
    if text.len() > TOPIC_MAX {
        return Err(Complaint::new(format!("is longer than {TOPIC_MAX} bytes")));
    }
    if text.contains(['+', '#']) {
        return Err(
            complaint("contains a wildcard").hint("remove + and #: messages are published at exact topics")
        );
    }
    if text.starts_with('$') {
        return Err(complaint("starts with $").hint("choose another: brokers keep $ for themselves"));
    }
    if text.split('/').any(|level| level.is_empty() || level.trim() != level) {
        return Err(complaint("has an empty level, or a blank at the edge of one")
            .hint("remove / and blanks at both ends"));
    }
    Ok(text.to_owned())
}

/// A client id; empty: made by zmesd.
pub(in crate::config) const CLIENT_ID: Text<String> = Text {
    takes: "a string of at most 64 bytes",
    read: |text| {
        let text = bounded(text)?;
        if text.len() > CLIENT_ID_MAX {
            return Err(Complaint::new(format!("is longer than {CLIENT_ID_MAX} bytes")));
        }
        // zm_mqtt.cpp: "ZoneMinder" and the id of the monitor. A second client with an id throws the first one out.
        if text.starts_with("ZoneMinder") {
            return Err(Complaint::new("starts with ZoneMinder")
                .hint("choose another: ZoneMinder's own clients are called so"));
        }
        Ok(text.to_owned())
    },
    show: |id| Shown::text(id),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read_with_their_default_ports_and_errors_quote_no_url() {
        let shown =
            |text: &str| broker_url(text).map(|url| url.to_string()).map_err(|complaint| complaint.message);
        assert_eq!(shown("mqtts://broker.example.org").as_deref(), Ok("mqtts://broker.example.org:8883"));
        assert_eq!(shown("mqtt://127.0.0.1/").as_deref(), Ok("mqtt://127.0.0.1:1883"));
        assert_eq!(shown("mqtt://[::1]:18830").as_deref(), Ok("mqtt://[::1]:18830"));
        for wrong in [
            "broker",
            "tcp://hunter2",
            "mqtts://amy:hunter2@broker",
            "mqtt://",
            "mqtt://host:0",
            "mqtt://host:hunter2",
            "mqtt://host/hunter2",
            "mqtt://[::1",
            "mqtt://::1",
            "mqtt://a b",
            "wss://hunter2",
        ] {
            let complaint = broker_url(wrong).unwrap_err();
            let said = format!("{} {}", complaint.message, complaint.hint.unwrap_or_default());
            assert!(!said.contains("hunter2"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_topic_has_no_wildcards_and_no_empty_levels() {
        for good in ["zmesd", "home/zmesd", "Haus/Tür 3"] {
            assert_eq!(topic(good).as_deref().ok(), Some(good));
        }
        for wrong in ["", "a/#", "+", "$SYS/x", "/a", "a/", "a//b", " a", "a\u{0}b", "a\nb", &"x".repeat(129)]
        {
            assert!(topic(wrong).is_err(), "{wrong:?}");
        }
    }
}
