//! What a message on a topic for commands asks for. Pure.

use zmes_shared::MonitorId;
use zmes_shared::control::SNOOZE_MAX_MS;

/// Longest snooze, in minutes.
const LONGEST: u64 = SNOOZE_MAX_MS / 60_000;
/// Longest payload that is looked at, in bytes.
const PAYLOAD_MAX: usize = 16;

/// A command about one monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MqttCommand {
    pub(super) monitor: MonitorId,
    /// For this many minutes; `None`: its snooze ends.
    pub(super) snooze: Option<u64>,
}

impl MqttCommand {
    /// Reads a message below the base; `None`: it is no command, or one that is not understood.
    pub(super) fn parse(base: &str, topic: &str, payload: &[u8]) -> Option<Self> {
        let rest = topic.strip_prefix(base)?.strip_prefix('/')?;
        let (id, what) = rest.split_once('/')?;
        let monitor = MonitorId(id.parse().ok()?);
        let text = str::from_utf8(payload.get(..PAYLOAD_MAX.min(payload.len()))?).ok()?.trim();
        if payload.len() > PAYLOAD_MAX {
            return None;
        }
        let snooze = match (what, text) {
            ("notifications/set", "ON") => None,
            ("notifications/set", "OFF") => Some(LONGEST),
            // Home Assistant's numbers may come as 60.0.
            ("snooze/set", text) => match text.strip_suffix(".0").unwrap_or(text).parse().ok()? {
                0 => None,
                minutes @ 1..=LONGEST => Some(minutes),
                _ => return None,
            },
            _ => return None,
        };
        Some(Self { monitor, snooze })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_the_words_of_a_switch_and_minutes() {
        let parse = |topic: &str, payload: &str| {
            let command = MqttCommand::parse("zmesd", topic, payload.as_bytes())?;
            Some((command.monitor.0, command.snooze))
        };
        assert_eq!(parse("zmesd/3/notifications/set", "ON"), Some((3, None)));
        assert_eq!(parse("zmesd/3/notifications/set", "OFF"), Some((3, Some(43_200))));
        assert_eq!(parse("zmesd/3/snooze/set", "60"), Some((3, Some(60))));
        assert_eq!(parse("zmesd/3/snooze/set", "60.0"), Some((3, Some(60))));
        assert_eq!(parse("zmesd/3/snooze/set", "0"), Some((3, None)));
        for (topic, payload) in [
            ("zmesd/3/snooze/set", "43201"),
            ("zmesd/3/snooze/set", "-1"),
            ("zmesd/3/snooze/set", ""),
            ("zmesd/3/snooze/set", "99999999999999999999999999"),
            ("zmesd/3/notifications/set", "off"),
            ("zmesd/x/notifications/set", "ON"),
            ("zmesd/3/notifications", "ON"),
            ("other/3/notifications/set", "ON"),
        ] {
            assert_eq!(parse(topic, payload), None, "{topic} {payload}");
        }
        assert_eq!(MqttCommand::parse("zmesd", "zmesd/3/snooze/set", &[0xff]), None);
    }
}
